//! Messages.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{
    Command, Event, Expired, Gap, Message, MessageId, NewRoom, Outcome, PostRight, Refusal, Reply,
    RoomRef, UserRef, normalize,
};

use super::{Destination, Reference, StoredMessage, Who};

impl Reference {
    pub(super) fn newest(&self) -> u64 {
        self.next_message - 1
    }

    pub(super) fn post(
        &mut self,
        room: &RoomRef,
        author: &UserRef,
        text: &str,
        standing: &PostRight,
    ) -> Outcome {
        let check_text = || if text.is_empty() { Err(Refusal::EmptyText) } else { Ok(()) };
        let (who, id, avatar) = match standing {
            PostRight::Seated => {
                let seat = match self.seat_of_caller(room, author) {
                    Err(Refusal::NotInRoom) if self.has_open_posts(room) => {
                        let (who, id) = (self.user_or_guest(author)?, self.any_room(room)?);
                        return self.post_as(who, id, None, text);
                    }
                    found => found?,
                };
                if let (UserRef::Claim(_), Who::Guest(name)) = (author, &seat.who)
                    && self.uid_of_handle(name).is_some()
                {
                    return Err(Refusal::NotSignedIn);
                }
                (seat.who, seat.room, seat.avatar)
            }
            PostRight::Member => {
                let uid = self.account(author)?;
                let id = self.room(room, Some(uid))?;
                if !self.is_member(id, uid) {
                    return Err(Refusal::NotInRoom);
                }
                (Who::User(uid), id, None)
            }
            PostRight::Joining { create } => {
                let uid = self.account(author)?;
                check_text()?;
                let id = match (self.any_room(room), room) {
                    (Err(_), RoomRef::Name(name)) if *create => {
                        let insist = true;
                        let new =
                            NewRoom { name: Some(name.clone()), insist, ..NewRoom::default() };
                        let id = self.make_room(&new, Some(uid), 1)?;
                        self.add_member(id, uid);
                        self.announce_population(id);
                        id
                    }
                    (found, _) => {
                        found?;
                        let id = self.room(room, Some(uid))?;
                        self.check_voice(id, &Who::User(uid))?;
                        self.join(id, uid)?;
                        id
                    }
                };
                (Who::User(uid), id, None)
            }
        };
        self.post_as(who, id, avatar, text)
    }

    fn post_as(&mut self, who: Who, id: u32, avatar: Option<String>, text: &str) -> Outcome {
        if text.is_empty() {
            return Err(Refusal::EmptyText);
        }
        self.check_voice(id, &who)?;
        self.activate(id);
        Ok(self.add_message(who, avatar, Destination::Room(id), text))
    }

    fn has_open_posts(&self, room: &RoomRef) -> bool {
        self.any_room(room).is_ok_and(|id| self.rooms[&id].rules.policy.open_posts)
    }

    pub(super) fn post_direct(
        &mut self,
        author: &UserRef,
        to: &UserRef,
        text: &str,
        allow_self: bool,
    ) -> Outcome {
        let from = self.account(author)?;
        if text.is_empty() {
            return Err(Refusal::EmptyText);
        }
        let to = self.account(to)?;
        if from == to && !allow_self {
            return Err(Refusal::SelfAddressed);
        }
        Ok(self.add_message(Who::User(from), None, Destination::Inbox(to), text))
    }

    pub(super) fn add_message(
        &mut self,
        who: Who,
        avatar: Option<String>,
        to: Destination,
        text: &str,
    ) -> Reply {
        let kept = StoredMessage {
            id: self.next_message,
            at: self.now,
            author: who,
            to,
            text: text.to_owned(),
        };
        self.next_message += 1;
        let mut message = Arc::unwrap_or_clone(self.message(&kept));
        if let Some(avatar) = avatar {
            Arc::make_mut(&mut message.author).avatar = avatar;
        }
        self.messages.push(kept);
        self.events.push(Event::Posted { message: message.clone() });
        Reply::Posted { message }
    }

