//! `dragoman trace msg` and `GET /api/v1/messages/{message}/trace`.

use gateway_tests::dialect::{ROWS, Room};
use gateway_tests::{Channel, Gateway, Irc, Ourchat};
use serde_json::{Value, json};

use super::{ALL, admin, read, read_until, text};

/// The newest message of the room TEST.
fn newest(gateway: &Gateway) -> Value {
    let page = read(gateway, "/api/v1/rooms/TEST/messages?limit=1");
    page["items"][0].clone()
}

/// Whether a frame, or a field of one, has the text.
fn has(frames: &Value, wanted: &str) -> bool {
    let frames = frames.as_array().expect("a list");
    let in_field = |frame: &Value| {
        let fields = frame["fields"].as_array().into_iter().flatten();
        fields.into_iter().any(|field| field["value"] == wanted)
    };
    frames.iter().any(|frame| text(frame).contains(wanted) || in_field(frame))
}

#[test]
fn a_message_of_any_dialect_is_traced_from_its_frame_to_what_every_dialect_makes_of_it() {
    let gateway = Gateway::start(&format!("{ALL}\n[admin]\ntrace = 100"));
    let room = Room { id: 1, name: "TEST".into() };
    let rows = ROWS.iter().filter(|row| row.dialect.name != "ourchat").enumerate();
    let mut clients: Vec<_> =
        rows.map(|(nth, row)| (row, (row.enroll)(&gateway, &format!("n{nth}")))).collect();
    clients.iter_mut().for_each(|(_, client)| client.enter(&room));
    for (nth, (row, client)) in clients.iter_mut().enumerate() {
        let said = format!("said by {nth}");
        client.post(&room, &said);
        let message = newest(&gateway);
        let target = format!("/api/v1/messages/{}/trace", message["id"]);
        // A client may have its answer before the last stage is noted.
        let is_over = |trace: &Value| {
            let stages = trace["stages"].as_array().into_iter().flatten();
            stages.last().is_some_and(|stage| stage["stage"] == "fanned_out")
        };
        let trace = read_until(&gateway, &target, is_over);
        assert_eq!(trace["message"], message);
        assert_eq!(trace["recorded"], true);
        let stages = trace["stages"].as_array().expect("a list");
        let names: Vec<&str> = stages.iter().filter_map(|it| it["stage"].as_str()).collect();
        let all = ["received", "queued", "taken", "committed", "fanned_out"];
        assert_eq!(names, all, "{}: {trace}", row.title);
        assert_eq!(stages[0]["frontend"], row.dialect.name, "{trace}");
        let times = stages[1..].iter().map(|stage| stage["at_us"].as_u64().expect("a time"));
        assert!(times.collect::<Vec<_>>().is_sorted(), "{trace}");
        assert!(has(&trace["frames_in"], &said), "{}: {trace}", row.title);
        let deliveries = trace["deliveries"].as_array().expect("a list");
        assert_eq!(deliveries.len(), 6);
        for delivery in deliveries {
            assert!(has(&delivery["frames"], &said), "{}: {delivery}", row.title);
        }
        // Two rows each of token, chatroom and irc are in the room.
        for delivery in deliveries.iter().filter(|it| it["pushed"] == true) {
            let here = if delivery["dialect"] == "ourchat" { 0 } else { 2 };
            assert_eq!(delivery["audience"], here, "{delivery}");
        }
    }
}

#[test]
fn what_was_not_recorded_is_said_to_be_so_and_a_direct_message_has_its_reader() {
    let gateway = Gateway::start(ALL);
    let address = gateway.address("channel", "listen");
    let mut ann = Channel::enroll(address, "ann");
    let mut bob = Channel::enroll(address, "bob");
    ann.done("/send", &json!({"name": "bob", "msg": "to you only"}));
    let export = read(&gateway, "/api/v1/users/ann/export");
    let id = export["messages"]["items"][0]["id"].clone();
    let trace = |gateway: &Gateway| read(gateway, &format!("/api/v1/messages/{id}/trace"));
    let before = trace(&gateway);
    assert_eq!(before["recorded"], false);
    assert_eq!((&before["stages"], &before["frames_in"]), (&json!([]), &json!([])));
    let frames = |name: &str| {
        let of = |it: &&Value| it["frontend"] == name;
        before["deliveries"].as_array().expect("a list").iter().find(of).expect("it is there")
            ["frames"]
            .clone()
    };
    for (name, shown) in [("channel", true), ("irc", true), ("ourchat", true), ("token", false)] {
        assert_eq!(has(&frames(name), "to you only"), shown, "{name}: {before}");
    }
    let unknown =
        json!([{"user": "bob", "way": "unknown", "has": false, "state": "unknown", "sessions": 0}]);
    assert_eq!(before["readers"], unknown, "{before}");
    bob.done("/receive", &json!({}));
    let after = trace(&gateway);
    let expected =
        json!([{"user": "bob", "way": "polling", "has": true, "state": "fetched", "sessions": 0}]);
    assert_eq!(after["readers"], expected);
    let (said, _, code) = gateway.dragoman(&["trace", "msg", &id.to_string()]);
    assert_eq!(code, 0);
    assert!(
        said.contains("not recorded") && said.contains("bob has fetched it, by polling"),
        "{said}"
    );
    let unknown = admin(&gateway, "GET", "/api/v1/messages/999999/trace", &Value::Null);
    assert_eq!(unknown.status, 404, "{unknown}");
    assert!(unknown.text().contains("never was"), "{unknown}");
    let (_, said, code) = gateway.dragoman(&["message", "delete", &id.to_string()]);
    assert_eq!(code, 0, "{said}");
    let removed = admin(&gateway, "GET", &format!("/api/v1/messages/{id}/trace"), &Value::Null);
    assert_eq!(removed.status, 404, "{removed}");
    assert!(removed.text().contains("has expired or was deleted"), "{removed}");
    for text in ["stays", "goes"] {
        ann.done("/send", &json!({"name": "bob", "msg": text}));
    }
    let newest = id.as_u64().expect("an id") + 2;
    let (_, said, code) = gateway.dragoman(&["message", "delete", &newest.to_string()]);
    assert_eq!(code, 0, "{said}");
    let target = format!("/api/v1/messages/{newest}/trace");
    let deleted = admin(&gateway, "GET", &target, &Value::Null);
    assert!(deleted.text().contains("older messages have not expired yet"), "{deleted}");
}

