//! Client-only tags of messages on their way from one session to the others, and ids of what the
//! engine does not know.
//!
//! A message has no id before the engine has posted it, and its event may reach a session before the
//! answer reaches its author. Until then the connection, the text, and the author's message before it
//! say which one is meant: the author's session posts nothing else meanwhile.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core_model::{ConnectionId, Message, MessageId, Timestamp};

use super::Directory;
use crate::local_id::LocalId;

/// Posted messages whose tags are remembered, for sessions that have yet to send them.
const POSTED_MAX: usize = 256;

#[derive(Debug, Default)]
pub(super) struct TagTable {
    state: Mutex<State>,
    /// The number of messages in the state: while it is 0, no session takes the lock.
    messages: AtomicU64,
    local_ids: AtomicU64,
}

#[derive(Debug, Default)]
struct State {
    announced: BTreeMap<ConnectionId, Announced>,
    /// The newest last.
    posted: VecDeque<(MessageId, Arc<str>)>,
}

/// Messages of one line that are about to be posted.
#[derive(Debug)]
struct Announced {
    /// The author's newest message before them.
    after: Option<MessageId>,
    text: String,
    tags: Arc<str>,
    /// How many of them are not answered.
    count: usize,
}

impl TagTable {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn count(&self, state: &State) {
        let messages = state.announced.len() + state.posted.len();
        self.messages.store(messages as u64, Ordering::Relaxed);
    }
}

impl Directory {
    pub(crate) fn next_local_id(&self, now: Timestamp) -> LocalId {
        LocalId(now, self.tags.local_ids.fetch_add(1, Ordering::Relaxed))
    }

    /// Notes the tags of a message before it is submitted.
    pub(crate) fn announce_tags(
        &self,
        connection: ConnectionId,
        after: Option<MessageId>,
        text: &str,
        tags: &Arc<str>,
    ) {
        let mut state = self.tags.state();
        let new = || Announced { after, text: text.to_owned(), tags: Arc::clone(tags), count: 0 };
        state.announced.entry(connection).or_insert_with(new).count += 1;
        self.tags.count(&state);
    }

    /// A message whose tags were announced was posted with this id, or refused.
    pub(crate) fn settle_tags(&self, connection: ConnectionId, message: Option<MessageId>) {
        let mut state = self.tags.state();
        let Some(announced) = state.announced.get_mut(&connection) else { return };
        announced.count -= 1;
        let (is_last, tags) = (announced.count == 0, Arc::clone(&announced.tags));
        if is_last {
            state.announced.remove(&connection);
        }
        if let Some(message) = message {
            if state.posted.len() == POSTED_MAX {
                state.posted.pop_front();
            }
            state.posted.push_back((message, tags));
        }
        self.tags.count(&state);
    }

    /// Forgets what a connection that has ended has announced.
    pub(crate) fn forget_tags(&self, connection: ConnectionId) {
        if self.tags.messages.load(Ordering::Relaxed) > 0 {
            let mut state = self.tags.state();
            state.announced.remove(&connection);
            self.tags.count(&state);
        }
    }

    /// The tags of a message that this connection has posted.
    pub(crate) fn tags_of(&self, connection: ConnectionId, message: &Message) -> Option<Arc<str>> {
        if self.tags.messages.load(Ordering::Relaxed) == 0 {
            return None;
        }
        let state = self.tags.state();
        let posted = state.posted.iter().rev().find(|(id, _)| *id == message.id);
        let announced = || {
            let announced = state.announced.get(&connection)?;
            let is_it = announced.text == message.text
                && announced.after.is_none_or(|after| message.id > after);
            is_it.then_some(&announced.tags)
        };
        posted.map(|(_, tags)| tags).or_else(announced).cloned()
    }
}
