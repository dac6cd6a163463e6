//! The chatroom dialect: accounts, rooms and seats over HTTP, talk over WebSocket.
//!
//! Its contract is docs/dialects/chatroom.md.

mod encode;
pub mod endpoints;
mod fidelity;
pub mod packet;
mod page;
mod parse;
mod refusal;
mod reply;
mod session;
mod sign_in;
pub mod words;

use std::sync::Arc;

use core_model::Recorded;
use frontend_api::duration::Millis;
use frontend_api::http::{Charset, Exchange, HttpDialect, HttpError, Response};
use frontend_api::schema::{About, Description, Document, Message, Scheme, Shape, Where};
use frontend_api::{
    Acknowledges, Broadcast, Capabilities, Configure, Frontend, Listener, Manifest, OptionFault,
    Peer, Session, Support, Transport,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use endpoints::FaultReply;
use packet::{
    ClientJoin, ClientLeave, ClientMsg, ServerCaughtUp, ServerError, ServerGap, ServerMsg,
    ServerPosted, ServerUser,
};
use page::PageSession;
use session::ChatSession;
pub use sign_in::SignInByAddress;

/// The cookie that `/auth/login` sets.
pub(crate) const COOKIE: &str = "dragoman_chatroom";

/// What the tokens in that cookie are for.
pub(crate) const TOKEN_PURPOSE: &str = "chatroom";

/// The keys of the dialect's own in `[frontends.chatroom]`.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Whether a `user_name` that no account owns may be used, by anyone.
    pub guests: bool,
    /// Whether a login counts for the client's address, for clients that keep no cookies: `true`,
    /// `false`, or `"once"` for one join under that very name. Absent: `"once"` while the
    /// listener's address is loopback or private, else `false`. It never counts through a proxy.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sign_in_by_address: Option<SignInByAddress>,
    /// How soon after a login the join must follow, with `sign_in_by_address = "once"`.
    pub sign_in_once_ttl: Millis,
    /// To which pages browsers send the cookie of a login: `lax` for those of the same site, `none`
    /// for those of every site, over https only. `none` is for pages of `cors_origins`.
    pub cookie_same_site: SameSite,
    /// Which accounts `/auth/user_data` shows.
    pub user_data: UserData,
    /// How long a login counts.
    pub sign_in_ttl: Millis,
    /// How long a seat taken by `/chatroom/room` is kept while no WebSocket uses it.
    pub seat_ttl: Millis,
    /// How long such a seat is kept after the WebSocket that used it dropped.
    pub seat_grace: Millis,
    /// How many rooms `/chatroom/list` lists at most, the oldest.
    pub list_max: u32,
    /// The charset of query strings, and of forms that do not name theirs: `utf-8` or `gbk`. JSON
    /// and replies are in UTF-8.
    pub charset: Charset,
    /// Whether `listen` serves a web page to chat in, at `/`.
    pub page: bool,
}

/// The pages to which browsers send a cookie.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum SameSite {
    Lax,
    None,
}

/// Which accounts `/auth/user_data` shows: each shows a telephone number.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum UserData {
    /// None.
    Off,
    /// The caller's own, which must be signed in.
    Own,
    /// Everyone's, to everyone.
    All,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            guests: true,
            sign_in_by_address: None,
            sign_in_once_ttl: Millis::from_secs(60),
            cookie_same_site: SameSite::Lax,
            user_data: UserData::Own,
            sign_in_ttl: Millis::from_hours(12),
            seat_ttl: Millis::from_mins(10),
            seat_grace: Millis::from_secs(60),
            list_max: 10_000,
            charset: Charset::default(),
            page: false,
        }
    }
}

/// The front end `chatroom`.
pub struct ChatroomFrontend {
    dialect: Arc<Chatroom>,
    manifest: Manifest,
}

/// What all its sessions share.
pub struct Chatroom {
    pub(crate) options: Options,
}

impl Configure for ChatroomFrontend {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        for (key, value) in [("sign_in_ttl", options.sign_in_ttl), ("seat_ttl", options.seat_ttl)] {
            if value == Millis(0) {
                return Err(OptionFault::new(key, "must be longer than no time at all"));
            }
        }
        let once = options.sign_in_by_address == Some(SignInByAddress::Once);
        if once && options.sign_in_once_ttl >= options.sign_in_ttl {
            return Err(OptionFault::new("sign_in_once_ttl", "must be shorter than sign_in_ttl"));
        }
        if options.list_max == 0 {
            return Err(OptionFault::new("list_max", "must be at least 1"));
        }
        let dialect = Chatroom { options };
        Ok(Self { manifest: manifest(&dialect), dialect: Arc::new(dialect) })
    }
}

