//! How it starts and how it ends: signals, exit codes, ports and stores that others have.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};

use gateway_tests::token::{HEARTBEAT, read, request};
use gateway_tests::{
    Channel, Gateway, Http, Launch, Ourchat, Raw, Talk, Token, UsrRoom, WebSocket,
};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;

const ALL: &str = "
    [[rooms]]
    name = \"TEST\"
    [frontends.token]
    [frontends.usr_room]
    [frontends.chatroom]
    [frontends.ourchat]
    tcp_listen = \"127.0.0.1:0\"
    [frontends.channel]
";

/// A gateway that does not lose its patience before the test does.
#[track_caller]
fn start() -> Gateway {
    Gateway::start(&format!("[server]\ndrain_timeout = \"25s\"\n{ALL}"))
}

/// A request whose head the gateway has read while it waits for the body.
struct InFlight {
    http: Http,
}

impl InFlight {
    #[track_caller]
    fn begin(gateway: &Gateway) -> Self {
        let address = gateway.address("channel", "listen");
        let mut raw = Raw::connect(address);
        raw.send(
            b"POST /login HTTP/1.1\r\nHost: t\r\nContent-Type: application/json\r\n\
              Content-Length: 2\r\nExpect: 100-continue\r\n\r\n",
        );
        let head = raw.receive_until(b"\r\n\r\n");
        assert_eq!(String::from_utf8_lossy(&head), "HTTP/1.1 100 Continue\r\n\r\n");
        Self { http: Http::over(raw.into_stream(), address) }
    }

    #[track_caller]
    fn finish(mut self) {
        self.http.send_bytes(b"{}").expect("it is waited for");
        let response = self.http.receive(false).expect("it is answered");
        assert_eq!(response.status, 200, "{response}");
        assert_eq!(response.header("connection"), Some("close"));
        assert_eq!(response.json()["msg"], "missing name");
        self.http.wait_for_end();
    }

    #[track_caller]
    fn given_up(mut self) {
        let received = self.http.receive(false);
        assert!(received.is_err(), "nothing was said that could be answered: {received:?}");
    }
}

#[track_caller]
fn wait_until_it_drains(gateway: &Gateway) {
    gateway.log().wait_for_line(&["draining; a second signal ends at once"]);
}

#[test]
fn sigterm_says_goodbye_in_each_dialect_and_exits_with_0() {
    let mut gateway = start();
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    let silent = WebSocket::connect(gateway.address("ourchat", "listen"));
    let mut lines = Raw::connect(gateway.address("ourchat", "tcp_listen"));
    lines.send(b"{\"code\":12}\n").receive_until(b"\n");
    let mut token = Token::connect(gateway.address("token", "listen"));
    token.login("o-tom");
    let mut idle = UsrRoom::connect(gateway.address("usr_room", "listen"));
    idle.done("/time", &json!({}));

    gateway.signal_term();
    let (texts, code) = ann.websocket.receive_close();
    assert_eq!((texts, code), (vec![], Some(CloseCode::Away)));
    let (texts, code) = silent.receive_close();
    assert_eq!((texts, code), (vec![], Some(CloseCode::Away)));
    let end = lines.receive_end();
    let last: Value = serde_json::from_slice(&end.bytes).expect("one line of JSON");
    assert_eq!(
        (&last["code"], &last["details"]),
        (&json!(18), &json!("the gateway is shutting down"))
    );
    let ended = token.try_receive().expect_err("there is no reply to give");
    assert_eq!(ended.kind(), ErrorKind::UnexpectedEof);
    // Else the gateway would wait a while for them to hang up too.
    drop((lines, token));
    idle.http.wait_for_end();
    assert_eq!(gateway.wait_for_exit(), 0);
    assert!(!gateway.log().text().contains("drain timeout reached"), "everyone was done");
}

