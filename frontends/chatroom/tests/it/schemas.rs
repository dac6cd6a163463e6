//! The schemas describe what is said, and accept what the parser accepts.

use frontend_api::{Frontend, Input, Outbox, Output, Peer, http};
use frontend_chatroom::{ChatroomFrontend, Options};
use frontend_testkit::{Described, acceptor, frontend_for};
use serde_json::{Value, json};

/// Replies both to values of the wrong type and to invalid names, which the schemas do not
/// describe.
const EITHER: &[&str] =
    &["illegal data", "invalid room\"", "invalid room_name", "invalid user_name", "user not exist"];

#[test]
fn the_schemas_describe_every_transcript() {
    let mut described = Described::new(&["not signed in", "not allowed"]).unread(EITHER);
    insta::glob!("..", "transcripts/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        // The check reads fields as UTF-8.
        if !script.contains(r#""charset""#) {
            let frontend: ChatroomFrontend = frontend_for(&script, Options::default());
            described.play(&frontend, &script);
        }
    });
    described.assert_examples_are_current(concat!(env!("CARGO_MANIFEST_DIR"), "/examples.json"));
}

#[test]
fn what_the_parser_takes_is_what_the_schema_describes() {
    let frontend = ChatroomFrontend::default();
    let describes = acceptor(&frontend, "FromClient");
    let names = [None, Some(json!("test")), Some(json!("")), Some(json!(null)), Some(json!(7))];
    let avatars = [None, Some(json!("a")), Some(json!("")), Some(json!(null)), Some(json!(7))];
    let msgs = [None, Some(json!("hi")), Some(json!("")), Some(json!(null)), Some(json!(7))];
    let types = ["join", "leave", "msg", "user", "error", "Join", ""].map(|kind| Some(json!(kind)));
    let types = types.into_iter().chain([None, Some(json!(null)), Some(json!(7))]);
    let mut taken = 0;
    for kind in types {
        for user_name in &names {
            for room_name in &names {
                for avatar in &avatars {
                    for msg in &msgs {
                        let user = object([("user_name", user_name), ("user_avatar", avatar)]);
                        let fields =
                            [("user", &Some(user)), ("room_name", room_name), ("msg", msg)];
                        let packet = object([("type", &kind), ("data", &Some(object(fields)))]);
                        let takes = takes(&frontend, &packet);
                        assert_eq!(describes(&packet), takes, "{packet}");
                        taken += usize::from(takes);
                    }
                }
            }
        }
    }
    // Four avatars are right; to join and to leave take two msgs each, to say something takes one.
    assert_eq!(taken, 4 * (2 + 2 + 1));
}

#[test]
fn what_is_no_packet_is_not_described() {
    let frontend = ChatroomFrontend::default();
    let describes = acceptor(&frontend, "FromClient");
    for text in ["[]", "7", "null", "{}", r#"{"type":"msg","data":7}"#, r#"{"type":"msg"}"#] {
        let packet = serde_json::from_str(text).unwrap();
        assert!(!takes(&frontend, &packet) && !describes(&packet), "{text}");
    }
}

fn object<const N: usize>(fields: [(&str, &Option<Value>); N]) -> Value {
    let given = fields.into_iter().filter_map(|(key, value)| Some((key.into(), value.clone()?)));
    Value::Object(given.collect())
}

/// Whether a session asks the engine what to do about a packet.
fn takes(frontend: &ChatroomFrontend, packet: &Value) -> bool {
    let upgrade = Some(http::Request::default());
    let mut session = frontend.open(&Peer { upgrade, ..Peer::default() });
    let mut out = Outbox::default();
    session.handle(core_model::Timestamp(0), Input::Text(&packet.to_string()), &mut out);
    out.drain().any(|output| matches!(output, Output::Submit { .. }))
}