impl Default for ChatroomFrontend {
    fn default() -> Self {
        Self::configure(Options::default()).expect("the defaults make sense")
    }
}

impl Frontend for ChatroomFrontend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        let dialect = Arc::clone(&self.dialect);
        match &peer.upgrade {
            Some(upgrade) => Box::new(ChatSession::new(dialect, peer, upgrade)),
            None if dialect.options.page => Box::new(PageSession::new(dialect, peer)),
            None => Box::new(Exchange::new(dialect, peer)),
        }
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        encode::broadcast(&event.event)
    }

    fn schemas(&self) -> Vec<Document> {
        let description = Description::of(&self.manifest, ABOUT).with_endpoints(&*self.dialect);
        description.with_messages("type", PACKETS).with_examples(EXAMPLES).documents()
    }

    fn fault(&self, fault: &HttpError) -> Response {
        self.dialect.fault(fault)
    }
}

/// Examples of everything, from the transcripts.
const EXAMPLES: &str = include_str!("../examples.json");

const ABOUT: &str = "Accounts, rooms and seats over HTTP, talk over a WebSocket. The parameters \
    of a request stand in the query string, in a form or in a JSON object. `res` is the result. A \
    repeated request with the same `Idempotency-Key` header gets the first answer.";

/// The user's proofs, and the way past an operator's guard.
const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "cookie",
        about: "What `/auth/login` sets. Only names that belong to an account need it.",
        place: Where::Cookie(COOKIE),
        signs_in: false,
    },
    Scheme {
        name: "apiKey",
        about: "One of `api_keys`, where the operator asks for one.",
        place: Where::Header("X-Api-Key"),
        signs_in: false,
    },
];

/// All packets of the WebSocket.
const PACKETS: &[Message] = &[
    Message::from_client::<ClientJoin>(),
    Message::from_client::<ClientMsg>(),
    Message::from_client::<ClientLeave>(),
    Message::from_server::<ServerUser<'_>>(),
    Message::from_server::<ServerMsg<'_>>(),
    Message::from_server::<ServerCaughtUp<'_>>(),
    Message::from_server::<ServerGap<'_>>(),
    Message::from_server::<ServerPosted<'_>>(),
    Message::from_server::<ServerError<'_>>(),
];

impl HttpDialect for Chatroom {
    fn about(&self) -> About {
        About { text: ABOUT, fault: Shape::of::<FaultReply>(), schemes: SCHEMES }
    }

    fn endpoints(&self) -> &'static [frontend_api::http::Endpoint<Self>] {
        endpoints::ALL
    }

    fn charset(&self) -> Charset {
        self.options.charset
    }

    fn not_text(&self, path: &str, field: &str) -> Option<Response> {
        endpoints::not_text(path, field)
    }

    fn fault(&self, fault: &HttpError) -> Response {
        Response::json(fault.status, &FaultReply { res: fault.reason.clone() })
    }
}

fn manifest(dialect: &Chatroom) -> Manifest {
    let page = if dialect.options.page { page::routes() } else { Vec::new() };
    let listen = Listener {
        key: "listen".into(),
        transport: Transport::Http,
        address: Some("127.0.0.1:5000".into()),
        routes: dialect.routes().into_iter().chain(page).collect(),
    };
    let websocket_listen = Listener {
        key: "websocket_listen".into(),
        transport: Transport::WebSocket,
        address: Some("127.0.0.1:2333".into()),
        routes: Vec::new(),
    };
    Manifest {
        dialect: "chatroom".into(),
        title: "auth/chatroom REST + WebSocket".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        listeners: vec![listen, websocket_listen],
        upstreams: Vec::new(),
        acknowledges: Acknowledges::default(),
        capabilities: Capabilities {
            post: Support::Exact,
            receive_push: Support::Exact,
            receive_poll: Support::Absent,
            direct_messages: Support::Absent,
            presence: Support::Exact,
            history: Support::Absent,
            search: Support::Absent,
            // The document has a login, but nothing that carries it to the WebSocket.
            credentials: Support::Emulated,
        },
        fidelity: Some(fidelity::fidelity()),
        hint: "curl http://{listen}/chatroom/list".into(),
        options: schemars::schema_for!(Options).to_value(),
    }
}
