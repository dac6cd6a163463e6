//! A message that was acknowledged to its sender reaches the recipient, however the recipient's
//! connection was lost.

use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use gateway_tests::{Gateway, Irc, Ourchat, Tunnel};
use serde_json::{Value, json};
use socket2::SockRef;

const TOML: &str = "
    [server.log]
    format = \"json\"
    [frontends.ourchat]
    tcp_listen = \"127.0.0.1:0\"
    messages_per_s = 0
    bytes_per_s = 0
    requests_per_s = 0
    [frontends.irc]
    messages_per_s = 0
    bytes_per_s = 0
    requests_per_s = 0
";

/// The transports of ourchat.
const TRANSPORTS: [Transport; 2] = [Transport::WebSocket, Transport::Lines];

#[derive(Clone, Copy, Debug)]
enum Transport {
    WebSocket,
    Lines,
}

impl Transport {
    fn address(self, gateway: &Gateway) -> std::net::SocketAddr {
        match self {
            Self::WebSocket => gateway.address("ourchat", "listen"),
            Self::Lines => gateway.address("ourchat", "tcp_listen"),
        }
    }

    fn connect(self, gateway: &Gateway) -> Ourchat {
        self.connect_to(self.address(gateway))
    }

    fn connect_to(self, address: std::net::SocketAddr) -> Ourchat {
        match self {
            Self::WebSocket => Ourchat::websocket(address),
            Self::Lines => Ourchat::lines(address),
        }
    }
}

/// Ann sends to bob while he is away.
struct Scene {
    gateway: Gateway,
    transport: Transport,
    ann: Ourchat,
    ann_ocid: u64,
    bob_ocid: u64,
}

impl Scene {
    fn open(transport: Transport) -> Self {
        Self::within(transport, TOML)
    }

    fn within(transport: Transport, toml: &str) -> Self {
        let gateway = Gateway::start(toml);
        let mut bob = transport.connect(&gateway);
        let bob_ocid = bob.enroll("bob");
        leave(bob);
        let mut ann = transport.connect(&gateway);
        let ann_ocid = ann.enroll("ann");
        Self { gateway, transport, ann, ann_ocid, bob_ocid }
    }

    fn bob(&self) -> Ourchat {
        let mut bob = self.transport.connect(&self.gateway);
        bob.login("bob@example.org", "pw");
        bob
    }

    /// Sends these to bob, and waits until each is acknowledged.
    #[track_caller]
    fn send(&mut self, numbers: std::ops::Range<u64>) {
        let sender = json!({"ocid": self.ann_ocid, "private_id": self.bob_ocid});
        for number in numbers.clone() {
            self.ann.send(&json!({"code": 0, "sender": sender, "msg": text(number)}));
        }
        for number in numbers {
            assert_eq!(self.ann.receive()["msg"], text(number));
        }
    }

    /// Asserts that bob gets just these, in this order: what comes next is the answer to a request.
    #[track_caller]
    fn check(&self, bob: &mut Ourchat, numbers: std::ops::Range<u64>) {
        bob.send(&json!({"code": 12}));
        let mut received: Vec<Value> = Vec::new();
        let mut next = bob.receive();
        while next["code"] == 0 {
            received.push(next["msg"].take());
            next = bob.receive();
        }
        let expected: Vec<Value> = numbers.map(|number| text(number).into()).collect();
        assert_eq!(received, expected, "over {:?}", self.transport);
    }

    /// The same for a bob who logs in now.
    #[track_caller]
    fn check_login(&self, numbers: std::ops::Range<u64>) -> Ourchat {
        let mut bob = self.bob();
        self.check(&mut bob, numbers);
        bob
    }
}

fn text(number: u64) -> String {
    format!("message {number}")
}

/// Waits until something has arrived that was not read.
#[track_caller]
fn wait_for_bytes(stream: &TcpStream) {
    assert_ne!(stream.peek(&mut [0]).expect("the gateway sends"), 0);
}

/// Has the connection reset when it is dropped.
fn reset(stream: &TcpStream) {
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("it is open");
}

/// Ends a connection in order, after reading everything, and waits until the gateway has noticed.
pub(super) fn leave(mut client: Ourchat) {
    let stream = client.stream();
    stream.shutdown(Shutdown::Write).expect("it is open");
    drop(std::io::copy(stream, &mut std::io::sink()));
}

pub(super) fn received(bob: &mut Ourchat) -> Vec<Value> {
    bob.send(&json!({"code": 12}));
    let mut received = Vec::new();
    loop {
        match bob.receive() {
            status if status["code"] == 12 => return received,
            other => received.push(other),
        }
    }
}

pub(super) fn texts(messages: &[Value]) -> Vec<String> {
    messages.iter().map(|message| message["msg"].as_str().unwrap_or_default().into()).collect()
}

#[test]
fn nothing_is_lost_if_the_connection_is_reset_before_the_backlog_is_read() {
    for transport in TRANSPORTS {
        let mut scene = Scene::open(transport);
        scene.send(0..300);
        for _ in 0..2 {
            let mut bob = scene.bob();
            wait_for_bytes(bob.stream());
            reset(bob.stream());
            drop(bob);
        }
        scene.check_login(0..300);
    }
}

#[test]
fn nothing_is_lost_if_the_gateway_is_killed_after_it_answered_the_login() {
    for transport in TRANSPORTS {
        let mut scene = Scene::open(transport);
        scene.send(0..300);
        let bob = scene.bob();
        scene.gateway.restart();
        drop(bob);
        scene.check_login(0..300);
    }
}

