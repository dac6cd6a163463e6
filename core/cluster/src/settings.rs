//! What `[cluster]` of gateway.toml says, and whether it can be right.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use async_nats::ServerAddr;
use async_nats::rustls::pki_types::pem::PemObject;
use async_nats::rustls::pki_types::{CertificateDer, PrivateKeyDer};

use crate::error::Error;

/// One entry may have this many bytes. A server takes 1 MiB a message unless it is configured
/// otherwise, and the header is part of it.
pub const ENTRY_BYTES_MAX: usize = 512 << 10;

/// An entry with its header.
pub(crate) const MESSAGE_BYTES_MAX: usize = ENTRY_BYTES_MAX + 1024;

/// The smallest log that is worth one: two entries of the largest size.
const LOG_BYTES_MIN: u64 = 2 * ENTRY_BYTES_MAX as u64;

/// The shortest age after which entries may go: a node that is away for a minute is not a new one.
const LOG_AGE_MIN: Duration = Duration::from_secs(60);

const NAME_CHARACTERS_MAX: usize = 32;

/// Where the servers are, and how the log is kept there.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `cluster.name`: in the names of the stream, the subject and the bucket.
    pub name: String,
    /// `cluster.servers`: `nats://host:port` or `tls://host:port`. All of them: what servers tell of
    /// others is ignored, as their own addresses may be of no use here.
    pub servers: Vec<String>,
    pub credentials: Credentials,
    pub tls: Tls,
    /// `cluster.replicas`: how many servers keep the log; 1, 3 or 5. Used when the log is made.
    pub replicas: usize,
    /// `cluster.log_bytes`: the oldest entries go when there are more. Used when the log is made.
    pub log_bytes_max: u64,
    /// `cluster.log_age`: entries that are older go. Used when the log is made.
    pub log_age_max: Duration,
    /// `cluster.monitoring`: the servers' monitoring addresses, `http://host:port`, which only
    /// `check` asks.
    pub monitoring: Vec<String>,
}

impl Settings {
    /// Three replicas, 32 GiB and seven days, without credentials.
    pub fn new(name: &str, servers: Vec<String>) -> Self {
        Self {
            name: name.to_owned(),
            servers,
            credentials: Credentials::None,
            tls: Tls::default(),
            replicas: 3,
            log_bytes_max: 32 << 30,
            log_age_max: Duration::from_secs(7 * 24 * 60 * 60),
            monitoring: Vec::new(),
        }
    }

    /// What is wrong without asking a server. Reads the files that the settings name.
    pub fn check(&self) -> Result<(), Error> {
        check_name(&self.name)?;
        if self.servers.is_empty() {
            return fault("cluster.servers", "[]", "name at least one, as \"nats://host:4222\"");
        }
        self.servers.iter().try_for_each(|server| check_server(server))?;
        if ![1, 3, 5].contains(&self.replicas) {
            let why = "must be 1, 3 or 5: a log needs more than half of its replicas";
            return fault("cluster.replicas", &self.replicas.to_string(), why);
        }
        if self.log_bytes_max < LOG_BYTES_MIN || i64::try_from(self.log_bytes_max).is_err() {
            let why = format!("must be at least {LOG_BYTES_MIN} bytes");
            return fault("cluster.log_bytes", &self.log_bytes_max.to_string(), &why);
        }
        if self.log_age_max < LOG_AGE_MIN {
            let value = format!("{:?}", self.log_age_max);
            return fault("cluster.log_age", &value, "must be at least a minute");
        }
        for address in &self.monitoring {
            if !address.starts_with("http://") {
                let why = "must be http://host:port, as nats-server has it in `http`";
                return fault("cluster.monitoring", address, why);
            }
        }
        self.tls.check()?;
        self.credentials.check()
    }

    pub(crate) fn servers_text(&self) -> String {
        self.servers.join(", ")
    }
}

fn fault<T>(key: &'static str, value: &str, why: &str) -> Result<T, Error> {
    Err(Error::Setting { key, value: value.to_owned(), why: why.to_owned() })
}

fn check_name(name: &str) -> Result<(), Error> {
    let is_fit = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > NAME_CHARACTERS_MAX || !name.chars().all(is_fit) {
        let why = "must be 1 to 32 letters, digits, `-` or `_`";
        return fault("cluster.name", name, why);
    }
    Ok(())
}

