//! The order of the lines: a line runs once everything that earlier lines led to has been sent.
//!
//! What a line means depends on what came before it: on the nick, on the channels, on whether the
//! client has signed on. Messages do not, so messages alone are pipelined.

use std::collections::VecDeque;

use core_model::{Outcome, Query};
use frontend_api::{Outbox, ReplyQueue};

use crate::parse::{self, Line, Message};
use crate::pending::PendingReply;
use crate::state::{IrcSession, send};

/// What a session has yet to do, in order.
#[derive(Default)]
pub(crate) struct Turns {
    /// One entry for each answer that the host owes the session. Bounded, because the host stops
    /// reading when it owes many answers.
    replies: ReplyQueue<PendingReply>,
    /// The lines that wait. `replies` has a [`PendingReply::Turn`] for each, so that the host's
    /// bound covers them.
    lines: VecDeque<Waiting>,
}

/// A line as it was received.
pub(crate) enum Received<'a> {
    /// The line as text, and what it means.
    Message(&'a str, Message<'a>),
    TooLong,
    NotUtf8,
}

/// A line that waits.
enum Waiting {
    Message { text: String, is_post: bool },
    TooLong,
    NotUtf8,
}

impl Turns {
    /// Whether a reply may be sent now: nothing that earlier lines led to is outstanding.
    pub(crate) fn is_idle(&self) -> bool {
        !self.replies.are_events_due()
            && self.replies.iter().all(|reply| matches!(reply, PendingReply::Turn))
    }

    /// A message runs while the messages before it are unanswered.
    fn may_run(&self, is_post: bool) -> bool {
        let runs_beside = |reply: &PendingReply| match reply {
            PendingReply::Turn => true,
            PendingReply::Post { .. } => is_post,
            _ => false,
        };
        self.replies.iter().all(runs_beside)
    }

    /// The number of joins without an answer.
    pub(crate) fn pending_joins(&self) -> usize {
        self.replies.iter().filter(|reply| matches!(reply, PendingReply::Join(_))).count()
    }
}

impl IrcSession {
    /// Runs a line, or keeps it until its turn.
    pub(crate) fn take_line(&mut self, line: Received<'_>, out: &mut Outbox) {
        if self.leaving {
            return;
        }
        let is_post = matches!(&line, Received::Message(_, message) if is_post(message));
        if self.turns.lines.is_empty() && self.turns.may_run(is_post) {
            return self.run_line(line, out);
        }
        self.turns.lines.push_back(match line {
            Received::Message(text, _) => Waiting::Message { text: text.into(), is_post },
            Received::TooLong => Waiting::TooLong,
            Received::NotUtf8 => Waiting::NotUtf8,
        });
        self.wait_turn(PendingReply::Turn, out);
    }

    /// The reply for an answer that has arrived.
    pub(crate) fn next_reply(&mut self, outcome: &Outcome) -> Option<PendingReply> {
        self.turns.replies.pop(outcome)
    }

    /// Runs the waiting lines whose turn it is.
    pub(crate) fn run_waiting(&mut self, out: &mut Outbox) {
        while !self.leaving {
            let Some(line) = self.turns.lines.front() else { break };
            if !self.turns.may_run(matches!(line, Waiting::Message { is_post: true, .. })) {
                break;
            }
            match self.turns.lines.pop_front() {
                Some(Waiting::Message { text, .. }) => {
                    if let Line::Message(message) = parse::line(&text) {
                        self.run_line(Received::Message(&text, message), out);
                    }
                }
                Some(Waiting::TooLong) => self.run_line(Received::TooLong, out),
                Some(Waiting::NotUtf8) => self.run_line(Received::NotUtf8, out),
                None => (),
            }
        }
        if self.leaving {
            self.turns.lines.clear();
        }
    }

    /// Asks for another turn if there are more waiting lines than turns to come.
    pub(crate) fn renew_turn(&mut self, out: &mut Outbox) {
        let turns = self.turns.replies.iter().filter(|it| matches!(it, PendingReply::Turn)).count();
        if turns < self.turns.lines.len() {
            self.wait_turn(PendingReply::Turn, out);
        }
    }

    /// Sends lines that need no answer of the engine, after the replies to earlier requests.
    pub(crate) fn say(&mut self, lines: Vec<String>, out: &mut Outbox) {
        if self.turns.is_idle() {
            lines.into_iter().for_each(|line| send(line, out));
        } else if !lines.is_empty() {
            self.wait_turn(PendingReply::Say(lines), out);
        }
    }

    /// Ends the connection after the replies to earlier requests; ignores further lines.
    pub(crate) fn end(&mut self, why: &str, out: &mut Outbox) {
        self.leaving = true;
        if self.turns.is_idle() {
            self.end_now(why, out);
        } else {
            self.wait_turn(PendingReply::End(why.into()), out);
        }
    }

    /// Queues a reply that needs no answer. The host's bound on unanswered requests covers it.
    pub(crate) fn wait_turn(&mut self, reply: PendingReply, out: &mut Outbox) {
        out.wait_turn();
        self.turns.replies.push_query(reply);
    }

    pub(crate) fn query(&mut self, query: Query, reply: PendingReply, out: &mut Outbox) {
        out.query(query);
        self.turns.replies.push_query(reply);
    }

    /// Queues the reply to a command that was submitted.
    pub(crate) fn expect(&mut self, reply: PendingReply) {
        self.turns.replies.push_command(reply);
    }
}

/// Messages do not depend on the answers to the messages before them.
fn is_post(message: &Message<'_>) -> bool {
    matches!(message.verb.as_str(), "NOTICE" | "PRIVMSG")
}
