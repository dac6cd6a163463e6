//! The typed form of `[cluster]`.

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

#[cfg(feature = "cluster")]
use core_cluster::{Credentials, Settings, Tls};

/// The log that this gateway shares with others.
#[derive(Clone, Debug, PartialEq)]
pub struct ClusterConfig {
    /// The name of the cluster, which its log has on the servers.
    pub name: String,
    /// What this gateway is called in the cluster. Default: the name of the machine.
    pub node: String,
    /// `nats://host:port` or `tls://host:port`.
    pub servers: Vec<String>,
    /// `http://host:port` of the servers, which only `dragoman cluster check` asks.
    pub monitoring: Vec<String>,
    pub login: ClusterLogin,
    pub tls: ClusterTls,
    /// How many servers keep the log. Default 3.
    pub replicas: u32,
    /// The oldest entries of the log go when there are more bytes. Default 32 GiB.
    pub log_bytes: u64,
    /// Entries go when they are older. Default 7 days.
    pub log_age: Duration,
    /// Default: disk.
    pub sync: Sync,
    /// Default: local.
    pub reads: Reads,
}

/// How the gateway shows the servers who it is.
#[derive(Clone, Default, Eq, PartialEq)]
pub enum ClusterLogin {
    #[default]
    None,
    User {
        user: String,
        password: String,
    },
    Token(String),
    /// A file as `nsc generate creds` writes it.
    Credentials(PathBuf),
    /// The seed of a user's key.
    Nkey(String),
}

impl fmt::Debug for ClusterLogin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("ClusterLogin")
    }
}

/// Files of TLS towards the servers.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct ClusterTls {
    pub ca: Option<PathBuf>,
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

/// When a command is answered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Sync {
    /// Once it is on the disk of this gateway, too.
    #[default]
    Disk,
    /// Once most servers of the log have it.
    Log,
}

/// What a query sees.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum Reads {
    /// What this gateway has applied.
    #[default]
    Local,
    /// All that any gateway had answered before the query came.
    Fresh,
}

#[cfg(feature = "cluster")]
impl ClusterConfig {
    /// What `core-cluster` needs of it.
    pub(crate) fn settings(&self) -> Settings {
        let credentials = match self.login.clone() {
            ClusterLogin::None => Credentials::None,
            ClusterLogin::User { user, password } => Credentials::User { user, password },
            ClusterLogin::Token(token) => Credentials::Token(token),
            ClusterLogin::Credentials(file) => Credentials::File(file),
            ClusterLogin::Nkey(seed) => Credentials::Nkey(seed),
        };
        let tls = self.tls.clone();
        Settings {
            credentials,
            tls: Tls { ca: tls.ca, cert: tls.cert, key: tls.key },
            replicas: self.replicas as usize,
            log_bytes_max: self.log_bytes,
            log_age_max: self.log_age,
            monitoring: self.monitoring.clone(),
            ..Settings::new(&self.name, self.servers.clone())
        }
    }
}
