//! The runtime over real sockets, with a front end that does as it is told.

mod client;
mod http;
mod life;
mod stage;
mod stream;
mod websocket;
