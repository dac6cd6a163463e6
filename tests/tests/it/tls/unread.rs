//! Clients over TLS that vanish with messages that they have not read: the system's figure of
//! acknowledged bytes is of encrypted ones, and tells nothing of a part of them.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpStream;
use std::time::Duration;

use gateway_tests::token::{
    self, CATCH_UP, ENTER_ROOM, Fields, LOGIN, MESSAGE, REPLY, json as info, string,
};
use gateway_tests::{Channel, Encryption, Gateway};
use rustls::{ClientConnection, StreamOwned};
use serde_json::{Value, json};
use socket2::SockRef;

use super::{HOST, start};

const TOML: &str = "
    [[rooms]]
    name = \"TEST\"
    [tls.main]
    cert = \"main.pem\"
    key = \"main.key\"
    [frontends.channel]
    messages_per_s = 0
    bytes_per_s = 0
    requests_per_s = 0
    [frontends.token]
    tls = \"main\"
    messages = true
    [frontends.ourchat]
    tls = \"main\"
    tcp_listen = \"127.0.0.1:0\"
    [frontends.irc]
    tls = \"main\"
    listen = \"127.0.0.1:0\"
";

const PASSWORD: &str = "tea for two";

/// More than one record of TLS holds, and more than a flight of the handshake.
const MESSAGES: u64 = 300;

type Tls = StreamOwned<ClientConnection, TcpStream>;

/// Ann sends, without encryption, and bob is to receive.
struct Scene {
    gateway: Gateway,
    encryption: Encryption,
    ann: Channel,
}

/// The uid of the second account.
const BOB: u64 = 10_001;

impl Scene {
    fn open() -> Self {
        let (gateway, authority) = start(TOML);
        let address = gateway.address("channel", "listen");
        let mut ann = Channel::enroll(address, "ann");
        Channel::enroll(address, "bob");
        // What came before a first sign-on is nothing that was missed.
        ann.send("TEST", "before");
        let encryption = Encryption::trusting(&authority.pem, HOST);
        Self { gateway, encryption, ann }
    }

    fn connect(&self, frontend: &str, key: &str) -> Tls {
        self.encryption.connect(self.gateway.address(frontend, key))
    }

    fn send_direct(&mut self) {
        for number in 0..MESSAGES {
            self.ann.done("/send", &json!({"name": "bob", "msg": text(number)}));
        }
    }
}

fn text(number: u64) -> String {
    format!("message {number} {}", "x".repeat(200))
}

/// A good part of the messages has arrived; it is not read, and the connection is reset.
fn vanish(tls: &Tls) {
    let mut some = [0; 20_000];
    while tls.sock.peek(&mut some).expect("the gateway sends") < some.len() {
        std::thread::yield_now();
    }
    SockRef::from(&tls.sock).set_linger(Some(Duration::ZERO)).expect("it is open");
}

/// Reads lines up to one with this in it; those before it.
#[track_caller]
fn lines_before(lines: &mut BufReader<Tls>, last: &str) -> Vec<String> {
    let mut before = Vec::new();
    loop {
        let mut line = String::new();
        lines.read_line(&mut line).unwrap_or_else(|error| panic!("{error} after {before:#?}"));
        if line.contains(last) {
            return before;
        }
        before.push(line);
    }
}

#[test]
fn irc_over_tls_loses_nothing_that_was_not_read() {
    let mut scene = Scene::open();
    let sign_on = format!("PASS :{PASSWORD}\r\nNICK bob\r\nUSER bob 0 * :bob\r\n");
    let sign_on_to = |scene: &Scene| {
        let mut irc = scene.connect("irc", "listen");
        irc.write_all(sign_on.as_bytes()).expect("it is open");
        irc
    };
    let mut first = BufReader::new(sign_on_to(&scene));
    lines_before(&mut first, " 422 ");
    scene.send_direct();
    // Signs of life, before anything is read.
    for _ in 0..2 {
        let mut again = sign_on_to(&scene);
        again.write_all(b"PING :a\r\nPING :b\r\n").expect("it is open");
        vanish(&again);
    }
    first.get_mut().write_all(b"PING :a\r\nPING :b\r\n").expect("it is open");
    vanish(first.get_ref());
    drop(first);

    let mut last = BufReader::new(sign_on_to(&scene));
    lines_before(&mut last, " 422 ");
    last.get_mut().write_all(b"PING :end\r\n").expect("it is open");
    let received = lines_before(&mut last, " PONG irc.localhost :end");
    let texts = received.iter().filter_map(|line| line.split_once(" PRIVMSG bob :"));
    let received: Vec<&str> = texts.map(|(_, text)| text.trim_end()).collect();
    let sent: Vec<String> = (0..MESSAGES).map(text).collect();
    assert_eq!(received, sent);
}

