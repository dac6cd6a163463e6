//! Earlier messages: on joining, and by CHATHISTORY of IRCv3 draft/chathistory.

use std::sync::Arc;

use core_model::{Message as Posted, Outcome, Query, Refusal, Reply, RoomRef};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::names;
use crate::parse::{self, Message, Slice};
use crate::pending::PendingReply;
use crate::refusal::{self, RequestKind};
use crate::state::{IrcSession, send};

impl IrcSession {
    /// Queries the messages before a join, for clients that show times.
    pub(crate) fn query_playback(&mut self, room: String, out: &mut Outbox) {
        if self.has(Caps::SERVER_TIME) && self.options.history > 0 {
            let slice =
                Slice { after: None, before: None, oldest: false, limit: self.options.history };
            let query = self.history(room.clone(), slice);
            self.query(query, PendingReply::Playback(room), out);
        }
    }

    fn history(&self, room: String, slice: Slice) -> Query {
        let Slice { after, before, oldest, limit } = slice;
        Query::History {
            room: RoomRef::Name(room),
            caller: self.caller(),
            before,
            after: after.filter(|_| oldest),
            limit,
        }
    }

    pub(crate) fn send_playback(&mut self, room: &str, outcome: &Outcome, out: &mut Outbox) {
        if let Ok(Reply::Messages { messages }) = outcome
            && self.joined
            && !messages.is_empty()
        {
            self.send_batch(&names::channel(room), messages.iter().map(Arc::as_ref), out);
        }
    }

    pub(crate) fn chathistory(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let slice = match parse::slice(message) {
            Ok(slice) => slice,
            Err((code, about, why)) => {
                let line = self.fail("CHATHISTORY", code, &[about], why);
                return self.say(vec![line], out);
            }
        };
        let subcommand = message.param(0);
        let target = message.param(1);
        // Only rooms have a history; direct messages are delivered once.
        let room = names::room(target).filter(|room| self.channel(room).is_some());
        let Some(room) = room else {
            let why = "You are not in such a channel";
            let line = self.fail("CHATHISTORY", "INVALID_TARGET", &[subcommand, target], why);
            return self.say(vec![line], out);
        };
        let slice = Slice { limit: slice.limit.min(self.options.history_max), ..slice };
        let query = self.history(room, slice);
        self.query(query, PendingReply::History { target: target.into(), slice }, out);
    }

    pub(crate) fn send_history(
        &mut self,
        target: &str,
        slice: Slice,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let messages = match outcome {
            Ok(Reply::Messages { messages }) => messages,
            _ => {
                let unexpected = Refusal::Internal { why: String::new() };
                let refusal = outcome.as_ref().err().unwrap_or(&unexpected);
                let why = refusal::text(RequestKind::Channel, refusal);
                let line = self.fail("CHATHISTORY", "MESSAGE_ERROR", &[target], &why);
                return send(line, out);
            }
        };
        let wanted = |message: &&Posted| {
            slice.after.is_none_or(|after| message.id > after)
                && slice.before.is_none_or(|before| message.id < before)
        };
        self.send_batch(target, messages.iter().map(Arc::as_ref).filter(wanted), out);
    }

    /// Sends messages, as one batch to clients with the capability.
    fn send_batch<'a>(
        &mut self,
        target: &str,
        messages: impl Iterator<Item = &'a Posted>,
        out: &mut Outbox,
    ) {
        self.batches += 1;
        let server = self.options.server_name.clone();
        let batch = format!("h{}", self.batches);
        let batched = self.has(Caps::BATCH);
        if batched {
            send(format!(":{server} BATCH +{batch} chathistory {target}"), out);
        }
        for message in messages {
            let is_bot = self.is_bot(&message.author);
            let lines = self.reader().message(message, Some(&batch), is_bot);
            lines.into_iter().for_each(|line| send(line, out));
        }
        if batched {
            send(format!(":{server} BATCH -{batch}"), out);
        }
    }
}
