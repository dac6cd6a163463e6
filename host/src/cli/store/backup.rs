//! Backups: made, verified and restored; and how much a store holds.

use std::error::Error;
use std::fmt::Display;
use std::fs::{self, File};
use std::io::{BufReader, Read as _};
use std::path::{Path, PathBuf};

use core_engine::{OpenError, Summary, open_regular, store_target, sync_folder};
use core_model::Timestamp;

use super::super::files;
use super::super::operation::{Backend, back_up, call};
use super::super::output;
use super::super::table::aligned;
use super::CACHE_BYTES;
use crate::admin::StoreStats;
use crate::admin::types::{Nothing, StoreReport};
use crate::config::StoreConfig;
use crate::private_folder;
use crate::store_preview::quietly;
use crate::users::rfc3339;

/// What a store file begins with.
const STORE_MAGIC: &[u8] = b"redb";

pub(super) fn make(backend: &Backend, file: &Path) -> Result<(), Box<dyn Error>> {
    let summary = back_up(backend, file)?;
    Ok(output::line(format_args!("{}: {}", file.display(), shown(&summary)))?)
}

fn shown(summary: &Summary) -> String {
    let Summary { header, rows, bytes } = summary;
    let (newest, at) = (header.newest_message, rfc3339(Timestamp(header.at_ms)));
    format!("{rows} rows in {bytes} bytes, as of {at} and message {newest}")
}

pub(super) fn verify(file: &Path) -> Result<(), Box<dyn Error>> {
    let no_backup = |why: &dyn Display| {
        let cure = "name a file of `dragoman store backup`, or a store";
        format!("{}: {why}; {cure}", file.display())
    };
    let mut opened = open(file).map_err(|why| no_backup(&why))?;
    let mut magic = [0; STORE_MAGIC.len()];
    let read = opened.read(&mut magic).map_err(|error| no_backup(&files::words(&error)))?;
    if read == 0 {
        return Err(no_backup(&"this is an empty file").into());
    }
    if magic[..read] == *STORE_MAGIC {
        return super::check(file, file, CACHE_BYTES, super::RESTORE);
    }
    // Its store is made beside it, as only a store shows whether the tables agree.
    let store = with_suffix(file, &format!(".verify-{}", std::process::id()));
    let opened = open(file).map_err(|why| no_backup(&why))?;
    let restored = quietly(|| core_engine::restore(opened, &store, CACHE_BYTES));
    let summary = restored.map_err(|error| match files::of_writing(&error) {
        Some(why) => {
            let cure = "copy it to a folder with room, where this user may make files";
            format!("{}: its store cannot be made beside it: {why}; {cure}", file.display())
        }
        None => no_backup(&error),
    })?;
    output::line(format_args!("{}: {}", file.display(), shown(&summary)))?;
    let checked = super::check(&store, file, CACHE_BYTES, super::RESTORE);
    fs::remove_file(&store)?;
    checked
}

pub(super) fn restore(
    store: &StoreConfig,
    file: &Path,
    replace: bool,
) -> Result<(), Box<dyn Error>> {
    // A symbolic link stays, and the store is replaced where it leads.
    let path = &store_target(&store.path)?;
    let exists = path.exists();
    let former = with_suffix(path, ".replaced");
    if exists && !replace {
        let why = "stop the gateway and move it away, or add --replace to have it kept as";
        let (path, former) = (path.display(), former.display());
        return Err(format!("there is a store {path} already; {why} {former}").into());
    }
    if let Some(folder) = path.parent() {
        private_folder::make(folder).map_err(|error| files::cannot_write(folder, &error))?;
    }
    let made = |path: &Path| {
        let opened = open(file).map_err(|why| of_backup(file, &why))?;
        let restored = quietly(|| core_engine::restore(opened, path, store.cache_bytes));
        restored.map_err(|error| match files::of_writing(&error) {
            Some(_) => files::cannot_write(path, &error),
            None => of_backup(file, &error),
        })
    };
    let summary = if exists {
        // Held to the end, so that no gateway starts on the store that is about to be replaced.
        let _lock = lock(path)?;
        let restored = with_suffix(path, ".restored");
        let _ = fs::remove_file(&restored);
        let _leftover = Leftover(&restored);
        let summary = made(&restored)?;
        keep(path, &former)?;
        fs::rename(&restored, path)?;
        sync_folder(path)?;
        summary
    } else {
        made(path)?
    };
    Ok(output::line(format_args!("{}: {}", path.display(), shown(&summary)))?)
}

/// A file that is removed in the end, unless it has another name by then.
struct Leftover<'a>(&'a Path);

impl Drop for Leftover<'_> {
    fn drop(&mut self) {
        let _ = fs::remove_file(self.0);
    }
}

/// Gives a store a second name, so that one is at its path all the time.
fn keep(path: &Path, former: &Path) -> Result<(), Box<dyn Error>> {
    fs::hard_link(path, former).map_err(|error| {
        let (path, former, error) = (path.display(), former.display(), files::words(&error));
        format!("cannot keep {path} as {former}: {error}; move {former} away, or the store").into()
    })
}

/// Locks a store file as an open store does. Fails if a process has it open.
pub(in crate::cli) fn lock(path: &Path) -> Result<File, Box<dyn Error>> {
    let file = open_regular(path)?;
    file.try_lock().map_err(|_| OpenError::Locked { path: path.into() })?;
    Ok(file)
}

pub(super) fn stats(backend: &Backend, json: bool) -> Result<(), Box<dyn Error>> {
    let mut report = call::<StoreStats>(backend, &[], Nothing {}, Nothing {})?;
    // What is only looked at is read through memory.
    if let (0, Backend::Here(config)) = (report.file_bytes, backend) {
        report.file_bytes = config.store.path.metadata()?.len();
    }
    if json {
        return Ok(output::line(serde_json::to_string(&report)?)?);
    }
    let StoreReport { file_bytes, tables } = &report;
    let head = ["table", "rows", "bytes", "overhead"].map(str::to_owned);
    let row = |table: &crate::admin::types::TableReport| {
        let figures = [table.rows, table.stored_bytes, table.overhead_bytes];
        let [rows, stored, overhead] = figures.map(|figure| figure.to_string());
        [table.table.clone(), rows, stored, overhead]
    };
    output::line(aligned(std::iter::once(head).chain(tables.iter().map(row)).collect::<Vec<_>>()))?;
    Ok(output::line(format_args!("{backend}: {file_bytes} bytes"))?)
}

fn open(file: &Path) -> Result<BufReader<File>, String> {
    Ok(BufReader::with_capacity(1 << 20, files::open_regular(file)?))
}

fn of_backup(file: &Path, error: &dyn Display) -> String {
    format!("{}: {error}; nothing was restored", file.display())
}

fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}
