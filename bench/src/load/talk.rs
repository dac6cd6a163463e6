//! What each dialect says: how a connection gets into its room, and what a message looks like.

use std::net::{IpAddr, SocketAddr};

use super::frames::{masked_text, token_request};
use super::mark;

/// One connection: where it goes, what it speaks, and the room that it is in.
#[derive(Clone, Debug)]
pub struct Seat {
    pub address: SocketAddr,
    /// The path of a WebSocket; for the others nothing.
    pub path: String,
    /// The address that it comes from, where it matters.
    pub from: Option<IpAddr>,
    /// Who hears whom: those of one number. Not the server's number of the room.
    pub room: u32,
    /// Whether it says messages, or only listens.
    pub speaks: bool,
    pub talk: Talk,
}

impl Seat {
    /// One that speaks, from whatever address, and at the path `/`.
    pub fn new(address: SocketAddr, room: u32, talk: Talk) -> Self {
        let path = match talk {
            Talk::Floor { room } => format!("/{room}"),
            _ => "/".into(),
        };
        Self { address, path, from: None, room, speaks: true, talk }
    }
}

/// A dialect, and who speaks it.
#[derive(Clone, Debug)]
pub enum Talk {
    /// A guest on a chatroom WebSocket.
    Chatroom { room: String, user: String },
    /// A member of a group on an OurChat WebSocket.
    OurChat { account: String, password: String, group: u32 },
    /// Somebody by openid, in the binary token protocol.
    Token { openid: String, room: u32 },
    /// A floor: the room is the path of the WebSocket.
    Floor { room: u32 },
    /// Request and response on a connection that is kept.
    Http(HttpCall),
}

/// An HTTP request that is sent again and again.
#[derive(Clone, Debug)]
pub struct HttpCall {
    /// Whole requests, sent in turn. The first run of `~0000000000000000` in each is marked.
    pub requests: Vec<Vec<u8>>,
    /// What is in the body of every good response.
    pub expect: String,
}

impl HttpCall {
    /// A `GET`, or with a body a `POST` of JSON.
    pub fn request(target: &str, headers: &str, body: Option<&str>) -> Vec<u8> {
        let head = match body {
            None => format!("GET {target} HTTP/1.1\r\nHost: bench\r\n{headers}\r\n"),
            Some(body) => format!(
                "POST {target} HTTP/1.1\r\nHost: bench\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n{headers}\r\n",
                body.len()
            ),
        };
        (head + body.unwrap_or_default()).into_bytes()
    }

    /// The text of a message, of so many bytes, as it is to stand in a request.
    pub fn text(bytes: usize) -> String {
        mark::text(bytes)
    }
}

/// What a step on the way into a room came to.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Nothing that matters.
    Wait,
    /// This is to be said next.
    Say(Vec<u8>),
    /// It is in, and says its messages so: whole frames, sent in turn.
    In(Vec<Vec<u8>>),
    Failed(String),
}

/// Commands of the token dialect.
const LOGIN: u16 = 2;
const ENTER: u16 = 4;
const POST: u16 = 10;
const REPLY: u16 = 0x8000;

impl Talk {
    pub(super) fn is_websocket(&self) -> bool {
        match self {
            Self::Chatroom { .. } | Self::OurChat { .. } | Self::Floor { .. } => true,
            Self::Token { .. } | Self::Http(_) => false,
        }
    }

    /// The first thing to say, when connected and upgraded.
    pub(super) fn begin(&self, text_bytes: usize) -> Step {
        match self {
            Self::Chatroom { room, user } => {
                Step::Say(masked_text(&packet("join", room, user, "")))
            }
            Self::OurChat { account, password, .. } => {
                let (account, password) = (quoted(account), quoted(password));
                Step::Say(masked_text(&format!(
                    r#"{{"code":6,"login_type":0,"account":{account},"password":{password}}}"#
                )))
            }
            Self::Token { openid, .. } => {
                let mut body = string(openid);
                body.extend(string("bench"));
                body.extend(1i32.to_be_bytes());
                body.extend(0u32.to_be_bytes());
                Step::Say(token_request(LOGIN, &body))
            }
            Self::Floor { .. } => Step::In(vec![masked_text(&mark::text(text_bytes))]),
            Self::Http(call) => Step::In(call.requests.clone()),
        }
    }

    /// What follows from a message that is not marked, on the way in.
    pub(super) fn step(&self, message: &[u8], text_bytes: usize) -> Step {
        match self {
            Self::Chatroom { room, user } => {
                if let Some(failed) = self.complaint(message) {
                    return Step::Failed(failed);
                }
                let own = format!("\"user_name\":{}", quoted(user));
                match contains(message, &own) {
                    true => {
                        let text = mark::text(text_bytes);
                        Step::In(vec![masked_text(&packet("msg", room, user, &text))])
                    }
                    false => Step::Wait,
                }
            }
            Self::OurChat { group, .. } => our_chat_in(message, *group, text_bytes),
            Self::Token { room, .. } => token_in(message, *room, text_bytes),
            Self::Floor { .. } | Self::Http(_) => Step::Wait,
        }
    }

