//! Views, and the expected results of queries.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{
    Event, GUEST_PREFIX, Message, MessageId, Person, Recipient, RoomId, RoomRef, RoomTag, RoomView,
    Timestamp, Uid, UserView,
};

use super::{Destination, Reference, StoredMessage, Who};

impl Reference {
    pub(super) fn person(&self, who: &Who) -> Arc<Person> {
        Arc::new(match who {
            Who::Guest(name) => Person {
                handle: format!("{GUEST_PREFIX}{name}"),
                name: name.clone(),
                ..Person::default()
            },
            Who::User(uid) => {
                let user = &self.users[uid];
                let name = if user.name.is_empty() { &user.handle } else { &user.name };
                Person {
                    uid: Some(Uid(*uid)),
                    handle: user.handle.clone(),
                    name: name.clone(),
                    avatar: user.avatar.clone(),
                    identities: user.identities.clone(),
                }
            }
        })
    }

    /// Whether an account has no connection and no membership.
    pub(super) fn is_gone(&self, uid: u64) -> bool {
        let is_member = |room: &super::Room| room.members.iter().any(|(member, _)| *member == uid);
        !self.user_view(uid).online && !self.rooms.values().any(is_member)
    }

    pub(super) fn user_view(&self, uid: u64) -> UserView {
        let user = &self.users[&uid];
        let signed_in = self.sessions.values().any(|(of, _)| *of == uid);
        let mut seats = self.seats.iter();
        let seated = seats.any(|seat| seat.who == Who::User(uid) && seat.connection.is_some());
        UserView {
            person: self.person(&Who::User(uid)),
            created: Timestamp(user.created),
            online: signed_in || seated,
            sex: user.sex.clone(),
            preferences: user.preferences.clone(),
            info: user.info.clone(),
        }
    }

    pub(super) fn tag(&self, id: u32) -> RoomTag {
        let room = &self.rooms[&id];
        RoomTag { id: RoomId(id), name: room.name.as_str().into(), closed: room.closed }
    }

    pub(super) fn room_view(&self, id: u32) -> RoomView {
        let room = &self.rooms[&id];
        RoomView {
            id: RoomId(id),
            name: room.name.clone(),
            title: room.title.clone(),
            section: room.section.clone(),
            description: room.description.clone(),
            owner: room.owner.map(|uid| self.person(&Who::User(uid))),
            created: Timestamp(room.created),
            population: self.population(id),
            people: None,
            capacity: room.capacity,
            active: room.active,
            closed: room.closed,
            policy: room.rules.policy,
            app_code: room.app_code,
            info: room.info.clone(),
            members: Vec::new(),
            messages: Vec::new(),
            masks: Vec::new(),
        }
    }

    pub(super) fn message(&self, kept: &StoredMessage) -> Arc<Message> {
        Arc::new(Message {
            id: MessageId(kept.id),
            at: Timestamp(kept.at),
            author: self.person(&kept.author),
            to: match kept.to {
                Destination::Room(id) => Recipient::Room(self.tag(id)),
                Destination::Inbox(uid) => Recipient::User(self.person(&Who::User(uid))),
            },
            text: kept.text.clone(),
            notice: false,
        })
    }

    pub(super) fn announce_population(&mut self, id: u32) {
        let room = self.tag(id);
        let population = self.population(id);
        self.events.push(Event::PopulationChanged { room, population });
    }

    pub(crate) fn uids(&self) -> Vec<u64> {
        self.users.keys().copied().collect()
    }

    pub(crate) fn account_of(&self, uid: u64) -> UserView {
        self.user_view(uid)
    }

    /// Room ids ever given.
    pub(crate) fn room_ids(&self) -> std::ops::Range<u32> {
        1..self.next_room
    }

    /// The whole room, if `caller` may know of it.
    pub(crate) fn room_for(&self, id: u32, caller: Option<u64>) -> Option<RoomView> {
        self.room(&RoomRef::Id(RoomId(id)), caller).ok()?;
        let members = self.rooms[&id].members.iter().map(|(uid, _)| self.user_view(*uid));
        let there = |kept: &&StoredMessage| kept.to == Destination::Room(id);
        let messages = self.messages.iter().filter(there).map(|kept| self.message(kept));
        let members = members.collect();
        let messages = messages.collect();
        let people = Some(self.occupants(id).len() as u32);
        let masks = self.rooms[&id].rules.masks();
        Some(RoomView { members, messages, people, masks, ..self.room_view(id) })
    }

    /// Members, then other people with a seat, by handle.
    pub(crate) fn occupants(&self, id: u32) -> Vec<Arc<Person>> {
        let members = self.rooms[&id].members.iter().map(|(uid, _)| Who::User(*uid));
        let members: Vec<Who> = members.collect();
        let there = self.seats.iter().filter(|seat| seat.room == id);
        let others = there.filter(|seat| !members.contains(&seat.who));
        let others: BTreeMap<String, Arc<Person>> = others
            .map(|seat| self.person(&seat.who))
            .map(|person| (person.handle.clone(), person))
            .collect();
        members.iter().map(|who| self.person(who)).chain(others.into_values()).collect()
    }

    pub(crate) fn open_rooms(&self) -> Vec<u32> {
        self.rooms
            .iter()
            .filter(|(_, room)| !room.closed && !room.rules.policy.secret)
            .map(|(id, _)| *id)
            .collect()
    }

    pub(crate) fn rooms_of_member(&self, uid: u64) -> Vec<u32> {
        self.rooms.keys().copied().filter(|id| self.is_member(*id, uid)).collect()
    }

    pub(crate) fn rooms_of_owner(&self, uid: u64) -> Vec<u32> {
        let owned = self.rooms.iter().filter(|(_, room)| room.owner == Some(uid));
        owned.map(|(id, _)| *id).collect()
    }

    pub(crate) fn changed_at(&self) -> Timestamp {
        Timestamp(self.last_change)
    }
}
