//! A fault of a plugin costs one session, is counted, and is reported with the plugin's name.

use std::sync::mpsc;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use core_model::{ConnectionId, Event, Person, Recorded, RoomTag, Seq, Timestamp};
use frontend_api::http::{HttpError, Request, Response};
use frontend_api::{Broadcast, Frame, Frontend, Input, OptionFault, Outbox, Output, Peer, Session};
use plugin_loader::{LoadError, LoadedFrontend, Plugin};
use serde_json::{Map, Value, json};

fn faulty(options: Value) -> Result<LoadedFrontend, LoadError> {
    let Value::Object(options) = options else { panic!("not an object") };
    LoadedFrontend::open(&plugin_testkit::plugin("faulty"), &options)
}

fn outputs(session: &mut dyn Session, input: Input<'_>) -> Vec<Output> {
    let mut out = Outbox::default();
    session.handle(Timestamp(0), input, &mut out);
    out.drain().collect()
}

fn event() -> Recorded {
    let room = RoomTag::default();
    let event = Event::PopulationChanged { room, population: 1 };
    Recorded { seq: Seq(1), at: Timestamp(1), cause: ConnectionId(1), event }
}

#[test]
fn a_plugin_that_never_returns_from_its_start_is_given_up() {
    let path = plugin_testkit::plugin("faulty");
    let plugin = Plugin::open(&path).unwrap();
    for function in ["frontend_new", "frontend_manifest"] {
        let Value::Object(options) = json!({ "hang_in": function }) else { unreachable!() };
        let timeout = Duration::from_millis(20);
        let error = plugin.frontend_within(timeout, &options).err().expect("it hangs");
        let function = "frontend_new";
        assert_eq!(error, LoadError::TimedOut { path: path.clone(), function, timeout });
        let expected = "does not start: frontend_new has not returned within 0.02 s";
        assert!(error.to_string().contains(expected), "{error}");
    }
    assert!(faulty(json!({})).is_ok(), "the library is still usable");
}

/// Every fault of a session, whether it counts as a panic, and the reason reported.
const WAYS: [(&str, bool, &str); 22] = [
    ("panic", true, "panicked at plugins/faulty/src/lib.rs:"),
    ("return -1", true, "it returned -1"),
    ("return -2", false, "it returned -2"),
    ("return 7", false, "it returned 7"),
    ("emit-nonsense", false, "it emitted a command that cannot be read: EOF while parsing"),
    ("emit-bytes", false, "it emitted text that is not UTF-8: invalid utf-8 sequence"),
    ("emit-null payload", false, "it emitted a length without bytes"),
    ("emit-null body", false, "it emitted a length without bytes"),
    ("emit-endless", false, "it emitted a length without bytes"),
    ("emit 1 {\"command\":{\"do\":\"fly\"}}", false, "it emitted a command that cannot be read"),
    ("emit 1 {\"command\":{\"do\":\"expire\"}}", false, "that only the gateway may submit"),
    (
        r#"emit 1 {"command":{"do":"set_password","user":"session","password":{"hashed":"$argon2id$v=19$m=4294967295,t=9,p=1$c2FsdHNhbHQ$aGFzaA"}}}"#,
        false,
        "it emitted a hash of a password, which only the gateway may",
    ),
    (
        r#"emit 1 {"command":{"do":"register","user":{"password":{"hashed":"x"}}}}"#,
        false,
        "it emitted a hash of a password, which only the gateway may",
    ),
    (
        r#"emit 1 {"command":{"do":"sign_in","user":{"id":1},"credential":"vouched","create":{"password":{"hashed":"x"}}}}"#,
        false,
        "it emitted a hash of a password, which only the gateway may",
    ),
    (
        r#"emit 1 {"command":{"do":"issue_token","user":{"id":1},"grant":{"purpose":"x","shape":"text","ttl_ms":18446744073709551615}}}"#,
        false,
        "it emitted a lifetime of 18446744073709551615 ms, and at most",
    ),
    (
        r#"emit 1 {"command":{"do":"sign_in","user":{"id":1},"credential":"vouched","address":{"address":"::1","ttl_ms":3153600000001}}}"#,
        false,
        "it emitted a lifetime of 3153600000001 ms, and at most 3153600000000 are allowed",
    ),
    (
        r#"emit 1 {"command":{"do":"enter","room":{"id":1},"user":"session","seat":{"lease":{"ttl_ms":1,"grace_ms":18446744073709551615}}}}"#,
        false,
        "it emitted a lifetime of 18446744073709551615 ms, and at most",
    ),
    (
        r#"emit 1 {"command":{"do":"issue_token","user":{"id":1},"grant":{"purpose":"0123456789012345678901234567890123456789012345678901234567890123x","shape":"text","ttl_ms":1}}}"#,
        false,
        "it emitted a purpose of more than 64 bytes",
    ),
    ("emit 3 {\"status\":0}", false, "it emitted a response of status 0"),
    ("emit 99 what", false, "it emitted 99, which a session may not emit"),
    ("flood 8 65537 0", false, "it emitted more than 65536 outputs"),
    ("flood 4 65 1048576", false, "it emitted more than 67108864 bytes"),
];

