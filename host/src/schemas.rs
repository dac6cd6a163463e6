//! Every schema: of each dialect, of gateway.toml and of the engine. The repository's folder
//! `schemas/` has the output of this module.

use frontend_api::Frontend;
use frontend_api::schema::{self, Document};
use serde_json::{Map, Value};

use crate::config;
use crate::dialects::{self, DIALECTS};

/// A file below `schemas/`.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct File {
    /// `channel/openapi.json`
    pub path: String,
    pub media_type: String,
    pub text: String,
}

/// The folder of the engine's schemas.
const ENGINE: &str = "engine";

/// All schemas: each dialect with default options, and each variant.
pub fn all() -> Vec<File> {
    let mut files = own();
    for dialect in DIALECTS {
        files.extend(of(dialect.name, &*configured(dialect.name, Map::new())));
    }
    for (dialect, variant) in DIALECTS.iter().filter_map(|d| Some((d.name, d.variant?))) {
        let frontend = configured(dialect, variant.options());
        files.extend(of(&format!("{dialect}/{}", variant.name), &*frontend));
    }
    files
}

/// The schemas of gateway.toml and of the engine.
pub fn own() -> Vec<File> {
    let gateway = Document {
        name: "gateway.json".into(),
        media_type: schema::JSON_SCHEMA.into(),
        text: schema::text_of(&config::schema()),
    };
    let engine = schema::engine().into_iter().map(|document| file(&format!("{ENGINE}/"), document));
    std::iter::once(file("", gateway)).chain(engine).collect()
}

/// The schemas of one front end, in a folder.
pub fn of(folder: &str, frontend: &dyn Frontend) -> Vec<File> {
    let documents = frontend.schemas().into_iter();
    documents.map(|document| file(&format!("{folder}/"), document)).collect()
}

/// A linked dialect with these options and otherwise defaults.
pub fn configured(name: &str, options: Map<String, Value>) -> std::sync::Arc<dyn Frontend> {
    let dialect = dialects::find(name).expect("a row of the table");
    dialect.configure(options).unwrap_or_else(|faults| panic!("{name}: {faults:?}"))
}

fn file(folder: &str, document: Document) -> File {
    let Document { name, media_type, text } = document;
    File { path: format!("{folder}{name}"), media_type, text }
}
