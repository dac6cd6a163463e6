//! The verbs of operators, on a store without a gateway and through a running one; tokens, roles and
//! the audit log.

use super::*;

/// `dragoman arguments…` on the store itself.
fn offline(folder: &Path, arguments: &[&str]) -> String {
    run(folder, arguments)
}

/// Status and body of the answer to a request with a token.
fn with_token(admin: SocketAddr, line: &str, token: &str, body: &str) -> (u16, Value) {
    let head = format!("{line} HTTP/1.1\r\nhost: {admin}\r\nauthorization: Bearer {token}");
    let (status, _, body) = http(admin, &head, body);
    (status, serde_json::from_str(&body).expect("JSON"))
}

/// The value of `key` among the lines that a verb prints.
fn value(said: &str, key: &str) -> String {
    let line = said.lines().find_map(|line| line.trim_start().strip_prefix(&format!("{key} ")));
    line.unwrap_or_else(|| panic!("no {key}: {said}")).to_owned()
}

#[test]
fn verbs_do_the_same_on_the_store_and_through_a_gateway() {
    let folder = populated();
    let verbs = |run: &dyn Fn(&[&str]) -> String, name: &str| {
        let tel = format!("tel/{}", name.len());
        let created = run(&["user", "create", name, "--name", "Z", "--identity", &tel]);
        assert_eq!(value(&created, "handle"), name);
        let renamed = run(&["user", "rename", name, "Zed"]);
        assert_eq!(value(&renamed, "name"), "Zed");
        let again = run(&["user", "create", name]);
        assert!(again.contains("the name is taken") && again.ends_with("exit 1"), "{again}");
        let disabled = run(&["user", "disable", name, "--reason", "spam"]);
        assert_eq!(value(&disabled, "disabled"), "until enabled: spam");
        let target = format!("user:{}", value(&created, "uid"));
        assert!(run(&["ban", "list"]).contains(&target));
        assert!(!run(&["user", "enable", name]).contains("disabled"));
        assert!(run(&["user", "list", "--search", "ZED"]).contains(name));
        let room = format!("room-{name}");
        let made = run(&["room", "create", &room, "--owner", name, "--capacity", "3"]);
        assert_eq!(value(&made, "population"), "1 of 3");
        assert!(run(&["room", "create", &room]).contains("already"), "{made}");
        // As over the front ends.
        for numbered in [&["tea#7"][..], &["tea #七"], &["tea#7", "--owner", name]] {
            let refused = run(&[&["room", "create"], numbered].concat());
            assert!(refused.contains("ends with `#` and a number"), "{refused}");
        }
        assert_eq!(value(&run(&["room", "change", &room, "--title", "T"]), "title"), "T");
        assert!(run(&["room", "mute", &room, name, "--ttl", "1d"]).ends_with("exit 0"));
        let members = run(&["room", "members", &room]);
        assert!(members.contains(&format!("muted: {name} until 20")), "{members}");
        assert!(run(&["room", "kick", &room, name]).contains("give the room to another user"));
        run(&["room", "release", &room]);
        assert!(run(&["room", "kick", &room, name]).ends_with("exit 0"));
        assert!(run(&["message", "announce", "--room", &room, "hello"]).contains("rooms: 1"));
        let messages = run(&["message", "list", &room]);
        assert!(messages.contains("guest:Announcement  hello"), "{messages}");
        let export = run(&["user", "export", name]);
        assert!(export.contains(&tel), "{export}");
        let deleted = run(&["user", "delete", name, "--messages", "anonymize"]);
        assert!(value(&deleted, "handle").starts_with("deleted-"), "{deleted}");
        let enabled = run(&["user", "enable", &value(&deleted, "uid")]);
        assert!(enabled.ends_with("exit 1"), "{enabled}");
        assert!(run(&["room", "delete", &room]).ends_with("exit 0"));
        assert!(run(&["room", "show", &room]).contains("there is no room"));
    };
    verbs(&|arguments| offline(folder.path(), arguments), "zed");
    let gateway = Gateway::start(folder.path());
    verbs(&|arguments| gateway.dragoman(folder.path(), arguments), "zoe1");
    let audit = gateway.dragoman(folder.path(), &["admin", "audit"]);
    for said in ["command line  create_user", "127.0.0.1     create_user", "409 ", "local uid"] {
        assert!(audit.contains(said), "{said}: {audit}");
    }
    gateway.end();
}

