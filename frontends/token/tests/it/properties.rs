//! Properties that hold for every conversation in this dialect.

use core_model::{Outcome, Refusal, Reply, Timestamp};
use frontend_api::{Configure, Frontend, Input, Outbox, Output, Peer, Session};
use frontend_token::fields::{self, Field, Kind, NOTIFICATIONS, OPERATIONS, RESULTS, Value};
use frontend_token::{Options, TokenFrontend};

use crate::frames;

/// A valid value for a field, a different one for each `n`.
fn sample(field: &Field, n: u8) -> Value<'static> {
    match field.kind {
        Kind::U8 => Value::U8(n),
        Kind::U16 => Value::U16(0x0102 + u16::from(n)),
        Kind::U32 => Value::U32(0x0102_0304 + u32::from(n)),
        Kind::U64 => Value::U64(0x0102_0304_0506_0708 + u64::from(n)),
        Kind::I32 => Value::I32(-2 - i32::from(n)),
        Kind::String => Value::Text(["a", "茶", "a/b c"][usize::from(n % 3)]),
        Kind::Text => Value::Text(["", "热水", "{"][usize::from(n % 3)]),
        Kind::JsonString { optional: true } if n.is_multiple_of(2) => Value::Text(""),
        Kind::JsonString { .. } => Value::Text("{\"name\":\"安\"}"),
        Kind::ArrayU32 => Value::Array((0..u32::from(n)).collect()),
    }
}

fn samples(fields: &[Field], n: u8) -> Vec<Value<'static>> {
    fields.iter().map(|field| sample(field, n)).collect()
}

/// `rounds` of every operation, numbered from 1, with the bytes of each.
fn every_request(rounds: u8) -> Vec<Vec<u8>> {
    let mut requests = Vec::new();
    for n in 0..rounds {
        for operation in OPERATIONS {
            let sequence = u32::try_from(requests.len() + 1).unwrap();
            let mut values = samples(operation.request, n);
            // A slash in an openid_type is refused at once; another test covers that.
            values.iter_mut().filter(|value| **value == Value::Text("a/b c")).for_each(|value| {
                *value = Value::Text("o1");
            });
            requests.push(frames::request(operation.name, sequence, &values));
        }
    }
    requests
}

/// A host that answers every command and query, but only when the test says so.
struct Conversation {
    session: Box<dyn Session>,
    unanswered: usize,
    said: Vec<Vec<u8>>,
    closed: bool,
}

impl Conversation {
    fn begin() -> Self {
        let session = TokenFrontend::default().open(&Peer::default());
        let mut begun = Self { session, unanswered: 0, said: Vec::new(), closed: false };
        begun.feed(Input::Opened);
        begun
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Outbox::default();
        self.session.handle(Timestamp(0), input, &mut out);
        for output in out.drain() {
            assert!(!self.closed, "after closing came {output:?}");
            match output {
                Output::Submit { .. } | Output::Query { .. } | Output::Fetch(_) => {
                    self.unanswered += 1;
                }
                Output::SendBytes(frame) => self.said.push(frame),
                Output::Close => self.closed = true,
                Output::SetEventFilter(_) | Output::Wake(_) | Output::WakeAt(_) => (),
                Output::Respond(_)
                | Output::SendText(_)
                | Output::Authorize(_)
                | Output::Mark { .. }
                | Output::Acknowledge { .. } => panic!("not in this dialect: {output:?}"),
            }
        }
    }

    fn answer(&mut self, outcome: &Outcome) {
        self.unanswered -= 1;
        self.feed(Input::Answer(outcome));
    }

    fn answer_all(&mut self, outcome: &Outcome) {
        while self.unanswered > 0 {
            self.answer(outcome);
        }
    }

    fn sequences(&self) -> Vec<u32> {
        let sequence = |frame: &Vec<u8>| u32::from_be_bytes(frame[6..10].try_into().unwrap());
        self.said.iter().map(sequence).collect()
    }
}

