//! The command that almost all are: to post a message; and the answer and the event: it was posted.
//!
//! Serde reads an enum with a tag by putting all of it aside until it has seen the tag, which
//! takes longer than everything else that happens at the border. Here it is read as the gateway
//! lays it out. Laid out otherwise, by a gateway of another version, it is read as any JSON.

use core_model::{
    Claim, Command, ConnectionId, Event, Message, MessageId, Outcome, Person, PostRight, Recipient,
    Recorded, Reply, RoomId, RoomRef, RoomTag, Seq, Timestamp, Uid, UserRef,
};
use plugin_abi::lay::Lay;
use plugin_abi::scan::Scan;
use serde::Serialize;

/// A command to post that follows nothing and has no key, as serde lays out the call of it.
pub(crate) struct Post<'a> {
    room: &'a RoomRef,
    author: &'a UserRef,
    text: &'a str,
    standing: &'a PostRight,
}

impl<'a> Post<'a> {
    /// None: it is another command.
    pub(crate) fn of(command: &'a Command) -> Option<Self> {
        let Command::Post { room, author, text, standing } = command else { return None };
        Some(Self { room, author, text, standing })
    }

    pub(crate) fn lay(&self, brief: bool, json: &mut Vec<u8>) {
        let mut lay = Lay(json);
        match self.room {
            RoomRef::Id(room) => {
                lay.put(r#"{"command":{"do":"post","room":{"id":"#);
                lay.number(room.0.into());
            }
            RoomRef::Name(name) => {
                lay.put(r#"{"command":{"do":"post","room":{"name":"#);
                lay.string(name);
            }
        }
        lay.put(r#"},"author":"#);
        match self.author {
            UserRef::Session => lay.put(r#""session""#),
            UserRef::Claim(claim) => lay_claim(&mut lay, claim),
            other => lay_any(&mut lay, other),
        }
        lay.put(r#","text":"#);
        lay.string(self.text);
        lay.put(r#","standing":"#);
        match self.standing {
            PostRight::Seated => lay.put(r#""seated""#),
            other => lay_any(&mut lay, other),
        }
        lay.put(if brief { r#"},"brief":true}"# } else { "}}" });
    }
}

fn lay_claim(lay: &mut Lay<'_>, claim: &Claim) {
    let Claim { name, token, address, guests } = claim;
    lay.put(r#"{"claim":{"name":"#);
    lay.string(name);
    if let Some(token) = token {
        lay.put(r#","token":"#);
        lay_any(lay, token);
    }
    if let Some(address) = address {
        lay.put(r#","address":"#);
        lay.string(address);
    }
    lay.put(if *guests { r#","guests":true}}"# } else { r#","guests":false}}"# });
}

fn lay_any(lay: &mut Lay<'_>, value: &impl Serialize) {
    serde_json::to_writer(&mut *lay.0, value).expect("the model is plain data");
}

pub(crate) fn event(json: &str) -> Option<Recorded> {
    let mut scan = Scan::new(json);
    scan.take(r#"{"seq":"#)?;
    let seq = Seq(scan.number()?);
    scan.take(r#","at":"#)?;
    let at = Timestamp(scan.number()?);
    scan.take(r#","cause":"#)?;
    let cause = ConnectionId(scan.number()?);
    scan.take(r#","event":{"event":"posted","message":"#)?;
    let event = Event::Posted { message: message(&mut scan)? };
    scan.take("}}")?;
    scan.end()?;
    Some(Recorded { seq, at, cause, event })
}

pub(crate) fn outcome(json: &str) -> Option<Outcome> {
    if json == r#"{"Ok":{"did":"done"}}"# {
        return Some(Ok(Reply::Done));
    }
    let mut scan = Scan::new(json);
    scan.take(r#"{"Ok":{"did":"posted","message":"#)?;
    let reply = Reply::Posted { message: message(&mut scan)? };
    scan.take("}}")?;
    scan.end()?;
    Some(Ok(reply))
}

fn message(scan: &mut Scan<'_>) -> Option<Message> {
    scan.take(r#"{"id":"#)?;
    let id = MessageId(scan.number()?);
    scan.take(r#","at":"#)?;
    let at = Timestamp(scan.number()?);
    scan.take(r#","author":"#)?;
    let author = person(scan)?.into();
    scan.take(r#","to":{"#)?;
    let to = match scan.has(r#""room":"#) {
        true => Recipient::Room(room(scan)?),
        false => {
            scan.take(r#""user":"#)?;
            Recipient::User(person(scan)?.into())
        }
    };
    scan.take(r#"},"text":"#)?;
    let text = scan.string()?;
    scan.take("}")?;
    Some(Message { id, at, author, to, text })
}

fn person(scan: &mut Scan<'_>) -> Option<Person> {
    let mut person = Person::default();
    scan.take("{")?;
    if scan.has(r#""uid":"#) {
        person.uid = Some(Uid(scan.number()?));
        scan.take(",")?;
    }
    scan.take(r#""handle":"#)?;
    person.handle = scan.string()?;
    scan.take(r#","name":"#)?;
    person.name = scan.string()?;
    if scan.has(r#","avatar":"#) {
        person.avatar = scan.string()?;
    }
    if scan.has(r#","identities":"#) {
        person.identities = scan.strings()?;
    }
    scan.take("}")?;
    Some(person)
}

fn room(scan: &mut Scan<'_>) -> Option<RoomTag> {
    scan.take(r#"{"id":"#)?;
    let id = RoomId(scan.number()?.try_into().ok()?);
    scan.take(r#","name":"#)?;
    let name = scan.text()?.into();
    scan.take("}")?;
    Some(RoomTag { id, name })
}

#[cfg(test)]
mod tests {
    use core_model::TokenHash;
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
            let (id, at, author) = (MessageId(u64::MAX), Timestamp(0), author.clone().into());
            Message { id, at, author, to, text: "\u{0}\u{1f} \u{7f}\u{1f375}/".into() }
        };
        let room = Recipient::Room(RoomTag { id: RoomId(u32::MAX), name: "tea".into() });
        let people = people();
        let to = |person: &Person| Recipient::User(person.clone().into());
        people.iter().flat_map(|one| [message(one, room.clone()), message(one, to(one))]).collect()
    }

    /// If the model grows, this has to: it would be right all the same, and slow.
    #[test]
    fn what_the_host_writes_of_a_posted_message_is_read() {
        for message in messages() {
            let event = Event::Posted { message: message.clone() };
            let event = Recorded { seq: Seq(1), at: Timestamp(2), cause: ConnectionId(3), event };
            assert_eq!(super::event(&serde_json::to_string(&event).unwrap()), Some(event));
            let outcome: Outcome = Ok(Reply::Posted { message });
            assert_eq!(super::outcome(&serde_json::to_string(&outcome).unwrap()), Some(outcome));
        }
        let done: Outcome = Ok(Reply::Done);
        assert_eq!(super::outcome(&serde_json::to_string(&done).unwrap()), Some(done));
    }

    #[test]
    fn a_post_is_laid_out_as_serde_does_it() {
        let guest = Claim { name: "a\"b".into(), token: None, address: None, guests: true };
        let token = Some(TokenHash::of("session", "x"));
        let user = Claim { token, address: Some("::1".into()), guests: false, ..guest.clone() };
        let [guest, user] = [guest, user].map(UserRef::Claim);
        let authors = [UserRef::Session, UserRef::Id(Uid(10_001)), guest, user];
        let rooms = [RoomRef::Id(RoomId(u32::MAX)), RoomRef::Name("tea \"#\"".into())];
        let standings = [PostRight::Seated, PostRight::Member, PostRight::Joining { create: true }];
        let rooms = rooms.into_iter().cycle();
        for ((room, author), standing) in rooms.zip(authors).zip(standings.into_iter().cycle()) {
            let command = Command::Post { room, author, text: "hello\n".into(), standing };
            let mut json = Vec::new();
            Post::of(&command).unwrap().lay(false, &mut json);
            let by_serde = serde_json::to_string(&command).unwrap();
            let call = format!("{{\"command\":{by_serde}}}");
            assert_eq!(String::from_utf8(json).unwrap(), call);

            let (mut json, end) = (Vec::new(), ",\"brief\":true}");
            Post::of(&command).unwrap().lay(true, &mut json);
            assert_eq!(String::from_utf8(json).unwrap(), call[..call.len() - 1].to_owned() + end);
        }
        assert!(Post::of(&Command::SignOut).is_none());
    }

    #[test]
    fn what_is_laid_out_otherwise_is_left_to_serde() {
        let message = serde_json::to_value(&messages()[1]).unwrap();
        for other in [
            json!({ "Ok": { "did": "left" } }),
            json!({ "Ok": { "message": message, "later": 1, "did": "posted" } }),
            json!({ "Err": { "refused": "overloaded" } }),
        ] {
            assert_eq!(outcome(&other.to_string()), None, "{other}");
            assert_eq!(event(&other.to_string()), None, "{other}");
        }
    }
}
