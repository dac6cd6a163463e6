//! A closed room is for those who are not its members as if it did not exist, in every dialect.

use gateway_tests::dialect::Room;
use gateway_tests::token::{ENTER_ROOM, Fields, LEAVE_ROOM, POST_MESSAGE, ROOM_LIST, post_body};
use gateway_tests::{Channel, Ourchat, Token};
use serde_json::{Value, json};

use super::site::{Site, number};

/// Clients that are not members, and their replies to requests for a room by id and by name.
struct Strangers {
    site: Site,
    token: Token,
    ourchat: Ourchat,
    ocid: u64,
    channel: Channel,
}

impl Strangers {
    fn at(site: Site) -> Self {
        let mut token = site.token();
        token.login("o-mallory");
        let mut ourchat = site.ourchat();
        let ocid = ourchat.enroll("mallory");
        let channel = Channel::enroll(site.gateway.address("channel", "listen"), "mallet");
        Self { site, token, ourchat, ocid, channel }
    }

    /// Everything that can be asked for, and the answer, without the room's own number and name.
    fn ask_for(&mut self, room: &Room) -> Vec<(&'static str, Value)> {
        let mut told = self.ask_for_by_number(room.id);
        told.extend(self.ask_for_by_name(&room.name));
        told
    }

    fn ask_for_by_number(&mut self, id: u32) -> Vec<(&'static str, Value)> {
        let mut told = Vec::new();
        let own = id.to_be_bytes();
        for (what, command, body) in [
            ("token enter", ENTER_ROOM, own.to_vec()),
            ("token leave", LEAVE_ROOM, own.to_vec()),
            ("token post", POST_MESSAGE, post_body(id, "let me in")),
        ] {
            let reply = self.token.call(command, &body);
            let mut reason = Fields::of(&reply);
            told.push((what, json!([reply.result, reason.string()])));
        }
        let mut app = self.site.usr_room();
        let id_and = |mut more: Value| {
            more["room_id"] = id.into();
            more
        };
        for (path, body) in [
            ("/search", json!({ "key": id })),
            ("/room/get_message", id_and(json!({}))),
            ("/room/get_message", id_and(json!({"openid": "o-mallory"}))),
            ("/usr/join", id_and(json!({"openid": "o-mallory"}))),
            ("/room/send_message", id_and(json!({"openid": "o-mallory", "message": "let me in"}))),
            ("/room/delete", id_and(json!({"openid": "o-mallory"}))),
            ("/room/kick", id_and(json!({"openid": "o-mallory"}))),
        ] {
            told.push((path, app.call(path, &body)));
        }
        let sender = json!({"ocid": self.ocid, "group_id": id});
        let mut said = self.ourchat.call(&json!({"code": 0, "sender": sender, "msg": "let me in"}));
        told.push(("ourchat", json!([said["code"].take(), said["details"].take()])));
        told
    }

    fn ask_for_by_name(&mut self, name: &str) -> Vec<(&'static str, Value)> {
        let mut told = Vec::new();
        told.push(("search", self.site.usr_room().call("/search", &json!({ "key": name }))));
        for status in ["0", "1", "7"] {
            let fields = [("room_name", name), ("user_name", "gus"), ("status", status)];
            told.push(("/chatroom/room", self.site.chatroom().get("/chatroom/room", &fields)));
        }
        let mut talk = self.site.talk();
        for kind in ["join", "leave", "msg"] {
            talk.send(kind, name, "gus", "let me in");
            told.push((kind, talk.receive()));
        }
        for path in ["/channel/receive", "/channel/send", "/channel/list_users"] {
            let body = json!({"name": name, "message": "let me in"});
            told.push((path, self.channel.call(path, &body)));
        }
        told
    }
}

