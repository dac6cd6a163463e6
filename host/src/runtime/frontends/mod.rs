//! The front ends that are served.

pub(crate) mod api_keys;
pub(crate) mod cors;
pub(crate) mod instance;
pub(crate) mod plugin;
