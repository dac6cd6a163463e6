//! Recent messages: which frame each came in, and when it was queued, committed and fanned out. Off by
//! default; then a message costs one relaxed load.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use core_engine::Done;
use core_model::{ConnectionId, Event, MessageId, Recipient, RoomId};
use gateway_fanout::{OnDelivered, Ticket};
use parking_lot::Mutex;

use crate::runtime::clock::Clock;
use crate::runtime::session::taps::RawFrame;

/// Bytes of incoming frames that are kept; those of the oldest messages go first.
const BYTES_MAX: usize = 16 << 20;

/// Messages that were submitted and are not committed, or were refused.
const SUBMITTED_MAX: usize = 4096;

/// The times of a batch, by the steady clock.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BatchTimes {
    pub(crate) begun_ns: u64,
    pub(crate) committed_ns: u64,
}

pub(crate) struct RecentMessages {
    clock: Arc<Clock>,
    /// How many messages are kept.
    capacity: AtomicUsize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    submitted: VecDeque<Submitted>,
    messages: VecDeque<Recent>,
    bytes: usize,
}

/// A message that a session has submitted.
struct Submitted {
    connection: ConnectionId,
    text: String,
    frame: Arc<RawFrame>,
}

/// What is known of a message. Times are in microseconds since 1970.
#[derive(Clone, Debug)]
pub(crate) struct Recent {
    pub(crate) message: MessageId,
    pub(crate) connection: ConnectionId,
    /// The last frame of the session before it submitted the message.
    pub(crate) frame: Option<Arc<RawFrame>>,
    /// None for a message of the gateway itself.
    pub(crate) queued_us: Option<u64>,
    pub(crate) taken_us: u64,
    pub(crate) committed_us: u64,
    pub(crate) fanned_out_us: Option<u64>,
    /// To how many sessions of each front end it was passed on.
    pub(crate) sessions: BTreeMap<String, u32>,
    room: Option<RoomId>,
}

impl RecentMessages {
    pub(crate) fn new(clock: Arc<Clock>, capacity: usize) -> Self {
        Self { clock, capacity: capacity.into(), state: Mutex::default() }
    }

    pub(crate) fn set_capacity(&self, capacity: usize) {
        self.capacity.store(capacity, Ordering::Relaxed);
        self.state.lock().shrink(capacity);
    }

    pub(crate) fn is_on(&self) -> bool {
        self.capacity.load(Ordering::Relaxed) != 0
    }

    /// A session has submitted a message.
    #[cold]
    pub(crate) fn note_submitted(&self, text: &str, frame: Arc<RawFrame>) {
        let mut state = self.state.lock();
        if state.submitted.len() >= SUBMITTED_MAX {
            state.submitted.pop_front();
        }
        let connection = frame.connection;
        state.submitted.push_back(Submitted { connection, text: text.to_owned(), frame });
    }

    /// Notes the messages of a batch that is committed. Returns what is to be called when it is
    /// delivered.
    #[cold]
    pub(crate) fn note_committed(
        self: &Arc<Self>,
        batch: &[Done<Ticket>],
        times: BatchTimes,
    ) -> Option<OnDelivered> {
        let capacity = self.capacity.load(Ordering::Relaxed);
        let at = self.at_us();
        let mut state = self.state.lock();
        let mut ids = Vec::new();
        for done in batch {
            for recorded in &done.events {
                let Event::Posted { message } = &recorded.event else { continue };
                ids.push(message.id);
                let frame = state.take_submitted(recorded.cause, &message.text);
                let recent = Recent {
                    message: message.id,
                    connection: recorded.cause,
                    frame,
                    queued_us: Ticket::submitted_of(&done.ticket).at_ns().map(&at),
                    taken_us: at(times.begun_ns),
                    committed_us: at(times.committed_ns),
                    fanned_out_us: None,
                    sessions: BTreeMap::new(),
                    room: match &message.to {
                        Recipient::Room(room) => Some(room.id),
                        Recipient::User(_) => None,
                    },
                };
                state.bytes += recent.bytes();
                state.messages.push_back(recent);
            }
        }
        state.shrink(capacity);
        drop(state);
        let recent = self.clone();
        (!ids.is_empty()).then(|| Box::new(move || recent.note_fanned_out(&ids)) as OnDelivered)
    }

    fn note_fanned_out(&self, ids: &[MessageId]) {
        let now_us = self.at_us()(self.clock.steady_ns());
        let mut state = self.state.lock();
        for recent in state.messages.iter_mut().rev() {
            if recent.message < ids[0] {
                break;
            }
            if ids.contains(&recent.message) {
                recent.fanned_out_us = Some(now_us);
            }
        }
    }

    /// A session has taken so many messages of one room from its mailbox, up to this one.
    #[cold]
    pub(crate) fn note_passed_on(&self, frontend: &str, newest: MessageId, count: u32) {
        let mut state = self.state.lock();
        let Some(room) = state.find(newest).map(|recent| recent.room) else { return };
        let upwards = state.messages.iter_mut().rev();
        let these = upwards.filter(|recent| recent.message <= newest && recent.room == room);
        for recent in these.take(count as usize) {
            *recent.sessions.entry(frontend.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn find(&self, message: MessageId) -> Option<Recent> {
        self.state.lock().find(message).cloned()
    }

    /// What makes a time of day in microseconds of one by the steady clock in nanoseconds.
    fn at_us(&self) -> impl Fn(u64) -> u64 + use<> {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let now_us = u64::try_from(since.as_micros()).unwrap_or(u64::MAX);
        let now_ns = self.clock.steady_ns();
        move |ns| now_us - now_ns.saturating_sub(ns) / 1000
    }
}

impl State {
    fn find(&self, message: MessageId) -> Option<&Recent> {
        self.messages.iter().rev().find(|recent| recent.message == message)
    }

    /// The frame that a message came in. The commands of a connection are carried out in order, so
    /// what it submitted before was refused.
    fn take_submitted(&mut self, connection: ConnectionId, text: &str) -> Option<Arc<RawFrame>> {
        let is_it = |it: &Submitted| it.connection == connection && it.text == text;
        let at = self.submitted.iter().position(is_it)?;
        let found = self.submitted.remove(at)?;
        let mut nth = 0;
        self.submitted.retain(|it| {
            nth += 1;
            nth > at || it.connection != connection
        });
        Some(found.frame)
    }

    fn shrink(&mut self, capacity: usize) {
        while self.messages.len() > capacity || self.bytes > BYTES_MAX {
            let Some(oldest) = self.messages.pop_front() else { return };
            self.bytes -= oldest.bytes();
        }
        if capacity == 0 {
            self.submitted.clear();
        }
    }
}

impl Recent {
    fn bytes(&self) -> usize {
        self.frame.as_ref().map_or(0, |frame| frame.content.bytes())
    }
}
