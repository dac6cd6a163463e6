//! One room, five dialects.

use gateway_tests::token::{self, Fields, MEMBER_CHANGED, MESSAGE, POPULATION_CHANGED};
use gateway_tests::{Channel, Chatroom, Gateway, Ourchat, Talk, Token, UsrRoom};
use serde_json::{Value, json};

const ALL: &str = "
    [frontends.token]
    messages = true
    [frontends.usr_room]
    [frontends.chatroom]
    [frontends.ourchat]
    open = true
    tcp_listen = \"127.0.0.1:0\"
    [frontends.channel]
";

#[test]
fn messages_of_any_dialect_reach_all_dialects_in_one_order() {
    let gateway = Gateway::start(ALL);

    // dan and eve make the room in ourchat; open = true lets the others in.
    let mut dan = Ourchat::websocket(gateway.address("ourchat", "listen"));
    let mut eve = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
    let dan_id = dan.enroll("dan");
    let eve_id = eve.enroll("eve");
    let made = dan.call(&json!({"code": 8, "members": [eve_id], "name": "TEST"}));
    assert_eq!(made["success"], true, "{made}");
    let room_id = made["group_id"].as_u64().expect("it is a number");
    assert_eq!(eve.receive()["members"], json!([dan_id, eve_id]));

    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    let mut tom = Token::connect(gateway.address("token", "listen"));
    tom.login("o-tom");
    let token_room = u32::try_from(room_id).expect("it is one");
    tom.enter(token_room);
    let mut usr = UsrRoom::connect(gateway.address("usr_room", "listen"));
    usr.done("/usr/complete", &json!({"openid": "o-uma"}));
    usr.done("/usr/join", &json!({"openid": "o-uma", "room_id": room_id}));
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");

    bob.send("TEST", "from channel");
    ann.say("TEST", "ann", "from chatroom");
    tom.post(token_room, "from token");
    let from_app = json!({"room_id": room_id, "openid": "o-uma", "message": "from usr_room"});
    usr.done("/room/send_message", &from_app);
    let sender = json!({"ocid": dan_id, "group_id": room_id});
    dan.send(&json!({"code": 0, "sender": sender, "msg": "from ourchat"}));

    let said = ["from channel", "from chatroom", "from token", "from usr_room", "from ourchat"];
    for member in [&mut dan, &mut eve] {
        let heard = said.map(|_| member.receive());
        assert_eq!(heard.each_ref().map(|one| text(one, "msg")), said);
        let cids = heard.each_ref().map(|one| one["cid"].as_u64().expect("an id"));
        assert!(cids.is_sorted_by(|a, b| a < b), "{cids:?}");
        assert_eq!(heard[1]["sender"]["ocid"], 0, "ann is a guest");
    }
    let in_channel = bob.history("TEST");
    let senders = ["bob", "guest:ann", "o-tom", "user-10003", "dan"];
    assert_eq!(in_channel, pairs(senders, said));
    let in_app = usr.history(room_id).into_iter();
    let in_app: Vec<_> =
        in_app.map(|one| (text(&one, "openid").into(), text(&one, "message").into())).collect();
    let senders = ["@bob", "@guest:ann", "o-tom", "o-uma", "@dan"];
    assert_eq!(in_app, pairs(senders, said));

    // The echo of ann's own message was read when it was sent; bob's came before it.
    let heard = ann.receive_until(|packet| packet["data"]["msg"] == "from token");
    assert_eq!(heard["type"], "msg");
    for expected in ["from usr_room", "from ourchat"] {
        let heard = ann.receive_until(|packet| packet["type"] == "msg");
        assert_eq!(heard["data"]["msg"], expected);
    }
    assert_eq!(said.map(|_| next_text(&mut tom, token_room)), said);
}

/// The text of the next message that a token connection receives.
fn next_text(token: &mut Token, room: u32) -> String {
    loop {
        let frame = token.notification();
        if frame.command == MESSAGE {
            let mut fields = Fields::of(&frame);
            assert_eq!(fields.u32(), room);
            let _uid_id_time = [fields.u64(), fields.u64(), fields.u64()];
            let text = fields.text();
            fields.end();
            return text;
        }
    }
}

fn text<'a>(object: &'a Value, key: &str) -> &'a str {
    object[key].as_str().unwrap_or_else(|| panic!("no {key} in {object}"))
}

fn pairs(senders: [&str; 5], texts: [&str; 5]) -> Vec<(String, String)> {
    senders.map(String::from).into_iter().zip(texts.map(String::from)).collect()
}

#[test]
fn joins_and_leaves_are_announced_across_dialects() {
    let gateway = Gateway::start(&format!("[[rooms]]\nname = \"TEST\"\n{ALL}"));
    let mut tom = Token::connect(gateway.address("token", "listen"));
    tom.login("o-tom");
    let mut rooms = tom.done(token::ROOM_LIST, &0_u32.to_be_bytes());
    assert_eq!(rooms.u16(), 1, "TEST and nothing else");
    let room_id = rooms.u32();
    tom.enter(room_id);
    let population = |tom: &mut Token, entered: u8| -> u32 {
        let member = tom.notification();
        assert_eq!(member.command, MEMBER_CHANGED, "{member:?}");
        let mut fields = Fields::of(&member);
        let _room = fields.u32();
        let _uid = fields.u64();
        assert_eq!(fields.u8(), entered);
        let changed = tom.notification();
        assert_eq!(changed.command, POPULATION_CHANGED, "{changed:?}");
        let mut fields = Fields::of(&changed);
        assert_eq!(fields.u32(), room_id);
        fields.u32()
    };
    assert_eq!(population(&mut tom, 1), 1, "the own seat");

    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    assert_eq!(population(&mut tom, 1), 2);
    let mut usr = UsrRoom::connect(gateway.address("usr_room", "listen"));
    usr.done("/usr/complete", &json!({"openid": "o-uma"}));
    usr.done("/usr/join", &json!({"openid": "o-uma", "room_id": room_id}));
    assert_eq!(population(&mut tom, 1), 3);
    assert_eq!(ann.receive()["data"]["msg"], "join");
    usr.done("/room/kick", &json!({"openid": "o-uma", "room_id": room_id}));
    assert_eq!(population(&mut tom, 0), 2);
    assert_eq!(ann.receive()["data"]["msg"], "leave");
    ann.websocket.close();
    assert_eq!(population(&mut tom, 0), 1);

    let mut http = Chatroom::connect(gateway.address("chatroom", "listen"));
    let rooms = http.get("/chatroom/list", &[]);
    assert_eq!(rooms["rooms"], json!([{"name": "TEST", "population": 1}]));
}

#[test]
fn direct_messages_cross_between_ourchat_and_channel() {
    let gateway = Gateway::start(ALL);
    let mut dan = Ourchat::websocket(gateway.address("ourchat", "listen"));
    let dan_id = dan.enroll("dan");
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");

    bob.done("/send", &json!({"name": "dan", "msg": "psst"}));
    let heard = dan.receive();
    assert_eq!((&heard["code"], &heard["msg"]), (&json!(0), &json!("psst")), "{heard}");
    assert_eq!(heard["sender"]["private_id"], dan_id);
    let bob_id = heard["sender"]["ocid"].clone();

    let sender = json!({"ocid": dan_id, "private_id": bob_id});
    let echo = dan.call(&json!({"code": 0, "sender": sender, "msg": "what?"}));
    assert_eq!(echo["msg"], "what?", "{echo}");
    let got = bob.done("/receive", &json!({}));
    assert_eq!(got["messages"], json!({"dan": ["what?"]}));
}
