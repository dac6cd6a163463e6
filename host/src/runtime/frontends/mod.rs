//! The front ends that run: what guards them, and what is kept for each.

pub(crate) mod api_keys;
pub(crate) mod cors;
pub(crate) mod documents;
pub(crate) mod guarded;
pub(crate) mod hub_encoder;
pub(crate) mod instance;
pub(crate) mod log_throttle;
pub(crate) mod plugin;
pub(crate) mod stream_activity;
