//! What was said before: on joining, and when a client asks: IRCv3 draft/chathistory.

use std::sync::Arc;

use core_model::{Message as Posted, Outcome, Query, Refusal, Reply, RoomRef};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::names;
use crate::parse::{self, Message, Slice};
use crate::refusal::{self, Errand};
use crate::session::{IrcSession, Owed, send};

impl IrcSession {
    /// Asks for what was said before a join, for clients that show when it was said and do not ask
    /// by themselves.
    pub(crate) fn ask_playback(&mut self, room: String, out: &mut Outbox) {
        let wanted = self.has(Caps::SERVER_TIME) && !self.has(Caps::CHATHISTORY);
        if wanted && self.options.history > 0 {
            let slice =
                Slice { after: None, before: None, oldest: false, limit: self.options.history };
            let query = self.history(room.clone(), slice);
            self.ask(query, Owed::Playback(room), out);
        }
    }

    fn history(&self, room: String, slice: Slice) -> Query {
        let Slice { after, before, oldest, limit } = slice;
        Query::History {
            room: RoomRef::Name(room),
            caller: self.asker(),
            before,
            after: after.filter(|_| oldest),
            limit,
        }
    }

    pub(crate) fn played_back(&mut self, room: &str, outcome: &Outcome, out: &mut Outbox) {
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
        let (subcommand, target) = (message.param(0), message.param(1));
        // What was said to one user is handed over once; only rooms have a history.
        let room = names::room(target).filter(|room| self.channel(room).is_some());
        let Some(room) = room else {
            let why = "You are not in such a channel";
            let line = self.fail("CHATHISTORY", "INVALID_TARGET", &[subcommand, target], why);
            return self.say(vec![line], out);
        };
        let slice = Slice { limit: slice.limit.min(self.options.history_max), ..slice };
        let query = self.history(room, slice);
        self.ask(query, Owed::History { target: target.into(), slice }, out);
    }

    pub(crate) fn history_told(
        &mut self,
        target: &str,
        slice: Slice,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let messages = match outcome {
            Ok(Reply::Messages { messages }) => messages,
            _ => {
                let astray = Refusal::Internal { why: String::new() };
                let refusal = outcome.as_ref().err().unwrap_or(&astray);
                let why = refusal::text(Errand::Ask, refusal);
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

    /// Messages as one batch, to clients that know what that is.
    fn send_batch<'a>(
        &mut self,
        target: &str,
        messages: impl Iterator<Item = &'a Posted>,
        out: &mut Outbox,
    ) {
        self.batches += 1;
        let (server, batch) = (self.options.server_name.clone(), format!("h{}", self.batches));
        let batched = self.has(Caps::BATCH);
        if batched {
            send(format!(":{server} BATCH +{batch} chathistory {target}"), out);
        }
        for message in messages {
            let lines = self.reader().said(message, Some(&batch));
            lines.into_iter().for_each(|line| send(line, out));
        }
        if batched {
            send(format!(":{server} BATCH -{batch}"), out);
        }
    }
}