#[test]
fn ourchat_in_lines_over_tls_loses_nothing_that_was_not_read() {
    let mut scene = Scene::open();
    let login = json!({"code": 6, "login_type": 1, "account": BOB, "password": PASSWORD});
    let login = format!("{login}\n");
    let log_in = |scene: &Scene| {
        let mut ourchat = scene.connect("ourchat", "tcp_listen");
        ourchat.write_all(login.as_bytes()).expect("it is open");
        ourchat
    };
    let mut first = BufReader::new(log_in(&scene));
    lines_before(&mut first, "\"code\":7");
    scene.send_direct();
    for _ in 0..2 {
        let mut again = log_in(&scene);
        again.write_all(b"{\"code\":12}\n{\"code\":12}\n").expect("it is open");
        vanish(&again);
    }
    first.get_mut().write_all(b"{\"code\":12}\n{\"code\":12}\n").expect("it is open");
    vanish(first.get_ref());
    drop(first);

    let mut last = BufReader::new(log_in(&scene));
    lines_before(&mut last, "\"code\":7");
    let status = b"{\"code\":12}\n";
    last.get_mut().write_all(status).expect("it is open");
    let received = lines_before(&mut last, "\"code\":12");
    let texts = |lines: Vec<String>| -> Vec<String> {
        let messages = lines.iter().map(|line| serde_json::from_str(line).expect("JSON"));
        messages.map(|message: Value| message["msg"].as_str().expect("a text").into()).collect()
    };
    let sent: Vec<String> = (0..MESSAGES).map(text).collect();
    assert_eq!(texts(received), sent);
    // It has read, and goes on: nothing comes again. What had arrived at the last sign of life but one
    // counts.
    for _ in 0..2 {
        last.get_mut().write_all(status).expect("it is open");
        assert_eq!(lines_before(&mut last, "\"code\":12").len(), 0);
    }
    let mut next = BufReader::new(log_in(&scene));
    lines_before(&mut next, "\"code\":7");
    next.get_mut().write_all(status).expect("it is open");
    assert_eq!(lines_before(&mut next, "\"code\":12").len(), 0);
}

fn log_in_by_token(tls: &mut Tls, name: &str) {
    let own = info(&json!({ "name": name }).to_string());
    let body = [string(&format!("o-{name}")), string("game"), 1_i32.to_be_bytes().to_vec(), own];
    answer(tls, LOGIN, &body.concat());
}

/// The reply to a request, and the ids of messages before it.
#[track_caller]
fn answer(tls: &mut Tls, command: u16, body: &[u8]) -> (Fields, Vec<u64>) {
    tls.write_all(&token::request(command, 1, body)).expect("it is open");
    let mut before = Vec::new();
    loop {
        let frame = token::read(tls).expect("it answers");
        if frame.command == command + REPLY {
            assert_eq!(frame.result, Some(0), "{frame:?}");
            return (Fields::of(&frame), before);
        }
        before.extend((frame.command == MESSAGE).then(|| id_of(&frame)));
    }
}

fn id_of(frame: &token::Frame) -> u64 {
    let mut fields = Fields::of(frame);
    fields.u32();
    fields.u64();
    fields.u64()
}

/// The document has no acknowledgement: a client says where it was, and gets the rest.
#[test]
fn token_over_tls_catches_up_with_what_was_not_read() {
    let mut scene = Scene::open();
    let room = 1_u32.to_be_bytes();
    let mut first = scene.connect("token", "listen");
    log_in_by_token(&mut first, "cyd");
    answer(&mut first, ENTER_ROOM, &room);
    let catch_up = |after: u64| [&room[..], &after.to_be_bytes(), &0_u16.to_be_bytes()].concat();
    let mut begun = answer(&mut first, CATCH_UP, &catch_up((1 << 53) - 1)).0;
    begun.u32();
    begun.u16();
    begun.u8();
    let (_, _, cursor) = (begun.u64(), begun.u64(), begun.u64());
    for number in 0..MESSAGES {
        scene.ann.send("TEST", &text(number));
    }
    vanish(&first);
    drop(first);

    let mut back = scene.connect("token", "listen");
    log_in_by_token(&mut back, "cyd");
    answer(&mut back, ENTER_ROOM, &room);
    let (mut reply, _) = answer(&mut back, CATCH_UP, &catch_up(cursor));
    reply.u32();
    assert_eq!((u64::from(reply.u16()), reply.u8()), (MESSAGES, 0));
    let mut last = cursor;
    for number in 0..MESSAGES {
        let frame = loop {
            let frame = token::read(&mut back).expect("it comes");
            if frame.command == MESSAGE {
                break frame;
            }
        };
        assert!(frame.body.ends_with(text(number).as_bytes()), "{number}");
        assert!(id_of(&frame) > last);
        last = id_of(&frame);
    }
}
