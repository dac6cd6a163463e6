//! The types of the playground.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::tap::Shown;

/// A session to open.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(deny_unknown_fields)]
pub struct PlaygroundOpen {
    /// The name of a front end.
    pub frontend: String,
    /// Under which to sign in: ASCII letters and digits. Dialects with accounts make one.
    pub name: String,
    /// A room to enter.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
}

/// A session of the playground.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PlaygroundSession {
    /// Within the playground.
    pub id: u64,
    pub frontend: String,
    pub dialect: String,
    pub name: String,
    /// The room that it has entered.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub room: Option<String>,
}

/// What a session is to do: one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlaygroundInput {
    /// Enters this room, in the dialect's words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub join: Option<String>,
    /// Posts this text to the room.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// Leaves the room.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub leave: bool,
    /// Sends a line, or a text message of a WebSocket, as it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// Sends bytes, or a binary message of a WebSocket, as they are.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base64: Option<String>,
    /// Sends a request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub http: Option<PlaygroundRequest>,
}

#[derive(Clone, Debug, Default, Deserialize, JsonSchema, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct PlaygroundRequest {
    pub method: String,
    /// The path, with the query if there is one.
    pub target: String,
    pub headers: Vec<(String, String)>,
    pub body: String,
}

/// What a session has sent, in several forms. Secrets are `***` in each.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct PlaygroundStep {
    pub frames: Vec<Shown>,
    /// A command line for each frame: `curl`, or what sends the frame over its transport.
    pub curl: Vec<String>,
    /// The same with the TypeScript client that `dragoman sdk` generates, where it has a method.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A script that the testkit plays.
    pub transcript: String,
}
