//! The dialect without sockets: transcripts, and what must hold of any conversation.

mod catching_up;
mod options;
mod page;
mod properties;
mod schemas;
mod transcripts;
mod web;
