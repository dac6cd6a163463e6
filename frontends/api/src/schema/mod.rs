//! What a dialect tells programs of itself: JSON Schema, OpenAPI and AsyncAPI documents.
//!
//! They are made from the very types that a dialect reads and writes with, so that they cannot
//! say anything else. [`Description`] collects them; a [`Document`] is what comes out.
//!
//! The keyword `x-accepts` is ours: beside what a client should send, what is taken as well.

mod asyncapi;
mod bundle;
mod clean;
mod description;
mod engine;
mod json;
mod openapi;
mod shapes;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use description::{About, Description, Message, Operation, Scheme, Source, Where};
pub use engine::engine;
pub use shapes::Shape;

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

/// Cleans a schema that was put together by hand.
pub fn cleaned(mut schema: serde_json::Value) -> serde_json::Value {
    clean::clean(&mut schema);
    schema
}

/// Writes JSON like all documents here: keywords in the order of reading, lines of 100 columns.
pub fn text_of(value: &serde_json::Value) -> String {
    json::Json::of(value).text()
}
