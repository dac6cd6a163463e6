//! What people say to each other, over real sockets.

mod bridge;
mod channel;
mod chatroom;
mod restart;
