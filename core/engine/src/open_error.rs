//! Why a store cannot be opened.

use std::io;
use std::path::{Path, PathBuf};

use crate::migrate::FORMAT;

/// Why a store cannot be opened. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another process has the store {} open; stop it, or choose another [store] path", path.display())]
    Locked { path: PathBuf },
    #[error("cannot open the store {}: {source}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: Box<redb::Error>,
    },
    #[error("cannot open the store {}: this user may not read and write it; run this as its owner", path.display())]
    Denied { path: PathBuf },
    #[error("the store {} is {kind}, not a store; move it away, or choose another [store] path", path.display())]
    NotAStore { path: PathBuf, kind: &'static str },
    #[error(
        "the store {} is a symbolic link to {}, which does not exist; mount its disk or create it (an empty file will do), or choose another [store] path",
        path.display(), target.display()
    )]
    DanglingLink { path: PathBuf, target: PathBuf },
    #[error("the store {} is damaged: {why}; restore a backup", path.display())]
    Damaged { path: PathBuf, why: String },
    #[error(
        "the store {} has format {found}, this version reads up to {FORMAT}; run the version that wrote it, or a later one",
        path.display()
    )]
    TooNew { path: PathBuf, found: u64 },
    #[error(
        "the store {} follows the log of a cluster: a change of this file alone would set it apart from the other nodes; have a running gateway of the cluster make the change, or restore a backup of the store, which follows no log",
        path.display()
    )]
    FollowsLog { path: PathBuf },
    #[error(
        "the store {} follows no log, so it cannot be part of a cluster as it is; restore a backup of another node, or begin a cluster with it",
        path.display()
    )]
    FollowsNoLog { path: PathBuf },
    #[error(
        "the store {} was found at entry {position} of the log to differ from those of most other nodes; look for a failing disk or memory, move the store away, and start from the newest snapshot with `dragoman cluster join`",
        path.display()
    )]
    Diverged { path: PathBuf, position: u64 },
    #[error("cannot start the thread that writes the store: {0}")]
    Thread(std::io::Error),
    #[error("cannot compact the store {}: {source}; what is in it is as it was", path.display())]
    Compact {
        path: PathBuf,
        #[source]
        source: Box<redb::Error>,
    },
}

impl OpenError {
    pub(crate) fn io(path: &Path, error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::PermissionDenied {
            return Self::Denied { path: path.into() };
        }
        Self::Open { path: path.into(), source: Box::new(redb::Error::Io(error)) }
    }
}
