//! Sends this node's entries in their order, until it has seen each applied.
//!
//! The log has no memory of what it took before: an entry that was sent twice is there twice, and
//! the engine applies it once, by its run and number. JetStream's own `Nats-Msg-Id` would swallow
//! the second copy of an entry whose first was void because an earlier entry was lost, and the node
//! would wait for ever.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use async_nats::jetstream::context::{PublishError, PublishErrorKind};
use async_nats::jetstream::message::PublishMessage;
use async_nats::jetstream::publish::PublishAck;
use async_nats::jetstream::{self, ErrorCode};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::BoxFuture;
use futures_util::stream::FuturesOrdered;
use std::error::Error as _;
use tokio::time::Instant;

use crate::connection::{Connection, causes, is_full};
use crate::error::Error;
use crate::names::{self, LogId};
use crate::outstanding::Sending;
use crate::settings::Settings;
use crate::state::{Part, State, count};

/// How many entries are sent and not acknowledged at a time.
const WINDOW: usize = 4;
/// Between a failure that came at once and the next attempt.
const RETRY_PAUSE: Duration = Duration::from_millis(100);
/// An acknowledged entry that is not seen for this long is sent again, whatever the reader does.
const SEEN_TIMEOUT: Duration = Duration::from_secs(10);
/// How often the connection is looked at while there is something to send and no event.
const TICK: Duration = Duration::from_millis(100);

/// Marks what a node of this log has written.
pub(crate) const LOG_HEADER: &str = "Dragoman-Log";

/// What is published, and where.
#[derive(Debug, Clone)]
pub(crate) struct Publisher {
    connection: Connection,
    subject: String,
    headers: HeaderMap,
}

type Ack = BoxFuture<'static, Result<PublishAck, PublishError>>;

impl Publisher {
    pub(crate) fn new(connection: Connection, settings: &Settings, id: &LogId) -> Self {
        let mut headers = HeaderMap::new();
        headers.insert(LOG_HEADER, id.as_str());
        Self { connection, subject: names::subject(&settings.name), headers }
    }

    pub(crate) async fn send(&self, bytes: Bytes) -> Result<Ack, PublishError> {
        let message = PublishMessage::build().payload(bytes).headers(self.headers.clone());
        let ack = self.connection.publisher.send_publish(self.subject.clone(), message).await?;
        Ok(ack.into_future())
    }

    pub(crate) fn problem(&self, error: &PublishError) -> Error {
        let why = causes(error);
        match (error.kind(), code(error)) {
            (_, Some(code)) if is_full(code) => Error::Full { why },
            (_, Some(_)) => Error::Refused { what: "take an entry".to_owned(), why },
            _ => Error::NoQuorum {
                what: "the log".to_owned(),
                why: self.connection.complaint().unwrap_or(why),
            },
        }
    }
}

fn code(error: &PublishError) -> Option<ErrorCode> {
    let source = error.source()?.downcast_ref::<jetstream::Error>()?;
    Some(source.error_code())
}

pub(crate) struct Task {
    publisher: Publisher,
    state: Arc<State>,
    in_flight: FuturesOrdered<BoxFuture<'static, Answer>>,
    /// Nothing is sent before.
    pause_until: Option<Instant>,
    /// How often a server had been lost when something was last sent.
    losses: u64,
    /// When something was last sent, or the log last moved.
    moved: Instant,
    /// What was lost at the end of the log, if it was.
    rewound: Option<Error>,
}

struct Answer {
    sent: Sending,
    /// How far the log was read when it was sent.
    received: u64,
    result: Result<PublishAck, PublishError>,
}

impl Task {
    pub(crate) fn new(publisher: Publisher, state: Arc<State>) -> Self {
        let in_flight = FuturesOrdered::new();
        let losses = publisher.connection.losses();
        Self {
            losses,
            publisher,
            state,
            in_flight,
            pause_until: None,
            moved: Instant::now(),
            rewound: None,
        }
    }

