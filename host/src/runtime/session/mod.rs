//! What drives a session of a front end, and what the gateway does for it.

pub(crate) mod admission;
pub(crate) mod auto_join_log;
pub(crate) mod driver;
pub(crate) mod exchange;
pub(crate) mod passwords;
pub(crate) mod services;
pub(crate) mod tokens;
pub(crate) mod write_queue;
