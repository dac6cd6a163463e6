//! The usr_room dialect, flavor document: one backend says who does what.

use std::collections::{BTreeMap, VecDeque};

use serde_json::{Value, json};

use super::{Client, Dialect, Room, Row, Seen, User};
use crate::{Gateway, UsrRoom};

static USR_ROOM: Dialect = Dialect {
    name: "usr_room",
    user: |user| match &user.openid {
        Some(openid) => openid.as_str().into(),
        None => format!("@{}", user.handle).into(),
    },
    room: |_| Value::Null,
    time: Value::from,
    durable: true,
    can_send: |_| true,
    shows: str::to_owned,
};

pub(super) const ROW: Row = Row {
    title: "usr_room",
    dialect: &USR_ROOM,
    enroll: |gateway, name| Box::new(Backend::of(gateway, name)),
    // Flavor document has no names.
    user: |name, uid| User { uid, handle: format!("user-{uid}"), openid: Some(openid(name)) },
};

fn openid(name: &str) -> String {
    format!("o-{name}")
}

/// The app's backend, acting for one user.
struct Backend {
    app: UsrRoom,
    openid: String,
    /// The id of the last message read of each room.
    read: BTreeMap<u32, u64>,
    /// What was read and not given out.
    waiting: BTreeMap<u32, VecDeque<Seen>>,
}

impl Backend {
    fn of(gateway: &Gateway, name: &str) -> Self {
        let mut app = UsrRoom::connect(gateway.address("usr_room", "listen"));
        let openid = openid(name);
        app.done("/usr/complete", &json!({ "openid": openid }));
        Self { app, openid, read: BTreeMap::new(), waiting: BTreeMap::new() }
    }

    fn poll(&mut self, room: u32) {
        let after = self.read.entry(room).or_default();
        let body = json!({"room_id": room, "openid": self.openid, "after": after});
        let mut reply = self.app.done("/room/get_message", &body);
        for mut message in reply["messages"].as_array_mut().expect("it is a list").drain(..) {
            let id = message["id"].as_u64().expect("it is a number");
            assert!(id > *after, "{message} after {after}");
            *after = id;
            let seen = Seen {
                sender: message["openid"].take(),
                room: Value::Null,
                text: message["message"].as_str().expect("it is a string").into(),
                time: message["time"].take(),
                id: Some(id),
            };
            self.waiting.entry(room).or_default().push_back(seen);
        }
    }
}

impl Client for Backend {
    fn try_enter(&mut self, room: &Room) -> bool {
        let body = json!({"room_id": room.id, "openid": self.openid});
        let reply = self.app.call("/usr/join", &body);
        assert!(reply["response_code"] == 1 || reply["error"] == "the room is full", "{reply}");
        reply["response_code"] == 1
    }

    fn post(&mut self, room: &Room, text: &str) {
        let body = json!({"room_id": room.id, "openid": self.openid, "message": text});
        self.app.done("/room/send_message", &body);
    }

    fn receive(&mut self, room: &Room) -> Seen {
        if self.waiting.get(&room.id).is_none_or(VecDeque::is_empty) {
            self.poll(room.id);
        }
        let next = self.waiting.get_mut(&room.id).and_then(VecDeque::pop_front);
        next.expect("there is a message, it was acknowledged")
    }
}
