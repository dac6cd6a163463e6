//! The machine-readable description of a dialect: JSON Schema, OpenAPI and AsyncAPI documents.
//!
//! They are generated from the types that the dialect reads and writes, so they cannot differ from
//! the code. A [`Description`] collects the types and gives the [`Document`]s.
//!
//! The keyword `x-accepts` is our own: forms that the gateway accepts besides the documented one.

mod asyncapi;
mod bundle;
mod clean;
mod description;
mod document;
mod documents;
mod engine;
mod json;
mod openapi;
mod servers;
mod shapes;

pub(crate) use description::Row;
pub use description::{About, Description, Message, Operation, Scheme, Source, Where};
pub use document::{Document, JSON_SCHEMA};
pub use engine::engine;
pub use servers::Server;
pub use shapes::Shape;

/// The schema of a type that the gateway writes, as the document `name`, with the id
/// `urn:dragoman:<id>`.
pub fn written(id: &str, name: &str, title: &str, shape: &Shape) -> Document {
    Document {
        name: name.into(),
        media_type: JSON_SCHEMA.into(),
        text: bundle::of_type(id, title, shape, &schemars::generate::Contract::Serialize),
    }
}

/// The same of a type that the gateway reads.
pub fn read(id: &str, name: &str, title: &str, shape: &Shape) -> Document {
    Document {
        name: name.into(),
        media_type: JSON_SCHEMA.into(),
        text: bundle::of_type(id, title, shape, &schemars::generate::Contract::Deserialize),
    }
}

/// Cleans a hand-written schema.
pub fn cleaned(mut schema: serde_json::Value) -> serde_json::Value {
    clean::clean(&mut schema);
    schema
}

/// Writes JSON in the layout of all documents: keywords in reading order, lines of 100 columns.
pub fn text_of(value: &serde_json::Value) -> String {
    json::Json::of(value).text()
}
