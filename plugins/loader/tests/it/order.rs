//! In every dialect over streams, linked and loaded, nothing that a connection hears overtakes what
//! an earlier request of it led to.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

use core_engine::{Engine, Envelope, FrontendSettings, Options};
use core_model::{
    Command, ConnectionId, Credential, NewRoom, NewUser, Outcome, PostRight, Query, Recorded,
    RoomRef, Secret, Uid, UserRef,
};
use frontend_api::http::Request;
use frontend_api::{Frontend, Peer};
use frontend_testkit::{
    NOW, Said, Talk, assert_missed_messages_come_first, assert_nothing_overtakes,
};
use plugin_loader::LoadedFrontend;
use serde_json::{Map, Value};

const ROUNDS: u32 = 40;

/// The engine, a command at a time.
struct World {
    engine: Engine<()>,
    done: Receiver<(Outcome, Vec<Recorded>)>,
    settings: Arc<FrontendSettings>,
    _folder: tempfile::TempDir,
}

/// A world with a room TEST, which users join when they register, and an account.
fn world() -> World {
    let folder = tempfile::tempdir().expect("a new folder");
    let (sender, done) = channel();
    let options = Options { queue_max: 64, cache_bytes: 1 << 20 };
    let engine = Engine::open(&folder.path().join("store.redb"), options, move |batch| {
        for done in batch {
            // The other end is gone only after the test.
            drop(sender.send((done.outcome, done.events)));
        }
    });
    let settings = FrontendSettings {
        frontend: "test".into(),
        room_capacity: 500,
        auto_join: vec!["TEST".into()],
        ..FrontendSettings::default()
    };
    let engine = engine.expect("a new store");
    let mut world = World { engine, done, settings: Arc::new(settings), _folder: folder };
    let room = NewRoom { name: Some("TEST".into()), insist: true, ..NewRoom::default() };
    world.succeed(Command::Start { node: String::new(), boot: 1, speaks: 1 });
    world.succeed(Command::DeclareRoom { room });
    let user = NewUser {
        handle: Some("ann".into()),
        identities: vec!["email/ann@example.org".into()],
        password: Some(Secret::Plain("secret".into())),
        ..NewUser::default()
    };
    world.succeed(Command::Register { user });
    world
}

impl World {
    fn succeed(&mut self, command: Command) {
        let (outcome, _) = frontend_testkit::Engine::carry_out(self, command);
        outcome.expect("it is not refused");
    }
}

/// Settles passwords as the host does, believing every one.
fn settle(command: &mut Command) {
    let hash = |user: &mut NewUser| {
        if user.password.is_some() {
            user.password = Some(Secret::Hashed("$argon2id$".into()));
        }
    };
    match command {
        Command::Register { user } => hash(user),
        Command::SignIn { credential, create, .. } => {
            *credential = Credential::Vouched;
            create.iter_mut().for_each(hash);
        }
        _ => (),
    }
}

impl frontend_testkit::Engine for World {
    fn carry_out(&mut self, mut command: Command) -> (Outcome, Vec<Recorded>) {
        settle(&mut command);
        self.carry_out_of(ConnectionId(1), command)
    }

    fn answer(&mut self, query: &Query) -> Outcome {
        self.engine.query(NOW, ConnectionId(1), query).outcome
    }

    fn post_of_another(&mut self) -> Vec<Recorded> {
        let (outcome, events) = self.carry_out_of(
            ConnectionId(2),
            Command::Post {
                room: RoomRef::Name("TEST".into()),
                author: UserRef::Id(Uid(10_000)),
                text: "meanwhile".into(),
                standing: PostRight::Member,
                notice: false,
            },
        );
        outcome.expect("it is not refused");
        events
    }
}

impl World {
    fn carry_out_of(
        &mut self,
        connection: ConnectionId,
        command: Command,
    ) -> (Outcome, Vec<Recorded>) {
        let envelope = Envelope {
            at: NOW,
            steady_ms: 0,
            connection,
            address: None,
            frontend: self.settings.clone(),
            key: None,
            command,
        };
        self.engine.submit(envelope, ()).expect("the engine takes it");
        self.done.recv().expect("the engine answers")
    }
}

