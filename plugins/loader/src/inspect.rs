//! What a plugin says of itself.

use std::path::{Path, PathBuf};

use frontend_api::schema::Document;
use frontend_api::{Frontend, Manifest};
use serde::Serialize;
use serde_json::Map;

use crate::{LoadError, Plugin};

/// What a plugin says of itself, with every option at its default.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Inspection {
    pub path: PathBuf,
    pub abi: u32,
    /// The size of its table of functions, in bytes; larger than the gateway's if it is newer.
    pub table_bytes: u32,
    /// The functions that it does without.
    pub absent: Vec<&'static str>,
    pub manifest: Manifest,
    /// What describes the dialect to programs.
    pub documents: Vec<Document>,
}

/// Loads the plugin, for good, and makes a front end with default options.
pub fn inspect(path: &Path) -> Result<Inspection, LoadError> {
    let plugin = Plugin::open(path)?;
    let frontend = plugin.frontend(&Map::new())?;
    let (manifest, documents) = (frontend.manifest().clone(), frontend.documents()?);
    let (abi, table_bytes, absent) = (plugin.table.abi, plugin.table.size, plugin.table.absent());
    Ok(Inspection { path: path.into(), abi, table_bytes, absent, manifest, documents })
}
