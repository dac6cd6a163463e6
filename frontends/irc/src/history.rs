//! CHATHISTORY of IRCv3 draft/chathistory.

use std::sync::Arc;

use core_model::{
    ConversationRef, ConversationView, Message as Posted, Outcome, Part, Position, Query,
    Recipient, Refusal, Reply, RoomRef, UserRef,
};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode;
use crate::names;
use crate::parse::Message;
use crate::pending::{HistoryTarget, PendingReply};
use crate::refusal::{self, RequestKind};
use crate::selectors::{self, HistoryRequest};
use crate::state::{IrcSession, send};

impl IrcSession {
    pub(crate) fn chathistory(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let subcommand = message.param(0);
        match selectors::history(message) {
            Err((code, about, why)) => {
                let line = self.fail("CHATHISTORY", code, &[subcommand, about], why);
                self.say(vec![line], out);
            }
            Ok(HistoryRequest::Targets { from, to, limit }) => {
                let limit = limit.min(self.options.history_max);
                let rooms = self.rooms.keys().copied().collect();
                let query = Query::Conversations { caller: self.caller(), rooms, from, to, limit };
                self.query(query, PendingReply::HistoryTargets, out);
            }
            Ok(HistoryRequest::Part { target, part, limit }) => {
                let given = (subcommand.to_owned(), target.to_owned());
                let Some((conversation, name)) = self.conversation(target) else {
                    let line = self.no_history(&given.0, &given.1);
                    return self.say(vec![line], out);
                };
                self.query_gap(&conversation, part, out);
                let limit = limit.min(self.options.history_max);
                let caller = self.caller();
                let query = Query::Excerpt { conversation, caller, part, limit };
                let target = HistoryTarget { subcommand: given.0, target: given.1, name };
                self.query(query, PendingReply::History(target), out);
            }
        }
    }

    /// Queries what is gone of the messages after one that the client has, to announce it in the batch.
    fn query_gap(&mut self, conversation: &ConversationRef, part: Part, out: &mut Outbox) {
        if let (ConversationRef::Room(room), Part::After(Position::Message(after))) =
            (conversation, part)
            && self.announces_gaps()
        {
            let (room, caller, after) = (room.clone(), self.caller(), Some(after));
            let query = Query::Missed { room, caller, after, limit: 1, newest: false };
            self.query(query, PendingReply::HistoryGap, out);
        }
    }

    pub(crate) fn take_history_gap(&mut self, outcome: &Outcome) {
        self.history_gap = match outcome {
            Ok(Reply::Missed { gap, .. }) => Ok(*gap),
            // The answer to the request reports other errors.
            Err(Refusal::UnknownMessage) => Err(Refusal::UnknownMessage),
            _ => Ok(None),
        };
    }

    /// The conversation of a target, with its name: a channel that the client has joined, or a user,
    /// if the client has an account. The engine keeps no messages of guests to users.
    fn conversation(&self, target: &str) -> Option<(ConversationRef, String)> {
        if let Some(room) = names::room(target) {
            let (id, channel) = self.channel(&room)?;
            let name = names::channel(&channel.name);
            return Some((ConversationRef::Room(RoomRef::Id(id)), name));
        }
        let handle = self.me.uid.and_then(|_| self.account_handle(target))?;
        let name = names::nick_of(&handle);
        Some((ConversationRef::User(UserRef::Handle(handle)), name))
    }

    fn no_history(&self, subcommand: &str, target: &str) -> String {
        let why = "Messages could not be retrieved: you have no such conversation";
        self.fail("CHATHISTORY", "INVALID_TARGET", &[subcommand, target], why)
    }

    pub(crate) fn send_history(
        &mut self,
        target: &HistoryTarget,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let HistoryTarget { subcommand, target, name } = target;
        let gap = match std::mem::replace(&mut self.history_gap, Ok(None)) {
            Ok(gap) => gap,
            Err(refusal) => {
                let about = [subcommand.as_str(), target];
                return self.report_history(&about, &Err(refusal), out);
            }
        };
        let notice = gap.and_then(|gap| self.gap_notice(name, gap));
        match outcome {
            Ok(Reply::Messages { messages }) => {
                self.send_history_batch(name, notice, messages, out);
            }
            Err(Refusal::UnknownRoom | Refusal::UnknownUser | Refusal::NotSignedIn) => {
                send(self.no_history(subcommand, target), out);
            }
            _ => self.report_history(&[subcommand, target], outcome, out),
        }
    }

    fn report_history(&self, about: &[&str], outcome: &Outcome, out: &mut Outbox) {
        let unexpected = Refusal::Internal { why: String::new() };
        let refusal = outcome.as_ref().err().unwrap_or(&unexpected);
        let why = refusal::text(RequestKind::Channel, refusal);
        send(self.fail("CHATHISTORY", "MESSAGE_ERROR", about, &why), out);
    }

    pub(crate) fn send_history_targets(&mut self, outcome: &Outcome, out: &mut Outbox) {
        let Ok(Reply::Conversations { conversations }) = outcome else {
            return self.report_history(&["TARGETS"], outcome, out);
        };
        let lines = conversations.iter().map(|conversation| self.target_line(conversation));
        self.send_batch("draft/chathistory-targets", lines.collect(), out);
    }

    fn target_line(&self, conversation: &ConversationView) -> String {
        let name = match &conversation.with {
            Recipient::Room(room) => names::channel(&room.name),
            Recipient::User(person) => names::nick(person),
        };
        let time = encode::time(conversation.at).unwrap_or_default();
        format!(":{} CHATHISTORY TARGETS {name} {time}", self.options.server_name)
    }

    // Batches.

    /// Sends messages of a channel or conversation, after a notice if there is one.
    pub(crate) fn send_history_batch(
        &mut self,
        name: &str,
        notice: Option<String>,
        messages: &[Arc<Posted>],
        out: &mut Outbox,
    ) {
        let lines = messages.iter().flat_map(|message| {
            let is_bot = self.is_bot(&message.author);
            self.reader().message(message, is_bot)
        });
        let lines = notice.into_iter().chain(lines).collect();
        self.send_batch(&format!("chathistory {name}"), lines, out);
    }

    /// Sends lines, as one batch to clients with the capability.
    fn send_batch(&mut self, kind: &str, lines: Vec<String>, out: &mut Outbox) {
        if !self.has(Caps::BATCH) {
            return lines.into_iter().for_each(|line| send(line, out));
        }
        self.batches += 1;
        let batch = format!("h{}", self.batches);
        let server = &self.options.server_name;
        send(format!(":{server} BATCH +{batch} {kind}"), out);
        lines.into_iter().for_each(|line| send(encode::in_batch(&batch, line), out));
        send(format!(":{server} BATCH -{batch}"), out);
    }
}
