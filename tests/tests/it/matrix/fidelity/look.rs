//! All that a client of a dialect can learn of a user or a room, as the values in its replies and
//! notifications, whatever they are called.

use gateway_tests::dialect::{Room, User};
use gateway_tests::token::{ENTER_ROOM, Fields, MEMBER_CHANGED, MESSAGE, Token};
use gateway_tests::{Channel, Irc, Ourchat, Talk};
use serde_json::{Value, json};

use super::seen::{Values, escaped};
use super::site::Site;

/// A client of each dialect, in TEST.
pub(super) struct Observers {
    token: Token,
    talk: Talk,
    ourchat: Ourchat,
    channel: Channel,
    irc: Irc,
    /// The user of `ourchat`, which has no other way into a room.
    ourchat_by_channel: Channel,
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
        let mut ourchat_by_channel = site.channel();
        ourchat_by_channel.login("ourchat-observer", "pw");
        let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "observer");
        channel.done("/channel/receive", &json!({"name": "TEST"}));
        let mut irc = Irc::connect(site.gateway.address("irc", "listen"));
        irc.send("CAP REQ :message-tags server-time account-tag extended-join");
        irc.send("NICK irc-observer\r\nUSER x 0 * :x\r\nCAP END");
        irc.receive_until(" 422 ");
        irc.join("#TEST");
        Self { token, talk, ourchat, channel, irc, ourchat_by_channel }
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
        let nick = escaped(&user.handle);
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
        self.enter(room);
        let mut seen = self.of_entered(site, room);
        seen.push(("ourchat", self.room_in_ourchat(room)));
        seen
    }

    /// Dialects in which entering shows nothing alone are not among them.
    pub(super) fn enter(&mut self, room: &Room) {
        self.token.enter(room.id);
        self.talk.join(&room.name, "chatroom-observer");
        self.irc.join(&channel_of(room));
    }

    /// What each dialect shows of a room that was entered, whenever it is asked.
    pub(super) fn of_entered(&mut self, site: &Site, room: &Room) -> Vec<(&'static str, Values)> {
        self.irc.drain();
        vec![
            ("token", self.room_in_token(room)),
            ("usr_room", room_in_usr_room(site, room)),
            ("chatroom", room_in_chatroom(site, room)),
            ("channel", self.room_in_channel(room)),
            ("irc", self.room_in_irc(room, &["MODE", "TOPIC", "NAMES", "LIST"])),
        ]
    }

    /// What dialects show of a room to users that have not entered it.
    pub(super) fn seen_from_outside(
        &mut self,
        site: &Site,
        room: &Room,
    ) -> Vec<(&'static str, Values)> {
        vec![
            ("usr_room", room_in_usr_room(site, room)),
            ("chatroom", room_in_chatroom(site, room)),
            ("channel", self.room_in_channel(room)),
            ("irc", self.room_in_irc(room, &["LIST"])),
        ]
    }

    /// What each client hears of comings and goings in a room up to a message.
    pub(super) fn of_presence(&mut self, said: &str) -> Vec<(&'static str, Values)> {
        let mut lines = Vec::new();
        read_to(&mut self.irc, said, &mut lines);
        lines.pop();
        vec![
            ("token", self.presence_in_token(said)),
            ("chatroom", self.presence_in_chatroom(said)),
            ("irc", of_lines(&lines)),
        ]
    }

    fn presence_in_token(&mut self, said: &str) -> Values {
        let mut seen = Values::new();
        loop {
            let frame = self.token.notification();
            let mut fields = Fields::of(&frame);
            match frame.command {
                MESSAGE if frame.body.ends_with(said.as_bytes()) => return seen,
                MEMBER_CHANGED => {
                    fields.u32();
                    seen.insert(fields.u64().to_string());
                }
                _ => (),
            }
        }
    }

    fn presence_in_chatroom(&mut self, said: &str) -> Values {
        let mut seen = Vec::new();
        self.talk.receive_until(|packet| {
            let is_end = packet["data"]["msg"] == said;
            seen.extend((!is_end).then(|| packet.clone()));
            is_end
        });
        values(&seen.into())
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

    /// A message to it; there is nothing to ask for.
    fn room_in_ourchat(&mut self, room: &Room) -> Values {
        self.ourchat_by_channel.done("/channel/receive", &json!({"name": room.name}));
        self.ourchat_by_channel.send(&room.name, "look here");
        let mut seen = Vec::new();
        while seen.last().is_none_or(|message: &Value| message["msg"] != "look here") {
            seen.push(self.ourchat.receive());
        }
        values(&seen.pop().expect("it is there"))
    }

    fn room_in_irc(&mut self, room: &Room, asks: &[&str]) -> Values {
        let channel = channel_of(room);
        let mut lines = Vec::new();
        for ask in asks {
            let end = match *ask {
                "MODE" => " 324 ",
                "TOPIC" => " 33",
                "NAMES" => " 366 ",
                _ => " 323 ",
            };
            self.irc.send(&format!("{ask} {channel}"));
            read_to(&mut self.irc, end, &mut lines);
        }
        lines.extend(self.irc.drain());
        lines.retain(|line| line.contains(&channel));
        let lines: Vec<String> = lines.into_iter().map(|line| without_tags(&line)).collect();
        of_lines(&lines)
    }

    /// What each dialect shows of a user that may not be connected, without the times of replies.
    pub(super) fn of_absent_user(
        &mut self,
        site: &Site,
        user: &User,
    ) -> Vec<(&'static str, Values)> {
        let mut lines = Vec::new();
        for (ask, end) in [("ISON", " 303 "), ("WHO", " 315 "), ("WHOIS", " 318 ")] {
            self.irc.send(&format!("{ask} {}", escaped(&user.handle)));
            read_to(&mut self.irc, end, &mut lines);
        }
        let lines: Vec<String> = lines.into_iter().map(|line| without_tags(&line)).collect();
        let wanted = ["ocid", "nickname", "status", "avater", "time"];
        let ask = json!({"code": 10, "ocid": user.uid, "request_values": wanted});
        let mut found = self.ourchat.call(&ask);
        while found["code"] != 11 {
            found = self.ourchat.receive();
        }
        found["time"] = Value::Null;
        let handle = format!("@{}", user.handle);
        let info = site.usr_room().call("/usr/info", &json!({ "openid": handle }));
        let members = self.channel.done("/channel/list_users", &json!({"name": "TEST"}));
        let user = self.channel.call("/user/info", &json!({"name": user.handle}));
        vec![
            ("usr_room", values(&info)),
            ("channel", values(&json!([user, members]))),
            ("ourchat", values(&found)),
            ("irc", of_lines(&lines)),
        ]
    }
}

