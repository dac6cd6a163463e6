//! Passwords that other servers have hashed.

use std::net::SocketAddr;

use gateway_tests::{Channel, Chatroom, Gateway, Irc, Ourchat};
use serde_json::json;

use super::{done, exported, nowhere, run};

const TOML: &str = "
    [frontends.channel]
    [frontends.chatroom]
    [frontends.ourchat]
    [frontends.irc]
";

/// Users with the password "tea", hashed in different ways.
const FILE: &str = r#"{"export":{"version":1}}
{"user":{"uid":10000,"handle":"carl","password":"$2y$10$abcdefghijklmnopqrstuu.2tQnAnV0M3IFG8E6f05GG6FMT5cn4u"}}
{"user":{"uid":10001,"handle":"rita","identities":["tel/5551234"],"password":"$pbkdf2-sha256$29000$c2FsdHNhbHQx$hWF1Ra1ULYJfa.sfzgbKuInlv7oB1rlF2kBaChAbjvA"}}
{"user":{"uid":10002,"handle":"olga","identities":["email/olga@example.org"],"password":"{SSHA256}oWnpX/IoLWbv55j7raO2x+z6rM8tVaqWpTjqOUWSwC9zYWx0c2FsdDE="}}
{"user":{"uid":10003,"handle":"ines","password":"{MD5}7239ea2b5dc943f61f3c0a0276c20974"}}
{"user":{"uid":10004,"handle":"late","password":"sha1$pepper$9fe9d8de7505ad673a9837f17bcc8bba8cfe459a"}}
{"end":{"records":5}}
"#;

fn is_let_in_by_channel(address: SocketAddr, name: &str, password: &str) -> bool {
    let login = json!({ "name": name, "password": password });
    match Channel::connect(address).call("/login", &login)["code"].as_u64() {
        Some(0) => true,
        Some(3) => false,
        other => panic!("{other:?}"),
    }
}

fn is_let_in_by_chatroom(address: SocketAddr, tel: &str, password: &str) -> bool {
    let fields = [("user_tel", tel), ("user_password", password)];
    Chatroom::connect(address).res("/auth/login", &fields) == "login successfully"
}

fn is_let_in_by_ourchat(address: SocketAddr, email: &str, password: &str) -> bool {
    let request = json!({"code": 6, "login_type": 0, "account": email, "password": password});
    Ourchat::websocket(address).call(&request)["state"] == 0
}

fn is_let_in_by_irc(address: SocketAddr, nick: &str, password: &str) -> bool {
    let mut irc = Irc::connect(address);
    irc.send(&format!("PASS :{password}"));
    irc.send(&format!("NICK {nick}"));
    irc.send(&format!("USER {nick} 0 * :{nick}"));
    loop {
        let line = irc.receive();
        match line.split(' ').nth(1) {
            Some("001") => return true,
            Some("464") => return false,
            _ => (),
        }
    }
}

/// Whether each user is let in with a password, each in another dialect.
fn let_in(gateway: &Gateway, password: &str) -> [bool; 4] {
    let listen = |frontend| gateway.address(frontend, "listen");
    [
        is_let_in_by_channel(listen("channel"), "carl", password),
        is_let_in_by_chatroom(listen("chatroom"), "5551234", password),
        is_let_in_by_ourchat(listen("ourchat"), "olga@example.org", password),
        is_let_in_by_irc(listen("irc"), "ines", password),
    ]
}

#[test]
fn a_password_that_another_server_hashed_signs_in_everywhere_and_is_hashed_anew() {
    let mut gateway = nowhere(TOML);
    let folder = gateway.launch().folder().to_owned();
    std::fs::write(folder.join("users.jsonl"), FILE).expect("there is space");
    let said = done(run(&folder, &["import", "users.jsonl"]));
    for weak in ["1 passwords have weak hashes (MD5)", "(SHA-1)", "(SHA-256)"] {
        assert!(said.contains(weak), "{said}");
    }
    assert!(!said.contains("bcrypt") && !said.contains("PBKDF2"), "{said}");
    gateway.restart();
    assert_eq!(let_in(&gateway, "coffee"), [false; 4]);
    assert_eq!(let_in(&gateway, "tea"), [true; 4]);
    gateway.kill();
    let lines = exported(&folder);
    let renewed = lines.matches("\"password\":\"sha256:$argon2id$").count();
    assert_eq!(renewed, 4, "{lines}");
    assert!(lines.contains("\"password\":\"sha1$pepper$"), "the last one has not signed in");
    gateway.restart();
    assert_eq!(let_in(&gateway, "tea"), [true; 4]);
    assert_eq!(let_in(&gateway, "coffee"), [false; 4]);
    // By now each may sign in where the client sends a digest, too.
    let digest = "a9f74d1ec36ebdeb2da3f6e5868090cd2a2d20b3dcca7b62f60304b1d3d9ef42";
    let address = gateway.address("ourchat", "listen");
    assert!(is_let_in_by_ourchat(address, "olga@example.org", digest));
}
