//! The gateway's process: configuration, command line, and everything with sockets.

pub mod config;
pub mod dialects;
