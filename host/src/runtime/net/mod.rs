//! Listeners, and the connections that they accept.

pub(crate) mod accept;
pub(crate) mod acknowledged;
pub(crate) mod backup_files;
pub(crate) mod bind;
pub(crate) mod challenges;
pub(crate) mod connection;
pub(crate) mod console;
pub(crate) mod handshake;
pub(crate) mod hello;
pub(crate) mod http;
pub(crate) mod ledger;
pub(crate) mod linger;
pub(crate) mod listener;
pub(crate) mod live;
pub(crate) mod proxied;
pub(crate) mod registry;
pub(crate) mod remote;
pub(crate) mod served;
pub(crate) mod shutdown;
pub(crate) mod socket;
pub(crate) mod state;
pub(crate) mod stream;
pub(crate) mod tcp;
pub(crate) mod websocket;
