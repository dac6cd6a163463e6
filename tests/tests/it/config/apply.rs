//! Applying a configuration, and going back to the former one.

use super::*;

/// The files in the gateway's folder.
fn files(gateway: &Gateway) -> Vec<String> {
    let entries = std::fs::read_dir(gateway.launch().folder()).expect("it is there");
    entries.map(|one| one.expect("it is").file_name().to_string_lossy().into_owned()).collect()
}

fn own(gateway: &Gateway) -> String {
    let file = gateway.launch().folder().join("gateway.toml");
    std::fs::read_to_string(file).expect("it is there")
}

/// The gateway's file with another line in the section of channel, somewhere else.
fn next(gateway: &Gateway, from: &str, to: &str) -> (tempfile::TempDir, String, String) {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("next.toml");
    let former = own(gateway);
    assert!(former.contains(from), "{former}");
    let text = former.replace(from, to);
    std::fs::write(&file, &text).expect("it is writable");
    let shown = file.display().to_string();
    (folder, shown, text)
}

fn audit(gateway: &Gateway) -> String {
    let (said, error, code) = gateway.dragoman(&["admin", "audit", "--json"]);
    assert_eq!(code, 0, "{error}");
    said
}

#[test]
fn a_file_is_applied_and_takes_the_place_of_the_former() {
    let gateway = Gateway::start(&toml("", "history = 3"));
    let before = files(&gateway);
    let (_folder, file, text) = next(&gateway, "history = 3", "history = 5");
    let (said, error, code) = gateway.dragoman(&["config", "apply", &file]);
    assert_eq!(code, 0, "{error}");
    assert!(said.contains("channel    replaced"), "{said}");
    assert_eq!(own(&gateway), text);
    assert_eq!(
        files(&gateway).len(),
        before.len() + usize::from(!before.iter().any(|one| one.contains("audit")))
    );
    let audit = audit(&gateway);
    let entry = audit.lines().next().expect("an entry");
    assert!(entry.contains("\"operation\":\"apply_config\""), "{entry}");
    assert!(entry.contains("\"status\":200"), "{entry}");
    // It is in effect: nothing is left to do.
    assert!(fates(&plan(&gateway)).values().all(|(fate, _)| fate == "untouched"));
    let (said, ..) = gateway.dragoman(&["config", "apply", "--json"]);
    assert!(!said.contains("replaced"), "{said}");
}

/// 127.0.0.1 makes room for 0.0.0.0, and then another program turns out to have the port on 127.0.0.2.
#[test]
fn what_does_not_come_up_is_rolled_back() {
    let is_free = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok();
    let port = (30_000..32_000).find(is_free).expect("a port is free");
    let _taken = TcpListener::bind(("127.0.0.2", port)).expect("it is free");
    let listen = format!("listen = \"127.0.0.1:{port}\"");
    let gateway = Gateway::start(&toml("", &format!("{listen}\nhistory = 3")));
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    bob.send("TEST", "before");
    let former = own(&gateway);
    let before = files(&gateway).len();
    let (_folder, file, _) = next(&gateway, "127.0.0.1:3", "0.0.0.0:3");
    let (said, error, code) = gateway.dragoman(&["config", "apply", &file]);
    assert_eq!(code, 1, "{said}");
    assert!(error.contains(&format!("cannot listen on 0.0.0.0:{port}: ")), "{error}");
    assert!(error.contains("the former configuration is in effect again"), "{error}");
    assert_eq!(own(&gateway), former);
    assert!(files(&gateway).len() <= before + 1, "{:?}", files(&gateway));
    gateway.log().wait_for_line(&["rolling back"]);
    let mut bob = bob.reconnect(format!("127.0.0.1:{port}").parse().expect("an address"));
    assert_eq!(bob.history("TEST"), [("bob".into(), "before".into())]);
    assert!(fates(&plan(&gateway)).values().all(|(fate, _)| fate == "untouched"));
    let audit = audit(&gateway);
    let entry = audit.lines().next().expect("an entry");
    assert!(entry.contains("\"status\":409") && entry.contains("in effect again"), "{entry}");
}

#[test]
fn only_files_in_the_folder_of_the_configuration_are_read() {
    let gateway = Gateway::start(&toml("", ""));
    let address = gateway.address("admin", "listen");
    for name in ["../gateway.toml", "/etc/passwd", "..", "chat.redb", "sub/x.toml", ""] {
        let body = serde_json::json!({ "file": name }).to_string();
        let mut raw = Raw::connect(address);
        let head = format!(
            "POST /api/v1/config/apply HTTP/1.1\r\nhost: localhost\r\nx-dragoman-admin: 1\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        raw.send(head.as_bytes());
        let answer = String::from_utf8(raw.receive_end().bytes).expect("UTF-8");
        assert!(answer.starts_with("HTTP/1.1 400 "), "{name}: {answer}");
        assert!(answer.contains("is no file in the folder of gateway.toml"), "{answer}");
    }
    // A monitor may look, and not plan.
    let (token, ..) =
        gateway.dragoman(&["admin", "token", "create", "--role", "monitor", "--json"]);
    let token: Value = serde_json::from_str(&token).expect("JSON");
    let token = token["token"].as_str().expect("a token");
    let status = |path: &str| {
        let mut raw = Raw::connect(address);
        let head = format!(
            "GET {path} HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\n\
             connection: close\r\n\r\n"
        );
        raw.send(head.as_bytes());
        let answer = String::from_utf8(raw.receive_end().bytes).expect("UTF-8");
        answer.split(' ').nth(1).expect("a status").to_owned()
    };
    assert_eq!(status("/api/v1/config"), "200");
    assert_eq!(status("/api/v1/config/plan"), "403");
}
