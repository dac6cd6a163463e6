//! The ledger adds up under everything at once, in several dialects: peers that do not read, a plugin
//! that fails, a configuration that is read again, a kill, and retention. What it owes is counted from
//! outside too: a client in the room sees each message, and when another's subscription ends.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::net::{Shutdown, TcpStream};
use std::time::Instant;

use gateway_tests::token::{Fields, MEMBER_CHANGED, MESSAGE};
use gateway_tests::{Gateway, Http, Irc, Ourchat, PATIENCE, Talk, Token, connect, connect_narrow};
use serde_json::{Value, json};

const ROOM: u32 = 1;

/// With little room in a mailbox, so that a peer that does not read is soon cut off.
fn toml(further: &str, chatroom: &str) -> String {
    let plugin = plugin_testkit::plugin("faulty");
    let limits = "mailbox_bytes_max = 65536\nmessages_per_s = 0\nbytes_per_s = 0";
    format!(
        "
        {further}
        [[rooms]]
        name = \"TEST\"
        [frontends.token]
        messages = true
        {limits}
        [frontends.chatroom]
        {chatroom}
        {limits}
        [frontends.ourchat]
        auto_join = [\"TEST\"]
        tcp_listen = \"127.0.0.1:0\"
        {limits}
        [frontends.irc]
        listen = \"127.0.0.1:0\"
        {limits}
        [frontends.faulty]
        plugin = {plugin:?}
        listen = \"127.0.0.1:0\"
        websocket_listen = \"127.0.0.1:0\"
        http_listen = \"127.0.0.1:0\"
        {limits}
        "
    )
}

/// Posts, and sees the room: it counts the messages that each connection in the room is owed.
struct Witness {
    token: Token,
    posted: u64,
    /// When a seat ended: after so many messages.
    left: BTreeMap<String, u64>,
}

impl Witness {
    fn at(gateway: &Gateway) -> Self {
        let mut token = Token::connect(gateway.address("token", "listen"));
        token.login("witness");
        token.enter(ROOM);
        Self { token, posted: 0, left: BTreeMap::new() }
    }

    /// Posts, and reads up to its own message.
    #[track_caller]
    fn post(&mut self, text: &str) {
        let id = self.token.post(ROOM, text);
        while self.see() != Some(id) {}
        self.posted += 1;
    }

    /// The next notification: the id of a message.
    #[track_caller]
    fn see(&mut self) -> Option<u64> {
        let frame = self.token.notification();
        let mut fields = Fields::of(&frame);
        if frame.command == MESSAGE {
            fields.u32();
            fields.u64();
            return Some(fields.u64());
        }
        if frame.command == MEMBER_CHANGED {
            fields.u32();
            fields.u64();
            let entered = fields.u8();
            let info: Value = serde_json::from_str(&fields.text()).expect("it is JSON");
            let name = info["name"].as_str().expect("a name").to_owned();
            if entered == 0 {
                self.left.insert(name, self.posted);
            }
        }
        None
    }

    /// Waits until this user's seat has ended.
    #[track_caller]
    fn see_off(&mut self, name: &str) {
        while !self.left.contains_key(name) {
            self.see();
        }
    }
}

/// A client of each dialect; all read.
struct Readers {
    token: Token,
    talk: Talk,
    ourchat: Ourchat,
    irc: Irc,
    faulty: BufReader<TcpStream>,
}

impl Readers {
    fn at(gateway: &Gateway) -> Self {
        let mut token = Token::connect(gateway.address("token", "listen"));
        token.login("reader");
        token.enter(ROOM);
        let talk = talk(gateway, "reader-of-chatroom");
        let mut ourchat = Ourchat::websocket(gateway.address("ourchat", "listen"));
        ourchat.enroll("reader-of-ourchat");
        let mut irc = Irc::sign_on(gateway.address("irc", "listen"), "reader-of-irc", None);
        irc.join("#TEST");
        let faulty = faulty(gateway, "reader-by-plugin");
        Self { token, talk, ourchat, irc, faulty }
    }

    /// Each but the plugin's reads up to this message.
    #[track_caller]
    fn read(&mut self, text: &str) {
        let end = &text[text.len() - 8..];
        loop {
            let frame = self.token.notification();
            if frame.command == MESSAGE && frame.body.ends_with(end.as_bytes()) {
                break;
            }
        }
        self.talk.receive_until(|packet| packet["data"]["msg"] == text);
        while self.ourchat.receive()["msg"] != text {}
        self.irc.receive_until(end);
    }

    #[track_caller]
    fn read_of_plugin(&mut self) {
        let mut line = String::new();
        self.faulty.read_line(&mut line).expect("it is open");
        assert_eq!(line, "news\n");
    }
}

fn talk(gateway: &Gateway, name: &str) -> Talk {
    let mut talk = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    talk.join("TEST", name);
    talk
}

fn faulty(gateway: &Gateway, name: &str) -> BufReader<TcpStream> {
    let mut stream = connect(gateway.address("faulty", "listen"));
    std::io::Write::write_all(&mut stream, format!("enter {name}\n").as_bytes()).expect("open");
    let mut lines = BufReader::new(stream);
    // Its entrance, and the population.
    for _ in 0..2 {
        let mut line = String::new();
        lines.read_line(&mut line).expect("it is open");
        assert_eq!(line, "news\n");
    }
    lines
}

/// A text that no other ends like.
fn text(number: u64, bytes: usize) -> String {
    format!("{}{number:08}", "x".repeat(bytes))
}

/// What the ledger says, once each connection has told it of everything.
#[derive(Debug)]
struct Figures {
    report: Value,
}

impl Figures {
    /// Asserts that each front end adds up to the last message.
    #[track_caller]
    fn of(gateway: &Gateway) -> Self {
        let body = Http::connect(gateway.address("admin", "listen")).get("/ledger").body;
        let report: Value = serde_json::from_slice(&body).expect("it is JSON");
        for frontend in report["frontends"].as_array().expect("a list") {
            assert_eq!(frontend["mismatch"], 0, "{report}");
            for room in frontend["rooms"].as_object().expect("by class").values() {
                let [owed, done, pending] =
                    ["owed", "deliveries", "pending"].map(|key| sum(&room[key]));
                assert_eq!(owed, done + pending, "{report}");
            }
        }
        Self { report }
    }

    /// The same, once retention has taken this many that were owed. The gateway listens after its first
    /// step, of 512 messages; the others follow.
    #[track_caller]
    fn after_retention(gateway: &Gateway, expired: u64) -> Self {
        let until = Instant::now() + PATIENCE;
        loop {
            let figures = Self::of(gateway);
            if figures.store()[1] >= expired {
                return figures;
            }
            assert!(Instant::now() < until, "fewer than {expired} have expired: {figures:?}");
        }
    }

    /// Of public rooms, by front end.
    fn public(&self, frontend: &str) -> &Value {
        let frontends = self.report["frontends"].as_array().expect("a list");
        let found = frontends.iter().find(|one| one["frontend"] == frontend);
        &found.unwrap_or_else(|| panic!("no {frontend}"))["rooms"]["public"]
    }

    fn owed(&self, frontend: &str) -> u64 {
        sum(&self.public(frontend)["owed"])
    }

    #[track_caller]
    fn outcome(&self, frontend: &str, word: &str) -> u64 {
        self.public(frontend)["deliveries"][word].as_u64().expect("a number")
    }

    fn pending(&self, frontend: &str) -> u64 {
        sum(&self.public(frontend)["pending"])
    }

    /// What the store owes of public rooms, and what retention took of that.
    fn store(&self) -> [u64; 2] {
        ["rooms", "expired"].map(|key| self.report["store"][key]["public"].as_u64().unwrap_or(0))
    }
}

fn sum(figures: &Value) -> u64 {
    let figures = figures.as_object().expect("by name").values();
    figures.map(|count| count.as_u64().expect("a number")).sum()
}

/// Two requests: the second is read when the first is answered and accounted for.
#[track_caller]
fn settle(witness: &mut Witness, readers: &mut Readers) {
    for _ in 0..2 {
        witness.token.done(gateway_tests::token::HEARTBEAT, b"");
        readers.token.done(gateway_tests::token::HEARTBEAT, b"");
        readers.talk.send("nonsense", "TEST", "reader", "");
        readers.talk.receive_until(|packet| packet["type"] == "error");
        readers.irc.drain();
        readers.ourchat.send(&json!({"code": 12}));
        while readers.ourchat.receive()["code"] != 12 {}
    }
}

#[test]
fn everything_at_once_adds_up_to_the_last_message() {
    let chatroom = |guests: bool| format!("user_data = \"{}\"", if guests { "all" } else { "own" });
    let mut gateway = Gateway::start(&toml("", &chatroom(true)));
    let mut readers = Readers::at(&gateway);
    // It reads, and sends nothing that would show that: the store goes on owing it.
    let mut lazy = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
    lazy.enroll("lazy");
    let _stalled = stalled(&gateway);
    let mut witness = Witness::at(&gateway);

    // Until those that do not read are cut off.
    while ["stalled-token", "guest:stalled-talk"].iter().any(|one| !witness.left.contains_key(*one))
    {
        assert!(witness.posted < 5_000, "no one is cut off");
        post(&mut witness, &mut readers, &mut lazy, 14_000);
        readers.read_of_plugin();
    }
    let of_stalled = ["stalled-token", "guest:stalled-talk"].map(|name| witness.left[name]);

    // The plugin fails twice: the second fault ends its session.
    for text in ["panic, front end", "panic, session"] {
        witness.post(text);
        readers.read(text);
        while lazy.receive()["msg"] != text {}
    }
    let of_plugin = witness.posted;
    witness.see_off("reader-by-plugin");

    // The chatroom's connections end, and others come.
    gateway.reload(&toml("", &chatroom(false)));
    while readers.talk.try_receive().is_ok() {}
    witness.see_off("guest:reader-of-chatroom");
    readers.talk = talk(&gateway, "reader-after-the-reload");
    for _ in 0..20 {
        post(&mut witness, &mut readers, &mut lazy, 100);
    }
    readers.ourchat.show_life();
    settle(&mut witness, &mut readers);

    let posted = witness.posted;
    assert_counts(&Figures::of(&gateway), posted, of_stalled, of_plugin);

    // What has been acknowledged is stored when its connection has ended.
    vanish(readers.ourchat);
    // Commands are carried out in order.
    witness.token.apply();
    assert_eq!(Figures::of(&gateway).store()[1], 0);
    assert_kept_after_a_kill(gateway, posted);
}

/// What each front end owed, counted from outside: the stalled clients were in the room for so many
/// messages, and the plugin's.
#[track_caller]
fn assert_counts(figures: &Figures, posted: u64, of_stalled: [u64; 2], of_plugin: u64) {
    // From the message that fills its mailbox on, a connection is owed nothing; its seat ends later.
    let of_readers = [2 * posted, posted];
    for ((frontend, of_readers), left) in
        ["token", "chatroom"].iter().zip(of_readers).zip(of_stalled)
    {
        let of_stalled = figures.owed(frontend) - of_readers;
        assert!((1..=left).contains(&of_stalled), "{of_stalled} of {left}: {figures:?}");
    }
    assert_eq!(figures.owed("ourchat"), 2 * posted, "{figures:?}");
    assert_eq!(figures.owed("irc"), posted, "{figures:?}");
    assert_eq!(figures.owed("faulty"), of_plugin, "{figures:?}");
    assert_eq!(figures.outcome("faulty", "fault"), 2, "{figures:?}");
    assert!(figures.outcome("token", "cut_off") > 0, "{figures:?}");
    assert!(figures.outcome("chatroom", "cut_off") > 0, "{figures:?}");
    assert_eq!(figures.outcome("ourchat", "acknowledged"), posted, "{figures:?}");
    assert_eq!(figures.pending("ourchat"), posted, "{figures:?}");
}

/// A kill, and retention of the last three: what the store owed is owed or has expired.
#[track_caller]
fn assert_kept_after_a_kill(mut gateway: Gateway, owed: u64) {
    gateway.kill();
    let kept = toml("[store]\nkeep_messages_per_room = 3", "");
    let gateway = gateway.launch().clone().with_config(&kept).start();
    let figures = Figures::after_retention(&gateway, owed - 3);
    assert_eq!(figures.store(), [3, owed - 3], "{figures:?}");
    assert_eq!(figures.owed("ourchat"), 0, "the figures are since the start");

    let mut lazy = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
    lazy.login("lazy@example.org", "pw");
    for _ in 0..3 {
        assert_eq!(lazy.receive()["code"], 0);
    }
    lazy.show_life();
    assert_eq!(lazy.call(&json!({"code": 12}))["code"], 12);
    let figures = Figures::of(&gateway);
    let acknowledged = figures.outcome("ourchat", "acknowledged");
    assert_eq!((figures.owed("ourchat"), acknowledged), (3, 3), "{figures:?}");
    vanish(lazy);
    Token::connect(gateway.address("token", "listen")).login("after");
    assert_eq!(Figures::of(&gateway).store(), [0, owed - 3]);
}

/// Posts a text that every client reads.
#[track_caller]
fn post(witness: &mut Witness, readers: &mut Readers, lazy: &mut Ourchat, bytes: usize) {
    let text = text(witness.posted, bytes);
    witness.post(&text);
    readers.read(&text);
    while lazy.receive()["msg"] != *text {}
}

/// They enter, and read nothing from then on.
fn stalled(gateway: &Gateway) -> (Token, Talk) {
    let narrow = |address| connect_narrow(address, 4_096);
    let mut token = Token::over(narrow(gateway.address("token", "listen")));
    token.login("stalled-token");
    token.enter(ROOM);
    let address = gateway.address("chatroom", "websocket_listen");
    let mut talk = Talk::over(narrow(address), address);
    talk.join("TEST", "stalled-talk");
    (token, talk)
}

/// Ends the stream without a close, and waits until the gateway has noticed.
fn vanish(mut client: Ourchat) {
    let stream = client.stream();
    stream.shutdown(Shutdown::Write).expect("it is open");
    drop(std::io::copy(stream, &mut std::io::sink()));
}
