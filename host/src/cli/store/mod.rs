//! `dragoman store`: copies of the store, and its maintenance.

mod backup;

pub(super) use backup::lock;

use std::error::Error;
use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};
use core_engine::OpenError;

use super::table::aligned;
use super::{Options, output};
use crate::config::{Config, StoreConfig};
use crate::store_preview::{check_filled, quietly};

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
    /// Read the whole store and report damage; the gateway must be stopped
    Check(Check),
    /// Write a backup to a new file, also while the gateway serves
    Backup {
        #[command(flatten)]
        options: Options,

        /// The file to make
        file: PathBuf,
    },
    /// Read a backup and the store that it makes, and report damage
    Verify {
        #[command(flatten)]
        options: Options,

        /// A backup, or a store file that no process has open [default: `store.path` of the
        /// configuration]
        file: Option<PathBuf>,
    },
    /// Make the store from a backup; the gateway must be stopped
    Restore {
        #[command(flatten)]
        options: Options,

        /// The backup
        file: PathBuf,

        /// Keep a store that is there as `<path>.replaced`
        #[arg(long)]
        replace: bool,
    },
    /// Show how much each table holds
    Stats {
        #[command(flatten)]
        options: Options,

        /// Print the figures as JSON
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args, Debug)]
struct Check {
    #[command(flatten)]
    options: Options,

    /// The store file, such as a backup [default: `store.path` of the configuration]
    file: Option<PathBuf>,
}

/// The page cache for a file that no configuration belongs to.
const CACHE_BYTES: usize = 256 << 20;

pub(super) fn run(options: Options, store: Store) -> Result<(), Box<dyn Error>> {
    let options = options.and(store.options);
    match store.what {
        What::Compact(further) => compact(&options.and(further).configuration()?.config.store),
        What::Backup { options: further, file } => {
            backup::make(&options.and(further).backend()?, &file)
        }
        What::Verify { file: Some(file), .. } => backup::verify(&file),
        What::Verify { options: further, file: None } => {
            check_configured(&options.and(further).configuration()?.config)
        }
        What::Restore { options: further, file, replace } => {
            backup::restore(&options.and(further).configuration()?.config.store, &file, replace)
        }
        What::Stats { options: further, json } => {
            backup::stats(&options.and(further).backend()?, json)
        }
        What::Check(Check { file: Some(file), .. }) => check(&file, &file, CACHE_BYTES, RESTORE),
        What::Check(Check { options: further, file: None }) => {
            check_configured(&options.and(further).configuration()?.config)
        }
    }
}

fn compact(store: &StoreConfig) -> Result<(), Box<dyn Error>> {
    let path = &store.path;
    check_filled(path, "to compact; the gateway creates it at its first start")?;
    let (before, after) = quietly(|| core_engine::compact(path, store.cache_bytes))?;
    Ok(output::line(format_args!("{}: {before} bytes before, {after} bytes now", path.display()))?)
}

/// What to do about damage.
const RESTORE: &str = "restore a backup";
const JOIN: &str =
    "`dragoman cluster join --replace` makes it anew from the newest snapshot of the cluster";

fn check_configured(config: &Config) -> Result<(), Box<dyn Error>> {
    let store = &config.store;
    let cure = if config.cluster.is_some() { JOIN } else { RESTORE };
    check(&store.path, &store.path, store.cache_bytes, cure)
}

/// Prints every fault and how many rows of each table can be read. What it says names `shown`: the
/// store, or the backup that it was made from.
fn check(path: &Path, shown: &Path, cache_bytes: usize, cure: &str) -> Result<(), Box<dyn Error>> {
    check_filled(path, "to check; the gateway creates it at its first start")?;
    let checked = quietly(|| core_engine::check(path, cache_bytes));
    let report = checked.map_err(|error| match error {
        OpenError::Damaged { why, .. } => {
            format!("the store {} is damaged: {why}; {cure}", shown.display())
        }
        error => error.to_string(),
    })?;
    for fault in &report.faults {
        output::line(fault)?;
    }
    let more = report.fault_count - report.faults.len() as u64;
    if more > 0 {
        output::line(format_args!("and {more} more faults"))?;
    }
    let rows = report.readable.iter().map(|(table, rows)| [(*table).to_owned(), rows.to_string()]);
    let head = ["table", "readable rows"].map(str::to_owned);
    output::line(aligned(std::iter::once(head).chain(rows).collect::<Vec<_>>()))?;
    if report.is_whole() {
        return Ok(output::line(format_args!("{}: no damage found", shown.display()))?);
    }
    let faults = report.fault_count;
    Err(format!("the store {} is damaged: {faults} faults; {cure}", shown.display()).into())
}
