//! What front ends from plugins serve, and that their faults harm no other front end.

use std::collections::BTreeMap;
use std::net::TcpStream;

use serde_json::{Value, json};
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;

use super::*;
use crate::console::Answer;
use crate::program::{folder, run};

#[test]
fn a_loaded_chatroom_and_a_loaded_channel_bridge_a_message() {
    let chatroom = "listen = \"127.0.0.1:0\"\nwebsocket_listen = \"127.0.0.1:0\"";
    let toml = format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[[rooms]]\nname = \"TEST\"\n{}{}",
        section("chatroom", chatroom),
        section("channel", "listen = \"127.0.0.1:0\"")
    );
    let gateway = Gateway::start(&toml, 4);
    let post = |path: &str, form: &str| -> Value {
        let (status, body) = http(gateway.address("channel.listen"), "POST", path, form).unwrap();
        assert_eq!(status, 200, "{body}");
        serde_json::from_str(&body).expect("it is JSON")
    };
    post("/register", "name=bob&password=hunter22&password_repete=hunter22");
    let token = post("/login", "name=bob&password=hunter22")["data"]["token"].clone();
    let token = token.as_str().expect("a token");

    let address = gateway.address("chatroom.websocket_listen");
    let stream = TcpStream::connect(address).unwrap();
    let (mut ann, _) = tungstenite::client(format!("ws://{address}/"), stream).unwrap();
    let user = json!({ "user_name": "ann", "user_avatar": "" });
    let mut say = |kind: &str, msg: &str, wanted: &str| {
        let data = json!({ "user": user, "room_name": "TEST", "msg": msg });
        if !kind.is_empty() {
            let packet = json!({ "type": kind, "data": data }).to_string();
            ann.send(Message::text(packet)).unwrap();
        }
        loop {
            let heard = ann.read().unwrap().into_text().unwrap();
            if heard.contains(wanted) {
                return heard.to_string();
            }
        }
    };
    say("join", "", "\"ann\"");
    say("msg", "hello bob", "hello bob");
    let form = format!("token={token}&name=TEST&message=hello+ann");
    let sent = post("/channel/send", &form);
    assert_eq!(sent["code"], 0, "{sent}");
    let heard = say("", "", "hello ann");
    assert!(heard.contains("bob"), "{heard}");
    let received = post("/channel/receive", &format!("token={token}&name=TEST"));
    assert!(received.to_string().contains("hello bob"), "{received}");
    operators_see_what_is_loaded(&gateway);
}

fn operators_see_what_is_loaded(gateway: &Gateway) {
    let admin = gateway.address("admin.listen");
    let ask = |line: &str, body: &str| {
        let head = format!("{line} HTTP/1.1\r\nhost: {admin}\r\nx-dragoman-admin: 1");
        Answer::read(admin, &head, body).json()
    };
    let plugins = ask("GET /api/v1/plugins", "");
    let rows = plugins["items"].as_array().expect("a list").iter();
    let rows: Vec<_> = rows.map(|one| (&one["frontend"], &one["state"], &one["faults"])).collect();
    let row = |name| (json!(name), json!("serving"), json!(0));
    let expected = [row("chatroom"), row("channel")];
    let expected: Vec<_> = expected.iter().map(|(name, state, no)| (name, state, no)).collect();
    assert_eq!(rows, expected, "{plugins}");
    // A text that is only checked may name what is loaded, and nothing else.
    let text = std::fs::read_to_string(gateway.folder.path().join("gateway.toml")).expect("a file");
    let check = |text: &str| {
        let body = json!({ "text": text }).to_string();
        ask("POST /api/v1/config/check", &body)["problems"].clone()
    };
    assert_eq!(check(&text), json!([]));
    let loaded = plugins["items"][0]["path"].as_str().expect("a path");
    let other = check(&text.replace(loaded, "/other.so")).to_string();
    assert!(other.contains("has not loaded this library"), "{other}");
}

/// The documents of a front end, by name, as they are served.
fn documents(gateway: &Gateway, listener: &str, name: &str) -> BTreeMap<String, String> {
    let get =
        |document: &str| gateway.get(listener, &format!("/.well-known/dragoman/{name}/{document}"));
    let (status, list) = get("");
    assert_eq!(status, 200, "{list}");
    let list: Vec<Value> = serde_json::from_str(&list).expect("it is JSON");
    let names = list.iter().map(|one| one["name"].as_str().expect("it is a string").to_owned());
    names.map(|document| (document.clone(), get(&document).1)).collect()
}

#[test]
fn the_documents_of_a_loaded_dialect_are_the_committed_ones() {
    let mut toml = String::new();
    for name in ["token", "usr_room", "chatroom", "ourchat", "channel"] {
        toml += &section(name, "listen = \"127.0.0.1:0\"");
    }
    let folder = folder(&toml);
    let said = run(folder.path(), &["schema", "export", "--out", "here"]);
    assert!(said.ends_with("exit 0") && said.contains("here/ourchat/asyncapi.json"), "{said}");
    let mut compared = 0;
    for line in said.lines().filter(|line| line.starts_with("here/")) {
        let committed = plugin_testkit::root().join("schemas").join(&line["here/".len()..]);
        let [written, committed] =
            [folder.path().join(line), committed].map(std::fs::read_to_string);
        assert!(written.unwrap() == committed.unwrap(), "{line} differs");
        compared += 1;
    }
    assert!(compared > 10, "{said}");
    let listed = run(folder.path(), &["schema", "list", "--dialect", "token"]);
    assert!(listed.contains("token/token.ksy  "), "{listed}");

    let gateway = Gateway::start(&section("channel", "listen = \"127.0.0.1:0\""), 1);
    let served = documents(&gateway, "channel.listen", "channel");
    assert!(served.contains_key("openapi.json") && served.contains_key("schema.json"));
    for (name, text) in served {
        let committed = plugin_testkit::root().join("schemas/channel").join(&name);
        let committed = std::fs::read_to_string(committed).unwrap();
        // All but the address.
        let [served, committed] = [&text, &committed].map(|text| {
            let mut json: Value = serde_json::from_str(text).expect("it is JSON");
            json.as_object_mut().expect("an object").remove("servers");
            json
        });
        assert!(served == committed, "{name} differs");
    }
}

#[test]
fn a_plugin_that_cannot_describe_itself_is_reported() {
    let gateway_toml = |option: &str| format!("{BESIDE}{}", faulty(option));
    let gateway = Gateway::start(&gateway_toml(""), 4);
    let expected = BTreeMap::from([("words.txt".into(), "panic, block, emit".into())]);
    assert_eq!(documents(&gateway, "faulty.http_listen", "faulty"), expected);
    for option in [
        "panic_in = \"frontend_schemas\"",
        "malformed_in = \"frontend_schemas\"",
        "document = \"../../escaped\"",
    ] {
        let mut gateway = Gateway::start(&gateway_toml(option), 4);
        assert_eq!(documents(&gateway, "faulty.http_listen", "faulty"), BTreeMap::new());
        let complaint = gateway.complaint();
        assert!(complaint.contains(" in frontend_schemas: "), "{complaint}");
        gateway.assert_others_are_served();
        let folder = folder(&faulty(option));
        let said =
            run(folder.path(), &["schema", "export", "--dialect", "faulty", "--out", "here"]);
        assert!(
            said.contains("stderr: plugin faulty (") && said.contains(" in frontend_schemas: "),
            "{said}"
        );
        assert!(!folder.path().join("here").exists());
    }
}
