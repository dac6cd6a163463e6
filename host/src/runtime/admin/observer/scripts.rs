//! What an observer asks in each dialect, as a client of that dialect would.

use core_model::{ConnectionId, Event, Person, Recipient, Recorded, Seq, Timestamp};
use frontend_api::http::Request;
use serde_json::{Value, json};

use super::answers::OBSERVER;
use super::{Script, Step, Subject};

/// Commands of the token dialect.
const LOGIN: u16 = 2;
const ENTER_ROOM: u16 = 4;

/// The room or the user, as a client sees it that asks.
pub(super) fn view(dialect: &str, subject: &Subject) -> Script {
    let shown = match (&subject.room, &subject.user) {
        (Some(room), None) => match dialect {
            "token" => vec![frame(ENTER_ROOM, 2, &room.id.0.to_be_bytes())],
            "usr_room" => vec![post("/search", &json!({ "key": room.id.0.to_string() }))],
            "chatroom" => vec![post("/chatroom/list", &json!({}))],
            "channel" => vec![post("/channel/list_users", &json!({ "name": room.name }))],
            "irc" => vec![Step::Text("LIST".into())],
            _ => Vec::new(),
        },
        (_, Some(user)) => {
            let person = &user.person;
            match dialect {
                "usr_room" => vec![post("/usr/info", &json!({ "openid": OBSERVER }))],
                "chatroom" => {
                    vec![post("/auth/user_data", &json!({ "user_name": person.handle }))]
                }
                "channel" => vec![post("/user/info", &json!({ "name": person.handle }))],
                "ourchat" => vec![text(&json!({
                    "code": 10,
                    "ocid": person.uid.unwrap_or_default().0,
                    "request_values": ["ocid", "nickname", "status", "avater", "time"],
                }))],
                "irc" => vec![Step::Text(format!("WHOIS {}", nick(&person.handle)))],
                _ => Vec::new(),
            }
        }
        (None, None) => Vec::new(),
    };
    Script { before: sign_in(dialect), shown }
}

/// The newest message, as it comes to a session in its room.
pub(super) fn pushed(dialect: &str, subject: &Subject, recorded: Recorded) -> Script {
    let mut before = sign_in(dialect);
    if let Some(room) = &subject.room
        && dialect == "irc"
    {
        before.push(Step::Text(format!("JOIN {}", channel(&room.name))));
    }
    Script { before, shown: vec![Step::Event(Box::new(recorded))] }
}

/// The newest message, as a client reads it that asks for messages.
pub(super) fn polled(dialect: &str, subject: &Subject) -> Script {
    let to = subject.messages.last().map(|message| &message.to);
    let shown = match (dialect, to) {
        ("usr_room", Some(Recipient::Room(room))) => {
            vec![post("/room/get_message", &json!({ "room_id": room.id.0 }))]
        }
        ("channel", Some(Recipient::Room(room))) => {
            vec![post("/channel/receive", &json!({ "name": &*room.name }))]
        }
        ("channel", Some(Recipient::User(_))) => vec![post("/receive", &json!({}))],
        _ => Vec::new(),
    };
    Script { before: Vec::new(), shown }
}

/// The user comes into a room: what the members of it see.
pub(super) fn entrance(subject: &Subject, at: Timestamp) -> Option<Recorded> {
    let (user, room) = (subject.user.as_ref()?, subject.room.as_ref()?);
    Some(Recorded {
        seq: Seq(0),
        at,
        cause: ConnectionId(0),
        event: Event::Entered {
            room: room.tag(),
            user: user.person.clone(),
            avatar: user.person.avatar.clone(),
            durable: true,
            opened: false,
            connection: None,
            elsewhere: false,
        },
    })
}

/// The sign-in, whose command is answered and not submitted.
fn sign_in(dialect: &str) -> Vec<Step> {
    match dialect {
        "token" => {
            let text = |text: &str| [&(text.len() as u16).to_be_bytes(), text.as_bytes()].concat();
            let body = [text(OBSERVER), text(OBSERVER), vec![0; 4], vec![0; 4]].concat();
            vec![frame(LOGIN, 1, &body)]
        }
        "ourchat" => vec![text(&json!({
            "code": 6, "login_type": 1, "account": "1", "password": OBSERVER,
        }))],
        "irc" => ["PASS observer", "NICK observer", "USER observer 0 * :observer"]
            .map(|line| Step::Text(line.into()))
            .into(),
        _ => Vec::new(),
    }
}

fn text(json: &Value) -> Step {
    Step::Text(json.to_string())
}

fn post(path: &str, body: &Value) -> Step {
    let headers = [("content-type", "application/json"), ("token", OBSERVER)];
    Step::Request(Box::new(Request {
        method: "POST".into(),
        path: path.into(),
        query: String::new(),
        headers: headers.map(|(name, value)| (name.into(), value.into())).into(),
        body: body.to_string().into_bytes(),
    }))
}

/// A frame of the token dialect.
fn frame(command: u16, sequence: u32, body: &[u8]) -> Step {
    let length = u32::try_from(6 + body.len()).unwrap_or(u32::MAX);
    let head = [&length.to_be_bytes()[..], &command.to_be_bytes(), &sequence.to_be_bytes()];
    Step::Bytes([&head.concat()[..], body].concat())
}

/// The channel of a room, in irc's own escapes.
fn channel(room: &str) -> String {
    format!("#{}", escaped(room, " ,\\", ""))
}

/// The nick of a handle, likewise.
fn nick(handle: &str) -> String {
    escaped(handle, " ,*?!@.\\", "#&$:~%+=")
}

fn escaped(name: &str, anywhere: &str, first: &str) -> String {
    let mut escaped = String::with_capacity(name.len());
    for (at, char) in name.char_indices() {
        let special = anywhere.contains(char) || (at == 0 && first.contains(char));
        if special || char.is_ascii_control() {
            escaped.push_str(&format!("\\{:02x}", u32::from(char)));
        } else {
            escaped.push(char);
        }
    }
    escaped
}

/// The account as which an observer is signed in: the recipient of a direct message, or one that
/// there is not.
pub(super) fn observer(recipient: Option<&Recipient>) -> Person {
    match recipient {
        Some(Recipient::User(person)) => (**person).clone(),
        _ => Person {
            uid: Some(core_model::Uid(u64::from(u32::MAX))),
            handle: OBSERVER.into(),
            name: OBSERVER.into(),
            ..Person::default()
        },
    }
}
