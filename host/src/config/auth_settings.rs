//! Who may sign in, and which programs may use a front end: the typed form of `[auth]` and of API
//! keys.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use hyper::header::{HeaderName, HeaderValue};
use rustls::pki_types::CertificateDer;

use crate::jwt::Verifier;
use crate::tls::Stamp;

/// Who checks passwords beside the gateway.
#[derive(Clone, PartialEq)]
pub struct AuthConfig {
    /// Whether accounts sign in by passwords that the gateway has stored.
    pub(crate) local_passwords: bool,
    pub(crate) http: Option<HttpAuthConfig>,
    pub(crate) jwt: Option<JwtAuthConfig>,
}

impl Default for AuthConfig {
    fn default() -> Self {
        Self { local_passwords: true, http: None, jwt: None }
    }
}

impl AuthConfig {
    /// The files with secrets.
    pub(crate) fn secret_files(&self) -> impl Iterator<Item = &Path> {
        self.http.iter().filter_map(|http| http.secret.as_ref()).map(|secret| secret.path.as_path())
    }
}

/// An address that is asked about each password.
#[derive(Clone, PartialEq)]
pub(crate) struct HttpAuthConfig {
    pub(crate) url: String,
    /// CAs that the server may be signed by, beside those that the system trusts.
    pub(crate) ca: Option<CaFile>,
    pub(crate) secret: Option<SecretHeader>,
    /// How long an answer may take.
    pub(crate) timeout: Duration,
    /// How long an `allow` is remembered; zero: not at all.
    pub(crate) cache_ttl: Duration,
    /// How long a `deny` is.
    pub(crate) deny_ttl: Duration,
    /// Whether users that are not known here get accounts.
    pub(crate) create: bool,
}

/// The certificates of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct CaFile {
    pub(crate) path: PathBuf,
    pub(crate) certificates: Vec<CertificateDer<'static>>,
}

/// A header that shows the address that the gateway asks. No `Debug`: the value is a secret.
#[derive(Clone, PartialEq)]
pub(crate) struct SecretHeader {
    pub(crate) path: PathBuf,
    pub(crate) name: HeaderName,
    /// Marked as sensitive.
    pub(crate) value: HeaderValue,
}

/// An issuer of tokens.
#[derive(Clone, PartialEq)]
pub(crate) struct JwtAuthConfig {
    pub(crate) keys: KeySource,
    pub(crate) verifier: Verifier,
    /// The claim with the user's identity.
    pub(crate) claim: String,
    /// The claim with the handle that a new account wants.
    pub(crate) handle_claim: String,
    /// The claim with the display name of a new account.
    pub(crate) name_claim: String,
    /// How old the keys may be before they are read again.
    pub(crate) refresh: Duration,
    pub(crate) timeout: Duration,
    pub(crate) create: bool,
}

/// Where the issuer's keys are.
#[derive(Clone, PartialEq)]
pub(crate) enum KeySource {
    File(PathBuf),
    Url { url: String, ca: Option<CaFile> },
}

/// A key by which HTTP clients may use a front end.
#[derive(Clone, Eq, PartialEq)]
pub struct ApiKey {
    /// What logs and metrics call it; several may have one name.
    pub name: String,
    pub key: String,
}

/// Without the key, which is a secret.
impl fmt::Debug for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ApiKey").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The keys of a file, as they were read.
#[derive(Clone, Debug, PartialEq)]
pub struct ApiKeysFile {
    pub path: PathBuf,
    pub keys: Vec<ApiKey>,
    /// How the file looked before it was read.
    pub stamp: Option<Stamp>,
}
