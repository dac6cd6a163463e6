//! `dragoman check`: reports everything that would keep the gateway from starting, and warns of
//! what is risky. Starts, creates and changes nothing.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::path::Path;

use rustix::fs::{Access, access};
use socket2::Socket;

use super::{Options, output, permissions};
use crate::config::{
    Draft, Listen, ListenAddress, NamedRoom, Problem, Problems, ValueSource, draft,
};
use crate::dialects::DIALECTS;
use crate::open_files;
use crate::runtime::{bind_tcp, is_stale};
use crate::store_preview::{StorePreview, room_conflict};

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    let sources = options.sources();
    let mut draft = draft(&sources, DIALECTS)?;
    let mut problems = std::mem::take(&mut draft.problems);
    problems.extend(in_use(&draft));
    match open_store(&draft) {
        Ok(Some(store)) => {
            check_rooms(&store, &draft.named_rooms, &mut problems, &mut draft.warnings)
        }
        Ok(None) => (),
        Err(problem) => problems.push(problem),
    }
    draft.warnings.extend(permissions::warnings(&sources.file, &draft.config));
    if let Some(warning) = open_files::warning(&draft.config) {
        draft.warnings.push(Problem::new(ValueSource::Default, warning));
    }
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
    let mut tried: BTreeSet<&ListenAddress> = BTreeSet::new();
    // Kept, as two of them may collide.
    let mut bound = Vec::new();
    let mut problems = Vec::new();
    for listen in &draft.listens {
        if !tried.insert(&listen.address) {
            continue;
        }
        if let Err(error) = try_bind(listen).map(|socket| bound.extend(socket)) {
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

/// Binds an address; a unix socket is only looked at.
fn try_bind(listen: &Listen) -> io::Result<Option<Socket>> {
    match &listen.address {
        ListenAddress::Ip(address) => bind_tcp(*address, listen.options.only_v6).map(Some),
        ListenAddress::Unix(path) => {
            is_stale(path)?;
            creatable(path).map(|()| None).map_err(io::Error::other)
        }
        // Bound by the service manager.
        ListenAddress::Passed(_) => Ok(None),
    }
}

/// The store, if there is one. `Err`: it cannot be opened or created.
fn open_store(draft: &Draft) -> Result<Option<StorePreview>, Problem> {
    let path = &draft.config.store.path;
    let opened = match path.metadata() {
        Ok(metadata) if metadata.is_dir() => Err("is a folder, not a file".to_owned()),
        Ok(_) => StorePreview::open(path),
        Err(_) => creatable(path).map(|()| None),
    };
    opened.map_err(|why| {
        let what = format!("store.path = {:?}: {why}", path.display().to_string());
        Problem::new(draft.store_source.clone(), what)
    })
}

/// Finds rooms that the configuration names and that a user owns in the store.
fn check_rooms(
    store: &StorePreview,
    named: &[NamedRoom],
    problems: &mut Problems,
    warnings: &mut Problems,
) {
    for NamedRoom { name, key, source, is_declared } in named {
        let room = store.room(name);
        let Some((why, room)) = room.and_then(|room| Some((room_conflict(&room)?, room))) else {
            continue;
        };
        let problem = Problem::new(source.clone(), format!("{key} names the room {name:?}: {why}"));
        if *is_declared || room.closed {
            problems.push(problem);
        } else {
            warnings.push(problem);
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
