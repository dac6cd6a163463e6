//! The chatroom dialect. A message there has neither a time nor an id.

use std::collections::VecDeque;

use serde_json::Value;

use super::{Client, Dialect, News, Presence, Room, Row, Seen, User};
use crate::{Chatroom, Gateway, Talk, WebSocket};

static CHATROOM: Dialect = Dialect {
    name: "chatroom",
    user: |user| user.handle.strip_prefix("guest:").unwrap_or(&user.handle).into(),
    room: |room| room.name.as_str().into(),
    time: |_| Value::Null,
    durable: false,
    can_send: |_| true,
    shows: str::to_owned,
};

pub(super) const ROW: Row = Row {
    title: "chatroom",
    dialect: &CHATROOM,
    enroll: |gateway, name| Box::new(Visitor::signed_in(gateway, name)),
    user: |name, uid| User { uid, handle: name.into(), openid: None },
};

pub(super) const GUEST_ROW: Row = Row {
    title: "chatroom, as a guest",
    dialect: &CHATROOM,
    enroll: |gateway, name| Box::new(Visitor::guest(gateway, name)),
    user: |name, _| User { uid: 0, handle: format!("guest:{name}"), openid: None },
};

/// A client with a WebSocket.
struct Visitor {
    talk: Talk,
    name: String,
    /// What came while something else was waited for.
    waiting: VecDeque<Value>,
}

impl Visitor {
    fn guest(gateway: &Gateway, name: &str) -> Self {
        let talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
        Self { talk, name: name.into(), waiting: VecDeque::new() }
    }

    fn signed_in(gateway: &Gateway, name: &str) -> Self {
        let mut http = Chatroom::connect(gateway.address("chatroom", "listen"));
        let tel = tel_of(name);
        http.register(&tel, name, "secret");
        let cookie = http.sign_in(&tel, "secret");
        let address = gateway.address("chatroom", "websocket_listen");
        let websocket = WebSocket::connect_with(address, "/", &[("cookie", &cookie)]);
        Self { talk: Talk { websocket }, name: name.into(), waiting: VecDeque::new() }
    }

    fn packet(&mut self) -> Value {
        self.waiting.pop_front().unwrap_or_else(|| self.talk.receive())
    }

    /// Sends, and waits for its echo, which is kept; or for an error, which is its `msg`.
    fn say(&mut self, kind: &str, echo: &str, room: &Room, text: &str) -> Result<(), Value> {
        self.talk.send(kind, &room.name, &self.name, text);
        loop {
            let mut packet = self.talk.receive();
            if packet["type"] == "error" {
                return Err(packet["data"]["msg"].take());
            }
            let data = &packet["data"];
            let own = data["user"]["user_name"] == *self.name && data["room_name"] == *room.name;
            let is_it = own && packet["type"] == echo && (echo == "user" || data["msg"] == text);
            self.waiting.push_back(packet);
            if is_it {
                return Ok(());
            }
        }
    }
}

/// Digits that no other name has.
pub fn tel_of(name: &str) -> String {
    name.bytes().rev().take(6).map(|byte| format!("{byte:03}")).collect::<String>() + "1"
}

impl Client for Visitor {
    fn try_enter(&mut self, room: &Room) -> bool {
        let joined = self.say("join", "user", room, "");
        assert!(joined.is_ok() || joined == Err("room full".into()), "{joined:?}");
        joined.is_ok()
    }

    fn post(&mut self, room: &Room, text: &str) {
        self.say("msg", "msg", room, text).unwrap_or_else(|msg| panic!("{msg}"));
    }

    fn receive(&mut self, _: &Room) -> Seen {
        loop {
            let mut packet = self.packet();
            if packet["type"] == "msg" {
                let data = &mut packet["data"];
                return Seen {
                    sender: data["user"]["user_name"].take(),
                    room: data["room_name"].take(),
                    text: data["msg"].as_str().expect("it is a string").into(),
                    time: Value::Null,
                    id: None,
                };
            }
            assert_eq!(packet["type"], "user", "{packet}");
        }
    }

    fn presence(&mut self) -> Option<&mut dyn Presence> {
        Some(self)
    }
}

impl Presence for Visitor {
    fn next(&mut self) -> News {
        let mut packet = self.packet();
        assert_eq!(packet["type"], "user", "{packet}");
        let data = &mut packet["data"];
        let user = data["user"]["user_name"].take();
        let room = data["room_name"].take();
        match data["msg"].as_str() {
            Some("create" | "join") => News::Came { user, room },
            Some("leave") => News::Went { user, room },
            _ => panic!("{data}"),
        }
    }

    fn counts(&self) -> bool {
        false
    }
}
