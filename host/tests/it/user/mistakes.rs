//! Mistyped names and empty requests: an operator learns of them instead of reading "done".

use super::*;

/// Runs a verb through the gateway or, without one, on the store.
fn on_both(check: impl Fn(&dyn Fn(&[&str]) -> String)) {
    let folder = populated();
    let offline = |arguments: &[&str]| run(folder.path(), arguments);
    for made in
        [&["room", "create", "teatime", "--owner", "bob"][..], &["room", "create", "Lounge"]]
    {
        assert!(offline(made).ends_with("exit 0"), "{made:?}");
    }
    check(&offline);
    let gateway = Gateway::start(folder.path());
    let admin = gateway.admin();
    check(&|arguments| run(folder.path(), &[&["--set", &admin], arguments].concat()));
    gateway.end();
}

#[test]
fn a_name_that_nothing_has_is_answered_with_the_nearest_one() {
    on_both(|run| {
        for (verb, says) in [
            (&["user", "show", "bobb"][..], "the handle \"bobb\"; did you mean \"bob\"?"),
            (&["user", "show", "Bob"], "did you mean \"bob\"?"),
            (&["user", "disable", "bobb"], "did you mean \"bob\"?"),
            (&["ban", "add", "user:bobb"], "did you mean \"bob\"?"),
            (&["room", "give", "Lounge", "bobb"], "did you mean \"bob\"?"),
            (&["room", "mute", "Lounge", "bobb"], "did you mean \"bob\"?"),
            (&["room", "kick", "Lounge", "bobb"], "did you mean \"bob\"?"),
            (&["room", "show", "Loung"], "the name \"Loung\"; did you mean \"Lounge\"?"),
            (&["room", "show", "lounge"], "did you mean \"Lounge\"?"),
            (&["room", "show", "#LOUNGE"], "the name \"#LOUNGE\"; did you mean \"Lounge\"?"),
            (&["user", "show", "@bobb"], "did you mean \"bob\"?"),
            (&["room", "members", "teatim"], "did you mean \"teatime\"?"),
            (&["room", "release", "teatim"], "did you mean \"teatime\"?"),
            (&["room", "policy", "teatim"], "did you mean \"teatime\"?"),
            (&["message", "list", "teatim"], "did you mean \"teatime\"?"),
            (&["message", "search", "x", "--room", "teatim"], "did you mean \"teatime\"?"),
            (&["message", "search", "x", "--author", "bobb"], "did you mean \"bob\"?"),
        ] {
            let said = run(verb);
            assert!(said.contains(says) && said.ends_with("exit 1"), "{verb:?}: {said}");
        }
        let said = run(&["user", "show", "xyzzy"]);
        assert!(!said.contains("did you mean"), "{said}");
    });
}

#[test]
fn what_changes_nothing_is_not_said_to_be_done() {
    on_both(|run| {
        for (verb, says) in [
            (&["room", "create", "empty", "--capacity", "0"][..], "0"),
            (&["room", "kick", "Lounge", "bob"], "bob is not in \"Lounge\""),
            (&["room", "kick", "Lounge", "guest:zed"], "guest"),
            (&["room", "role", "Lounge", "bob", "operator"], "a connection that is in the room"),
            (&["room", "role", "teatime", "bob", "operator"], "is always an operator"),
            (&["room", "change", "Lounge"], "give a title, a section or a description"),
            (&["room", "unmute", "Lounge", "bob"], "\"bob\" is not muted in \"Lounge\""),
            (&["user", "rename", "bob", "guest:bob"], "could be taken for a guest"),
            (&["user", "create", "eve", "--name", "guest:eve"], "could be taken for a guest"),
            (&["user", "enable", "bob"], "\"bob\" is not disabled"),
            (&["ban", "lift", "user:bob"], "there is no ban of user:@bob"),
            (&["ban", "lift", "network:10.0.0.0/8"], "there is no ban of network:10.0.0.0/8"),
            (&["ban", "lift", "identity:tel/1"], "there is no ban of identity:tel/1"),
            (&["room", "unmask", "Lounge", "ban", "eve"], "has no mask"),
            (&["user", "unlink", "bob", "tel/1"], "is not linked"),
            (&["message", "delete", "7"], "there is no message 7"),
        ] {
            let said = run(verb);
            assert!(said.contains(says) && !said.ends_with("exit 0"), "{verb:?}: {said}");
        }
        for verb in
            [&["message", "list", "Lounge"][..], &["user", "list"], &["message", "search", "x"]]
        {
            let said = run(&[verb, &["--limit", "0"]].concat());
            assert!(said.contains("\"0\" is no number of items; expected 1 "), "{verb:?}: {said}");
        }
    });
}

