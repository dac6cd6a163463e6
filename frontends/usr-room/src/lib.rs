//! The usr/room REST dialect: a trusted app backend, which names the caller of each request, makes
//! rooms, and posts and polls messages.
//!
//! It has two flavors: the document's, and the one that the deployed mini-program reads.

mod code_exchange;
mod encode;
mod endpoints;
mod fidelity;
mod parse;
mod refusal;

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::Outcome;
use frontend_api::duration::Millis;
use frontend_api::http::{Action, Charset, Endpoint, Exchange, HttpDialect, HttpError, Response};
use frontend_api::schema::{About, Description, Document, Scheme, Shape, Where};
use frontend_api::{
    Acknowledges, Capabilities, Configure, Frontend, Listener, Manifest, OptionFault, Peer,
    Session, Support, Transport,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use code_exchange::CodeExchange;
use refusal::Failure;

/// The front end `usr_room`.
pub struct UsrRoomFrontend {
    manifest: Manifest,
    dialect: Arc<UsrRoom>,
}

/// The dialect's own keys of `[frontends.usr_room]`.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// Which app the openids belong to: users are `openid:<openid_type>/<openid>`.
    pub openid_type: String,
    /// The form of the replies.
    pub flavor: Flavor,
    /// The most messages in one reply of `/room/get_message`.
    pub history: u32,
    /// The charset of query strings, and of forms that do not name theirs: `utf-8` or `gbk`. JSON
    /// and replies are in UTF-8.
    pub charset: Charset,
    /// The URL at which `/login` exchanges a code for an openid, with `{code}` and `{secret}` in
    /// it; "" asks no server. Flavor miniprogram only.
    pub code_exchange: String,
    /// The file whose one line is `{secret}`, relative to the folder of gateway.toml.
    pub code_exchange_secret_file: String,
    /// How long that server may take.
    pub code_exchange_timeout: Millis,
    /// Codes with their openids, about which no server is asked, for tests and private apps.
    pub code_exchange_codes: BTreeMap<String, String>,
}

/// The form of the replies, and the set of endpoints.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Flavor {
    /// The document's: every reply is one object.
    #[default]
    Document,
    /// The one that the deployed mini-program reads.
    Miniprogram,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            openid_type: "wechat".into(),
            flavor: Flavor::default(),
            history: 200,
            charset: Charset::default(),
            code_exchange: String::new(),
            code_exchange_secret_file: String::new(),
            code_exchange_timeout: Millis::from_secs(5),
            code_exchange_codes: BTreeMap::new(),
        }
    }
}

/// The configuration, as the endpoints use it.
pub(crate) struct UsrRoom {
    /// The realm of its users' identities: `openid:wechat`.
    realm: String,
    flavor: Flavor,
    history: u32,
    charset: Charset,
    code_exchange: Option<CodeExchange>,
}

/// Examples from the transcripts of each flavor.
const DOCUMENT_EXAMPLES: &str = include_str!("../examples/document.json");
const MINIPROGRAM_EXAMPLES: &str = include_str!("../examples/miniprogram.json");

const ABOUT: &str = "Users, rooms and messages for a trusted app backend, which names the caller \
    of each request. Every request is a POST of a JSON object or a form; its fields are also \
    taken from the query string. `response_code` is 1 for success and 0 for failure. A repeated \
    request with the same `Idempotency-Key` header gets the first answer.";

/// The ways to send an API key.
const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "apiKey",
        about: "One of `api_keys`, if the operator has configured any.",
        place: Where::Header("X-Api-Key"),
        signs_in: false,
    },
    Scheme {
        name: "bearer",
        about: "One of `api_keys`, if the operator has configured any.",
        place: Where::Bearer,
        signs_in: false,
    },
];

impl HttpDialect for UsrRoom {
    fn about(&self) -> About {
        About { text: ABOUT, fault: Shape::of::<Failure>(), schemes: SCHEMES }
    }

    fn endpoints(&self) -> &'static [Endpoint<Self>] {
        match self.flavor {
            Flavor::Document => endpoints::DOCUMENT,
            Flavor::Miniprogram => endpoints::MINIPROGRAM,
        }
    }

    fn charset(&self) -> Charset {
        self.charset
    }

    fn after_fetch(
        &self,
        _: &str,
        fields: &mut Map<String, Value>,
        outcome: &Outcome,
    ) -> Result<Action, Response> {
        endpoints::after_fetch(self, fields, outcome)
    }

    fn fault(&self, fault: &HttpError) -> Response {
        refusal::fault(fault)
    }
}

impl Configure for UsrRoomFrontend {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        check(&options)?;
        let realm = format!("openid:{}", options.openid_type);
        let code_exchange = CodeExchange::of(&options)?;
        let Options { flavor, history, charset, .. } = options;
        let dialect = UsrRoom { realm, flavor, history, charset, code_exchange };
        Ok(Self { manifest: manifest(&dialect), dialect: Arc::new(dialect) })
    }
}

/// A slash in the type would make two identities equal: `a/b` with `c`, and `a` with `b/c`.
fn check(options: &Options) -> Result<(), OptionFault> {
    let kind = &options.openid_type;
    if kind.is_empty() || kind.contains('/') || kind.chars().any(char::is_control) {
        let why = format!("{kind:?} is empty, or contains a slash or a control character");
        return Err(OptionFault::new("openid_type", why));
    }
    if options.history == 0 {
        return Err(OptionFault::new("history", "0 would hide every message; it is at least 1"));
    }
    Ok(())
}

impl Frontend for UsrRoomFrontend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        Box::new(Exchange::new(self.dialect.clone(), peer))
    }

    fn schemas(&self) -> Vec<Document> {
        let examples = match self.dialect.flavor {
            Flavor::Document => DOCUMENT_EXAMPLES,
            Flavor::Miniprogram => MINIPROGRAM_EXAMPLES,
        };
        let description = Description::of(&self.manifest, ABOUT);
        description.with_endpoints(&*self.dialect).with_examples(examples).documents()
    }

    fn fault(&self, fault: &HttpError) -> Response {
        refusal::fault(fault)
    }
}

fn manifest(dialect: &UsrRoom) -> Manifest {
    Manifest {
        dialect: "usr_room".into(),
        title: "usr/room REST".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        listeners: vec![Listener {
            key: "listen".into(),
            transport: Transport::Http,
            address: Some("127.0.0.1:5001".into()),
            routes: dialect.routes(),
        }],
        upstreams: dialect.code_exchange.iter().filter_map(CodeExchange::upstream).collect(),
        acknowledges: Acknowledges::default(),
        capabilities: Capabilities {
            post: Support::Exact,
            receive_push: Support::Absent,
            receive_poll: Support::Exact,
            direct_messages: Support::Absent,
            presence: Support::Absent,
            history: Support::Exact,
            search: Support::Exact,
            credentials: Support::Absent,
        },
        fidelity: Some(fidelity::fidelity(dialect.flavor)),
        hint: "curl -s http://{listen}/time".into(),
        options: schemars::schema_for!(Options).to_value(),
    }
}