fn check(dialect: &str, peer: &Peer, first: &[Said], requests: &[Said]) {
    let talk = Talk { peer, first, requests };
    linked_and_loaded(dialect, |frontend| {
        assert_nothing_overtakes(frontend, world, &talk, ROUNDS);
    });
}

fn linked_and_loaded(dialect: &str, check: impl Fn(&dyn Frontend)) {
    let row = frontend_all::find(dialect).expect("a row of the table");
    let linked = row.configure(Map::new()).unwrap_or_else(|faults| panic!("{faults:?}"));
    let loaded = LoadedFrontend::open(&plugin_testkit::plugin(dialect), &Map::new());
    check(&*linked);
    check(&loaded.unwrap_or_else(|error| panic!("{error}")));
}

fn lines(texts: &[&str]) -> Vec<Said> {
    texts.iter().map(|text| Said::Text((*text).to_owned())).collect()
}

fn peer(listener: &str, upgrade: bool) -> Peer {
    Peer {
        address: "127.0.0.1".into(),
        listener: listener.into(),
        upgrade: upgrade.then(Request::default),
        ..Peer::default()
    }
}

/// A frame of the token dialect.
fn frame(command: u16, body: &[u8]) -> Said {
    let mut frame = (6 + body.len() as u32).to_be_bytes().to_vec();
    frame.extend(command.to_be_bytes());
    frame.extend(7u32.to_be_bytes());
    frame.extend(body);
    Said::Bytes(frame)
}

#[test]
fn in_token() {
    let login = [b"\0\x02o1\0\x06wechat".as_slice(), &1u32.to_be_bytes(), &[0; 4]].concat();
    let post = |text: &str| {
        let head = [1u32.to_be_bytes(), (text.len() as u32).to_be_bytes()].concat();
        frame(10, &[&head, text.as_bytes()].concat())
    };
    let room = 1u32.to_be_bytes();
    let catch_up = |room: u32, after: u64, limit: u16| {
        let [room, limit] = [room.to_be_bytes().to_vec(), limit.to_be_bytes().to_vec()];
        frame(11, &[room, after.to_be_bytes().to_vec(), limit].concat())
    };
    let post_once = |client_id: &[u8], text: &str| {
        let head = [&room[..], &(client_id.len() as u16).to_be_bytes(), client_id].concat();
        let text = [&(text.len() as u32).to_be_bytes(), text.as_bytes()].concat();
        frame(12, &[head, text].concat())
    };
    check(
        "token",
        &peer("listen", false),
        &[frame(2, &login), frame(4, &room)],
        &[
            post("hello"),
            post(""),
            post("again"),
            frame(4, &room),
            frame(4, &99u32.to_be_bytes()),
            frame(4, b"short"),
            frame(5, &[]),
            frame(6, &room),
            frame(9, &[]),
            catch_up(1, 0, 0),
            catch_up(1, 1, 2),
            catch_up(99, 0, 0),
            post_once(b"7d1f", "once"),
            post_once(b"7d20", "once more"),
            post_once(b"", "without a name"),
            frame(99, b"unknown"),
        ],
    );
}

#[test]
fn in_token_missed_messages_come_before_those_that_are_posted_meanwhile() {
    // A message's id is the third field, after the room and the author.
    let id_of = |frame: &str| {
        let bytes: Vec<u8> = frame
            .trim_matches(['[', ']'])
            .split(", ")
            .map(|byte| u8::from_str_radix(byte, 16).expect("hexadecimal"))
            .collect();
        let is_message = bytes[4..6] == [0x40, 3];
        is_message.then(|| u64::from_be_bytes(bytes[22..30].try_into().expect("eight bytes")))
    };
    let [login, room] = [b"\0\x02o1\0\x06wechat\0\0\0\x01\0\0\0\0".as_slice(), &[0, 0, 0, 1]];
    let catch_up = [room, &[0; 10]].concat();
    let first = [frame(2, login), frame(4, room), frame(11, &catch_up)];
    let peer = peer("listen", false);
    let talk = Talk { peer: &peer, first: &first, requests: &[] };
    linked_and_loaded("token", |frontend| {
        assert_missed_messages_come_first(frontend, world, &talk, id_of, ROUNDS);
    });
}

