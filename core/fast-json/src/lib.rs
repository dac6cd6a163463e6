#![doc = include_str!("../README.md")]

mod json_reader;
mod json_writer;
mod post;
mod posted;
mod serialize;
mod text;

pub use post::{append_call, read_post};
pub use posted::{append_event, append_outcome, read_event, read_outcome};
pub use serialize::{append, to_string, to_vec};
