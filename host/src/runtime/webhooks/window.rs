//! The events of a webhook that were read and are not all delivered, and when to send which.
//!
//! Pure: times are steady milliseconds that the caller gives. Events of one room go one after the
//! other, those of different rooms side by side. A receiver that takes none is asked by one request
//! at a time, at growing intervals.

use std::collections::{BTreeMap, BTreeSet};

use core_model::EventPosition;

use crate::webhooks::Body;

/// Events that are held; no more are read meanwhile.
pub(super) const EVENTS_MAX: usize = 256;

/// Bytes of bodies that are held, and what was read at once.
const BYTES_MAX: usize = 4 << 20;

/// The pause before the second attempt; each later one is twice as long.
const PAUSE_MS: u64 = 1_000;

/// Failures in a row after which the receiver, rather than an event, is taken to be at fault.
const STREAK_MAX: u32 = 4;

/// Failed attempts, of an event or in a row, before an event is given up however old it is: they take
/// some two minutes.
const ATTEMPTS_MIN: u32 = 10;

/// What is delivered in its order.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Lane {
    Room(u32),
    /// Direct messages, by the author and the recipient.
    Users(u64, u64),
    /// After everything before it, and before everything after it.
    All,
}

/// An event to deliver.
#[derive(Clone, Debug)]
pub(super) struct Job {
    pub(super) position: EventPosition,
    pub(super) lane: Lane,
    pub(super) body: Body,
    /// When it happened, ms since 1970.
    pub(super) at_ms: u64,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Phase {
    Waiting,
    Sent,
    Done,
}

struct Entry {
    job: Job,
    phase: Phase,
    attempts: u32,
    /// When the next attempt is due.
    due: u64,
}

/// How pauses grow.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pacing {
    pub(super) concurrency: usize,
    pub(super) pause_ms_max: u64,
}

/// A failed attempt.
#[derive(Clone, Copy, Debug)]
pub(super) struct Failed {
    pub(super) now: u64,
    /// How long the receiver wants to be left alone.
    pub(super) retry_after_ms: Option<u64>,
    /// A random number.
    pub(super) dice: u32,
    /// Whether the event is so old that it may be given up.
    pub(super) is_old: bool,
}

pub(super) struct Window {
    pacing: Pacing,
    entries: BTreeMap<EventPosition, Entry>,
    bytes: usize,
    /// Everything up to here was read.
    read_up_to: EventPosition,
    /// Everything up to here is delivered or given up.
    done_up_to: EventPosition,
    sent: usize,
    /// Failures since the last success.
    streak: u32,
    /// Nothing is sent before.
    resume_at: u64,
}

impl Window {
    pub(super) fn new(pacing: Pacing, begin: EventPosition) -> Self {
        Self {
            pacing,
            entries: BTreeMap::new(),
            bytes: 0,
            read_up_to: begin,
            done_up_to: begin,
            sent: 0,
            streak: 0,
            resume_at: 0,
        }
    }

    pub(super) fn read_up_to(&self) -> EventPosition {
        self.read_up_to
    }

    pub(super) fn done_up_to(&self) -> EventPosition {
        self.done_up_to
    }

    pub(super) fn is_full(&self) -> bool {
        self.entries.len() >= EVENTS_MAX || self.bytes >= BYTES_MAX
    }

    pub(super) fn is_sending(&self) -> bool {
        self.sent > 0
    }

    /// Whether attempts fail at present.
    pub(super) fn is_failing(&self) -> bool {
        self.streak > 0
    }

    /// When the oldest event that waits happened.
    pub(super) fn oldest_ms(&self) -> Option<u64> {
        let mut waiting = self.entries.values().filter(|entry| entry.phase != Phase::Done);
        waiting.next().map(|entry| entry.job.at_ms)
    }

