//! The table of dialects, one row each. Adding a dialect to the gateway is adding its row.

use std::sync::Arc;

use frontend_api::{Configure, Frontend, Manifest, OptionFault};
use frontend_channel::ChannelFrontend;
use frontend_chatroom::ChatroomFrontend;
use frontend_irc::IrcFrontend;
use frontend_ourchat::OurchatFrontend;
use frontend_token::TokenFrontend;
use frontend_usr_room::UsrRoomFrontend;
use serde_json::{Map, Value};

/// The dialects that are linked in, in the order of the documentation.
pub const DIALECTS: &[Dialect] = &[
    Dialect::new::<TokenFrontend>("token"),
    Dialect::new::<UsrRoomFrontend>("usr_room").for_a_trusted_app(),
    Dialect::new::<ChatroomFrontend>("chatroom").risky_in_public(
        "sign_in_by_address",
        "whoever shares an address with somebody who signed in, behind one router or proxy, may \
         use that name",
    ),
    Dialect::new::<OurchatFrontend>("ourchat"),
    Dialect::new::<ChannelFrontend>("channel"),
    Dialect::new::<IrcFrontend>("irc"),
];

/// What becomes of a dialect's own keys: the front end, or what is wrong with each.
pub type Configured = Result<Arc<dyn Frontend>, Vec<OptionFault>>;

/// One dialect, before it is configured.
#[derive(Clone, Copy)]
pub struct Dialect {
    /// The name of its section in gateway.toml.
    pub name: &'static str,
    /// Whether it believes what it is told without any credentials, so that only the app in front
    /// of it may reach it.
    pub trusted_app: bool,
    /// A key of its own that deserves a warning when it is on and a listener is reachable from
    /// everywhere: the key, and why.
    pub risky_in_public: Option<(&'static str, &'static str)>,
    configure: fn(Map<String, Value>) -> Configured,
    in_full: fn(Map<String, Value>) -> Value,
    manifest: fn() -> Manifest,
}

impl Dialect {
    pub const fn new<D: Configure>(name: &'static str) -> Self {
        Self {
            name,
            trusted_app: false,
            risky_in_public: None,
            configure: configure::<D>,
            in_full: in_full::<D>,
            manifest: manifest::<D>,
        }
    }

    /// See [`Dialect::trusted_app`].
    pub const fn for_a_trusted_app(self) -> Self {
        Self { trusted_app: true, ..self }
    }

    /// See [`Dialect::risky_in_public`].
    pub const fn risky_in_public(self, key: &'static str, why: &'static str) -> Self {
        Self { risky_in_public: Some((key, why)), ..self }
    }

    /// Makes the front end from its own keys, or says of each what is wrong with it.
    pub fn configure(&self, options: Map<String, Value>) -> Configured {
        (self.configure)(options)
    }

    /// Its own keys, with those that are not given at their defaults. Keys that cannot be read are
    /// as they were given.
    pub fn in_full(&self, options: Map<String, Value>) -> Value {
        (self.in_full)(options)
    }

    /// The manifest of the dialect with all its options at their defaults; it holds the options'
    /// JSON Schema.
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
    fn every_dialect_is_listed_under_the_name_it_gives_itself() {
        for dialect in DIALECTS {
            assert_eq!(dialect.manifest().dialect, dialect.name);
        }
    }

    #[test]
    fn every_dialect_says_which_options_it_has() {
        for dialect in DIALECTS {
            assert!(!dialect.option_keys().is_empty(), "{}", dialect.name);
        }
    }

    #[test]
    fn every_risky_key_is_one_of_the_dialects_own() {
        for dialect in DIALECTS {
            if let Some((key, _)) = dialect.risky_in_public {
                assert!(dialect.option_keys().contains(&key.to_owned()), "{key}");
            }
        }
    }

    #[test]
    fn an_option_at_its_default_is_the_same_as_none() {
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
    fn each_wrong_option_is_named_in_plain_words() {
        let dialect = Dialect::new::<ChannelFrontend>("channel");
        let wrong = serde_json::json!({
            "auto_create": "maybe", "history": -1, "receive": "some", "token_ttl": "1 week"
        });
        let Value::Object(wrong) = wrong else { unreachable!("it is an object") };
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
