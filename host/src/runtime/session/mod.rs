//! Drives the sessions of front ends, over streams and HTTP, on the engine's behalf.

pub(crate) mod acknowledgements;
pub(crate) mod admission;
pub(crate) mod auth;
pub(crate) mod auto_join_log;
pub(crate) mod delivery;
pub(crate) mod driver;
pub(crate) mod exchange;
pub(crate) mod fetch;
pub(crate) mod network_bans;
pub(crate) mod operators;
pub(crate) mod passwords;
pub(crate) mod peer_log;
pub(crate) mod pending;
pub(crate) mod reading;
pub(crate) mod recent;
pub(crate) mod reply_size;
pub(crate) mod services;
pub(crate) mod sign_in_guard;
pub(crate) mod stream;
pub(crate) mod tapped;
pub(crate) mod taps;
pub(crate) mod tokens;
#[cfg(feature = "otel")]
pub(crate) mod traces;
pub(crate) mod unread;
pub(crate) mod write_queue;
