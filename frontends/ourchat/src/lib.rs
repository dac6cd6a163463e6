//! The ourchat dialect: JSON objects with a `code`, one per WebSocket text message or one per
//! line.
//!
//! Described in docs/dialects/ourchat.md. The types in [`message`] name the document's
//! sections.

mod encode;
mod fidelity;
pub mod message;
mod parse;
mod refusal;
mod session;

use core_model::Recorded;
use frontend_api::http::Charset;
use frontend_api::{
    Acknowledges, Broadcast, Capabilities, Configure, Frame, Frontend, Listener, Manifest,
    OptionFault, Peer, Session, Support, Transport, schema,
};
use schemars::{JsonSchema, schema_for};
use serde::{Deserialize, Serialize};

pub use message::OcidStyle;
use message::{
    Account, AccountQuery, Acknowledge, Failure, Gap, GroupCreate, GroupCreated, Kept, LoggedIn,
    Login, Register, Registered, Status, StatusQuery, Text, TextCreate, Verified, Verify,
};
use session::OurchatSession;

/// The listener whose connections carry lines instead of WebSocket messages.
const TCP_LISTEN: &str = "tcp_listen";

/// The dialect's own keys of `[frontends.ourchat]`.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How `ocid`, `private_id` and `members` are written. Requests may have numbers or strings of
    /// digits in either case.
    pub ocid: OcidStyle,
    /// How many of the messages that arrived while a user had no session the login delivers, the
    /// newest.
    pub backlog: u32,
    /// Whether groups created here are open: any user can see and join them, in every dialect.
    /// Otherwise only their members can see them.
    pub open: bool,
    /// The charset of the lines that clients send to `tcp_listen`: `utf-8` or `gbk`. With `gbk`,
    /// everything that is sent is ASCII, other characters as JSON escapes: GBK lacks some of them.
    pub charset: Charset,
}

impl Default for Options {
    fn default() -> Self {
        Self { ocid: OcidStyle::Number, backlog: 500, open: false, charset: Charset::Utf8 }
    }
}

/// Examples of every message, taken from the transcripts, with ocids as numbers and as strings.
const EXAMPLES: &str = include_str!("../examples/numbers.json");
const STRING_EXAMPLES: &str = include_str!("../examples/strings.json");

const ABOUT: &str = "Accounts, groups and messages over one connection: JSON objects told apart \
    by `code`. Before a login only codes 4, 6, 12 and 14 are answered. A request that fails is \
    answered with code 18, and the connection stays open.";

/// Every message, by code.
const MESSAGES: &[schema::Message] = &[
    schema::Message::from_client::<TextCreate>(),
    schema::Message::from_client::<Register>(),
    schema::Message::from_client::<Login>(),
    schema::Message::from_client::<GroupCreate>(),
    schema::Message::from_client::<AccountQuery>(),
    schema::Message::from_client::<StatusQuery>(),
    schema::Message::from_client::<Verify>(),
    schema::Message::from_client::<Acknowledge>(),
    schema::Message::from_server::<Text>(),
    schema::Message::from_server::<Registered>(),
    schema::Message::from_server::<LoggedIn>(),
    schema::Message::from_server::<GroupCreated>(),
    schema::Message::from_server::<Account>(),
    schema::Message::from_server::<Status>(),
    schema::Message::from_server::<Verified>(),
    schema::Message::from_server::<Gap>(),
    schema::Message::from_server::<Kept>(),
    schema::Message::from_server::<Failure>(),
];

/// The front end `ourchat`.
pub struct OurchatFrontend {
    options: Options,
    manifest: Manifest,
}

impl Default for OurchatFrontend {
    fn default() -> Self {
        Self::configure(Options::default()).expect("the defaults make sense")
    }
}

impl Configure for OurchatFrontend {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        Ok(Self { options, manifest: manifest() })
    }
}

impl Frontend for OurchatFrontend {
    fn schemas(&self) -> Vec<schema::Document> {
        let description =
            schema::Description::of(&self.manifest, ABOUT).with_messages("code", MESSAGES);
        let description = description.with_examples(EXAMPLES);
        let description = match self.options.ocid {
            OcidStyle::Number => description,
            OcidStyle::String => {
                let ocid = serde_json::json!({
                    "type": "string",
                    "pattern": "^[0-9]+$",
                    "description": "The number of an account, or 0 for a guest.",
                    "x-accepts": { "type": "integer", "minimum": 0 },
                });
                description.with_examples(STRING_EXAMPLES).with_type("Ocid", ocid)
            }
        };
        description.documents()
    }

    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        Box::new(OurchatSession::new(self.options, peer.listener == TCP_LISTEN))
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        let frame = |text| Frame::Text(encode::in_charset(self.options.charset, text));
        match encode::event(self.options.ocid, event) {
            encode::Push::Nothing => Broadcast::Nothing,
            encode::Push::Everyone(text) => Broadcast::Everyone(frame(text)),
            encode::Push::Others(text) => Broadcast::Others(frame(text)),
        }
    }
}

fn manifest() -> Manifest {
    Manifest {
        dialect: "ourchat".into(),
        title: "OurChat codes".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        listeners: vec![
            listener("listen", Transport::WebSocket, Some("127.0.0.1:7777")),
            listener(TCP_LISTEN, Transport::TcpLines, None),
        ],
        upstreams: Vec::new(),
        acknowledges: Acknowledges::Devices,
        capabilities: Capabilities {
            post: Support::Exact,
            receive_push: Support::Exact,
            receive_poll: Support::Absent,
            direct_messages: Support::Exact,
            // Only through an account's status.
            presence: Support::Emulated,
            // Only what arrived since the last session, at login.
            history: Support::Emulated,
            search: Support::Absent,
            credentials: Support::Exact,
        },
        fidelity: Some(fidelity::fidelity()),
        hint: r#"echo '{"code":12}' | websocat -n1 ws://{listen}"#.into(),
        options: schema_for!(Options).to_value(),
    }
}

fn listener(key: &str, transport: Transport, address: Option<&str>) -> Listener {
    Listener { key: key.into(), transport, address: address.map(Into::into), routes: Vec::new() }
}
