//! Delivers what the engine committed to the connections it concerns.
//!
//! The [`Hub`] is a task with one queue: committed batches, and the connections and front ends
//! that come and go, in order. [`Fanout`] is the hub without its task: it keeps the
//! [`Subscriptions`], encodes each event once per front end, fills each connection's [`Mailbox`],
//! and counts in the [`Ledger`] each delivery that this owes. Nothing here knows a socket or
//! the configuration, and only the hub a clock, to time the fan-out.

mod account;
mod counter;
mod counts;
mod encoded;
mod event_encoder;
mod fanout;
mod flow;
mod framing;
mod handle;
mod histogram;
mod ledger;
mod mailbox;
mod metrics;
mod post_batch;
mod subscriptions;
mod tally;
mod task;
mod ticket;

pub use account::{Account, Report};
pub use counter::Counter;
pub use event_encoder::EventEncoder;
pub use fanout::Fanout;
pub use flow::{FLOW_FRONTENDS_MAX, Flow};
pub use framing::{Framing, close_frame, ping_frame};
pub use handle::ConnectionHandle;
pub use histogram::{BATCH, Buckets, DELAY, Histogram, LATENCY, quantile};
pub use ledger::{DeliveryOutcome, Ledger, Source};
pub use mailbox::{Closed, Mailbox, MailboxItem, MailboxPoll, Overflow, Pushed, owed};
pub use metrics::FanoutMetrics;
pub use subscriptions::{SubscriptionChange, Subscriptions};
pub use tally::{RoomClass, Tally};
pub use task::{Hub, OnDelivered};
pub use ticket::{SubmittedAt, Ticket};
