//! The dialects: how a connection joins its room, and the format of a message.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::pki_types::ServerName;

use super::frames::{masked_text, token_request};
use super::mark;

/// One connection: its address, its dialect and its room.
#[derive(Clone, Debug)]
pub struct Seat {
    pub address: SocketAddr,
    /// The path of a WebSocket; empty for the others.
    pub path: String,
    /// The local address to bind, if it matters.
    pub from: Option<IpAddr>,
    /// Connections with the same number receive each other's messages. Not the server's room id.
    pub room: u32,
    /// Whether it posts messages, or only listens.
    pub speaks: bool,
    /// How TLS is spoken, if it is.
    pub encryption: Option<Encryption>,
    pub talk: Talk,
}

impl Seat {
    /// A seat that posts, from any local address, at the path `/`.
    pub fn new(address: SocketAddr, room: u32, talk: Talk) -> Self {
        let path = match talk {
            Talk::Floor { room } => format!("/{room}"),
            _ => "/".into(),
        };
        Self { address, path, from: None, room, speaks: true, encryption: None, talk }
    }
}

/// The client's side of TLS.
#[derive(Clone, Debug)]
pub struct Encryption {
    pub config: Arc<ClientConfig>,
    /// The host to ask for.
    pub host: ServerName<'static>,
}

/// A dialect, with the user of the connection.
#[derive(Clone, Debug)]
pub enum Talk {
    /// A guest on a chatroom WebSocket.
    Chatroom { room: String, user: String },
    /// A member of a group on an OurChat WebSocket.
    OurChat { account: String, password: String, group: u32 },
    /// A user by openid, in the binary token protocol.
    Token { openid: String, room: u32 },
    /// A floor: the room is the path of the WebSocket.
    Floor { room: u32 },
    /// Request and response on a persistent connection.
    Http(HttpCall),
}

/// An HTTP request that is sent repeatedly.
#[derive(Clone, Debug)]
pub struct HttpCall {
    /// Whole requests, sent in turn. The first run of `~0000000000000000` in each is marked.
    pub requests: Vec<Vec<u8>>,
    /// A text in the body of every good response.
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

    /// The text of a message of `bytes` bytes, as part of a request.
    pub fn text(bytes: usize) -> String {
        mark::text(bytes)
    }
}

/// The next step on the way into a room.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Step {
    /// Wait for more.
    Wait,
    /// Send this.
    Say(Vec<u8>),
    /// Joined; posts these messages: whole frames, sent in turn.
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

    /// The first message after connecting and upgrading.
    pub(super) fn begin(&self, text_bytes: usize) -> Step {
        match self {
            Self::Chatroom { room, user } => {
                Step::Say(masked_text(&packet("join", room, user, "")))
            }
            Self::OurChat { account, password, .. } => {
                let account = quoted(account);
                let password = quoted(password);
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

    /// The step that follows from an unmarked message while joining.
    pub(super) fn step(&self, message: &[u8], text_bytes: usize) -> Step {
        match self {
            Self::Chatroom { room, user } => {
                if let Some(failed) = self.complaint(message) {
                    return Step::Failed(failed);
                }
                let own = format!("\"user_name\":{}", quoted(user));
                if !contains(message, &own) {
                    return Step::Wait;
                }
                let text = mark::text(text_bytes);
                Step::In(vec![masked_text(&packet("msg", room, user, &text))])
            }
            Self::OurChat { group, .. } => our_chat_in(message, *group, text_bytes),
            Self::Token { room, .. } => token_in(message, *room, text_bytes),
            Self::Floor { .. } | Self::Http(_) => Step::Wait,
        }
    }

    /// The reason, if a message reports that a request failed.
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

    /// The number of the refused message, if the reply has it.
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
    let room = quoted(room);
    let user = quoted(user);
    format!(
        r#"{{"type":"{kind}","data":{{"user":{{"user_name":{user},"user_avatar":""}},"room_name":{room},"msg":"{msg}"}}}}"#
    )
}

fn our_chat_in(message: &[u8], group: u32, text_bytes: usize) -> Step {
    if !message.starts_with(br#"{"code":7"#) {
        if !message.starts_with(br#"{"code":18"#) {
            return Step::Wait;
        }
        return Step::Failed(String::from_utf8_lossy(message).into_owned());
    }
    let Some(ocid) = number_after(message, "\"ocid\":") else {
        return Step::Failed(String::from_utf8_lossy(message).into_owned());
    };
    let msg = mark::text(text_bytes);
    Step::In(vec![masked_text(&format!(
        r#"{{"code":0,"sender":{{"ocid":{ocid},"group_id":{group}}},"msg":"{msg}"}}"#
    ))])
}

/// Logs in, enters, and posts without a mark; from then on the server sends notifications.
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
