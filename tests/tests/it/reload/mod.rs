//! SIGHUP: what did not change keeps its connections, and nothing that was acknowledged is lost.

use std::collections::BTreeSet;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::mpsc;
use std::thread;

use gateway_tests::token::{HEARTBEAT, request};
use gateway_tests::{
    Channel, Chatroom, Gateway, Http, Launch, Ourchat, Raw, Talk, Token, UsrRoom, WebSocket,
    try_connect,
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

mod addresses;
mod load;

const ROOM: &str = "[[rooms]]\nname = \"TEST\"\n";

/// Five dialects, chatroom with these lines.
fn all(chatroom: &str) -> String {
    format!(
        "[server]\ndrain_timeout = \"25s\"\n{ROOM}[frontends.token]\n[frontends.usr_room]\n\
         [frontends.chatroom]\n{chatroom}\n[frontends.ourchat]\ntcp_listen = \"127.0.0.1:0\"\n\
         [frontends.channel]\n"
    )
}

/// The value of a metric.
#[track_caller]
fn metric(gateway: &Gateway, name: &str) -> Option<String> {
    let metrics = Http::connect(gateway.address("admin", "listen")).get("/metrics");
    let value = |line: &str| line.strip_prefix(name)?.strip_prefix(' ').map(str::to_owned);
    metrics.text().lines().find_map(value)
}

#[track_caller]
fn readiness(gateway: &Gateway) -> String {
    let readiness = Http::connect(gateway.address("admin", "listen")).get("/readyz");
    format!("{} {}", readiness.status, readiness.text())
}

/// An address that is free, and no other test's.
fn free_address(ip: &str) -> SocketAddr {
    let listener = TcpListener::bind((ip, 0)).expect("a port is free");
    listener.local_addr().expect("it is bound")
}

/// A port that is free on every address of this machine. It is outside the range of ephemeral ports,
/// so no other test gets it meanwhile.
fn port_free_everywhere() -> u16 {
    let is_free = |port: &u16| TcpListener::bind(("0.0.0.0", *port)).is_ok();
    (20_000..30_000).find(is_free).expect("a port is free")
}

fn said(packet: &Value) -> Option<&str> {
    (packet["type"] == "msg").then(|| packet["data"]["msg"].as_str().expect("it is a string"))
}

/// What is heard up to and including `last`.
#[track_caller]
fn receive_until(talk: &mut Talk, last: &str) -> Vec<String> {
    let mut heard = Vec::new();
    while heard.last().is_none_or(|text| text != last) {
        heard.extend(said(&talk.receive()).map(str::to_owned));
    }
    heard
}

#[test]
fn an_unchanged_front_end_keeps_its_connections_and_the_order_of_messages() {
    let mut gateway = Gateway::start(&all(""));
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    let mut token = Token::connect(gateway.address("token", "listen"));
    token.login("o-tom");
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    let ourchat = WebSocket::connect(gateway.address("ourchat", "listen"));

    let poster = thread::spawn(move || {
        let texts: Vec<_> = (0..200).map(|n| format!("message {n}")).collect();
        texts.iter().for_each(|text| bob.send("TEST", text));
        (bob, texts)
    });
    // One front end goes, one is made anew, and one stays on other terms.
    let without = all("").replace("[frontends.usr_room]\n", "");
    let changed = without
        .replace("tcp_listen = \"127.0.0.1:0\"", "backlog = 7")
        .replace("[frontends.channel]\n", "[frontends.channel]\nroom_capacity = 7\n");
    gateway.reload(&changed);
    assert_eq!(ourchat.receive_close().1, Some(CloseCode::Away), "it was made anew");
    gateway.reload(&all(""));

    let (mut bob, texts) = poster.join().expect("every message was taken");
    bob.send("TEST", "the last");
    let heard = receive_until(&mut ann, "the last");
    assert_eq!(heard[..texts.len()], texts);
    ann.say("TEST", "ann", "I am still here");
    token.done(HEARTBEAT, b"");
    let posted = bob.history("TEST").len();
    assert_eq!(posted, texts.len() + 2);
    assert_eq!(readiness(&gateway), "200 ready\n");
    UsrRoom::connect(gateway.wait_for_listener("usr_room", "listen")).done("/time", &json!({}));
}

#[test]
fn a_disabled_front_end_closes_its_connections_and_the_others_continue() {
    let mut gateway = Gateway::start(&all(""));
    let address = |frontend, key| gateway.address(frontend, key);
    let mut ann = Talk::connect(address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    let mut lines = Raw::connect(address("ourchat", "tcp_listen"));
    lines.send(b"{\"code\":12}\n").receive_until(b"\n");
    let mut idle = UsrRoom::connect(address("usr_room", "listen"));
    idle.done("/time", &json!({}));
    let mut tom = Token::connect(address("token", "listen"));
    tom.login("o-tom");
    let mut token = Raw::connect(address("token", "listen"));
    token.send(&request(HEARTBEAT, 1, b"")).receive(12);
    let mut bob = Channel::enroll(address("channel", "listen"), "bob");
    bob.send("TEST", "hello");
    let gone = [("chatroom", "listen"), ("usr_room", "listen"), ("token", "listen")];
    let gone = gone.map(|(frontend, key)| address(frontend, key));

    gateway.reload(&format!("{ROOM}[frontends.channel]\n[frontends.token]\nenabled = false"));
    let (texts, code) = ann.websocket.receive_close();
    assert!(texts.last().is_some_and(|text| text.contains("hello")), "{texts:?}");
    assert_eq!(code, Some(CloseCode::Away));
    let last = String::from_utf8(lines.receive_end().bytes).expect("it is UTF-8");
    assert!(last.starts_with("{\"code\":18,"), "{last}");
    assert_eq!(token.receive_end().bytes, b"");
    let ended = tom.try_receive().expect_err("there is no reply to give");
    assert_eq!(ended.kind(), ErrorKind::UnexpectedEof);
    idle.http.wait_for_end();
    drop((lines, token, tom));
    for frontend in ["chatroom", "ourchat", "usr_room", "token"] {
        let quoted = format!("\"{frontend}\"");
        gateway.log().wait_for_line(&["disabled; draining its connections", &quoted]);
        gateway.log().wait_for_line(&["\"drained\"", &quoted]);
        let listening = format!("dragoman_listening{{frontend={quoted}}}");
        assert_eq!(metric(&gateway, &listening), None);
    }
    for address in gone {
        assert!(try_connect(address).is_err(), "{address} is still open");
    }
    assert_eq!(bob.history("TEST"), [("bob".into(), "hello".into())]);
    let members = bob.done("/channel/list_users", &json!({"name": "TEST"}));
    assert_eq!(members.to_string().matches("ann").count(), 0, "{members}");
    assert_eq!(readiness(&gateway), "200 ready\n");
    assert_eq!(gateway.terminate(), 0);
}

#[test]
fn a_disabled_front_end_gives_back_its_seats() {
    let toml = format!("{ROOM}[frontends.token]\n[frontends.chatroom]\n");
    let mut gateway = Gateway::start(&toml);
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    let mut tom = Token::connect(gateway.address("token", "listen"));
    tom.login("o-tom");
    tom.enter(1);
    ann.receive_until(|packet| packet["data"]["msg"] == "join");
    gateway.reload(&format!("{ROOM}[frontends.chatroom]\n"));
    let left = ann.receive_until(|packet| packet["data"]["msg"] == "leave");
    assert_eq!(left["type"], "user", "{left}");
    let mut rooms = Chatroom::connect(gateway.address("chatroom", "listen"));
    assert_eq!(rooms.get("/chatroom/list", &[])["rooms"][0]["population"], 1);
}

#[test]
fn an_enabled_front_end_starts() {
    let mut gateway = Gateway::start(&format!("{ROOM}[frontends.channel]\n"));
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    gateway.reload(&format!("{ROOM}[frontends.channel]\n[frontends.chatroom]\n"));
    gateway.log().wait_for_line(&["\"enabled\"", "\"chatroom\""]);
    let mut ann = Talk::connect(gateway.wait_for_listener("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    bob.send("TEST", "hello ann");
    assert_eq!(receive_until(&mut ann, "hello ann").len(), 1);
    let address = gateway.wait_for_listener("chatroom", "listen").to_string();
    gateway.log().wait_for_line(&["try: ", &address]);
    assert_eq!(metric(&gateway, "dragoman_listening{frontend=\"chatroom\"}"), Some("1".into()));
}

#[test]
fn an_invalid_configuration_changes_nothing_and_all_errors_are_logged() {
    let mut gateway = Gateway::start(&all(""));
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    for wrong in [
        "[frontends.channel]\nhistori = 1\n[frontends.token]\nlisten = \"here\"\n",
        "[frontends.channel",
        "",
    ] {
        gateway.reload_wrong(wrong);
        ann.say("TEST", "ann", "still here");
    }
    for problem in [
        "gateway.toml:2: unknown key frontends.channel.histori; did you mean history?",
        "gateway.toml:4: frontends.token.listen = \\\"here\\\": expected an IP address and a port",
        "gateway.toml:1: not TOML",
        "no front end is on",
    ] {
        gateway.log().wait_for_line(&["ERROR", problem]);
    }
    let refused = "dragoman_reloads_total{result=\"refused\"}";
    assert_eq!(metric(&gateway, refused), Some("3".into()));
    assert_eq!(metric(&gateway, "dragoman_last_reload_successful"), Some("0".into()));
    gateway.reload(&all(""));
    assert_eq!(metric(&gateway, "dragoman_last_reload_successful"), Some("1".into()));
    let applied = "dragoman_reloads_total{result=\"applied\"}";
    assert_eq!(metric(&gateway, applied), Some("1".into()));
    let at = metric(&gateway, "dragoman_last_reload_timestamp_seconds").expect("there was one");
    assert!(at.parse::<f64>().is_ok_and(|secs| secs > 1.7e9), "{at}");
}

#[test]
fn a_closed_group_in_auto_join_is_an_error_of_a_reload_as_of_a_start() {
    let mut gateway = Gateway::start(&all(""));
    let ourchat = || Ourchat::websocket(gateway.address("ourchat", "listen"));
    let bob = ourchat().enroll("bob");
    let mut ann = ourchat();
    ann.enroll("ann");
    let made = ann.call(&json!({"code": 8, "members": [bob], "name": "den"}));
    let name = format!("den#{}", made["group_id"]);
    let joining = all(&format!("auto_join = [\"{name}\"]"));
    gateway.reload(&joining);
    gateway.log().wait_for_line(&["ERROR", "auto_join", &name, "the next start will fail"]);
    assert_eq!(metric(&gateway, "dragoman_last_reload_successful"), Some("0".into()));
    gateway.reload(&all(""));
    assert_eq!(metric(&gateway, "dragoman_last_reload_successful"), Some("1".into()));
}

#[test]
fn clients_that_connect_while_a_front_end_is_replaced_are_served() {
    let toml = |guests| format!("{ROOM}[frontends.chatroom]\nguests = {guests}\n");
    let mut gateway = Gateway::start(&toml(true));
    let address = gateway.address("chatroom", "listen");
    let websocket = gateway.address("chatroom", "websocket_listen");
    let mut ann = Talk::connect(websocket);
    ann.join("TEST", "ann");
    let over = AtomicBool::new(false);
    let asked = AtomicU32::new(0);
    thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let listed = Chatroom::connect(address).get("/chatroom/list", &[]);
                assert_eq!(listed["rooms"][0]["name"], "TEST");
                asked.fetch_add(1, Ordering::Relaxed);
            }
        });
        for nth in 0..20 {
            gateway.reload(&toml(nth % 2 == 1));
        }
        over.store(true, Ordering::Relaxed);
    });
    assert!(asked.load(Ordering::Relaxed) > 0);
    let (_, code) = ann.websocket.receive_close();
    assert_eq!(code, Some(CloseCode::Away), "other rules hold");
    assert_eq!(gateway.address("chatroom", "websocket_listen"), websocket);
    gateway.reload(&toml(false));
    let mut eve = Talk::connect(websocket);
    eve.send("join", "TEST", "eve", "");
    assert_eq!(eve.receive()["data"]["msg"], "not signed in");
}

