//! `dragoman export` and `dragoman import`: what of a store outlives a move, as JSON lines.

mod import;
mod progress;
mod reader;
mod report;

use std::error::Error;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::{Args, ValueEnum};
use core_engine::{SteadyWriter, create_whole};
use serde::Serialize;

use super::files;
use super::operation::{self, Backend};
use super::{Options, output};

#[derive(Args, Debug)]
pub(super) struct Export {
    #[command(flatten)]
    options: Options,

    /// The file to make [default: standard output]
    file: Option<PathBuf>,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Args, Debug)]
pub(super) struct Import {
    #[command(flatten)]
    options: Options,

    /// A file of JSON lines, as `export` makes it
    file: PathBuf,

    /// Import into a copy of the store, which is removed, and report what would be done
    #[arg(long)]
    dry_run: bool,

    /// At a record whose place another one has
    #[arg(long, value_enum, default_value_t = OnConflict::Fail, value_name = "WHAT")]
    on_conflict: OnConflict,

    /// Add a number to every uid, room id and message id of the file
    #[arg(long, default_value_t = 0, value_name = "N")]
    id_offset: u64,

    /// Print the summary as JSON
    #[arg(long)]
    json: bool,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq, ValueEnum)]
enum OnConflict {
    /// End the import
    Fail,
    /// Leave the record out, and what refers to it
    Skip,
}

pub(super) fn import(options: Options, import: Import) -> Result<(), Box<dyn Error>> {
    let Import { options: further, file, dry_run, on_conflict, id_offset, json } = import;
    let config = options.and(further).configuration()?.config;
    let how = core_engine::ImportOptions {
        id_offset,
        skip_conflicts: on_conflict == OnConflict::Skip,
        is_trial: dry_run,
    };
    let report = import::run(&config, &file, how)?;
    if json {
        return Ok(output::line(serde_json::to_string(&report)?)?);
    }
    Ok(output::raw(report.text().as_bytes())?)
}

/// What an export wrote.
#[derive(Debug, Serialize)]
struct Written {
    #[serde(skip_serializing_if = "Option::is_none")]
    file: Option<String>,
    records: u64,
    bytes: u64,
}

pub(super) fn export(options: Options, export: Export) -> Result<(), Box<dyn Error>> {
    let Export { options: further, file, json } = export;
    let backend = options.and(further).backend()?;
    let written = match &file {
        Some(file) => to_file(&backend, file)?,
        None => to_stdout(&backend)?,
    };
    let said = if json {
        serde_json::to_string(&written)?
    } else {
        let name = written.file.as_ref().map_or(String::new(), |file| format!("{file}: "));
        format!("{name}{} records in {} bytes", written.records, written.bytes)
    };
    // The records have standard output.
    if file.is_none() {
        output::note(said);
        return Ok(());
    }
    Ok(output::line(said)?)
}

fn to_file(backend: &Backend, file: &Path) -> Result<Written, Box<dyn Error>> {
    let written = create_whole(file, |made: File| {
        let mut writer = SteadyWriter::new(&made);
        written(backend, Some(file), |piece| writer.write_all(piece))
    });
    written.map_err(|error: Box<dyn Error>| files::cannot_write(file, &*error).into())
}

fn to_stdout(backend: &Backend) -> Result<Written, Box<dyn Error>> {
    written(backend, None, output::raw)
}

fn written(
    backend: &Backend,
    file: Option<&Path>,
    mut write: impl FnMut(&[u8]) -> io::Result<()>,
) -> Result<Written, Box<dyn Error>> {
    let (mut lines, mut bytes) = (0_u64, 0_u64);
    operation::export(backend, |piece| {
        lines += memchr::memchr_iter(b'\n', piece).count() as u64;
        bytes += piece.len() as u64;
        write(piece)
    })?;
    // Without the first and the last.
    let records = lines.saturating_sub(2);
    Ok(Written { file: file.map(|file| file.display().to_string()), records, bytes })
}
