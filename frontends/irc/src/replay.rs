//! What an account has missed in the channels that it joins, instead of their newest messages alone:
//! for clients that show times and batches, and do not request it by CHATHISTORY.

use std::sync::Arc;

use core_model::{Gap, Message as Posted, MessageId, Outcome, Query, Refusal, Reply, RoomRef};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode;
use crate::names;
use crate::pending::PendingReply;
use crate::state::IrcSession;

impl IrcSession {
    /// Queries the messages that precede a join, for clients that show times.
    pub(crate) fn query_playback(&mut self, room: String, out: &mut Outbox) {
        let wanted = self.has(Caps::SERVER_TIME) && !self.has(Caps::CHATHISTORY);
        if !wanted || self.options.history == 0 {
            return;
        }
        self.query_missed(&room, out);
        let query = Query::History {
            room: RoomRef::Name(room.clone()),
            caller: self.caller(),
            before: None,
            after: None,
            limit: self.options.history,
        };
        self.query(query, PendingReply::Playback(room), out);
    }

    fn query_missed(&mut self, room: &str, out: &mut Outbox) {
        if self.has(Caps::BATCH)
            && let Some((after, left)) = self.missed.begin(names::fold(room))
        {
            let limit = self.options.history.saturating_add(left);
            let room = RoomRef::Name(room.to_owned());
            let query = Query::Missed {
                room,
                caller: self.caller(),
                after: Some(after),
                limit,
                newest: true,
            };
            self.query(query, PendingReply::Missed, out);
        }
    }

    pub(crate) fn take_missed(&mut self, outcome: &Outcome) {
        match outcome {
            Ok(Reply::Missed { messages, gap, .. }) => self.missed.keep(messages.clone(), *gap),
            Ok(_) => (),
            Err(refusal) if *refusal == Refusal::Overloaded => self.missed.refuse(),
            Err(_) => (),
        }
    }

    pub(crate) fn send_playback(&mut self, room: &str, outcome: &Outcome, out: &mut Outbox) {
        if !self.joined && self.channel(room).is_none() {
            self.missed.forget(&names::fold(room));
        }
        let mut newest = None;
        if let Ok(Reply::Messages { messages }) = outcome
            && self.joined
        {
            let (messages, gap) = self.missed.choose(messages);
            let target = names::channel(room);
            let notice = gap.and_then(|gap| self.gap_notice(&target, gap));
            newest = newest_of(&messages, gap.filter(|_| notice.is_some()));
            if let Some(newest) = newest {
                self.missed.note_sent(newest);
            }
            if !messages.is_empty() || notice.is_some() {
                self.send_history_batch(&target, notice, &messages, out);
            }
        }
        self.missed.drop_page();
        self.end_holding(room, newest.unwrap_or_default());
        self.end_replay(out);
    }

    /// Whether messages that precede a join are still to come, or some that were posted meanwhile.
    pub(crate) fn is_replaying(&self) -> bool {
        self.holding.is_under_way()
            || self.pending.replies.iter().any(|reply| matches!(reply, PendingReply::Playback(_)))
    }

    /// The earlier messages of a channel that the client joins were sent up to this one, or none
    /// are to come.
    pub(crate) fn end_holding(&mut self, room: &str, newest: MessageId) {
        if let Some((id, _)) = self.channel(room) {
            self.holding.end(id, newest);
        }
    }

    /// Sends what was held back, after the response to a request with a label that it is no part of.
    pub(crate) fn release_held(&mut self, out: &mut Outbox) {
        if self.label.is_some() || !self.holding.is_under_way() {
            return;
        }
        let released = self.holding.release();
        self.end_replay(out);
        for (message, cause) in released {
            self.send_posted(&message, cause, out);
            self.note_posted(&message, out);
        }
    }

    /// Asks the client to show that it has what was sent on signing on and joining, unless more of it
    /// is to come.
    pub(crate) fn end_replay(&mut self, out: &mut Outbox) {
        if self.me.uid.is_none() || self.is_replaying() {
            return;
        }
        match self.missed.take_newest() {
            Some(newest) => {
                out.mark(newest);
                self.note_sent(newest, true, out);
            }
            None => self.ask_or_wait(out),
        }
    }

    pub(crate) fn announces_gaps(&self) -> bool {
        self.has(Caps::SERVER_TIME) && self.has(Caps::BATCH)
    }

    /// The notice of missed messages that the client does not get, if it shows times and batches.
    pub(crate) fn gap_notice(&self, target: &str, gap: Gap) -> Option<String> {
        if !self.announces_gaps() {
            return None;
        }
        let Gap { after, before, count } = gap;
        let what = match count {
            Some(1) => "1 message that you missed is not shown".into(),
            Some(count) => format!("{count} messages that you missed are not shown"),
            None => "Messages that you missed are no longer kept, or not shown".into(),
        };
        let why = format!("{what}: after msgid {after}, before msgid {before}");
        let head = format!(":{} NOTICE {target}", self.options.server_name);
        let line = encode::trailing(head, &why);
        let time = encode::time(self.now).unwrap_or_default();
        Some(encode::with_tag(&format!("time={time}"), &line))
    }
}

/// Up to which message a client has what it missed, once it has these and was told of the gap.
pub(crate) fn newest_of(messages: &[Arc<Posted>], gap: Option<Gap>) -> Option<MessageId> {
    let last_missing = gap.map(|gap| MessageId(gap.before.0.saturating_sub(1)));
    messages.last().map(|message| message.id).max(last_missing)
}
