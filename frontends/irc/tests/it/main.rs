//! The dialect without sockets: transcripts, and properties of every conversation.

mod directory;
mod options;
mod order;
mod page;
mod properties;
mod transcripts;