#[test]
fn nothing_is_lost_if_an_app_that_does_not_read_is_reset() {
    for transport in TRANSPORTS {
        let mut scene = Scene::open(transport);
        let mut bob = scene.bob();
        scene.send(0..1000);
        wait_for_bytes(bob.stream());
        reset(bob.stream());
        drop(bob);
        scene.check_login(0..1000);
    }
}

#[test]
fn nothing_is_lost_if_the_network_is_gone_and_the_recipient_comes_back_by_another() {
    for transport in TRANSPORTS {
        let mut scene = Scene::open(transport);
        let tunnel = Tunnel::to(transport.address(&scene.gateway));
        let mut bob = transport.connect_to(tunnel.address());
        bob.login("bob@example.org", "pw");
        scene.send(0..1);
        assert_eq!(bob.receive()["msg"], text(0));
        tunnel.cut();
        scene.send(1..200);
        // Beside the dead session, which then ends.
        let mut back = scene.check_login(0..200);
        reset(bob.stream());
        drop(bob);
        back.show_life();
        drop(back);
        scene.check_login(200..200);
    }
}

#[test]
fn what_was_read_does_not_come_again() {
    for transport in TRANSPORTS {
        let mut scene = Scene::open(transport);
        scene.send(0..3);
        let mut bob = scene.check_login(0..3);
        scene.send(3..5);
        scene.check(&mut bob, 3..5);
        bob.show_life();
        reset(bob.stream());
        drop(bob);
        scene.send(5..7);
        let mut bob = scene.check_login(5..7);
        bob.show_life();
        // Nor after a crash, once it is stored: at the latest when the connection has ended, and
        // commands are carried out in order.
        leave(bob);
        transport.connect(&scene.gateway).enroll("cyd");
        scene.gateway.restart();
        scene.check_login(7..7);
    }
}

#[test]
fn a_part_of_a_backlog_that_was_read_does_not_come_again() {
    let mut scene = Scene::open(Transport::Lines);
    scene.send(0..400);
    let mut bob = scene.bob();
    for number in 0..400 {
        assert_eq!(bob.receive()["msg"], text(number));
    }
    leave(bob);
    scene.send(400..402);
    scene.check_login(400..402);
}

#[test]
fn a_second_login_on_one_connection_repeats_nothing() {
    for transport in TRANSPORTS {
        let mut scene = Scene::open(transport);
        scene.send(0..2);
        let mut bob = scene.check_login(0..2);
        bob.login("bob@example.org", "pw");
        scene.check(&mut bob, 2..2);
        bob.show_life();
        drop(bob);
        scene.check_login(2..2);
    }
}

#[test]
fn a_limit_on_the_backlog_is_for_what_came_while_the_recipient_was_away() {
    let toml = TOML.replace("tcp_listen", "backlog = 2\n    tcp_listen");
    for transport in TRANSPORTS {
        let mut scene = Scene::within(transport, &toml);
        scene.send(0..5);
        let mut bob = scene.check_login(3..5);
        bob.show_life();
        scene.send(5..50);
        reset(bob.stream());
        drop(bob);
        scene.check_login(5..50);
    }
}

#[test]
fn what_a_library_has_answered_comes_again_if_the_program_has_not_taken_it() {
    for device in [None, Some("phone")] {
        let mut scene = Scene::open(Transport::WebSocket);
        scene.send(0..50);
        let log_in = || {
            let mut bob = scene.transport.connect(&scene.gateway);
            bob.send(&json!({"code": 6, "login_type": 0, "account": "bob@example.org",
                "password": "pw", "device": device}));
            // A device need not say beforehand that it says what it has.
            if device.is_none() {
                bob.send(&json!({"code": 17, "cid": 0}));
            }
            assert_eq!(bob.receive()["state"], 0);
            let messages = received(&mut bob);
            (bob, messages)
        };
        let (mut bob, messages) = log_in();
        assert_eq!(texts(&messages), (0..50).map(text).collect::<Vec<_>>());
        bob.send(&json!({"code": 17, "cid": messages[19]["cid"]}));
        // A ping after the last message would be answered before this.
        assert_eq!(received(&mut bob), [] as [Value; 0]);
        reset(bob.stream());
        drop(bob);
        let (_, again) = log_in();
        assert_eq!(texts(&again), (20..50).map(text).collect::<Vec<_>>(), "{device:?}");
    }
}

#[test]
fn irc_loses_nothing_if_the_connection_is_reset_after_signing_on() {
    let mut scene = Scene::open(Transport::WebSocket);
    scene.send(0..100);
    let irc = scene.gateway.address("irc", "listen");
    for _ in 0..2 {
        let mut bob = Irc::connect(irc);
        for line in ["PASS :pw", "NICK bob", "USER bob 0 * :bob"] {
            bob.send(line);
        }
        wait_for_bytes(bob.stream());
        reset(bob.stream());
        drop(bob);
    }
    let mut bob = Irc::sign_on(irc, "bob", Some("pw"));
    let lines = bob.acknowledge();
    for (line, number) in lines.iter().zip(0..100) {
        assert!(line.ends_with(&format!(" PRIVMSG bob :{}", text(number))), "{line}");
    }
    assert_eq!(lines.len(), 100);
    scene.send(100..101);
    let mut back = Irc::sign_on(irc, "bob", Some("pw"));
    assert!(back.receive().ends_with(&format!(" PRIVMSG bob :{}", text(100))));
}
