//! What readers of each dialect get of what they missed: over restarts, and over retention, which
//! leaves a gap of a known size.

use gateway_tests::token::{CATCH_UP, Fields};
use gateway_tests::{Channel, Gateway, Ourchat, Talk, UsrRoom};
use serde_json::{Value, json};

use super::catch_up::{ROOM, message, post, text, token};
use super::delivery::{received, texts};

const TOML: &str = "
    [[rooms]]
    name = \"TEST\"
    [store]
    keep_messages_per_room = 60
    [frontends.token]
    messages_per_s = 0
    requests_per_s = 0
    bytes_per_s = 0
    [frontends.chatroom]
    [frontends.ourchat]
    auto_join = [\"TEST\"]
    tcp_listen = \"127.0.0.1:0\"
    [frontends.channel]
    [frontends.usr_room]
";

/// A gateway whose retention has removed 50 of 110 messages, on a start: the ids of the first
/// message, and of the first that is left.
fn pruned() -> (Gateway, [u64; 2]) {
    let mut gateway = Gateway::start(TOML);
    let mut ourchat = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
    ourchat.enroll("bob");
    let mut ann = token(&gateway, "ann");
    ann.enter(ROOM);
    let first = ann.post(ROOM, &text(0));
    post(&mut ann, 1..110);
    gateway.restart();
    (gateway, [first, first + 50])
}

fn numbers(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(text).collect()
}

#[test]
fn a_token_reader_learns_how_many_retention_has_removed() {
    let (gateway, [first, left]) = pruned();
    let mut bob = token(&gateway, "bob");
    let mut gap = |after: u64| {
        let body = [&ROOM.to_be_bytes()[..], &after.to_be_bytes(), &[0, 1]].concat();
        let mut reply = bob.done(CATCH_UP, &body);
        assert_eq!((reply.u32(), reply.u16(), reply.u8()), (ROOM, 1, 1));
        let gap = [reply.u64(), reply.u64()];
        let cursor = reply.u64();
        assert_eq!(message(&bob.notification()).0, cursor);
        gap
    };
    assert_eq!(gap(0), [left, 50]);
    assert_eq!(gap(first), [left, 49]);
    assert_eq!(gap(left - 1), [0, 0]);
    assert_eq!(gap(left), [0, 0]);
    let refused = [&ROOM.to_be_bytes()[..], &(1u64 << 50).to_be_bytes(), &[0, 0]].concat();
    assert_eq!(bob.call(CATCH_UP, &refused).result, Some(9), "no message has this id yet");
    let now = [&ROOM.to_be_bytes()[..], &((1u64 << 53) - 1).to_be_bytes(), &[0, 0]].concat();
    let mut reply: Fields = bob.done(CATCH_UP, &now);
    assert_eq!((reply.u32(), reply.u16(), reply.u8()), (ROOM, 0, 0));
    assert_eq!([reply.u64(), reply.u64(), reply.u64()], [0, 0, left + 59]);
}

#[test]
fn a_chatroom_reader_learns_how_many_retention_has_removed() {
    let (gateway, [first, left]) = pruned();
    let mut talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    let data =
        json!({"user": {"user_name": "cyd"}, "room_name": "TEST", "msg": "", "since": first});
    talk.websocket.send(&json!({"type": "join", "data": data}).to_string());
    let gap = talk.receive_until(|packet| packet["type"] != "user")["data"].take();
    let numbers_of = |data: &Value| ["after", "before", "count"].map(|key| data[key].as_u64());
    assert_eq!(numbers_of(&gap), [first, left, 49].map(Some), "{gap}");
    for number in 50..110 {
        assert_eq!(talk.receive()["data"]["msg"], text(number));
    }
    let caught_up = talk.receive();
    assert_eq!(
        (&caught_up["type"], &caught_up["data"]["id"]),
        (&json!("caught_up"), &json!(left + 59))
    );
}

#[test]
fn an_ourchat_device_learns_how_many_retention_has_removed() {
    let (gateway, [_, left]) = pruned();
    let mut bob = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
    for device in ["phone", "desk"] {
        let login = json!({"code": 6, "login_type": 0, "account": "bob@example.org",
            "password": "pw", "device": device});
        assert_eq!(bob.call(&login)["state"], 0);
        let messages = received(&mut bob);
        let gap = &messages[0];
        assert_eq!((&gap["code"], &gap["count"]), (&json!(16), &json!(50)), "{device}: {gap}");
        assert_eq!(gap["before"], left);
        assert_eq!(texts(&messages[1..]), numbers(50..110), "{device}");
    }
}

#[test]
fn polling_readers_learn_how_many_retention_has_removed() {
    let (gateway, [first, left]) = pruned();
    let gap = json!({"after": first, "before": left, "count": 49});
    let mut channel = Channel::enroll(gateway.address("channel", "listen"), "cyd");
    let reply = channel.done("/channel/receive", &json!({"name": "TEST", "after": first}));
    assert_eq!((&reply["gap"], &reply["messages"][0]["msg"]), (&gap, &json!(text(50))));
    let reply = channel.done("/channel/receive", &json!({"name": "TEST", "after": left}));
    assert_eq!(reply.get("gap"), None);
    let ahead = json!({"name": "TEST", "after": 1u64 << 50});
    assert_eq!(channel.call("/channel/receive", &ahead)["code"], 1);
    let mut usr_room = UsrRoom::connect(gateway.address("usr_room", "listen"));
    let reply = usr_room.done("/room/get_message", &json!({"room_id": ROOM, "after": first}));
    assert_eq!((&reply["gap"], &reply["messages"][0]["message"]), (&gap, &json!(text(50))));
    let ahead = json!({"room_id": ROOM, "after": 1u64 << 50});
    assert_eq!(usr_room.call("/room/get_message", &ahead)["response_code"], 0);
}

#[test]
fn polling_readers_catch_up_with_any_number_over_a_restart() {
    let mut gateway = Gateway::start(&TOML.replace("keep_messages_per_room = 60", ""));
    let mut ann = token(&gateway, "ann");
    ann.enter(ROOM);
    let first = ann.post(ROOM, &text(0));
    post(&mut ann, 1..51);
    let after_first = |gateway: &Gateway, name: &str| -> [Vec<String>; 2] {
        let mut channel = Channel::enroll(gateway.address("channel", "listen"), name);
        let mut after = first;
        let mut of_channel = Vec::new();
        loop {
            let (messages, cursor) = channel.receive_after("TEST", after);
            if messages.is_empty() {
                break;
            }
            of_channel.extend(texts(&messages));
            after = cursor;
        }
        let mut usr_room = UsrRoom::connect(gateway.address("usr_room", "listen"));
        let mut of_usr_room = usr_room.history(ROOM.into()).split_off(1);
        let of_usr_room = of_usr_room.iter_mut().map(|one| one["message"].take());
        [of_channel, of_usr_room.map(|text| text.as_str().unwrap_or_default().into()).collect()]
    };
    assert_eq!(after_first(&gateway, "cyd"), [numbers(1..51), numbers(1..51)]);
    post(&mut ann, 51..5_001);
    gateway.restart();
    assert_eq!(after_first(&gateway, "dan"), [numbers(1..5_001), numbers(1..5_001)]);
}

#[test]
fn a_request_that_makes_its_user_is_repeated_once_too() {
    let mut gateway = Gateway::start("[frontends.usr_room]\nflavor = \"miniprogram\"");
    let mut add = |key: &str| {
        let mut usr_room = UsrRoom::connect(gateway.address("usr_room", "listen"));
        let headers = [("Content-Type", "application/json"), ("Idempotency-Key", key)];
        let body = json!({"room_owner_id": "o-new", "name": "tea"}).to_string();
        let response = usr_room.http.request("POST", "/room/add", &headers, body.as_bytes());
        gateway.restart();
        response.json()
    };
    let first = add("k");
    assert_eq!(first["response_code"], 1, "{first}");
    assert_eq!(add("k"), first);
    assert_ne!(add("another")["room_id"], first["room_id"]);
}
