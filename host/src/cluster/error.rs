//! Why a store is no member of a cluster, in sentences for the operator.

use std::io;
use std::path::PathBuf;

use core_cluster::Error;
use core_engine::{BackupError, OpenError};

/// Why a store does not come to follow a log.
#[derive(Debug, thiserror::Error)]
pub enum MembershipError {
    #[error(transparent)]
    Log(#[from] Error),
    #[error(transparent)]
    Store(#[from] OpenError),
    #[error("{}: {error}", path.display())]
    Backup { path: PathBuf, error: BackupError },
    #[error("{}: {error}", path.display())]
    File { path: PathBuf, error: io::Error },
    #[error(
        "the store {} follows the log {log} already, to entry {applied}; start the gateway, or, if the servers have lost that log, run `dragoman cluster recover`; to begin a cluster with another store, choose another [store] path",
        path.display()
    )]
    Member { path: PathBuf, log: String, applied: u64 },
    #[error(
        "the store {} {what}: add --replace to keep it as {}.replaced and begin with the newest snapshot, or choose another [store] path",
        path.display(), path.display()
    )]
    InTheWay { path: PathBuf, what: String },
    #[error(
        "the store {} {what} (at entry {position}), so no log is begun with it; make it anew with `dragoman cluster join --replace`, or, if it is the only store that is left, see \"Stores that differ\" in docs/cluster.md",
        path.display()
    )]
    Condemned { path: PathBuf, what: &'static str, position: u64 },
    #[error(
        "the store {} is damaged: {why}; make it anew from the newest snapshot with `dragoman cluster join --replace`",
        path.display()
    )]
    Damaged { path: PathBuf, why: String },
    #[error(
        "the newest snapshot is of entry {snapshot}, and the log begins at entry {first}: the entries between are gone; run `dragoman cluster recover` on the node that has applied most"
    )]
    Gap { snapshot: u64, first: u64 },
    #[error(
        "there is no store {} that follows a log; run this on the node that has applied most",
        path.display()
    )]
    NoMember { path: PathBuf },
    #[error(
        "the log {log} is there, and the store {} can follow it from entry {applied} on; there is nothing to recover: start the gateway, or add --discard-log to begin a new log with this store",
        path.display()
    )]
    Sound { path: PathBuf, log: String, applied: u64 },
    #[error(
        "the servers have the log {log} with the entries {first} to {last}, and the store {} has applied the log {own} to entry {applied}; add --discard-log to remove that log, if this is the node that has applied most",
        path.display()
    )]
    InTheLog { path: PathBuf, log: String, first: u64, last: u64, own: String, applied: u64 },
}
