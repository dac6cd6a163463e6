//! Every schema: of each dialect, of gateway.toml and of the engine, and the fidelity contract. The
//! repository's folder `schemas/` has the output of this module.

use std::collections::BTreeMap;

use frontend_api::Frontend;
use frontend_api::fidelity::{Contract, Fidelity};
use frontend_api::schema::{self, Document, Shape};
use serde_json::{Map, Value};

use crate::auth_hook;
use crate::config;
use crate::dialects::{self, DIALECTS};
use crate::webhooks;

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

/// The schemas of gateway.toml, of the engine, of webhooks, of the admin API and of `[auth.http]`, and
/// the contract of the linked dialects.
pub fn own() -> Vec<File> {
    let gateway = Document {
        name: "gateway.json".into(),
        media_type: schema::JSON_SCHEMA.into(),
        text: schema::text_of(&config::schema()),
    };
    let contract = Contract::of(declared());
    let contract = serde_json::to_value(contract).expect("a contract is plain data");
    let fidelity = Document {
        name: "fidelity.json".into(),
        media_type: "application/json".into(),
        text: schema::text_of(&contract),
    };
    let admin = Document {
        name: "admin/openapi.json".into(),
        media_type: "application/vnd.oai.openapi+json;version=3.1".into(),
        text: schema::text_of(&crate::admin::document()),
    };
    let auth = auth_hook::schemas().into_iter().map(|document| file("auth/", document));
    let engine = schema::engine().into_iter().map(|document| file(&format!("{ENGINE}/"), document));
    let log = Shape::of::<core_engine::LoggedEntry<'_>>();
    let log = schema::read("engine:log", "log.json", "An entry of a cluster's log", &log);
    let engine = engine.chain([file(&format!("{ENGINE}/"), log)]);
    let own = [gateway, fidelity, admin].map(|document| file("", document));
    let webhooks = file("webhooks/", webhooks::schema());
    let export = file("admin/", crate::admin::export_schema());
    own.into_iter().chain(auth).chain(engine).chain([webhooks, export]).collect()
}

/// What the linked dialects carry with default options, and each variant that carries something
/// else, as `<dialect>/<variant>`.
pub fn declared() -> BTreeMap<String, Option<Fidelity>> {
    let mut all = BTreeMap::new();
    for dialect in DIALECTS {
        let by_default = dialect.manifest().fidelity;
        if let Some(variant) = dialect.variant {
            let frontend = configured(dialect.name, variant.options());
            let varied = frontend.manifest().fidelity.clone();
            if varied != by_default {
                all.insert(format!("{}/{}", dialect.name, variant.name), varied);
            }
        }
        all.insert(dialect.name.to_owned(), by_default);
    }
    all
}

/// The schemas of one front end, in a folder.
pub fn of(folder: &str, frontend: &dyn Frontend) -> Vec<File> {
    in_folder(folder, frontend.schemas())
}

/// Documents in a folder.
pub fn in_folder(folder: &str, documents: Vec<Document>) -> Vec<File> {
    documents.into_iter().map(|document| file(&format!("{folder}/"), document)).collect()
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
