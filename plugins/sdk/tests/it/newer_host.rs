use plugin_sdk::abi::*;

use crate::bare::{Bare, new};

#[test]
fn unknown_inputs_of_a_newer_host_are_ignored() {
    let bare = Bare::new();
    assert_eq!(bare.handle(99, b"\xFF", b"what"), (GW_OK, vec![]));
    assert_eq!(bare.handle(GW_IN_ENDING, b"tomorrow", b""), (GW_OK, vec![]));
    let event = br#"{"seq":1,"at":2,"cause":3,"event":{"event":"room_painted","color":"red"}}"#;
    assert_eq!(bare.broadcast(event), (GW_OK, vec![]));
    assert_eq!(bare.handle(GW_IN_EVENT, event, b""), (GW_OK, vec![]));
}

#[test]
fn unknown_fields_of_a_newer_host_are_ignored() {
    let bare = Bare::new();
    let event = br#"{"seq":1,"at":2,"cause":3,"mood":"good","event":{"event":"room_deleted","room":{"id":7,"name":"tea","color":"red"},"by":9}}"#;
    let (code, emitted) = bare.broadcast(event);
    assert_eq!((code, emitted[0].0), (GW_EVERYONE, GW_OUT_SEND_TEXT));
    assert!(emitted[0].1.starts_with("RoomDeleted"), "{emitted:?}");
    let (code, emitted) = bare.handle(GW_IN_ANSWER, br#"{"Ok":{"did":"done","well":true}}"#, b"");
    assert_eq!((code, emitted[0].1.as_str()), (GW_OK, "Answer(Ok(Done))"));
}

/// Answers are matched by their order: ignoring one would shift all that follow.
#[test]
fn an_answer_of_a_new_kind_is_still_an_answer() {
    let bare = Bare::new();
    for answer in [r#"{"Ok":{"did":"painted"}}"#, r#"{"Err":{"refused":"too_red"}}"#] {
        let (code, emitted) = bare.handle(GW_IN_ANSWER, answer.as_bytes(), b"");
        assert_eq!((code, emitted.len()), (GW_OK, 1));
        let words = "Answer(Err(Internal { why: \"the plugin is older than the gateway: ";
        assert!(emitted[0].1.starts_with(words), "{emitted:?}");
    }
}

#[test]
fn malformed_input_is_refused_with_a_reason() {
    let bare = Bare::new();
    for kind in [GW_IN_ANSWER, GW_IN_EVENT, GW_IN_REQUEST, GW_IN_TEXT, GW_IN_ENDING] {
        let (code, emitted) = bare.handle(kind, b"{\xFF", b"");
        let [(GW_OUT_REASON, why, key)] = emitted.as_slice() else { panic!("{emitted:?}") };
        assert_eq!((code, key.as_str()), (GW_MALFORMED, ""), "{kind}");
        assert!(!why.is_empty(), "{kind}");
    }
    assert_eq!(bare.broadcast(b"{").0, GW_MALFORMED);
}

#[test]
fn a_panic_without_a_message_is_reported_too() {
    let (code, emitted) = Bare::new().handle(GW_IN_TEXT, b"panic", b"");
    let [(GW_OUT_REASON, why, key)] = emitted.as_slice() else { panic!("{emitted:?}") };
    assert_eq!((code, key.as_str()), (GW_PANICKED, ""));
    assert!(why.starts_with("panicked at plugins/sdk/tests/it/bare.rs:"), "{why}");
    assert!(why.ends_with(": no words"), "{why}");
}

#[test]
fn a_body_crosses_as_it_is() {
    let request = br#"{"method":"POST","path":"/x"}"#;
    let (code, emitted) = Bare::new().handle(GW_IN_REQUEST, request, b"{\"raw\"\n");
    let head = r#"{"status":200,"headers":[]}"#.to_owned();
    assert_eq!((code, emitted), (GW_OK, vec![(GW_OUT_RESPOND, head, "{\"raw\"\n".into())]));
}

#[test]
fn every_invalid_option_is_named() {
    let refused = |options: &str| {
        let emitted = new(options.as_bytes()).expect_err("it is refused");
        let words = emitted.into_iter().map(|(kind, why, key)| {
            assert_eq!(kind, GW_OUT_REASON);
            format!("{key}: {why}")
        });
        words.collect::<Vec<_>>().join("\n")
    };
    assert_eq!(refused(r#"{"limit":13}"#), "limit: 13 is bad luck");
    assert_eq!(
        refused(r#"{"limit":-1,"even":"very","odd":true}"#),
        "even: expected true or false\n\
         limit: expected a whole number, not below 0\n\
         odd: unknown option \"odd\", expected \"limit\" or \"even\""
    );
    assert!(refused("[]").starts_with(": the options are not an object: "));
}
