//! Faults of plugins.

use std::io::{self, BufRead};
use std::net::{TcpListener, TcpStream};

use plugin_testkit::plugin;
use serde_json::json;
use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

use super::*;

#[test]
fn every_kind_of_fault_costs_one_session() {
    let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    let mut bystander = gateway.lines();
    assert_eq!(bystander.ask("hello"), "fine\n");
    let malformed = ["emit 99 x", "emit-bytes", "emit-nonsense", "return 7", "flood 8 70000 0"];
    for line in ["panic", "panic"].iter().chain(&malformed) {
        assert_eq!(gateway.lines().ask(line), "", "{line}");
        assert_eq!(bystander.ask("hello"), "fine\n", "after {line}");
    }
    assert_eq!(gateway.get("faulty.http_listen", "/fine"), (200, "fine".into()));
    assert_eq!(gateway.get("faulty.http_listen", "/panic").0, 503);
    assert_eq!(gateway.get("faulty.http_listen", "/silence").0, 503);
    gateway.assert_others_are_served();
    let faults = |kind| format!("plugin_faults_total{{frontend=\"faulty\",kind=\"{kind}\"}}");
    let counted = ["panicked", "malformed", "silent"].map(|kind| gateway.metric(&faults(kind)));
    assert_eq!(counted, [3, malformed.len() as u64, 1]);
    assert_eq!(gateway.metric("panics_total{frontend=\"faulty\"}"), 4 + malformed.len() as u64);
    assert_eq!(gateway.metric("listening{frontend=\"faulty\"}"), 1);
    // Each kind is spoken of once.
    let name = format!("plugin faulty ({})", plugin("faulty").display());
    for (first, last) in [
        (" failed in session_handle: panicked", "as asked"),
        (" broke the contract in session_handle: it emitted 99, ", ""),
        (": a request was left without a response", ""),
    ] {
        let complaint = gateway.complaint();
        assert!(complaint.starts_with(&format!("{name}{first}")), "{complaint}");
        assert!(complaint.ends_with(last), "{complaint}");
    }
}

#[test]
fn a_fault_in_any_function_leaves_the_others_served_and_the_gateway_drains() {
    for option in [
        "panic_in = \"session_open\"",
        "malformed_in = \"session_open\"",
        "panic_in = \"frontend_fault\"",
        "malformed_in = \"frontend_fault\"",
        "panic_in = \"session_free\"",
        "panic_in = \"frontend_free\"",
    ] {
        let gateway = Gateway::start(&format!("{BESIDE}{}", faulty(option)), 4);
        let said = gateway.lines().ask("hello");
        assert_eq!(said, if option.contains("session_open") { "" } else { "fine\n" }, "{option}");
        let status = gateway.get("faulty.http_listen", "/silence").0;
        assert_eq!(status, 503, "{option}");
        gateway.assert_others_are_served();
        assert_eq!(gateway.running.end().code(), Some(0), "{option}");
    }
}

/// Makes the plugin submit commands; the last one causes an event for its own connection.
fn make_a_room(lines: &mut Lines) {
    for command in [
        json!({ "command": { "do": "register", "user": { "handle": "ann", "insist": true } } }),
        json!({
            "command": {
                "do": "sign_in",
                "user": { "handle": "ann" },
                "credential": "vouched",
                "session": true,
            },
            "follow": "user",
        }),
        json!({
            "command": {
                "do": "create_room",
                "room": { "name": "tea", "insist": true },
                "owner": "session",
            },
        }),
    ] {
        lines.send(&format!("emit 1 {command}"));
    }
}

/// Outputs that are well-formed, but that no dialect emits.
fn extreme_outputs() -> Vec<String> {
    let long = "a".repeat(70_000);
    let room = json!({ "name": "tea" });
    let users = [
        json!({ "handle": format!("guest:{long}") }),
        json!({ "handle": long }),
        json!({ "handle": "guest:\u{0}" }),
        json!({ "identity": long }),
        json!({ "claim": { "name": long, "guests": true } }),
        json!({ "claim": { "name": "a", "address": long, "guests": true } }),
        json!({ "id": u64::MAX }),
    ];
    let call = |command: serde_json::Value| format!("emit 1 {}", json!({ "command": command }));
    let mut outputs = vec![
        format!("emit 7 {}", u64::MAX),
        "emit 7 0".into(),
        call(json!({ "do": "create_room", "room": { "name": long, "capacity": u32::MAX } })),
        call(json!({ "do": "join", "room": { "name": long }, "user": users[4] })),
    ];
    for user in users {
        outputs.extend([
            call(json!({ "do": "enter", "room": room, "user": user, "seat": "connection" })),
            call(json!({
                "do": "post", "room": room, "author": user, "text": "hello", "standing": "seated",
            })),
            call(json!({ "do": "join", "room": room, "user": user })),
            call(json!({
                "do": "receive", "user": user, "limit": u32::MAX, "first_limit": u32::MAX,
            })),
            call(json!({
                "do": "sign_in", "user": user, "credential": "vouched",
                "create": { "handle": long, "identities": [long] },
                "delivery": { "backlog_max": u32::MAX },
            })),
            format!(
                "emit 2 {}",
                json!({
                    "ask": "history", "room": room, "caller": user, "limit": u32::MAX,
                })
            ),
        ]);
    }
    outputs
}