    /// Runs until the log turns out to have lost its end.
    pub(crate) async fn run(mut self) -> Error {
        let state = self.state.clone();
        let mut applied = state.applied.subscribe();
        let mut tick = tokio::time::interval(TICK);
        tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
        loop {
            if let Some(rewound) = self.rewound.take() {
                return rewound;
            }
            self.send().await;
            let has_work = !state.outstanding.lock().is_empty();
            tokio::select! {
                Some(answer) = self.in_flight.next() => self.answered(answer),
                () = state.proposed.notified() => self.moved = Instant::now(),
                // The state has the sender, so the channel is not closed.
                _ = applied.changed() => self.applied(),
                _ = tick.tick(), if has_work => self.look(),
            }
        }
    }

    async fn send(&mut self) {
        if self.pause_until.is_some_and(|until| Instant::now() < until)
            || !self.publisher.connection.is_up()
        {
            return;
        }
        self.pause_until = None;
        let losses = self.publisher.connection.losses();
        if std::mem::replace(&mut self.losses, losses) != losses {
            // What the lost server had not acknowledged may never have come to it.
            let again = self.state.outstanding.lock().resend_unacknowledged();
            self.begin_anew(again);
        }
        while self.in_flight.len() < WINDOW {
            let Some(sent) = self.state.outstanding.lock().send_next() else { return };
            let received = self.state.received();
            let ack = self.publisher.send(sent.bytes.clone()).await;
            count(&self.state.counters.sent, 1);
            self.moved = Instant::now();
            self.in_flight.push_back(Box::pin(async move {
                let result = match ack {
                    Ok(ack) => ack.await,
                    Err(error) => Err(error),
                };
                Answer { sent, received, result }
            }));
        }
    }

    fn answered(&mut self, answer: Answer) {
        let turn = self.state.outstanding.lock().turn();
        match answer.result {
            Ok(ack) => {
                if ack.sequence <= answer.received {
                    // The log gave a place away that this node has read: its end was lost.
                    let applied = answer.received;
                    self.rewound = Some(Error::Rewound { applied, last: ack.sequence - 1 });
                    return;
                }
                self.state.note_last(ack.sequence);
                self.state.outstanding.lock().acknowledged(&answer.sent, ack.sequence);
                self.state.note_problem(Part::Proposer, None);
                // The reader may have been there first.
                self.resend_void();
            }
            Err(_) if answer.sent.turn != turn => {}
            Err(error) => {
                let problem = self.publisher.problem(&error);
                self.state.note_problem(Part::Proposer, Some(problem));
                if error.kind() != PublishErrorKind::TimedOut {
                    self.pause_until = Some(Instant::now() + RETRY_PAUSE);
                }
                let again = self.state.outstanding.lock().resend_unacknowledged();
                self.begin_anew(again);
            }
        }
    }

    fn applied(&mut self) {
        self.moved = Instant::now();
        self.resend_void();
    }

    fn resend_void(&mut self) {
        let applied = *self.state.applied.borrow();
        let mut outstanding = self.state.outstanding.lock();
        // First, as an acknowledgement may come after the entry itself.
        if let Some(own) = applied.own {
            outstanding.applied(own);
        }
        if outstanding.is_void(applied.position) {
            let again = outstanding.resend_all();
            drop(outstanding);
            self.begin_anew(again);
        }
    }

    /// Everything is acknowledged and nothing moves: the servers may have lost what they took.
    fn look(&mut self) {
        let mut outstanding = self.state.outstanding.lock();
        let is_stuck = self.in_flight.is_empty() && !outstanding.has_unsent();
        if is_stuck && self.moved.elapsed() > SEEN_TIMEOUT {
            let again = outstanding.resend_all();
            drop(outstanding);
            self.begin_anew(again);
        }
    }

    fn begin_anew(&mut self, again: usize) {
        self.in_flight.clear();
        count(&self.state.counters.resent, again as u64);
    }
}
