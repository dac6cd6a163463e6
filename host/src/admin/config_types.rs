//! The types of the operations on the configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The configuration of a gateway that runs.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ConfigState {
    /// The absolute path of its gateway.toml.
    pub file: String,
    /// The absolute path of its store.
    pub store: String,
    /// The addresses that it has open, those of the admin listeners too.
    pub listening: Vec<String>,
    /// The keys that have another value than at the start, which takes effect at the next start.
    pub restart: Vec<String>,
}

/// A key of the configuration in effect.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct EffectiveKey {
    /// Dotted: `frontends.channel.listen`, `rooms[0].name`.
    pub key: String,
    /// Null: there is no value.
    pub value: serde_json::Value,
    pub layer: ConfigLayer,
    /// Where that is: `gateway.toml:12`, the name of a variable, `--set`.
    pub from: String,
    /// Whether the value is masked.
    pub secret: bool,
}

/// Where a value is from. Each takes precedence over those before it.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ConfigLayer {
    Default,
    File,
    Environment,
    CommandLine,
}

/// A configuration to check.
#[derive(Clone, Debug, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ConfigText {
    /// In the place of the text of gateway.toml. Not in the audit log: it may have secrets.
    #[serde(skip_serializing)]
    pub text: String,
}

/// Which configuration.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ConfigChoice {
    /// The name of a file in the folder of gateway.toml, such as `gateway.new.toml`. Absent:
    /// gateway.toml itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
}

/// What a reload does, or has done.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ConfigPlan {
    pub frontends: Vec<FrontendPlan>,
    pub listeners: Vec<ListenerPlan>,
    /// Other keys that take effect at once: `server.drain_timeout`, `rooms`.
    pub changed: Vec<String>,
    /// Keys that take effect at the next start.
    pub restart: Vec<String>,
    /// Why a part of it would not come up: then it is not applied.
    pub problems: Vec<String>,
    /// What is allowed but risky.
    pub warnings: Vec<String>,
}

/// What a reload does to a front end.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FrontendPlan {
    pub name: String,
    pub dialect: String,
    pub fate: FrontendFate,
    /// The keys that differ.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// The stream connections that are closed in order.
    pub drops: u32,
    /// Why it keeps its former section, or cannot listen.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub why: Option<String>,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum FrontendFate {
    Untouched,
    /// Connections stay; later ones get the new limits and settings.
    NewSettings,
    /// A new one takes its place and its listeners; its connections are closed.
    Replaced,
    Added,
    Removed,
    /// A new address cannot be bound, so that its former section stays in effect.
    Kept,
    /// It is new, and an address of it cannot be bound: it listens as soon as that works.
    CannotListen,
}

/// What a reload does to an address that is listened on.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ListenerPlan {
    pub address: String,
    /// The front ends behind it; `admin`.
    pub frontends: Vec<String>,
    pub fate: ListenerFate,
    /// The HTTP connections that it has accepted and that are closed.
    pub drops: u32,
}

#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ListenerFate {
    Untouched,
    /// It stays open; later connections are accepted in another way, such as with another certificate.
    NewSettings,
    Opened,
    Closed,
}
