//! A load client for chat servers: many connections on one thread, frames that are built once,
//! and a check of every message.
//!
//! The text of a message begins with a [mark](mark) of its speaker and its number. Each listener of a
//! room must see the same messages in the same order, each speaker's in the order of their
//! numbers. Latency counts from when a message was due, not from when it was sent.

mod connection;
mod cpu;
mod driver;
pub(crate) mod frames;
mod latency;
mod ledger;
mod mark;
pub mod prepare;
mod report;
mod talk;
mod timer;
mod wire;

pub use cpu::own_cpu_s;
pub use driver::{Load, Pace, Progress, Span};
pub use latency::Quantiles;
pub use report::Report;
pub use talk::{Encryption, HttpCall, Seat, Talk};
