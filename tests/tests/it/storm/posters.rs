//! Clients that post: each text until it is acknowledged, with the same name, over as many
//! connections as it takes.

use std::io;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::Sender;

use gateway_tests::token::{ENTER_ROOM, LOGIN, POST_ONCE, Token, json as text_of, string};
use serde_json::{Value, json};

use super::network::Network;
use super::wire::{Lines, Packets, broken, join, post};
use super::{CHANNEL, CHATROOM, IRC, OURCHAT, PASSWORD, ROOM, ROOM_ID, TOKEN, USR_ROOM};

/// A connection of a dialect that posts.
pub(crate) trait Post {
    /// Posts a text under a name. An error: whether it was posted is not known.
    fn post(&mut self, text: &str, name: &str) -> io::Result<()>;
}

pub(crate) type Open = fn(&Network, &str) -> io::Result<Box<dyn Post>>;

/// Each poster: what its texts begin with, how it connects, and whether it can repeat a post.
pub(crate) const POSTERS: [(&str, Open, bool); 7] = [
    ("token-a", |network, who| TokenPoster::open(network, who), true),
    ("token-b", |network, who| TokenPoster::open(network, who), true),
    ("chatroom", |network, who| ChatroomPoster::open(network, who), true),
    ("ourchat", |network, who| OurchatPoster::open(network, who), true),
    ("channel", |network, who| ChannelPoster::open(network, who), true),
    ("usr_room", |network, who| UsrRoomPoster::open(network, who), true),
    ("irc", |network, who| IrcPoster::open(network, who), false),
];

/// What became of the texts of a poster.
#[derive(Default)]
pub(super) struct Posted {
    pub(super) acknowledged: Vec<String>,
    /// Not repeated, as the dialect has no name for a message.
    pub(super) unknown: Vec<String>,
    /// Attempts that were repeats.
    pub(super) repeated: usize,
}

/// Posts until it is stopped, and tells of each acknowledgement.
pub(super) fn run(
    network: &Network,
    (who, open, can_repeat): (&str, Open, bool),
    stop: &AtomicBool,
    news: &Sender<()>,
) -> Posted {
    let mut posted = Posted::default();
    let mut connection = None;
    for number in 0.. {
        if stop.load(Ordering::SeqCst) {
            break;
        }
        let text = format!("{who}-{number}");
        loop {
            let attempt = match &mut connection {
                Some(connection) => Some(connection),
                None => open(network, who).ok().map(|opened| connection.insert(opened)),
            };
            let Some(attempt) = attempt else { continue };
            match attempt.post(&text, &text) {
                Ok(()) => {
                    posted.acknowledged.push(text);
                    let _ = news.send(());
                    break;
                }
                Err(_) => connection = None,
            }
            if !can_repeat {
                posted.unknown.push(text);
                break;
            }
            posted.repeated += 1;
        }
    }
    posted
}

struct TokenPoster(Token);

impl TokenPoster {
    fn open(network: &Network, who: &str) -> io::Result<Box<dyn Post>> {
        let mut token = Token::over(network.connect(TOKEN)?);
        log_in(&mut token, who)?;
        call(&mut token, ENTER_ROOM, &ROOM_ID.to_be_bytes())?;
        Ok(Box::new(Self(token)))
    }
}

impl Post for TokenPoster {
    fn post(&mut self, text: &str, name: &str) -> io::Result<()> {
        let body = [&ROOM_ID.to_be_bytes()[..], &string(name), &text_of(text)].concat();
        call(&mut self.0, POST_ONCE, &body).map(drop)
    }
}

pub(super) fn log_in(token: &mut Token, openid: &str) -> io::Result<()> {
    let body =
        [string(openid), string("storm"), 1_i32.to_be_bytes().to_vec(), text_of("")].concat();
    call(token, LOGIN, &body).map(drop)
}

/// The body of a success.
pub(super) fn call(token: &mut Token, command: u16, body: &[u8]) -> io::Result<Vec<u8>> {
    let reply = token.try_call(command, body)?;
    if reply.result == Some(0) { Ok(reply.body) } else { Err(broken(format!("{reply:?}"))) }
}

struct ChatroomPoster {
    packets: Packets,
    who: String,
}

impl ChatroomPoster {
    fn open(network: &Network, who: &str) -> io::Result<Box<dyn Post>> {
        let mut packets = Packets::open(network, CHATROOM)?;
        packets.send(&join(who, None))?;
        let mut poster = Self { packets, who: who.into() };
        poster.until(|packet| packet["data"]["user"]["user_name"] == who)?;
        Ok(Box::new(poster))
    }

    fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> io::Result<()> {
        loop {
            let packet = self.packets.receive()?;
            if packet["type"] == "error" {
                return Err(broken(packet));
            }
            if wanted(&packet) {
                return Ok(());
            }
        }
    }
}

impl Post for ChatroomPoster {
    fn post(&mut self, text: &str, name: &str) -> io::Result<()> {
        let user = json!({"user_name": self.who});
        let data = json!({"user": user, "room_name": ROOM, "msg": text, "client_id": name});
        self.packets.send(&json!({"type": "msg", "data": data}))?;
        self.until(|packet| packet["type"] == "posted" && packet["data"]["client_id"] == name)
    }
}

