//! Listeners, and the connections that come in by them.

pub(crate) mod connection;
pub(crate) mod http;
pub(crate) mod listener;
pub(crate) mod registry;
pub(crate) mod tcp;
pub(crate) mod websocket;
