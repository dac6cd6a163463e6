//! `GET /api/v1/rooms/{room}/views` and `GET /api/v1/users/{user}/views`.

use gateway_tests::token::ENTER_ROOM;
use gateway_tests::{Channel, Chatroom, Gateway, Irc, Ourchat, Token, UsrRoom};
use serde_json::{Value, json};

use super::{ALL, admin, read, text};

/// The frames of one front end.
fn frames<'a>(views: &'a Value, frontend: &str) -> &'a [Value] {
    let items = views["items"].as_array().expect("a list");
    let view = items.iter().find(|view| view["frontend"] == frontend);
    view.expect("it is enabled")["frames"].as_array().expect("a list")
}

/// What it says over HTTP, as JSON, in the first response.
fn body(views: &Value, frontend: &str) -> Value {
    let frame = frames(views, frontend).iter().find(|frame| frame["direction"] == "out");
    let body = frame.and_then(|frame| frame["http"]["body"].as_str()).expect("a response");
    serde_json::from_str(body).expect("JSON")
}

/// Whether one of its lines is this one, but for the client's own nick.
fn says(views: &Value, frontend: &str, line: &str, nick: &str) -> bool {
    let frames = frames(views, frontend).iter();
    let wanted = line.replacen(&format!(" {nick} "), " observer ", 1);
    frames.filter(|frame| frame["direction"] == "out").any(|frame| text(frame) == wanted)
}

#[test]
fn a_room_is_shown_as_a_client_of_each_dialect_sees_it() {
    let gateway = Gateway::start(&ALL.replace("name = \"tea\"", "name = \"tea room\""));
    let address = gateway.address("channel", "listen");
    let mut ann = Channel::enroll(address, "ann");
    ann.send("tea room", "welcome");
    let views = read(&gateway, "/api/v1/rooms/tea%20room/views");
    assert_eq!(views["items"].as_array().map(Vec::len), Some(6));

    let listed = ann.call("/channel/list_users", &json!({"name": "tea room"}));
    assert_eq!(body(&views, "channel"), listed);

    let mut chatroom = Chatroom::connect(gateway.address("chatroom", "listen"));
    let mut listed = chatroom.get("/chatroom/list", &[]);
    for list in ["room_list", "rooms"] {
        let rooms = listed[list].as_array_mut().expect("a list");
        rooms.retain(|room| room["name"] == "tea room");
    }
    assert_eq!(body(&views, "chatroom"), listed);

    let mut usr_room = UsrRoom::connect(gateway.address("usr_room", "listen"));
    let rooms = read(&gateway, "/api/v1/rooms?search=tea");
    let id = rooms["items"][0]["room_id"].clone();
    let found = usr_room.call("/search", &json!({"key": id.to_string()}));
    assert_eq!(body(&views, "usr_room"), found);
    let mut read_by_app = usr_room.call("/room/get_message", &json!({"room_id": id}));
    read_by_app["messages"][0]["openid"] = "***".into();
    let newest = frames(&views, "usr_room").last().expect("a message");
    let shown: Value =
        serde_json::from_str(newest["http"]["body"].as_str().expect("a body")).expect("JSON");
    assert_eq!(shown, read_by_app);

    let mut irc = Irc::sign_on(gateway.address("irc", "listen"), "zed", None);
    irc.send("LIST");
    let line = irc.receive_until("#tea\\20room");
    assert!(says(&views, "irc", &line, "zed"), "{line}: {views}");

    let mut token = Token::connect(gateway.address("token", "listen"));
    token.login("eve");
    let number = u32::try_from(id.as_u64().expect("a number")).expect("it is small");
    let reply = token.call(ENTER_ROOM, &number.to_be_bytes());
    let entered = frames(&views, "token").iter().find(|frame| frame["direction"] == "out");
    let fields = entered.expect("a reply")["fields"].as_array().expect("a list");
    let info = fields.iter().find(|field| field["name"] == "content.body.info.text");
    let info: Value =
        serde_json::from_str(info.expect("its info")["value"].as_str().expect("a text"))
            .expect("JSON");
    let seen: Value = serde_json::from_slice(&reply.body[8..]).expect("JSON");
    assert_eq!(info["name"], seen["name"]);
    for frontend in ["ourchat", "token", "chatroom", "irc", "channel"] {
        let all = json!(frames(&views, frontend)).to_string();
        assert!(all.contains("welcome"), "{frontend}: {all}");
    }
    let unknown = admin(&gateway, "GET", "/api/v1/rooms/none/views", &Value::Null);
    assert_eq!(unknown.status, 404, "{unknown}");
}

#[test]
fn a_person_is_shown_as_others_see_it_in_each_dialect() {
    let gateway = Gateway::start(ALL);
    let mut ourchat = Ourchat::websocket(gateway.address("ourchat", "listen"));
    let ocid = ourchat.enroll("ann");
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    bob.send("TEST", "hello");
    let views = read(&gateway, "/api/v1/users/bob/views");
    assert_eq!(body(&views, "channel"), bob.call("/user/info", &json!({"name": "bob"})));

    let bobs = read(&gateway, "/api/v1/users/bob")["uid"].clone();
    let ask = json!({"code": 10, "ocid": bobs,
        "request_values": ["ocid", "nickname", "status", "avater", "time"]});
    let mut seen = ourchat.call(&ask);
    let of_ourchat = frames(&views, "ourchat").iter().find(|frame| frame["direction"] == "out");
    let mut shown: Value = serde_json::from_str(&text(of_ourchat.expect("a reply"))).expect("JSON");
    for reply in [&mut seen, &mut shown] {
        reply["time"] = Value::Null;
    }
    assert_eq!(shown, seen);
    assert_ne!(json!(ocid), bobs);

    let mut irc = Irc::sign_on(gateway.address("irc", "listen"), "zed", None);
    irc.send("WHOIS bob");
    for _ in 0..2 {
        let line = irc.receive_until(" bob ");
        assert!(says(&views, "irc", &line, "zed"), "{line}: {views}");
    }
    let entered = json!(frames(&views, "chatroom")).to_string();
    assert!(entered.contains("\\\"user_name\\\":\\\"bob\\\""), "{entered}");
    let unknown = admin(&gateway, "GET", "/api/v1/users/unknown/views", &Value::Null);
    assert_eq!(unknown.status, 404, "{unknown}");
}
