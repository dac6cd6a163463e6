//! Certificates that a CA issues to the server that answers for a name: ACME (RFC 8555).

use std::path::PathBuf;

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

use super::certificate::Certificate;
use super::load::chain;

/// The directory of Let's Encrypt.
pub const LETS_ENCRYPT: &str = "https://acme-v02.api.letsencrypt.org/directory";

/// The keys of a table `acme`.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub struct AcmeSettings {
    /// The URL with which the CA begins.
    pub directory: String,
    /// The names that the certificate is for.
    pub domains: Vec<String>,
    /// `mailto:` URLs, for what the CA has to say.
    pub contacts: Vec<String>,
    /// The folder for account and certificates.
    pub cache: PathBuf,
    /// CAs that may sign the certificate of the CA's own server, beside those that the system
    /// trusts.
    pub ca_file: Option<PathBuf>,
}

impl AcmeSettings {
    /// The file with key and certificate, of these names and this CA.
    pub fn certificate_file(&self) -> PathBuf {
        let mut domains = self.domains.clone();
        domains.sort();
        let mark = mark(&format!("{}\n{}", self.directory, domains.join("\n")));
        let first = self.domains.first().map_or("", String::as_str);
        self.cache.join(format!("{first}-{mark}.pem"))
    }

    /// The file with the account at this CA.
    pub fn account_file(&self) -> PathBuf {
        self.cache.join(format!("account-{}.json", mark(&self.directory)))
    }

    /// From when to when the certificate is valid, in seconds since 1970. `None`: there is none, or
    /// it cannot be read.
    pub fn validity(&self) -> Option<(i64, i64)> {
        let file = self.certificate_file();
        let certificate = Certificate::parse(&file, &chain(&file).ok()?).ok()?;
        Some((certificate.not_before, certificate.not_after))
    }
}

/// Tells files of different settings apart.
fn mark(settings: &str) -> String {
    HEXLOWER.encode(&Sha256::digest(settings)[..6])
}
