//! `dragoman user password`.

use serde_json::{Value, json};

use super::*;
use crate::program::{folder, run_typing};

/// The channel dialect's answer to a sign-in by handle.
fn sign_in_by_handle(gateway: &Gateway, name: &str, password: &str) -> Value {
    let login = json!({ "name": name, "password": password });
    json_of(gateway.address("channel"), "POST /login", &login)
}

#[test]
fn a_user_created_by_openid_signs_in_elsewhere_once_it_has_a_password() {
    let folder = folder(TOML);
    let gateway = Gateway::start(folder.path());
    let made = json!({ "openid": "o1", "name": "uma" });
    json_of(gateway.address("usr_room"), "POST /usr/complete", &made);
    let shown = gateway.user(folder.path(), &["show", "openid:wechat/o1"]);
    assert!(shown.contains("password no"), "{shown}");
    let handle = shown.lines().find_map(|line| line.strip_prefix("handle ")).expect("it has one");

    let said = gateway.set_password(folder.path(), "openid:wechat/o1", "tea for two\n");
    assert!(said.contains("password yes") && said.ends_with("exit 0"), "{said}");
    assert!(!said.contains("tea for two"), "{said}");
    let said = sign_in_by_handle(&gateway, handle, "tea for two");
    let token = said["data"]["token"].as_str().expect("it is signed in").to_owned();
    assert_eq!(sign_in_by_handle(&gateway, handle, "tea")["code"], 3);
    let info = |gateway: &Gateway| {
        let body = json!({ "token": token, "name": handle });
        json_of(gateway.address("channel"), "POST /user/info", &body)["code"].clone()
    };
    assert_eq!(info(&gateway), 0);
    gateway.end();

    // On the store itself, and another in place of the former.
    // The longest line there is: Windows puts a byte order mark before it.
    let coffee = "coffee".repeat(170) + "coff";
    let typed = &format!("\u{feff}{coffee}\r\n");
    let said = run_typing(folder.path(), &["user", "password", &format!("@{handle}")], typed);
    assert!(said.contains("password yes") && said.ends_with("exit 0"), "{said}");
    let gateway = Gateway::start(folder.path());
    assert_eq!(info(&gateway), 2, "who was signed in by the former is no more");
    assert_eq!(sign_in_by_handle(&gateway, handle, "tea for two")["code"], 3);
    assert_eq!(sign_in_by_handle(&gateway, handle, &coffee)["code"], 0);
    gateway.end();
}

#[test]
fn an_invalid_password_or_user_changes_nothing() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    for (who, typed, why) in [
        ("bob", "\n", "at least one character"),
        ("bob", &format!("{}\n", "t".repeat(1025)), "at most 1024 bytes; nothing was changed"),
        ("bob", "", "at least one character"),
        ("bob", "te\ta\n", "cannot have control characters"),
        ("cyd", "tea\n", "there is no user with the handle \"cyd\""),
    ] {
        let said = gateway.set_password(folder.path(), who, typed);
        assert!(said.contains(why) && said.ends_with("exit 1"), "{said}");
    }
    assert_eq!(sign_in_by_handle(&gateway, "bob", "tea")["code"], 0);
    let path = "PUT /api/v1/users/bob/password";
    let head = format!("{path} HTTP/1.1\r\nhost: localhost\r\nx-dragoman-admin: 1");
    let body = json!({ "password_hash": "tea" }).to_string();
    let (status, _, said) = http(gateway.address("admin"), &head, &body);
    assert_eq!((status, said.contains("not an argon2id hash")), (400, true), "{said}");
    gateway.end();
}
