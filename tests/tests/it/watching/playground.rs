//! `/api/v1/playground/…`.

use gateway_tests::Gateway;
use serde_json::{Value, json};

use super::{ALL, Events, admin, read, read_until, text};

const SESSIONS: &str = "/api/v1/playground/sessions";

const DIALECTS: [&str; 6] = ["token", "usr_room", "chatroom", "ourchat", "channel", "irc"];

fn start() -> Gateway {
    Gateway::start(&format!("{ALL}\n[admin]\nplayground = true"))
}

/// The reply to a `POST`.
#[track_caller]
fn post(gateway: &Gateway, target: &str, body: &Value) -> Value {
    let response = admin(gateway, "POST", target, body);
    assert_eq!(response.status, 200, "{target} {body}: {response}");
    response.json()
}

/// A session in the room TEST: its path, and its frames.
#[track_caller]
fn open(gateway: &Gateway, dialect: &str, name: &str) -> (String, Events) {
    let wanted = json!({"frontend": dialect, "name": name, "room": "TEST"});
    let session = post(gateway, SESSIONS, &wanted);
    assert_eq!((&session["dialect"], &session["room"]), (&json!(dialect), &json!("TEST")));
    let path = format!("{SESSIONS}/{}", session["id"]);
    let mut frames = Events::open(gateway, &format!("{path}/frames"));
    assert_eq!(frames.next().0, "ready");
    (path, frames)
}

/// Whether a frame to the client has a text.
fn brings(frame: &Value, wanted: &str) -> bool {
    let mut fields = frame["fields"].as_array().into_iter().flatten();
    frame["direction"] == "out"
        && (text(frame).contains(wanted) || fields.any(|field| field["value"] == wanted))
}

#[test]
fn the_playground_bridges_all_dialects_pairwise() {
    let gateway = start();
    let mut sessions: Vec<_> = DIALECTS
        .iter()
        .enumerate()
        .map(|(nth, dialect)| (dialect, open(&gateway, dialect, &format!("player{nth}"))))
        .collect();
    for nth in 0..DIALECTS.len() {
        let said = format!("said in {}", DIALECTS[nth]);
        let input = format!("{}/input", sessions[nth].1.0);
        let step = post(&gateway, &input, &json!({"say": said}));
        let sent = step["frames"].as_array().expect("a list");
        assert_eq!(sent.len(), step["curl"].as_array().expect("a list").len(), "{step}");
        assert!(!sent.is_empty() && sent.iter().all(|frame| frame["direction"] == "in"), "{step}");
        assert!(step["transcript"].as_str().is_some_and(|it| it.starts_with("# session")));
        assert_eq!(step["code"].is_string(), DIALECTS[nth] != "irc", "{step}");
        for (at, (dialect, (_, frames))) in sessions.iter_mut().enumerate() {
            // irc has no echo of the client's own messages.
            if at != nth || **dialect != "irc" {
                frames.until(|frame| brings(frame, &said));
            }
        }
    }
    let listed = read(&gateway, SESSIONS);
    assert_eq!(listed["items"].as_array().map(Vec::len), Some(6));
    let open = read(&gateway, "/api/v1/sessions");
    assert_eq!(open["items"].as_array().map(Vec::len), Some(4), "{open}");
    for (_, (path, _)) in &sessions {
        assert_eq!(admin(&gateway, "DELETE", path, &Value::Null).status, 200);
    }
    assert_eq!(read(&gateway, SESSIONS)["items"], json!([]));
    // Only usr_room has no words for leaving.
    read_until(&gateway, "/api/v1/rooms/TEST/members", |members| {
        members["items"].as_array().is_some_and(|members| members.len() == 1)
    });
}

#[test]
fn raw_input_goes_to_the_front_end_as_it_is_and_what_does_not_fit_is_refused() {
    let gateway = start();
    let (irc, mut lines) = open(&gateway, "irc", "ann");
    let step = post(&gateway, &format!("{irc}/input"), &json!({"text": "OPER ann s3cret"}));
    assert!(!step.to_string().contains("s3cret"), "{step}");
    let frames =
        lines.until(|frame| text(frame).contains(" 491 ") || text(frame).contains(" 464 "));
    assert!(!json!(frames).to_string().contains("s3cret"), "{frames:?}");
    let (token, mut frames) = open(&gateway, "token", "bob");
    let heartbeat = "AAAABgAJAAAABw==";
    post(&gateway, &format!("{token}/input"), &json!({"base64": heartbeat}));
    let last = frames.until(|frame| {
        let is_reply = |field: &Value| field["value"] == "32777";
        frame["fields"].as_array().into_iter().flatten().any(is_reply)
    });
    let fields = last.last().expect("a reply")["fields"].as_array().expect("a list");
    let bytes: u64 = fields.iter().filter_map(|field| field["length"].as_u64()).sum();
    assert_eq!(bytes, 12, "each byte is annotated: {fields:?}");
    let (channel, mut frames) = open(&gateway, "channel", "eve");
    let ask = json!({"http": {"method": "POST", "target": "/user/info?name=eve", "headers": [],
        "body": "{}"}});
    post(&gateway, &format!("{channel}/input"), &ask);
    frames.until(|frame| brings(frame, "not signed in"));
    for (path, input, status) in [
        (&channel, json!({"text": "hello"}), 409),
        (&irc, json!({"http": {"method": "GET", "target": "/"}}), 409),
        (&irc, json!({"say": "a", "leave": true}), 400),
        (&irc, json!({}), 400),
        (&token, json!({"base64": "?"}), 400),
    ] {
        let refused = admin(&gateway, "POST", &format!("{path}/input"), &input);
        assert_eq!(refused.status, status, "{input}: {refused}");
    }
    for body in [
        json!({"frontend": "none", "name": "ann"}),
        json!({"frontend": "irc", "name": "a b"}),
        json!({"frontend": "irc", "name": "zed", "room": "none"}),
    ] {
        let refused = admin(&gateway, "POST", SESSIONS, &body);
        assert!((400..500).contains(&refused.status), "{body}: {refused}");
    }
    assert_eq!(read(&gateway, SESSIONS)["items"].as_array().map(Vec::len), Some(3));
}

#[test]
fn the_playground_is_off_unless_it_is_configured_and_on_loopback_only() {
    let gateway = Gateway::start(ALL);
    assert_eq!(admin(&gateway, "GET", SESSIONS, &Value::Null).status, 404);
    let (said, problems, code) = gateway.dragoman(&[
        "check",
        "--set",
        "admin.playground=true",
        "--set",
        "admin.listen=0.0.0.0:5090",
    ]);
    assert_eq!(code, 1, "{said}");
    let problems = said + &problems;
    assert!(problems.contains("admin.playground") && problems.contains("loopback"), "{problems}");
}
