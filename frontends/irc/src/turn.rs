//! The order of the lines: a line runs once everything that earlier lines led to has been sent.
//!
//! What a line means depends on what came before it: on the nick, on the channels, on whether the
//! client has signed on. Messages do not, so messages alone are pipelined.

use core_model::Query;
use frontend_api::Outbox;

use crate::parse::{self, Line, Message};
use crate::pending::PendingReply;
use crate::pending_lines::{LineKind, Received, Waiting};
use crate::state::{IrcSession, send};

impl IrcSession {
    /// Runs a line, or keeps it until its turn.
    pub(crate) fn take_line(&mut self, line: Received<'_>, out: &mut Outbox) {
        if self.leaving {
            return;
        }
        let kind = match &line {
            Received::Message(_, message) => self.kind_of(message),
            Received::NotUtf8(text) => match parse::line(text) {
                Line::Message(message) => self.kind_of(&message),
                Line::Refused(_, label) => self.kind_of_refused(label),
                Line::Empty => LineKind::Other,
            },
            Received::Refused(_, label) => self.kind_of_refused(*label),
        };
        if self.pending.may_run_now(kind) {
            return self.run_line(line, out);
        }
        self.pending.lines.push_back(match line {
            Received::Message(text, _) => Waiting::Message { text: text.into(), kind },
            Received::Refused(fault, label) => {
                Waiting::Refused { fault, label: label.map(str::to_owned), kind }
            }
            Received::NotUtf8(text) => Waiting::NotUtf8 { text, kind },
        });
        self.wait_turn(PendingReply::Turn, out);
    }

    fn kind_of_refused(&self, label: Option<&str>) -> LineKind {
        let is_labeled = self.usable_label(label).is_some();
        if is_labeled { LineKind::Labeled } else { LineKind::Other }
    }

    fn kind_of(&self, message: &Message<'_>) -> LineKind {
        match message.verb.as_str() {
            _ if self.label_of(message).is_some() => LineKind::Labeled,
            "NOTICE" | "PRIVMSG" if self.client_tags(message).is_none() => LineKind::Post,
            // Its end may have the label of its start, which may be waiting yet.
            "BATCH" if self.has_multiline() => LineKind::Labeled,
            _ => LineKind::Other,
        }
    }

    /// Runs the waiting lines whose turn it is.
    pub(crate) fn run_waiting(&mut self, out: &mut Outbox) {
        while !self.leaving
            && let Some(line) = self.pending.next_line()
        {
            match line {
                Waiting::Message { text, .. } => {
                    if let Line::Message(message) = parse::line(&text) {
                        self.run_line(Received::Message(&text, message), out);
                    }
                }
                Waiting::Refused { fault, label, .. } => {
                    self.run_line(Received::Refused(fault, label.as_deref()), out);
                }
                Waiting::NotUtf8 { text, .. } => self.run_line(Received::NotUtf8(text), out),
            }
        }
        if self.leaving {
            self.pending.lines.clear();
        }
    }

    /// Asks for another turn if there are more waiting lines than turns to come.
    pub(crate) fn renew_turn(&mut self, out: &mut Outbox) {
        if self.pending.lack_turn() {
            self.wait_turn(PendingReply::Turn, out);
        }
    }

    /// Sends lines that need no answer of the engine, after the replies to earlier requests.
    pub(crate) fn say(&mut self, lines: Vec<String>, out: &mut Outbox) {
        if self.pending.is_idle() {
            lines.into_iter().for_each(|line| send(line, out));
        } else if !lines.is_empty() {
            self.wait_turn(PendingReply::Say(lines), out);
        }
    }

    /// Ends the connection after the replies to earlier requests; ignores further lines.
    pub(crate) fn end(&mut self, why: &str, out: &mut Outbox) {
        self.leaving = true;
        if self.pending.is_idle() {
            self.end_now(why, out);
        } else {
            self.wait_turn(PendingReply::End(why.into()), out);
        }
    }

    /// Queues a reply that needs no answer. The host's bound on unanswered requests covers it.
    pub(crate) fn wait_turn(&mut self, reply: PendingReply, out: &mut Outbox) {
        out.wait_turn();
        self.pending.replies.push_query(reply);
    }

    pub(crate) fn query(&mut self, query: Query, reply: PendingReply, out: &mut Outbox) {
        out.query(query);
        self.pending.replies.push_query(reply);
    }

    /// Queues the reply to a command that was submitted.
    pub(crate) fn expect(&mut self, reply: PendingReply) {
        self.pending.replies.push_command(reply);
    }
}