#[test]
fn in_chatroom() {
    let packet = |kind: &str, name: &str, msg: &str| {
        format!(
            r#"{{"type":"{kind}","data":{{"room_name":"TEST","user":{{"user_name":"{name}","user_avatar":""}},"msg":"{msg}"}}}}"#
        )
    };
    let join = packet("join", "eve", "");
    check(
        "chatroom",
        &peer("websocket_listen", true),
        &lines(&[&join]),
        &lines(&[
            &packet("msg", "eve", "one"),
            &packet("msg", "eve", "two"),
            &packet("msg", "eve", r#"once","client_id":"7d1f"#),
            &packet("msg", "bob", r#"not in it","client_id":"7d20"#),
            &packet("msg", "bob", "not in it"),
            &packet("msg", "ann", "an account"),
            &packet("sing", "eve", ""),
            &packet("join", "bob", ""),
            &packet("leave", "bob", ""),
            &packet("leave", "carol", ""),
            &join,
            "garbage",
            "{}",
            "",
        ]),
    );
}

#[test]
fn in_chatroom_missed_messages_come_before_those_that_are_posted_meanwhile() {
    let join = r#"{"type":"join","data":{"room_name":"TEST","user":{"user_name":"eve"},"msg":"","since":0}}"#;
    let peer = peer("websocket_listen", true);
    let talk = Talk { peer: &peer, first: &lines(&[join]), requests: &[] };
    let id_of = |frame: &str| {
        let packet: Value = serde_json::from_str(frame).expect("JSON");
        let is_message = packet["type"] == "msg";
        is_message.then(|| packet["data"]["id"].as_u64().expect("an id"))
    };
    linked_and_loaded("chatroom", |frontend| {
        assert_missed_messages_come_first(frontend, world, &talk, id_of, ROUNDS);
    });
}

#[test]
fn in_ourchat_over_both_transports() {
    for (listener, upgrade) in [("listen", true), ("tcp_listen", false)] {
        check(
            "ourchat",
            &peer(listener, upgrade),
            &lines(&[r#"{"code":6,"login_type":0,"account":"ann@example.org","password":"x"}"#]),
            &lines(&[
                r#"{"code":0,"sender":{"ocid":10000,"group_id":1},"msg":"one"}"#,
                r#"{"code":0,"sender":{"ocid":10000,"group_id":1},"msg":"two"}"#,
                r#"{"code":0,"sender":{"ocid":10000,"group_id":99},"msg":"no such group"}"#,
                r#"{"code":0,"sender":{"ocid":10009,"group_id":1},"msg":"another"}"#,
                r#"{"code":10,"ocid":10000,"request_values":["ocid","nickname"]}"#,
                r#"{"code":10,"ocid":99999,"request_values":["ocid"]}"#,
                r#"{"code":8,"members":[99999]}"#,
                r#"{"code":0,"sender":{"ocid":10000,"group_id":1},"msg":"once","client_id":"7d1f"}"#,
                r#"{"code":0,"sender":{"ocid":10000,"group_id":99},"msg":"no","client_id":"7d20"}"#,
                r#"{"code":17,"cid":1}"#,
                r#"{"code":12}"#,
                r#"{"code":99}"#,
                r#"{"code":"#,
                "garbage",
            ]),
        );
    }
}

#[test]
fn in_irc() {
    check(
        "irc",
        &peer("listen", false),
        &lines(&[
            "CAP REQ :labeled-response batch echo-message",
            "NICK eve",
            "USER eve 0 * :Eve",
            "CAP END",
            "JOIN #TEST",
        ]),
        &lines(&[
            "PRIVMSG #TEST :one",
            "PRIVMSG #TEST :two",
            "PRIVMSG #nowhere :lost",
            "PRIVMSG missing :lost",
            "PRIVMSG",
            "PING x",
            "WHO #TEST",
            "NAMES #TEST",
            "TOPIC #TEST",
            "WHOIS eve",
            "JOIN #more",
            "PART #more",
            "JOIN #TEST",
            "MODE #TEST",
            "NONSENSE",
            "@label=a PRIVMSG #TEST :labelled",
            "@label=b PING y",
            "@label=c TOPIC #TEST :tea",
            "@label=d JOIN #more",
            "@label=e PRIVMSG #nowhere :lost",
            "@label=f NONSENSE",
        ]),
    );
}