    /// Whether a message says that what was sent was not done, and why.
    pub(super) fn complaint(&self, message: &[u8]) -> Option<String> {
        let complains = match self {
            Self::Chatroom { .. } => message.starts_with(br#"{"type":"error""#),
            Self::OurChat { .. } => message.starts_with(br#"{"code":18"#),
            Self::Token { .. } => match message {
                [a, b, _, _, _, _, c, d, ..] => {
                    u16::from_be_bytes([*a, *b]) & REPLY != 0 && (*c, *d) != (0, 0)
                }
                _ => false,
            },
            Self::Floor { .. } | Self::Http(_) => false,
        };
        complains.then(|| String::from_utf8_lossy(message).into_owned())
    }

    /// Which message a complaint is about, where it says so.
    pub(super) fn refused(&self, complaint: &[u8]) -> Option<u32> {
        match (self, complaint) {
            (Self::Token { .. }, [_, _, a, b, c, d, ..]) => {
                Some(u32::from_be_bytes([*a, *b, *c, *d]))
            }
            _ => None,
        }
    }
}

/// A packet of the chatroom dialect.
fn packet(kind: &str, room: &str, user: &str, msg: &str) -> String {
    let (room, user) = (quoted(room), quoted(user));
    format!(
        r#"{{"type":"{kind}","data":{{"user":{{"user_name":{user},"user_avatar":""}},"room_name":{room},"msg":"{msg}"}}}}"#
    )
}

fn our_chat_in(message: &[u8], group: u32, text_bytes: usize) -> Step {
    if !message.starts_with(br#"{"code":7"#) {
        return match message.starts_with(br#"{"code":18"#) {
            true => Step::Failed(String::from_utf8_lossy(message).into_owned()),
            false => Step::Wait,
        };
    }
    let Some(ocid) = number_after(message, "\"ocid\":") else {
        return Step::Failed(String::from_utf8_lossy(message).into_owned());
    };
    let msg = mark::text(text_bytes);
    Step::In(vec![masked_text(&format!(
        r#"{{"code":0,"sender":{{"ocid":{ocid},"group_id":{group}}},"msg":"{msg}"}}"#
    ))])
}

/// Logs in, enters, and says something without a mark, after which messages are told.
fn token_in(message: &[u8], room: u32, text_bytes: usize) -> Step {
    let [a, b, _, _, _, _, c, d, ..] = message else { return Step::Wait };
    let post = |text: &str| {
        let mut body = room.to_be_bytes().to_vec();
        body.extend((text.len() as u32).to_be_bytes());
        body.extend(text.as_bytes());
        token_request(POST, &body)
    };
    match (u16::from_be_bytes([*a, *b]).wrapping_sub(REPLY), (*c, *d)) {
        (LOGIN, (0, 0)) => Step::Say(token_request(ENTER, &room.to_be_bytes())),
        (ENTER, (0, 0)) => Step::Say(post("hello")),
        (POST, (0, 0)) => Step::In(vec![post(&mark::text(text_bytes))]),
        (LOGIN | ENTER | POST, _) => Step::Failed(String::from_utf8_lossy(message).into_owned()),
        _ => Step::Wait,
    }
}

/// A `string` of the token dialect.
fn string(text: &str) -> Vec<u8> {
    let mut bytes = (text.len() as u16).to_be_bytes().to_vec();
    bytes.extend(text.as_bytes());
    bytes
}

fn quoted(text: &str) -> String {
    serde_json::to_string(text).expect("text is JSON")
}

fn contains(message: &[u8], text: &str) -> bool {
    memchr::memmem::find(message, text.as_bytes()).is_some()
}

fn number_after(message: &[u8], label: &str) -> Option<u64> {
    let at = memchr::memmem::find(message, label.as_bytes())? + label.len();
    let rest = std::str::from_utf8(&message[at..]).ok()?;
    let end = rest.find(|char: char| !char.is_ascii_digit()).unwrap_or(rest.len());
    rest[..end].parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_guest_is_in_when_it_hears_its_own_name() {
        let talk = Talk::Chatroom { room: "tea".into(), user: "g1".into() };
        let other = br#"{"type":"user","data":{"user":{"user_name":"g12","user_avatar":""}}}"#;
        assert_eq!(talk.step(other, 20), Step::Wait);
        let own = br#"{"type":"user","data":{"user":{"user_name":"g1","user_avatar":""}}}"#;
        assert!(matches!(talk.step(own, 20), Step::In(_)));
        let error = br#"{"type":"error","data":{"msg":"room full"}}"#;
        assert!(matches!(talk.step(error, 20), Step::Failed(_)));
    }

    #[test]
    fn a_member_is_in_when_logged_in() {
        let talk = Talk::OurChat { account: "a@b".into(), password: "x".into(), group: 7 };
        let Step::In(messages) = talk.step(br#"{"code":7,"time":1,"state":0,"ocid":10001}"#, 20)
        else {
            panic!("not in")
        };
        assert!(contains(&messages[0], r#""sender":{"ocid":10001,"group_id":7},"msg":"~0000"#));
        let wrong = talk.step(br#"{"code":7,"time":1,"state":1,"status":1}"#, 20);
        assert!(matches!(wrong, Step::Failed(_)));
    }

    #[test]
    fn a_reply_with_a_result_is_a_complaint() {
        let talk = Talk::Token { openid: "o".into(), room: 1 };
        assert_eq!(talk.complaint(&[0x80, 10, 0, 0, 0, 0, 0, 0, 0]), None);
        assert!(talk.complaint(&[0x80, 10, 0, 0, 0, 0, 0, 11, 0, 0]).is_some());
        let second = [0x80, 10, 0, 0, 0, 2, 0, 11, 0, 0];
        assert_eq!(talk.refused(&second), Some(2), "it names the message");
        assert_eq!(talk.complaint(&[0x40, 3, 0, 0, 0, 0, 0, 11]), None);
    }
}