#[test]
fn to_strangers_a_closed_room_is_no_room() {
    let site = Site::with("channel", "auto_create = false");
    let partner = site.ourchat().enroll("pat");
    let mut founder = site.ourchat();
    let olga = founder.enroll("olga");
    let made = founder.call(&json!({"code": 8, "members": [partner], "name": "the kitchen"}));
    let id = number(&made["group_id"]);
    let room = Room { id, name: format!("the kitchen#{id}") };
    founder.send(&json!({"code": 0, "sender": {"ocid": olga, "group_id": room.id}, "msg": "hush"}));
    assert_eq!(founder.receive()["msg"], "hush");

    let mut strangers = Strangers::at(site);
    let closed = strangers.ask_for(&room);
    let missing = strangers.ask_for(&Room { id: 4_000_000_000, name: "the cellar".into() });
    assert_eq!(closed, missing);
    for (what, told) in closed {
        assert!(!told.to_string().contains("kitchen"), "{what}: {told}");
    }

    let listed = strangers.token.done(ROOM_LIST, &0_u32.to_be_bytes());
    assert!(!rooms(listed).contains(&room.id));
    let listed = strangers.site.chatroom().get("/chatroom/list", &[]);
    assert_eq!(listed["rooms"].as_array().map(Vec::len), Some(1), "TEST alone: {listed}");
    let mut app = strangers.site.usr_room();
    let of_section = app.done("/room/section", &json!({"section": ""}));
    assert_eq!(of_section["rooms"].as_array().map(Vec::len), Some(1), "TEST alone: {of_section}");
    let joined = app.done("/usr/roomlist2", &json!({"openid": "o-mallory"}));
    assert_eq!(joined["rooms"], json!([]));

    // No client entered.
    let own = strangers.site.operate(&["link", "olga", "openid:wechat/o-olga"]);
    assert_eq!(own["uid"], olga);
    let seen = app.done("/usr/roomlist2", &json!({"openid": "o-olga"}));
    let seen = seen["rooms"].as_array().expect("it is a list").iter();
    let kitchen = seen.into_iter().find(|found| found["room_id"] == room.id);
    assert_eq!(kitchen.expect("it is hers")["users_id"], json!(["o-olga", "@pat"]));
}

#[test]
fn a_closed_room_takes_no_name_that_an_open_room_can_have() {
    let site = Site::open();
    let partner = site.ourchat().enroll("pat");
    let mut founder = site.ourchat();
    founder.enroll("olga");
    let made = founder.call(&json!({"code": 8, "members": [partner], "name": "the kitchen"}));
    let closed = number(&made["group_id"]);

    let fields = [("room_name", "the kitchen")];
    assert_eq!(site.chatroom().res("/chatroom/create", &fields), "chatroom create successfully");
    let fields = [("room_name", &*format!("the kitchen#{closed}"))];
    assert_eq!(site.chatroom().res("/chatroom/create", &fields), "invalid room_name");
    let mut app = site.usr_room();
    app.done("/usr/complete", &json!({"openid": "o-una"}));
    let made = app.done("/room/add", &json!({"name": "the kitchen", "room_owner_id": "o-una"}));
    let id = number(&made["room_id"]);
    assert_ne!(id, closed);
    site.talk().join(&format!("the kitchen#{id}"), "gus");
    // Sending creates channels, but not this one.
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "carl");
    let name = format!("the kitchen#{closed}");
    let sent = channel.call("/channel/send", &json!({"name": name, "message": "hello"}));
    assert_eq!(sent["code"], 7);
}

#[test]
fn a_member_removed_from_a_closed_room_no_longer_sees_it() {
    let site = Site::open();
    let mut cast = site.cast("");
    cast.retain(|one| one.row.has_account());
    let members: Vec<u64> = cast.iter().map(|one| one.user.uid).collect();
    let mut founder = site.ourchat();
    founder.enroll("olga");
    let made = founder.call(&json!({"code": 8, "members": members, "name": "the kitchen"}));
    let id = number(&made["group_id"]);
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "pat");
    let mut app = site.usr_room();

    for one in &cast {
        let address = (super::site::row_of("usr_room").dialect.user)(&one.user);
        let kicked = app.call("/room/kick", &json!({"room_id": id, "openid": address}));
        assert_eq!(kicked["error"], "no such room", "{}", one.row.title);
        let name = format!("the kitchen#{id}");
        site.dragoman(&["room", "kick", &name, &one.user.uid.to_string()]);
        if let Some(openid) = &one.user.openid {
            let joined = app.call("/usr/join", &json!({"room_id": id, "openid": openid}));
            assert_eq!(joined["error"], "no such room", "{}", one.row.title);
        }
    }
    let listed = channel.call("/channel/list_users", &json!({"name": format!("the kitchen#{id}")}));
    assert_eq!(listed["code"], 7);
    let own = site.operate(&["link", "olga", "openid:wechat/o-olga"]);
    assert_eq!(own["handle"], "olga");
    let seen = app.done("/usr/roomlist1", &json!({"openid": "o-olga"}));
    assert_eq!(seen["rooms"][0]["users_id"], json!(["o-olga"]));
}

fn rooms(mut listed: Fields) -> Vec<u32> {
    (0..listed.u16()).map(|_| listed.u32()).collect()
}