#[test]
fn each_fault_costs_its_session_and_no_other() {
    for (words, panics, why) in WAYS {
        let reported = Arc::new(Mutex::new(Vec::new()));
        let reporter = Arc::clone(&reported);
        let frontend = faulty(json!({})).unwrap();
        let frontend =
            frontend.on_fault(move |fault| reporter.lock().unwrap().push(fault.to_string()));
        let (mut doomed, mut other) =
            (frontend.open(&Peer::default()), frontend.open(&Peer::default()));
        assert_eq!(outputs(&mut *doomed, Input::Text("hello")), [Output::SendText("fine".into())]);
        assert_eq!(outputs(&mut *doomed, Input::Text(words)), [Output::Close], "{words}");
        assert_eq!(outputs(&mut *doomed, Input::Text("hello")), [Output::Close], "{words}");
        assert_eq!(outputs(&mut *other, Input::Text("hello")), [Output::SendText("fine".into())]);
        let faults = frontend.faults();
        let counted = (faults.panicked(), faults.malformed());
        assert_eq!(counted, if panics { (1, 0) } else { (0, 1) }, "{words}");
        let reported = reported.lock().unwrap();
        let [reported] = reported.as_slice() else { panic!("{words}: {reported:?}") };
        assert!(
            reported.starts_with("plugin faulty (") && reported.contains(" in session_handle: "),
            "{reported}"
        );
        assert!(reported.contains(why), "{reported}");
    }
}

#[test]
fn outputs_of_earlier_calls_in_the_same_outbox_are_kept() {
    let mut session = faulty(json!({})).unwrap().open(&Peer::default());
    let mut out = Outbox::default();
    session.handle(Timestamp(0), Input::Text("hello"), &mut out);
    session.handle(Timestamp(0), Input::Text("panic"), &mut out);
    assert_eq!(out.drain().collect::<Vec<_>>(), [Output::SendText("fine".into()), Output::Close]);
}

#[test]
fn emitting_exactly_the_limit_is_not_a_fault() {
    let frontend = faulty(json!({})).unwrap();
    let mut session = frontend.open(&Peer::default());
    assert_eq!(outputs(&mut *session, Input::Text("flood 8 65536 0")).len(), 65_536);
    assert_eq!(outputs(&mut *session, Input::Text("flood 4 64 1048576")).len(), 64);
    assert_eq!(outputs(&mut *session, Input::Text("hello")), [Output::SendText("fine".into())]);
    assert_eq!(frontend.faults().malformed(), 0);
}

