//! `dragoman schema`: the documents that describe each dialect, gateway.toml and the engine.

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{DEFAULT_FILE, Options};
use crate::config::Config;
use crate::dialects::DIALECTS;
use crate::schemas::{self, File};

/// Where they are written, unless another folder is named.
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
    /// Lists the documents there are
    List {
        #[command(flatten)]
        which: Which,
    },
    /// Writes the documents to files
    Export {
        #[command(flatten)]
        which: Which,

        /// The folder to write to
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
                println!("{path}  {media_type}  {} bytes", text.len());
            }
        }
        What::Export { which, out } => {
            for File { path, text, .. } in files(options, which)? {
                let file = out.join(path);
                write(&file, &text)
                    .map_err(|error| format!("cannot write {}: {error}", file.display()))?;
                println!("{}", file.display());
            }
        }
    }
    Ok(())
}

/// As the configuration has the dialects, where there is one: options change what some of them
/// say. A dialect that is off is shown with its defaults.
fn files(options: Options, which: Which) -> Result<Vec<File>, Box<dyn Error>> {
    let options = options.and(which.options);
    let nothing_written =
        options.config.is_none() && options.set.is_empty() && !Path::new(DEFAULT_FILE).exists();
    let config = if nothing_written { None } else { Some(options.configuration()?.config) };
    let names = names(config.as_ref());
    if let Some(wanted) = &which.dialect
        && !names.contains(wanted)
    {
        return Err(format!("there is no dialect {wanted}; there are {}", names.join(", ")).into());
    }
    let mut files = if which.dialect.is_none() { schemas::own() } else { Vec::new() };
    let wanted = |name: &&String| which.dialect.as_ref().is_none_or(|wanted| wanted == *name);
    for name in names.iter().filter(wanted) {
        let frontends = config.iter().flat_map(|config| &config.frontends);
        let frontend = frontends.into_iter().find(|one| one.name == *name);
        match frontend {
            Some(one) => files.extend(schemas::of(name, &*one.frontend)),
            None => {
                let frontend = schemas::configured(name, serde_json::Map::new());
                files.extend(schemas::of(name, &*frontend));
            }
        }
    }
    Ok(files)
}

/// Those that are linked in, then those that only the configuration knows.
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
