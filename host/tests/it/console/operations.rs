//! What pages of the console ask of the API.

use std::fs;
use std::io::{BufRead as _, BufReader};

use serde_json::json;

use super::*;

/// The status and the body of a refusal.
fn refused(gateway: &Gateway, line: &str, body: &str) -> (u16, String) {
    let answer = gateway.ask(line, &[HEADER], body);
    assert!(answer.status >= 400, "{line}: {}", answer.body);
    (answer.status, answer.json()["detail"].as_str().expect("a detail").to_owned())
}

/// The element of a list that has this value.
fn with<'a>(list: &'a Value, key: &str, value: &str) -> &'a Value {
    let mut items = list.as_array().expect("a list").iter();
    items.find(|one| one[key] == value).unwrap_or_else(|| panic!("no {value}: {list}"))
}

#[test]
fn a_front_end_says_how_near_its_limits_are_and_where_its_documents_are() {
    let gateway = Gateway::start(TOML);
    let mut irc = TcpStream::connect(gateway.address("irc", "listen")).expect("it listens");
    irc.write_all(b"NICK zed\r\nUSER z 0 * :z\r\nMOTD\r\n").expect("it reads");
    let mut lines = BufReader::new(irc).lines();
    assert!(lines.any(|line| line.is_ok_and(|line| line.contains(" 001 "))), "no welcome");
    let irc = gateway.api("GET /api/v1/frontends/irc", "");
    assert_eq!((&irc["dialect"], &irc["serving"]), (&json!("irc"), &json!(true)));
    let listener = &irc["listeners"][0];
    let address = gateway.address("irc", "listen").to_string();
    assert_eq!((&listener["transport"], &listener["open"]), (&json!("lines"), &json!(true)));
    assert!(listener["address"].as_str().is_some_and(|at| at.ends_with(&address)), "{listener}");
    let limit = with(&irc["limits"], "name", "connections_max");
    assert_eq!((&limit["limit"], &limit["value"]), (&json!(50_000), &json!(1)));
    assert_eq!(with(&irc["counts"], "name", "opened")["count"], 1);
    assert_eq!(with(&irc["refusals"], "kind", "requests")["count"], 0);
    let channel = gateway.address("channel", "listen");
    let head = "POST /register HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json";
    assert_eq!(Answer::read(channel, head, "{}").status, 200);
    let channel = gateway.api("GET /api/v1/frontends/channel", "");
    let operation = with(&channel["operations"], "name", "POST /register");
    assert_eq!(operation["count"], 1);
    assert!(operation["p99_ms"].as_f64() > Some(0.0), "{operation}");
    let document = with(&channel["documents"], "name", "openapi.json");
    for key in ["href", "page"] {
        let path = document[key].as_str().expect("a path");
        assert_eq!(gateway.ask(&format!("GET {path}"), &[], "").status, 200, "{path}");
    }
    assert_eq!(gateway.api("GET /api/v1/plugins", ""), json!({ "items": [] }));
    let (status, why) = refused(&gateway, "GET /api/v1/frontends/nntp", "");
    assert_eq!(status, 404);
    assert!(why.contains("there are chatroom, channel, irc"), "{why}");
    gateway.end();
}

