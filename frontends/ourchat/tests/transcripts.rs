//! Plays every file in `transcripts/` and compares the result with its snapshot. Also tests
//! properties that hold for every conversation.

use std::path::Path;

use core_model::{Outcome, Refusal, Reply, Timestamp, UserView};
use frontend_api::{Configure, Frontend, Input, Outbox, Output, Peer, Session};
use frontend_ourchat::message::{
    Account, AccountQuery, Acknowledge, Failure, Gap, GroupCreate, GroupCreated, Kept, LoggedIn,
    Login, Register, Registered, Status, StatusQuery, Text, TextCreate, Verified, Verify,
};
use frontend_ourchat::{OcidStyle, Options, OurchatFrontend};
use frontend_testkit::{Described, assert_noise_is_harmless, play, play_as};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

const LOGIN: &str = r#"{"code":6,"login_type":1,"account":"10001","password":"secret"}"#;

#[test]
fn transcripts() {
    insta::glob!("transcripts/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        insta::assert_snapshot!(play(&OurchatFrontend::default(), &script));
    });
}

#[test]
fn transcripts_with_strings() {
    let options = r#"{"ocid":"string","backlog":2,"open":true}"#;
    let options: Options = serde_json::from_str(options).unwrap();
    let frontend = OurchatFrontend::configure(options).unwrap();
    insta::glob!("transcripts/strings/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        insta::assert_snapshot!(play(&frontend, &script));
    });
}

#[test]
fn transcripts_of_lines() {
    let peer = Peer { listener: "tcp_listen".into(), ..Peer::default() };
    insta::glob!("transcripts/lines/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        insta::assert_snapshot!(play_as(&OurchatFrontend::default(), &peer, &script));
    });
}

#[test]
fn transcripts_in_gbk() {
    let peer = Peer { listener: "tcp_listen".into(), ..Peer::default() };
    let options = serde_json::from_str(r#"{"charset":"gbk"}"#).unwrap();
    let frontend = OurchatFrontend::configure(options).unwrap();
    insta::glob!("transcripts/gbk/*.in", |path| {
        let script = std::fs::read_to_string(path).unwrap();
        insta::assert_snapshot!(play_as(&frontend, &peer, &script));
    });
}

/// What the schemas cannot express: refusals of well-formed messages.
const WELL_FORMED: &[&str] = &[
    r#""code":12,"#,
    r#""code":15,"#,
    "not logged in",
    "the email is not valid",
    "the password is empty",
];

#[test]
fn the_schemas_describe_every_transcript() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let frontend = OurchatFrontend::default();
    let lines = Peer { listener: "tcp_listen".into(), ..Peer::default() };
    // `serde_json::Value` keeps the last of two fields of one name; a message must not have two.
    let mut described = Described::new(WELL_FORMED).unread(&["duplicate field"]);
    insta::glob!("transcripts/*.in", |path| {
        described.play(&frontend, &std::fs::read_to_string(path).unwrap());
    });
    insta::glob!("transcripts/lines/*.in", |path| {
        described.play_as(&frontend, &lines, &std::fs::read_to_string(path).unwrap());
    });
    described.assert_examples_are_current(folder.join("examples/numbers.json"));
    let options = Options { ocid: OcidStyle::String, ..Options::default() };
    let frontend = OurchatFrontend::configure(options).unwrap();
    let mut described = Described::new(WELL_FORMED);
    insta::glob!("transcripts/strings/*.in", |path| {
        described.play(&frontend, &std::fs::read_to_string(path).unwrap());
    });
    described.assert_examples_are_current(folder.join("examples/strings.json"));
}

#[test]
fn the_manifest_declares_listeners_and_options() {
    let frontend = OurchatFrontend::default();
    insta::assert_snapshot!(serde_json::to_string_pretty(frontend.manifest()).unwrap());
}

