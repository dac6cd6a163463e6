//! Clients that come back get what they missed, and what they send again is sent once.

use gateway_tests::token::{
    CATCH_UP, CREATE_ROOM_ONCE, Fields, MESSAGE, POST_MESSAGE, POST_ONCE, ROOM_LIST, json, string,
};
use gateway_tests::token::{Frame, post_body};
use gateway_tests::{Gateway, Ourchat, Talk, Token};
use serde_json::{Value, json};

use super::delivery::{leave, received, texts};

const TOML: &str = "
    [[rooms]]
    name = \"TEST\"
    [frontends.chatroom]
    messages_per_s = 0
    requests_per_s = 0
    bytes_per_s = 0
    [frontends.token]
    messages_per_s = 0
    requests_per_s = 0
    bytes_per_s = 0
    [frontends.ourchat]
    messages_per_s = 0
    requests_per_s = 0
    bytes_per_s = 0
    tcp_listen = \"127.0.0.1:0\"
";

/// The room of `TOML`.
pub(super) const ROOM: u32 = 1;

pub(super) fn token(gateway: &Gateway, openid: &str) -> Token {
    let mut token = Token::connect(gateway.address("token", "listen"));
    token.login(openid);
    token
}

pub(super) fn text(number: u64) -> String {
    format!("message {number}")
}

/// Posts these from a connection that has entered the room, many at once.
pub(super) fn post(ann: &mut Token, numbers: std::ops::Range<u64>) {
    for begin in numbers.clone().step_by(50) {
        let part = begin..numbers.end.min(begin + 50);
        for number in part.clone() {
            ann.send(POST_MESSAGE, &post_body(ROOM, &text(number))).expect("the gateway reads");
        }
        let mut replies = 0;
        while replies < part.end - part.start {
            let frame = ann.try_receive().expect("the gateway answers");
            assert!(frame.result.is_none_or(|result| result == 0), "{frame:?}");
            replies += u64::from(frame.result.is_some());
        }
    }
}

/// The id and the text of a message.
pub(super) fn message(frame: &Frame) -> (u64, String) {
    assert_eq!(frame.command, MESSAGE);
    let mut fields = Fields::of(frame);
    assert_eq!(fields.u32(), ROOM);
    let _author = fields.u64();
    let id = fields.u64();
    let _time = fields.u64();
    (id, fields.text())
}

/// Everything after this message: the ids and texts.
fn catch_up(bob: &mut Token, after: u64) -> Vec<(u64, String)> {
    let mut caught = Vec::new();
    loop {
        let after = caught.last().map_or(after, |(id, _)| *id);
        let body = [&ROOM.to_be_bytes()[..], &after.to_be_bytes(), &[0, 0]].concat();
        let mut reply = bob.done(CATCH_UP, &body);
        assert_eq!(reply.u32(), ROOM);
        let (count, more) = (reply.u16(), reply.u8());
        assert_eq!([reply.u64(), reply.u64()], [0, 0], "retention has removed nothing");
        caught.extend((0..count).map(|_| message(&bob.notification())));
        if more == 0 {
            return caught;
        }
    }
}

#[test]
fn a_token_client_catches_up_with_any_number_over_a_restart() {
    let mut gateway = Gateway::start(TOML);
    let mut ann = token(&gateway, "ann");
    ann.enter(ROOM);
    post(&mut ann, 0..51);
    let mut bob = token(&gateway, "bob");
    let first = catch_up(&mut bob, 0);
    assert_eq!(first.len(), 51);
    let first = first[0].0;
    let texts = |caught: Vec<(u64, String)>| -> Vec<String> {
        caught.into_iter().map(|(_, text)| text).collect()
    };
    assert_eq!(texts(catch_up(&mut bob, first)), (1..51).map(text).collect::<Vec<_>>());
    post(&mut ann, 51..2_500);
    gateway.restart();
    let mut ann = token(&gateway, "ann");
    ann.enter(ROOM);
    post(&mut ann, 2_500..5_001);
    let mut bob = token(&gateway, "bob");
    let caught = catch_up(&mut bob, first);
    assert!(caught.is_sorted(), "in order");
    assert_eq!(texts(caught), (1..5_001).map(text).collect::<Vec<_>>());
}

#[test]
fn a_token_client_posts_once_though_the_gateway_is_killed() {
    let mut gateway = Gateway::start(TOML);
    let body = [&ROOM.to_be_bytes()[..], &string("7d1f"), &json("once")].concat();
    let mut ids = Vec::new();
    for is_reply_lost in [true, false, false, false] {
        let mut ann = token(&gateway, "ann");
        ann.enter(ROOM);
        if is_reply_lost {
            ann.send(POST_ONCE, &body).expect("the gateway reads");
        } else {
            ids.push(ann.done(POST_ONCE, &body).u64());
        }
        gateway.restart();
    }
    assert_eq!(ids, [ids[0]; 3]);
    let mut bob = token(&gateway, "bob");
    assert_eq!(catch_up(&mut bob, 0), [(ids[0], "once".to_owned())]);
    // Another user's client_id is another.
    bob.enter(ROOM);
    assert_ne!(bob.done(POST_ONCE, &body).u64(), ids[0]);
}

