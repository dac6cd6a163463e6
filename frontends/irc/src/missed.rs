//! The messages that an account has missed while it was away.

use std::collections::BTreeSet;
use std::sync::Arc;

use core_model::{Gap, Message as Posted, MessageId};

/// The most channels of one connection in which missed messages are sent.
const ROOMS_MAX: usize = 1_000;

/// What an account has missed while it was away.
#[derive(Default)]
pub(crate) struct Missed {
    /// The newest message that it had when the client signed on; none for a guest.
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
        Self { after: acknowledged, left, ..Self::default() }
    }

    /// Notes that messages up to this one, which the account had not acknowledged, were sent.
    pub(crate) fn note_delivered(&mut self, message: MessageId) {
        self.newest = self.newest.max(Some(message));
    }

    /// Notes that this message was sent on joining, which the account may have had before.
    pub(crate) fn note_sent(&mut self, message: MessageId) {
        if self.after.is_none_or(|after| message > after) {
            self.note_delivered(message);
        }
    }

    /// Notes that the client joins a channel, by its folded name: after which message it has missed
    /// some there, and how many more than the newest may be sent. None if it has joined before.
    pub(crate) fn begin(&mut self, room: String) -> Option<(MessageId, u32)> {
        let after = self.after?;
        let is_new = self.rooms.len() < ROOMS_MAX && self.rooms.insert(room);
        is_new.then_some((after, self.left))
    }

    /// What the client has missed in the channel cannot be had now.
    pub(crate) fn refuse(&mut self) {
        let after = self.after.unwrap_or_default();
        let gap = Some(Gap { after, before: after, count: None });
        self.page = Some(Page { messages: Vec::new(), gap });
    }

    /// The client has not joined the channel after all.
    pub(crate) fn forget(&mut self, room: &str) {
        self.rooms.remove(room);
    }

    /// Keeps the newest missed messages until the newest of all are known.
    pub(crate) fn keep(&mut self, messages: Vec<Arc<Posted>>, gap: Option<Gap>) {
        self.page = Some(Page { messages, gap });
    }

    pub(crate) fn drop_page(&mut self) {
        self.page = None;
    }

    pub(crate) fn take_newest(&mut self) -> Option<MessageId> {
        self.newest.take()
    }

    /// What to send on joining a channel with these newest messages: them, or all that was missed if
    /// that is more; and what of that is missing.
    pub(crate) fn choose(&mut self, newest: &[Arc<Posted>]) -> (Vec<Arc<Posted>>, Option<Gap>) {
        let (Some(page), Some(after)) = (self.page.take(), self.after) else {
            return (newest.to_vec(), None);
        };
        let most = newest.len() + self.left as usize;
        let missed = &page.messages[page.messages.len().saturating_sub(most)..];
        let shown = if missed.len() > newest.len() { missed } else { newest };
        self.left -= u32::try_from(shown.len() - newest.len()).unwrap_or(0).min(self.left);
        let before = shown.first().map(|first| first.id);
        let gap = match page.gap {
            // Nothing is known of what was missed, but that the newest messages may begin behind it.
            Some(gap) if gap.before == gap.after => {
                let before = before.filter(|before| *before > after);
                before.map(|before| Gap { before, ..gap })
            }
            Some(gap @ Gap { count: None, .. }) => {
                Some(Gap { before: before.unwrap_or(gap.before), ..gap })
            }
            gap => {
                let counted = gap.and_then(|gap| gap.count).unwrap_or(0);
                let all = counted + page.messages.len() as u64;
                let sent = shown.iter().filter(|message| message.id > after).count() as u64;
                let count = all.saturating_sub(sent);
                let before = before.or(gap.map(|gap| gap.before)).filter(|_| count > 0);
                before.map(|before| Gap { after, before, count: Some(count) })
            }
        };
        (shown.to_vec(), gap)
    }
}
