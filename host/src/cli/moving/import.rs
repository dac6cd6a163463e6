//! Carries out an import, in two passes: the first one finds what is wrong with the file before
//! anything is changed.

use std::error::Error;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Instant;

use core_engine::{Import, ImportError, ImportOptions, Taken};
use core_model::ExportRecord;
use serde_json::json;

use super::super::operation::audit;
use super::super::{files, output, store};
use super::progress::Progress;
use super::reader::{LineFault, Reader};
use super::report::ImportReport;
use crate::config::Config;
use crate::password_hash;
use crate::private_folder;
use crate::store_preview::quietly;

/// A commit takes as many records, or fewer that have as many bytes.
const BATCH_RECORDS: usize = 50_000;
const BATCH_BYTES: u64 = 16 << 20;

/// Conflicts that are named; more are only counted.
const NAMED_MAX: u64 = 100;

pub(super) fn run(
    config: &Config,
    file: &Path,
    how: ImportOptions,
) -> Result<ImportReport, Box<dyn Error>> {
    let path = &config.store.path;
    let mut report = ImportReport::begin(file, path, how.is_trial);
    check(file, &mut report)?;
    if let Some(folder) = path.parent() {
        private_folder::make(folder).map_err(|error| files::cannot_write(folder, &error))?;
    }
    let begun = Instant::now();
    let trial = how.is_trial.then(|| Trial::begin(path)).transpose()?;
    let target = trial.as_ref().map_or(path.as_path(), |trial| &trial.0);
    let done = quietly(|| fill(config, target, file, how, &mut report));
    drop(trial);
    if !how.is_trial {
        let with = json!({ "file": file.display().to_string(), "kinds": report.kinds });
        let problem = done.as_ref().err().map(ToString::to_string);
        audit(config, "import_store", with, problem)?;
    }
    done?;
    report.end(begun.elapsed());
    Ok(report)
}

/// A copy of the store beside it, which goes with this value.
struct Trial(PathBuf);

impl Trial {
    fn begin(path: &Path) -> Result<Self, Box<dyn Error>> {
        let mut copy = path.as_os_str().to_owned();
        copy.push(format!(".dry-run-{}", std::process::id()));
        let trial = Self(copy.into());
        if path.exists() {
            let _lock = store::lock(path)?;
            let copied = fs::copy(path, &trial.0)
                .and_then(|_| fs::set_permissions(&trial.0, fs::Permissions::from_mode(0o600)));
            copied.map_err(|error| {
                let why = files::words(&error);
                format!(
                    "cannot copy {} for the dry run: {why}; see to room beside it",
                    path.display()
                )
            })?;
        }
        Ok(trial)
    }
}

impl Drop for Trial {
    fn drop(&mut self) {
        // There is none if it could not be made.
        let _ = fs::remove_file(&self.0);
    }
}

fn at(file: &Path, line: u64, why: impl std::fmt::Display) -> String {
    format!("{}:{line}: {why}", file.display())
}

fn open(file: &Path) -> Result<(Reader, u64), String> {
    Reader::open(file).map_err(|why| {
        format!("cannot read {}: {why}; name a file of `dragoman export`", file.display())
    })
}

fn next(reader: &mut Reader, file: &Path) -> Result<Option<ExportRecord>, String> {
    reader.record().map_err(|fault| {
        // The line that is not there is the one after the last.
        let line = reader.line + u64::from(matches!(fault, LineFault::Cut));
        format!("{}; nothing was imported", at(file, line, fault))
    })
}

/// Reads the whole file, and notes weak hashes.
fn check(file: &Path, report: &mut ImportReport) -> Result<(), String> {
    let (mut reader, total) = open(file)?;
    let mut progress = Progress::begin("reading", total);
    let mut records = 0;
    while let Some(record) = next(&mut reader, file)? {
        records += 1;
        if let ExportRecord::User(user) = &record
            && !user.password.is_empty()
            && let Ok(hash) = password_hash::importable(&user.password)
            && hash.is_weak
        {
            *report.weak_passwords.entry(hash.scheme).or_default() += 1;
        }
        progress.update(reader.bytes, records);
    }
    Ok(())
}

fn fill(
    config: &Config,
    target: &Path,
    file: &Path,
    how: ImportOptions,
    report: &mut ImportReport,
) -> Result<(), Box<dyn Error>> {
    let mut import = Import::open(target, config.store.cache_bytes, how)?;
    let (mut reader, total) = open(file)?;
    let mut progress = Progress::begin("importing", total);
    let mut named = 0;
    let mut records = 0;
    loop {
        let first_line = reader.line + 1;
        let batch = batch(&mut reader, file)?;
        if batch.is_empty() {
            break;
        }
        let line_of = |at: usize| first_line + at as u64;
        let taken = import.batch(&batch).map_err(|error| match error {
            ImportError::Record { at: nth, fault } => {
                let kind = batch[nth].kind();
                ended(at(file, line_of(nth), format_args!("{kind}.{fault}")))
            }
            ImportError::Conflict { at: nth, why } => {
                let kind = batch[nth].kind();
                let skip = "; --on-conflict skip leaves it out, with what refers to it";
                ended(at(file, line_of(nth), format_args!("{kind}: {why}{skip}")))
            }
            ImportError::Store(why) => ended(format!("{}: {why}", target.display())),
        })?;
        for (nth, (record, taken)) in batch.iter().zip(&taken).enumerate() {
            report.count(record, taken, how.id_offset > 0);
            if let Taken::Conflict(why) = taken {
                named += 1;
                if named <= NAMED_MAX {
                    let what = format_args!("{}: {why}; it is left out", record.kind());
                    output::note(at(file, line_of(nth), what));
                }
            }
        }
        records += batch.len() as u64;
        progress.update(reader.bytes, records);
    }
    drop(progress);
    if named > NAMED_MAX {
        output::note(format_args!("and {} more conflicts", named - NAMED_MAX));
    }
    Ok(())
}

/// What an import that has ended early leaves.
fn ended(why: String) -> String {
    format!(
        "{why}; the records of the commits before it stay, and are passed over by another import"
    )
}

fn batch(reader: &mut Reader, file: &Path) -> Result<Vec<ExportRecord>, String> {
    let begun = reader.bytes;
    let mut records = Vec::new();
    while records.len() < BATCH_RECORDS && reader.bytes - begun < BATCH_BYTES {
        match next(reader, file)? {
            Some(record) => records.push(record),
            None => break,
        }
    }
    Ok(records)
}