#[test]
fn a_token_client_makes_a_room_once_though_the_gateway_is_killed() {
    let mut gateway = Gateway::start(TOML);
    let body = |secret: u64, name: &str| {
        let head = [&7_u16.to_be_bytes()[..], &secret.to_be_bytes(), &string("7d1f")].concat();
        [head, json(&format!("{{\"name\":\"{name}\"}}"))].concat()
    };
    let mut ids = Vec::new();
    for is_reply_lost in [true, false, false] {
        let mut ann = token(&gateway, "ann");
        // Another secret each time: it is the same user.
        let tea = body(ann.apply(), "tea");
        if is_reply_lost {
            ann.send(CREATE_ROOM_ONCE, &tea).expect("the gateway reads");
        } else {
            ids.push(ann.done(CREATE_ROOM_ONCE, &tea).u32());
        }
        gateway.restart();
    }
    assert_eq!(ids, [ids[0]; 2]);
    let mut bob = token(&gateway, "bob");
    let rooms = bob.done(ROOM_LIST, &ROOM.to_be_bytes()).u16();
    assert_eq!(rooms, 1, "beside {ROOM}");
    let secret = bob.apply();
    assert_ne!(bob.done(CREATE_ROOM_ONCE, &body(secret, "tea")).u32(), ids[0]);
    let other = bob.call(CREATE_ROOM_ONCE, &body(secret, "coffee"));
    assert_eq!(other.result, Some(9), "another room under the same name");
}

struct Pair {
    gateway: Gateway,
    ann: Ourchat,
    ann_ocid: u64,
    bob_ocid: u64,
}

impl Pair {
    fn open() -> Self {
        let gateway = Gateway::start(TOML);
        let mut ann = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
        let ann_ocid = ann.enroll("ann");
        let bob_ocid = Ourchat::lines(gateway.address("ourchat", "tcp_listen")).enroll("bob");
        Self { gateway, ann, ann_ocid, bob_ocid }
    }

    fn packet(&self, text: &str) -> Value {
        let sender = json!({"ocid": self.ann_ocid, "private_id": self.bob_ocid});
        json!({"code": 0, "sender": sender, "msg": text})
    }

    fn send(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers.clone() {
            self.ann.send(&self.packet(&text(number)));
        }
        for number in numbers {
            assert_eq!(self.ann.receive()["msg"], text(number));
        }
    }

    /// Logs bob in on a device; what comes before the answer to a further request.
    fn bob(&self, device: &str) -> (Ourchat, Vec<Value>) {
        self.bob_over(Ourchat::websocket(self.gateway.address("ourchat", "listen")), device)
    }

    fn bob_over(&self, mut bob: Ourchat, device: &str) -> (Ourchat, Vec<Value>) {
        let login = json!({"code": 6, "login_type": 1, "account": self.bob_ocid, "password": "pw",
            "device": device});
        assert_eq!(bob.call(&login)["state"], 0);
        let received = received(&mut bob);
        (bob, received)
    }
}

#[test]
fn every_device_of_an_ourchat_user_gets_everything() {
    let mut pair = Pair::open();
    pair.send(0..50);
    let (mut phone, messages) = pair.bob("phone");
    assert_eq!(texts(&messages), (0..50).map(text).collect::<Vec<_>>());
    phone.send(&json!({"code": 17, "cid": messages[49]["cid"]}));
    assert_eq!(received(&mut phone), [] as [Value; 0]);
    leave(phone);
    // What the phone has acknowledged is stored when this is answered: commands are in order.
    let (_, messages) = pair.bob("desk");
    assert_eq!(messages.len(), 50, "whatever the phone has");
    pair.gateway.restart();
    pair.ann = Ourchat::lines(pair.gateway.address("ourchat", "tcp_listen"));
    pair.ann.login("ann@example.org", "pw");
    received(&mut pair.ann);
    pair.send(50..750);
    let (_, messages) = pair.bob("phone");
    let gap = &messages[0];
    assert_eq!((&gap["code"], &gap["count"]), (&json!(16), &json!(200)), "{gap}");
    assert_eq!(gap["before"], messages[1]["cid"]);
    assert_eq!(texts(&messages[1..]), (250..750).map(text).collect::<Vec<_>>());
}

