//! `dragoman export` and `dragoman import`: what users have moves to another gateway.

mod kills;
mod passwords;
mod wrong;

use std::path::Path;

use gateway_tests::{Channel, Gateway, Http, Ourchat};
use serde_json::Value;

use crate::backup::{dragoman, run};

const TOML: &str = "
    [frontends.channel]
    auto_join = [\"tea\"]
    [frontends.ourchat]
    auto_join = [\"tea\"]
    [[rooms]]
    name = \"tea\"
";

/// A gateway that has been stopped before it had a store, in its folder.
fn nowhere(toml: &str) -> Gateway {
    let mut gateway = Gateway::start(toml);
    gateway.kill();
    for file in std::fs::read_dir(gateway.launch().folder()).expect("it exists") {
        let path = file.expect("it can be read").path();
        if path.to_string_lossy().contains("redb") {
            std::fs::remove_file(path).expect("it is ours");
        }
    }
    gateway
}

/// The store of a folder, exported without a gateway.
fn exported(folder: &Path) -> String {
    let (code, lines, said) = run(folder, &["export"]);
    assert_eq!(code, 0, "{said}");
    lines
}

#[track_caller]
fn done((code, said, error): (i32, String, String)) -> String {
    assert_eq!(code, 0, "{said}{error}");
    said
}

#[test]
fn users_rooms_and_messages_move_from_a_gateway_that_serves() {
    let mut gateway = Gateway::start(TOML);
    let mut ann = Channel::enroll(gateway.address("channel", "listen"), "ann");
    let mut olga = Ourchat::websocket(gateway.address("ourchat", "listen"));
    olga.enroll("olga");
    for text in ["one", "two"] {
        ann.send("tea", text);
    }
    let (read, cursor) = ann.receive_after("tea", 0);
    assert_eq!(read.len(), 2);
    let file = gateway.launch().folder().join("all.jsonl");
    let file = file.display().to_string();
    let said = done(dragoman(&gateway, &["export", &file]));
    assert!(said.starts_with(&format!("{file}: ")) && said.contains(" records in "), "{said}");
    let (code, _, said) = dragoman(&gateway, &["export", &file]);
    assert_eq!((code, said.contains("there is such a file already")), (1, true), "{said}");
    let lines = std::fs::read_to_string(&file).expect("it was made");
    let mode = std::fs::metadata(&file).expect("it was made").permissions();
    assert_eq!(std::os::unix::fs::PermissionsExt::mode(&mode) & 0o777, 0o600);
    let audit = done(dragoman(&gateway, &["admin", "audit"]));
    assert!(audit.contains("export_store"), "{audit}");
    gateway.kill();
    assert_eq!(exported(gateway.launch().folder()), lines, "it is the same without a gateway");

    let mut other = nowhere(TOML);
    let folder = other.launch().folder().to_owned();
    let trial = done(run(&folder, &["import", &file, "--dry-run"]));
    assert!(trial.contains("would be imported into"), "{trial}");
    let names = |folder: &Path| {
        let names = std::fs::read_dir(folder).expect("it exists");
        names.map(|name| name.expect("it can be read").file_name()).collect::<Vec<_>>()
    };
    assert!(names(&folder).iter().all(|name| !name.to_string_lossy().contains("redb")));
    let summary = done(run(&folder, &["import", &file, "--json"]));
    let summary: Value = serde_json::from_str(&summary).expect("it is JSON");
    assert_eq!(summary["kinds"]["message"]["new"], 2, "{summary}");
    assert_eq!(exported(&folder), lines);
    let again = done(run(&folder, &["import", &file, "--json"]));
    let again: Value = serde_json::from_str(&again).expect("it is JSON");
    assert_eq!(again["kinds"]["message"]["there"], 2, "{again}");
    assert_eq!(exported(&folder), lines, "the second time changes nothing");
    other.restart();
    let mut ann = Channel::connect(other.address("channel", "listen"));
    ann.login("ann", "tea for two");
    ann.send("tea", "three");
    let (read, after) = ann.receive_after("tea", cursor);
    assert_eq!((read.len(), &read[0]["msg"], after > cursor), (1, &"three".into(), true));
    let mut olga = Ourchat::websocket(other.address("ourchat", "listen"));
    olga.login("olga@example.org", "pw");
    let (code, _, said) = dragoman(&other, &["import", &file]);
    assert_eq!((code, said.contains("another process has the store")), (1, true), "{said}");
}

#[test]
fn an_export_through_the_api_needs_the_role_operator() {
    let gateway = Gateway::start(TOML);
    let arguments = ["admin", "token", "create", "--role", "moderator", "--json"];
    let made: Value =
        serde_json::from_str(&done(dragoman(&gateway, &arguments))).expect("it is JSON");
    let token = format!("Bearer {}", made["token"].as_str().expect("it is shown"));
    let mut http = Http::connect(gateway.address("admin", "listen"));
    let headers = [("Authorization", token.as_str())];
    let response = http.request("POST", "/api/v1/store/export", &headers, b"");
    assert_eq!(response.status, 403, "{response}");
}

#[test]
fn the_sessions_of_a_dialect_without_seats_show_the_rooms_that_they_hear() {
    let gateway = Gateway::start(TOML);
    let mut olga = Ourchat::websocket(gateway.address("ourchat", "listen"));
    olga.enroll("olga");
    let listed = |arguments: &[&str]| {
        let arguments = [&["session", "list", "--json"], arguments].concat();
        let lines = done(dragoman(&gateway, &arguments));
        let sessions = lines.lines().map(|line| serde_json::from_str(line).expect("it is JSON"));
        sessions.collect::<Vec<Value>>()
    };
    assert_eq!(listed(&[])[0]["rooms"], serde_json::json!(["tea"]));
    assert_eq!(listed(&["--room", "tea"]).len(), 1);
    let (_, why, code) = gateway.dragoman(&["session", "list", "--room", "beer"]);
    assert_eq!((code, why.contains("there is no room with the name \"beer\"")), (1, true), "{why}");
}
