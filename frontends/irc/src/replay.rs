//! What an account has missed in the channels that it joins, instead of their newest messages alone:
//! for clients that show times and batches, and do not request it by CHATHISTORY.

use std::collections::BTreeSet;
use std::sync::Arc;

use core_model::{Gap, Message as Posted, MessageId, Outcome, Query, Reply, RoomRef};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode;
use crate::names;
use crate::pending::PendingReply;
use crate::state::IrcSession;

/// The most channels of one connection in which missed messages are sent.
const ROOMS_MAX: usize = 1_000;

/// What an account has missed while it was away.
#[derive(Default)]
pub(crate) struct Missed {
    /// The newest message that it had when the client signed on; none if it never had any.
    after: Option<MessageId>,
    /// How many messages more than the newest may still be sent, over all channels.
    left: u32,
    /// The channels whose missed messages were sent, by their folded names.
    rooms: BTreeSet<String>,
    /// The missed messages of the channel that the client joins, until the newest are known.
    page: Option<Page>,
    /// The newest message sent on signing on and joining, if it was missed.
    newest: Option<MessageId>,
}

/// The newest missed messages of a channel.
struct Page {
    messages: Vec<Arc<Posted>>,
    /// What is missing before them.
    gap: Option<Gap>,
}

impl Missed {
    pub(crate) fn new(acknowledged: Option<MessageId>, left: u32) -> Self {
        Self { after: acknowledged.filter(|id| id.0 > 0), left, ..Self::default() }
    }

    /// Whether the account has had messages before, so that it can have missed some.
    pub(crate) fn is_known(&self) -> bool {
        self.after.is_some()
    }

    /// Notes that this message was sent on signing on or joining.
    pub(crate) fn note_sent(&mut self, message: MessageId) {
        if self.after.is_none_or(|after| message > after) {
            self.newest = self.newest.max(Some(message));
        }
    }

    /// What to send on joining a channel with these newest messages: them, or all that was missed if
    /// that is more; and what of that is missing.
    fn choose(&mut self, newest: &[Arc<Posted>]) -> (Vec<Arc<Posted>>, Option<Gap>) {
        let (Some(page), Some(after)) = (self.page.take(), self.after) else {
            return (newest.to_vec(), None);
        };
        let most = newest.len() + self.left as usize;
        let missed = &page.messages[page.messages.len().saturating_sub(most)..];
        let shown = if missed.len() > newest.len() { missed } else { newest };
        self.left -= u32::try_from(shown.len() - newest.len()).unwrap_or(0).min(self.left);
        let before = shown.first().map(|first| first.id);
        let gap = match page.gap {
            Some(gap @ Gap { count: None, .. }) => {
                Some(Gap { before: before.unwrap_or(gap.before), ..gap })
            }
            gap => {
                let counted = gap.and_then(|gap| gap.count).unwrap_or(0);
                let all = counted + page.messages.len() as u64;
                let sent = shown.iter().filter(|message| message.id > after).count() as u64;
                let count = all.saturating_sub(sent);
                let before = before.filter(|_| count > 0);
                before.map(|before| Gap { after, before, count: Some(count) })
            }
        };
        (shown.to_vec(), gap)
    }
}

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
        let Some(after) = self.missed.after.filter(|_| self.has(Caps::BATCH)) else { return };
        let limit = self.options.history.saturating_add(self.missed.left);
        let rooms = &mut self.missed.rooms;
        if rooms.len() < ROOMS_MAX && rooms.insert(names::fold(room)) {
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
        if let Ok(Reply::Missed { messages, gap, .. }) = outcome {
            self.missed.page = Some(Page { messages: messages.clone(), gap: *gap });
        }
    }

    pub(crate) fn send_playback(&mut self, room: &str, outcome: &Outcome, out: &mut Outbox) {
        if !self.joined && self.channel(room).is_none() {
            self.missed.rooms.remove(&names::fold(room));
        }
        if let Ok(Reply::Messages { messages }) = outcome
            && self.joined
        {
            let (messages, gap) = self.missed.choose(messages);
            let target = names::channel(room);
            let notice = gap.and_then(|gap| self.gap_notice(&target, gap));
            if let Some(newest) = messages.last() {
                self.missed.note_sent(newest.id);
            }
            if !messages.is_empty() || notice.is_some() {
                self.send_history_batch(&target, notice, &messages, out);
            }
        }
        self.missed.page = None;
        self.end_replay(out);
    }

    /// Whether messages that precede a join are still to come.
    pub(crate) fn is_replaying(&self) -> bool {
        self.turns.replies.iter().any(|reply| matches!(reply, PendingReply::Playback(_)))
    }

    /// Asks the client to show that it has what was sent on signing on and joining, unless more of it
    /// is to come.
    pub(crate) fn end_replay(&mut self, out: &mut Outbox) {
        if self.me.uid.is_none() || self.is_replaying() {
            return;
        }
        match self.missed.newest.take() {
            Some(newest) => {
                out.mark(newest);
                self.note_sent(newest, true, out);
            }
            None => self.ask_or_wait(out),
        }
    }

    /// The notice of missed messages that the client does not get, if it shows times and batches.
    pub(crate) fn gap_notice(&self, target: &str, gap: Gap) -> Option<String> {
        if !self.has(Caps::SERVER_TIME) || !self.has(Caps::BATCH) {
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
