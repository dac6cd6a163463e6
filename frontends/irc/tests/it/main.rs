//! The dialect without sockets: transcripts, and what must hold of any conversation.

mod options;
mod page;
mod properties;
mod transcripts;
