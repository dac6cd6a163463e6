//! The dialect without sockets: transcripts, and properties of every conversation.

mod client;
mod client_tags;
mod directory;
mod joining;
mod options;
mod order;
mod page;
mod peers;
mod properties;
mod transcripts;
