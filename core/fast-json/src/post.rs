//! The command to post a message, as a plugin emits it: `{"command":{"do":"post",…},"brief":true}`.

use core_model::{Claim, Command, PostRight, RoomId, RoomRef, UserRef};
use serde::Deserialize;

use crate::json_reader::JsonReader;
use crate::json_writer::JsonWriter;

/// Appends a call that subscribes to nothing and has no idempotency key.
pub fn append_call(command: &Command, ack_only: bool, out: &mut Vec<u8>) {
    let mut json = JsonWriter(out);
    json.raw(r#"{"command":"#);
    match command {
        Command::Post { room, author, text, standing, notice: false } => {
            write_post(&mut json, room, author, text, standing);
        }
        other => json.value(other),
    }
    json.raw(if ack_only { r#","brief":true}"# } else { "}" });
}

fn write_post(
    json: &mut JsonWriter<'_>,
    room: &RoomRef,
    author: &UserRef,
    text: &str,
    right: &PostRight,
) {
    json.raw(r#"{"do":"post","room":"#);
    match room {
        RoomRef::Id(room) => {
            json.raw(r#"{"id":"#);
            json.number(room.0.into());
            json.raw("}");
        }
        RoomRef::Name(name) => {
            json.raw(r#"{"name":"#);
            json.string(name);
            json.raw("}");
        }
        RoomRef::Keyed { .. } => json.value(room),
    }
    json.raw(r#","author":"#);
    match author {
        UserRef::Session => json.raw(r#""session""#),
        UserRef::Claim(claim) => write_claim(json, claim),
        other => json.value(other),
    }
    json.raw(r#","text":"#);
    json.string(text);
    json.raw(r#","standing":"#);
    match right {
        PostRight::Seated => json.raw(r#""seated""#),
        other => json.value(other),
    }
    json.raw("}");
}

fn write_claim(json: &mut JsonWriter<'_>, claim: &Claim) {
    let Claim { name, token, address, address_left_min_ms, guests } = claim;
    json.raw(r#"{"claim":{"name":"#);
    json.string(name);
    if let Some(token) = token {
        json.raw(r#","token":"#);
        json.value(token);
    }
    if let Some(address) = address {
        json.raw(r#","address":"#);
        json.string(address);
    }
    if *address_left_min_ms > 0 {
        json.raw(r#","address_left_min_ms":"#);
        json.number(*address_left_min_ms);
    }
    json.raw(if *guests { r#","guests":true}}"# } else { r#","guests":false}}"# });
}

/// Reads a post in the layout of [`append_call`], and whether only an acknowledgement is wanted.
///
/// `None`: it is another command, has a subscription or a key, or is laid out otherwise.
pub fn read_post(json: &str) -> Option<(Box<Command>, bool)> {
    let mut reader = JsonReader::new(json);
    reader.literal(r#"{"command":{"do":"post","room":{"#)?;
    let room = if reader.accept(r#""id":"#) {
        RoomRef::Id(RoomId(reader.number()?.try_into().ok()?))
    } else {
        reader.literal(r#""name":"#)?;
        RoomRef::Name(reader.string()?)
    };
    reader.literal(r#"},"author":"#)?;
    let author = if reader.accept(r#""session""#) {
        UserRef::Session
    } else if reader.accept(r#"{"claim":"#) {
        UserRef::Claim(read_claim(&mut reader)?)
    } else {
        read_value(&mut reader)?
    };
    reader.literal(r#","text":"#)?;
    let text = reader.string()?;
    reader.literal(r#","standing":"#)?;
    let standing =
        if reader.accept(r#""seated""#) { PostRight::Seated } else { read_value(&mut reader)? };
    reader.literal("}")?;
    let ack_only = reader.accept(r#","brief":true"#);
    reader.literal("}")?;
    reader.end()?;
    Some((Box::new(Command::Post { room, author, text, standing, notice: false }), ack_only))
}

/// Reads a claim and the brace after it.
fn read_claim(reader: &mut JsonReader<'_>) -> Option<Claim> {
    reader.literal(r#"{"name":"#)?;
    let name = reader.string()?;
    let token = if reader.accept(r#","token":"#) { Some(read_value(reader)?) } else { None };
    let address = if reader.accept(r#","address":"#) { Some(reader.string()?) } else { None };
    let address_left_min_ms =
        if reader.accept(r#","address_left_min_ms":"#) { reader.number()? } else { 0 };
    reader.literal(r#","guests":"#)?;
    let guests = reader.accept("true");
    if !guests {
        reader.literal("false")?;
    }
    reader.literal("}}")?;
    Some(Claim { name, token, address, address_left_min_ms, guests })
}

fn read_value<'a, T: Deserialize<'a>>(reader: &mut JsonReader<'a>) -> Option<T> {
    serde_json::from_str(reader.value()?).ok()
}

#[cfg(test)]
mod tests {
    use core_model::{TokenHash, Uid};

    use super::*;

    fn posts() -> impl Iterator<Item = Command> {
        let name = "a\"b".into();
        let guest =
            Claim { name, token: None, address: None, address_left_min_ms: 0, guests: true };
        let token = Some(TokenHash::of("session", "x"));
        let user = Claim {
            token,
            address: Some("::1".into()),
            address_left_min_ms: 7,
            guests: false,
            ..guest.clone()
        };
        let [guest, user] = [guest, user].map(UserRef::Claim);
        let authors = [UserRef::Session, UserRef::Id(Uid(10_001)), guest, user];
        let rooms = [RoomRef::Id(RoomId(u32::MAX)), RoomRef::Name("tea \"#\"".into())];
        let rights = [PostRight::Seated, PostRight::Member, PostRight::Joining { create: true }];
        let pairs = authors.into_iter().flat_map(move |author| {
            let author = std::iter::repeat(author);
            author.zip(rooms.clone()).collect::<Vec<_>>()
        });
        pairs.flat_map(move |(author, room)| {
            rights.clone().map(|standing| {
                let text = "}\\\n\"".to_owned();
                Command::Post {
                    room: room.clone(),
                    author: author.clone(),
                    text,
                    standing,
                    notice: false,
                }
            })
        })
    }

    fn written(command: &Command, ack_only: bool) -> String {
        let mut json = Vec::new();
        append_call(command, ack_only, &mut json);
        String::from_utf8(json).unwrap()
    }

    #[test]
    fn a_post_is_written_as_serde_writes_it_and_read_back() {
        for command in posts() {
            let by_serde = serde_json::to_string(&command).unwrap();
            let full = written(&command, false);
            assert_eq!(full, format!(r#"{{"command":{by_serde}}}"#));
            assert_eq!(read_post(&full), Some((Box::new(command.clone()), false)));
            let ack_only = written(&command, true);
            assert_eq!(ack_only, format!(r#"{{"command":{by_serde},"brief":true}}"#));
            assert_eq!(read_post(&ack_only), Some((Box::new(command), true)));
        }
    }

    #[test]
    fn another_command_is_written_and_left_to_serde_to_read() {
        let json = written(&Command::SignOut { reason: String::new() }, true);
        assert_eq!(json, r#"{"command":{"do":"sign_out"},"brief":true}"#);
        assert_eq!(read_post(&json), None);
    }

    #[test]
    fn a_post_in_another_layout_is_left_to_serde() {
        for command in posts() {
            let json = written(&command, false);
            for other in [
                json.replace("\"do\"", " \"do\""),
                json.replacen('}', ",\"later\":1}", 1),
                json[..json.len() - 1].to_owned() + r#","follow":"seat"}"#,
                json[..json.len() - 1].to_owned() + r#","key":"once"}"#,
                json[..json.len() - 1].to_owned(),
                json + " ",
            ] {
                assert_eq!(read_post(&other), None, "{other}");
            }
        }
    }
}
