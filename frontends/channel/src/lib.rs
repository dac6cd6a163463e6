//! The channel dialect: accounts, channels and direct messages, `POST` with JSON, received by
//! polling.
//!
//! `docs/dialects/channel.md` is the dialect in words; `endpoints/` has one file an operation.

mod endpoints;
mod fidelity;
mod refusal;

use std::sync::Arc;

use frontend_api::duration::Millis;
use frontend_api::http::{Charset, Endpoint, Exchange, HttpDialect, HttpError, Response};
use frontend_api::schema::{About, Description, Document, Scheme, Shape, Where};
use frontend_api::{
    Acknowledges, Capabilities, Configure, Frontend, Listener, Manifest, OptionFault, Peer,
    Session, Support, Transport,
};
use jiff::tz::TimeZone;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use refusal::Failure;

/// The name in gateway.toml, and what this dialect's tokens are for.
const DIALECT: &str = "channel";

/// The dialect's own keys in its section of gateway.toml.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How long a token is valid; each use extends it by that time.
    pub token_ttl: Millis,
    /// How many of the newest messages of a channel a member is given the first time; with
    /// `receive = "history"`, every time.
    pub history: u32,
    /// The most messages in one reply; the rest is in the next.
    pub receive_max: u32,
    /// Whether sending to a channel that does not exist creates it.
    pub auto_create: bool,
    /// What the two receive paths return.
    pub receive: Receive,
    /// The time zone of `datetime`, by its IANA name.
    pub timezone: String,
    /// The charset of query strings, and of forms that do not name theirs: `utf-8` or `gbk`. JSON
    /// and replies are in UTF-8.
    pub charset: Charset,
}

/// Which messages the two receive paths give.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Receive {
    /// Those not received yet.
    Unread,
    /// Always the newest `history`.
    History,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            token_ttl: Millis::from_days(7),
            history: 100,
            receive_max: 1000,
            auto_create: true,
            receive: Receive::Unread,
            timezone: "UTC".into(),
            charset: Charset::default(),
        }
    }
}

/// The channel dialect, as the host sees it.
pub struct ChannelFrontend {
    manifest: Manifest,
    channel: Arc<Channel>,
}

/// What its endpoints know.
struct Channel {
    options: Options,
    timezone: TimeZone,
}

/// Examples of everything, from the transcripts.
const EXAMPLES: &str = include_str!("../examples.json");

const ABOUT: &str = "Accounts, channels and direct messages, received by polling. Every request \
    is a POST of a JSON object or a form; its fields are also taken from the query string. A \
    repeated request with the same `Idempotency-Key` header gets the first answer.";

/// The ways to show a token, and to get past an operator's guard.
const SCHEMES: &[Scheme] = &[
    Scheme {
        name: "bearer",
        about: "The token that `/login` gave.",
        place: Where::Bearer,
        signs_in: true,
    },
    Scheme {
        name: "tokenHeader",
        about: "The token that `/login` gave.",
        place: Where::Header("token"),
        signs_in: true,
    },
    Scheme {
        name: "tokenQuery",
        about: "The token that `/login` gave; it may be a field of the body, too.",
        place: Where::Query("token"),
        signs_in: true,
    },
    Scheme {
        name: "apiKey",
        about: "One of `api_keys`, where the operator asks for one.",
        place: Where::Header("X-Api-Key"),
        signs_in: false,
    },
];

impl HttpDialect for Channel {
    fn about(&self) -> About {
        About { text: ABOUT, fault: Shape::of::<Failure<'static>>(), schemes: SCHEMES }
    }

    fn endpoints(&self) -> &'static [Endpoint<Self>] {
        endpoints::ALL
    }

    fn charset(&self) -> Charset {
        self.options.charset
    }

    fn fault(&self, fault: &HttpError) -> Response {
        refusal::fault(fault)
    }
}

impl Configure for ChannelFrontend {
    type Options = Options;

    fn configure(options: Options) -> Result<Self, OptionFault> {
        let timezone = check(&options)?;
        let channel = Channel { options, timezone };
        Ok(Self { manifest: manifest(&channel), channel: Arc::new(channel) })
    }
}

fn check(options: &Options) -> Result<TimeZone, OptionFault> {
    let Options { token_ttl, history, receive_max, timezone, .. } = options;
    if *token_ttl == Millis(0) {
        return Err(OptionFault::new("token_ttl", "a token that lasts 0s never signs a user in"));
    }
    if *history == 0 {
        return Err(OptionFault::new("history", "must be at least 1"));
    }
    if receive_max < history {
        let why = format!("{receive_max} is less than history, {history}, which is one reply");
        return Err(OptionFault::new("receive_max", why));
    }
    TimeZone::get(timezone)
        .map_err(|_| OptionFault::new("timezone", format!("{timezone:?} is not an IANA time zone")))
}

fn manifest(channel: &Channel) -> Manifest {
    Manifest {
        dialect: DIALECT.into(),
        title: "channel API, REST".into(),
        version: env!("CARGO_PKG_VERSION").into(),
        listeners: vec![Listener {
            key: "listen".into(),
            transport: Transport::Http,
            address: Some("127.0.0.1:5004".into()),
            routes: channel.routes(),
        }],
        upstreams: Vec::new(),
        acknowledges: Acknowledges::default(),
        capabilities: Capabilities {
            post: Support::Exact,
            receive_push: Support::Absent,
            receive_poll: Support::Exact,
            direct_messages: Support::Exact,
            presence: Support::Absent,
            history: Support::Emulated,
            search: Support::Absent,
            credentials: Support::Exact,
        },
        fidelity: Some(fidelity::fidelity()),
        hint: "curl http://{listen}/register -d 'name=ann&password=secret&password_repete=secret'"
            .into(),
        options: schemars::schema_for!(Options).to_value(),
    }
}

impl Frontend for ChannelFrontend {
    fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        Box::new(Exchange::new(Arc::clone(&self.channel), peer))
    }

    fn schemas(&self) -> Vec<Document> {
        let description = Description::of(&self.manifest, ABOUT);
        description.with_endpoints(&*self.channel).with_examples(EXAMPLES).documents()
    }

    fn fault(&self, fault: &HttpError) -> Response {
        self.channel.fault(fault)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(options: Options) -> Option<OptionFault> {
        ChannelFrontend::configure(options).err()
    }

    #[test]
    fn the_defaults_make_sense() {
        assert_eq!(fault(Options::default()), None);
    }

    #[test]
    fn options_that_make_no_sense_are_refused_by_key() {
        let options = Options::default;
        let cases = [
            ("token_ttl", Options { token_ttl: Millis(0), ..options() }),
            ("history", Options { history: 0, ..options() }),
            ("receive_max", Options { history: 101, receive_max: 100, ..options() }),
            ("timezone", Options { timezone: "Mars/Olympus".into(), ..options() }),
        ];
        for (key, options) in cases {
            assert_eq!(fault(options).expect(key).key, key);
        }
    }

    #[test]
    fn every_zone_of_the_tz_database_is_known_wherever_the_gateway_runs() {
        for timezone in ["UTC", "Asia/Shanghai", "America/Argentina/Ushuaia"] {
            let options = Options { timezone: timezone.into(), ..Options::default() };
            assert_eq!(fault(options), None, "{timezone}");
        }
    }
}
