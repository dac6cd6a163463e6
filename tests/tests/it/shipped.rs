//! The configuration that is shipped.

use std::process::Command;

use gateway_tests::token::HEARTBEAT;
use gateway_tests::{Channel, Chatroom, Http, Launch, Ourchat, Talk, Token, UsrRoom, program};
use serde_json::json;

#[test]
fn the_shipped_configuration_starts_as_it_is_with_all_five_dialects() {
    // Ports and the store come from the environment; everything else is the file's.
    let mut gateway = Launch::shipped().start();
    let readiness = Http::connect(gateway.address("admin", "listen")).get("/readyz");
    assert_eq!((readiness.status, readiness.text()), (200, "ready\n"));

    let mut chatroom = Chatroom::connect(gateway.address("chatroom", "listen"));
    let rooms = chatroom.get("/chatroom/list", &[]);
    assert_eq!(rooms["rooms"], json!([{"name": "TEST", "population": 0}]));
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    assert_eq!(ann.join("TEST", "ann"), "create");
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    bob.send("TEST", "hello");
    let heard = ann.receive_until(|packet| packet["type"] == "msg");
    assert_eq!(heard["data"]["msg"], "hello");
    Token::connect(gateway.address("token", "listen")).done(HEARTBEAT, b"").end();
    let mut ourchat = Ourchat::websocket(gateway.address("ourchat", "listen"));
    assert_eq!(ourchat.call(&json!({"code": 12}))["status"], 0);
    let mut usr = UsrRoom::connect(gateway.address("usr_room", "listen"));
    usr.done("/time", &json!({}));
    drop((ann, ourchat));

    let log = gateway.log().text();
    assert!(!log.contains("\"WARN\"") && !log.contains("\"ERROR\""), "{log}");
    assert_eq!(gateway.terminate(), 0);
}

#[test]
fn the_shipped_configuration_listens_on_loopback_where_the_documents_say() {
    let output = Command::new(program::path())
        .arg("dialects")
        .current_dir(program::workspace())
        .output()
        .expect("it was built");
    let said = String::from_utf8(output.stdout).expect("it is UTF-8");
    assert!(output.status.success(), "{said}");
    for port in [5100, 5001, 5000, 2333, 7777, 5004] {
        assert!(said.contains(&format!("127.0.0.1:{port}")), "no {port} in {said}");
    }
    assert!(!said.contains("0.0.0.0"), "{said}");
}
