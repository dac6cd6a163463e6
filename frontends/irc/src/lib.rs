//! The IRC dialect: lines of RFC 1459 and RFC 2812 as clients speak them today, with the
//! capabilities of IRCv3.
//!
//! In the project's words: docs/dialects/irc.md.

mod caps;
mod encode;
mod events;
mod history;
mod names;
pub mod numeric;
mod parse;
mod people;
mod refusal;
mod rooms;
mod server;
mod session;
mod sign_on;
mod talk;

use std::sync::Arc;

use core_model::{Event, Recorded};
use frontend_api::duration::Millis;
use frontend_api::{
    Broadcast, Capabilities, Configure, Frontend, Listener, Manifest, OptionFault, Peer, Session,
    Support, Transport,
};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

use session::IrcSession;
pub use session::VERBS;

/// The dialect's own keys of `[frontends.irc]`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// What the server calls itself; also the host in everybody's mask. With a dot in it, which
    /// no nick has, so that nobody can be taken for the server.
    pub server_name: String,
    /// What the network is called, in one word.
    pub network: String,
    /// What is shown to whoever signs on, in lines; empty: nothing.
    pub motd: String,
    /// Whether a nick that no account owns may be used, by anyone.
    pub guests: bool,
    /// Whether joining a channel that does not exist makes it.
    pub auto_create: bool,
    /// How many of the newest messages are shown on joining a channel, to clients that show when
    /// a message was sent and do not ask by themselves.
    pub history: u32,
    /// The most messages that one CHATHISTORY gives.
    pub history_max: u32,
    /// The most messages that are handed over at sign-on, of those that came while the user was
    /// nowhere.
    pub backlog: u32,
    /// The most channels that LIST lists.
    pub list_max: u32,
    /// The most channels that a connection may be in.
    pub channels_max: u32,
    /// How long a connection may take to sign on; "0s": as long as it wants.
    pub sign_on_timeout: Millis,
    /// How long a client may be silent before it is asked whether it is still there, and how long
    /// it then has to answer; "0s": nobody asks.
    pub keepalive: Millis,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_name: "irc.localhost".into(),
            network: "Dragoman".into(),
            motd: String::new(),
            guests: true,
            auto_create: true,
            history: 50,
            history_max: 100,
            backlog: 500,
            list_max: 1000,
            channels_max: 100,
            sign_on_timeout: Millis::from_secs(30),
            keepalive: Millis::from_mins(2),
        }
    }
}

/// The longest name of a server: what is left of a line is for its text.
const SERVER_NAME_BYTES_MAX: usize = 63;

impl Options {
    fn check(&self) -> Result<(), OptionFault> {
        let name = &self.server_name;
        let in_names = |char: char| char.is_ascii_alphanumeric() || matches!(char, '.' | '-');
        if !name.contains('.') || !name.chars().all(in_names) || name.len() > SERVER_NAME_BYTES_MAX
        {
            let why = format!(
                "{name:?} is not a server's name: letters, digits, `-` and at least one dot, at \
                 most {SERVER_NAME_BYTES_MAX} bytes"
            );
            return Err(OptionFault::new("server_name", why));
        }
        let in_words = |char: char| char.is_ascii_graphic();
        if self.network.is_empty() || !self.network.chars().all(in_words) || self.network.len() > 63
        {
            return Err(OptionFault::new("network", "it is one word of ASCII"));
        }
        if self.channels_max == 0 {
            return Err(OptionFault::new("channels_max", "a client has to be somewhere"));
        }
        if self.history_max == 0 {
            return Err(OptionFault::new("history_max", "a page has at least one message"));
        }
        Ok(())
    }
}

/// The IRC dialect.
pub struct IrcFrontend {
    options: Arc<Options>,
    manifest: Manifest,
}

impl Default for IrcFrontend {
    fn default() -> Self {
        Self::configure(Options::default()).expect("the defaults make sense")
    }
}

impl Configure for IrcFrontend {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        options.check()?;
        Ok(Self { options: Arc::new(options), manifest: manifest() })
    }
}

impl Frontend for IrcFrontend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, _peer: &Peer) -> Box<dyn Session> {
        Box::new(IrcSession::new(Arc::clone(&self.options)))
    }

    /// What a client is sent of an event depends on its capabilities, on the channels that it is
    /// in, and on whether it caused it.
    fn broadcast(&self, event: &Recorded) -> Broadcast {
        match &event.event {
            Event::Posted { .. }
            | Event::Entered { .. }
            | Event::Left { .. }
            | Event::RoomCreated { .. } => Broadcast::PerSession,
            Event::PopulationChanged { .. } | Event::RoomDeleted { .. } => Broadcast::Nothing,
        }
    }
}

fn manifest() -> Manifest {
    Manifest {
        dialect: "irc".into(),
        title: "IRC with IRCv3".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        listeners: vec![Listener {
            key: "listen".into(),
            transport: Transport::TcpLines,
            address: Some("127.0.0.1:6667".into()),
            routes: Vec::new(),
        }],
        capabilities: Capabilities {
            post: Support::Exact,
            receive_push: Support::Exact,
            receive_poll: Support::Absent,
            direct_messages: Support::Exact,
            presence: Support::Exact,
            history: Support::Exact,
            search: Support::Absent,
            credentials: Support::Exact,
        },
        hint: r"printf 'NICK you\r\nUSER you 0 * :You\r\nQUIT\r\n' | curl -sm1 telnet://{listen}"
            .into(),
        options: schema_for!(Options).to_value(),
    }
}
