//! `dragoman check`: reports everything that would keep the gateway from starting, and warns of
//! what is risky. Starts, creates and changes nothing.

use std::collections::BTreeSet;
use std::error::Error;
use std::fs::{File, OpenOptions, TryLockError};
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;

use rustix::fs::{Access, access};

use super::{Options, output};
use crate::config::{Draft, Problem, draft};
use crate::dialects::DIALECTS;

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let sources = options.sources();
    let mut draft = draft(&sources, DIALECTS)?;
    let mut problems = std::mem::take(&mut draft.problems);
    problems.extend(in_use(&draft));
    problems.extend(store(&draft));
    for warning in draft.warnings.iter() {
        output::note(format_args!("warning: {warning}"));
    }
    if !problems.is_empty() {
        return Err(problems.sorted().into());
    }
    output::line(format_args!("{}: nothing is wrong", sources.file.display()))?;
    for listen in &draft.listens {
        output::line(format_args!("  {} = \"{}\"", listen.key, listen.address))?;
    }
    let path = draft.config.store.path.display();
    Ok(output::line(format_args!("  store.path = \"{path}\""))?)
}

/// One problem for each address that cannot be bound now.
fn in_use(draft: &Draft) -> Vec<Problem> {
    let mut tried: BTreeSet<SocketAddr> = BTreeSet::new();
    let mut problems = Vec::new();
    for listen in &draft.listens {
        if !tried.insert(listen.address) {
            continue;
        }
        if let Err(error) = TcpListener::bind(listen.address) {
            let why = match error.kind() {
                ErrorKind::AddrInUse => "in use; stop the program that listens there (is a \
                                         gateway already running?) or choose another port"
                    .to_owned(),
                ErrorKind::AddrNotAvailable => "this machine has no such address".to_owned(),
                ErrorKind::PermissionDenied => {
                    "not allowed; ports below 1024 need a privilege".to_owned()
                }
                _ => error.to_string(),
            };
            problems.push(Problem::new(listen.source.clone(), format!("{listen}: {why}")));
        }
    }
    problems
}

fn store(draft: &Draft) -> Option<Problem> {
    let path = &draft.config.store.path;
    let why = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => "is a folder, not a file".to_owned(),
        Ok(_) => openable(path).err()?,
        Err(_) => creatable(path).err()?,
    };
    let what = format!("store.path = {:?}: {why}", path.display().to_string());
    Some(Problem::new(draft.store_source.clone(), what))
}

/// Whether an existing store is readable and writable, and not locked by another process.
fn openable(path: &Path) -> Result<(), String> {
    let open = OpenOptions::new().read(true).write(true).open(path);
    let file = open.map_err(|error| format!("cannot be read and written: {error}"))?;
    match File::try_lock(&file) {
        Ok(()) | Err(TryLockError::Error(_)) => Ok(()),
        Err(TryLockError::WouldBlock) => {
            Err("another process has it open (is a gateway already running?)".into())
        }
    }
}

/// Whether a missing store can be created: the nearest existing folder is writable.
fn creatable(path: &Path) -> Result<(), String> {
    let parents = path.ancestors().skip(1);
    let here =
        |parent: &Path| if parent.as_os_str().is_empty() { ".".into() } else { parent.to_owned() };
    let folder = parents.map(here).find(|folder| folder.exists());
    let folder = folder.unwrap_or_else(|| "/".into());
    if !folder.is_dir() {
        return Err(format!("{} is not a folder", folder.display()));
    }
    access(&folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("cannot write to the folder {}: {error}", folder.display()))
}
