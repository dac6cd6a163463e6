//! A proxy takes from the gateway what it does not pass on, and acknowledges it: what was read is what
//! the client's program has said to have. The proxy then ends the connection in order.

use std::net::{Shutdown, SocketAddr, TcpStream};

use gateway_tests::token::{CATCH_UP, HEARTBEAT};
use gateway_tests::{Gateway, Irc, Ourchat, Talk, Token, Tunnel};
use serde_json::{Value, json};

use super::catch_up::{ROOM, message, post, text, token};
use super::delivery::{received, texts};

const TOML: &str = "
    [[rooms]]
    name = \"TEST\"
    [frontends.token]
    messages_per_s = 0
    requests_per_s = 0
    bytes_per_s = 0
    [frontends.chatroom]
    [frontends.irc]
    [frontends.ourchat]
    messages_per_s = 0
    requests_per_s = 0
    bytes_per_s = 0
    tcp_listen = \"127.0.0.1:0\"
";

const LOST: u64 = 200;

fn numbers(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(text).collect()
}

/// Ends the client's side, and waits until the gateway has ended its own.
fn end(stream: &mut TcpStream) {
    stream.shutdown(Shutdown::Write).expect("it is open");
    drop(std::io::copy(stream, &mut std::io::sink()));
}

/// Ann writes to bob, by ourchat.
struct Direct {
    gateway: Gateway,
    ann: Ourchat,
    sender: Value,
}

impl Direct {
    fn open() -> Self {
        let gateway = Gateway::start(TOML);
        let lines = gateway.address("ourchat", "tcp_listen");
        let bob_ocid = Ourchat::lines(lines).enroll("bob");
        let mut ann = Ourchat::lines(lines);
        let ann_ocid = ann.enroll("ann");
        Self { gateway, ann, sender: json!({"ocid": ann_ocid, "private_id": bob_ocid}) }
    }

    /// Sends these, and waits until each is acknowledged.
    #[track_caller]
    fn send(&mut self, numbers: std::ops::Range<u64>) {
        for number in numbers.clone() {
            self.ann.send(&json!({"code": 0, "sender": self.sender, "msg": text(number)}));
        }
        for number in numbers {
            assert_eq!(self.ann.receive()["msg"], text(number));
        }
    }
}

#[test]
fn irc_loses_nothing_behind_a_proxy() {
    let mut scene = Direct::open();
    let irc = scene.gateway.address("irc", "listen");
    scene.send(0..1);
    let tunnel = Tunnel::to(irc);
    let mut bob = Irc::sign_on_from(tunnel.address(), ("bob", "pw"), "", "message-tags");
    // It has answered nothing when the proxy fails.
    bob.receive_until(&text(0));
    tunnel.swallow();
    scene.send(1..LOST);
    // Signs of life, each after the answer to the one before.
    for number in 0..3 {
        bob.send(&format!("PING :alive{number}"));
        tunnel.await_swallowed(format!("PONG irc.localhost :alive{number}\r\n").as_bytes());
    }
    end(bob.stream());
    let mut back = Irc::sign_on_from(irc, ("bob", "pw"), "", "message-tags");
    let lines = back.acknowledge();
    let said = lines.iter().filter_map(|line| Some(line.rsplit_once(" :")?.1.to_owned()));
    assert_eq!(said.collect::<Vec<_>>(), numbers(0..LOST));
    end(back.stream());
    let mut again = Irc::sign_on_from(irc, ("bob", "pw"), "", "message-tags");
    assert_eq!(again.drain(), [] as [String; 0], "what was acknowledged does not come again");
}

/// Logs bob in on his phone; what comes before the answer to a further request.
fn phone(mut bob: Ourchat) -> (Ourchat, Vec<Value>) {
    let login = json!({"code": 6, "login_type": 0, "account": "bob@example.org", "password": "pw",
        "device": "phone"});
    assert_eq!(bob.call(&login)["state"], 0);
    let received = received(&mut bob);
    (bob, received)
}

