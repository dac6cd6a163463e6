//! Users and rooms have one name each, whichever dialect they were born in. Every dialect shows
//! them by what it addresses them with, and what is shown is accepted.

use gateway_tests::dialect::Room;
use gateway_tests::token::{CREATE_ROOM, ENTER_ROOM, Fields, ROOM_LIST, json as text};
use gateway_tests::{Channel, Ourchat, Token, UsrRoom};
use serde_json::{Value, json};

use super::site::{Site, number, row_of};

#[test]
fn a_user_is_found_by_its_displayed_name_and_a_guest_is_not() {
    let site = Site::open();
    let cast = site.cast("");
    let mut app = site.usr_room();
    let mut chatroom = site.chatroom();
    let mut ourchat = site.ourchat();
    ourchat.enroll("olga");
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "carl");

    for one in &cast {
        let title = one.row.title;
        let known = one.row.has_account();
        let shown = |dialect: &str| (row_of(dialect).dialect.user)(&one.user);

        let found = app.call("/usr/info", &json!({"openid": shown("usr_room")}));
        assert_eq!(found["response_code"], u8::from(known), "{title}: {found}");

        let name = shown("chatroom");
        let name = name.as_str().expect("it is a string");
        let found = chatroom.get("/auth/user_data", &[("user_name", name)]);
        let who = if known { json!(one.user.handle) } else { Value::Null };
        assert_eq!(found["data"]["user"]["user_name"], who, "{title}: {found}");
        let has_tel = one.dialect().name == "chatroom" && known;
        let tel = found["data"]["user"]["user_tel"].as_u64();
        assert_eq!(tel.is_some_and(|tel| tel != 0), has_tel, "{title}: {found}");

        let values = ["ocid", "nickname"];
        let found =
            ourchat.call(&json!({"code": 10, "ocid": one.user.uid, "request_values": values}));
        let account = json!({"ocid": one.user.uid, "nickname": one.user.handle});
        let expected = if known { (0, account) } else { (3, json!({})) };
        assert_eq!(
            (&found["status"], &found["data"]),
            (&json!(expected.0), &expected.1),
            "{title}"
        );

        let found = channel.call("/user/info", &json!({"name": shown("channel")}));
        let expected = if known {
            json!({"code": 0, "msg": "success", "data": {"name": one.user.handle}})
        } else {
            json!({"code": 6, "msg": "no such user"})
        };
        assert_eq!(found, expected, "{title}");
    }
}

#[test]
fn member_lists_use_the_names_of_the_dialect_and_omit_visitors() {
    let site = Site::open();
    let cast = site.cast("");
    let members = || cast.iter().filter(|one| one.dialect().durable).map(|one| &one.user);

    let found = site.usr_room().done("/search", &json!({"key": "TEST"}));
    let addresses: Vec<Value> = members().map(row_of("usr_room").dialect.user).collect();
    assert_eq!(found["rooms"][0]["users_id"], Value::Array(addresses), "in the order of joining");

    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "carl");
    let listed = channel.done("/channel/list_users", &json!({"name": "TEST"}));
    let mut handles: Vec<&str> = members().map(|user| user.handle.as_str()).collect();
    handles.sort_unstable();
    let handles: Vec<Value> = handles.iter().map(|handle| json!({ "name": handle })).collect();
    assert_eq!(listed["users"], Value::Array(handles), "by handle");

    // The doorkeeper who let them in has gone again, or is about to: a token connection.
    let rooms = site.chatroom().get("/chatroom/list", &[]);
    let population = rooms["rooms"][0]["population"].as_u64().expect("it is a number");
    let everyone = cast.len() as u64;
    assert!((everyone..=everyone + 1).contains(&population), "visitors have seats: {population}");
}

