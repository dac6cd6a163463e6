//! `dragoman schema`: lists and exports the documents that describe each dialect, gateway.toml and
//! the engine.

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use clap::{Args, Subcommand};
use frontend_api::Frontend;
use frontend_api::schema::{Document, Server};

use super::{Options, output};
use crate::config::{Config, Endpoint, FrontendConfig, server};
use crate::dialects::DIALECTS;
use crate::schemas::{self, File};

/// The folder that they are exported to unless `--out` names another.
const DEFAULT_FOLDER: &str = "schemas";

#[derive(Args, Debug)]
pub(super) struct Schema {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// List the documents
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Write the documents to files
    Export {
        #[command(flatten)]
        which: Which,

        /// The output folder
        #[arg(long, value_name = "DIR", default_value = DEFAULT_FOLDER)]
        out: PathBuf,
    },
}

#[derive(Args, Debug)]
struct Which {
    #[command(flatten)]
    options: Options,

    /// Only this dialect, by its name in gateway.toml
    #[arg(long, value_name = "NAME")]
    dialect: Option<String>,
}

pub(super) fn run(options: Options, schema: Schema) -> Result<(), Box<dyn Error>> {
    let options = options.and(schema.options);
    match schema.what {
        What::List { which } => {
            for File { path, media_type, text } in files(options, which)? {
                output::line(format_args!("{path}  {media_type}  {} bytes", text.len()))?;
            }
        }
        What::Export { which, out } => {
            for File { path, text, .. } in files(options, which)? {
                let file = out.join(path);
                write(&file, &text)
                    .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
                output::line(file.display())?;
            }
        }
    }
    Ok(())
}

fn files(options: Options, which: Which) -> Result<Vec<File>, Box<dyn Error>> {
    let frontends = frontends(options.and(which.options))?;
    if let Some(wanted) = &which.dialect
        && !frontends.iter().any(|one| one.name == *wanted)
    {
        return Err(unknown(wanted, &frontends).into());
    }
    let mut files = if which.dialect.is_none() { schemas::own() } else { Vec::new() };
    let wanted = |name: &String| which.dialect.as_ref().is_none_or(|wanted| wanted == name);
    for one in frontends.iter().filter(|one| wanted(&one.name)) {
        files.extend(schemas::in_folder(&one.name, one.documents()));
    }
    Ok(files)
}

/// A front end of gateway.toml, or a dialect that is off.
pub(super) struct Named {
    pub(super) name: String,
    pub(super) frontend: Arc<dyn Frontend>,
    /// Where clients reach it. `None`: that is not known.
    pub(super) servers: Option<Vec<Server>>,
}

impl Named {
    pub(super) fn documents(&self) -> Vec<Document> {
        let documents = self.frontend.schemas();
        match &self.servers {
            Some(servers) => documents.iter().map(|one| one.with_servers(servers)).collect(),
            None => documents,
        }
    }
}

/// Where clients reach a front end. `None`: the operating system chooses a port, or the service
/// manager.
fn servers(config: &FrontendConfig) -> Option<Vec<Server>> {
    let mut servers = Vec::new();
    for (listener, Endpoint { address, options, public_url }) in &config.listeners {
        if public_url.is_none() && address.has_any_port() {
            return None;
        }
        let url = public_url.as_ref();
        servers.extend(server(listener, address, options.tls.is_some(), url));
    }
    Some(servers)
}

/// Every front end by its name, as it is configured, since options change some documents. A dialect
/// that is off has its defaults.
pub(super) fn frontends(options: Options) -> Result<Vec<Named>, Box<dyn Error>> {
    let nothing_written = options.set.is_empty() && options.has_no_file();
    let config = if nothing_written { None } else { Some(options.configuration()?.config) };
    for plugin in config.iter().flat_map(|c| &c.frontends).filter_map(|one| one.plugin.as_ref()) {
        plugin.observe(|fault| output::note(fault));
    }
    let frontend = |name: String| {
        let mut configured = config.iter().flat_map(|config| &config.frontends);
        match configured.find(|one| one.name == name) {
            Some(one) => Named { name, frontend: one.frontend.clone(), servers: servers(one) },
            None => {
                let frontend = schemas::configured(&name, serde_json::Map::new());
                Named { name, frontend, servers: None }
            }
        }
    };
    Ok(names(config.as_ref()).into_iter().map(frontend).collect())
}

/// What to say of a name that no front end has.
pub(super) fn unknown(wanted: &str, frontends: &[Named]) -> String {
    let names: Vec<&str> = frontends.iter().map(|one| one.name.as_str()).collect();
    format!("there is no dialect {wanted}; there are {}", names.join(", "))
}

/// The linked dialects, then those that only the configuration names.
fn names(config: Option<&Config>) -> Vec<String> {
    let mut names: Vec<String> = DIALECTS.iter().map(|dialect| dialect.name.to_owned()).collect();
    for frontend in config.into_iter().flat_map(|config| &config.frontends) {
        if !names.contains(&frontend.name) {
            names.push(frontend.name.clone());
        }
    }
    names
}

fn write(file: &Path, text: &str) -> std::io::Result<()> {
    if let Some(folder) = file.parent() {
        std::fs::create_dir_all(folder)?;
    }
    std::fs::write(file, text)
}
