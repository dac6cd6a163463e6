//! Certificates and keys for listeners: read from PEM files, checked, and made into what rustls
//! serves. The runtime reads them again when the files change.

mod acme;
mod certificate;
mod files;
mod load;
mod resolver;

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustls::ServerConfig;

pub use files::Stamp;
pub(crate) use load::authorities as read_authorities;

/// How the files of settings look, in their order; `None`: one cannot be looked at.
pub type Stamps = Vec<Option<Stamp>>;

pub use acme::{AcmeSettings, LETS_ENCRYPT};
pub use certificate::{Certificate, common_name, subject};

/// How long before its end a certificate is warned of.
pub const EXPIRY_WARNING: Duration = Duration::from_secs(30 * 24 * 60 * 60);

/// The keys of a table `tls`.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct TlsSettings {
    /// The first is for clients that name no host, or one that no certificate has.
    pub identities: Vec<IdentityFiles>,
    /// Certificates of those that sign the clients' ones.
    pub client_ca: Option<PathBuf>,
    /// Whether a client needs a certificate.
    pub require: bool,
    /// Whether TLS 1.2 is refused.
    pub only_v13: bool,
    /// What HTTP responses say of how long browsers use https only; zero: nothing.
    pub hsts: Duration,
    /// Where the certificate is from, if not from the operator. Then the only identity is the file
    /// that it is kept in.
    pub acme: Option<AcmeSettings>,
}

/// A certificate with its chain, and its key.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct IdentityFiles {
    pub cert: PathBuf,
    pub key: PathBuf,
}

/// What is wrong with a file, and the key that names it.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct TlsFault {
    /// `cert`, `key`, `client_ca` or `acme`.
    pub key: &'static str,
    /// Whose file: the position among the certificates.
    pub identity: usize,
    /// With the path, and what to do.
    pub why: String,
}

impl fmt::Display for TlsFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.why)
    }
}

/// The settings with the files that they name, as read together.
pub struct Tls {
    pub settings: TlsSettings,
    /// The server's certificates, one for each of the identities.
    pub certificates: Vec<Certificate>,
    /// Without protocols, which differ by listener.
    server: ServerConfig,
    stamps: Stamps,
}

impl Tls {
    /// Reads and checks the files. Every fault is found, not only the first.
    pub fn load(settings: TlsSettings) -> Result<Self, Vec<TlsFault>> {
        load::load(settings)
    }

    /// What rustls serves to clients that speak one of these protocols, or name none.
    pub fn server_config(&self, protocols: &[&str]) -> Arc<ServerConfig> {
        let mut server = self.server.clone();
        server.alpn_protocols = protocols.iter().map(|name| name.as_bytes().to_vec()).collect();
        Arc::new(server)
    }

    /// How the files look now: compare with [`is_of`](Self::is_of).
    pub fn look(settings: &TlsSettings) -> Stamps {
        settings.files().map(Stamp::of).collect()
    }

    /// Whether it was read from files that looked like this.
    pub fn is_of(&self, stamps: &Stamps) -> bool {
        self.stamps == *stamps
    }

    /// What is risky or about to fail, in sentences for the operator.
    pub fn warnings(&self) -> Vec<String> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let certificates = self.certificates.iter();
        let mut warnings: Vec<String> =
            certificates.flat_map(|certificate| certificate.warnings(now)).collect();
        if let Some(acme) = self.settings.acme.as_ref().filter(|_| self.certificates.is_empty()) {
            warnings.push(format!(
                "there is no certificate for {} yet: until {} has issued one, handshakes fail",
                acme.domains.join(", "),
                acme.directory
            ));
        }
        warnings
    }
}

/// Equal settings with files of equal content.
impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.settings == other.settings && self.stamps == other.stamps
    }
}

impl fmt::Debug for Tls {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Tls").field("settings", &self.settings).finish_non_exhaustive()
    }
}

impl TlsSettings {
    /// The files that it names.
    pub fn files(&self) -> impl Iterator<Item = &Path> {
        let identities = self.identities.iter().flat_map(|one| [&one.cert, &one.key]);
        identities.chain(&self.client_ca).map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests;
