//! Who may find, enter and post to a room: `dragoman room policy`, `mask`, `unmask` and `role`, and the
//! same through the API.

use std::io::{BufRead as _, BufReader};

use super::*;

/// With a room, and IRC beside the others.
const WITH_IRC: &str = "[frontends.irc]\nlisten = \"127.0.0.1:0\"\n";

/// What a verb printed, without the times in it.
fn timeless(said: &str) -> String {
    let words = |line: &str| {
        let is_time = |word: &&str| word.len() > 19 && word.ends_with('Z') && word.contains('T');
        line.split(' ').filter(|word| !is_time(word)).collect::<Vec<_>>().join(" ")
    };
    said.lines().map(|line| words(line).trim_end().to_owned() + "\n").collect()
}

#[test]
fn verbs_do_the_same_on_the_store_and_through_a_gateway() {
    let folder = populated();
    let verbs = |run: &dyn Fn(&[&str]) -> String, room: &str| {
        run(&["room", "create", room, "--owner", "bob"]);
        let mut said = String::new();
        for arguments in [
            &["policy", room][..],
            &["policy", room, "--moderated", "true", "--secret", "true", "--capacity", "900"],
            &["policy", room, "--invite-only", "true", "--open-topic", "true", "--secret", "false"],
            &["mask", room, "ban", "spam*!guest"],
            &["mask", room, "exception", "ann"],
            &["unmask", room, "ban", "spam*!guest"],
            &["unmask", room, "ban", "spam*!guest"],
            &["mask", room, "ban", "bob!*@*"],
            &["mask", room, "bans", "bob"],
            &["policy", "nowhere", "--moderated", "true"],
            &["mask", "nowhere", "ban", "bob"],
            &["policy", room, "--capacity", "0"],
            &["policy", room, "--moderated", "maybe"],
        ] {
            said += &timeless(&run(&[&["room"], arguments].concat()));
        }
        said.replace(room, "<room>")
    };
    let offline = verbs(&|arguments| run(folder.path(), arguments), "den1");
    let gateway = Gateway::start(folder.path());
    let through = verbs(&|arguments| gateway.dragoman(folder.path(), arguments), "den2");
    gateway.end();
    assert_eq!(offline.replace("--set admin.listen=<admin> ", ""), {
        through.replace("--set admin.listen=<admin> ", "")
    });
    insta::assert_snapshot!(offline);
}

#[test]
fn what_a_connection_holds_needs_the_gateway_that_has_it() {
    let folder = populated();
    let toml = format!("{TOML}{WITH_IRC}");
    std::fs::write(folder.path().join("gateway.toml"), toml).expect("it is writable");
    run(folder.path(), &["room", "create", "den"]);
    let gateway = Gateway::start_with(folder.path(), 7);
    let mut zed = Irc::sign_on(&gateway, "zed");
    zed.send("JOIN #den");
    zed.until(" 366 ");
    let through = |arguments: &[&str]| gateway.dragoman(folder.path(), arguments);
    for (arguments, why) in [
        (&["room", "role", "den", "ann", "voice"][..], "ann is not in \"den\" now"),
        (&["room", "role", "den", "nobody", "voice"], "there is no user"),
        (&["room", "role", "nowhere", "ann", "voice"], "there is no room"),
    ] {
        let said = through(arguments);
        assert!(said.contains(why) && said.ends_with("exit 1"), "{said}");
    }
    let given = through(&["room", "role", "den", "guest:zed", "voice"]);
    assert!(given.ends_with("exit 0"), "{given}");
    // It is killed.
    drop(gateway.running);
    for arguments in [
        &["room", "role", "den", "guest:zed", "operator"][..],
        &["room", "role", "den", "guest:zed", "voice", "--take"],
        &["room", "kick", "den", "guest:zed"],
    ] {
        let said = run(folder.path(), arguments);
        assert!(said.contains("no gateway runs on this store"), "{said}");
        assert!(said.ends_with("exit 1"), "{said}");
    }
    let policy = run(folder.path(), &["room", "policy", "den"]);
    assert!(!policy.contains("zed"), "what it held ends with the next start: {policy}");
}

#[test]
fn a_key_is_typed_and_is_neither_shown_nor_logged() {
    let folder = populated();
    run(folder.path(), &["room", "create", "den", "--owner", "bob"]);
    let typing = |arguments: &[&str], typed: &str| {
        run_typing(folder.path(), &[&["room", "policy", "den"], arguments].concat(), typed)
    };
    let set = typing(&["--key"], "sesame1\n");
    assert!(set.contains("keyed yes"), "{set}");
    for (typed, why) in [
        ("\n", "the key is empty; --no-key takes the key away"),
        ("a b\n", "room_key: a key has 1 to 64 bytes without spaces"),
    ] {
        let said = typing(&["--key", "--moderated", "true"], typed);
        assert!(said.contains(why) && said.ends_with("exit 1"), "{said}");
    }
    let shown = run(folder.path(), &["room", "policy", "den"]);
    assert!(shown.contains("keyed yes") && shown.contains("moderated no"), "{shown}");
    let mut files = std::fs::read_dir(folder.path().join("data")).expect("a folder").flatten();
    let audit = files.find(|file| file.file_name().to_string_lossy().ends_with("audit.jsonl"));
    let audit = audit.expect("changes are logged").path();
    let audit = std::fs::read_to_string(audit).expect("it can be read");
    assert!(audit.contains("change_policy") && !audit.contains("sesame1"), "{audit}");
    assert!(run(folder.path(), &["room", "policy", "den", "--no-key"]).contains("keyed no"));
}

/// A client of IRC in a gateway.
struct Irc(BufReader<TcpStream>);

