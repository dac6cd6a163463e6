//! Listeners, and the connections that they accept.

pub(crate) mod accept;
pub(crate) mod acknowledged;
pub(crate) mod connection;
pub(crate) mod http;
pub(crate) mod linger;
pub(crate) mod listener;
pub(crate) mod registry;
pub(crate) mod shutdown;
pub(crate) mod socket;
pub(crate) mod state;
pub(crate) mod tcp;
pub(crate) mod websocket;
