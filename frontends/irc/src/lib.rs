//! The IRC dialect: lines of RFC 1459 and RFC 2812 as clients speak them today, with the
//! capabilities of IRCv3.
//!
//! docs/dialects/irc.md describes the dialect.

mod acknowledging;
mod ban_mask;
mod batches;
mod caps;
mod client_tags;
mod commands;
mod delivery;
mod directory;
mod encode;
mod events;
mod fidelity;
mod history;
mod holding;
mod label;
mod lines;
mod list;
mod list_filter;
mod local_id;
mod mask;
mod mechanisms;
mod message;
mod missed;
mod moderation;
mod modes;
mod monitor;
mod multiline;
mod names;
pub mod numeric;
mod occupants;
mod operators;
mod parse;
mod peer_event;
mod peers;
mod pending;
mod pending_lines;
mod policy;
mod read_marker;
mod redaction;
mod refusal;
mod replay;
mod reply;
mod rooms;
mod sasl;
mod selectors;
mod server;
mod session;
mod sign_on;
mod state;
mod turn;
mod who;
mod who_format;
mod whois;

use std::sync::Arc;

use core_model::{ConnectionId, Event, Person, Recorded};
use frontend_api::duration::Millis;
use frontend_api::{
    Acknowledges, Broadcast, Capabilities, Configure, Frontend, Listener, Manifest, OptionFault,
    Peer, Session, Support, Transport,
};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

pub use commands::VERBS;
use directory::Directory;
use state::IrcSession;

/// The dialect's own keys of `[frontends.irc]`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The name of the server; also the host in every mask. It contains a dot, which no nick
    /// does, so that no user can be mistaken for the server.
    pub server_name: String,
    /// The name of the network, one word.
    pub network: String,
    /// What LINKS and WHOIS say of the server; empty for the name of the network.
    pub description: String,
    /// The message of the day, in lines; empty for none.
    pub motd: String,
    /// Whether guests may use nicks that no account owns.
    pub guests: bool,
    /// Whether joining a channel that does not exist creates it.
    pub auto_create: bool,
    /// The number of newest messages sent on joining a channel, to clients that have
    /// `server-time` but not `draft/chathistory`; 0 for none.
    pub history: u32,
    /// The most messages, or targets, in the reply to one CHATHISTORY.
    pub history_max: u32,
    /// The most direct messages delivered at sign-on, of those that arrived while the account had
    /// no session on IRC; and the most missed messages sent on joining channels, beyond
    /// `history`.
    pub backlog: u32,
    /// The most channels in the reply to LIST.
    pub list_max: u32,
    /// The most channels that one connection may join.
    pub channels_max: u32,
    /// The time limit for signing on; "0s" for none.
    pub sign_on_timeout: Millis,
    /// How long a client may be silent before the server sends PING, and how long the client
    /// then has to answer; "0s" to send none.
    pub keepalive: Millis,
    /// The port at which the same server speaks TLS. Clients that support `sts` then use it for
    /// every connection; 0 for none.
    pub sts_port: u16,
    /// How long clients remember that; "0s" to have them forget it.
    pub sts_duration: Millis,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            server_name: "irc.localhost".into(),
            network: "Dragoman".into(),
            description: String::new(),
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
            sts_port: 0,
            sts_duration: Millis::from_days(30),
        }
    }
}

/// The longest server name. It precedes every reply, so it limits the room for texts.
const SERVER_NAME_BYTES_MAX: usize = 63;

impl Options {
    pub(crate) fn description(&self) -> &str {
        if self.description.is_empty() { &self.network } else { &self.description }
    }

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
    directory: Arc<Directory>,
    manifest: Manifest,
}

impl Default for IrcFrontend {
    fn default() -> Self {
        Self::configure(Options::default()).expect("the defaults are valid")
    }
}

impl Configure for IrcFrontend {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        options.check()?;
        Ok(Self { options: Arc::new(options), directory: Arc::default(), manifest: manifest() })
    }
}

impl Frontend for IrcFrontend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        let (options, directory) = (Arc::clone(&self.options), Arc::clone(&self.directory));
        Box::new(IrcSession::new(options, directory, peer))
    }

    /// A guest that has the nick of the account is disconnected.
    fn account_made(&self, account: &Person) -> Vec<ConnectionId> {
        self.directory.give_nick_to_account(&names::nick(account)).connections
    }

    /// The lines for an event depend on the client's capabilities, on the channels that it has
    /// joined, and on whether it caused the event.
    fn broadcast(&self, event: &Recorded) -> Broadcast {
        match &event.event {
            Event::Posted { .. }
            | Event::Entered { .. }
            | Event::Left { .. }
            | Event::RoomChanged { .. }
            | Event::RoleChanged { .. }
            | Event::PolicyChanged { .. }
            | Event::MessageDeleted { .. }
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
        upstreams: Vec::new(),
        acknowledges: Acknowledges::All,
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
        fidelity: Some(fidelity::fidelity()),
        hint: r"printf 'NICK you\r\nUSER you 0 * :You\r\nQUIT\r\n' | curl -sm1 telnet://{listen}"
            .into(),
        options: schema_for!(Options).to_value(),
    }
}