struct OurchatPoster {
    packets: Packets,
    ocid: u64,
}

impl OurchatPoster {
    fn open(network: &Network, who: &str) -> io::Result<Box<dyn Post>> {
        let (packets, ocid) = log_in_to_ourchat(network, who, None)?;
        Ok(Box::new(Self { packets, ocid }))
    }
}

/// Logs in, on a device if one is named: the connection, and the ocid.
pub(super) fn log_in_to_ourchat(
    network: &Network,
    who: &str,
    device: Option<&str>,
) -> io::Result<(Packets, u64)> {
    let mut packets = Packets::open(network, OURCHAT)?;
    let email = format!("{who}@example.org");
    let login = json!({"code": 6, "login_type": 0, "account": email, "password": PASSWORD,
        "device": device});
    packets.send(&login)?;
    loop {
        let reply = packets.receive()?;
        match (reply["code"].as_u64(), reply["state"].as_u64()) {
            (Some(7), Some(0)) => return Ok((packets, super::wire::number(&reply["ocid"])?)),
            (Some(7), _) => return Err(broken(reply)),
            _ => (),
        }
    }
}

impl Post for OurchatPoster {
    fn post(&mut self, text: &str, name: &str) -> io::Result<()> {
        let sender = json!({"ocid": self.ocid, "group_id": ROOM_ID});
        self.packets.send(&json!({"code": 0, "sender": sender, "msg": text, "client_id": name}))?;
        loop {
            let reply = self.packets.receive()?;
            match reply["code"].as_u64() {
                Some(19) if reply["client_id"] == name => return Ok(()),
                Some(18) => return Err(broken(reply)),
                _ => (),
            }
        }
    }
}

struct ChannelPoster {
    network: Network,
    token: String,
}

impl ChannelPoster {
    fn open(network: &Network, who: &str) -> io::Result<Box<dyn Post>> {
        let token = channel_token(network, who)?;
        Ok(Box::new(Self { network: network.clone(), token }))
    }
}

pub(super) fn channel_token(network: &Network, who: &str) -> io::Result<String> {
    let body = json!({"name": who, "password": PASSWORD});
    let reply = post(network, CHANNEL, "/login", &body, &[])?;
    let token = reply["data"]["token"].as_str().ok_or_else(|| broken(&reply))?;
    Ok(token.to_owned())
}

impl Post for ChannelPoster {
    fn post(&mut self, text: &str, name: &str) -> io::Result<()> {
        let headers = [("token", self.token.as_str()), ("Idempotency-Key", name)];
        let body = json!({"name": ROOM, "message": text});
        let reply = post(&self.network, CHANNEL, "/channel/send", &body, &headers)?;
        if reply["code"] == 0 { Ok(()) } else { Err(broken(reply)) }
    }
}

struct UsrRoomPoster {
    network: Network,
    openid: String,
}

impl UsrRoomPoster {
    fn open(network: &Network, who: &str) -> io::Result<Box<dyn Post>> {
        Ok(Box::new(Self { network: network.clone(), openid: who.into() }))
    }
}

impl Post for UsrRoomPoster {
    fn post(&mut self, text: &str, name: &str) -> io::Result<()> {
        let body = json!({"room_id": ROOM_ID, "openid": self.openid, "message": text});
        let headers = [("Idempotency-Key", name)];
        let reply = post(&self.network, USR_ROOM, "/room/send_message", &body, &headers)?;
        if reply["response_code"] == 1 { Ok(()) } else { Err(broken(reply)) }
    }
}

struct IrcPoster(Lines);

impl IrcPoster {
    fn open(network: &Network, _: &str) -> io::Result<Box<dyn Post>> {
        Ok(Box::new(Self(sign_on(network, "echo-message")?)))
    }
}

/// A guest in the channel.
pub(super) fn sign_on(network: &Network, caps: &str) -> io::Result<Lines> {
    // The nick of a connection that has fallen silent is still taken.
    static NICKS: std::sync::atomic::AtomicUsize = std::sync::atomic::AtomicUsize::new(0);
    let nick = format!("nick{}", NICKS.fetch_add(1, Ordering::SeqCst));
    let mut lines = Lines::open(network, IRC)?;
    for line in [
        &format!("CAP REQ :{caps}"),
        &format!("NICK {nick}"),
        &format!("USER {nick} 0 * :{nick}"),
        "CAP END",
        &format!("JOIN #{ROOM}"),
    ] {
        lines.send(line)?;
    }
    while !lines.receive()?.contains(" 366 ") {}
    Ok(lines)
}

impl Post for IrcPoster {
    fn post(&mut self, text: &str, _: &str) -> io::Result<()> {
        self.0.send(&format!("PRIVMSG #{ROOM} :{text}"))?;
        loop {
            let line = self.0.receive()?;
            if line.ends_with(&format!(" PRIVMSG #{ROOM} :{text}")) {
                return Ok(());
            }
            if let Some(payload) = line.strip_prefix("PING ") {
                self.0.send(&format!("PONG {payload}"))?;
            }
        }
    }
}
