//! Reads and checks the files of a table `tls`.

use std::path::Path;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::danger::ClientCertVerifier;
use rustls::server::{NoServerSessionStorage, WebPkiClientVerifier};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{InconsistentKeys, RootCertStore, ServerConfig};

use super::certificate::Certificate;
use super::files::read;
use super::resolver::Resolver;
use super::{IdentityFiles, Tls, TlsFault, TlsSettings};

pub(super) fn load(settings: TlsSettings) -> Result<Tls, Vec<TlsFault>> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    // Before the files are read: what changes meanwhile is seen as a change.
    let stamps = Tls::look(&settings);
    let mut faults = Vec::new();
    let mut certificates = Vec::new();
    let mut keys = Vec::new();
    for (nth, files) in settings.identities.iter().enumerate() {
        // One that the CA has yet to issue.
        if settings.acme.is_some() && !files.cert.exists() {
            continue;
        }
        match identity(files, &provider) {
            Ok((certificate, key)) => {
                keys.push((certificate.names.clone(), Arc::new(key)));
                certificates.push(certificate);
            }
            Err((_, why)) if settings.acme.is_some() => {
                let why = format!("{why}; remove the file, and another is issued");
                faults.push(TlsFault { key: "acme", identity: nth, why });
            }
            Err((key, why)) => faults.push(TlsFault { key, identity: nth, why }),
        }
    }
    if let Some(Err(why)) =
        settings.acme.as_ref().and_then(|acme| acme.ca_file.as_deref()).map(authorities)
    {
        faults.push(TlsFault { key: "acme", identity: 0, why });
    }
    let verifier = settings.client_ca.as_deref().map(|path| client_verifier(path, &settings));
    let verifier = verifier.transpose().unwrap_or_else(|why| {
        faults.push(TlsFault { key: "client_ca", identity: 0, why });
        None
    });
    if !faults.is_empty() {
        return Err(faults);
    }
    let versions: &[_] = if settings.only_v13 { &[&TLS13] } else { &[&TLS13, &TLS12] };
    let builder = ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(versions)
        .expect("the provider has suites of both versions");
    let has_verifier = verifier.is_some();
    let builder = match verifier {
        Some(verifier) => builder.with_client_cert_verifier(verifier),
        None => builder.with_no_client_auth(),
    };
    let mut server = builder.with_cert_resolver(Arc::new(Resolver::new(keys)));
    if has_verifier {
        // A resumed session has the certificate that the client showed once, and rustls does not
        // check its dates again: each handshake is a full one.
        server.session_storage = Arc::new(NoServerSessionStorage {});
        server.send_tls13_tickets = 0;
    // Resumption by tickets, which cost no memory here. They end with the certificates: after a
    // change a client shakes hands in full, and sees the new one.
    } else if let Ok(ticketer) = rustls::crypto::ring::Ticketer::new() {
        server.ticketer = ticketer;
    }
    Ok(Tls { settings, certificates, server, stamps })
}

/// A certificate and its key, or the configuration's key that is wrong, and why.
fn identity(
    files: &IdentityFiles,
    provider: &CryptoProvider,
) -> Result<(Certificate, CertifiedKey), (&'static str, String)> {
    let chain = chain(&files.cert).map_err(|why| ("cert", why))?;
    let certificate = Certificate::parse(&files.cert, &chain).map_err(|why| ("cert", why))?;
    let shown = files.key.display();
    let key = private_key(&files.key).map_err(|why| ("key", why))?;
    let signing = provider.key_provider.load_private_key(key);
    let signing = signing.map_err(|error| {
        let why = match error {
            rustls::Error::General(why) => why,
            error => error.to_string(),
        };
        let what = format!(
            "{shown} has a key that cannot be used ({why}); make one of RSA with 2048 \
             to 8192 bits, ECDSA P-256 or P-384, or Ed25519, and have its certificate issued anew"
        );
        ("key", what)
    })?;
    let certified = CertifiedKey::new(chain, signing);
    match certified.keys_match() {
        Ok(()) | Err(rustls::Error::InconsistentKeys(InconsistentKeys::Unknown)) => {
            Ok((certificate, certified))
        }
        Err(rustls::Error::InconsistentKeys(_)) => Err(("key", mismatch(files, &certified))),
        Err(error) => Err(("cert", format!("{}: {error}", files.cert.display()))),
    }
}

fn mismatch(files: &IdentityFiles, certified: &CertifiedKey) -> String {
    let key = files.key.display();
    let cert = files.cert.display();
    let fits = |nth: &usize| {
        let rest = certified.cert[*nth..].to_vec();
        CertifiedKey::new(rest, certified.key.clone()).keys_match().is_ok()
    };
    match (1..certified.cert.len()).find(fits) {
        Some(nth) => format!(
            "{key} is the key of certificate {} in {cert}; put the server's own certificate first",
            nth + 1
        ),
        None => format!("{key} is not the key of the certificate in {cert}"),
    }
}

/// What a file that has a key in place of certificates should be replaced with.
const OWN_CERTIFICATE: &str = "are cert and key exchanged?";
const CA_CERTIFICATE: &str = "name the certificate of the CA; its key is for the CA alone";