#[test]
fn cutting_the_stream_anywhere_changes_nothing() {
    let whole = every_request(3).concat();
    frontend_testkit::assert_cut_invariant(&TokenFrontend::default(), &whole);
    for broken in ["0001 0001 0004 00000002 ffff", "00000005 0004", "00000006 0000 00000001"] {
        let stream = [frames::request("heartbeat", 1, &[]), frames::bytes(broken)].concat();
        frontend_testkit::assert_cut_invariant(&TokenFrontend::default(), &stream);
    }
}

#[test]
fn noise_is_harmless() {
    frontend_testkit::assert_noise_is_harmless(&TokenFrontend::default(), 2_000);
}

#[test]
fn damage_to_a_request_is_harmless() {
    for request in every_request(2) {
        for at in 4..request.len() {
            for flipped in [0x01, 0x80, 0xFF] {
                let mut damaged = request.clone();
                damaged[at] ^= flipped;
                let mut conversation = Conversation::begin();
                conversation.feed(Input::Bytes(&damaged));
                conversation.answer_all(&Ok(Reply::Done));
                assert_eq!(conversation.said.len(), 1, "damaged at {at}: {damaged:02x?}");
                assert!(!conversation.closed);
            }
        }
    }
}

#[test]
fn replies_keep_the_order_of_requests() {
    let requests = every_request(4);
    let expected: Vec<u32> = (1..=u32::try_from(requests.len()).unwrap()).collect();
    for behind in [1, 2, 7, usize::MAX] {
        let mut conversation = Conversation::begin();
        for bytes in requests.concat().chunks(11) {
            conversation.feed(Input::Bytes(bytes));
            while conversation.unanswered >= behind {
                conversation.answer(&Err(Refusal::NotSignedIn));
            }
        }
        conversation.answer_all(&Ok(Reply::Done));
        assert_eq!(conversation.sequences(), expected, "{behind} unanswered");
    }
}

#[test]
fn every_pending_reply_has_an_unanswered_query() {
    let mut conversation = Conversation::begin();
    conversation.feed(Input::Bytes(&frames::request("room_list", 1, &[Value::U32(0)])));
    let heartbeat = frames::request("heartbeat", 2, &[]);
    let nonsense = frames::bytes("00000006 0063 00000003");
    for _ in 0..100 {
        conversation.feed(Input::Bytes(&heartbeat));
        conversation.feed(Input::Bytes(&nonsense));
    }
    assert_eq!((conversation.unanswered, conversation.said.len()), (201, 0));
    conversation.answer_all(&Ok(Reply::RoomIds { rooms: vec![] }));
    assert_eq!(conversation.said.len(), 201);
    conversation.feed(Input::Bytes(&heartbeat));
    assert_eq!((conversation.unanswered, conversation.said.len()), (0, 202));
}

#[test]
fn an_openid_has_at_most_255_bytes() {
    for (bytes, taken) in [(1, true), (255, true), (256, false), (65_000, false)] {
        let long = "o".repeat(bytes);
        for (openid, openid_type) in [(long.as_str(), "wechat"), ("o1", long.as_str())] {
            let values = [Value::Text(openid), Value::Text(openid_type), Value::Text("")];
            let mut conversation = Conversation::begin();
            let request = frames::request("create_account", 1, &values);
            conversation.feed(Input::Bytes(&request));
            assert_eq!(conversation.unanswered == 1, taken, "{bytes}");
            conversation.answer_all(&Err(Refusal::IdentityTaken));
            let result = if taken { "E_USER_EXIST" } else { "E_ARGUMENT" };
            assert!(frames::describe(&conversation.said[0]).contains(result));
        }
    }
}

