//! A client of the channel dialect of a Dragoman gateway: accounts, channels and direct messages
//! over HTTP.
//!
//! ```no_run
//! use dragoman_channel::{Client, Error, ListenOptions};
//!
//! # async fn talk() -> Result<(), Error> {
//! let client = Client::new("http://127.0.0.1:5004");
//! client.register("ann", "tea for two").await?;
//! client.login("ann", "tea for two").await?;
//! client.send_to_channel("TEST", "hello").await?;
//!
//! let mut listener = client.listen_to_channel("TEST", ListenOptions::default());
//! loop {
//!     let message = listener.next().await?;
//!     println!("{}: {}", message.name, message.msg);
//! }
//! # }
//! ```

#[allow(unused_imports, clippy::all, reason = "as the generator writes it")]
#[rustfmt::skip]
pub mod apis;
mod client;
mod error;
mod listen;
#[allow(unused_imports, clippy::all, reason = "as the generator writes it")]
#[rustfmt::skip]
pub mod models;
mod reply;
mod wait;

pub use client::Client;
pub use error::{ChannelError, Code, Error};
pub use listen::{ChannelListener, DirectListener, DirectMessage, ListenOptions};
pub use reply::Reply;
