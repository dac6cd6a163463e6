//! Rooms, users and messages on redb: commands in, outcomes and events out.
//!
//! One thread writes. It takes what waits, carries it out in one transaction, commits with fsync,
//! and only then answers and publishes: nothing is acknowledged or shown to anyone before it is
//! durable. Queries run beside it, each on a committed snapshot.
//!
//! [`Engine`] is the handle; the rules are in `rules`, the tables in `store`.

mod cache;
mod envelope;
mod fail;
mod lists;
mod look;
mod memo;
mod queries;
mod queue;
mod receive;
mod rows;
mod rules;
mod search;
mod store;
mod stream;
mod writer;

pub use envelope::{Answered, Done, Envelope, FrontendSettings};
pub use store::{OpenError, compact};
pub use writer::{Engine, Options};
