//! What a front end declares to the host before the first connection.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::fidelity::Fidelity;
use crate::support::Support;

/// What the operator and the host need to know of a dialect.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Manifest {
    /// The name used in gateway.toml: `chatroom`.
    pub dialect: String,
    /// A few words: `auth/chatroom REST + WebSocket`.
    pub title: String,
    pub version: String,
    pub listeners: Vec<Listener>,
    /// The servers that its sessions ask with [`Output::Fetch`](crate::Output::Fetch).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub upstreams: Vec<Upstream>,
    /// How its clients show that they have what was delivered to their user.
    #[serde(default, skip_serializing_if = "Acknowledges::is_default")]
    pub acknowledges: Acknowledges,
    #[serde(default)]
    pub capabilities: Capabilities,
    /// What its clients can give and see, field by field. Without it the contract says "unknown".
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fidelity: Option<Fidelity>,
    /// A command that tries the front end, with `{<listener key>}` in place of an address.
    #[serde(default)]
    pub hint: String,
    /// JSON Schema of the options in its section of gateway.toml.
    #[serde(default = "no_options")]
    pub options: serde_json::Value,
}

/// The schema of a dialect without options.
fn no_options() -> serde_json::Value {
    serde_json::json!({ "type": "object", "properties": {}, "additionalProperties": false })
}

/// One address that a front end listens on.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Listener {
    /// The key in gateway.toml that sets the address: `listen`.
    pub key: String,
    pub transport: Transport,
    /// The address when the key is absent. None: without the key it does not listen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// For HTTP: the paths it answers, so that several front ends can share an address.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes: Vec<Route>,
}

/// Which clients acknowledge messages in the dialect's own words, which the session passes on with
/// [`Output::Acknowledge`](crate::Output::Acknowledge).
///
/// For the others the host goes by what the transport shows: the pong to a WebSocket ping, and on a
/// TCP stream the bytes that the peer's system has acknowledged before a sign of life. But a WebSocket
/// library sends pongs by itself, before the client's program takes the message, and the peer of a TCP
/// stream may be a proxy, whose system has bytes that the client never gets. So neither counts for a
/// client that can answer; nor, whatever the manifest says, for one that has answered since it signed
/// in.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Acknowledges {
    /// Those that choose to.
    #[default]
    Optional,
    /// Those that name a device when they sign in
    /// ([`Delivery::device`](core_model::Delivery::device)).
    Devices,
    /// All.
    All,
}

impl Acknowledges {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }

    /// Whether a client that signs in from this device, or from "", acknowledges in words.
    pub fn applies_to(self, device: &str) -> bool {
        match self {
            Self::Optional => false,
            Self::Devices => !device.is_empty(),
            Self::All => true,
        }
    }
}

/// A server that the sessions of a front end ask over HTTP. The host makes the requests, each a GET
/// without redirects; the front end knows neither sockets nor the secret.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Upstream {
    /// What [`Fetch::upstream`](crate::Fetch::upstream) says, and the option that describes the
    /// server, for messages to the operator: `code_exchange`.
    pub key: String,
    /// The URL, http or https. After the host, `{secret}` stands for the secret and any other
    /// `{name}` for a field of the [`Fetch`](crate::Fetch), percent-encoded.
    pub url: String,
    /// The path of a file whose one line is the secret, relative to the folder of gateway.toml.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_file: Option<String>,
    /// How long a request may take, from the look-up of the name to the end of the body.
    pub timeout_ms: u64,
}

/// The transport of a listener.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Http,
    /// A TCP stream of bytes, which the session splits into frames.
    Tcp,
    /// A TCP stream of lines. The host splits it, and skips blank lines.
    TcpLines,
    /// WebSocket upgrades on any path.
    WebSocket,
}

/// A path with the methods it answers (HEAD and OPTIONS are understood).
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Route {
    pub path: String,
    pub methods: Vec<String>,
    /// What is at the path.
    #[serde(default, skip_serializing_if = "RouteKind::is_default")]
    pub kind: RouteKind,
}

/// What is at a path of an HTTP listener.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum RouteKind {
    /// An operation of the dialect, or a file.
    #[default]
    Operation,
    /// A page that changes nothing. Links of other sites may lead to it.
    Page,
    /// A WebSocket: the path takes upgrades, beside the other paths of the listener.
    WebSocket,
}

impl RouteKind {
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// What clients of a dialect can do, as `dragoman dialects` shows it and tests check it.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Capabilities {
    pub post: Support,
    pub receive_push: Support,
    pub receive_poll: Support,
    pub direct_messages: Support,
    pub presence: Support,
    pub history: Support,
    pub search: Support,
    /// Whether the dialect itself authenticates users.
    pub credentials: Support,
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::fidelity::{Field, Pair};

    #[test]
    fn a_manifest_without_the_section_and_one_of_a_later_version_can_be_read() {
        let manifest = json!({ "dialect": "x", "title": "x", "version": "1", "listeners": [] });
        let manifest: Manifest = serde_json::from_value(manifest).expect("a manifest");
        assert_eq!(manifest.fidelity, None);
        assert!(!serde_json::to_string(&manifest).expect("JSON").contains("fidelity"));

        let later = json!({ "fields": { "message.mood": { "given": { "support": "exact" } } } });
        let later: Fidelity =
            serde_json::from_value(later).expect("what is unknown is passed over");
        let pair = Pair::of(Some(&later), None);
        assert_eq!(pair.unknown.len(), Field::ALL.len());
    }
}
