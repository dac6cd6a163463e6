//! The ledger follows messages that are acknowledged, over lost connections and restarts.

use std::collections::BTreeMap;
use std::net::Shutdown;

use gateway_tests::{Gateway, Http, Ourchat};
use serde_json::{Value, json};

const TOML: &str = "
    [server.log]
    format = \"json\"
    [frontends.ourchat]
    [frontends.channel]
";

#[track_caller]
fn report(gateway: &Gateway) -> Value {
    let report = Http::connect(gateway.address("admin", "listen")).get("/ledger").body;
    serde_json::from_slice(&report).expect("it is JSON")
}

/// The direct messages that the store owes.
#[track_caller]
fn store(gateway: &Gateway) -> u64 {
    report(gateway)["store"]["rooms"]["direct"].as_u64().expect("a number")
}

/// The figures of direct messages in ourchat that are not 0. Asserts that they add up.
#[track_caller]
fn direct(gateway: &Gateway) -> BTreeMap<String, u64> {
    let report = report(gateway);
    let frontends = report["frontends"].as_array().expect("a list");
    let ourchat = frontends.iter().find(|frontend| frontend["frontend"] == "ourchat");
    let ourchat = ourchat.expect("it runs");
    assert_eq!(ourchat["mismatch"], 0, "{report}");
    let room = &ourchat["rooms"]["direct"];
    let figures = |key: &str| -> BTreeMap<String, u64> {
        serde_json::from_value(room[key].clone()).expect("numbers by name")
    };
    let [owed, deliveries, pending] = ["owed", "deliveries", "pending"].map(figures);
    let sum = |figures: &BTreeMap<String, u64>| figures.values().sum::<u64>();
    assert_eq!(sum(&owed), sum(&deliveries) + sum(&pending), "{report}");
    let pending = pending.into_iter().map(|(place, count)| (format!("pending {place}"), count));
    let figures = owed.into_iter().chain(deliveries).chain(pending);
    figures.filter(|(_, count)| *count > 0).collect()
}

fn figures(expected: &[(&str, u64)]) -> BTreeMap<String, u64> {
    expected.iter().map(|(word, count)| ((*word).to_owned(), *count)).collect()
}

fn log_in(gateway: &Gateway) -> Ourchat {
    let mut bob = Ourchat::websocket(gateway.address("ourchat", "listen"));
    bob.login("bob@example.org", "pw");
    bob
}

/// Reads so many messages, and then the answer to a request: whatever the gateway did with them, it
/// has counted.
#[track_caller]
fn read(client: &mut Ourchat, count: u64) {
    for _ in 0..count {
        assert_eq!(client.receive()["code"], 0);
    }
    settle(client);
}

#[track_caller]
fn settle(client: &mut Ourchat) {
    assert_eq!(client.call(&json!({"code": 12}))["code"], 12);
}

/// Ends the stream without a close, and waits until the gateway has noticed.
fn vanish(mut client: Ourchat) {
    let stream = client.stream();
    stream.shutdown(Shutdown::Write).expect("it is open");
    drop(std::io::copy(stream, &mut std::io::sink()));
}

#[test]
fn a_message_is_owed_again_until_it_is_acknowledged() {
    let mut gateway = Gateway::start(TOML);
    let mut bob = Ourchat::websocket(gateway.address("ourchat", "listen"));
    let bob_ocid = bob.enroll("bob");
    vanish(bob);
    let mut ann = Ourchat::websocket(gateway.address("ourchat", "listen"));
    let ann_ocid = ann.enroll("ann");
    let sender = json!({"ocid": ann_ocid, "private_id": bob_ocid});
    for number in 0..3 {
        let message = json!({"code": 0, "sender": sender, "msg": format!("message {number}")});
        assert_eq!(ann.call(&message)["code"], 0);
    }
    ann.show_life();
    settle(&mut ann);
    let of_ann = [("live", 3), ("acknowledged", 3)];
    assert_eq!(direct(&gateway), figures(&of_ann), "bob is away");

    // The store learns at the latest now what she has.
    vanish(ann);

    // He answers no ping.
    vanish(log_in(&gateway));
    let of_bob = [("backlog", 3), ("returned", 3)];
    assert_eq!(direct(&gateway), figures(&[of_ann, of_bob].concat()));

    let mut bob = log_in(&gateway);
    assert_eq!(store(&gateway), 3);
    read(&mut bob, 3);
    bob.show_life();
    settle(&mut bob);
    let of_bob = [("backlog", 6), ("returned", 3), ("acknowledged", 3 + 3)];
    assert_eq!(direct(&gateway), figures(&[of_ann.as_slice(), &of_bob].concat()));
    vanish(bob);
    let mut bob = log_in(&gateway);
    settle(&mut bob);
    assert_eq!(store(&gateway), 0);

    gateway.restart();
    settle(&mut log_in(&gateway));
    assert_eq!(direct(&gateway), figures(&[]), "the figures are since the start");
}

#[test]
fn what_retention_removes_before_it_is_delivered_is_expired() {
    let toml = format!("[store]\nkeep_messages_per_room = 2\n{TOML}");
    let mut gateway = Gateway::start(&toml);
    let mut bob = Ourchat::websocket(gateway.address("ourchat", "listen"));
    let bob_ocid = bob.enroll("bob");
    vanish(bob);
    let mut ann = Ourchat::websocket(gateway.address("ourchat", "listen"));
    let ann_ocid = ann.enroll("ann");
    let group = ann.call(&json!({"code": 8, "members": [bob_ocid]}))["group_id"].clone();
    for number in 0..5 {
        if number == 1 {
            // He answers no ping.
            vanish(log_in(&gateway));
        }
        let sender = json!({"ocid": ann_ocid, "group_id": group});
        let message = json!({"code": 0, "sender": sender, "msg": format!("message {number}")});
        assert_eq!(ann.call(&message)["code"], 0);
    }
    ann.show_life();
    settle(&mut ann);
    vanish(ann);
    // What she has acknowledged is stored when this is answered.
    vanish(log_in(&gateway));
    let of_group = |gateway: &Gateway| {
        let store = &report(gateway)["store"];
        ["rooms", "expired"].map(|key| store[key]["group"].as_u64().expect("a number"))
    };
    assert_eq!(of_group(&gateway), [5, 0]);
    // Retention begins with a start.
    gateway.restart();
    assert_eq!(of_group(&gateway), [2, 3]);
    let response = Http::connect(gateway.address("admin", "listen")).get("/metrics");
    let metrics = response.text();
    for line in [
        "dragoman_store_owed{room=\"group\"} 2",
        "dragoman_deliveries_expired_total{room=\"group\"} 3",
    ] {
        assert!(metrics.lines().any(|one| one == line), "{line} in {metrics}");
    }
    let mut bob = log_in(&gateway);
    read(&mut bob, 2);
    bob.show_life();
    settle(&mut bob);
    vanish(bob);
    settle(&mut log_in(&gateway));
    assert_eq!(of_group(&gateway), [0, 3]);
}