    pub(super) fn delete_message(&mut self, command: &Command) -> Outcome {
        let Command::DeleteMessage { room, message, by, reason } = command else { unreachable!() };
        let who = by.as_ref().map(|by| self.user_or_guest(by)).transpose()?;
        let uid = match &who {
            Some(Who::User(uid)) => Some(*uid),
            _ => None,
        };
        let id = self.room(room, uid)?;
        let there = |kept: &StoredMessage| kept.id == message.0 && kept.to == Destination::Room(id);
        let Some(at) = self.messages.iter().position(there) else {
            return Err(Refusal::UnknownMessage);
        };
        if let Some(who) = &who {
            let is_author = uid.is_some() && self.messages[at].author == *who;
            let owns = uid.is_some() && self.rooms[&id].owner == uid;
            let operates = self.own_seat(id, who).is_some_and(|seat| seat.roles.operator);
            if !is_author && !owns && !operates {
                return Err(Refusal::NotAllowed);
            }
        }
        let gone = self.messages.remove(at);
        let Message { id: message, author, to, .. } = Arc::unwrap_or_clone(self.message(&gone));
        let by = who.map(|who| self.person(&who));
        let reason = reason.clone();
        self.visible = true;
        self.events.push(Event::MessageDeleted { message, author, to, by, reason });
        Ok(Reply::Done)
    }

    pub(super) fn receive(&mut self, command: &Command) -> Outcome {
        let Command::Receive { user, expect, room, after, limit, first_limit, newest } = command
        else {
            unreachable!()
        };
        let uid = self.account(user)?;
        let id = room.as_ref().map(|room| self.room(room, Some(uid))).transpose()?;
        if expect.as_ref().is_some_and(|handle| normalize(handle) != self.users[&uid].handle) {
            return Err(Refusal::NotAllowed);
        }
        let asked = after.map(|after| after.0);
        if !newest && asked > Some(self.newest()) {
            return Err(Refusal::UnknownMessage);
        }
        if let Some(id) = id {
            self.join(id, uid)?;
        }
        let place = id.map_or(Destination::Inbox(uid), Destination::Room);
        let all: Vec<&StoredMessage> =
            self.messages.iter().filter(|kept| kept.to == place).collect();
        let limit = *limit as usize;
        let first_limit = *first_limit as usize;
        let split = all.len().saturating_sub(first_limit);
        let cursor = self.cursors.get(&(uid, id)).copied();
        if *newest {
            let messages = all[split..].iter().map(|kept| self.message(kept)).collect();
            let last = all[split..].last().map(|kept| kept.id);
            let cursor = MessageId(last.or(asked).or(cursor).unwrap_or(0));
            return Ok(Reply::Received { messages, cursor, gap: None });
        }
        let older = split.checked_sub(1).map_or(0, |last| all[last].id);
        let from = asked.or(cursor).unwrap_or(older);
        let new: Vec<&StoredMessage> =
            all.into_iter().filter(|kept| kept.id > from).take(limit).collect();
        let mut read = new.last().map_or(from, |kept| kept.id);
        let messages: Vec<_> = new.into_iter().map(|kept| self.message(kept)).collect();
        let gap = asked.and_then(|after| {
            let gone = match id {
                Some(id) => self.removed_after((Some(id), 0), after),
                None => {
                    let gone = self.removed_from_inbox.get(&uid).into_iter().flatten();
                    gone.copied().filter(|id| *id > after).collect()
                }
            };
            let newest = gone.last()?;
            let before = messages.first().map_or(newest + 1, |first| first.id.0);
            let (after, before) = (MessageId(after), MessageId(before));
            Some(Gap { after, before, count: Some(gone.len() as u64) })
        });
        if let Some(gap) = gap.filter(|_| messages.is_empty()) {
            read = read.max(gap.before.0 - 1);
        }
        self.cursors.insert((uid, id), read);
        Ok(Reply::Received { messages, cursor: MessageId(read), gap })
    }

