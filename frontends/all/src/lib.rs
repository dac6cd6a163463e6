//! The table of dialects, one row each.
//!
//! The gateway links what is listed here, and the tests of the plugin loader, of the plugins and
//! of the whole gateway run over the same rows. A new dialect is a folder in `frontends/`, its row
//! here, a section in gateway.toml, a page in docs/dialects and a row in the matrix of `tests/`.

use std::sync::Arc;

use frontend_api::{Configure, Frontend, Manifest, OptionFault};
use frontend_channel::ChannelFrontend;
use frontend_chatroom::ChatroomFrontend;
use frontend_irc::IrcFrontend;
use frontend_ourchat::OurchatFrontend;
use frontend_token::TokenFrontend;
use frontend_usr_room::UsrRoomFrontend;
use serde_json::{Map, Value};

/// The linked dialects, in the order of the documentation.
pub const DIALECTS: &[Dialect] = &[
    Dialect::new::<TokenFrontend>("token"),
    Dialect::new::<UsrRoomFrontend>("usr_room").for_a_trusted_app().with_variant(Variant {
        name: "miniprogram",
        key: "flavor",
        value: "miniprogram",
    }),
    Dialect::new::<ChatroomFrontend>("chatroom").risky(
        "sign_in_by_address",
        "every client at the address of a user who has signed in can act as that user; behind a \
         reverse proxy or a router that is every client",
    ).with_cookies("cookie_same_site"),
    Dialect::new::<OurchatFrontend>("ourchat").with_variant(Variant {
        name: "strings",
        key: "ocid",
        value: "string",
    }),
    Dialect::new::<ChannelFrontend>("channel"),
    Dialect::new::<IrcFrontend>("irc").with_alpn("irc").with_tls_port("sts_port"),
];

/// The front end that a dialect's own keys make, or what is wrong with each key.
pub type Configured = Result<Arc<dyn Frontend>, Vec<OptionFault>>;

/// One dialect, before it is configured.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// The name of its section in gateway.toml.
    pub name: &'static str,
    /// Whether it takes its peer's word for who a user is, without credentials. Only the app in
    /// front of it may reach it then.
    pub trusted_app: bool,
    /// A key of its own that deserves a warning when it is `true`: the key, and why.
    pub risky: Option<(&'static str, &'static str)>,
    /// The key of its own that says to which sites browsers send its cookies, if it has cookies.
    pub cookie_key: Option<&'static str>,
    /// The key of its own with the port at which it sends clients to TLS, if it does.
    pub tls_port_key: Option<&'static str>,
    /// What it is called in a TLS handshake (ALPN) where it is neither HTTP nor WebSocket, if the
    /// IANA has a name for it.
    pub alpn: Option<&'static str>,
    /// An option that changes the wire format.
    pub variant: Option<Variant>,
    configure: fn(Map<String, Value>) -> Configured,
    in_full: fn(Map<String, Value>) -> Value,
    manifest: fn() -> Manifest,
}

/// An option that changes a dialect's wire format, so that it has schemas of its own.
#[derive(Clone, Copy, Debug)]
pub struct Variant {
    /// The folder of its schemas, within the dialect's.
    pub name: &'static str,
    pub key: &'static str,
    pub value: &'static str,
}

impl Variant {
    /// The options that select it, all others at their defaults.
    pub fn options(&self) -> Map<String, Value> {
        Map::from_iter([(self.key.to_owned(), self.value.into())])
    }
}

/// The row of a dialect.
pub fn find(name: &str) -> Option<&'static Dialect> {
    DIALECTS.iter().find(|dialect| dialect.name == name)
}

impl Dialect {
    pub const fn new<D: Configure>(name: &'static str) -> Self {
        Self {
            name,
            trusted_app: false,
            risky: None,
            cookie_key: None,
            tls_port_key: None,
            alpn: None,
            variant: None,
            configure: configure::<D>,
            in_full: in_full::<D>,
            manifest: manifest::<D>,
        }
    }

    /// See [`Dialect::trusted_app`].
    pub const fn for_a_trusted_app(self) -> Self {
        Self { trusted_app: true, ..self }
    }

    /// See [`Dialect::risky`].
    pub const fn risky(self, key: &'static str, why: &'static str) -> Self {
        Self { risky: Some((key, why)), ..self }
    }

    /// See [`Dialect::cookie_key`].
    pub const fn with_cookies(self, key: &'static str) -> Self {
        Self { cookie_key: Some(key), ..self }
    }