#[test]
fn a_backup_is_made_listed_and_verified() {
    let gateway = Gateway::start(&format!("{TOML}[store.backup]\nevery = \"30d\"\nkeep = 2\n"));
    let store = gateway.api("GET /api/v1/store", "");
    assert_eq!((&store["backup"]["keep"], &store["keep_days"]), (&json!(2), &json!(0)));
    assert!(store["file_bytes"].as_u64() > Some(0), "{store}");
    gateway.api("POST /api/v1/rooms", r#"{"name":"tea"}"#);
    let made = gateway.api("POST /api/v1/store/backups", "{}");
    let listed = gateway.api("GET /api/v1/store/backups", "");
    assert_eq!(listed["items"][0]["file"], made["file"]);
    assert_eq!(listed["items"][0]["bytes"], made["bytes"]);
    let verified = gateway.api("POST /api/v1/store/verify", "{}");
    assert_eq!((&verified["file"], &verified["rows"]), (&made["file"], &made["rows"]));
    assert_eq!((&verified["problems"], &verified["problem_count"]), (&json!([]), &json!(0)));
    let (status, why) = refused(&gateway, "POST /api/v1/store/verify", r#"{"file":"../x"}"#);
    assert_eq!(status, 404);
    assert!(why.contains("no backup"), "{why}");
    // One whose end is missing.
    let folder = Path::new(store["backup"]["folder"].as_str().expect("a folder")).to_owned();
    let folder = gateway.folder.path().join(folder);
    let path = folder.join(made["file"].as_str().expect("a name"));
    let bytes = fs::read(&path).expect("it is there");
    fs::write(&path, &bytes[..bytes.len() / 2]).expect("it is writable");
    let (status, why) = refused(&gateway, "POST /api/v1/store/verify", "{}");
    assert_eq!(status, 503, "{why}");
    let names = crate::program::names_in(&folder);
    assert!(names.iter().all(|name| name.ends_with(".dragoman-backup")), "left: {names:?}");
    let monitor = format!("authorization: Bearer {}", gateway.token("monitor"));
    for (line, status) in [
        ("GET /api/v1/store", 200),
        ("GET /api/v1/store/backups", 200),
        ("POST /api/v1/store/backups", 403),
        ("POST /api/v1/store/verify", 403),
        ("GET /api/v1/config/effective", 403),
        ("POST /api/v1/config/rollback", 403),
    ] {
        let body = if line.starts_with("POST") { "{}" } else { "" };
        assert_eq!(gateway.ask(line, &[&monitor], body).status, status, "{line}");
    }
    gateway.end();
    let gateway = Gateway::start(TOML);
    let (status, why) = refused(&gateway, "POST /api/v1/store/backups", "{}");
    assert_eq!(status, 409);
    assert!(why.contains("[store.backup] every"), "{why}");
    gateway.end();
}

#[test]
fn the_configuration_is_shown_with_its_layers_and_can_be_gone_back_to() {
    let keys = "[frontends.channel.api_keys]\nbot = \"0123456789abcdef0123456789abcdef\"\n";
    let gateway = Gateway::start(&format!("{TOML}{keys}"));
    let shown = gateway.api("GET /api/v1/config/effective", "");
    let key = |key: &str| with(&shown["items"], "key", key);
    let listen = key("admin.listen");
    assert_eq!((&listen["layer"], &listen["from"]), (&json!("file"), &json!("gateway.toml:4")));
    assert_eq!(
        (&key("admin.console")["value"], &key("admin.console")["layer"]),
        (&json!(true), &json!("default"))
    );
    let secret = key("frontends.channel.api_keys.bot");
    assert_eq!((&secret["value"], &secret["secret"]), (&json!("***"), &json!(true)));
    let (status, why) = refused(&gateway, "POST /api/v1/config/rollback", "{}");
    assert_eq!(status, 409);
    assert!(why.contains("nothing to go back to"), "{why}");
    let names = |gateway: &Gateway| -> Vec<String> {
        let list = gateway.api("GET /api/v1/frontends", "");
        let items = list["items"].as_array().expect("front ends").iter();
        items.map(|one| one["name"].as_str().expect("a name").to_owned()).collect()
    };
    let file = gateway.folder.path().join("gateway.toml");
    let without_irc = TOML.replace("[frontends.irc]\nlisten = \"127.0.0.1:0\"\n", "");
    fs::write(&file, &without_irc).expect("it is writable");
    gateway.api("POST /api/v1/config/apply", "{}");
    assert_eq!(names(&gateway), ["chatroom", "channel"]);
    // The same again is nothing to go back to.
    gateway.api("POST /api/v1/config/apply", "{}");
    let plan = gateway.api("POST /api/v1/config/rollback", "{}");
    assert_eq!(with(&plan["frontends"], "name", "irc")["fate"], "added");
    let warnings = plan["warnings"].to_string();
    assert!(warnings.contains("the file is as it was"), "{plan}");
    assert_eq!(names(&gateway), ["chatroom", "channel", "irc"]);
    let shown = gateway.api("GET /api/v1/config/effective", "");
    with(&shown["items"], "key", "frontends.irc.listen");
    // And back, on the command line.
    let listen = format!("admin.listen={}", gateway.admin());
    let arguments = ["--set", &listen, "config", "rollback"];
    let said = run(gateway.folder.path(), &arguments);
    assert!(said.contains("removed") && said.ends_with("exit 0"), "{said}");
    assert_eq!(names(&gateway), ["chatroom", "channel"]);
    assert_eq!(fs::read_to_string(&file).expect("it is there"), without_irc);
    gateway.end();
}

#[test]
fn a_pasted_configuration_is_checked_without_taking_effect() {
    let gateway = Gateway::start(TOML);
    let check = |text: &str| {
        let body = json!({ "text": text }).to_string();
        gateway.api("POST /api/v1/config/check", &body)
    };
    let plan = check(&TOML.replace("[frontends.irc]", "[frontends.usr_room]"));
    assert_eq!(with(&plan["frontends"], "name", "usr_room")["fate"], "added");
    assert_eq!(with(&plan["frontends"], "name", "irc")["fate"], "removed");
    assert_eq!(plan["problems"], json!([]));
    let secret = "0123456789abcdef0123456789abcdef";
    let text = format!("{TOML}api_keys = [\"{secret}\"]\nhistori = 1\n");
    let plan = check(&text);
    let problems = plan["problems"].to_string();
    assert!(problems.contains("gateway.toml:13: unknown key"), "{problems}");
    assert!(check("[admin")["problems"][0].as_str().is_some_and(|it| it.contains("not TOML")));
    // A library is not loaded for it, whatever it is: its code would run.
    let text = format!("{TOML}[frontends.evil]\nplugin = \"/lib/x86_64-linux-gnu/libc.so.6\"\n");
    let problems = check(&text)["problems"].to_string();
    assert!(problems.contains("has not loaded this library"), "{problems}");
    let audit = fs::read_dir(gateway.folder.path().join("data")).expect("a folder");
    let audit = audit.filter_map(|entry| fs::read_to_string(entry.ok()?.path()).ok());
    let audit: String = audit.collect();
    assert!(audit.contains("check_config") && !audit.contains(secret), "{audit}");
    let (status, _) = refused(&gateway, "POST /api/v1/config/check", "{}");
    assert_eq!(status, 400);
    gateway.end();
}