    /// A whole pass at once.
    pub(super) fn prune(&mut self, before: Option<u64>, keep: Option<usize>) -> Reply {
        let count = self.messages.len();
        let before_retain = self.messages.clone();
        self.messages.retain(|kept| before.is_none_or(|before| kept.at >= before));
        let mut newer: BTreeMap<u32, usize> = BTreeMap::new();
        let mut is_kept = |kept: &StoredMessage| {
            let Destination::Room(room) = kept.to else { return true };
            let newer = newer.entry(room).or_default();
            *newer += 1;
            keep.is_none_or(|keep| *newer <= keep)
        };
        let mut kept: Vec<StoredMessage> =
            self.messages.iter().rev().filter(|kept| is_kept(kept)).cloned().collect();
        kept.reverse();
        let before = std::mem::replace(&mut self.messages, kept);
        for gone in before_retain.iter().chain(&before) {
            if !self.messages.iter().any(|kept| kept.id == gone.id) {
                self.note_removed(gone);
            }
        }
        Reply::Pruned {
            messages: (count - self.messages.len()) as u32,
            expired: Expired::default(),
            next: None,
        }
    }

    fn note_removed(&mut self, gone: &StoredMessage) {
        let author = match gone.author {
            Who::User(uid) => Some((None, uid)),
            Who::Guest(_) => None,
        };
        let places = match gone.to {
            Destination::Room(room) => [Some((Some(room), 0)), None],
            Destination::Inbox(to) => [Some((None, to)), author],
        };
        if let Destination::Inbox(to) = gone.to {
            self.removed_from_inbox.entry(to).or_default().insert(gone.id);
        }
        for place in places.into_iter().flatten() {
            self.removed.entry(place).or_default().insert(gone.id);
        }
    }

    /// What [`Query::Missed`](core_model::Query::Missed) returns of a room.
    pub(crate) fn missed_of(&self, room: u32, after: u64, limit: usize, newest: bool) -> Outcome {
        if after > self.newest() {
            return Err(Refusal::UnknownMessage);
        }
        let in_room =
            |kept: &&StoredMessage| matches!(kept.to, Destination::Room(id) if id == room);
        let all = self.messages.iter().filter(in_room).filter(|kept| kept.id > after);
        let all: Vec<&StoredMessage> = all.collect();
        let left_out = all.len().saturating_sub(limit);
        let shown = if newest { &all[left_out..] } else { &all[..all.len() - left_out] };
        let gone = self.removed_after((Some(room), 0), after);
        let removed = gone.last().copied();
        let before = match shown.first() {
            Some(first) => first.id,
            None if newest && left_out > 0 => all.last().map_or(0, |last| last.id) + 1,
            None => removed.unwrap_or(0) + 1,
        };
        let is_gap = removed.is_some() || newest && left_out > 0;
        let count = gone.len() + if newest { left_out } else { 0 };
        let (after, before) = (MessageId(after), MessageId(before));
        let more = !newest && left_out > 0;
        let cursor = match shown.last() {
            Some(last) if more => last.id,
            _ => self.newest(),
        };
        Ok(Reply::Missed {
            messages: shown.iter().map(|kept| self.message(kept)).collect(),
            gap: is_gap.then_some(Gap { after, before, count: Some(count as u64) }),
            more,
            cursor: MessageId(cursor),
        })
    }

    /// The ids above `after` that were removed, ascending.
    pub(super) fn removed_after(&self, place: (Option<u32>, u64), after: u64) -> Vec<u64> {
        let removed = self.removed.get(&place).into_iter().flatten();
        removed.copied().filter(|id| *id > after).collect()
    }

    pub(super) fn newest_of(&self, all: Vec<&StoredMessage>, limit: usize) -> Vec<Arc<Message>> {
        let first = all.len().saturating_sub(limit);
        all[first..].iter().map(|kept| self.message(kept)).collect()
    }
}