#[test]
fn extreme_outputs_of_a_plugin_do_not_stop_the_engine() {
    let gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    let mut owner = gateway.lines();
    make_a_room(&mut owner);
    assert_eq!(owner.receive(), "news\n");
    for output in extreme_outputs() {
        let mut lines = gateway.lines();
        lines.send(&output);
        let shown: String = output.chars().take(200).collect();
        let said = lines.ask("hello");
        assert!(["fine\n", "news\n", ""].contains(&&*said), "{said:?} after {shown}");
        gateway.assert_others_are_served();
        assert_eq!(gateway.get("admin.listen", "/readyz").0, 200, "after {shown}");
    }
    // The engine still writes.
    let form = "name=eve&password=secret&password_repete=secret";
    let (status, body) =
        http(gateway.address("channel.listen"), "POST", "/register", form).unwrap();
    assert_eq!((status, body.contains("\"code\":0")), (200, true), "{body}");
}

#[test]
fn an_event_that_a_plugin_cannot_encode_is_lost_for_its_own_connections_only() {
    let gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    let mut ann = gateway.lines();
    make_a_room(&mut ann);
    assert_eq!(ann.receive(), "news\n");
    for option in ["panic_in", "malformed_in"] {
        let option = format!("{option} = \"frontend_broadcast\"");
        let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty(&option)), 4);
        let mut ann = gateway.lines();
        make_a_room(&mut ann);
        let complaint = gateway.complaint();
        assert!(complaint.contains(" in frontend_broadcast: "), "{complaint}");
        assert_eq!(ann.ask("hello"), "fine\n");
        gateway.assert_others_are_served();
        assert_message_is_counted_as_a_fault(&gateway, &mut ann);
    }
}