#[test]
fn changed_limits_apply_to_new_connections_and_to_the_next_request() {
    let toml = |channel: &str, chatroom: &str| {
        format!("{ROOM}[frontends.channel]\n{channel}\n[frontends.chatroom]\n{chatroom}\n")
    };
    let mut gateway = Gateway::start(&toml("", ""));
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    let address = gateway.address("chatroom", "websocket_listen");
    let mut ann = Talk::connect(address);
    ann.join("TEST", "ann");
    gateway.reload(&toml("api_keys = [\"k\"]", "message_bytes_max = 200"));
    for words in ["api_keys", "message_bytes_max"] {
        gateway.log().wait_for_line(&["changed for new connections", words]);
    }
    let body = json!({"name": "TEST", "message": "x"});
    let refused = bob.try_call("/channel/send", &body, &[]).expect("it is answered");
    assert_eq!(refused.status, 401, "{refused}");
    let sent = bob.try_call("/channel/send", &body, &[("X-Api-Key", "k")]).expect("answered");
    assert_eq!(sent.status, 200, "{sent}");
    let long = "a".repeat(300);
    ann.say("TEST", "ann", &long);
    let mut eve = WebSocket::connect(address);
    eve.send(&long);
    assert_eq!(eve.receive_close().1, Some(CloseCode::Size));
    assert_eq!(metric(&gateway, "dragoman_reloads_total{result=\"applied\"}"), Some("1".into()));
}

