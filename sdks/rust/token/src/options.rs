//! Settings of a client.

use std::time::Duration;

/// Settings of a client. `Options::default()` is what [`Client::connect`](crate::Client::connect) uses.
#[derive(Clone, Debug)]
pub struct Options {
    /// Whether to receive messages from the start, and not only after the first post.
    pub messages: bool,
    /// Timeout of a call, and of a connection attempt.
    pub call_timeout: Duration,
    /// Interval of heartbeats on an idle connection. The client gives up a connection that is silent
    /// for twice as long.
    pub heartbeat: Duration,
    /// Pause before the second attempt to reconnect; doubled with each attempt.
    pub backoff_first: Duration,
    /// Maximum pause between attempts.
    pub backoff_max: Duration,
    /// Maximum number of unread events; older ones are dropped.
    pub events_max: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            messages: true,
            call_timeout: Duration::from_secs(10),
            heartbeat: Duration::from_secs(20),
            backoff_first: Duration::from_millis(250),
            backoff_max: Duration::from_secs(30),
            events_max: 10_000,
        }
    }
}
