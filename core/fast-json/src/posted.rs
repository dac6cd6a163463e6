//! A posted message, as the gateway gives it to a plugin: the event, and the answer to the post.

use core_model::{
    ConnectionId, Event, Message, MessageId, Outcome, Person, Recipient, Recorded, Reply, RoomId,
    RoomTag, Seq, Timestamp, Uid,
};

use crate::json_reader::JsonReader;
use crate::json_writer::JsonWriter;

/// The answer to a command that has nothing to return, or whose sender wants no more.
const DONE: &str = r#"{"Ok":{"did":"done"}}"#;

/// Appends an event.
pub fn append_event(recorded: &Recorded, out: &mut Vec<u8>) {
    let mut json = JsonWriter(out);
    let Recorded { seq, at, cause, event: Event::Posted { message } } = recorded else {
        return json.value(recorded);
    };
    json.raw(r#"{"seq":"#);
    json.number(seq.0);
    json.raw(r#","at":"#);
    json.number(at.0);
    json.raw(r#","cause":"#);
    json.number(cause.0);
    json.raw(r#","event":{"event":"posted","message":"#);
    write_message(&mut json, message);
    json.raw("}}");
}

/// Appends the answer to a command or a query.
pub fn append_outcome(outcome: &Outcome, out: &mut Vec<u8>) {
    let mut json = JsonWriter(out);
    match outcome {
        Ok(Reply::Posted { message }) => {
            json.raw(r#"{"Ok":{"did":"posted","message":"#);
            write_message(&mut json, message);
            json.raw("}}");
        }
        Ok(Reply::Done) => json.raw(DONE),
        other => json.value(other),
    }
}

fn write_message(json: &mut JsonWriter<'_>, message: &Message) {
    let Message { id, at, author, to, text, notice } = message;
    json.raw(r#"{"id":"#);
    json.number(id.0);
    json.raw(r#","at":"#);
    json.number(at.0);
    json.raw(r#","author":"#);
    write_person(json, author);
    match to {
        Recipient::Room(RoomTag { id, name, closed: _ }) => {
            json.raw(r#","to":{"room":{"id":"#);
            json.number(id.0.into());
            json.raw(r#","name":"#);
            json.string(name);
            json.raw("}");
        }
        Recipient::User(user) => {
            json.raw(r#","to":{"user":"#);
            write_person(json, user);
        }
    }
    json.raw(r#"},"text":"#);
    json.string(text);
    json.raw(if *notice { r#","notice":true}"# } else { "}" });
}

fn write_person(json: &mut JsonWriter<'_>, person: &Person) {
    let Person { uid, handle, name, avatar, identities } = person;
    json.raw("{");
    if let Some(uid) = uid {
        json.raw(r#""uid":"#);
        json.number(uid.0);
        json.raw(",");
    }
    json.raw(r#""handle":"#);
    json.string(handle);
    json.raw(r#","name":"#);
    json.string(name);
    if !avatar.is_empty() {
        json.raw(r#","avatar":"#);
        json.string(avatar);
    }
    if !identities.is_empty() {
        json.raw(r#","identities":"#);
        json.strings(identities);
    }
    json.raw("}");
}

/// Reads an event. `None`: it is not a posted message, or is laid out otherwise.
pub fn read_event(json: &str) -> Option<Recorded> {
    let mut reader = JsonReader::new(json);
    reader.literal(r#"{"seq":"#)?;
    let seq = Seq(reader.number()?);
    reader.literal(r#","at":"#)?;
    let at = Timestamp(reader.number()?);
    reader.literal(r#","cause":"#)?;
    let cause = ConnectionId(reader.number()?);
    reader.literal(r#","event":{"event":"posted","message":"#)?;
    let event = Event::Posted { message: read_message(&mut reader)? };
    reader.literal("}}")?;
    reader.end()?;
    Some(Recorded { seq, at, cause, event })
}

/// Reads an answer. `None`: it is neither a posted message nor done, or is laid out otherwise.
pub fn read_outcome(json: &str) -> Option<Outcome> {
    if json == DONE {
        return Some(Ok(Reply::Done));
    }
    let mut reader = JsonReader::new(json);
    reader.literal(r#"{"Ok":{"did":"posted","message":"#)?;
    let reply = Reply::Posted { message: read_message(&mut reader)? };
    reader.literal("}}")?;
    reader.end()?;
    Some(Ok(reply))
}

fn read_message(reader: &mut JsonReader<'_>) -> Option<Message> {
    reader.literal(r#"{"id":"#)?;
    let id = MessageId(reader.number()?);
    reader.literal(r#","at":"#)?;
    let at = Timestamp(reader.number()?);
    reader.literal(r#","author":"#)?;
    let author = read_person(reader)?.into();
    reader.literal(r#","to":{"#)?;
    let to = if reader.accept(r#""room":"#) {
        Recipient::Room(read_room(reader)?)
    } else {
        reader.literal(r#""user":"#)?;
        Recipient::User(read_person(reader)?.into())
    };
    reader.literal(r#"},"text":"#)?;
    let text = reader.string()?;
    let notice = reader.accept(r#","notice":true"#);
    reader.literal("}")?;
    Some(Message { id, at, author, to, text, notice })
}

fn read_person(reader: &mut JsonReader<'_>) -> Option<Person> {
    let mut person = Person::default();
    reader.literal("{")?;
    if reader.accept(r#""uid":"#) {
        person.uid = Some(Uid(reader.number()?));
        reader.literal(",")?;
    }
    reader.literal(r#""handle":"#)?;
    person.handle = reader.string()?;
    reader.literal(r#","name":"#)?;
    person.name = reader.string()?;
    if reader.accept(r#","avatar":"#) {
        person.avatar = reader.string()?;
    }
    if reader.accept(r#","identities":"#) {
        person.identities = reader.strings()?;
    }
    reader.literal("}")?;
    Some(person)
}

fn read_room(reader: &mut JsonReader<'_>) -> Option<RoomTag> {
    reader.literal(r#"{"id":"#)?;
    let id = RoomId(reader.number()?.try_into().ok()?);
    reader.literal(r#","name":"#)?;
    let name = reader.text()?.into();
    reader.literal("}")?;
    Some(RoomTag { id, name, closed: false })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn people() -> Vec<Person> {
        let ann = Person {
            uid: Some(Uid(10_001)),
            handle: "ann \"\\\n".into(),
            name: "\u{8336}".into(),
            ..Person::default()
        };
        let identities = vec!["tel/1".to_owned(), "email/a@b".to_owned()];
        let avatar = "https://example.org/a".to_owned();
        vec![Person::default(), ann.clone(), Person { identities, avatar, ..ann }]
    }

    fn messages() -> Vec<Message> {
        let message = |author: &Person, to: Recipient| {
            let author = author.clone().into();
            let text = "\u{0}\u{1f} \u{7f}\u{1f375}/\n and so on".into();
            Message { id: MessageId(u64::MAX), at: Timestamp(0), author, to, text, notice: false }
        };
        let room =
            Recipient::Room(RoomTag { id: RoomId(u32::MAX), name: "tea".into(), closed: false });
        let people = people();
        let to = |person: &Person| Recipient::User(person.clone().into());
        people.iter().flat_map(|one| [message(one, room.clone()), message(one, to(one))]).collect()
    }

    #[track_caller]
    fn check_event(event: &Recorded) -> String {
        let mut json = Vec::new();
        append_event(event, &mut json);
        let json = String::from_utf8(json).unwrap();
        assert_eq!(json, serde_json::to_string(event).unwrap());
        json
    }

    #[track_caller]
    fn check_outcome(outcome: &Outcome) -> String {
        let mut json = Vec::new();
        append_outcome(outcome, &mut json);
        let json = String::from_utf8(json).unwrap();
        assert_eq!(json, serde_json::to_string(outcome).unwrap());
        json
    }

    /// Fails if the model gets a new field that the layout does not have.
    #[test]
    fn a_posted_message_is_written_as_serde_writes_it_and_read_back() {
        for message in messages() {
            let event = Event::Posted { message: message.clone() };
            let event = Recorded { seq: Seq(1), at: Timestamp(2), cause: ConnectionId(3), event };
            assert_eq!(read_event(&check_event(&event)), Some(event));
            let outcome = Ok(Reply::Posted { message });
            assert_eq!(read_outcome(&check_outcome(&outcome)), Some(outcome));
        }
        let done = Ok(Reply::Done);
        assert_eq!(read_outcome(&check_outcome(&done)), Some(done));
    }

    #[test]
    fn other_events_and_answers_are_written_as_serde_writes_them() {
        let event = Event::PopulationChanged { room: RoomTag::default(), population: 1 };
        let event = Recorded { seq: Seq(1), at: Timestamp(2), cause: ConnectionId(3), event };
        assert_eq!(read_event(&check_event(&event)), None);
        let refused = Err(core_model::Refusal::UnknownRoom);
        assert_eq!(read_outcome(&check_outcome(&refused)), None);
    }

    #[test]
    fn another_layout_is_left_to_serde() {
        let message = serde_json::to_value(&messages()[1]).unwrap();
        for other in [
            json!({ "Ok": { "did": "left" } }),
            json!({ "Ok": { "message": message, "later": 1, "did": "posted" } }),
            json!({ "Err": { "refused": "overloaded" } }),
        ] {
            assert_eq!(read_outcome(&other.to_string()), None, "{other}");
            assert_eq!(read_event(&other.to_string()), None, "{other}");
        }
    }
}
