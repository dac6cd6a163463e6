//! Delivers what the engine committed to the connections it concerns.

#[expect(clippy::module_inception, reason = "it becomes a crate")]
pub(crate) mod fanout;
pub(crate) mod framing;
pub(crate) mod handle;
pub(crate) mod mailbox;
pub(crate) mod subscriptions;
pub(crate) mod task;
