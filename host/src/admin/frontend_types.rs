//! The types of the operations on front ends.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// All that is known of a front end.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FrontendDetail {
    /// Its name in gateway.toml.
    pub name: String,
    pub dialect: String,
    /// The dialect in words.
    pub title: String,
    /// Whether it serves: all its listeners are open, and it was neither disabled nor taken down.
    pub serving: bool,
    /// Why it does not serve, if it was disabled or taken down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// Why its new configuration is not in effect, if it is not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
    /// Open connections.
    pub connections: u32,
    /// The library of a plugin.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    pub listeners: Vec<ListenerState>,
    pub limits: Vec<LimitState>,
    /// Of its listeners.
    pub certificates: Vec<CertificateState>,
    /// HTTP requests since the start, by operation.
    pub operations: Vec<OperationState>,
    /// What else was counted since the start: `commands`, `frames`, `signed_in`.
    pub counts: Vec<NamedCount>,
    /// HTTP responses since the start, by the class of their status: `2xx`.
    pub responses: Vec<NamedCount>,
    /// Connections, requests and messages that were turned away since the start, by limit.
    pub refusals: Vec<KindCount>,
    /// The same of sign-ins with a password, by result.
    pub sign_ins: Vec<KindCount>,
    /// The documents that describe its API.
    pub documents: Vec<DocumentLink>,
}

/// A listener of a front end.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ListenerState {
    /// Its key in gateway.toml.
    pub listener: String,
    /// Where it listens, or would.
    pub address: String,
    /// `http`, `websocket`, `tcp`, or `lines`.
    pub transport: String,
    pub tls: bool,
    /// Whether it is open.
    pub open: bool,
    /// Where clients reach it, if not at its address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The file of its first certificate.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate: Option<String>,
}

/// A limit of a front end, and how near it is.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct LimitState {
    /// Its key in gateway.toml.
    pub name: String,
    /// 0: there is none.
    pub limit: u64,
    /// What counts against it now, of the connection or address that has most. Absent: it is a rate or
    /// a size, and only what exceeds it is counted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<u64>,
    /// `connections`, `items`, `bytes`, `characters`, `per second`.
    pub unit: String,
    /// How much it has turned away since the start.
    pub refused: u64,
}

/// A certificate that is served.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct CertificateState {
    pub file: String,
    pub subject: String,
    /// Host names and addresses.
    pub names: Vec<String>,
    pub not_before: String,
    pub not_after: String,
}

/// An HTTP operation.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct OperationState {
    /// `POST /message`.
    pub name: String,
    pub count: u64,
    /// The time that half of the requests took at most, in milliseconds.
    pub p50_ms: f32,
    /// The same of 99 of a hundred.
    pub p99_ms: f32,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct NamedCount {
    pub name: String,
    pub count: u64,
}

#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct KindCount {
    /// As metrics have it: `requests`.
    pub kind: String,
    pub count: u64,
}

/// A document that describes an API.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct DocumentLink {
    /// `openapi.json`
    pub name: String,
    pub media_type: String,
    /// Where the admin listener has it.
    pub href: String,
    /// Where it has it as a page, if it can show it as one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub page: Option<String>,
}

/// A plugin that is loaded.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PluginState {
    /// The name of its front end in gateway.toml.
    pub frontend: String,
    /// The library.
    pub path: String,
    pub dialect: String,
    pub title: String,
    /// As its manifest has it.
    pub version: String,
    /// `serving`, `not_listening` or `down`.
    pub state: super::live_types::ServingState,
    /// Why it was taken down, if it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub down: Option<String>,
    /// Whether it was built for a later gateway, which would use more of its functions.
    pub newer: bool,
    /// Faults since the start, and of them by kind.
    pub faults: u64,
    pub faults_by_kind: Vec<KindCount>,
    /// Events that it failed to encode.
    pub encoding_faults: u64,
    pub connections: u32,
}
