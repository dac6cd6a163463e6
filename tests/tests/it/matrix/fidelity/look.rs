//! All that a client of a dialect can learn of a user or a room, as the values in its replies and
//! notifications, whatever they are called.

use std::collections::BTreeSet;

use gateway_tests::dialect::{Room, User};
use gateway_tests::token::{ENTER_ROOM, Fields, MEMBER_CHANGED, Token};
use gateway_tests::{Channel, Irc, Ourchat, Talk};
use serde_json::{Value, json};

use super::site::Site;

/// Values, as text.
pub(super) type Values = BTreeSet<String>;

/// A client of each dialect, in TEST.
pub(super) struct Observers {
    token: Token,
    talk: Talk,
    ourchat: Ourchat,
    channel: Channel,
    irc: Irc,
}

impl Observers {
    pub(super) fn at(site: &Site) -> Self {
        let mut token = site.token();
        token.login("o-observer");
        token.enter(site.test().id);
        let mut talk = site.talk();
        talk.join("TEST", "chatroom-observer");
        let mut ourchat = site.ourchat();
        ourchat.enroll("ourchat-observer");
        let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "observer");
        channel.done("/channel/receive", &json!({"name": "TEST"}));
        let mut irc = Irc::connect(site.gateway.address("irc", "listen"));
        irc.send("CAP REQ :message-tags server-time account-tag extended-join");
        irc.send("NICK irc-observer\r\nUSER x 0 * :x\r\nCAP END");
        irc.receive_until(" 422 ");
        irc.join("#TEST");
        Self { token, talk, ourchat, channel, irc }
    }

    /// What each dialect shows of a user that has just entered TEST and said this there.
    pub(super) fn of_user(
        &mut self,
        site: &Site,
        user: &User,
        said: &str,
    ) -> Vec<(&'static str, Values)> {
        vec![
            ("token", self.user_in_token(user)),
            ("usr_room", user_in_usr_room(site, user)),
            ("chatroom", self.user_in_chatroom(said)),
            ("ourchat", self.user_in_ourchat(user, said)),
            ("channel", self.user_in_channel(user)),
            ("irc", self.user_in_irc(user, said)),
        ]
    }

    /// The notification of the entrance.
    fn user_in_token(&mut self, user: &User) -> Values {
        loop {
            let frame = self.token.notification();
            if frame.command != MEMBER_CHANGED {
                continue;
            }
            let mut fields = Fields::of(&frame);
            fields.u32();
            let uid = fields.u64();
            if uid == user.uid && fields.u8() == 1 {
                let info: Value = serde_json::from_str(&fields.text()).expect("it is JSON");
                return values(&json!([uid, info]));
            }
        }
    }

    fn user_in_chatroom(&mut self, said: &str) -> Values {
        let mut seen = Vec::new();
        self.talk.receive_until(|packet| {
            seen.push(packet.clone());
            packet["data"]["msg"] == said
        });
        values(&seen.into())
    }

    fn user_in_ourchat(&mut self, user: &User, said: &str) -> Values {
        let mut seen = Vec::new();
        while seen.last().is_none_or(|message: &Value| message["msg"] != said) {
            let message = self.ourchat.receive();
            if message["sender"]["ocid"] == user.uid {
                seen.push(message);
            }
        }
        let wanted = ["ocid", "nickname", "status", "avater", "time", "name", "email", "info"];
        let ask = json!({"code": 10, "ocid": user.uid, "request_values": wanted});
        seen.push(self.ourchat.call(&ask));
        values(&seen.into())
    }

    fn user_in_channel(&mut self, user: &User) -> Values {
        let found = self.channel.call("/user/info", &json!({"name": user.handle}));
        let members = self.channel.done("/channel/list_users", &json!({"name": "TEST"}));
        let messages = self.channel.done("/channel/receive", &json!({"name": "TEST"}));
        values(&json!([found, members, messages]))
    }

    fn user_in_irc(&mut self, user: &User, said: &str) -> Values {
        let mut lines = Vec::new();
        let nick = user.handle.replace(' ', "\\20").replace('.', "\\2e");
        read_to(&mut self.irc, said, &mut lines);
        for (ask, end) in [("WHO", " 315 "), ("WHOIS", " 318 ")] {
            self.irc.send(&format!("{ask} {nick}"));
            read_to(&mut self.irc, end, &mut lines);
        }
        lines.retain(|line| line.contains(&nick));
        of_lines(&lines)
    }

    /// What each dialect shows of a room.
    pub(super) fn of_room(&mut self, site: &Site, room: &Room) -> Vec<(&'static str, Values)> {
        vec![
            ("token", self.room_in_token(room)),
            ("usr_room", room_in_usr_room(site, room)),
            ("chatroom", room_in_chatroom(site, room)),
            ("channel", self.room_in_channel(room)),
            ("irc", self.room_in_irc(room)),
        ]
    }

    fn room_in_token(&mut self, room: &Room) -> Values {
        let mut fields = self.token.done(ENTER_ROOM, &room.id.to_be_bytes());
        let id = fields.u32();
        let text = fields.text();
        let info: Value = serde_json::from_str(&text).expect("it is JSON");
        values(&json!([id, text, info]))
    }

    fn room_in_channel(&mut self, room: &Room) -> Values {
        let members = self.channel.done("/channel/list_users", &json!({"name": room.name}));
        values(&members)
    }

    fn room_in_irc(&mut self, room: &Room) -> Values {
        let channel = format!("#{}", room.name.replace(' ', "\\20"));
        let mut lines = Vec::new();
        let asks = ["JOIN", "MODE", "TOPIC", "NAMES", "LIST"];
        let ends = [" 366 ", " 324 ", " 33", " 366 ", " 323 "];
        for (ask, end) in asks.into_iter().zip(ends) {
            self.irc.send(&format!("{ask} {channel}"));
            read_to(&mut self.irc, end, &mut lines);
        }
        lines.retain(|line| line.contains(&channel));
        of_lines(&lines)
    }
}