/// The certificates of a server, in the order of the file.
pub(super) fn chain(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    certificates(path, OWN_CERTIFICATE)
}

/// The certificates of a file, in its order. `instead`: what to do if it has a key.
fn certificates(path: &Path, instead: &str) -> Result<Vec<CertificateDer<'static>>, String> {
    let content = read(path)?;
    let shown = path.display();
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    let found = found.map_err(|error| not_pem(path, &error))?;
    if !found.is_empty() {
        return Ok(found);
    }
    let text = String::from_utf8_lossy(&content);
    Err(if let Some(why) = binary(path, &content, "x509") {
        why
    } else if text.contains("PRIVATE KEY-----") {
        format!("{shown} has a key and no certificate; {instead}")
    } else if text.contains("CERTIFICATE REQUEST-----") {
        format!(
            "{shown} has a request for a certificate; name the certificate that the CA made of it"
        )
    } else {
        format!("{shown} has no certificate: expected PEM, -----BEGIN CERTIFICATE-----")
    })
}

/// What to do with a file that is no PEM but binary. `kind`: what openssl calls its content.
fn binary(path: &Path, content: &[u8], kind: &str) -> Option<String> {
    let shown = path.display();
    // A SEQUENCE that is not short: what DER and PKCS#12 begin with.
    matches!(content, [0x30, 0x80..=0xff, ..]).then(|| {
        format!(
            "{shown} is binary, as DER and PKCS#12 are; convert it to PEM: openssl {kind} -inform DER \
             -in {shown}, or openssl pkcs12 -nodes -in {shown}"
        )
    })
}

/// The certificates that servers may be signed by, or that servers show themselves because they have
/// signed them themselves. Another one would never be found to have signed any.
pub(crate) fn authorities(path: &Path) -> Result<Vec<CertificateDer<'static>>, String> {
    let certificates = certificates(path, CA_CERTIFICATE)?;
    let mut roots = RootCertStore::empty();
    for (nth, certificate) in certificates.iter().enumerate() {
        let parsed = Certificate::parse(path, std::slice::from_ref(certificate))?;
        if !parsed.is_self_signed {
            check_is_ca(nth, &parsed, "server's own")?;
        }
        let added = roots.add(certificate.clone());
        added.map_err(|error| format!("{}: {error}", path.display()))?;
    }
    Ok(certificates)
}

/// `whose`: the certificates that it should have signed.
fn check_is_ca(nth: usize, certificate: &Certificate, whose: &str) -> Result<(), String> {
    if certificate.is_ca {
        return Ok(());
    }
    let Certificate { path, subject, .. } = certificate;
    Err(format!(
        "certificate {} in {}, {subject}, is not one of a CA: it may sign no others \
         (basicConstraints lacks CA:TRUE); name the certificate that signed the {whose}",
        nth + 1,
        path.display()
    ))
}

fn not_pem(path: &Path, error: &pem::Error) -> String {
    let shown = path.display();
    match error {
        pem::Error::MissingSectionEnd { .. } => {
            format!(
                "{shown} is cut off: there is a line -----BEGIN …----- without its -----END …-----"
            )
        }
        error => format!("{shown} is not PEM: {error}"),
    }
}

/// The key of a file: PKCS#8, PKCS#1 or SEC1.
fn private_key(path: &Path) -> Result<PrivateKeyDer<'static>, String> {
    let content = read(path)?;
    let shown = path.display();
    let text = String::from_utf8_lossy(&content);
    if text.contains("BEGIN ENCRYPTED PRIVATE KEY") || text.contains("Proc-Type: 4,ENCRYPTED") {
        return Err(format!(
            "the key in {shown} is encrypted; write it without a password: openssl pkey -in {shown}"
        ));
    }
    PrivateKeyDer::from_pem_slice(&content).map_err(|error| match error {
        pem::Error::NoItemsFound if CertificateDer::from_pem_slice(&content).is_ok() => {
            format!("{shown} has a certificate and no key; are cert and key exchanged?")
        }
        pem::Error::NoItemsFound => binary(path, &content, "pkey").unwrap_or_else(|| {
            format!("{shown} has no key: expected PEM, -----BEGIN PRIVATE KEY-----")
        }),
        error => not_pem(path, &error),
    })
}

/// Trusts the clients whose certificates these have signed.
fn client_verifier(
    path: &Path,
    settings: &TlsSettings,
) -> Result<Arc<dyn ClientCertVerifier>, String> {
    let shown = path.display();
    let mut roots = RootCertStore::empty();
    for (nth, certificate) in certificates(path, CA_CERTIFICATE)?.into_iter().enumerate() {
        let parsed = Certificate::parse(path, std::slice::from_ref(&certificate))?;
        check_is_ca(nth, &parsed, "clients' ones")?;
        roots.add(certificate).map_err(|error| format!("{shown}: {error}"))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider);
    let builder = if settings.require { builder } else { builder.allow_unauthenticated() };
    builder.build().map_err(|error| format!("{shown}: {error}"))
}
