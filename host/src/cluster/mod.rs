//! A gateway of a cluster: the log of `core-cluster` as the log of the engine.

use std::path::Path;

use core_cluster::{Cluster, Credentials, Error, LogId, LogInfo, Position, Settings, Tls};
use core_engine::OpenError;

use crate::config::{ClusterConfig, ClusterLogin};

/// What `core-cluster` needs of `[cluster]`.
pub fn settings(config: &ClusterConfig) -> Settings {
    let credentials = match config.login.clone() {
        ClusterLogin::None => Credentials::None,
        ClusterLogin::User { user, password } => Credentials::User { user, password },
        ClusterLogin::Token(token) => Credentials::Token(token),
        ClusterLogin::Credentials(file) => Credentials::File(file),
        ClusterLogin::Nkey(seed) => Credentials::Nkey(seed),
    };
    let tls = config.tls.clone();
    Settings {
        credentials,
        tls: Tls { ca: tls.ca, cert: tls.cert, key: tls.key },
        replicas: config.replicas as usize,
        log_bytes_max: config.log_bytes,
        log_age_max: config.log_age,
        monitoring: config.monitoring.clone(),
        ..Settings::new(&config.name, config.servers.clone())
    }
}

/// Why a cluster is not begun or joined.
#[derive(Debug, thiserror::Error)]
pub enum MemberError {
    #[error(transparent)]
    Log(#[from] Error),
    #[error(transparent)]
    Store(#[from] OpenError),
}

/// Makes the log of a cluster, and has the store follow it from its beginning: what is in the store is
/// where the cluster begins. Another gateway has to begin with a copy of it.
pub async fn begin(config: &ClusterConfig, store: &Path) -> Result<LogInfo, MemberError> {
    let log = Cluster::connect(settings(config)).await?.init(Position(0)).await?;
    core_engine::follow_log(store, log_number(&log.id), 0)?;
    Ok(log)
}

/// Has a store follow the log of a cluster from its beginning: a copy of what the cluster has begun
/// with, or an empty one if that was empty.
pub async fn join(config: &ClusterConfig, store: &Path) -> Result<LogInfo, MemberError> {
    let log = Cluster::connect(settings(config)).await?.info().await?;
    core_engine::follow_log(store, log_number(&log.id), 0)?;
    Ok(log)
}

/// The engine's number of a log.
pub fn log_number(id: &LogId) -> u64 {
    u64::from_str_radix(id.as_str(), 16).expect("an id has 16 hexadecimal digits")
}

/// The id of the log that a store calls by this number.
pub fn log_id(number: u64) -> LogId {
    LogId::parse(&format!("{number:016x}")).expect("an id has 16 hexadecimal digits")
}
