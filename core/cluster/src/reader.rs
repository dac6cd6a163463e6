//! Reads the log in its order, from a place on, whatever the servers do.
//!
//! A consumer of JetStream is only a means: it is made anew after each trouble, and its numbers
//! are compared with what was read. What is missing is never skipped.

use std::ops::Range;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream;
use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, pull};
use async_nats::jetstream::message::StreamMessage;
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesOrdered;

use crate::channel::{Channel, Received};
use crate::connection::{Connection, causes};
use crate::error::Error;
use crate::names::{self, LogId, Position};
use crate::proposer::LOG_HEADER;
use crate::settings::Settings;
use crate::state::{Part, State, count};
use crate::stream;

/// The server shows that it is there.
const HEARTBEAT: Duration = Duration::from_millis(250);
/// How long one request for messages is good.
const PULL_EXPIRES: Duration = Duration::from_secs(10);
/// One request for messages asks for at most this much.
const PULL_BYTES_MAX: usize = 8 << 20;
const PULL_MESSAGES_MAX: usize = 4096;
/// The server forgets a consumer that is not asked.
const CONSUMER_EXPIRES: Duration = Duration::from_secs(10);
/// A consumer that delivers nothing of what the log has is made anew.
const STALL: Duration = Duration::from_secs(2);
/// A connection that breaks takes deliveries with it; an entry that is missing so often is not there.
const GAPS_MAX: u32 = 5;
/// Between attempts.
const PAUSE: Duration = Duration::from_millis(50);
/// A consumer that is not there by then is not waited for: entries are fetched one by one meanwhile.
const CONSUMER_SOON: Duration = Duration::from_millis(100);
/// How many are asked for at a time.
const FETCHED_MAX: u64 = 32;
/// Between two looks at a place of the log that is still empty.
const FETCH_PAUSE: Duration = Duration::from_millis(10);
/// How long a request may take, from the first attempt to the last: what is asked while there is no
/// leader has no answer, and a leader may be there the next moment.
const PATIENCE_MIN: Duration = Duration::from_millis(500);
const PATIENCE_MAX: Duration = Duration::from_secs(4);
/// So many attempts have the shortest time: servers need up to nine seconds to elect a leader.
const SHORT_ATTEMPTS: u32 = 20;

pub(crate) struct Task {
    pub(crate) connection: Connection,
    pub(crate) settings: Settings,
    pub(crate) id: LogId,
    pub(crate) state: Arc<State>,
    pub(crate) channel: Arc<Channel>,
    /// The entry for whose sake the reader began anew, and how often.
    pub(crate) gap: (u64, u32),
}

/// Why the reader begins anew, or does not.
enum Break {
    Passing(Error),
    Fatal(Error),
    /// The other end is gone.
    Closed,
}

