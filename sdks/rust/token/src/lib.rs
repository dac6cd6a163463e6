//! A client of the token dialect of a Dragoman gateway: binary frames over one TCP connection.
//!
//! ```no_run
//! use dragoman_token::{Client, Event, Notification};
//!
//! # fn main() -> Result<(), dragoman_token::Error> {
//! let client = Client::connect("127.0.0.1:5100")?;
//! client.login("o1", "wechat", 1, r#"{"name":"Ann"}"#)?;
//! let token = client.apply_for_token()?.token;
//! let room = client.create_room_once(7, token, "my first", r#"{"name":"tea"}"#)?.room_id;
//! client.enter_room(room)?;
//! client.post(room, "hello")?;
//! while let Some(event) = client.next_event() {
//!     if let Event::Notified(Notification::Message(message)) = event {
//!         println!("{}: {}", message.uid, message.text);
//!     }
//! }
//! # Ok(())
//! # }
//! ```

mod client;
mod connection;
mod error;
mod events;
mod frame;
mod generated;
mod kaitai;
mod options;
mod resume;
mod state;

pub use client::Client;
pub use error::{Error, TokenError};
pub use events::Event;
pub use generated::types::*;
pub use options::Options;
