//! Encodes the engine's answers and events as frames.

use core_model::{Event, Message, Outcome, Person, Recipient, Recorded, Reply, RoomTag};
use frontend_api::json;

use crate::fields::{
    self, Code, FAILURE, Field, HEADER, NOTIFICATIONS, News, Operation, REPLY, RESULT, Value, Verb,
};
use crate::info;
use crate::parse::Header;
use crate::refusal;

/// The maximum length of a reason in characters.
const REASON_CHARS_MAX: usize = 1_000;

/// Encodes the engine's answer to a request as its reply. `room_id` is the request's.
pub(crate) fn reply(verb: Verb, sequence: u32, room_id: u32, outcome: &Outcome) -> Vec<u8> {
    let header = Header { command: verb as u16, sequence };
    let reply = match outcome {
        Ok(reply) => reply,
        Err(refusal) => return failure(header, refusal::code(refusal), &refusal.to_string()),
    };
    match (verb, reply) {
        (Verb::CreateAccount, Reply::Registered { user, .. })
        | (Verb::Login, Reply::SignedIn { user, .. }) => {
            let info = info::of_user(user);
            success(verb, sequence, &[Value::U64(uid(&user.person)), Value::Text(&info)])
        }
        (Verb::CreateRoom | Verb::CreateRoomOnce, Reply::RoomCreated { room })
        | (Verb::EnterRoom, Reply::Entered { room, .. }) => {
            let info = info::of_room(room);
            success(verb, sequence, &[Value::U32(room.id.0), Value::Text(&info)])
        }
        (Verb::RoomList, Reply::RoomIds { rooms }) => {
            let rooms = rooms.iter().map(|room| room.0).collect();
            success(verb, sequence, &[Value::Array(rooms)])
        }
        (Verb::LeaveRoom, Reply::Done) => success(verb, sequence, &[Value::U32(room_id)]),
        (Verb::LeaveApplication, Reply::Done) => success(verb, sequence, &[]),
        (Verb::ApplyForToken, Reply::TokenIssued { token }) => match token.parse() {
            Ok(token) => success(verb, sequence, &[Value::U64(token)]),
            Err(_) => failure(header, Code::Server, "the token is no number"),
        },
        (Verb::PostMessage | Verb::PostOnce, Reply::Posted { message }) => {
            success(verb, sequence, &[Value::U64(message.id.0)])
        }
        (Verb::CatchUp, Reply::Missed { messages, gap, more, cursor }) => {
            let count = u16::try_from(messages.len()).expect("no more were asked for");
            let gap_before = gap.map_or(0, |gap| gap.before.0);
            let gap_count = gap.and_then(|gap| gap.count).unwrap_or(0);
            let body = [
                Value::U32(room_id),
                Value::U16(count),
                Value::U8(u8::from(*more)),
                Value::U64(gap_before),
                Value::U64(gap_count),
                Value::U64(cursor.0),
            ];
            success(verb, sequence, &body)
        }
        _ => failure(header, Code::Server, "the gateway answered something else"),
    }
}

/// A reply with result OK.
pub(crate) fn success(verb: Verb, sequence: u32, body: &[Value<'_>]) -> Vec<u8> {
    let header = Header { command: verb as u16, sequence };
    reply_frame(header, Code::Ok, Operation::of_verb(verb).reply, body)
}

/// A reply with an error result and the reason, cut to the maximum length.
pub(crate) fn failure(header: Header, code: Code, reason: &str) -> Vec<u8> {
    let cut = reason.char_indices().nth(REASON_CHARS_MAX).map_or(reason.len(), |(at, _)| at);
    reply_frame(header, code, FAILURE, &[Value::Text(&reason[..cut])])
}

/// Encodes an event as a notification, if this dialect has one for it.
pub(crate) fn notification(recorded: &Recorded) -> Option<Vec<u8>> {
    match &recorded.event {
        Event::Posted { message } => posted(message),
        Event::Entered { room, user, .. } => Some(member_changed(room, user, true)),
        Event::Left { room, user, .. } => Some(member_changed(room, user, false)),
        Event::PopulationChanged { room, population } => {
            Some(news(News::PopulationChanged, &[Value::U32(room.id.0), Value::U32(*population)]))
        }
        Event::RoomChanged { .. }
        | Event::RoleChanged { .. }
        | Event::PolicyChanged { .. }
        | Event::MessageDeleted { .. }
        | Event::RoomCreated { .. }
        | Event::RoomDeleted { .. } => None,
    }
}

/// The notification of a message in a room.
pub(crate) fn posted(message: &Message) -> Option<Vec<u8>> {
    let Recipient::Room(room) = &message.to else { return None };
    let body = [
        Value::U32(room.id.0),
        Value::U64(uid(&message.author)),
        Value::U64(message.id.0),
        Value::U64(message.at.0),
        Value::Text(&message.text),
    ];
    Some(news(News::Message, &body))
}

fn member_changed(room: &RoomTag, user: &Person, entered: bool) -> Vec<u8> {
    let name = if user.uid.is_some() { &user.name } else { &user.handle };
    let info = info::MemberInfo { name };
    let info = json::to_string(&info).expect("a name is plain data");
    let body = [
        Value::U32(room.id.0),
        Value::U64(uid(user)),
        Value::U8(u8::from(entered)),
        Value::Text(&info),
    ];
    news(News::MemberChanged, &body)
}

/// The uid of a user; 0 for a guest, which has none.
fn uid(person: &Person) -> u64 {
    person.uid.map_or(0, |uid| uid.0)
}

fn news(news: News, body: &[Value<'_>]) -> Vec<u8> {
    let row = NOTIFICATIONS.iter().find(|row| row.news == news).expect("all news have a row");
    let header = Header { command: row.command(), sequence: 0 };
    frame(header, |frame| fields::write(row.body, body, frame))
}

/// Sets the top bit of the command, which marks a reply, even if the command has it already.
fn reply_frame(header: Header, code: Code, fields: &[Field], body: &[Value<'_>]) -> Vec<u8> {
    let header = Header { command: header.command | REPLY, ..header };
    frame(header, |frame| {
        fields::write(RESULT, &[Value::U16(code as u16)], frame);
        fields::write(fields, body, frame);
    })
}

fn frame(header: Header, rest: impl FnOnce(&mut Vec<u8>)) -> Vec<u8> {
    let mut frame = Vec::new();
    let begin = [Value::U32(0), Value::U16(header.command), Value::U32(header.sequence)];
    fields::write(HEADER, &begin, &mut frame);
    rest(&mut frame);
    // The first field is the number of bytes after it.
    let length = u32::try_from(frame.len() - 4).expect("no frame is of 4 GiB");
    frame[..4].copy_from_slice(&length.to_be_bytes());
    frame
}
