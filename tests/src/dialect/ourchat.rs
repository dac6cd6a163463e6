//! The ourchat dialect, over WebSocket and as lines over TCP. It has no request to join a group: a
//! client becomes a member by `auto_join`, by code 8, or by another dialect.

use std::collections::VecDeque;

use serde_json::{Value, json};

use super::{Client, Dialect, Direct, Room, Row, Seen, User};
use crate::Ourchat;

static OURCHAT: Dialect = Dialect {
    name: "ourchat",
    user: |user| user.uid.into(),
    room: |room| room.id.into(),
    time: Value::from,
    durable: true,
    can_send: |_| true,
    shows: str::to_owned,
};

pub(super) const ROW: Row = Row {
    title: "ourchat",
    dialect: &OURCHAT,
    enroll: |gateway, name| {
        Box::new(Messenger::of(Ourchat::websocket(gateway.address("ourchat", "listen")), name))
    },
    user,
};

pub(super) const LINES_ROW: Row = Row {
    title: "ourchat, as lines",
    dialect: &OURCHAT,
    enroll: |gateway, name| {
        Box::new(Messenger::of(Ourchat::lines(gateway.address("ourchat", "tcp_listen")), name))
    },
    user,
};

fn user(name: &str, uid: u64) -> User {
    User { uid, handle: name.into(), openid: None }
}

struct Messenger {
    ourchat: Ourchat,
    ocid: u64,
    /// What came while something else was waited for.
    waiting: VecDeque<Value>,
}

impl Messenger {
    fn of(mut ourchat: Ourchat, name: &str) -> Self {
        let ocid = ourchat.enroll(name);
        Self { ourchat, ocid, waiting: VecDeque::new() }
    }

    /// Posts, and waits for the message itself, which is kept; the details if it is refused.
    fn say(&mut self, to: &str, id: u64, text: &str) -> Result<(), Value> {
        let sender = json!({"ocid": self.ocid, to: id});
        self.ourchat.send(&json!({"code": 0, "sender": sender, "msg": text}));
        loop {
            let message = self.ourchat.receive();
            if message["code"] == 18 {
                return Err(message["details"].clone());
            }
            let is_it = message["code"] == 0 && message["sender"] == sender;
            let is_it = is_it && message["msg"] == text;
            self.waiting.push_back(message);
            if is_it {
                return Ok(());
            }
        }
    }

    /// The next message of this kind; others stay.
    fn next(&mut self, kind: &str) -> Seen {
        let is_it = |message: &Value| message["sender"].get(kind).is_some();
        let mut message = match self.waiting.iter().position(is_it) {
            Some(at) => self.waiting.remove(at).expect("it is there"),
            None => loop {
                let message = self.ourchat.receive();
                if is_it(&message) {
                    break message;
                }
                assert!(message["code"] == 0 || message["code"] == 9, "{message}");
                self.waiting.push_back(message);
            },
        };
        let sender = &mut message["sender"];
        Seen {
            room: sender[kind].take(),
            sender: sender["ocid"].take(),
            text: message["msg"].as_str().expect("it is a string").into(),
            time: message["time"].take(),
            id: message["cid"].as_u64(),
        }
    }
}

impl Client for Messenger {
    fn try_enter(&mut self, _: &Room) -> bool {
        true
    }

    fn post(&mut self, room: &Room, text: &str) {
        let posted = self.say("group_id", room.id.into(), text);
        posted.unwrap_or_else(|details| panic!("{details}"));
    }

    fn receive(&mut self, _: &Room) -> Seen {
        self.next("group_id")
    }

    fn direct(&mut self) -> Option<&mut dyn Direct> {
        Some(self)
    }
}

impl Direct for Messenger {
    fn send(&mut self, to: &User, text: &str) -> bool {
        match self.say("private_id", to.uid, text) {
            Ok(()) => {
                self.waiting.pop_back();
                true
            }
            Err(details) => {
                assert_eq!(details, "no such account");
                false
            }
        }
    }

    fn receive(&mut self) -> Seen {
        self.next("private_id")
    }

    fn expected(&self, from: &User, to: &User, text: &str, at: u64) -> Seen {
        let sender = from.uid.into();
        let room = to.uid.into();
        Seen { sender, room, text: text.into(), time: at.into(), id: None }
    }
}
