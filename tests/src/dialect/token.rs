//! The token dialect. Its way to hear messages is an extension: `messages = true`, or having
//! posted.

use serde_json::{Value, json};

use super::{Client, Dialect, News, Presence, Room, Row, Seen, User};
use crate::Gateway;
use crate::token::{
    self, ENTER_ROOM, Fields, Frame, LOGIN, MEMBER_CHANGED, MESSAGE, POPULATION_CHANGED, Token,
    string,
};

const E_ROOM_FULL: u16 = 6;

static TOKEN: Dialect = Dialect {
    name: "token",
    user: |user| user.uid.into(),
    room: |room| room.id.into(),
    time: Value::from,
    durable: false,
    can_send: |_| true,
    shows: str::to_owned,
};

pub(super) const ROW: Row = Row {
    title: "token",
    dialect: &TOKEN,
    enroll: |gateway, name| Box::new(log_in(gateway, name, "game")),
    user: |name, uid| User { uid, handle: name.into(), openid: None },
};

pub(super) const ROW_OF_THE_APP: Row = Row {
    title: "token, with an openid of the app that usr_room is for",
    dialect: &TOKEN,
    enroll: |gateway, name| Box::new(log_in(gateway, name, "wechat")),
    user: |name, uid| User { uid, handle: name.into(), openid: Some(openid(name)) },
};

fn openid(name: &str) -> String {
    format!("o-{name}")
}

fn log_in(gateway: &Gateway, name: &str, openid_type: &str) -> Token {
    let mut token = Token::connect(gateway.address("token", "listen"));
    let info = json!({ "name": name }).to_string();
    let create = 1_i32.to_be_bytes().to_vec();
    let body = [string(&openid(name)), string(openid_type), create, token::json(&info)];
    token.done(LOGIN, &body.concat());
    token
}

impl Client for Token {
    fn try_enter(&mut self, room: &Room) -> bool {
        let reply = self.call(ENTER_ROOM, &room.id.to_be_bytes());
        assert!(matches!(reply.result, Some(0 | E_ROOM_FULL)), "{reply:?}");
        reply.result == Some(0)
    }

    fn post(&mut self, room: &Room, text: &str) {
        Token::post(self, room.id, text);
    }

    fn receive(&mut self, _: &Room) -> Seen {
        loop {
            let frame = self.notification();
            if frame.command == MESSAGE {
                return seen(&frame);
            }
        }
    }

    fn presence(&mut self) -> Option<&mut dyn Presence> {
        Some(self)
    }
}

fn seen(frame: &Frame) -> Seen {
    let mut fields = Fields::of(frame);
    let room = fields.u32();
    let sender = fields.u64();
    let id = fields.u64();
    let time = fields.u64();
    let text = fields.text();
    fields.end();
    Seen { sender: sender.into(), room: room.into(), text, time: time.into(), id: Some(id) }
}

impl Presence for Token {
    fn next(&mut self) -> News {
        let frame = self.notification();
        let mut fields = Fields::of(&frame);
        let room = fields.u32().into();
        if frame.command == POPULATION_CHANGED {
            let count = fields.u32().into();
            fields.end();
            return News::Population { room, count };
        }
        assert_eq!(frame.command, MEMBER_CHANGED, "{frame:?}");
        let user = fields.u64().into();
        let entered = fields.u8();
        let info: Value = serde_json::from_str(&fields.text()).expect("info is JSON");
        assert!(info["name"].is_string(), "{info}");
        fields.end();
        if entered == 1 { News::Came { user, room } } else { News::Went { user, room } }
    }

    fn counts(&self) -> bool {
        true
    }
}
