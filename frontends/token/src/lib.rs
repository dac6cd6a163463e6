//! The token dialect: length-prefixed binary frames over TCP, with numeric tokens for making
//! rooms. Described in docs/dialects/token.md.

mod encode;
mod fidelity;
pub mod fields;
mod info;
mod layout;
mod parse;
mod refusal;
mod results;
mod session;

use core_model::Recorded;
use frontend_api::duration::Millis;
use frontend_api::schema::{Description, Document, Shape};
use frontend_api::{
    Acknowledges, Broadcast, Capabilities, Configure, Frame, Frontend, Listener, Manifest,
    OptionFault, Peer, Session, Support, Transport,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::info::{ClientInfo, MemberInfo, RoomInfo, UserInfo};
use crate::session::TokenSession;

/// The dialect's keys in its section of gateway.toml.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// The largest `length` that a client's frame may have, in bytes. It bounds what is kept of
    /// an unfinished frame. Frames to the client may be longer.
    pub frame_bytes_max: u32,
    /// How long a token made with command 8 is valid.
    pub token_ttl: Millis,
    /// Whether a client receives messages from the start, not only once it has posted.
    pub messages: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { frame_bytes_max: 65_536, token_ttl: Millis::from_hours(24), messages: false }
    }
}

/// The minimum of `frame_bytes_max`: a login with both names at maximum length fits.
const FRAME_BYTES_LEAST: u32 = 1_024;

/// The token dialect.
pub struct TokenFrontend {
    manifest: Manifest,
    options: Options,
}

impl Configure for TokenFrontend {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        if options.frame_bytes_max < FRAME_BYTES_LEAST {
            let why = format!("{} is below {FRAME_BYTES_LEAST}", options.frame_bytes_max);
            return Err(OptionFault::new("frame_bytes_max", why));
        }
        if options.token_ttl == Millis(0) {
            return Err(OptionFault::new("token_ttl", "a token has to be valid for some time"));
        }
        Ok(Self { manifest: manifest(), options })
    }
}

impl Default for TokenFrontend {
    fn default() -> Self {
        Self { manifest: manifest(), options: Options::default() }
    }
}

/// Examples of the JSON objects in frames, taken from the transcripts.
const EXAMPLES: &str = include_str!("../examples.json");

const ABOUT: &str = "Length-prefixed binary frames over TCP. token.ksy has their layout, for the \
    Kaitai Struct compiler; this schema has the JSON objects in their `info`.";

const INFOS: &[Shape] = &[
    Shape::of::<ClientInfo>(),
    Shape::of::<UserInfo>(),
    Shape::of::<RoomInfo>(),
    Shape::of::<MemberInfo<'_>>(),
];

impl Frontend for TokenFrontend {
    fn schemas(&self) -> Vec<Document> {
        let description = Description::of(&self.manifest, ABOUT).with_objects(INFOS);
        let mut documents = description.with_examples(EXAMPLES).documents();
        documents.push(Document {
            name: "token.ksy".into(),
            media_type: "application/yaml".into(),
            text: layout::ksy(&self.manifest.version),
        });
        documents
    }

    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, _peer: &Peer) -> Box<dyn Session> {
        Box::new(TokenSession::new(&self.options))
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        match encode::notification(event) {
            Some(frame) => Broadcast::Everyone(Frame::Bytes(frame)),
            None => Broadcast::Nothing,
        }
    }
}

fn manifest() -> Manifest {
    Manifest {
        dialect: "token".into(),
        title: "binary token protocol".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        listeners: vec![Listener {
            key: "listen".into(),
            transport: Transport::Tcp,
            address: Some("127.0.0.1:5100".into()),
            routes: Vec::new(),
        }],
        upstreams: Vec::new(),
        acknowledges: Acknowledges::default(),
        capabilities: Capabilities {
            post: Support::Emulated,
            receive_push: Support::Emulated,
            receive_poll: Support::Absent,
            direct_messages: Support::Absent,
            presence: Support::Exact,
            history: Support::Absent,
            search: Support::Absent,
            credentials: Support::Absent,
        },
        fidelity: Some(fidelity::fidelity()),
        // A heartbeat, and the twelve bytes of its reply.
        hint: r"printf '\0\0\0\6\0\11\0\0\0\1' | curl -sm1 telnet://{listen} | xxd".into(),
        options: schemars::schema_for!(Options).to_value(),
    }
}
