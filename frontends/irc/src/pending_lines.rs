//! What a session has yet to do, in order.

use std::collections::VecDeque;

use core_model::Outcome;
use frontend_api::ReplyQueue;

use crate::parse::{LineFault, Message};
use crate::pending::PendingReply;

/// What a session has yet to do, in order.
#[derive(Default)]
pub(crate) struct PendingLines {
    /// One entry for each answer that the host owes the session. Bounded, because the host stops
    /// reading when it owes many answers.
    pub(crate) replies: ReplyQueue<PendingReply>,
    /// The lines that wait. `replies` has a [`PendingReply::Turn`] for each, so that the host's
    /// bound covers them.
    pub(crate) lines: VecDeque<Waiting>,
}

/// A line as it was received.
pub(crate) enum Received<'a> {
    /// The line as text, and what it means.
    Message(&'a str, Message<'a>),
    /// Why it is refused, and its label, if that is known.
    Refused(LineFault, Option<&'a str>),
    /// A line that is not UTF-8, with marks where it is not.
    NotUtf8(String),
}

/// What a line has to wait for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum LineKind {
    /// A message, which does not depend on the answers to messages before it.
    Post,
    /// A line with a label: whatever is sent while it runs is its response.
    Labeled,
    Other,
}

/// A line that waits.
pub(crate) enum Waiting {
    Message { text: String, kind: LineKind },
    Refused { fault: LineFault, label: Option<String>, kind: LineKind },
    NotUtf8 { text: String, kind: LineKind },
}

/// The response to a request with a label, as far as it is known.
pub(crate) struct Label {
    pub(crate) value: String,
    pub(crate) lines: Vec<String>,
}

impl PendingLines {
    /// Whether a reply may be sent now: nothing that earlier lines led to is outstanding.
    pub(crate) fn is_idle(&self) -> bool {
        !self.replies.are_events_due()
            && self.replies.iter().all(|reply| matches!(reply, PendingReply::Turn))
    }

    /// Whether a line may run. A message runs while the messages before it are unanswered; one with
    /// a label, once the events of earlier lines have been sent as well.
    pub(crate) fn may_run(&self, kind: LineKind) -> bool {
        let runs_beside = |reply: &PendingReply| match reply {
            PendingReply::Turn => true,
            // Nothing tells the messages of a client apart before the engine has numbered them, so one
            // with tags is alone.
            PendingReply::Post(post) => kind == LineKind::Post && post.tags.is_none(),
            _ => false,
        };
        let is_early = kind == LineKind::Labeled && self.replies.are_events_due();
        !is_early && self.replies.iter().all(runs_beside)
    }

    /// Whether a line may run before those that wait, if any.
    pub(crate) fn may_run_now(&self, kind: LineKind) -> bool {
        self.lines.is_empty() && self.may_run(kind)
    }

    /// The oldest waiting line, if it is its turn.
    pub(crate) fn next_line(&mut self) -> Option<Waiting> {
        let kind = match self.lines.front()? {
            Waiting::Message { kind, .. }
            | Waiting::NotUtf8 { kind, .. }
            | Waiting::Refused { kind, .. } => *kind,
        };
        if self.may_run(kind) { self.lines.pop_front() } else { None }
    }

    /// Whether more lines wait than turns are to come.
    pub(crate) fn lack_turn(&self) -> bool {
        let turns = self.replies.iter().filter(|reply| matches!(reply, PendingReply::Turn));
        turns.count() < self.lines.len()
    }

    /// The reply for an answer that has arrived.
    pub(crate) fn next_reply(&mut self, outcome: &Outcome) -> Option<PendingReply> {
        self.replies.pop(outcome)
    }

    /// Whether the messages before a join of this room are to come.
    pub(crate) fn awaits_playback(&self, room: &str) -> bool {
        let is_it =
            |reply: &PendingReply| matches!(reply, PendingReply::Playback(it) if it == room);
        self.replies.iter().any(is_it)
    }

    /// The number of joins without an answer.
    pub(crate) fn pending_joins(&self) -> usize {
        self.replies.iter().filter(|reply| matches!(reply, PendingReply::Join(_))).count()
    }
}