impl Irc {
    fn sign_on(gateway: &Gateway, nick: &str) -> Self {
        let stream = TcpStream::connect(gateway.address("irc")).expect("it listens");
        let mut irc = Self(BufReader::new(stream));
        irc.send(&format!("NICK {nick}\r\nUSER {nick} 0 * :{nick}"));
        irc.until(" 422 ");
        irc
    }

    fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes()).expect("it reads");
    }

    /// The next line that contains a text.
    fn until(&mut self, wanted: &str) -> String {
        loop {
            let mut line = String::new();
            let read = self.0.read_line(&mut line).expect("it answers");
            assert!(read > 0, "closed before {wanted:?}");
            if line.contains(wanted) {
                return line.trim_end().to_owned();
            }
        }
    }
}

#[test]
fn clients_see_and_feel_what_an_operator_changes() {
    let folder = populated();
    let toml = format!("{TOML}{WITH_IRC}");
    std::fs::write(folder.path().join("gateway.toml"), toml).expect("it is writable");
    run(folder.path(), &["room", "create", "den", "--owner", "bob"]);
    let gateway = Gateway::start_with(folder.path(), 7);
    let room = |arguments: &[&str]| {
        let said = gateway.dragoman(folder.path(), &[&["room"], arguments].concat());
        assert!(said.ends_with("exit 0"), "{said}");
        said
    };
    let mut zed = Irc::sign_on(&gateway, "zed");
    zed.send("JOIN #den");
    zed.until(" 366 ");
    room(&["policy", "den", "--moderated", "true"]);
    zed.until(" MODE #den +m");
    zed.send("PRIVMSG #den :hello");
    zed.until(" 404 zed #den ");
    let said = room(&["role", "den", "guest:zed", "voice"]);
    assert!(said.contains("voice") && said.contains("guest:zed"), "{said}");
    zed.until(" MODE #den +v zed");
    zed.send("PRIVMSG #den :hello\r\nPING :1");
    zed.until(" PONG ");
    assert!(gateway.dragoman(folder.path(), &["message", "list", "den"]).contains("hello"));
    room(&["role", "den", "guest:zed", "operator"]);
    zed.until(" MODE #den +o zed");
    room(&["role", "den", "guest:zed", "operator", "--take"]);
    zed.until(" MODE #den -o zed");
    room(&["mask", "den", "ban", "eve"]);
    zed.until(" MODE #den +b eve!*@*");
    let mut eve = Irc::sign_on(&gateway, "eve");
    eve.send("JOIN #den");
    eve.until(" 474 eve #den ");
    room(&["mask", "den", "exception", "eve!guest"]);
    zed.until(" MODE #den +e eve!guest@*");
    eve.send("JOIN #den");
    eve.until(" 366 ");
    eve.send("PART #den");
    zed.until(" PART #den");
    room(&["policy", "den", "--invite-only", "true"]);
    zed.until(" MODE #den +i");
    eve.send("JOIN #den");
    eve.until(" 473 eve #den ");
    room(&["mask", "den", "invitation", "eve"]);
    eve.send("JOIN #den");
    eve.until(" 366 ");
    gateway.end();
}

#[test]
fn a_monitor_reads_and_a_moderator_changes() {
    let folder = populated();
    run(folder.path(), &["room", "create", "den", "--owner", "bob"]);
    let token = |role: &str| {
        let said = run(folder.path(), &["admin", "token", "create", "--role", role]);
        let line = said.lines().find_map(|line| line.strip_prefix("token "));
        line.expect("it is shown once").to_owned()
    };
    let (monitor, moderator) = (token("monitor"), token("moderator"));
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let ask = |token: &str, line: &str, body: &str| {
        let host = format!("host: {admin}\r\ncontent-type: application/json");
        let head = format!("{line} HTTP/1.1\r\n{host}\r\nauthorization: Bearer {token}");
        let (status, _, body) = http(admin, &head, body);
        (status, serde_json::from_str::<Value>(&body).expect("JSON"))
    };
    let policy = "/api/v1/rooms/den/policy";
    let (status, seen) = ask(&monitor, &format!("GET {policy}"), "");
    assert_eq!((status, &seen["moderated"], &seen["masks"]), (200, &json!(false), &json!([])));
    let patch = format!("PATCH {policy}");
    assert_eq!(ask(&monitor, &patch, r#"{"moderated":true}"#).0, 403);
    for (body, why) in [
        (r#"{"moderated":true,"capacity":0}"#, "`capacity`: expected a whole number from 1 to"),
        (r#"{"moderated":true,"room_key":"a b"}"#, "a key has 1 to 64 bytes"),
        (r#"{"moderated":true,"mode":"+m"}"#, "the body is not what it should be"),
        (r#"{"moderated":"yes"}"#, "the body is not what it should be"),
        ("{}", "give at least one field"),
    ] {
        let (status, said) = ask(&moderator, &patch, body);
        assert!(status == 400 && said.to_string().contains(why), "{status} {said}");
    }
    assert_eq!(ask(&monitor, &format!("GET {policy}"), "").1, seen, "nothing was changed");
    let (status, said) = ask(&moderator, &patch, r#"{"moderated":true,"room_key":"k1"}"#);
    assert_eq!((status, &said["moderated"], &said["keyed"]), (200, &json!(true), &json!(true)));
    let masks = "/api/v1/rooms/den/masks";
    let (status, said) =
        ask(&moderator, &format!("POST {masks}"), r#"{"list":"ban","mask":"eve"}"#);
    assert_eq!((status, &said["masks"][0]["mask"]), (200, &json!("eve!*")));
    let remove = format!("DELETE {masks}?list=ban&mask=eve");
    assert_eq!(ask(&moderator, &remove, "").0, 200);
    assert_eq!(ask(&moderator, &remove, "").0, 404);
    gateway.end();
}
