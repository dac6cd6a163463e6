//! `dragoman room`: a room that a user owns is released, and can be declared.

use super::*;

/// `dragoman room arguments…` on the store itself.
fn room(folder: &Path, arguments: &[&str]) -> String {
    run(folder, &[&["room"], arguments].concat())
}

/// A folder with a store in which bob owns the channel LOBBY, and ann is a member.
fn with_a_lobby() -> TempDir {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    for (name, password) in [("bob", "tea"), ("ann", "cocoa")] {
        let login = json!({ "name": name, "password": password });
        let address = gateway.address("channel");
        let token = json_of(address, "POST /login", &login)["data"]["token"].clone();
        let send = json!({ "token": token, "name": "LOBBY", "message": "hello" });
        assert_eq!(json_of(address, "POST /channel/send", &send)["code"], 0);
    }
    gateway.end();
    folder
}

#[test]
fn a_room_is_released_on_the_store_and_then_declared() {
    let folder = with_a_lobby();
    let declaring = format!("{TOML}[[rooms]]\nname = \"LOBBY\"\n");
    std::fs::write(folder.path().join("declaring.toml"), &declaring).expect("it is writable");
    let check = ["--config", "declaring.toml", "check"];
    let said = run(folder.path(), &check);
    assert!(said.contains("or release it with `dragoman room release`"), "{said}");
    insta::assert_snapshot!(room(folder.path(), &["release", "LOBBY"]), @r"
    $ dragoman room release LOBBY
    room_id 1
    name LOBBY
    title LOBBY
    owner none
    closed no
    population 2 of 500
    exit 0
    ");
    let said = run(folder.path(), &check);
    assert!(said.ends_with("exit 0"), "{said}");
    std::fs::write(folder.path().join("gateway.toml"), declaring).expect("it is writable");
    Gateway::start(folder.path()).end();
}

#[test]
fn a_room_is_given_to_a_user_through_a_running_gateway() {
    let folder = with_a_lobby();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.admin();
    let room =
        |arguments: &[&str]| run(folder.path(), &[&["--set", &admin, "room"], arguments].concat());
    assert!(room(&["show", "LOBBY"]).contains("owner bob\n"));
    assert!(room(&["show", ""]).contains("an empty text names no room"));
    assert!(room(&["give", "LOBBY", "ann"]).contains("owner ann\n"));
    let shown = room(&["show", "--json", "LOBBY"]);
    assert!(shown.contains(r#""owner":"ann","closed":false"#), "{shown}");
    assert!(room(&["release", "LOBBY"]).contains("owner none\n"));
    for (arguments, why) in [
        (&["release", "lobby"][..], "there is no room with the name \"lobby\""),
        (&["give", "LOBBY", "zoe"], "there is no user with the handle \"zoe\""),
    ] {
        let said = room(arguments);
        assert!(said.contains(why) && said.ends_with("exit 1"), "{said}");
    }
    gateway.end();
}

#[test]
fn a_closed_group_is_not_released() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    gateway.user(folder.path(), &["link", "bob", "email/bob@example.org"]);
    let (_, mut socket) = sign_in_by_email(&gateway, "bob@example.org", "tea");
    let group = json!({ "code": 8, "members": [10001], "name": "den" });
    socket.send(Message::text(group.to_string())).expect("it reads");
    let said = socket.read().expect("it answers");
    let said: Value = serde_json::from_str(said.to_text().expect("a text")).expect("JSON");
    assert_eq!(said["success"], true, "{said}");
    drop(socket);
    gateway.end();
    let said = room(folder.path(), &["release", "den#1"]);
    assert!(said.contains("is closed, so it keeps an owner"), "{said}");
    assert!(room(folder.path(), &["give", "den#1", "ann"]).contains("owner ann\n"));
}
