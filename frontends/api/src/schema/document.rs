//! One file of a dialect's description.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The media type of a JSON Schema.
pub const JSON_SCHEMA: &str = "application/schema+json";

/// One file that describes a dialect, or a part of it.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
pub struct Document {
    /// Its file name: `schema.json`, `openapi.json`, `asyncapi.json`, `token.ksy`.
    pub name: String,
    pub media_type: String,
    pub text: String,
}
