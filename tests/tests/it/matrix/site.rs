//! A gateway with all dialects, and people who came in by each of them.

use std::process::Command;
use std::time::{SystemTime, UNIX_EPOCH};

use gateway_tests::dialect::{Client, Dialect, ROWS, Room, Row, TIMEZONE, User};
use gateway_tests::token::{Fields, MEMBER_CHANGED, Token};
use gateway_tests::{Channel, Chatroom, Gateway, Launch, Ourchat, Talk, UsrRoom, program};
use serde_json::{Value, json};
use toml::Table;

/// All of them. Who signs in to ourchat is a member of TEST: there is no other way in for it. Clients
/// of HTTP keep their connection while others come in, however long that takes.
pub(super) fn config() -> Table {
    let text = format!(
        "
        [[rooms]]
        name = \"TEST\"
        [frontends.token]
        messages = true
        [frontends.usr_room]
        handshake_timeout = \"10m\"
        [frontends.chatroom]
        user_data = \"all\"
        handshake_timeout = \"10m\"
        [frontends.ourchat]
        auto_join = [\"TEST\"]
        tcp_listen = \"127.0.0.1:0\"
        [frontends.channel]
        handshake_timeout = \"10m\"
        timezone = \"{TIMEZONE}\"
        [frontends.irc]
        listen = \"127.0.0.1:0\"
        "
    );
    let mut config: Table = text.parse().expect("it is TOML");
    let frontends = config["frontends"].as_table_mut().expect("it is a section");
    for row in ROWS {
        frontends.entry(row.dialect.name).or_insert(Table::new().into());
    }
    config
}

/// [`config`] without the limits on how much a client may post.
pub(super) fn unlimited() -> Table {
    let mut config = config();
    let frontends = config["frontends"].as_table_mut().expect("it is a section");
    for (_, section) in frontends.iter_mut() {
        let section = section.as_table_mut().expect("it is a section");
        for key in ["messages_per_s", "bytes_per_s"] {
            section.insert(key.into(), 0.into());
        }
    }
    config
}

/// How a gateway is started here. These tests are in the program twice: with the dialects that are
/// linked in, and in `loaded` with the same ones as plugins.
pub(super) fn launch(toml: &str) -> Launch {
    if module_path!().contains("::loaded::") { Launch::loaded(toml) } else { Launch::of(toml) }
}

pub(super) struct Site {
    pub(super) gateway: Gateway,
}

impl Site {
    #[track_caller]
    pub(super) fn open() -> Self {
        Self::of(&config())
    }

    #[track_caller]
    pub(super) fn of(config: &Table) -> Self {
        Self { gateway: launch(&config.to_string()).start() }
    }

    /// [`config`] with some keys of one front end.
    #[track_caller]
    pub(super) fn with(frontend: &str, keys: &str) -> Self {
        let mut config = config();
        let section = config["frontends"][frontend].as_table_mut().expect("it is a section");
        section.extend(keys.parse::<Table>().expect("it is TOML"));
        Self::of(&config)
    }

    /// The room that is declared.
    pub(super) fn test(&self) -> Room {
        self.room("TEST")
    }

    /// An open room, as usr_room finds it.
    pub(super) fn room(&self, name: &str) -> Room {
        let found = self.usr_room().call("/search", &json!({ "key": name }));
        let rooms = if found.is_array() { &found[1] } else { &found["rooms"] };
        let rooms = rooms.as_array().unwrap_or_else(|| panic!("{found} has no list"));
        let id = rooms.iter().find(|room| room["name"] == name).expect("there is such a room");
        Room { id: number(&id["room_id"]), name: name.into() }
    }

    pub(super) fn token(&self) -> Token {
        Token::connect(self.gateway.address("token", "listen"))
    }

    pub(super) fn usr_room(&self) -> UsrRoom {
        UsrRoom::connect(self.gateway.address("usr_room", "listen"))
    }

    pub(super) fn chatroom(&self) -> Chatroom {
        Chatroom::connect(self.gateway.address("chatroom", "listen"))
    }

    pub(super) fn talk(&self) -> Talk {
        Talk::connect(self.gateway.address("chatroom", "websocket_listen"))
    }

    pub(super) fn ourchat(&self) -> Ourchat {
        Ourchat::websocket(self.gateway.address("ourchat", "listen"))
    }

    pub(super) fn channel(&self) -> Channel {
        Channel::connect(self.gateway.address("channel", "listen"))
    }

    /// What `dragoman user …` says, while the gateway runs.
    #[track_caller]
    pub(super) fn operate(&self, arguments: &[&str]) -> Value {
        let arguments = [&["user"], arguments, &["--json"]].concat();
        serde_json::from_str(&self.dragoman(&arguments)).expect("it is JSON")
    }

    /// What the command line prints that an operator types, while the gateway runs.
    #[track_caller]
    pub(super) fn dragoman(&self, arguments: &[&str]) -> String {
        let (code, said) = self.try_dragoman(arguments);
        assert_eq!(code, Some(0), "{arguments:?}: {said}");
        said
    }

    /// The exit code, and what is printed on standard output or standard error.
    pub(super) fn try_dragoman(&self, arguments: &[&str]) -> (Option<i32>, String) {
        let config = self.gateway.launch().folder().join("gateway.toml");
        let admin = self.gateway.address("admin", "listen");
        let output = Command::new(program::path())
            .args(arguments)
            .args(["--set", &format!("admin.listen={admin}"), "--config"])
            .arg(config)
            .output()
            .expect("the program was built");
        let said = if output.status.success() { output.stdout } else { output.stderr };
        (output.status.code(), String::from_utf8(said).expect("it is UTF-8"))
    }

    /// The uid of a handle.
    #[track_caller]
    pub(super) fn uid(&self, handle: &str) -> u64 {
        self.operate(&["show", handle])["uid"].as_u64().expect("it is a number")
    }

    /// A character for each row, all of them in TEST, with names that end in `ending`.
    pub(super) fn cast(&self, ending: &str) -> Vec<Character> {
        let mut doorkeeper = Doorkeeper::at(self, &self.test(), ending);
        let mut cast = Vec::new();
        for (nth, row) in ROWS.iter().enumerate() {
            cast.push(doorkeeper.admit(self, row, &format!("n{nth}{ending}")));
        }
        cast
    }
}

/// The first row of a dialect.
pub(super) fn row_of(dialect: &str) -> &'static Row {
    ROWS.iter().find(|row| row.dialect.name == dialect).expect("it is in the table")
}

