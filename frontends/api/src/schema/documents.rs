//! From a [`Description`] to the documents of a dialect.

use super::description::Description;
use super::document::{Document, JSON_SCHEMA};
use super::{asyncapi, bundle, openapi};

impl Description {
    /// `schema.json`; `openapi.json` where there are endpoints; `asyncapi.json` where there are
    /// messages.
    pub fn documents(&self) -> Vec<Document> {
        let (roots, defs) = self.definitions();
        let mut documents =
            vec![document("schema.json", JSON_SCHEMA, bundle::of(self, &roots, &defs))];
        if !self.rows.is_empty() {
            let media_type = "application/vnd.oai.openapi+json;version=3.1";
            documents.push(document("openapi.json", media_type, openapi::of(self, &defs)));
        }
        if !self.messages.is_empty() {
            let media_type = "application/vnd.aai.asyncapi+json;version=3.0.0";
            documents.push(document("asyncapi.json", media_type, asyncapi::of(self, &defs)));
        }
        documents
    }
}

fn document(name: &str, media_type: &str, text: String) -> Document {
    Document { name: name.into(), media_type: media_type.into(), text }
}