#[test]
fn ourchat_loses_nothing_behind_a_proxy() {
    type Connect = fn(SocketAddr) -> Ourchat;
    for (key, connect) in
        [("tcp_listen", Ourchat::lines as Connect), ("listen", Ourchat::websocket as Connect)]
    {
        let mut scene = Direct::open();
        let address = scene.gateway.address("ourchat", key);
        scene.send(0..1);
        let tunnel = Tunnel::to(address);
        let (mut bob, first) = phone(connect(tunnel.address()));
        assert_eq!(texts(&first), numbers(0..1));
        bob.send(&json!({"code": 17, "cid": first[0]["cid"]}));
        assert_eq!(received(&mut bob), [] as [Value; 0]);
        tunnel.swallow();
        scene.send(1..LOST);
        for number in 0..3 {
            bob.send(&json!({"code": 90 + number}));
            tunnel.await_swallowed(format!("unknown code {}", 90 + number).as_bytes());
        }
        end(bob.stream());
        let (mut back, missed) = phone(connect(address));
        assert_eq!(texts(&missed), numbers(1..LOST), "{key}");
        back.send(&json!({"code": 17, "cid": missed[LOST as usize - 2]["cid"]}));
        assert_eq!(received(&mut back), [] as [Value; 0]);
        end(back.stream());
        assert_eq!(phone(connect(address)).1, [] as [Value; 0], "{key}");
    }
}

#[test]
fn an_ourchat_client_that_acknowledges_needs_no_device() {
    let mut scene = Direct::open();
    let address = scene.gateway.address("ourchat", "tcp_listen");
    scene.send(0..2);
    let tunnel = Tunnel::to(address);
    let mut bob = Ourchat::lines(tunnel.address());
    bob.login("bob@example.org", "pw");
    let first = received(&mut bob);
    bob.send(&json!({"code": 17, "cid": first[1]["cid"]}));
    tunnel.swallow();
    scene.send(2..LOST);
    for number in 0..3 {
        bob.send(&json!({"code": 90 + number}));
        tunnel.await_swallowed(format!("unknown code {}", 90 + number).as_bytes());
    }
    end(bob.stream());
    let mut back = Ourchat::lines(address);
    back.login("bob@example.org", "pw");
    assert_eq!(texts(&received(&mut back)), numbers(2..LOST));
}

/// A room with one message, which both readers have: its id.
fn room() -> (Gateway, Token, u64) {
    let gateway = Gateway::start(TOML);
    let mut ann = token(&gateway, "ann");
    ann.enter(ROOM);
    let first = ann.post(ROOM, &text(0));
    (gateway, ann, first)
}

#[test]
fn token_loses_nothing_behind_a_proxy() {
    let (gateway, mut ann, first) = room();
    let tunnel = Tunnel::to(gateway.address("token", "listen"));
    let mut bob = Token::connect(tunnel.address());
    bob.login("bob");
    bob.enter(ROOM);
    tunnel.swallow();
    post(&mut ann, 1..LOST);
    let sequence = bob.send(HEARTBEAT, b"").expect("it is open");
    tunnel.await_swallowed(&[&[0x80, 9][..], &sequence.to_be_bytes()].concat());
    end(bob.stream());
    let mut back = token(&gateway, "bob");
    let body = [&ROOM.to_be_bytes()[..], &first.to_be_bytes(), &[0, 0]].concat();
    let mut reply = back.done(CATCH_UP, &body);
    let (_, count) = (reply.u32(), reply.u16());
    let had: Vec<String> = (0..count).map(|_| message(&back.notification()).1).collect();
    assert_eq!(had, numbers(1..LOST));
}

#[test]
fn chatroom_loses_nothing_behind_a_proxy() {
    let (gateway, mut ann, first) = room();
    let address = gateway.address("chatroom", "websocket_listen");
    let tunnel = Tunnel::to(address);
    let join = |address: SocketAddr| {
        let mut talk = Talk::connect(address);
        let data =
            json!({"user": {"user_name": "bob"}, "room_name": "TEST", "msg": "", "since": first});
        talk.websocket.send(&json!({"type": "join", "data": data}).to_string());
        talk
    };
    let mut bob = join(tunnel.address());
    bob.receive_until(|packet| packet["type"] == "caught_up");
    tunnel.swallow();
    post(&mut ann, 1..LOST);
    bob.send("msg", "TEST", "dan", "x");
    tunnel.await_swallowed(b"user not exist");
    end(bob.websocket.stream());
    let mut back = join(address);
    let mut had = Vec::new();
    loop {
        let packet = back.receive();
        match packet["type"].as_str() {
            Some("msg") => had.push(packet["data"]["msg"].as_str().unwrap_or_default().to_owned()),
            Some("caught_up") => break,
            _ => (),
        }
    }
    assert_eq!(had, numbers(1..LOST));
}
