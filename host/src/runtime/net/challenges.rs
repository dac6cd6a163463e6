//! Answers to a CA that looks whether the gateway answers for a name: TLS-ALPN-01 (RFC 8737).

use std::collections::BTreeMap;
use std::sync::Arc;

use parking_lot::RwLock;
use rustls::ServerConfig;
use rustls::server::ClientHello;

/// The protocol of handshakes that are for this only (section 6.2).
pub(crate) const ACME_TLS: &[u8] = b"acme-tls/1";

/// What is served to the CA, by the name that it asks for. Every encrypted listener answers.
#[derive(Debug, Default)]
pub(crate) struct Challenges(RwLock<BTreeMap<String, Arc<ServerConfig>>>);

impl Challenges {
    /// What a handshake that is for this only is served, if it is one and the name is being proved.
    pub(crate) fn answer(&self, hello: &ClientHello<'_>) -> Option<Arc<ServerConfig>> {
        let mut protocols = hello.alpn()?;
        let is_only = protocols.next() == Some(ACME_TLS) && protocols.next().is_none();
        let name = hello.server_name().filter(|_| is_only)?.to_ascii_lowercase();
        self.0.read().get(&name).cloned()
    }

    #[cfg(feature = "acme")]
    pub(crate) fn set(&self, name: &str, answer: Arc<ServerConfig>) {
        self.0.write().insert(name.to_owned(), answer);
    }

    #[cfg(feature = "acme")]
    pub(crate) fn remove(&self, name: &str) {
        self.0.write().remove(name);
    }
}
