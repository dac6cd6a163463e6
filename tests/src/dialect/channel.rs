//! The channel dialect.

use std::collections::{BTreeMap, VecDeque};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Client, Dialect, Direct, Room, Row, Seen, TIMEZONE, User};
use crate::Channel;

static CHANNEL: Dialect = Dialect {
    name: "channel",
    user: |user| user.handle.as_str().into(),
    room: |_| Value::Null,
    time: |at| {
        let moment = i64::try_from(at).ok().and_then(|at| Timestamp::from_millisecond(at).ok());
        let moment = moment.expect("it is in this age").in_tz(TIMEZONE).expect("it is a zone");
        moment.strftime("%Y.%m.%d:%H:%M:%S").to_string().into()
    },
    durable: true,
    can_send: |_| true,
    shows: str::to_owned,
};

pub(super) const ROW: Row = Row {
    title: "channel",
    dialect: &CHANNEL,
    enroll: |gateway, name| {
        let channel = Channel::enroll(gateway.address("channel", "listen"), name);
        Box::new(Poller { channel, waiting: BTreeMap::new(), direct: VecDeque::new() })
    },
    user: |name, uid| User { uid, handle: name.into(), openid: None },
};

/// A client that asks again and again.
struct Poller {
    channel: Channel,
    /// What was read and not given out.
    waiting: BTreeMap<String, VecDeque<Seen>>,
    direct: VecDeque<Seen>,
}

impl Poller {
    /// Polls for new messages; false if the room has no seat for the client.
    fn poll(&mut self, room: &str) -> bool {
        let mut reply = self.channel.call("/channel/receive", &json!({ "name": room }));
        assert!(reply["code"] == 0 || reply["code"] == 9, "{reply}");
        if reply["code"] == 9 {
            return false;
        }
        let data = &mut reply["data"];
        let cursor = data["cursor"].as_u64().expect("it is a number");
        let messages = data["messages"].as_array_mut().expect("it is a list");
        let waiting = self.waiting.entry(room.into()).or_default();
        waiting.extend(messages.drain(..).map(|mut message| Seen {
            sender: message["name"].take(),
            room: Value::Null,
            text: message["msg"].as_str().expect("it is a string").into(),
            time: message["datetime"].take(),
            id: None,
        }));
        // The cursor is the id of the last.
        if let Some(last) = waiting.back_mut() {
            last.id = Some(cursor);
        }
        true
    }

    fn poll_direct(&mut self) {
        let mut data = self.channel.done("/receive", &json!({}));
        let cursor = data["cursor"].as_u64();
        for (sender, texts) in data["messages"].as_object_mut().expect("it is an object") {
            for text in texts.as_array().expect("it is a list") {
                self.direct.push_back(Seen {
                    sender: sender.as_str().into(),
                    room: Value::Null,
                    text: text.as_str().expect("it is a string").into(),
                    time: Value::Null,
                    id: cursor,
                });
            }
        }
    }
}

impl Client for Poller {
    fn try_enter(&mut self, room: &Room) -> bool {
        self.poll(&room.name)
    }

    fn post(&mut self, room: &Room, text: &str) {
        self.channel.send(&room.name, text);
    }

    fn receive(&mut self, room: &Room) -> Seen {
        if self.waiting.get(&room.name).is_none_or(VecDeque::is_empty) {
            self.poll(&room.name);
        }
        let next = self.waiting.get_mut(&room.name).and_then(VecDeque::pop_front);
        next.expect("there is a message, it was acknowledged")
    }

    fn direct(&mut self) -> Option<&mut dyn Direct> {
        Some(self)
    }
}

impl Direct for Poller {
    fn send(&mut self, to: &User, text: &str) -> bool {
        let reply = self.channel.call("/send", &json!({"name": to.handle, "msg": text}));
        assert!(reply["code"] == 0 || reply["code"] == 6, "{reply}");
        reply["code"] == 0
    }

    fn receive(&mut self) -> Seen {
        if self.direct.is_empty() {
            self.poll_direct();
        }
        self.direct.pop_front().expect("there is a message, it was acknowledged")
    }

    fn expected(&self, from: &User, _: &User, text: &str, _: u64) -> Seen {
        let sender = from.handle.as_str().into();
        Seen { sender, room: Value::Null, text: text.into(), time: Value::Null, id: None }
    }
}
