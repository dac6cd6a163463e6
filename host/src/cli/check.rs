//! `dragoman check`: reports everything that would keep the gateway from starting, and warns of
//! what is risky. Starts, creates and changes nothing.

use std::collections::BTreeSet;
use std::error::Error;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use core_engine::store_target;
use socket2::Socket;

use super::operation::{Backend, call_gateway};
use super::{Options, output, permissions};
use crate::admin::types::Nothing;
use crate::admin::{ShowConfig, ShowRoom};
use crate::config::{
    Config, Draft, Listen, ListenAddress, NamedRoom, Problem, Problems, ValueSource, draft,
    is_in_the_way,
};
use crate::dialects::DIALECTS;
use crate::open_files;
use crate::private_folder::creatable;
use crate::runtime::{ServeError, bind_tcp, is_stale};
use crate::store_preview::{StorePreview, conflict_of, room_conflict, sentence};

pub(super) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    options.refuse_remote()?;
    let sources = options.sources();
    let mut draft = draft(&sources, DIALECTS)?;
    let mut problems = std::mem::take(&mut draft.problems);
    let gateway = Gateway::of(&draft.config);
    problems.extend(in_use(&draft, gateway.as_ref()));
    match &gateway {
        Some(gateway) => {
            let find = |name: &str| gateway.room(name);
            check_rooms(find, &draft.named_rooms, &mut problems, &mut draft.warnings);
        }
        None => match open_store(&draft) {
            Ok(Some(store)) => {
                problems.extend(membership(&draft, &store));
                let find = |name: &str| {
                    let room = store.room(name)?;
                    Some(Found { conflict: room_conflict(&room), is_closed: room.closed })
                };
                check_rooms(find, &draft.named_rooms, &mut problems, &mut draft.warnings);
            }
            Ok(None) => {
                check_rooms(|_| None, &draft.named_rooms, &mut problems, &mut draft.warnings)
            }
            Err(problem) => problems.push(problem),
        },
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
    output::line(format_args!("  store.path = \"{path}\""))?;
    if gateway.is_some() {
        output::line(
            "a gateway runs on this store and was asked; `dragoman config plan` tells what a reload \
             of it would do",
        )?;
    }
    Ok(())
}

/// The gateway that has the store of this configuration open.
struct Gateway {
    backend: Backend,
    listening: Vec<String>,
}

impl Gateway {
    /// `None`: there is none that can be asked.
    fn of(config: &Config) -> Option<Self> {
        // One that runs on another store has another mark, and refuses.
        if !config.store.path.is_file() {
            return None;
        }
        let none = Nothing {};
        let backend = Backend::Here(Box::new(config.clone()));
        let state = call_gateway::<ShowConfig>(&backend, &[], &none, &none).ok()?;
        Some(Self { backend, listening: state.listening })
    }

    /// Whether it is this gateway that listens there, so that a reload does what has to be done.
    fn is_in_the_way(&self, address: &ListenAddress) -> bool {
        self.listening.iter().any(|listening| {
            *listening == address.to_string()
                || listening
                    .parse()
                    .is_ok_and(|listening: SocketAddr| is_in_the_way(&listening.into(), address))
        })
    }

    fn room(&self, name: &str) -> Option<Found> {
        let none = Nothing {};
        // An error: there is no such room.
        let room = call_gateway::<ShowRoom>(&self.backend, &[name], &none, &none).ok()?;
        let owner = room.owner.map(|owner| format!("{owner:?}"));
        Some(Found { conflict: conflict_of(room.closed, owner), is_closed: room.closed })
    }
}

/// One problem for each address that cannot be bound now, unless the gateway itself has it.
fn in_use(draft: &Draft, gateway: Option<&Gateway>) -> Vec<Problem> {
    let mut tried: BTreeSet<&ListenAddress> = BTreeSet::new();
    // Kept, as two of them may collide.
    let mut bound = Vec::new();
    let mut problems = Vec::new();
    for listen in &draft.listens {
        if !tried.insert(&listen.address) {
            continue;
        }
        let is_its_own = gateway.is_some_and(|gateway| gateway.is_in_the_way(&listen.address));
        if is_its_own {
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
        Ok(_) => StorePreview::open(path),
        Err(_) => {
            store_target(path).map_err(sentence).and_then(|path| creatable(&path)).map(|()| None)
        }
    };
    opened.map_err(|why| {
        let what = format!("store.path = {:?}: {why}", path.display().to_string());
        Problem::new(draft.store_source.clone(), what)
    })
}

/// A store follows a log, and there is no `[cluster]`; or the reverse.
fn membership(draft: &Draft, store: &StorePreview) -> Option<Problem> {
    let error = match (store.follows, &draft.config.cluster) {
        (true, None) => ServeError::NoCluster { path: draft.config.store.path.clone() },
        (false, Some(_)) => ServeError::NotMember { path: draft.config.store.path.clone() },
        (true, Some(_)) | (false, None) => return None,
    };
    Some(Problem::new(draft.store_source.clone(), error.to_string()))
}

/// A room of the store that the configuration names.
struct Found {
    /// Why it cannot be one that the configuration names.
    conflict: Option<String>,
    is_closed: bool,
}

/// Finds rooms that the configuration names and that a user owns in the store, and those that it
/// declares and that the engine would not make.
fn check_rooms(
    find: impl Fn(&str) -> Option<Found>,
    named: &[NamedRoom],
    problems: &mut Problems,
    warnings: &mut Problems,
) {
    for NamedRoom { name, key, source, is_declared } in named {
        let found = find(name);
        let is_closed = found.as_ref().is_some_and(|room| room.is_closed);
        let why = match found {
            Some(room) => room.conflict,
            None if *is_declared => core_engine::check_new_room_name(name).err().map(|fault| {
                format!("a new room cannot have a name that {fault}; choose another name")
            }),
            None => None,
        };
        let Some(why) = why else { continue };
        let problem = Problem::new(source.clone(), format!("{key} names the room {name:?}: {why}"));
        if *is_declared || is_closed {
            problems.push(problem);
        } else {
            warnings.push(problem);
        }
    }
}