    /// See [`Dialect::tls_port_key`].
    pub const fn with_tls_port(self, key: &'static str) -> Self {
        Self { tls_port_key: Some(key), ..self }
    }

    /// See [`Dialect::alpn`].
    pub const fn with_alpn(self, name: &'static str) -> Self {
        Self { alpn: Some(name), ..self }
    }

    /// See [`Dialect::variant`].
    pub const fn with_variant(self, variant: Variant) -> Self {
        Self { variant: Some(variant), ..self }
    }

    /// The name of its folder in `frontends/` and of its plugin: `usr-room`.
    pub fn folder(&self) -> String {
        self.name.replace('_', "-")
    }

    /// Makes the front end from its own keys, or says what is wrong with each.
    pub fn configure(&self, options: Map<String, Value>) -> Configured {
        (self.configure)(options)
    }

    /// Its own keys, the absent ones at their defaults. Keys that cannot be read stay as given.
    pub fn in_full(&self, options: Map<String, Value>) -> Value {
        (self.in_full)(options)
    }

    /// The manifest with all options at their defaults; it holds the options' JSON Schema.
    pub fn manifest(&self) -> Manifest {
        (self.manifest)()
    }

    /// The dialect's own keys.
    pub fn option_keys(&self) -> Vec<String> {
        let schema = self.manifest().options;
        let properties = schema.get("properties").and_then(Value::as_object);
        properties.into_iter().flatten().map(|(key, _)| key.clone()).collect()
    }
}

fn configure<D: Configure>(options: Map<String, Value>) -> Configured {
    Ok(Arc::new(frontend_api::options::configure::<D>(options)?))
}

fn in_full<D: Configure>(options: Map<String, Value>) -> Value {
    let given = Value::Object(options);
    let options = serde_json::from_value::<D::Options>(given.clone());
    options.and_then(serde_json::to_value).unwrap_or(given)
}

fn manifest<D: Configure>() -> Manifest {
    let frontend = D::configure(D::Options::default());
    frontend.unwrap_or_else(|fault| panic!("a default is refused: {fault:?}")).manifest().clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_has_the_name_in_its_manifest() {
        for dialect in DIALECTS {
            assert_eq!(dialect.manifest().dialect, dialect.name);
        }
    }

    #[test]
    fn every_dialect_has_options() {
        for dialect in DIALECTS {
            assert!(!dialect.option_keys().is_empty(), "{}", dialect.name);
        }
    }

    #[test]
    fn every_dialect_and_its_variant_can_be_configured() {
        for dialect in DIALECTS {
            let variant = dialect.variant.map(|variant| variant.options());
            for options in [Map::new()].into_iter().chain(variant) {
                assert!(dialect.configure(options).is_ok(), "{}", dialect.name);
            }
        }
    }

    #[test]
    fn every_risky_key_is_an_option_of_its_dialect() {
        for dialect in DIALECTS {
            let risky = dialect.risky.map(|(key, _)| key);
            for key in [risky, dialect.cookie_key, dialect.tls_port_key].into_iter().flatten() {
                assert!(dialect.option_keys().contains(&key.to_owned()), "{key}");
            }
        }
    }

    #[test]
    fn an_absent_option_is_at_its_default() {
        for dialect in DIALECTS {
            let all = dialect.in_full(Map::new());
            let Value::Object(given) = all.clone() else { panic!("{} has keys", dialect.name) };
            assert_eq!(dialect.in_full(given), all);
        }
        let dialect = Dialect::new::<ChannelFrontend>("channel");
        let other = dialect.in_full(Map::from_iter([("history".to_owned(), Value::from(7))]));
        assert_ne!(other, dialect.in_full(Map::new()));
    }

    #[test]
    fn every_wrong_option_is_named_with_the_reason() {
        let dialect = Dialect::new::<ChannelFrontend>("channel");
        let wrong = serde_json::json!({
            "auto_create": "maybe", "history": -1, "receive": "some", "token_ttl": "1 week"
        });
        let Value::Object(wrong) = wrong else { unreachable!("an object") };
        let faults = dialect.configure(wrong).err().expect("four things are wrong");
        let faults: Vec<String> = faults.iter().map(|f| format!("{}: {}", f.key, f.why)).collect();
        insta::assert_snapshot!(faults.join("\n"), @r#"
        auto_create: expected true or false
        history: expected a whole number, not below 0
        receive: expected "unread" or "history"
        token_ttl: "1 week" is not a duration: digits and ms, s, m, h or d, such as "90s" or "12h"
        "#);
    }
}