#[test]
fn a_reader_is_pending_while_its_session_is_open_and_owed_when_it_is_closed() {
    let gateway = Gateway::start(ALL);
    let address = gateway.address("ourchat", "listen");
    let mut bob = Ourchat::websocket(address);
    bob.enroll("bob");
    let mut ann = Channel::enroll(gateway.address("channel", "listen"), "ann");
    let reader = |trace: &Value| trace["readers"][0].clone();
    ann.done("/send", &json!({"name": "bob", "msg": "the first"}));
    while !bob.receive().to_string().contains("the first") {}
    bob.show_life();
    read_until(&gateway, "/api/v1/messages/1/trace", |trace| {
        reader(trace)["state"] == "acknowledged"
    });
    ann.done("/send", &json!({"name": "bob", "msg": "to you only"}));
    // Bob's client has it and does not say so.
    while !bob.receive().to_string().contains("to you only") {}
    let (id, target) = (2, "/api/v1/messages/2/trace");
    let pending = reader(&read(&gateway, target));
    assert_eq!((&pending["user"], &pending["state"]), (&json!("bob"), &json!("pending")));
    assert_eq!((&pending["sessions"], &pending["has"]), (&json!(1), &json!(false)));
    let (said, _, code) = gateway.dragoman(&["trace", "msg", &id.to_string()]);
    assert_eq!(code, 0);
    assert!(said.contains("bob pending: queued, or not acknowledged"), "{said}");
    drop(bob);
    let owed = read_until(&gateway, target, |trace| reader(trace)["state"] == "owed");
    assert_eq!(reader(&owed)["sessions"], 0, "{owed}");
}

#[test]
fn of_guests_a_trace_says_that_no_account_is_kept() {
    let gateway = Gateway::start(ALL);
    let mut irc = Irc::sign_on(gateway.address("irc", "listen"), "zed", None);
    irc.send("JOIN #TEST");
    irc.send("PRIVMSG #TEST :hello");
    irc.drain();
    let id = newest(&gateway)["id"].clone();
    let trace = read(&gateway, &format!("/api/v1/messages/{id}/trace"));
    let deliveries = trace["deliveries"].as_array().expect("a list");
    let of_irc = deliveries.iter().find(|it| it["frontend"] == "irc").expect("it is enabled");
    assert_eq!((&of_irc["audience"], &of_irc["guests"]), (&json!(1), &json!(1)), "{trace}");
    assert_eq!(trace["readers"], json!([]));
    let (said, _, _) = gateway.dragoman(&["trace", "msg", &id.to_string()]);
    assert!(said.contains("1 would get it now, 1 of them of guests, not known"), "{said}");
}

#[test]
fn a_trace_changes_nothing_that_clients_see() {
    let gateway = Gateway::start(ALL);
    let mut irc = Irc::sign_on(gateway.address("irc", "listen"), "zed", None);
    irc.send("JOIN #TEST");
    irc.send("PRIVMSG #TEST :hello");
    irc.drain();
    let id = newest(&gateway)["id"].clone();
    let frontends = read(&gateway, "/api/v1/frontends");
    let room = read(&gateway, "/api/v1/rooms/TEST");
    for _ in 0..3 {
        read(&gateway, &format!("/api/v1/messages/{id}/trace"));
        read(&gateway, "/api/v1/rooms/TEST/views");
    }
    assert_eq!(read(&gateway, "/api/v1/rooms/TEST"), room);
    assert_eq!(read(&gateway, "/api/v1/frontends"), frontends);
    irc.send("WHOIS observer");
    irc.send("LUSERS");
    let said = irc.drain().join("\n");
    assert!(said.contains(" 401 zed observer "), "{said}");
    assert!(said.contains(":I have 1 clients and 0 servers"), "{said}");
}
