//! Inspects a plugin without serving it.

use std::path::{Path, PathBuf};

use frontend_api::schema::Document;
use frontend_api::{Frontend, Manifest};
use serde::Serialize;
use serde_json::Map;

use crate::{LoadError, Plugin};

/// How a plugin describes itself, with every option at its default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    pub path: PathBuf,
    pub abi: u32,
    /// The size of its table of functions, in bytes.
    pub table_bytes: u32,
    /// Whether the table has functions that are not known here.
    pub is_newer: bool,
    /// The optional functions that it leaves out.
    pub absent: Vec<&'static str>,
    pub manifest: Manifest,
    /// The documents that describe the dialect to programs.
    pub documents: Vec<Document>,
}

/// Loads the plugin, for good, and makes a front end with default options.
pub fn inspect(path: &Path) -> Result<Inspection, LoadError> {
    let plugin = Plugin::open(path)?;
    let frontend = plugin.frontend(&Map::new())?;
    let manifest = frontend.manifest().clone();
    let documents = frontend.documents()?;
    let Plugin { table, .. } = &plugin;
    Ok(Inspection {
        path: path.into(),
        abi: table.abi,
        table_bytes: table.size,
        is_newer: table.is_newer(),
        absent: table.absent(),
        manifest,
        documents,
    })
}