#[test]
fn what_changes_something_is_done() {
    on_both(|run| {
        for (verb, says) in [
            (&["room", "mute", "Lounge", "bob"][..], "muted @bob in Lounge"),
            (&["room", "unmute", "Lounge", "bob"], "@bob may post to Lounge"),
            (&["ban", "add", "network:10.0.0.0/8"], "target network:10.0.0.0/8"),
            (&["ban", "lift", "network:10.0.0.0/8"], "network:10.0.0.0/8 is not banned"),
            (&["user", "disable", "bob"], "disabled until enabled"),
            (&["user", "enable", "bob"], "handle bob"),
            (&["user", "rename", "bob", "Bob B."], "name Bob B."),
            (&["room", "change", "Lounge", "--title", ""], "name Lounge"),
        ] {
            let said = run(verb);
            assert!(said.contains(says) && said.ends_with("exit 0"), "{verb:?}: {said}");
        }
    });
}

#[test]
fn a_filter_by_a_name_that_nothing_has_is_answered_with_the_nearest_one() {
    let folder = populated();
    let made = run(folder.path(), &["room", "create", "BIG"]);
    assert!(made.ends_with("exit 0"), "{made}");
    let gateway = Gateway::start(folder.path());
    for (verb, says) in [
        (&["session", "list", "--user", "bobb"][..], "did you mean \"bob\"?"),
        (&["session", "list", "--room", "#big"], "did you mean \"BIG\"?"),
        (&["session", "list", "--frontend", "chanel"], "did you mean channel?"),
        (&["tap", "--user", "bobb"], "did you mean \"bob\"?"),
        (&["tap", "--room", "#big"], "did you mean \"BIG\"?"),
        (&["frontend", "drain", "chanel"], "did you mean channel?"),
        (&["webhook", "replay", "crm"], "there is no webhook \"crm\"; there are no [[webhooks]]"),
    ] {
        let said = gateway.dragoman(folder.path(), verb);
        assert!(said.contains(says) && said.ends_with("exit 1"), "{verb:?}: {said}");
    }
    gateway.end();
}

#[test]
fn the_api_refuses_what_no_operator_means_and_names_the_field() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let ask = |line: &str, body: &str| {
        let head = format!("{line} HTTP/1.1\r\nhost: {admin}\r\nx-dragoman-admin: 1");
        let (status, _, said) = http(admin, &head, body);
        (status, serde_json::from_str::<Value>(&said).expect("JSON"))
    };
    let (status, _) = ask("POST /api/v1/rooms", r#"{"name":"den","owner":"bob"}"#);
    assert_eq!(status, 200);
    for (line, body, wrong) in [
        ("POST /api/v1/rooms", r#"{"name":"x","capacity":0}"#, json!("#/capacity")),
        ("POST /api/v1/rooms", r#"{"name":7}"#, json!("#/name")),
        ("POST /api/v1/rooms", r#"{"nme":"x"}"#, json!("#/nme")),
        ("PUT /api/v1/rooms/den/owner", "", json!("#/owner")),
        ("PUT /api/v1/rooms/den/owner", "{}", json!("#/owner")),
        ("POST /api/v1/users", r#"{"handle":"eve","password":7}"#, json!("#/password")),
    ] {
        let (status, said) = ask(line, body);
        assert_eq!((status, &said["errors"][0]["pointer"]), (400, &wrong), "{line} {body}: {said}");
    }
    for (line, parameter) in [
        ("GET /api/v1/users?limit=0", "limit"),
        ("GET /api/v1/users?after=x", "after"),
        ("GET /api/v1/users?who=bob", "who"),
    ] {
        let (status, said) = ask(line, "");
        assert_eq!((status, &said["errors"][0]["parameter"]), (400, &json!(parameter)), "{said}");
    }
    let (_, room) = ask("GET /api/v1/rooms/den", "");
    assert_eq!(room["owner"], "bob", "{room}");
    let (status, room) = ask("PUT /api/v1/rooms/den/owner", r#"{"owner":null}"#);
    assert_eq!((status, &room["owner"]), (200, &Value::Null), "{room}");
    let (status, said) = ask("POST /api/v1/rooms/den/kick", r#"{"user":"guest:zed"}"#);
    assert_eq!(status, 409, "{said}");
    gateway.end();
}