#[test]
fn a_long_reason_is_cut() {
    let mut conversation = Conversation::begin();
    conversation.feed(Input::Bytes(&frames::request("apply_for_token", 1, &[])));
    conversation.answer(&Err(Refusal::InvalidHandle { why: "茶".repeat(70_000) }));
    let said = frames::describe(&conversation.said[0]);
    assert!(said.starts_with("apply_for_token #1 E_ARGUMENT reason=\"the name 茶"), "{said}");
    assert!(said.chars().count() < 1_100);
}

#[test]
fn written_fields_read_back_the_same() {
    let bodies = OPERATIONS.iter().flat_map(|operation| [operation.request, operation.reply]);
    let bodies = bodies.chain(NOTIFICATIONS.iter().map(|notification| notification.body));
    for fields in bodies.chain([fields::HEADER, fields::RESULT, fields::FAILURE]) {
        for n in 0..6 {
            let values = samples(fields, n);
            let mut bytes = Vec::new();
            fields::write(fields, &values, &mut bytes);
            assert_eq!(fields::read(fields, &bytes).map(|body| body.values), Ok(values));
            for end in 0..bytes.len() {
                assert!(fields::read(fields, &bytes[..end]).is_err(), "cut at {end}: {bytes:?}");
            }
        }
    }
}

#[test]
fn numbers_and_names_match_the_protocol() {
    let commands: Vec<_> = OPERATIONS.iter().map(|row| (row.command(), row.name)).collect();
    assert_eq!(
        commands,
        [
            (1, "create_account"),
            (2, "login"),
            (3, "create_room"),
            (4, "enter_room"),
            (5, "room_list"),
            (6, "leave_room"),
            (7, "leave_application"),
            (8, "apply_for_token"),
            (9, "heartbeat"),
            (10, "post_message"),
            (11, "catch_up"),
            (12, "post_once"),
            (13, "create_room_once"),
        ]
    );
    let results: Vec<_> = RESULTS.iter().map(|row| (row.code as u16, row.name)).collect();
    assert_eq!(
        results,
        [
            (0, "OK"),
            (1, "E_USER_EXIST"),
            (2, "E_USER_NOT_EXIST"),
            (3, "E_NOT_LOGGED_IN"),
            (4, "E_TOKEN_INVALID"),
            (5, "E_ROOM_NOT_EXIST"),
            (6, "E_ROOM_FULL"),
            (7, "E_NOT_IN_ROOM"),
            (8, "E_FRAME"),
            (9, "E_ARGUMENT"),
            (10, "E_COMMAND"),
            (11, "E_LIMIT"),
            (12, "E_SERVER"),
            (13, "E_DENIED"),
        ]
    );
    let notifications: Vec<_> = NOTIFICATIONS.iter().map(|row| (row.command(), row.name)).collect();
    assert_eq!(
        notifications,
        [(0x4001, "population_changed"), (0x4002, "member_changed"), (0x4003, "message")]
    );
}

#[test]
fn invalid_options_are_refused_by_key() {
    let refused = |options| TokenFrontend::configure(options).err().map(|fault| fault.key);
    let small = Options { frame_bytes_max: 1_023, ..Options::default() };
    assert_eq!(refused(small).as_deref(), Some("frame_bytes_max"));
    let brief = serde_json::from_str(r#"{"token_ttl":"0s"}"#).unwrap();
    assert_eq!(refused(brief).as_deref(), Some("token_ttl"));
    let ours = r#"{"frame_bytes_max":1024,"token_ttl":"1m","messages":true}"#;
    assert_eq!(refused(serde_json::from_str(ours).unwrap()), None);
    assert!(serde_json::from_str::<Options>(r#"{"mesages":true}"#).is_err());
}

#[test]
fn the_manifest_declares_the_address_and_the_options() {
    let frontend = TokenFrontend::default();
    let manifest = frontend.manifest();
    assert_eq!(manifest.listeners[0].address.as_deref(), Some("127.0.0.1:5100"));
    let options = serde_json::to_value(Options::default()).unwrap();
    for key in options.as_object().unwrap().keys() {
        assert!(manifest.options["properties"][key].is_object(), "{key}");
    }
}