#[test]
fn what_a_device_has_acknowledged_does_not_come_beside_its_former_session() {
    let mut pair = Pair::open();
    pair.send(0..50);
    // A stream of lines has no pings.
    let address = pair.gateway.address("ourchat", "tcp_listen");
    let (mut phone, messages) = pair.bob_over(Ourchat::lines(address), "phone");
    for number in [9, 19, 29, 39] {
        phone.send(&json!({"code": 17, "cid": messages[number]["cid"]}));
        assert_eq!(received(&mut phone), [] as [Value; 0]);
        let expected: Vec<_> = (number as u64 + 1..50).map(text).collect();
        assert_eq!(texts(&pair.bob_over(Ourchat::lines(address), "phone").1), expected);
    }
}

#[test]
fn an_ourchat_text_is_sent_once_though_the_gateway_is_killed() {
    let mut pair = Pair::open();
    let mut once = pair.packet("once");
    once["client_id"] = json!("7d1f");
    let mut cids = Vec::new();
    for _ in 0..3 {
        let mut ann = Ourchat::lines(pair.gateway.address("ourchat", "tcp_listen"));
        ann.login("ann@example.org", "pw");
        ann.send(&once);
        let mut reply = ann.receive();
        while reply["code"] != 19 {
            reply = ann.receive();
        }
        assert_eq!(reply["client_id"], "7d1f");
        cids.push(reply["cid"].clone());
        pair.gateway.restart();
    }
    assert_eq!(cids, [cids[0].clone(), cids[0].clone(), cids[0].clone()]);
    let (_, messages) = pair.bob("phone");
    assert_eq!(texts(&messages), ["once"]);
}

/// Joins as a guest that has the messages up to one.
fn join(gateway: &Gateway, since: u64) -> Talk {
    let mut talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    let data =
        json!({"user": {"user_name": "bob"}, "room_name": "TEST", "msg": "", "since": since});
    talk.websocket.send(&json!({"type": "join", "data": data}).to_string());
    talk.receive_until(|packet| packet["data"]["user"]["user_name"] == "bob");
    talk
}

#[test]
fn a_chatroom_client_catches_up_on_joining_and_has_ids_from_then_on() {
    let mut gateway = Gateway::start(TOML);
    let mut ann = token(&gateway, "ann");
    ann.enter(ROOM);
    post(&mut ann, 0..51);
    let mut bob = join(&gateway, 0);
    let first = bob.receive()["data"].take();
    assert_eq!((&first["msg"], &first["id"].is_u64()), (&json!(text(0)), &true), "{first}");
    gateway.restart();
    let mut ann = token(&gateway, "ann");
    ann.enter(ROOM);
    let mut bob = join(&gateway, first["id"].as_u64().expect("it is a number"));
    for number in 1..51 {
        assert_eq!(bob.receive()["data"]["msg"], text(number));
    }
    assert_eq!(bob.receive()["type"], "caught_up");
    post(&mut ann, 51..53);
    let live = [bob.receive(), bob.receive()].map(|mut packet| packet["data"].take());
    assert_eq!(live.each_ref().map(|data| data["msg"].clone()), [text(51), text(52)]);
    assert!(live[0]["id"].as_u64() < live[1]["id"].as_u64(), "{live:?}");

    // Too many: a gap, and the newest.
    post(&mut ann, 53..5_000);
    let mut bob = join(&gateway, live[0]["id"].as_u64().expect("it is a number"));
    let gap = bob.receive();
    assert_eq!((&gap["type"], &gap["data"]["count"]), (&json!("gap"), &json!(4_948 - 1_000)));
    for number in 4_000..5_000 {
        assert_eq!(bob.receive()["data"]["msg"], text(number));
    }
    // Others notice nothing.
    let mut cyd = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    cyd.join("TEST", "cyd");
    post(&mut ann, 5_000..5_001);
    let heard = cyd.receive_until(|packet| packet["type"] == "msg");
    assert_eq!(heard["data"].get("id"), None, "{heard}");
}

#[test]
fn a_chatroom_message_is_posted_once_though_the_gateway_is_killed() {
    let mut gateway = Gateway::start(TOML);
    let data = json!({"user": {"user_name": "ann"}, "room_name": "TEST", "msg": "once",
        "client_id": "7d1f"});
    let once = json!({"type": "msg", "data": data}).to_string();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
        ann.join("TEST", "ann");
        ann.websocket.send(&once);
        let posted = ann.receive_until(|packet| packet["type"] == "posted");
        ids.push(posted["data"]["id"].as_u64());
        gateway.restart();
    }
    assert_eq!(ids, [ids[0]; 3]);
    let mut bob = token(&gateway, "bob");
    assert_eq!(catch_up(&mut bob, 0), [(ids[0].expect("a number"), "once".to_owned())]);
}