#[test]
fn a_front_end_that_cannot_start_gives_its_reasons() {
    let why = |options| faulty(options).err().expect("it is refused");
    let path = plugin_testkit::plugin("faulty");
    let refused = why(json!({ "refuse": "not today" }));
    let faults = vec![OptionFault::new("refuse", "not today")];
    assert_eq!(refused, LoadError::WouldNotStart { path: path.clone(), faults });
    let words = format!("{} would not start: refuse: not today", path.display());
    assert_eq!(refused.to_string(), words);
    for (options, words) in [
        (
            json!({ "panic_in": "frontend_new" }),
            "would not start: panicked at plugins/faulty/src/lib.rs:",
        ),
        (
            json!({ "refuze": "x" }),
            "refuze: unknown option \"refuze\", expected one of \"refuse\", \"panic_in\"",
        ),
        (json!({ "refuse": 1, "panic_in": 2 }), "panic_in: expected a string; refuse: expected a"),
        (
            json!({ "panic_in": "frontend_manifest" }),
            "cannot read: panicked at plugins/faulty/src/lib.rs:",
        ),
        (json!({ "malformed_in": "frontend_manifest" }), "a manifest that cannot be read: invalid"),
        (
            json!({ "malformed_in": "frontend_new" }),
            "would not start: it emitted 5 where nothing is expected",
        ),
        (
            json!({ "malformed_in": "no frontend_new" }),
            "would not start: it emitted 5 where nothing is expected",
        ),
    ] {
        let error = why(options).to_string();
        assert!(error.contains(words), "{error}");
    }
}