#[test]
fn other_sections_are_applied_or_reported_as_needing_a_restart() {
    let section = |server: &str, rooms: &str| {
        format!("[server]\n{server}\n{rooms}[frontends.channel]\n[frontends.chatroom]\n")
    };
    let mut gateway = Gateway::start(&section("", ROOM));
    let mut http = Http::connect(gateway.address("channel", "listen"));
    let document = "/.well-known/dragoman/channel/";
    assert_eq!(http.get(document).status, 200);
    let more = format!("{ROOM}[[rooms]]\nname = \"MORE\"\n");
    let server = "well_known = false\nthreads = 7\nlog = { filter = \"info,dragoman=debug\" }";
    gateway.reload(&format!("{}\n[store]\nqueue_max = 7\n", section(server, &more)));
    assert_eq!(http.get(document).status, 404);
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("MORE", "ann");
    for key in ["server.well_known", "server.log.filter"] {
        gateway.log().wait_for_line(&["\"changed\"", key]);
    }
    for key in ["server.threads", "store.queue_max"] {
        gateway.log().wait_for_line(&["WARN", "takes effect at the next start", key]);
    }
}

#[test]
fn connections_of_a_disabled_front_end_are_closed_at_the_drain_timeout() {
    let toml = |frontends| format!("[server]\ndrain_timeout = \"200ms\"\n{ROOM}{frontends}");
    let both = toml("[frontends.channel]\n[frontends.chatroom]\n");
    let mut gateway = Gateway::start(&both);
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    let mut raw = Raw::connect(gateway.address("channel", "listen"));
    raw.send(
        b"POST /login HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n\
          Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    raw.receive_until(b"\r\n\r\n");
    gateway.reload(&toml("[frontends.chatroom]\n"));
    assert_eq!(raw.receive_end().bytes, b"", "nothing was said that could be answered");
    gateway.log().wait_for_line(&["WARN", "drain timeout reached", "\"channel\""]);
    gateway.log().wait_for_line(&["\"drained\"", "\"channel\""]);
    ann.say("TEST", "ann", "still here");
    gateway.reload(&both);
    Channel::enroll(gateway.wait_for_listener("channel", "listen"), "bob").send("TEST", "again");
    assert_eq!(receive_until(&mut ann, "again").len(), 1);
}

#[test]
fn a_reload_works_on_one_thread() {
    let toml = |history| {
        format!("[server]\nthreads = 1\n{ROOM}[frontends.channel]\nhistory = {history}\n")
            + "[frontends.chatroom]\n"
    };
    let mut gateway = Gateway::start(&toml(100));
    let address = gateway.address("channel", "listen");
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    for history in 1..10 {
        gateway.reload(&toml(history));
        Channel::connect(address).call("/login", &json!({"name": "bob", "password": "x"}));
        ann.say("TEST", "ann", &format!("message {history}"));
    }
    wait_until_all_are_drained(&gateway);
}

#[test]
fn a_hangup_signal_while_draining_does_not_end_the_gateway() {
    let mut gateway = Gateway::start(&all(""));
    let mut raw = Raw::connect(gateway.address("channel", "listen"));
    raw.send(
        b"POST /login HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n\
          Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
    );
    raw.receive_until(b"\r\n\r\n");
    gateway.signal_term();
    gateway.log().wait_for_line(&["draining; a second signal ends at once"]);
    gateway.signal_hup();
    raw.send(b"{}");
    let end = raw.receive_end();
    assert!(String::from_utf8_lossy(&end.bytes).contains("missing name"));
    assert_eq!(gateway.wait_for_exit(), 0);
}

/// Everything of a front end is gone when it is drained.
#[track_caller]
fn wait_until_all_are_drained(gateway: &Gateway) {
    gateway.log().wait_for("as many ends as beginnings", |lines| {
        let count = |words: &str| lines.iter().filter(|line| line.contains(words)).count();
        let leave = count("draining its connections");
        (leave > 0 && leave == count("\"drained\"")).then_some(())
    });
}

#[test]
fn the_command_line_and_the_environment_override_the_file() {
    let launch = Launch::of(&format!("{ROOM}[frontends.channel]\n[frontends.chatroom]\n"))
        .with_setting("frontends.ourchat.listen=127.0.0.1:0")
        .with_environment("DRAGOMAN_FRONTENDS__CHATROOM__GUESTS", "false");
    let mut gateway = launch.start();
    let ourchat = gateway.wait_for_listener("ourchat", "listen");
    let mut dan = Ourchat::websocket(ourchat);
    gateway.reload(&format!("{ROOM}[frontends.chatroom]\nguests = true\n"));
    dan.call(&json!({"code": 12}));
    let mut eve = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    eve.send("join", "TEST", "eve", "");
    assert_eq!(eve.receive()["data"]["msg"], "not signed in");
}
