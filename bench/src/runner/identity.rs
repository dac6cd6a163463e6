//! The certificate of the servers that speak TLS, and their clients.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rcgen::{CertificateParams, KeyPair};
use rustls::client::Resumption;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, RootCertStore};

use crate::load::Encryption;

/// The name in the certificate.
const HOST: &str = "bench.example.org";

/// A certificate that has signed itself, with its key in the same file.
pub(super) struct Identity {
    pub(super) file: PathBuf,
    certificate: CertificateDer<'static>,
}

impl Identity {
    pub(super) fn write(folder: &Path) -> io::Result<Self> {
        let params = CertificateParams::new(vec![HOST.to_owned()]).map_err(io::Error::other)?;
        let key = KeyPair::generate().map_err(io::Error::other)?;
        let certificate = params.self_signed(&key).map_err(io::Error::other)?;
        let file = folder.join("identity.pem");
        fs::write(&file, certificate.pem() + &key.serialize_pem())?;
        Ok(Self { file, certificate: certificate.der().clone() })
    }

    /// A client of these servers, which resumes sessions or does not.
    pub(super) fn client(&self, resumes: bool) -> Encryption {
        let mut roots = RootCertStore::empty();
        roots.add(self.certificate.clone()).expect("it was just made");
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(provider);
        let builder = builder.with_safe_default_protocol_versions().expect("ring has them");
        let mut config = builder.with_root_certificates(roots).with_no_client_auth();
        if !resumes {
            config.resumption = Resumption::disabled();
        }
        let host = ServerName::try_from(HOST).expect("it is a name");
        Encryption { config: Arc::new(config), host }
    }

    /// `tls` of a front end or a listener, TOML.
    pub(super) fn table(&self) -> String {
        let file = self.file.display();
        format!("{{ cert = \"{file}\", key = \"{file}\" }}")
    }
}
