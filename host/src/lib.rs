//! The gateway's process: configuration, command line, and everything with sockets.

pub mod admin;
mod auth_hook;
pub mod cli;
#[cfg(feature = "cluster")]
pub mod cluster;
#[cfg(not(feature = "cluster"))]
#[path = "cluster/absent.rs"]
mod cluster;
pub mod config;
mod disk_space;
mod jwt;
pub mod ledger;
pub mod logging;
mod nearest;
pub mod open_files;
pub mod outgoing;
mod panics;
pub mod passed;
mod password_hash;
mod peer_address;
pub mod plugin;
mod private_folder;
mod process_stat;
pub mod proxy_header;
pub mod rooms;
pub mod runtime;
pub mod schemas;
pub mod sdks;
pub mod store_preview;
pub mod supervisor;
pub mod tap;
pub mod tls;
pub mod users;
pub mod version;
pub mod webhooks;

pub use frontend_all as dialects;