fn assert_message_is_counted_as_a_fault(gateway: &Gateway, ann: &mut Lines) {
    let command = json!({
        "do": "post", "room": { "name": "tea" }, "author": "session", "text": "hello",
        "standing": "member",
    });
    ann.send(&format!("emit 1 {}", json!({ "command": command })));
    assert_eq!(ann.ask("hello"), "fine\n");
    // The second is answered in a later turn of the hub than the message was delivered in.
    for name in ["eve", "zoe"] {
        let form = format!("name={name}&password=secret&password_repete=secret");
        http(gateway.address("channel.listen"), "POST", "/register", &form).unwrap();
    }
    let labels = "frontend=\"faulty\",room=\"public\"";
    let fault = format!("deliveries_total{{{labels},outcome=\"fault\"}}");
    let counted = [
        format!("messages_posted_total{{{labels}}}"),
        format!("deliveries_owed_total{{{labels},source=\"live\"}}"),
        fault,
    ];
    assert_eq!(counted.map(|name| gateway.metric(&name)), [1, 1, 1]);
    assert_eq!(gateway.metric("ledger_mismatch{frontend=\"faulty\"}"), 0);
    let admin = format!("admin.listen={}", gateway.address("admin.listen"));
    let shown = run(gateway.folder.path(), &["ledger", "--set", &admin]);
    let table = "front end  room    posted  live  fault\nfaulty     public  1       1     1\n";
    assert!(shown.contains(table), "{shown}");
    let json = run(gateway.folder.path(), &["ledger", "--json", "--set", &admin]);
    assert!(json.contains(r#"{"frontend":"faulty","mismatch":0,"rooms":{"direct":{"#), "{json}");
}

#[test]
fn a_plugin_that_fails_again_and_again_is_taken_down_alone() {
    let mut gateway = Gateway::start(&format!("{BESIDE}{}", faulty("")), 4);
    let mut bystander = gateway.lines();
    assert_eq!(bystander.ask("hello"), "fine\n");
    for _ in 0..31 {
        assert_eq!(gateway.lines().ask("panic"), "");
    }
    assert_eq!(bystander.receive(), "", "it is drained");
    assert_eq!(gateway.metric("listening{frontend=\"faulty\"}"), 0);
    assert_eq!(gateway.metric("listening{frontend=\"channel\"}"), 1);
    gateway.assert_others_are_served();
    let (status, ready) = gateway.get("admin.listen", "/readyz");
    let why = ready.strip_prefix("ready\nfaulty is down: ").expect(&ready).trim_end();
    let last = format!("the last: plugin faulty ({}) failed in", plugin("faulty").display());
    let expected = format!("more than 30 faults within 60 s, {last} session_handle: panicked");
    assert!(status == 200 && why.starts_with(&expected) && why.ends_with("as asked"), "{why}");
    let listed = dialects_of(&gateway);
    assert!(listed.contains("faulty    down  "), "{listed}");
    assert!(listed.contains(&format!("\nfaulty is down: {why}\n")), "{listed}");
    assert!(gateway.complaint().contains("failed in session_handle"));
    let until =
        "until its section or its plugin changes, an operator enables it, or the gateway restarts";
    assert_eq!(gateway.complaint(), format!("taken down {until}: {why}"));
    for listener in ["faulty.listen", "faulty.http_listen"] {
        // Refused; or hung up on, by a listener that is about to close.
        let answer = http(gateway.address(listener), "GET", "/fine", "");
        assert!(!matches!(&answer, Ok((200, _))), "{listener}: {answer:?}");
    }
}

#[test]
fn a_websocket_whose_session_failed_is_closed_with_a_server_error() {
    for how in ["panic", "return 7", "emit 99 x"] {
        let toml = faulty("websocket_listen = \"127.0.0.1:0\"");
        let gateway = Gateway::start(&toml, 3);
        let address = gateway.address("faulty.websocket_listen");
        let stream = TcpStream::connect(address).unwrap();
        let (mut peer, _) = tungstenite::client(format!("ws://{address}/"), stream).unwrap();
        peer.send(Message::text("hello")).unwrap();
        assert_eq!(peer.read().unwrap(), Message::text("fine"));
        peer.send(Message::text(how)).unwrap();
        match peer.read().unwrap() {
            Message::Close(Some(close)) => assert_eq!(close.code, CloseCode::Error, "{how}"),
            other => panic!("{how}: {other:?}"),
        }
    }
}

#[test]
fn on_a_shared_address_the_other_front_end_goes_on_after_one_is_taken_down() {
    // A port that is free, on an address that no other test listens on.
    let free = TcpListener::bind("127.0.0.79:0").and_then(|free| free.local_addr()).unwrap();
    let toml = format!(
        "[admin]\nlisten = \"127.0.0.1:0\"\n[frontends.channel]\nlisten = \"{free}\"\n{}",
        section("faulty", &format!("http_listen = \"{free}\"\nlisten = \"127.0.0.1:0\""))
    );
    let gateway = Gateway::start(&toml, 4);
    assert_eq!(gateway.get("faulty.http_listen", "/fine"), (200, "fine".into()));
    for _ in 0..31 {
        assert_eq!(gateway.get("faulty.http_listen", "/panic").0, 503);
    }
    let down = (503, "faulty".into());
    assert_eq!(gateway.get("faulty.http_listen", "/fine"), down, "in the dialect's form");
    gateway.assert_others_are_served();
    let listed = dialects_of(&gateway);
    assert!(listed.contains("\nfaulty is down: more than 30 faults within 60 s, "), "{listed}");
    assert!(listed.contains("channel   on  "), "{listed}");
}

#[test]
fn a_plugin_that_blocks_does_not_delay_others() {
    block_and_serve_others(2);
}

#[test]
fn a_plugin_that_blocks_does_not_delay_others_even_on_one_thread() {
    block_and_serve_others(1);
}

/// With more sessions that block than there are threads.
fn block_and_serve_others(threads: usize) {
    let toml = format!("[server]\nthreads = {threads}\n{BESIDE}{}", faulty(""));
    let gateway = Gateway::start(&toml, 4);
    let mut blocked: Vec<Lines> = (0..=threads).map(|_| gateway.lines()).collect();
    for slow in &mut blocked {
        assert_eq!(slow.ask("hello"), "fine\n");
    }
    blocked.iter_mut().for_each(|slow| slow.send("block 4000"));
    gateway.assert_others_are_served();
    assert_eq!(gateway.lines().ask("hello"), "fine\n");
    for slow in &mut blocked {
        slow.0.get_ref().set_nonblocking(true).unwrap();
        let early = slow.0.fill_buf().map(<[u8]>::len).map_err(|error| error.kind());
        assert_eq!(early, Err(io::ErrorKind::WouldBlock), "it was no longer blocking");
        slow.0.get_ref().set_nonblocking(false).unwrap();
    }
    for slow in &mut blocked {
        assert_eq!(slow.receive(), "fine\n");
    }
}
