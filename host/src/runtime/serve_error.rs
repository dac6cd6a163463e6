//! Why the gateway cannot serve, in sentences for the operator.

use std::io;
use std::path::PathBuf;

use core_engine::OpenError;
use core_model::Refusal;

use crate::config::ListenAddress;

/// Why the gateway cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot make the folder {} of the store: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Store(core_engine::OpenError),
    #[error(
        "the store {} follows the log of a cluster, and there is no section [cluster]: name the cluster and its servers there, or choose another [store] path",
        path.display()
    )]
    NoCluster { path: PathBuf },
    #[error(
        "there is a section [cluster], and the store {} follows no log: begin the cluster with it (`dragoman cluster init`), join one (`dragoman cluster join`), or remove the section",
        path.display()
    )]
    NotMember { path: PathBuf },
    #[error(
        "the store {} is damaged: {why}; `dragoman cluster join --replace` keeps it as {}.replaced and begins with the newest snapshot of the cluster",
        path.display(), path.display()
    )]
    DamagedMember { path: PathBuf, why: String },
    #[error("the store cannot be made from a snapshot of the cluster: {0}")]
    NotJoined(String),
    #[error("the log of the cluster cannot be followed: {0}")]
    Cluster(String),
    #[error(
        "the store failed: {0}; exiting, since the log of the cluster is read again from where the store is"
    )]
    FollowerFailed(String),
    #[error("the engine did not start: {}", reason(.0))]
    Start(Refusal),
    #[error("the room {name:?} of [[rooms]] cannot be created: {}", reason(why))]
    Room { name: String, why: Refusal },
    #[error("{key} names the room {name:?}: {why}")]
    RoomConflict { key: String, name: String, why: String },
    #[error("the front end {frontend} is required and cannot listen on {address}: {error}")]
    Required { frontend: String, address: ListenAddress, error: io::Error },
    #[error("no front end could listen: enable one in gateway.toml, and give it a free address")]
    Deaf,
    #[error("the store failed: {0}; exiting, since on_store_failure is \"exit\"")]
    StoreFailed(String),
    #[error("cannot take signals: {0}")]
    Signals(io::Error),
}

impl ServeError {
    /// Whether each further start ends the same way, until an operator changes the configuration or
    /// the store. A port may become free by itself, and a disk may be mounted later.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::NoCluster { .. } | Self::NotMember { .. } | Self::RoomConflict { .. } => true,
            Self::Room { why, .. } => {
                !matches!(why, Refusal::Internal { .. } | Refusal::Overloaded | Refusal::Unsettled)
            }
            Self::Store(error) => matches!(
                error,
                OpenError::NotAStore { .. }
                    | OpenError::TooNew { .. }
                    | OpenError::FollowsLog { .. }
                    | OpenError::FollowsNoLog { .. }
            ),
            _ => false,
        }
    }
}

/// A refusal in words for the operator: users do not get to know why the store failed.
fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Internal { why } => why.clone(),
        refusal => refusal.to_string(),
    }
}

/// A store says whether it follows a log, and so does the configuration.
pub(crate) fn not_opened(error: OpenError, is_member: bool) -> ServeError {
    match error {
        OpenError::Damaged { path, why } if is_member => ServeError::DamagedMember { path, why },
        OpenError::FollowsLog { path } => ServeError::NoCluster { path },
        OpenError::FollowsNoLog { path } => ServeError::NotMember { path },
        error => ServeError::Store(error),
    }
}