fn check_server(server: &str) -> Result<(), Error> {
    let scheme = server.split_once("://").map_or("nats", |(scheme, _)| scheme);
    if !matches!(scheme, "nats" | "tls") {
        return fault("cluster.servers", server, "must begin with nats:// or tls://");
    }
    let address: ServerAddr = match server.parse() {
        Ok(address) => address,
        Err(error) => return fault("cluster.servers", server, &error.to_string()),
    };
    if address.username().is_some() || address.password().is_some() {
        // The value is left out: it has a secret.
        let why = "put the user and the password into cluster.user and cluster.password";
        return fault("cluster.servers", address.host(), why);
    }
    Ok(())
}

/// How the gateway shows the servers who it is.
#[derive(Clone, Default)]
pub enum Credentials {
    #[default]
    None,
    /// `cluster.user` and `cluster.password`
    User { user: String, password: String },
    /// `cluster.token`
    Token(String),
    /// `cluster.credentials`: a file as `nsc generate creds` writes it
    File(PathBuf),
    /// `cluster.nkey`: the seed of a user's key, `SU…`
    Nkey(String),
}

impl Credentials {
    /// The keys in gateway.toml.
    pub(crate) fn keys(&self) -> &'static str {
        match self {
            Self::None => "cluster.user and cluster.password, which are missing",
            Self::User { .. } => "cluster.user and cluster.password",
            Self::Token(_) => "cluster.token",
            Self::File(_) => "cluster.credentials",
            Self::Nkey(_) => "cluster.nkey",
        }
    }

    fn check(&self) -> Result<(), Error> {
        match self {
            Self::None | Self::User { .. } | Self::Token(_) => Ok(()),
            Self::File(path) => read("cluster.credentials", path).map(|_| ()),
            Self::Nkey(seed) if seed.starts_with("SU") => Ok(()),
            // The value is left out: it is a secret.
            Self::Nkey(_) => fault("cluster.nkey", "…", "must be the seed of a user, `SU…`"),
        }
    }
}

impl fmt::Debug for Credentials {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Credentials({})", self.keys())
    }
}

/// Files of TLS. Whether there is TLS at all the servers say, or `tls://` in an address.
#[derive(Debug, Clone, Default)]
pub struct Tls {
    /// `cluster.tls.ca`: authorities of the servers' certificates, instead of the system's.
    pub ca: Option<PathBuf>,
    /// `cluster.tls.cert` and `cluster.tls.key`: what this gateway shows.
    pub cert: Option<PathBuf>,
    pub key: Option<PathBuf>,
}

impl Tls {
    fn check(&self) -> Result<(), Error> {
        if let Some(path) = &self.ca {
            check_certificates("cluster.tls.ca", path)?;
        }
        match (&self.cert, &self.key) {
            (None, None) => Ok(()),
            (Some(cert), Some(key)) => {
                check_certificates("cluster.tls.cert", cert)?;
                let pem = read("cluster.tls.key", key)?;
                match PrivateKeyDer::from_pem_slice(&pem) {
                    Ok(_) => Ok(()),
                    Err(error) => {
                        let why = format!("has no private key in PEM: {error}");
                        fault("cluster.tls.key", &key.to_string_lossy(), &why)
                    }
                }
            }
            (Some(cert), None) => {
                fault("cluster.tls.cert", &cert.to_string_lossy(), "needs cluster.tls.key")
            }
            (None, Some(key)) => {
                fault("cluster.tls.key", &key.to_string_lossy(), "needs cluster.tls.cert")
            }
        }
    }
}

fn check_certificates(key: &'static str, path: &Path) -> Result<(), Error> {
    let pem = read(key, path)?;
    match CertificateDer::pem_slice_iter(&pem).collect::<Result<Vec<_>, _>>() {
        Ok(found) if !found.is_empty() => Ok(()),
        Ok(_) => fault(key, &path.to_string_lossy(), "has no certificate in PEM"),
        Err(error) => fault(key, &path.to_string_lossy(), &error.to_string()),
    }
}

fn read(key: &'static str, path: &Path) -> Result<Vec<u8>, Error> {
    std::fs::read(path).or_else(|error| fault(key, &path.to_string_lossy(), &error.to_string()))
}