impl Task {
    /// Runs until the log cannot be followed any more.
    pub(crate) async fn run(mut self) -> Error {
        let mut attempts = 0;
        loop {
            let before = self.state.received();
            let why = match self.subscribe(patience(attempts)).await {
                Ok(messages) => self.follow(messages).await,
                Err(why) => why,
            };
            match why {
                Break::Fatal(error) => return error,
                Break::Closed => return Error::Closed,
                Break::Passing(error) => self.state.note_problem(Part::Reader, Some(error)),
            }
            attempts = if self.state.received() > before { 0 } else { attempts + 1 };
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// Asks for what follows. A consumer is on one server and is made by the leader of all streams, and
    /// either may have died; the log itself goes on without them, so its leader is asked meanwhile.
    async fn subscribe(&self, patience: Duration) -> Result<pull::Stream, Break> {
        let connection = self.connection.with_patience(patience);
        self.verify(&connection).await?;
        let stream = names::stream(&self.settings.name);
        let mut consumer = pin!(consume(&connection, &stream, self.state.received() + 1));
        let messages = match tokio::time::timeout(CONSUMER_SOON, &mut consumer).await {
            Ok(messages) => messages?,
            Err(_) => loop {
                let next = self.state.received() + 1;
                let end = next + (self.state.last() + 1).saturating_sub(next).clamp(1, FETCHED_MAX);
                tokio::select! {
                    messages = &mut consumer => break messages?,
                    found = fetch(&connection, &stream, next..end) => self.take_fetched(found).await?,
                }
            },
        };
        count(&self.state.counters.subscriptions, 1);
        Ok(messages)
    }

    /// Looks whether the log is still the one that was read.
    async fn verify(&self, connection: &Connection) -> Result<(), Break> {
        connection.check_server().map_err(Break::Passing)?;
        let info = stream::info(connection, &self.settings).await.map_err(passing)?;
        if info.id != self.id {
            let (name, wanted) = (self.settings.name.clone(), self.id.clone());
            return Err(Break::Fatal(Error::OtherLog { name, found: info.id, wanted }));
        }
        let received = self.state.received();
        stream::check_reach(&info, Position(received)).map_err(Break::Fatal)?;
        self.state.note_last(info.last.0);
        Ok(())
    }

    /// Takes what has the mark of this log; a consumer has to show what anything else is, as the log may
    /// have been replaced since it was looked at.
    async fn take_fetched(&self, found: Vec<StreamMessage>) -> Result<(), Break> {
        let is_own = |found: &StreamMessage| mark(Some(&found.headers)) == Some(self.id.as_str());
        if !found.first().is_some_and(is_own) {
            tokio::time::sleep(FETCH_PAUSE).await;
        }
        for found in found.into_iter().take_while(is_own) {
            self.push_fetched(found).await?;
        }
        Ok(())
    }

    async fn push_fetched(&self, found: StreamMessage) -> Result<(), Break> {
        let at = found.time.unix_timestamp_nanos() / 1_000_000;
        let bytes = Some(found.payload).filter(|bytes| !bytes.is_empty());
        self.push(found.sequence, at, bytes).await?;
        count(&self.state.counters.fetched, 1);
        Ok(())
    }

    async fn follow(&mut self, mut messages: pull::Stream) -> Break {
        loop {
            let message = match tokio::time::timeout(STALL, messages.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => return no_quorum(&error),
                Ok(None) => return stalled("the server ended the delivery"),
                Err(_) if self.state.last() > self.state.received() => {
                    return stalled("entries that the log took are not delivered");
                }
                Err(_) => continue,
            };
            if let Err(why) = self.take(message).await {
                return why;
            }
            self.state.note_problem(Part::Reader, None);
        }
    }

    async fn take(&mut self, message: jetstream::Message) -> Result<(), Break> {
        let Ok(info) = message.info() else {
            return Err(stalled("a message has no number"));
        };
        let (position, pending) = (info.stream_sequence, info.pending);
        let at = info.published.unix_timestamp_nanos() / 1_000_000;
        let next = self.state.received() + 1;
        if position < next {
            return Ok(());
        }
        if position > next {
            count(&self.state.counters.gaps, 1);
            let (of, times) = self.gap;
            self.gap = (next, if of == next { times + 1 } else { 1 });
            if self.gap.1 == GAPS_MAX {
                // The log has not lost its beginning, and no consumer delivers the entry.
                let (applied, first) = (next - 1, position);
                return Err(Break::Fatal(Error::Truncated { applied, first }));
            }
            return Err(stalled("an entry is missing"));
        }
        let bytes = self.has_mark(&message, position).then(|| message.payload.clone());
        self.push(position, at, bytes.filter(|bytes| !bytes.is_empty())).await?;
        self.state.note_last(position + pending);
        Ok(())
    }

    /// Hands the next place of the log on.
    async fn push(&self, position: u64, at: i128, bytes: Option<Bytes>) -> Result<(), Break> {
        let received = Received { position, at: at.try_into().unwrap_or(0), bytes };
        if !self.channel.push(received).await {
            return Err(Break::Closed);
        }
        self.state.received.store(position, Ordering::Release);
        self.state.note_last(position);
        count(&self.state.counters.received, 1);
        Ok(())
    }

    /// Whether a node of this log wrote it. All nodes leave out the same messages otherwise.
    fn has_mark(&self, message: &jetstream::Message, position: u64) -> bool {
        let mark = mark(message.headers.as_ref());
        if mark == Some(self.id.as_str()) {
            return true;
        }
        count(&self.state.counters.foreign, 1);
        let why = match mark {
            None => "it has no mark, and is left out".to_owned(),
            Some(mark) => format!("it is of the log {mark}, and is left out"),
        };
        let subject = message.subject.to_string();
        let problem = Error::UnknownEntry { position, subject, why };
        tracing::error!(%problem, "the cluster's log");
        false
    }
}

/// A consumer of the entries from `next` on.
async fn consume(connection: &Connection, stream: &str, next: u64) -> Result<pull::Stream, Break> {
    let config = pull::Config {
        deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: next },
        ack_policy: AckPolicy::None,
        num_replicas: 1,
        memory_storage: true,
        inactive_threshold: CONSUMER_EXPIRES,
        ..pull::Config::default()
    };
    let consumer = connection.jetstream.create_consumer_on_stream(config, stream).await;
    let consumer = consumer.map_err(|error| no_quorum(&error))?;
    let messages = consumer.stream().max_messages_per_batch(PULL_MESSAGES_MAX);
    let messages = messages.max_bytes_per_batch(PULL_BYTES_MAX);
    let messages = messages.heartbeat(HEARTBEAT).expires(PULL_EXPIRES).messages().await;
    messages.map_err(|error| no_quorum(&error))
}

/// Entries, asked of the server that leads the log, up to the first that is not there or has no answer.
async fn fetch(connection: &Connection, stream: &str, places: Range<u64>) -> Vec<StreamMessage> {
    let Ok(stream) = connection.jetstream.get_stream_no_info(stream).await else {
        return Vec::new();
    };
    let mut answers: FuturesOrdered<_> =
        places.map(|position| stream.get_raw_message(position)).collect();
    let mut found = Vec::new();
    while let Some(Ok(message)) = answers.next().await {
        found.push(message);
    }
    found
}

fn mark(headers: Option<&HeaderMap>) -> Option<&str> {
    Some(headers?.get(LOG_HEADER)?.as_str())
}

fn patience(attempts: u32) -> Duration {
    let doublings = attempts.saturating_sub(SHORT_ATTEMPTS).min(8);
    (PATIENCE_MIN * (1 << doublings)).min(PATIENCE_MAX)
}

fn passing(error: Error) -> Break {
    match error {
        Error::ForeignStream { .. } | Error::StreamSetting { .. } => Break::Fatal(error),
        // A log that is not there may be one that the servers have not loaded yet.
        _ => Break::Passing(error),
    }
}

fn no_quorum(error: &dyn std::error::Error) -> Break {
    stalled(&causes(error))
}

fn stalled(why: &str) -> Break {
    Break::Passing(Error::NoQuorum { what: "reading the log".to_owned(), why: why.to_owned() })
}
