//! The report of a load.

use std::fmt;

use serde::Serialize;

use super::latency::Quantiles;

/// The result of one drive. A delivery is one message to one listener; a message is done when all
/// listeners have it. Over HTTP a message is a request, and its response the only delivery.
#[derive(Clone, Debug, Serialize)]
pub struct Report {
    pub connections: usize,
    /// From the first message until the last was delivered to all.
    pub seconds: f64,
    pub sent: u64,
    pub delivered: u64,
    /// Messages that the server refused because of its limits.
    pub refused: u64,
    /// Deliveries that are missing, doubled, reordered, or in another room.
    pub lost: u64,
    pub doubled: u64,
    pub reordered: u64,
    pub misled: u64,
    /// Connections that ended, and the reason of the first.
    pub ended: usize,
    pub ended_because: Option<String>,
    /// From when a message was due to each of its deliveries.
    pub latency: Quantiles,
    /// CPU time of the client.
    pub client_cpu_s: f64,
}

impl Report {
    pub fn messages_per_s(&self) -> f64 {
        (self.sent - self.refused) as f64 / self.seconds
    }

    pub fn deliveries_per_s(&self) -> f64 {
        self.delivered as f64 / self.seconds
    }

    /// Whether every accepted message reached every listener, once and in order.
    pub fn is_faultless(&self) -> bool {
        self.lost + self.doubled + self.reordered + self.misled == 0 && self.ended == 0
    }
}

/// One line per figure.
impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Quantiles { p50_ms, p99_ms, p999_ms, max_ms } = self.latency;
        writeln!(f, "connections      {:>12}", self.connections)?;
        writeln!(f, "seconds          {:>12.2}", self.seconds)?;
        writeln!(f, "messages         {:>12}  {:>10.0} /s", self.sent, self.messages_per_s())?;
        writeln!(
            f,
            "deliveries       {:>12}  {:>10.0} /s",
            self.delivered,
            self.deliveries_per_s()
        )?;
        writeln!(f, "refused          {:>12}", self.refused)?;
        writeln!(f, "lost             {:>12}", self.lost)?;
        writeln!(f, "doubled          {:>12}", self.doubled)?;
        writeln!(f, "reordered        {:>12}", self.reordered)?;
        writeln!(f, "in a wrong room  {:>12}", self.misled)?;
        writeln!(f, "latency p50      {p50_ms:>12.2} ms, from when a message was due")?;
        writeln!(f, "latency p99      {p99_ms:>12.2} ms")?;
        writeln!(f, "latency p99.9    {p999_ms:>12.2} ms")?;
        writeln!(f, "latency max      {max_ms:>12.2} ms")?;
        write!(f, "client CPU       {:>12.2} s", self.client_cpu_s)?;
        if let Some(why) = &self.ended_because {
            write!(f, "\nended            {:>12}  the first: {why}", self.ended)?;
        }
        Ok(())
    }
}