#[test]
fn a_handle_is_unique_and_the_next_request_gets_another_or_is_refused() {
    let site = Site::open();
    // Two spellings of one name.
    let composed = "\u{e9}ric";
    let decomposed = "e\u{301}ric";
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), decomposed);
    let listed = channel.done("/user/info", &json!({ "name": composed }));
    assert_eq!(listed["name"], composed);

    let taken = json!({"name": composed, "password": "p", "password_repete": "p"});
    assert_eq!(site.channel().call("/register", &taken)["code"], 4);
    let fields = [("user_tel", "1"), ("user_name", composed), ("user_password", "p")];
    assert_eq!(site.chatroom().res("/auth/register", &fields), "user exist");

    for uid in [site.token().login(composed), site.ourchat().enroll(composed)] {
        let user = site.operate(&["show", &uid.to_string()]);
        // What it wanted is its display name.
        let handle = format!("{composed}-{uid}");
        let name = composed;
        assert_eq!((&user["handle"], &user["name"]), (&json!(handle), &json!(name)));
        let found = channel.done("/user/info", &json!({ "name": handle }));
        assert_eq!(found["name"], handle);
    }

    // Without a name, and with an invalid one.
    site.usr_room().done("/usr/complete", &json!({"openid": "o-una"}));
    let una = site.operate(&["show", "openid:wechat/o-una"]);
    assert_eq!(una["handle"], format!("user-{}", una["uid"]));
    for (nth, invalid) in ["@ann", "guest:ann", "two\nlines"].into_iter().enumerate() {
        let mut ourchat = site.ourchat();
        let email = format!("mail-{nth}@example.org");
        let register = json!({"code": 4, "email": email, "password": "p", "name": invalid});
        let ocid = ourchat.call(&register)["ocid"].as_u64().expect("it is taken all the same");
        let shown = site.operate(&["show", &ocid.to_string()]);
        let handle = format!("user-{ocid}");
        // Others would take it for a handle or a guest.
        let name = if invalid.contains('\n') { invalid } else { &handle };
        assert_eq!((&shown["handle"], &shown["name"]), (&json!(handle), &json!(name)));
    }
}

/// Those who can make rooms.
struct Makers {
    token: Token,
    token_number: u64,
    app: UsrRoom,
    ourchat: Ourchat,
    partner: u64,
}

type Make = fn(&mut Makers, Option<&str>) -> u32;

/// Dialects in which a room's name need not be unique, or be there.
const MAKERS: [(&str, Make); 3] = [
    ("token", Makers::by_token),
    ("usr_room", Makers::by_usr_room),
    ("ourchat", Makers::by_ourchat),
];

impl Makers {
    fn at(site: &Site) -> Self {
        let mut token = site.token();
        token.login("o-tom");
        let token_number = token.apply();
        let mut app = site.usr_room();
        app.done("/usr/complete", &json!({"openid": "o-una"}));
        let partner = site.ourchat().enroll("pat");
        let mut ourchat = site.ourchat();
        ourchat.enroll("olga");
        Self { token, token_number, app, ourchat, partner }
    }

    fn by_token(&mut self, name: Option<&str>) -> u32 {
        let info = name.map_or_else(String::new, |name| json!({ "name": name }).to_string());
        let number = self.token_number.to_be_bytes().to_vec();
        let body = [7_u16.to_be_bytes().to_vec(), number, text(&info)].concat();
        self.token.done(CREATE_ROOM, &body).u32()
    }

    fn by_usr_room(&mut self, name: Option<&str>) -> u32 {
        let body = json!({"name": name, "room_owner_id": "o-una"});
        number(&self.app.done("/room/add", &body)["room_id"])
    }

    fn by_ourchat(&mut self, name: Option<&str>) -> u32 {
        self.ourchat.send(&json!({"code": 8, "members": [self.partner], "name": name}));
        loop {
            // It is a member of the groups it made before.
            let told = self.ourchat.receive();
            if told["code"] != 0 {
                return number(&told["group_id"]);
            }
        }
    }
}