/// A room number.
pub(super) fn number(value: &Value) -> u32 {
    let number = value.as_u64().and_then(|number| u32::try_from(number).ok());
    number.unwrap_or_else(|| panic!("{value} is no room"))
}

/// A user of a row of the table, with its client.
pub(super) struct Character {
    pub(super) row: &'static Row,
    pub(super) user: User,
    pub(super) client: Box<dyn Client>,
}

impl Character {
    pub(super) fn dialect(&self) -> &'static Dialect {
        self.row.dialect
    }
}

/// A token connection that sees every entrance into a room, and so learns the uid of users whose
/// own dialect does not show it.
pub(super) struct Doorkeeper {
    token: Token,
    room: Room,
}

impl Doorkeeper {
    pub(super) fn at(site: &Site, room: &Room, name: &str) -> Self {
        let mut token = site.token();
        token.login(&format!("doorkeeper-{name}"));
        token.enter(room.id);
        let mut doorkeeper = Self { token, room: room.clone() };
        doorkeeper.next_to_come();
        doorkeeper
    }

    /// Enrolls a user by a row of the table and enters the room.
    pub(super) fn admit(&mut self, site: &Site, row: &'static Row, name: &str) -> Character {
        let mut client = (row.enroll)(&site.gateway, name);
        client.enter(&self.room);
        let (uid, shown) = self.next_to_come();
        let user = (row.user)(name, uid);
        assert_eq!(shown, user.handle, "{}", row.title);
        Character { row, user, client }
    }

    /// The uid and the name of who comes next.
    pub(super) fn next_to_come(&mut self) -> (u64, String) {
        loop {
            let frame = self.token.notification();
            if frame.command == MEMBER_CHANGED {
                let mut fields = Fields::of(&frame);
                assert_eq!(fields.u32(), self.room.id);
                let uid = fields.u64();
                let entered = fields.u8();
                let info: Value = serde_json::from_str(&fields.text()).expect("it is JSON");
                if entered == 1 {
                    return (uid, info["name"].as_str().expect("it is a string").into());
                }
            }
        }
    }
}

/// Milliseconds since 1970, as the gateway on the same machine counts them.
pub(super) fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).expect("it is later");
    u64::try_from(since.as_millis()).expect("it is not that late")
}