#[test]
fn an_unknown_option_is_an_error() {
    assert!(serde_json::from_str::<Options>(r#"{"ocids":"string"}"#).is_err());
    assert_eq!(serde_json::from_str::<Options>("{}").unwrap(), Options::default());
}

/// A conversation with one session, in which the test decides when the engine answers.
struct Talk {
    session: Box<dyn Session>,
    /// Unanswered requests of the session to the engine.
    asked: usize,
    said: Vec<String>,
}

impl Talk {
    fn new() -> Self {
        let session = OurchatFrontend::default().open(&Peer::default());
        Self { session, asked: 0, said: Vec::new() }
    }

    fn feed(&mut self, input: Input<'_>) {
        let mut out = Outbox::default();
        self.session.handle(Timestamp(0), input, &mut out);
        for output in out.drain() {
            match output {
                Output::Submit { .. } | Output::Query { .. } => self.asked += 1,
                Output::SendText(text) => self.said.push(text),
                Output::Mark { .. } => (),
                other => panic!("unexpected {other:?}"),
            }
        }
    }

    fn receive(&mut self, text: &str) {
        self.feed(Input::Text(text));
    }

    fn answer(&mut self, outcome: &Outcome) {
        self.asked -= 1;
        self.feed(Input::Answer(outcome));
    }

    /// Lets every reply that waits for its turn have it.
    fn answer_all(&mut self) {
        while self.asked > 0 {
            self.answer(&Ok(Reply::Done));
        }
    }

    /// Asserts that every request has one reply, or one unanswered query that will lead to one.
    #[track_caller]
    fn assert_owes_nothing_for(&self, heard: usize) {
        assert_eq!(self.said.len() + self.asked, heard);
    }
}

fn ann() -> UserView {
    let person = serde_json::json!({"uid": 10001, "handle": "ann", "name": "Ann"});
    let user = serde_json::json!({"person": person, "created": 0, "online": true});
    serde_json::from_value(user).unwrap()
}

fn signed_in() -> Outcome {
    let (token, rooms, backlog, skipped) = (None, Vec::new(), Vec::new(), Vec::new());
    Ok(Reply::SignedIn { user: ann(), token, rooms, backlog, cursor: None, gap: None, skipped })
}

/// Requests of every kind; each gets exactly one message if the engine refuses it.
const REQUESTS: [&str; 10] = [
    r#"{"code":4,"email":"ann@example.org","password":"secret"}"#,
    LOGIN,
    r#"{"code":0,"sender":{"ocid":10001,"group_id":7},"msg":"hello"}"#,
    r#"{"code":12}"#,
    r#"{"code":0,"sender":{"ocid":10001,"private_id":10002},"msg":"hello"}"#,
    r#"{"code":8,"members":[10002]}"#,
    "nonsense",
    r#"{"code":10,"ocid":10001,"request_values":["nickname"]}"#,
    r#"{"code":14}"#,
    r#"{"code":4,"email":"none","password":"secret"}"#,
];

#[test]
fn every_request_gets_one_reply_to_every_refusal() {
    let mut table = String::new();
    for refusal in refusals() {
        let mut talk = Talk::new();
        talk.receive(LOGIN);
        talk.answer(&signed_in());
        // Events of the login may be on their way until the session has made a query.
        talk.receive(r#"{"code":12}"#);
        talk.answer(&Ok(Reply::Done));
        talk.said.clear();
        for request in REQUESTS {
            talk.receive(request);
            if talk.asked > 0 {
                talk.answer(&Err(refusal.clone()));
            } else {
                talk.said.pop();
            }
        }
        table.push_str(&format!("{refusal:?}\n    {}\n", talk.said.join("\n    ")));
        talk.assert_owes_nothing_for(6);
    }
    insta::assert_snapshot!(table);
}

fn refusals() -> Vec<Refusal> {
    use Refusal::*;
    let why = || "is odd".to_owned();
    vec![
        Banned { reason: why(), until: None },
        EmptyText,
        HandleTaken,
        IdentityTaken,
        Internal { why: why() },
        InvalidHandle { why: why() },
        InvalidIdentity { why: why() },
        InvalidRoomName { why: why() },
        KeyReused,
        Muted { until: None },
        NotAllowed,
        NotInRoom,
        NotSignedIn,
        Overloaded,
        OwnerStays,
        QuotaExceeded { what: "rooms".into(), max: 10 },
        RoomFull,
        RoomNameTaken,
        RoomNotPublic { room: core_model::RoomId(7), why: why() },
        SelfAddressed,
        SlowDown { retry_after_ms: 100 },
        TextTooLong { chars_max: 10 },
        TokenInvalid,
        TooFewMembers,
        TooLong { what: "description".into(), limit: "500 characters".into() },
        UnknownRoom,
        UnknownUser,
        WrongPassword,
    ]
}

#[test]
fn pipelining_changes_no_reply() {
    let answer = |talk: &mut Talk, nth: usize| match nth {
        1 => talk.answer(&signed_in()),
        _ => talk.answer(&Err(Refusal::Overloaded)),
    };
    let said = |pipelined: bool| {
        let (mut talk, mut answered) = (Talk::new(), 0);
        for request in REQUESTS {
            talk.receive(request);
            while !pipelined && talk.asked > 0 {
                answer(&mut talk, answered);
                answered += 1;
            }
        }
        while talk.asked > 0 {
            answer(&mut talk, answered);
            answered += 1;
        }
        talk.said
    };
    assert_eq!(said(false).len(), REQUESTS.len());
    assert_eq!(said(true), said(false));
}

#[test]
fn messages_deferred_by_a_login_are_bounded_and_all_answered() {
    let mut talk = Talk::new();
    talk.receive(LOGIN);
    for _ in 0..10_000 {
        talk.receive(r#"{"code":12}"#);
    }
    let refused = talk.said.len();
    assert_eq!(refused, 10_000 - 255);
    talk.answer(&signed_in());
    talk.assert_owes_nothing_for(10_001);
    talk.answer_all();
    talk.assert_owes_nothing_for(10_001);
    // The space they took is free again.
    talk.receive(LOGIN);
    talk.receive(r#"{"code":12}"#);
    talk.answer(&signed_in());
    talk.answer_all();
    assert!(talk.said.last().unwrap().contains(r#""code":12"#));
}

#[test]
fn messages_deferred_by_a_login_are_bounded_in_bytes_except_a_single_one() {
    let mut talk = Talk::new();
    let large = format!("{{\"code\":12,\"pad\":\"{}\"}}", "x".repeat(600_000));
    talk.receive(LOGIN);
    talk.receive(&large.repeat(3));
    talk.receive(&large);
    assert_eq!(talk.said.len(), 1);
    talk.answer(&signed_in());
    talk.answer_all();
    assert_eq!(talk.said.len(), 3);

    talk.receive(LOGIN);
    talk.receive(&large);
    talk.receive(&large);
    assert_eq!(talk.said.len(), 4);
    talk.receive(r#"{"code":12}"#);
    assert_eq!(talk.said.len(), 4);
    talk.answer(&signed_in());
    talk.answer_all();
    assert_eq!(talk.said.len(), 7);
}

#[test]
fn pending_replies_are_bounded() {
    let mut talk = Talk::new();
    talk.receive(LOGIN);
    talk.answer(&signed_in());
    talk.receive(r#"{"code":8,"members":[10002]}"#);
    for _ in 0..10_000 {
        talk.receive("nonsense");
    }
    assert_eq!(talk.said.len(), 1 + 10_000 - 255);
    talk.answer(&Err(Refusal::Overloaded));
    talk.assert_owes_nothing_for(10_002);
}

#[test]
fn noise_is_harmless() {
    assert_noise_is_harmless(&OurchatFrontend::default(), 2_000);
}

#[test]
fn a_damaged_message_still_gets_one_reply() {
    for request in REQUESTS {
        for at in 0..request.len() {
            for changed in [
                request[..at].to_owned(),
                request[at..].to_owned(),
                format!("{}{}", &request[..at], &request[at + 1..]),
                format!("{}9{}", &request[..at], &request[at + 1..]),
                format!("{}\"{}", &request[..at], &request[at..]),
            ] {
                let mut talk = Talk::new();
                talk.receive(LOGIN);
                talk.answer(&signed_in());
                talk.receive(&changed);
                talk.assert_owes_nothing_for(2);
            }
        }
    }
}

/// Asserts that reading and writing keeps the fields and their order.
#[track_caller]
fn assert_survives<T: DeserializeOwned + Serialize>(text: &str) {
    let message: T = serde_json::from_str(text).unwrap();
    assert_eq!(serde_json::to_string(&message).unwrap(), text);
}

#[test]
fn every_message_reads_and_writes_its_own_form() {
    assert_survives::<TextCreate>(
        r#"{"code":0,"time":1,"sender":{"ocid":10001,"group_id":7},"msg":"hi"}"#,
    );
    assert_survives::<TextCreate>(r#"{"code":0,"sender":{"ocid":10001,"private_id":5},"msg":""}"#);
    assert_survives::<Text>(
        r#"{"code":0,"time":1,"cid":2,"sender":{"ocid":10001,"group_id":7},"msg":"hi"}"#,
    );
    assert_survives::<Register>(
        r#"{"code":4,"time":1,"email":"a@b","password":"secret","name":"Ann"}"#,
    );
    assert_survives::<Registered>(r#"{"code":5,"time":1,"state":0,"status":0,"ocid":10001}"#);
    assert_survives::<Login>(
        r#"{"code":6,"time":1,"login_type":0,"account":"a@b","password":"secret"}"#,
    );
    assert_survives::<LoggedIn>(r#"{"code":7,"time":1,"state":1,"status":1}"#);
    assert_survives::<GroupCreate>(r#"{"code":8,"time":1,"members":[10002,10003]}"#);
    assert_survives::<GroupCreated>(
        r#"{"code":9,"time":1,"success":true,"msg":"","group_id":7,"members":[10001,10002]}"#,
    );
    assert_survives::<AccountQuery>(
        r#"{"code":10,"time":1,"ocid":10001,"request_values":["ocid","nickname"]}"#,
    );
    assert_survives::<Account>(
        r#"{"code":11,"time":1,"status":0,"data":{"ocid":10001,"nickname":"Ann","status":1,"avater":"","time":1}}"#,
    );
    assert_survives::<StatusQuery>(r#"{"code":12,"time":1}"#);
    assert_survives::<Status>(r#"{"code":12,"time":1,"status":0}"#);
    assert_survives::<Verify>(r#"{"code":14,"time":1}"#);
    assert_survives::<Verified>(r#"{"code":15,"time":1,"status":0}"#);
    assert_survives::<Failure>(r#"{"code":18,"time":1,"details":"no such account"}"#);
}

#[test]
fn a_message_is_not_read_as_one_of_another_code() {
    assert!(serde_json::from_str::<StatusQuery>(r#"{"code":14}"#).is_err());
}

#[test]
fn a_schema_names_the_code_and_accepts_ocids_in_both_forms() {
    let schema = schemars::schema_for!(TextCreate).to_value();
    assert_eq!(schema["properties"]["code"]["const"], 0);
    let ocid = &schema["$defs"]["Ocid"];
    assert_eq!(ocid["type"], "integer");
    assert_eq!(ocid["x-accepts"]["type"], serde_json::json!(["integer", "string"]));
    assert_eq!(serde_json::to_value(OcidStyle::String.write(None)).unwrap(), "0");
}

#[test]
fn every_example_in_the_documentation_is_a_message() {
    let page = include_str!("../../../docs/dialects/ourchat.md");
    let mut codes = Vec::new();
    for line in page.lines() {
        let Some((from @ ("→" | "←"), text)) = line.split_once(' ') else { continue };
        let message: Value = serde_json::from_str(text).unwrap();
        let code = message["code"].as_u64().unwrap();
        codes.push((from, code));
        match (from, code) {
            ("→", 0) => assert_survives::<TextCreate>(text),
            ("→", 4) => assert_survives::<Register>(text),
            ("→", 6) => assert_survives::<Login>(text),
            ("→", 8) => assert_survives::<GroupCreate>(text),
            ("→", 10) if message.get("request_values").is_none() => (),
            ("→", 10) => assert_survives::<AccountQuery>(text),
            ("→", 12) => assert_survives::<StatusQuery>(text),
            ("→", 14) => assert_survives::<Verify>(text),
            ("→", 17) => assert_survives::<Acknowledge>(text),
            ("→", 99) => (),
            ("←", 0) => assert_survives::<Text>(text),
            ("←", 5) => assert_survives::<Registered>(text),
            ("←", 7) => assert_survives::<LoggedIn>(text),
            ("←", 9) => assert_survives::<GroupCreated>(text),
            ("←", 11) => assert_survives::<Account>(text),
            ("←", 12) => assert_survives::<Status>(text),
            ("←", 15) => assert_survives::<Verified>(text),
            ("←", 16) => assert_survives::<Gap>(text),
            ("←", 18) => assert_survives::<Failure>(text),
            ("←", 19) => assert_survives::<Kept>(text),
            _ => panic!("no such message: {line}"),
        }
    }
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), 8 + 10 + 1);
}