#[test]
fn a_room_has_one_name_in_all_dialects_even_if_the_requested_one_is_missing_or_taken() {
    let site = Site::with("ourchat", "open = true");
    let mut makers = Makers::at(&site);
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "carl");
    let mut chatroom = site.chatroom();
    let create = [("room_name", "tea")];
    assert_eq!(chatroom.res("/chatroom/create", &create), "chatroom create successfully");

    for (dialect, make) in MAKERS {
        let own = format!("of {dialect}");
        for (wanted, name, title) in [
            (Some(own.as_str()), own.clone(), own.as_str()),
            (Some("tea"), "tea#".into(), "tea"),
            (None, "room-".into(), ""),
            (Some("two\nlines"), "room-".into(), "two\nlines"),
        ] {
            let id = make(&mut makers, wanted);
            let needs_id = name.ends_with(['#', '-']);
            let name = if needs_id { format!("{name}{id}") } else { name };
            assert_room(&site, &mut channel, &Room { id, name }, title);
        }
    }

    // Where names must be unique, they are refused, or lead to the room that has them.
    assert_eq!(chatroom.res("/chatroom/create", &create), "chatroom already exist");
    assert_eq!(
        chatroom.res("/chatroom/create", &[("room_name", "of token")]),
        "chatroom already exist"
    );
    channel.send("tea", "from channel");
    channel.send("of channel", "the first");
    for name in ["tea", "of channel"] {
        let room = site.room(name);
        assert_room(&site, &mut channel, &room, name);
    }
    assert_eq!(
        chatroom.res("/chatroom/create", &[("room_name", "of channel")]),
        "chatroom already exist"
    );
}

/// The room is in every dialect under its number or its name.
#[track_caller]
fn assert_room(site: &Site, channel: &mut Channel, room: &Room, title: &str) {
    let mut token = site.token();
    token.login("o-viewer");
    let before = (room.id - 1).to_be_bytes();
    let mut listed = token.done(ROOM_LIST, &before);
    assert!(listed.u16() > 0 && listed.u32() == room.id, "{room:?} is not listed in token");
    let mut entered: Fields = token.done(ENTER_ROOM, &room.id.to_be_bytes());
    assert_eq!(entered.u32(), room.id);
    let info: Value = serde_json::from_str(&entered.text()).expect("it is JSON");
    let shown = if title.is_empty() { &room.name } else { title };
    assert_eq!(info["name"], shown, "{room:?} in token");

    let found = site.usr_room().done("/search", &json!({"key": room.id}));
    let found = &found["rooms"][0];
    assert_eq!((&found["room_id"], &found["name"]), (&json!(room.id), &json!(title)));

    let listed = site.chatroom().get("/chatroom/list", &[]);
    let rooms = listed["rooms"].as_array().expect("it is a list");
    assert!(rooms.iter().any(|listed| listed["name"] == room.name), "{room:?} in {listed}");
    let mut talk = site.talk();
    talk.join(&room.name, "gus");
    talk.say(&room.name, "gus", "which room is it?");

    let received = channel.done("/channel/receive", &json!({"name": room.name}));
    let last = received["messages"].as_array().and_then(|messages| messages.last());
    assert_eq!(last.expect("gus has spoken")["msg"], "which room is it?");
    let history = json!({"room_id": room.id, "limit": 1});
    let history = site.usr_room().done("/room/get_message", &history);
    assert_eq!(history["messages"][0]["openid"], "@guest:gus", "it is the same room");
}

#[test]
fn ourchat_members_learn_of_a_group_by_the_room_id_of_all_dialects() {
    let site = Site::open();
    let mut cast = site.cast("");
    let members: Vec<u64> = cast.iter().map(|one| one.user.uid).filter(|uid| *uid != 0).collect();
    let mut ourchat = site.ourchat();
    let founder = ourchat.enroll("olga");
    let mut twin = site.ourchat();
    twin.login("olga@example.org", "pw");

    let made = ourchat.call(&json!({"code": 8, "members": members}));
    let id = number(&made["group_id"]);
    let mut all = [&members[..], &[founder]].concat();
    all.sort_unstable();
    let told = twin.receive();
    assert_eq!((&told["group_id"], &told["members"]), (&json!(id), &json!(all)));
    let room = Room { id, name: format!("room-{id}") };
    ourchat.send(&json!({"code": 0, "sender": {"ocid": founder, "group_id": id}, "msg": "hello"}));
    assert_eq!(twin.receive()["msg"], "hello");
    for one in cast.iter_mut().filter(|one| one.dialect().durable) {
        assert_eq!(one.client.receive(&room).text, "hello", "{}", one.row.title);
    }
}
