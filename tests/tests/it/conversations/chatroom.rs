//! The procedures of the chatroom dialect's document, step by step.

use gateway_tests::chatroom::packet;
use gateway_tests::{Gateway, Http, Script, Talk};

const CHATROOM: &str = "[frontends.chatroom]";

#[test]
fn the_procedures_of_the_document_go_as_it_says() {
    let gateway = Gateway::start(CHATROOM);
    let http = &mut Http::connect(gateway.address("chatroom", "listen"));
    let talk = &mut Talk::connect(gateway.address("chatroom", "websocket_listen"));
    let script = &mut Script::default();

    script.heading("注册");
    let (tel, name, password) =
        (("user_tel", "15550001"), ("user_name", "ann"), ("user_password", "123456"));
    script.get("ann", http, "/auth/register", &[tel, name, password]);

    script.heading("登录");
    script.get("ann", http, "/auth/login", &[tel, password]);

    script.heading("创建聊天室");
    let room = ("room_name", "TEST");
    script.get("ann", http, "/chatroom/create", &[room]);
    script.send("ann", talk, &packet("join", "TEST", "ann", ""));
    script.receive("ann", talk);

    script.heading("进入聊天室");
    let bob_talk = &mut Talk::connect(gateway.address("chatroom", "websocket_listen"));
    let bob = ("user_name", "bob");
    script.get("bob", http, "/chatroom/room", &[room, bob, ("status", "1")]);
    script.send("bob", bob_talk, &packet("join", "TEST", "bob", ""));
    script.receive("bob", bob_talk);
    script.receive("ann", talk);

    script.heading("msg");
    script.send("bob", bob_talk, &packet("msg", "TEST", "bob", "hello"));
    script.receive("bob", bob_talk);
    script.receive("ann", talk);

    script.heading("聊天室列表");
    script.get("ann", http, "/chatroom/list", &[]);

    script.heading("退出聊天室");
    script.send("bob", bob_talk, &packet("leave", "TEST", "bob", ""));
    script.receive("bob", bob_talk);
    script.receive("ann", talk);
    script.get("bob", http, "/chatroom/room", &[room, bob, ("status", "0")]);
    script.get("ann", http, "/chatroom/list", &[]);

    insta::assert_snapshot!(script.redacted(&[]));
}

#[test]
fn every_answer_in_the_tables_of_the_document_is_given() {
    let gateway = Gateway::start("[frontends.chatroom]\nroom_capacity = 1");
    let http = &mut Http::connect(gateway.address("chatroom", "listen"));
    let talk = &mut Talk::connect(gateway.address("chatroom", "websocket_listen"));
    let script = &mut Script::default();
    let ann = [("user_tel", "15550001"), ("user_name", "ann"), ("user_password", "123456")];
    let room = ("room_name", "TEST");
    let test = ("user_name", "test");
    let other = ("user_name", "other");

    script.heading("register");
    script.get("ann", http, "/auth/register", &ann);
    script.get("ann", http, "/auth/register", &ann);

    script.heading("login");
    script.get("ann", http, "/auth/login", &[("user_tel", "15550002"), ann[2]]);
    script.get("ann", http, "/auth/login", &[ann[0], ("user_password", "654321")]);
    script.get("ann", http, "/auth/login", &[ann[0], ann[2]]);

    script.heading("create");
    script.get("test", http, "/chatroom/create", &[room]);
    script.get("test", http, "/chatroom/create", &[room]);

    script.heading("room");
    let enter = ("status", "1");
    let leave = ("status", "0");
    script.get("test", http, "/chatroom/room", &[room, test]);
    script.get("test", http, "/chatroom/room", &[("room_name", "NONE"), test, enter]);
    script.get("test", http, "/chatroom/room", &[room, test, ("status", "2")]);
    script.get("test", http, "/chatroom/room", &[room, test, leave]);
    script.get("test", http, "/chatroom/room", &[room, test, enter]);
    script.get("other", http, "/chatroom/room", &[room, other, enter]);
    script.get("test", http, "/chatroom/room", &[room, test, leave]);

    script.heading("error");
    let packets = [
        r#"{"type":"msg"}"#.into(),
        r#"{"type":"msg","data":{"room_name":"TEST"}}"#.into(),
        packet("join", "TEST", "", ""),
        packet("user", "TEST", "test", ""),
        packet("msg", "TEST", "test", ""),
        packet("join", "NONE", "test", ""),
        packet("msg", "TEST", "test", "hello"),
        packet("join", "TEST", "test", ""),
    ];
    for packet in packets {
        script.send("test", talk, &packet);
        script.receive("test", talk);
    }
    let full = &mut Talk::connect(gateway.address("chatroom", "websocket_listen"));
    script.send("other", full, &packet("join", "TEST", "other", ""));
    script.receive("other", full);

    insta::assert_snapshot!(script.redacted(&[]));
}

#[test]
fn a_connection_that_closes_or_breaks_leaves_for_the_others() {
    let gateway = Gateway::start("[[rooms]]\nname = \"TEST\"\n[frontends.chatroom]");
    let address = gateway.address("chatroom", "websocket_listen");
    let mut ann = Talk::connect(address);
    assert_eq!(ann.join("TEST", "ann"), "create");
    for breaks in [false, true] {
        let mut bob = Talk::connect(address);
        assert_eq!(bob.join("TEST", "bob"), "join");
        assert_eq!(ann.receive()["data"]["msg"], "join");
        if breaks {
            drop(bob)
        } else {
            bob.websocket.close()
        }
        let left = ann.receive();
        assert_eq!((&left["type"], &left["data"]["msg"]), (&"user".into(), &"leave".into()));
        assert_eq!(left["data"]["user"]["user_name"], "bob");
    }
}

#[test]
fn the_name_of_an_account_is_closed_to_guests() {
    let gateway = Gateway::start(
        "[[rooms]]\nname = \"TEST\"\n[frontends.chatroom]\nsign_in_by_address = false",
    );
    let http = &mut Http::connect(gateway.address("chatroom", "listen"));
    let ann = "user_tel=15550001&user_name=ann&user_password=123456";
    assert_eq!(http.get(&format!("/auth/register?{ann}")).status, 200);
    let login = http.get("/auth/login?user_tel=15550001&user_password=123456");
    let cookie = login.header("set-cookie").expect("a login sets a cookie");
    let cookie = cookie.split(';').next().expect("it has a value");

    let websocket = gateway.address("chatroom", "websocket_listen");
    let mut stranger = Talk::connect(websocket);
    stranger.send("join", "TEST", "ann", "");
    assert_eq!(stranger.receive()["data"]["msg"], "not signed in");

    let headers = [("cookie", cookie)];
    let own = gateway_tests::WebSocket::connect_with(websocket, "/any/path", &headers);
    let mut own = Talk { websocket: own };
    assert_eq!(own.join("TEST", "ann"), "create");
}
