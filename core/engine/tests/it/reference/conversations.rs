//! Conversations: their parts, their list, and how far they were read.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{
    ConversationRef, ConversationView, Message, MessageId, Outcome, Part, Position, Recipient,
    Reply, Timestamp, UserRef,
};

use super::{Destination, Reference, StoredMessage, Who};

/// A conversation of a user.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Conversation {
    Room(u32),
    With(u64),
}

impl Reference {
    pub(super) fn mark_read(
        &mut self,
        user: &UserRef,
        conversation: &ConversationRef,
        at: Timestamp,
    ) -> Outcome {
        let uid = self.account(user)?;
        let conversation = match conversation {
            ConversationRef::Room(room) => Conversation::Room(self.room(room, Some(uid))?),
            ConversationRef::User(user) => Conversation::With(self.account(user)?),
        };
        let known = self.read.get(&(uid, conversation)).copied();
        let at = at.0.min(self.now);
        if at > known.unwrap_or(0) {
            self.read.insert((uid, conversation), at);
        }
        Ok(Reply::ReadMarker { at: self.read_up_to(uid, conversation) })
    }

    pub(crate) fn read_up_to(&self, uid: u64, conversation: Conversation) -> Option<Timestamp> {
        self.read.get(&(uid, conversation)).copied().map(Timestamp)
    }

    /// The conversation of a user that a message is of.
    fn conversation_of(&self, uid: u64, message: &StoredMessage) -> Option<Conversation> {
        match (&message.author, message.to) {
            (_, Destination::Room(room)) => Some(Conversation::Room(room)),
            (Who::User(author), Destination::Inbox(to)) if *author == uid => {
                Some(Conversation::With(to))
            }
            (Who::User(author), Destination::Inbox(to)) if to == uid => {
                Some(Conversation::With(*author))
            }
            (_, Destination::Inbox(_)) => None,
        }
    }

    /// A part of a conversation, whose positions are of one kind.
    pub(crate) fn excerpt(
        &self,
        uid: u64,
        conversation: Conversation,
        part: Part,
        limit: usize,
    ) -> Vec<Arc<Message>> {
        let of =
            |message: &&StoredMessage| self.conversation_of(uid, message) == Some(conversation);
        let all: Vec<&StoredMessage> = self.messages.iter().filter(of).collect();
        let is_before = |message: &StoredMessage, position: Position| match position {
            Position::Message(id) => message.id < id.0,
            Position::Time(at) => message.at < at.0,
        };
        let is_after = |message: &StoredMessage, position: Position| match position {
            Position::Message(id) => message.id > id.0,
            Position::Time(at) => message.at > at.0,
        };
        let value = |position| match position {
            Position::Message(id) => id.0,
            Position::Time(at) => at.0,
        };
        let between = |after: Option<Position>, before: Option<Position>| -> Vec<&StoredMessage> {
            let wanted = |message: &&StoredMessage| {
                after.is_none_or(|after| is_after(message, after))
                    && before.is_none_or(|before| is_before(message, before))
            };
            all.iter().copied().filter(wanted).collect()
        };
        let oldest = |mut found: Vec<_>| {
            found.truncate(limit);
            found
        };
        let newest = |mut found: Vec<_>| found.split_off(found.len().saturating_sub(limit));
        let found = match part {
            Part::Newest { after } => newest(between(after, None)),
            Part::Before(position) => newest(between(None, Some(position))),
            Part::After(position) => oldest(between(Some(position), None)),
            Part::Between { from, to } if value(from) <= value(to) => {
                oldest(between(Some(from), Some(to)))
            }
            Part::Between { from, to } => newest(between(Some(to), Some(from))),
            Part::Around(position) => {
                let middle = all.iter().take_while(|message| is_before(message, position)).count();
                let begin = middle.saturating_sub(limit / 2);
                let begin = begin.min(all.len().saturating_sub(limit));
                oldest(all[begin..].to_vec())
            }
        };
        found.into_iter().map(|message| self.message(message)).collect()
    }

    /// The conversations of a user, and any rooms, whose newest message is between two times.
    pub(crate) fn conversations(
        &self,
        uid: u64,
        rooms: &[u32],
        [from, to]: [u64; 2],
        limit: usize,
    ) -> Vec<ConversationView> {
        let mut newest = BTreeMap::new();
        for message in &self.messages {
            let conversation = self.conversation_of(uid, message);
            let is_listed = |it: &Conversation| match it {
                Conversation::Room(room) => {
                    rooms.contains(room) && self.room_for(*room, Some(uid)).is_some()
                }
                Conversation::With(_) => true,
            };
            if let Some(conversation) = conversation.filter(is_listed) {
                newest.insert(conversation, message);
            }
        }
        let (low, high) = (from.min(to), from.max(to));
        let mut found: Vec<_> =
            newest.into_iter().filter(|(_, it)| it.at > low && it.at < high).collect();
        found.sort_by_key(|(_, message)| message.id);
        if from <= to {
            found.truncate(limit);
        } else {
            found = found.split_off(found.len().saturating_sub(limit));
        }
        let view = |(conversation, message): (Conversation, &StoredMessage)| ConversationView {
            with: match conversation {
                Conversation::Room(room) => Recipient::Room(self.tag(room)),
                Conversation::With(uid) => Recipient::User(self.person(&Who::User(uid))),
            },
            newest: MessageId(message.id),
            at: Timestamp(message.at),
        };
        found.into_iter().map(view).collect()
    }
}
