//! How the requests of an observer are answered.

use std::sync::Arc;

use core_model::{
    Command, ConnectionId, Detail, MessageId, Outcome, Person, Query, Refusal, Reply, RoomFilter,
    RoomRef, RoomView, Timestamp, UserRef, UserView,
};
use frontend_api::Output;

use super::Subject;
use crate::runtime::net::state::GatewayState;

/// The name of a guest that observes, and of an account.
pub(super) const OBSERVER: &str = "observer";

pub(super) fn of(
    state: &GatewayState,
    subject: &Subject,
    now: Timestamp,
    output: &Output,
) -> Outcome {
    match output {
        Output::Submit { command, .. } => command_of(subject, command),
        Output::Query { query } => query_of(state, subject, now, query),
        _ => Err(Refusal::NotAllowed),
    }
}

fn newest(subject: &Subject) -> MessageId {
    subject.messages.last().map(|message| message.id).unwrap_or_default()
}

/// The answer to a command as if it had been carried out.
fn command_of(subject: &Subject, command: &Command) -> Outcome {
    match command {
        Command::SignIn { .. } => Ok(Reply::SignedIn {
            user: observer(subject),
            token: Some(OBSERVER.into()),
            rooms: Vec::new(),
            backlog: Vec::new(),
            cursor: None,
            gap: None,
            skipped: Vec::new(),
        }),
        Command::Enter { .. } => Ok(Reply::Entered {
            room: room(subject)?.as_ref().clone(),
            user: subject.observer.clone(),
            again: false,
            cursor: newest(subject),
        }),
        Command::Join { .. } => Ok(Reply::Joined { room: room(subject)?.tag() }),
        Command::Receive { .. } => Ok(Reply::Received {
            messages: subject.messages.clone(),
            cursor: newest(subject),
            gap: None,
        }),
        _ => Err(Refusal::NotAllowed),
    }
}

fn observer(subject: &Subject) -> UserView {
    UserView { person: subject.observer.clone(), online: true, ..UserView::default() }
}

fn room(subject: &Subject) -> Result<&Arc<RoomView>, Refusal> {
    subject.room.as_ref().ok_or(Refusal::UnknownRoom)
}

fn query_of(state: &GatewayState, subject: &Subject, now: Timestamp, query: &Query) -> Outcome {
    let messages = || subject.messages.clone();
    Ok(match query {
        Query::History { .. } | Query::Excerpt { .. } => Reply::Messages { messages: messages() },
        Query::Missed { .. } => {
            Reply::Missed { messages: messages(), gap: None, more: false, cursor: newest(subject) }
        }
        Query::Conversations { .. } => Reply::Conversations { conversations: Vec::new() },
        Query::ReadMarker { .. } => Reply::ReadMarker { at: None },
        Query::LastChange => Reply::LastChange { at: now },
        Query::Members { .. } => members(subject.members.clone()),
        Query::Occupants { .. } => {
            let room = RoomRef::Id(room(subject)?.id);
            let query = Query::Occupants { room, caller: None };
            let asked = state.services.engine.query(now, ConnectionId(0), &query);
            asked.outcome.unwrap_or_else(|_| members(Vec::new()))
        }
        Query::Room { detail, .. } => Reply::Room { room: detailed(state, subject, now, *detail)? },
        Query::RoomIds { .. } => {
            Reply::RoomIds { rooms: subject.room.iter().map(|room| room.id).collect() }
        }
        Query::Rooms { filter: RoomFilter::Open, .. } if room(subject)?.closed => {
            Reply::Rooms { rooms: Vec::new() }
        }
        Query::Rooms { detail, .. } | Query::SearchRooms { detail, .. } => {
            Reply::Rooms { rooms: vec![detailed(state, subject, now, *detail)?] }
        }
        Query::User { user, .. } => Reply::User { user: user_of(subject, user)? },
    })
}

fn members(members: Vec<Arc<Person>>) -> Reply {
    Reply::Members { members, roles: Default::default() }
}

/// The room with as much detail as is asked for. Of a closed room only its members see more.
fn detailed(
    state: &GatewayState,
    subject: &Subject,
    now: Timestamp,
    detail: Detail,
) -> Result<Arc<RoomView>, Refusal> {
    let known = room(subject)?;
    let query = Query::Room { room: RoomRef::Id(known.id), caller: None, detail };
    match state.services.engine.query(now, ConnectionId(0), &query).outcome {
        Ok(Reply::Room { room }) => Ok(room),
        _ => Ok(known.clone()),
    }
}

fn user_of(subject: &Subject, user: &UserRef) -> Result<UserView, Refusal> {
    match user {
        UserRef::Session => Ok(observer(subject)),
        UserRef::Claim(claim) if claim.name == OBSERVER => {
            let handle = format!("{}{OBSERVER}", core_model::GUEST_PREFIX);
            let person = Person { handle, name: OBSERVER.into(), ..Person::default() };
            Ok(UserView { person: Arc::new(person), ..UserView::default() })
        }
        _ => subject.user.clone().ok_or(Refusal::UnknownUser),
    }
}