#[test]
fn a_reason_is_one_line_of_bounded_length() {
    let why = format!("line one\nline two\u{1b}[31m {}", "x".repeat(10_000));
    match faulty(json!({ "refuse": why })).err() {
        Some(LoadError::WouldNotStart { faults, .. }) => {
            assert!(faults[0].why.starts_with("line one line two [31m xxx"), "{faults:?}");
            assert_eq!(faults[0].why.len(), 1_000);
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_session_that_cannot_be_opened_is_closed() {
    for (options, counted) in [
        (json!({ "panic_in": "session_open" }), (1, 0)),
        (json!({ "malformed_in": "session_open" }), (0, 1)),
        (json!({ "panic_in": "session_handle" }), (1, 0)),
    ] {
        let frontend = faulty(options).unwrap();
        let mut session = frontend.open(&Peer::default());
        assert_eq!(outputs(&mut *session, Input::Opened), [Output::Close]);
        assert_eq!(outputs(&mut *session, Input::Closed), [Output::Close]);
        let faults = frontend.faults();
        assert_eq!((faults.panicked(), faults.malformed()), counted);
    }
}

#[test]
fn a_broadcast_that_fails_sends_nothing() {
    let reported = faulty(json!({})).unwrap().broadcast(&event());
    assert_eq!(reported, Broadcast::Everyone(Frame::Text("news".into())));
    for (options, counted) in [
        (json!({ "panic_in": "frontend_broadcast" }), (1, 0)),
        (json!({ "malformed_in": "frontend_broadcast" }), (0, 1)),
    ] {
        let frontend = faulty(options).unwrap();
        assert_eq!(frontend.broadcast(&event()), Broadcast::Nothing);
        let faults = frontend.faults();
        assert_eq!((faults.panicked(), faults.malformed()), counted);
    }
}

#[test]
fn an_http_error_that_the_plugin_fails_to_render_is_plain_text() {
    let fault = HttpError::new(429, "slow down");
    assert_eq!(faulty(json!({})).unwrap().fault(&fault), Response::text(429, "faulty"));
    for (options, counted) in [
        (json!({ "panic_in": "frontend_fault" }), (1, 0)),
        (json!({ "malformed_in": "frontend_fault" }), (0, 1)),
    ] {
        let frontend = faulty(options).unwrap();
        assert_eq!(frontend.fault(&fault), Response::text(429, "slow down"));
        let faults = frontend.faults();
        assert_eq!((faults.panicked(), faults.malformed()), counted);
    }
}

#[test]
fn a_plugin_that_fails_at_a_new_account_wakes_no_connection() {
    let account = Person { handle: "ann".into(), ..Person::default() };
    assert_eq!(faulty(json!({})).unwrap().account_made(&account), [ConnectionId(7)]);
    for (options, counted) in [
        (json!({ "panic_in": "frontend_account_made" }), (1, 0)),
        (json!({ "malformed_in": "frontend_account_made" }), (0, 1)),
    ] {
        let frontend = faulty(options).unwrap();
        assert_eq!(frontend.account_made(&account), []);
        let faults = frontend.faults();
        assert_eq!((faults.panicked(), faults.malformed()), counted);
    }
}

#[test]
fn a_plugin_that_fails_to_describe_itself_has_no_documents() {
    let documents = faulty(json!({})).unwrap().schemas();
    let names: Vec<&str> = documents.iter().map(|document| document.name.as_str()).collect();
    assert_eq!((names, documents[0].text.as_str()), (vec!["words.txt"], "panic, block, emit"));
    let nowhere = ["", ".", "..", ".hidden", "../x.json", "/etc/x", "a\\b", "a b", "\u{e9}.json"];
    let nowhere = nowhere.map(|name| (json!({ "document": name }), (0, 1)));
    let cases = [
        (json!({ "panic_in": "frontend_schemas" }), (1, 0)),
        (json!({ "malformed_in": "frontend_schemas" }), (0, 1)),
    ];
    for (options, counted) in cases.into_iter().chain(nowhere) {
        let frontend = faulty(options.clone()).unwrap();
        assert_eq!(frontend.schemas(), [], "{options}");
        let faults = frontend.faults();
        assert_eq!((faults.panicked(), faults.malformed()), counted, "{options}");
    }
}

#[test]
fn a_panic_while_freeing_is_ignored() {
    let frontend = faulty(json!({ "panic_in": "session_free" })).unwrap();
    drop(frontend.open(&Peer::default()));
    let mut session = frontend.open(&Peer::default());
    assert_eq!(outputs(&mut *session, Input::Text("hello")), [Output::SendText("fine".into())]);
    let frontend = faulty(json!({ "panic_in": "frontend_free" })).unwrap();
    let mut session = frontend.open(&Peer::default());
    drop(frontend);
    assert_eq!(outputs(&mut *session, Input::Text("hello")), [Output::SendText("fine".into())]);
}

#[test]
fn a_request_without_a_response_is_left_to_the_host() {
    let frontend = faulty(json!({})).unwrap();
    let answer = |path: &str| {
        let request = Request { method: "GET".into(), path: path.into(), ..Request::default() };
        let mut session = frontend.open(&Peer::default());
        outputs(&mut *session, Input::Opened);
        outputs(&mut *session, Input::Request(&request))
    };
    assert_eq!(answer("/fine"), [Output::Respond(Response::text(200, "fine"))]);
    assert_eq!(answer("/silence"), []);
    assert_eq!(answer("/panic"), [Output::Close]);
}

#[test]
fn a_session_that_blocks_does_not_block_other_threads() {
    let frontend = Arc::new(faulty(json!({})).unwrap());
    let (sender, order) = mpsc::channel();
    let slow = frontend.open(&Peer::default());
    let slow_sender = sender.clone();
    let blocked = std::thread::spawn(move || {
        let mut slow = slow;
        slow_sender.send("blocking").unwrap();
        outputs(&mut *slow, Input::Text("block 1000"));
        slow_sender.send("slow").unwrap();
    });
    assert_eq!(order.recv(), Ok("blocking"));
    let mut quick = frontend.open(&Peer::default());
    outputs(&mut *quick, Input::Text("hello"));
    sender.send("quick").unwrap();
    assert_eq!((order.recv(), order.recv()), (Ok("quick"), Ok("slow")));
    blocked.join().unwrap();
}

#[test]
fn many_threads_may_use_one_front_end() {
    let frontend = faulty(json!({})).unwrap();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                for nth in 0..200 {
                    let mut session = frontend.open(&Peer::default());
                    let words = if nth % 2 == 0 { "return -1" } else { "hello" };
                    outputs(&mut *session, Input::Text(words));
                    frontend.broadcast(&event());
                }
            });
        }
    });
    assert_eq!(frontend.faults().panicked(), 800);
}

#[test]
fn an_inspection_has_the_plugins_own_manifest_and_documents() {
    let inspection = plugin_loader::inspect(&plugin_testkit::plugin("faulty")).unwrap();
    assert_eq!(inspection.manifest, *faulty(Value::Object(Map::new())).unwrap().manifest());
    assert_eq!((inspection.abi, inspection.absent), (1, vec![]));
    assert_eq!(inspection.manifest.dialect, "faulty");
    assert_eq!(inspection.documents[0].name, "words.txt");
}
