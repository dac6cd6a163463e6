//! Delivers what the engine committed to the connections it concerns.
//!
//! The [`Hub`] is a task with one queue: committed batches, and the connections and front ends
//! that come and go, in order. [`Fanout`] is the hub without its task: it keeps the
//! [`Subscriptions`], encodes each event once per front end, and fills each connection's
//! [`Mailbox`]. Nothing here knows a socket, a clock or the configuration.

mod encoded;
mod event_encoder;
mod fanout;
mod framing;
mod handle;
mod mailbox;
mod metrics;
mod post_batch;
mod subscriptions;
mod task;
mod ticket;

pub use event_encoder::EventEncoder;
pub use fanout::Fanout;
pub use framing::{Framing, close_frame, ping_frame};
pub use handle::ConnectionHandle;
pub use mailbox::{CutOff, Mailbox, MailboxItem, MailboxPoll};
pub use metrics::{Counter, FanoutMetrics};
pub use subscriptions::{SubscriptionChange, Subscriptions};
pub use task::Hub;
pub use ticket::Ticket;