pub(super) fn channel_of(room: &Room) -> String {
    format!("#{}", escaped(&room.name))
}

fn without_tags(line: &str) -> String {
    let tagged = line.strip_prefix('@').and_then(|line| line.split_once(' '));
    tagged.map_or(line, |(_, line)| line).to_owned()
}

/// The app sees users by openid, else by handle, in every list.
fn user_in_usr_room(site: &Site, user: &User) -> Values {
    let handle = format!("@{}", user.handle);
    let openid = user.openid.as_ref().filter(|openid| openid.starts_with("o-app"));
    let mut app = site.usr_room();
    let info = app.call("/usr/info", &json!({"openid": openid.unwrap_or(&handle)}));
    let rooms = app.call("/search", &json!({"key": "TEST"}));
    let history = json!({"room_id": site.test().id, "openid": "o-nosy"});
    app.done("/usr/complete", &json!({"openid": "o-nosy"}));
    values(&json!([info, rooms, app.call("/room/get_message", &history)]))
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

pub(super) fn read_to(irc: &mut Irc, end: &str, lines: &mut Vec<String>) {
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
pub(super) fn of_lines(lines: &[String]) -> Values {
    let mut found = Values::new();
    for line in lines {
        let trailing = line.split_once(" :").map_or("", |(_, trailing)| trailing);
        found.insert(trailing.to_owned());
        found.extend(trailing.split_once(' ').map(|(_, rest)| rest.to_owned()));
        for word in line.split([' ', '!', '@', '=', ';', ':']).chain(line.split([' ', ':'])) {
            found.insert(word.to_owned());
        }
    }
    found
}

/// What the operator sees of a room.
pub(super) fn report(site: &Site, name: &str) -> Value {
    let report = site.dragoman(&["room", "show", name, "--json"]);
    serde_json::from_str(&report).expect("it is JSON")
}
