//! Events, replies and refusals as sentences, for tables.

use std::sync::Arc;

use core_model::{Event, Message, Person, Recipient, Refusal, RoomView};

pub(crate) fn event(event: &Event) -> String {
    match event {
        Event::Posted { message: said } => message(said),
        Event::Entered { room, user, avatar, durable, opened, connection, .. } => {
            let how = if *durable { "joins" } else { "enters" };
            let by = connection.map_or(String::new(), |by| format!(" by {by}"));
            let looks = looks(avatar);
            let opening = if *opened { ", opening it" } else { "" };
            format!("{} {how} {}{by}{looks}{opening}", user.handle, room.name)
        }
        Event::Left { room, user, avatar, durable, connection, .. } => {
            let how = if *durable { "quits" } else { "leaves" };
            let by = connection.map_or(String::new(), |by| format!(" by {by}"));
            format!("{} {how} {}{by}{}", user.handle, room.name, looks(avatar))
        }
        Event::PopulationChanged { room, population } => {
            format!("{} holds {population}", room.name)
        }
        Event::RoomChanged { room, changes, by } => {
            let by = by.as_ref().map_or("the gateway", |by| &by.handle);
            let description = changes.description.as_deref().unwrap_or("the same");
            format!("{by} describes {} as {description}", room.name)
        }
        Event::RoleChanged { room, user, role, held, by } => {
            let by = by.as_ref().map_or("the gateway", |by| &by.handle);
            let verb = if *held { "gives" } else { "takes" };
            format!("{by} {verb} {role:?} of {} at {}", user.handle, room.name)
        }
        Event::MessageDeleted { message, by, .. } => {
            let by = by.as_ref().map_or("the gateway", |by| &by.handle);
            format!("{by} deletes {message}")
        }
        Event::PolicyChanged { room, change, by } => {
            let by = by.as_ref().map_or("the gateway", |by| &by.handle);
            format!("{by} changes {change:?} of {}", room.name)
        }
        Event::RoomCreated { room, owner, members } => {
            let owner = owner.as_ref().map_or("zed", |owner| &owner.handle);
            format!("{} is made by {owner} for {}", room.name, people(members).join(", "))
        }
        Event::RoomDeleted { room } => format!("{} is gone", room.name),
    }
}

fn looks(avatar: &str) -> String {
    if avatar.is_empty() { String::new() } else { format!(" looking like {avatar}") }
}

pub(crate) fn message(message: &Message) -> String {
    let to = match &message.to {
        Recipient::Room(room) => &*room.name,
        Recipient::User(person) => person.handle.as_str(),
    };
    format!("{} to {to}: {}", message.author.handle, message.text)
}

pub(crate) fn messages(all: &[Arc<Message>]) -> Vec<String> {
    all.iter().map(|said| message(said)).collect()
}

pub(crate) fn people(people: &[std::sync::Arc<Person>]) -> Vec<String> {
    people.iter().map(|person| person.handle.clone()).collect()
}

pub(crate) fn rooms(rooms: &[Arc<RoomView>]) -> Vec<String> {
    rooms.iter().map(|room| room.name.clone()).collect()
}

/// A refusal without the words that explain it.
pub(crate) fn refusal(refusal: &Refusal) -> Refusal {
    let why = String::new();
    match refusal {
        Refusal::Internal { .. } => Refusal::Internal { why },
        Refusal::InvalidHandle { .. } => Refusal::InvalidHandle { why },
        Refusal::InvalidIdentity { .. } => Refusal::InvalidIdentity { why },
        Refusal::InvalidRoomName { .. } => Refusal::InvalidRoomName { why },
        Refusal::TooLong { .. } => Refusal::TooLong { what: why.clone(), limit: why },
        Refusal::QuotaExceeded { max, .. } => Refusal::QuotaExceeded { what: why, max: *max },
        Refusal::RoomNotPublic { room, .. } => Refusal::RoomNotPublic { room: *room, why },
        Refusal::EmptyText
        | Refusal::HandleTaken
        | Refusal::IdentityTaken
        | Refusal::KeyReused
        | Refusal::Banned { .. }
        | Refusal::Barred { .. }
        | Refusal::Muted { .. }
        | Refusal::NotAllowed
        | Refusal::NotInRoom
        | Refusal::NotSignedIn
        | Refusal::Overloaded
        | Refusal::OwnerStays
        | Refusal::RoomFull
        | Refusal::RoomNameTaken
        | Refusal::SelfAddressed
        | Refusal::SlowDown { .. }
        | Refusal::TextTooLong { .. }
        | Refusal::TokenInvalid
        | Refusal::TooFewMembers
        | Refusal::Unsettled
        | Refusal::UnknownMessage
        | Refusal::UnknownRoom
        | Refusal::UnknownUser
        | Refusal::WrongPassword => refusal.clone(),
    }
}