/// The app sees users by openid, else by handle, in every list.
fn user_in_usr_room(site: &Site, user: &User) -> Values {
    let handle = format!("@{}", user.handle);
    let openid = user.openid.as_ref().filter(|openid| openid.starts_with("o-app"));
    let mut app = site.usr_room();
    let info = app.done("/usr/info", &json!({"openid": openid.unwrap_or(&handle)}));
    let rooms = app.done("/search", &json!({"key": "TEST"}));
    let history = json!({"room_id": site.test().id, "openid": "o-nosy"});
    app.done("/usr/complete", &json!({"openid": "o-nosy"}));
    values(&json!([info, rooms, app.done("/room/get_message", &history)]))
}

fn room_in_usr_room(site: &Site, room: &Room) -> Values {
    let mut found = site.usr_room().done("/search", &json!({"key": room.id.to_string()}));
    values(&found["rooms"].take())
}

fn room_in_chatroom(site: &Site, room: &Room) -> Values {
    let rooms = site.chatroom().get("/chatroom/list", &[]);
    let rooms = rooms["room_list"].as_array().expect("a list").iter();
    let found: Vec<&Value> = rooms.filter(|one| one["name"] == *room.name).collect();
    assert_eq!(found.len(), 1);
    values(found[0])
}

/// Every value in a document that holds no others, as text. JSON in a string is looked into as well.
pub(super) fn values(document: &Value) -> Values {
    match document {
        Value::Null => Values::new(),
        Value::String(text) => Values::from([text.clone()]),
        Value::Bool(_) | Value::Number(_) => Values::from([document.to_string()]),
        Value::Array(all) => all.iter().flat_map(values).collect(),
        Value::Object(all) => all.values().flat_map(values).collect(),
    }
}

fn read_to(irc: &mut Irc, end: &str, lines: &mut Vec<String>) {
    loop {
        let line = irc.receive();
        let is_end = line.contains(end);
        lines.push(line);
        if is_end {
            return;
        }
    }
}

/// The words of lines, their trailing parameters, those without the first word, and the parts of
/// masks and tags.
fn of_lines(lines: &[String]) -> Values {
    let mut found = Values::new();
    for line in lines {
        let trailing = line.split_once(" :").map_or("", |(_, trailing)| trailing);
        found.insert(trailing.to_owned());
        found.extend(trailing.split_once(' ').map(|(_, rest)| rest.to_owned()));
        for word in line.split([' ', '!', '@', '=', ';', ':']) {
            found.insert(word.to_owned());
        }
    }
    found
}
