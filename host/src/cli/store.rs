//! `dragoman store`: offline maintenance of the store file.

use std::error::Error;

use clap::{Args, Subcommand};

use super::{Options, output};

#[derive(Args, Debug)]
pub(super) struct Store {
    #[command(flatten)]
    options: Options,

    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Return the space of deleted data to the file system; the gateway must be stopped
    Compact(Options),
}

pub(super) fn run(options: Options, store: Store) -> Result<(), Box<dyn Error>> {
    let What::Compact(further) = store.what;
    let config = options.and(store.options).and(further).configuration()?.config;
    let path = &config.store.path;
    if !path.exists() {
        return Err(format!("there is no store {} to compact", path.display()).into());
    }
    let (before, after) = core_engine::compact(path, config.store.cache_bytes)?;
    Ok(output::line(format_args!("{}: {before} bytes before, {after} bytes now", path.display()))?)
}