#[test]
fn requests_read_before_sigterm_are_answered_before_the_close() {
    let mut gateway = start();
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    let in_flight = InFlight::begin(&gateway);
    let texts: Vec<_> = (0..50).map(|n| format!("message {n}")).collect();
    for text in &texts {
        ann.send("msg", "TEST", "ann", text);
    }
    // The pong says that everything before it was read, and not that it was answered.
    let mut heard = ann.websocket.ping();
    gateway.signal_term();
    wait_until_it_drains(&gateway);
    let (rest, code) = ann.websocket.receive_close();
    heard.extend(rest);
    let said = |text: &String| {
        let packet: Value = serde_json::from_str(text).expect("it is JSON");
        packet["data"]["msg"].as_str().map(String::from)
    };
    assert_eq!(heard.iter().filter_map(said).collect::<Vec<_>>(), texts);
    assert_eq!(code, Some(CloseCode::Away));
    in_flight.finish();
    assert_eq!(gateway.wait_for_exit(), 0);

    gateway.restart();
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    let stored: Vec<_> = bob.history("TEST").into_iter().map(|(_, text)| text).collect();
    assert_eq!(stored, texts);
}

#[test]
fn a_stream_ends_after_a_complete_reply() {
    let mut gateway = start();
    let mut ourchat = Raw::connect(gateway.address("ourchat", "tcp_listen"));
    ourchat.send(b"{\"code\":12}\n").receive_until(b"\n");
    let mut token = Raw::connect(gateway.address("token", "listen"));
    token.send(&request(HEARTBEAT, 0, b"")).receive(12);
    for sequence in 1..=50 {
        ourchat.send(b"{\"code\":12}\n");
        token.send(&request(HEARTBEAT, sequence, b""));
    }
    gateway.signal_term();

    let end = ourchat.receive_end();
    assert!(!end.reset);
    let answers = String::from_utf8(end.bytes).expect("it is UTF-8");
    let lines: Vec<_> = answers.strip_suffix('\n').expect("whole lines").lines().collect();
    let (last, answers) = lines.split_last().expect("the goodbye at least");
    assert!(answers.iter().all(|line| line.starts_with("{\"code\":12,")), "{answers:?}");
    assert!(last.starts_with("{\"code\":18,"), "{last}");

    let end = token.receive_end();
    assert!(!end.reset);
    let mut bytes = &end.bytes[..];
    let mut sequence = 0;
    while !bytes.is_empty() {
        let reply = read(&mut bytes).expect("whole frames");
        sequence += 1;
        assert_eq!((reply.sequence, reply.result), (sequence, Some(0)));
    }
    drop((ourchat, token));
    assert_eq!(gateway.wait_for_exit(), 0);
}

#[test]
fn while_draining_the_gateway_refuses_connections_and_is_not_ready() {
    let mut gateway = start();
    let in_flight = InFlight::begin(&gateway);
    gateway.signal_term();
    wait_until_it_drains(&gateway);
    let readiness = Http::connect(gateway.address("admin", "listen")).get("/readyz");
    assert_eq!((readiness.status, readiness.text()), (503, "draining\n"));
    for (frontend, key) in [("channel", "listen"), ("token", "listen"), ("ourchat", "listen")] {
        // Either the listener is closed, or the connection ends without a reply.
        if let Ok(mut raw) = Raw::try_connect(gateway.address(frontend, key)) {
            raw.send(b"GET / HTTP/1.1\r\nHost: t\r\n\r\n");
            assert_eq!(raw.receive_end().bytes, b"", "{frontend}");
        }
    }
    in_flight.finish();
    assert_eq!(gateway.wait_for_exit(), 0);
}

#[test]
fn a_second_sigterm_ends_it_at_once() {
    let mut gateway = start();
    let in_flight = InFlight::begin(&gateway);
    gateway.signal_term();
    wait_until_it_drains(&gateway);
    gateway.signal_term();
    assert_eq!(gateway.wait_for_exit(), 128 + 15);
    in_flight.given_up();
}

#[test]
fn connections_are_closed_at_the_drain_timeout() {
    let mut gateway = Gateway::start(&format!("[server]\ndrain_timeout = \"200ms\"\n{ALL}"));
    let in_flight = InFlight::begin(&gateway);
    assert_eq!(gateway.terminate(), 0);
    gateway.log().wait_for_line(&["drain timeout reached", "\"connections\":1"]);
    in_flight.given_up();
}

