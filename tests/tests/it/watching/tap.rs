//! `GET /api/v1/tap` and `dragoman tap`.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use data_encoding::BASE64;
use gateway_tests::dialect::{ROWS, Room};
use gateway_tests::token::{LOGIN, string};
use gateway_tests::{
    Channel, Chatroom, Gateway, Http, Irc, Ourchat, Talk, Token, UsrRoom, program, token,
};
use rustix::process::{Pid, Signal};
use serde_json::{Value, json};

use super::{ALL, Events, admin, read, text};

/// Sends a line over IRC that ends what a test looks at.
#[track_caller]
fn mark(irc: &mut Irc) {
    irc.send("PING :the end");
    irc.receive_until("the end");
}

fn is_mark(frame: &Value) -> bool {
    frame["direction"] == "in" && frame["text"] == "PING :the end"
}

/// Signs in everywhere, with each secret that there is; returns the secrets.
fn use_secrets(gateway: &Gateway) -> Vec<String> {
    let mut secrets: Vec<String> =
        ["s3cret-channel", "s3cret-tel", "s3cret-mail", "s3cret-openid", "s3cret-key"]
            .map(Into::into)
            .into();
    let mut channel = Channel::connect(gateway.address("channel", "listen"));
    channel.register("ann", "s3cret-channel");
    channel.login("ann", "s3cret-channel");
    channel.call("/login", &json!({"name": "ann", "password": "s3cret-wrong"}));
    channel.send("tea", "hello");
    secrets.extend(channel.token.clone());
    let token = channel.token.clone().expect("it is logged in");
    channel.token = None;
    channel.done("/channel/send", &json!({"name": "tea", "message": "again", "token": token}));

    let mut chatroom = Chatroom::connect(gateway.address("chatroom", "listen"));
    chatroom.register("5550001", "bob", "s3cret-tel");
    let cookie = chatroom.sign_in("5550001", "s3cret-tel");
    secrets.push(cookie.split_once('=').expect("a cookie").1.to_owned());
    chatroom.http.request("GET", "/chatroom/list", &[("Cookie", &cookie)], b"");
    let mut talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    talk.join("TEST", "bob");
    talk.websocket.send(r#"{"type":"msg","password":"s3cret-wrong"#);
    talk.receive();

    for listener in ["listen", "tcp_listen"] {
        let address = gateway.address("ourchat", listener);
        let mut ourchat = match listener {
            "listen" => Ourchat::websocket(address),
            _ => Ourchat::lines(address),
        };
        let email = format!("{listener}@example.org");
        let name = listener;
        ourchat.call(&json!({"code": 4, "email": email, "password": "s3cret-mail", "name": name}));
        ourchat.login(&email, "s3cret-mail");
        ourchat.send_text(r#"{"code":6,"password":"s3cret-wrong"#);
        ourchat.receive();
    }

    use_secrets_of_apps(gateway, &mut secrets);
    use_secrets_of_irc(gateway);
    secrets.push("czNjcmV0LWtleQ==".into());
    secrets.push("s3cret".into());
    secrets
}

fn use_secrets_of_apps(gateway: &Gateway, secrets: &mut Vec<String>) {
    let mut usr_room = UsrRoom::connect(gateway.address("usr_room", "listen"));
    usr_room.call("/usr/info", &json!({"openid": "s3cret-openid"}));
    usr_room.http.request("POST", "/usr/info?open_id=s3cret-openid", &[], b"openid=s3cret-openid");

    let mut frames = Token::connect(gateway.address("token", "listen"));
    let info = token::json(&json!({"name": "eve", "password": "s3cret-openid"}).to_string());
    let body = [string("s3cret-openid"), string("game"), vec![0, 0, 0, 1], info].concat();
    frames.done(LOGIN, &body);
    let reply = frames.call(8, &[]);
    secrets.push(format!("{:?}", &reply.body[..8]));
}

fn use_secrets_of_irc(gateway: &Gateway) {
    let irc = gateway.address("irc", "listen");
    Irc::sign_on(irc, "ann", Some("s3cret-channel"));
    let mut irc = Irc::connect(irc);
    for line in [
        "OPER ann s3cret-key",
        "PASSS s3cret-key",
        "NICK zed",
        "USER zed 0 * :zed",
        "JOIN #TEST s3cret-key",
        "MODE #TEST +k s3cret-key",
        "PRIVMSG NickServ :IDENTIFY s3cret-key",
        "AUTHENTICATE czNjcmV0LWtleQ==",
    ] {
        irc.send(line);
    }
    mark(&mut irc);
}

/// Everything that a frame shows, its bytes too.
fn shown(frame: &Value) -> String {
    let bytes = frame["base64"].as_str().map(|text| BASE64.decode(text.as_bytes()).expect("bytes"));
    let bytes = bytes.unwrap_or_default();
    format!("{frame} {bytes:?} {}", String::from_utf8_lossy(&bytes))
}

#[test]
fn a_tap_shows_the_frames_of_every_dialect_and_no_secret() {
    let gateway = Gateway::start(ALL);
    let folder = gateway.launch().folder().to_owned();
    let mut tap = Events::open(&gateway, "/api/v1/tap?engine=true");
    assert_eq!(tap.next().0, "ready");
    let secrets = use_secrets(&gateway);
    let frames = tap.until(is_mark);
    for frame in &frames {
        let shown = shown(frame);
        let found = secrets.iter().find(|secret| {
            // The bytes of a token are in lists of bytes.
            shown.contains(secret.trim_matches(['[', ']']))
        });
        assert_eq!(found, None, "{shown}");
    }
    for dialect in ["token", "usr_room", "chatroom", "ourchat", "channel", "irc"] {
        for direction in ["in", "out"] {
            let has = frames
                .iter()
                .any(|frame| frame["dialect"] == dialect && frame["direction"] == direction);
            assert!(has, "{dialect} {direction}");
        }
        assert!(frames.iter().any(|it| it["dialect"] == dialect && it["masked"] == true));
    }
    assert!(frames.iter().any(|frame| text(frame).contains("\"message\":\"hello\"")));
    let log = std::fs::read_to_string(folder.join("chat.audit.jsonl")).expect("it is there");
    assert!(log.contains("open_tap"), "{log}");
}

#[test]
fn a_tap_of_a_user_a_room_a_session_a_peer_or_a_front_end_shows_these_only() {
    let gateway = Gateway::start(ALL);
    let mut ann = Channel::connect(gateway.address("channel", "listen"));
    ann.register("ann", "tea for two");
    let taps = ["user=ann", "room=tea", "frontend=channel", "peer=127.0.0.0/8", "user=guest:zed"];
    let mut taps = taps.map(|query| {
        let mut tap = Events::open(&gateway, &format!("/api/v1/tap?{query}"));
        assert_eq!(tap.next().0, "ready");
        (query, tap)
    });
    let mut nowhere = Events::open(&gateway, "/api/v1/tap?peer=10.0.0.0/8");
    assert_eq!(nowhere.next().0, "ready");
    ann.login("ann", "tea for two");
    ann.send("tea", "from ann");
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    bob.send("tea", "from bob");
    bob.send("coffee", "elsewhere");
    let mut zed = Irc::sign_on(gateway.address("irc", "listen"), "zed", None);
    zed.send("JOIN #TEST");
    mark(&mut zed);
    ann.send("tea", "the last");
    let texts = |frames: &[Value]| frames.iter().map(text).collect::<Vec<_>>().join("\n");
    for (query, tap) in &mut taps {
        let is_last = |frame: &Value| match *query {
            "user=guest:zed" => is_mark(frame),
            _ => text(frame).contains("the last"),
        };
        let texts = texts(&tap.until(is_last));
        let has = |text: &str| texts.contains(text);
        let expected = match *query {
            "user=ann" => [true, false, false, false],
            "room=tea" => [true, true, false, false],
            "frontend=channel" => [true, true, true, false],
            "user=guest:zed" => [false, false, false, true],
            _ => [true, true, true, true],
        };
        let found = [has("from ann"), has("from bob"), has("elsewhere"), has("JOIN #TEST")];
        assert_eq!(found, expected, "{query}: {texts}");
        assert!(*query != "user=ann" || has("POST /login"), "the sign-in is shown: {texts}");
        assert!(*query != "user=guest:zed" || has("NICK zed"), "{texts}");
    }
    let sessions = read(&gateway, "/api/v1/sessions?user=guest:zed");
    let id = &sessions["items"][0]["id"];
    let mut tap = Events::open(&gateway, &format!("/api/v1/tap?session={id}"));
    assert_eq!(tap.next().0, "ready");
    ann.send("tea", "not of the session");
    mark(&mut zed);
    let frames = tap.until(is_mark);
    assert_eq!(frames.len(), 1, "{frames:?}");
    assert_eq!((&frames[0]["user"], &frames[0]["session"]), (&json!("guest:zed"), id));
}

#[test]
fn taps_are_bounded_in_number() {
    let gateway = Gateway::start(ALL);
    let open = || {
        let mut tap = Events::open(&gateway, "/api/v1/tap");
        assert_eq!(tap.next().0, "ready");
        tap
    };
    let taps: Vec<Events> = (0..16).map(|_| open()).collect();
    let refused = admin(&gateway, "GET", "/api/v1/tap", &Value::Null);
    assert_eq!(refused.status, 409, "{refused}");
    drop(taps);
}

#[test]
fn a_filter_that_names_what_does_not_exist_is_an_error() {
    let gateway = Gateway::start(ALL);
    for (target, why) in [
        ("tap?frontend=chanel", "there is no front end \"chanel\"; did you mean channel?"),
        ("tap?room=coffe", "there is no room with the name \"coffe\"; did you mean \"coffee\"?"),
        ("tap?room=nope", "there is no room with the name \"nope\""),
        ("tap?session=9", "there is no session 9"),
        ("tap?user=nope", "nope"),
        ("sessions?frontend=nope", "there is no front end \"nope\"; there are "),
        ("sessions?room=coffe", "did you mean \"coffee\"?"),
        ("sessions?user=nope", "nope"),
        ("messages?text=a&room=nope", "nope"),
        ("messages?text=a&author=nope", "user"),
    ] {
        let response = admin(&gateway, "GET", &format!("/api/v1/{target}"), &Value::Null);
        assert_eq!(response.status, 404, "{target}: {response}");
        assert!(response.text().replace("\\\"", "\"").contains(why), "{target}: {response}");
    }
    for arguments in [
        &["session", "list", "--frontend", "nope"][..],
        &["tap", "--room", "nope"],
        &["config", "show", "nope"],
        &["ban", "list", "--limit", "0"],
        &["message", "list", "tea", "--limit", "0"],
        &["check", "--admin-url", "https://chat.example.org"],
    ] {
        let (said, why, code) = gateway.dragoman(arguments);
        assert!(code != 0 && said.is_empty() && !why.is_empty(), "{arguments:?}: {said}{why}");
    }
}

#[test]
fn a_request_that_no_session_gets_is_shown() {
    let gateway = Gateway::start("[frontends.usr_room]\napi_keys = [\"sesame\"]");
    let mut tap = Events::open(&gateway, "/api/v1/tap?frontend=usr_room");
    assert_eq!(tap.next().0, "ready");
    let mut http = Http::connect(gateway.address("usr_room", "listen"));
    assert_eq!(http.request("POST", "/usr/info?openid=s3cret", &[], b"{}").status, 401);
    let frames = tap.until(|frame| frame["direction"] == "out");
    assert_eq!(frames.len(), 2, "{frames:?}");
    assert_eq!(frames[0]["http"]["target"], "/usr/info?openid=***");
    assert_eq!(frames[1]["http"]["status"], 401);
    assert_eq!(frames[0]["session"], frames[1]["session"]);
}

#[test]
fn the_flavor_of_the_mini_program_shows_no_openid() {
    let toml = "[frontends.usr_room]\nflavor = \"miniprogram\"";
    let gateway = Gateway::start(toml);
    let mut tap = Events::open(&gateway, "/api/v1/tap?engine=true");
    assert_eq!(tap.next().0, "ready");
    let mut app = UsrRoom::connect(gateway.address("usr_room", "listen"));
    let openid = "s3cret-openid";
    app.call(
        "/usr/complete",
        &json!({"openid": openid, "name": "ann", "sex": "", "preference": []}),
    );
    let room = json!({"name": "shed", "section": "x", "description": "y", "room_owner_id": openid});
    app.call("/room/add", &room);
    app.call("/room/send_message", &json!({"openid": openid, "room_id": 1, "message": "hello"}));
    app.call("/room/get_message", &json!({"room_id": 1}));
    app.call("/usr/roomlist1", &json!({"openid": openid}));
    app.call("/search", &json!({"room_id": 1}));
    app.call("/time", &json!({}));
    let is_time = |frame: &Value| frame["http"]["target"] == "/time";
    let frames = tap.until(is_time);
    let hello = frames.iter().filter(|frame| text(frame).contains("hello"));
    assert!(hello.count() >= 2, "{frames:#?}");
    for frame in &frames {
        assert!(!frame.to_string().contains("s3cret"), "{frame}");
    }
}

#[test]
fn a_gateway_with_a_tap_stops_without_waiting_for_it() {
    let mut gateway = Gateway::start(ALL);
    let mut tap = Events::open(&gateway, "/api/v1/tap");
    assert_eq!(tap.next().0, "ready");
    assert_eq!(gateway.terminate(), 0);
}

#[test]
fn what_is_sent_to_a_room_is_shown_for_each_that_gets_it() {
    let gateway = Gateway::start(ALL);
    let room = Room { id: 1, name: "TEST".into() };
    let is_stream = |dialect: &str| !["usr_room", "channel"].contains(&dialect);
    let mut clients: Vec<_> = ROWS
        .iter()
        .enumerate()
        .filter(|(_, row)| is_stream(row.dialect.name) && row.dialect.name != "ourchat")
        .map(|(nth, row)| (row, (row.enroll)(&gateway, &format!("n{nth}"))))
        .collect();
    clients.iter_mut().for_each(|(_, client)| client.enter(&room));
    let mut tap = Events::open(&gateway, "/api/v1/tap?room=TEST");
    assert_eq!(tap.next().0, "ready");
    let mut irc = Irc::sign_on(gateway.address("irc", "listen"), "last", None);
    clients[0].1.post(&room, "for all of them");
    clients.iter_mut().for_each(|(_, client)| drop(client.receive(&room)));
    irc.send("JOIN #TEST");
    mark(&mut irc);
    let frames = tap.until(is_mark);
    let got: BTreeSet<String> = frames
        .iter()
        .filter(|frame| frame["direction"] == "out" && frame.to_string().contains("for all"))
        .map(|frame| frame["session"].to_string())
        .collect();
    assert_eq!(got.len(), clients.len(), "{frames:?}");
}

#[test]
fn a_saved_transcript_is_played_by_the_testkit() {
    let gateway = Gateway::start(ALL);
    let folder = gateway.launch().folder();
    let file = folder.join("zed.in");
    let mut tap = Command::new(program::path())
        .args(["tap", "--frontend", "irc", "--admin-url"])
        .arg(format!("http://{}", gateway.address("admin", "listen")))
        .arg("--transcript")
        .arg(&file)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program was built");
    let mut said = BufReader::new(tap.stderr.take().expect("it is piped")).lines();
    let first = said.next().expect("a line").expect("it is readable");
    assert!(first.starts_with("tapping"), "{first}");
    let mut irc = Irc::sign_on(gateway.address("irc", "listen"), "zed", None);
    for line in ["JOIN #TEST", "PRIVMSG #TEST :hello", "LIST", "OPER zed s3cret"] {
        irc.send(line);
    }
    mark(&mut irc);
    let mut shown = BufReader::new(tap.stdout.take().expect("it is piped")).lines();
    let lines: Vec<String> = std::iter::from_fn(|| shown.next())
        .map(|line| line.expect("it is readable"))
        .take_while(|line| !line.ends_with("> PING :the end"))
        .collect();
    assert!(lines.iter().any(|line| line.ends_with("> OPER *** ***")), "{lines:#?}");
    let pid = Pid::from_raw(i32::try_from(tap.id()).expect("it is small")).expect("a process");
    rustix::process::kill_process(pid, Signal::INT).expect("it runs");
    assert!(tap.wait().expect("it is our child").success());

    let script = std::fs::read_to_string(&file).expect("it was written");
    assert!(!script.contains("s3cret"), "{script}");
    let mut dialects = frontend_all::DIALECTS.iter();
    let irc = dialects.find(|row| row.name == "irc").expect("it is linked");
    let frontend = irc.configure(serde_json::Map::new()).expect("its defaults");
    let played = frontend_testkit::play(&*frontend, &script);
    let sent: Vec<&str> = script.lines().filter_map(|line| line.strip_prefix("# sent: ")).collect();
    assert!(sent.len() > 10, "{script}");
    for line in sent {
        assert!(played.contains(&format!("    send {line}")), "{line}\n{played}");
    }
}