#[test]
fn a_token_allows_what_its_role_does_until_it_is_revoked() {
    let folder = populated();
    let created = offline(folder.path(), &["admin", "token", "create", "--role", "monitor"]);
    let monitor = value(&created, "token");
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let create = ["admin", "token", "create", "--role", "moderator", "--ttl", "1h", "--json"];
    let created = gateway.dragoman(folder.path(), &create);
    let moderator: Value = serde_json::from_str(created.lines().nth(1).expect("JSON")).unwrap();
    let moderator = moderator["token"].as_str().expect("a token").to_owned();
    let ban = r#"{"target":"user:bob","reason":"spam"}"#;
    let list = |token: &str| with_token(admin, "GET /api/v1/users", token, "").0;
    assert_eq!((list(&monitor), list(&moderator)), (200, 200));
    let (status, problem) = with_token(admin, "POST /api/v1/bans", &monitor, ban);
    assert_eq!((status, &problem["type"]), (403, &json!("urn:dragoman:problem:forbidden")));
    let detail = problem["detail"].as_str().expect("a sentence");
    assert!(detail.contains("`dragoman admin token create --role moderator`"), "{detail}");
    assert_eq!(with_token(admin, "POST /api/v1/bans", &moderator, ban).0, 200);
    assert_eq!(with_token(admin, "GET /api/v1/audit", &moderator, "").0, 403);
    for wrong in ["", "x", &monitor[1..], "dgm_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"] {
        let (status, problem) = with_token(admin, "GET /api/v1/users", wrong, "");
        assert_eq!(status, 401, "{wrong:?}: {problem}");
        assert_eq!(with_token(admin, "POST /api/v1/bans", wrong, ban).0, 401, "{wrong:?}");
    }
    let listed = gateway.dragoman(folder.path(), &["admin", "token", "list"]);
    assert!(!listed.contains(&monitor) && listed.contains("moderator"), "{listed}");
    let id = listed.lines().find_map(|line| line.trim_start().split_once("  monitor"));
    let id = id.expect("it is listed").0.to_owned();
    let revoke = gateway.dragoman(folder.path(), &["admin", "token", "revoke", &id]);
    assert!(revoke.contains("revoked"), "{revoke}");
    assert_eq!((list(&monitor), list(&moderator)), (401, 200));
    let audit = gateway.dragoman(folder.path(), &["admin", "audit"]);
    assert!(audit.contains("403 this needs the role moderator"), "{audit}");
    assert!(!audit.contains("dgm_"), "{audit}");
    assert!(!audit.contains("401"), "no entry of an unknown sender: {audit}");
    let file = folder.path().join("data/dragoman.audit.jsonl");
    let mode = std::os::unix::fs::PermissionsExt::mode(&file.metadata().unwrap().permissions());
    assert_eq!(mode & 0o777, 0o600);
    gateway.end();
}

#[test]
fn a_disabled_front_end_refuses_until_it_is_enabled() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let run = |arguments: &[&str]| gateway.dragoman(folder.path(), arguments);
    let lobby = || {
        let send = json!({ "name": "bob", "password": "tea" });
        TcpStream::connect(gateway.address("chatroom")).map(|_| {
            http(
                gateway.address("chatroom"),
                "GET /time HTTP/1.1\r\nhost: localhost",
                &send.to_string(),
            )
            .0
        })
    };
    assert!(lobby().is_ok());
    let said = run(&["frontend", "disable", "chatroom", "--reason", "upgrade"]);
    assert!(said.contains("down: an operator has disabled it: upgrade"), "{said}");
    assert!(lobby().is_err());
    let said = run(&["frontend", "disable", "phone"]);
    assert!(said.contains("there is no front end \"phone\"; there are "), "{said}");
    let ready = http(gateway.address("admin"), "GET /readyz HTTP/1.1\r\nhost: localhost", "").2;
    assert!(ready.contains("chatroom is down: an operator"), "{ready}");
    let said = run(&["frontend", "enable", "chatroom", "--json"]);
    let state: Value = serde_json::from_str(said.lines().nth(1).expect("JSON")).unwrap();
    assert_eq!(state["serving"], true);
    let said = run(&["frontend", "drain", "ourchat"]);
    assert!(said.contains("serving"), "{said}");
    gateway.end();
}

#[test]
fn a_front_end_on_a_unix_socket_is_ready_again_once_it_is_enabled() {
    let folder = folder(&format!("{TOML}[frontends.irc]\nlisten = \"unix:irc.sock\"\n"));
    let gateway = Gateway::start(folder.path());
    let run = |arguments: &[&str]| gateway.dragoman(folder.path(), arguments);
    let ready = || http(gateway.address("admin"), "GET /readyz HTTP/1.1\r\nhost: localhost", "").0;
    assert_eq!(ready(), 200);
    let said = run(&["frontend", "disable", "irc"]);
    assert!(said.contains("down: an operator has disabled it"), "{said}");
    let said = run(&["frontend", "enable", "irc"]);
    assert!(said.contains("serving"), "{said}");
    assert_eq!(ready(), 200);
    gateway.end();
}

#[test]
fn wrong_arguments_get_a_sentence_and_change_nothing() {
    let folder = populated();
    for (arguments, says) in [
        (&["ban", "add", "bob"][..], "a target is like user:bob"),
        (&["ban", "add", "network:10.0.0.0/40"], "no address or network"),
        (&["ban", "add", "user:zed"], "there is no user with the handle \"zed\""),
        (&["ban", "add", "user:bob", "--ttl", "soon"], "expected digits and a unit"),
        (&["admin", "token", "create", "--role", "king"], "possible values: monitor"),
        (&["admin", "token", "revoke", "abc"], "there is no token \"abc\""),
        (&["user", "delete", "bob"], "--messages"),
        (&["room", "mute", "nowhere", "bob"], "there is no room with the name \"nowhere\""),
        (&["message", "delete", "77"], "there is no message 77"),
        (&["message", "announce", "hi"], "--room"),
        (&["session", "list"], "no gateway answers"),
        (&["user", "create", ""], "the name"),
    ] {
        let said =
            offline(folder.path(), &[&["--set", "admin.listen=127.0.0.1:1"], arguments].concat());
        assert!(said.contains(says), "{arguments:?}: {said}");
        assert!(!said.ends_with("exit 0"), "{arguments:?}: {said}");
    }
    assert!(offline(folder.path(), &["ban", "list"]).contains("none"));
    assert!(offline(folder.path(), &["admin", "token", "list"]).contains("none"));
}
