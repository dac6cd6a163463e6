//! Conversations of several clients over real sockets.

mod bridge;
mod channel;
mod chatroom;
mod restart;
mod token;
