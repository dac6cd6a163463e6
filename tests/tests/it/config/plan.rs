//! A plan, and that the reload then does exactly what it said.

use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::*;

#[test]
fn the_reload_does_to_each_front_end_what_the_plan_says() {
    let mut gateway = Gateway::start(&toml("", ""));
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    let ourchat = WebSocket::connect(gateway.address("ourchat", "listen"));
    let mut tom = Token::connect(gateway.address("token", "listen"));
    tom.login("o-tom");
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");

    let next = toml("backlog = 7", "room_capacity = 7")
        .replace("[frontends.token]\n", "[frontends.irc]\n[store]\nqueue_max = 99\n")
        .replace("25s", "20s")
        + "[[rooms]]\nname = \"new\"\n";
    gateway.configure(&next);
    let plan = super::plan(&gateway);
    let fate = |name: &str| fate_of(&plan, name);
    assert_eq!(fate("chatroom"), ("untouched".into(), 0));
    assert_eq!(fate("usr_room"), ("untouched".into(), 0));
    assert_eq!(fate("channel"), ("new_settings".into(), 0));
    assert_eq!(fate("ourchat"), ("replaced".into(), 1));
    assert_eq!(fate("token"), ("removed".into(), 1));
    assert_eq!(fate("irc"), ("added".into(), 0));
    assert_eq!(listeners(&plan, "opened"), [("irc".into(), 0)]);
    assert_eq!(listeners(&plan, "closed"), [("token".into(), 0)]);
    assert_eq!(plan["changed"], serde_json::json!(["server.drain_timeout", "rooms"]));
    assert_eq!(plan["restart"], serde_json::json!(["store.queue_max"]));
    assert_eq!(plan["problems"], serde_json::json!([]));
    let keys = |name: &str| {
        let all = plan["frontends"].as_array().expect("a list");
        all.iter().find(|one| one["name"] == name).expect(name)["keys"].clone()
    };
    assert_eq!(keys("ourchat"), serde_json::json!(["backlog"]));
    assert_eq!(keys("channel"), serde_json::json!(["room_capacity"]));
    let (table, ..) = gateway.dragoman(&["config", "plan"]);
    assert!(table.contains("ourchat    replaced      1"), "{table}");
    assert!(table.contains("needs a restart: store.queue_max"), "{table}");

    // A plan changes nothing.
    assert!(fates(&super::plan(&gateway)) == fates(&plan));
    tom.done(gateway_tests::token::HEARTBEAT, b"");

    gateway.reread();
    assert_eq!(ourchat.receive_close().1, Some(CloseCode::Away));
    tom.try_receive().expect_err("its front end is gone");
    gateway.wait_for_listener("irc", "listen");
    ann.say("TEST", "ann", "still here");
    bob.send("TEST", "still here");
    let (rooms, ..) = gateway.dragoman(&["room", "list", "--json"]);
    assert!(rooms.contains("\"name\":\"new\""), "{rooms}");
    let after = super::plan(&gateway);
    assert!(fates(&after).values().all(|(fate, _)| fate == "untouched"), "{after}");
    assert_eq!(after["restart"], serde_json::json!(["store.queue_max"]));
    assert_eq!(after["changed"], serde_json::json!([]));
}

#[test]
fn a_listener_that_moves_costs_the_http_connections_that_it_has() {
    let mut gateway = Gateway::start(&toml("", ""));
    let mut idle = Http::connect(gateway.address("channel", "listen"));
    assert_eq!(idle.get("/.well-known/dragoman/channel/").status, 200);
    let free = { taken().1 };
    gateway.configure(&toml("", &format!("listen = \"{free}\"")));
    let plan = plan(&gateway);
    assert_eq!(fate_of(&plan, "channel"), ("new_settings".into(), 0));
    assert_eq!(listeners(&plan, "opened"), [("channel".into(), 0)]);
    assert_eq!(listeners(&plan, "closed"), [("channel".into(), 1)]);
    gateway.reread();
    idle.wait_for_end();
    let address = gateway.wait_for_listener("channel", "listen");
    assert_eq!(address.to_string(), free);
}

#[test]
fn an_address_that_is_taken_keeps_the_former_section() {
    let mut gateway = Gateway::start(&toml("", ""));
    let (_taken, address) = taken();
    gateway.configure(&toml("", &format!("listen = \"{address}\"")));
    let plan = plan(&gateway);
    assert_eq!(fate_of(&plan, "channel"), ("kept".into(), 0));
    let said = plan["problems"][0].as_str().expect("a sentence");
    assert!(
        said.starts_with(&format!("frontends.channel: cannot listen on {address}: ")),
        "{said}"
    );
    assert_eq!(listeners(&plan, "closed"), []);
    let (_, error, code) = gateway.dragoman(&["config", "apply"]);
    assert_eq!(code, 1);
    assert!(error.contains("nothing is changed"), "{error}");
    gateway.reread();
    gateway.log().wait_for_line(&["keeping the previous configuration", &address]);
    Channel::enroll(gateway.address("channel", "listen"), "bob");
}

#[test]
fn mistakes_are_those_of_the_file_that_is_named() {
    let mut gateway = Gateway::start(&toml("", ""));
    let wrong = "[frontends.channel]\nhistori = 1\n";
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("next.toml");
    std::fs::write(&file, wrong).expect("it is writable");
    let shown = file.display().to_string();
    for verb in ["plan", "apply"] {
        let (_, error, code) = gateway.dragoman(&["config", verb, &shown]);
        assert_eq!(code, 1);
        let expected = format!("{shown}:2: unknown key frontends.channel.histori; did you mean");
        assert!(error.contains(&expected), "{error}");
        let missing = format!("{shown}.no");
        let (_, error, code) = gateway.dragoman(&["config", verb, &missing]);
        assert_eq!((code, error.contains("cannot read ")), (1, true), "{error}");
    }
    gateway.configure(&toml("", "history = \"many\""));
    let (_, error, code) = gateway.dragoman(&["config", "plan"]);
    assert_eq!(code, 1);
    assert!(error.contains("gateway.toml:"), "{error}");
    assert!(error.contains("frontends.channel.history = \"many\""), "{error}");
}
