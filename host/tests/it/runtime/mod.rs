//! The runtime over real sockets, with a scripted front end.

mod client;
mod http;
mod ledger;
mod life;
mod stage;
mod stream;
mod unread_bodies;
mod unread_replies;
mod websocket;