#[test]
fn sigint_drains_too() {
    let mut gateway = start();
    let websocket = WebSocket::connect(gateway.address("ourchat", "listen"));
    gateway.signal_int();
    assert_eq!(websocket.receive_close().1, Some(CloseCode::Away));
    assert_eq!(gateway.wait_for_exit(), 0);
}

#[test]
fn a_second_gateway_on_the_same_store_exits_with_1_and_names_it() {
    let gateway = start();
    let mut second = gateway.launch().clone().spawn();
    assert_eq!(second.wait_for_exit(), 1);
    let store = gateway.launch().folder().join("chat.redb");
    let said = second.log().text();
    assert!(said.contains(&store.display().to_string()), "{said}");
    assert!(said.contains("another process"), "{said}");
    Channel::enroll(gateway.address("channel", "listen"), "bob")
        .send("TEST", "the first serves on");
}

/// A port that is taken. The address is this test's own, so that no other test can take the port
/// when it is given back.
fn taken_port(address: &str) -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind((address, 0)).expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

#[test]
fn a_port_in_use_is_tried_again_while_the_other_front_ends_serve() {
    let (listener, taken) = taken_port("127.0.90.1");
    let toml = format!(
        "[[rooms]]\nname = \"TEST\"\n[frontends.chatroom]\n[frontends.channel]\nlisten = \"{taken}\""
    );
    let mut gateway = Launch::of(&toml).spawn();
    gateway.log().wait_for_line(&["cannot listen", "\"channel\"", &taken.to_string()]);
    let websocket = gateway.wait_for_listener("chatroom", "websocket_listen");
    let mut ann = Talk::connect(websocket);
    ann.join("TEST", "ann");
    let admin = gateway.wait_for_listener("admin", "listen");
    let readiness = Http::connect(admin).get("/readyz");
    assert_eq!((readiness.status, readiness.text()), (503, "not listening yet: channel\n"));

    drop(listener);
    assert_eq!(gateway.wait_for_listener("channel", "listen"), taken);
    let readiness = Http::connect(admin).get("/readyz");
    assert_eq!((readiness.status, readiness.text()), (200, "ready\n"));
    Channel::enroll(taken, "bob").send("TEST", "at last");
    let heard = ann.receive_until(|packet| packet["type"] == "msg");
    assert_eq!(heard["data"]["msg"], "at last");
}

#[test]
fn a_port_in_use_is_fatal_for_a_front_end_that_is_required() {
    let (_listener, taken) = taken_port("127.0.90.2");
    let toml =
        format!("[frontends.chatroom]\n[frontends.channel]\nrequired = true\nlisten = \"{taken}\"");
    let mut gateway = Launch::of(&toml).spawn();
    assert_eq!(gateway.wait_for_exit(), 1);
    let said = gateway.log().text();
    let why = format!("the front end channel is required and cannot listen on {taken}");
    assert!(said.contains(&why), "{said}");
}

#[test]
fn a_gateway_that_can_listen_nowhere_exits_with_1() {
    let (_listener, taken) = taken_port("127.0.90.3");
    let mut gateway = Launch::of(&format!("[frontends.channel]\nlisten = \"{taken}\"")).spawn();
    assert_eq!(gateway.wait_for_exit(), 1);
    let said = gateway.log().text();
    assert!(said.contains("no front end could listen"), "{said}");
}

#[test]
fn a_gateway_without_a_front_end_is_misconfigured() {
    for toml in ["", "[frontends.channel]\nenabled = false"] {
        let mut gateway = Launch::of(toml).spawn();
        assert_eq!(gateway.wait_for_exit(), 78);
        let said = gateway.log().text();
        assert!(said.contains("no front end is on"), "{said}");
    }
}

#[test]
fn after_a_kill_its_ports_are_free_at_once() {
    let toml = "[frontends.ourchat]\nlisten = \"127.0.90.4:0\"";
    let mut gateway = Gateway::start(toml);
    let address = gateway.address("ourchat", "listen");
    let mut client = Ourchat::websocket(address);
    client.call(&json!({"code": 12}));
    gateway.kill();
    let again = Launch::of(&format!("[frontends.ourchat]\nlisten = \"{address}\"")).start();
    assert_eq!(again.address("ourchat", "listen"), address);
    Ourchat::websocket(address).call(&json!({"code": 12}));
    drop(client);
}