    /// Adds what was read, in its order.
    pub(super) fn add(&mut self, jobs: Vec<Job>, read_up_to: EventPosition) {
        for job in jobs {
            self.bytes += job.body.json.len();
            let entry = Entry { phase: Phase::Waiting, attempts: 0, due: 0, job };
            self.entries.insert(entry.job.position, entry);
        }
        self.read_up_to = read_up_to;
        self.advance();
    }

    /// An event to send now, which counts as sent from here on.
    pub(super) fn next(&mut self, now: u64) -> Option<Job> {
        let position = self.candidates().find(|entry| entry.due <= now)?.job.position;
        let most = if self.streak >= STREAK_MAX { 1 } else { self.pacing.concurrency };
        if now < self.resume_at || self.sent >= most {
            return None;
        }
        let entry = self.entries.get_mut(&position).expect("it was found there");
        entry.phase = Phase::Sent;
        self.sent += 1;
        Some(entry.job.clone())
    }

    /// When [`next`](Self::next) may have an event, without an attempt that ends before.
    pub(super) fn due(&self) -> Option<u64> {
        self.candidates().map(|entry| entry.due.max(self.resume_at)).min()
    }

    /// The first event of each lane that is not done, if it waits.
    fn candidates(&self) -> impl Iterator<Item = &Entry> {
        let mut lanes = BTreeSet::new();
        let mut is_first = true;
        let mut is_barred = false;
        self.entries.values().filter(move |entry| {
            if entry.phase == Phase::Done || is_barred {
                return false;
            }
            let is_all = entry.job.lane == Lane::All;
            let is_next = lanes.insert(entry.job.lane) && (!is_all || is_first);
            is_barred = is_all;
            is_first = false;
            is_next && entry.phase == Phase::Waiting
        })
    }

    pub(super) fn succeed(&mut self, position: EventPosition) {
        self.recover();
        self.end(position);
    }

    /// The receiver has taken something.
    pub(super) fn recover(&mut self) {
        self.streak = 0;
        self.resume_at = 0;
    }

    /// Returns the number of attempts if the event is given up.
    pub(super) fn fail(&mut self, position: EventPosition, failed: Failed) -> Option<u32> {
        self.sent -= 1;
        self.streak = self.streak.saturating_add(1);
        let pauses = |attempts: u32| self.pause(attempts, failed.dice);
        let receivers = self.streak.checked_sub(STREAK_MAX).map_or(0, |over| pauses(over + 1));
        let wanted = failed.retry_after_ms.unwrap_or(0);
        let resume_at = failed.now + receivers.max(wanted);
        let streak = self.streak;
        let entry = self.entries.get(&position)?;
        let attempts = entry.attempts + 1;
        let due = failed.now + pauses(attempts);
        self.resume_at = self.resume_at.max(resume_at);
        let entry = self.entries.get_mut(&position)?;
        entry.attempts = attempts;
        entry.phase = Phase::Waiting;
        entry.due = due;
        if !failed.is_old || attempts.max(streak) < ATTEMPTS_MIN {
            return None;
        }
        self.sent += 1;
        self.end(position);
        Some(attempts)
    }

    /// Twice as long with every attempt, and as much as half of that shorter, so that many gateways
    /// do not ask at the same moment.
    fn pause(&self, attempts: u32, dice: u32) -> u64 {
        let doublings = attempts.saturating_sub(1).min(32);
        let pause = (PAUSE_MS << doublings).min(self.pacing.pause_ms_max);
        pause - pause / 2 * u64::from(dice % 1_000) / 1_000
    }

    fn end(&mut self, position: EventPosition) {
        self.sent -= 1;
        if let Some(entry) = self.entries.get_mut(&position) {
            entry.phase = Phase::Done;
        }
        self.advance();
    }

    fn advance(&mut self) {
        while let Some(first) = self.entries.first_entry() {
            if first.get().phase != Phase::Done {
                return;
            }
            let entry = first.remove();
            self.bytes -= entry.job.body.json.len();
            self.done_up_to = entry.job.position;
        }
        self.done_up_to = self.read_up_to;
    }
}

#[cfg(test)]
mod tests;
