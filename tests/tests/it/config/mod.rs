//! `dragoman config` and `check` beside a running gateway.

use std::collections::BTreeMap;
use std::net::TcpListener;

use gateway_tests::{Channel, Gateway, Http, Raw, Talk, Token, WebSocket};
use serde_json::Value;

mod apply;
mod plan;

/// Five front ends, with these lines in sections of two.
fn toml(ourchat: &str, channel: &str) -> String {
    format!(
        "[server]\ndrain_timeout = \"25s\"\n[[rooms]]\nname = \"TEST\"\n[frontends.token]\n\
         [frontends.usr_room]\n[frontends.chatroom]\n[frontends.ourchat]\n{ourchat}\n\
         [frontends.channel]\n{channel}\n"
    )
}

#[track_caller]
fn plan(gateway: &Gateway) -> Value {
    let (said, error, code) = gateway.dragoman(&["config", "plan", "--json"]);
    assert_eq!(code, 0, "{error}");
    serde_json::from_str(&said).expect("JSON")
}

/// What becomes of each front end, and how many connections it costs.
fn fates(plan: &Value) -> BTreeMap<String, (String, u64)> {
    let text = |value: &Value| value.as_str().expect("a text").to_owned();
    let frontends = plan["frontends"].as_array().expect("a list").iter();
    let fate = |one: &Value| (text(&one["fate"]), one["drops"].as_u64().expect("a number"));
    frontends.map(|one| (text(&one["name"]), fate(one))).collect()
}

fn fate_of(plan: &Value, frontend: &str) -> (String, u64) {
    fates(plan).remove(frontend).unwrap_or_else(|| panic!("{frontend} is not in {plan}"))
}

/// The listeners with this fate: their front ends, and the connections that it costs.
fn listeners(plan: &Value, fate: &str) -> Vec<(String, u64)> {
    let all = plan["listeners"].as_array().expect("a list").iter();
    let of_fate = all.filter(|one| one["fate"] == fate);
    let shown = |one: &Value| {
        let names: Vec<&str> =
            one["frontends"].as_array().expect("a list").iter().filter_map(Value::as_str).collect();
        (names.join(","), one["drops"].as_u64().expect("a number"))
    };
    of_fate.map(shown).collect()
}

/// A listener of the test's own.
fn taken() -> (TcpListener, String) {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = taken.local_addr().expect("it is bound").to_string();
    (taken, address)
}

#[test]
fn check_beside_a_running_gateway_reports_true_conflicts_only() {
    let (_taken, other) = taken();
    let mut gateway = Gateway::start(&toml("", ""));
    let fixed = |listen: &str| toml("", &format!("listen = \"{listen}\""));
    // What the gateway itself holds is no conflict.
    let own = gateway.address("channel", "listen").to_string();
    gateway.configure(&fixed(&own));
    let (said, error, code) = gateway.dragoman(&["check"]);
    assert_eq!(code, 0, "{error}");
    assert!(said.contains("a gateway runs on this store and was asked"), "{said}");
    gateway.configure(&fixed(&other));
    let (_, error, code) = gateway.dragoman(&["check"]);
    assert_eq!(code, 1);
    assert!(error.contains(&format!("frontends.channel.listen = \"{other}\": in use")), "{error}");
    assert_eq!(error.lines().count(), 1, "{error}");
    // A room of a user cannot be one that the configuration names.
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    bob.send("bobs", "mine");
    let (_, said, code) = gateway.dragoman(&["room", "give", "bobs", "bob"]);
    assert_eq!(code, 0, "{said}");
    gateway.configure(&format!("{}[[rooms]]\nname = \"bobs\"\n", toml("", "")));
    let (_, error, code) = gateway.dragoman(&["check"]);
    assert_eq!(code, 1);
    assert!(
        error.contains("names the room \"bobs\": in the store it is a room of \"bob\""),
        "{error}"
    );
}

#[test]
fn without_a_gateway_a_plan_says_so() {
    let mut gateway = Gateway::start(&toml("", ""));
    assert_eq!(gateway.terminate(), 0);
    for verb in ["plan", "apply"] {
        let (_, error, code) = gateway.dragoman(&["config", verb]);
        assert_eq!(code, 1);
        assert!(error.contains("no gateway answers at "), "{error}");
        assert!(error.contains("`dragoman check` looks for mistakes"), "{error}");
    }
}
