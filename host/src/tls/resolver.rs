//! Chooses the certificate by the host that a client names (RFC 6066, section 3).

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

/// Certificates with their names; the first one is the default.
#[derive(Debug)]
pub(super) struct Resolver(Vec<(Vec<String>, Arc<CertifiedKey>)>);

impl Resolver {
    pub(super) fn new(certificates: Vec<(Vec<String>, Arc<CertifiedKey>)>) -> Self {
        Self(certificates)
    }

    /// The position of the certificate for a host: one with its name, else one with a wildcard for
    /// it, else the first.
    fn position(&self, host: &str) -> usize {
        let with = |fits: &dyn Fn(&str) -> bool| {
            self.0.iter().position(|(names, _)| names.iter().any(|name| fits(name)))
        };
        let exact = with(&|name| name.eq_ignore_ascii_case(host));
        exact.or_else(|| with(&|name| is_wildcard_of(name, host))).unwrap_or(0)
    }
}

/// `*.example.org` is for one label in place of the asterisk (RFC 6125, section 6.4.3).
fn is_wildcard_of(name: &str, host: &str) -> bool {
    let parent = host.split_once('.').filter(|(label, _)| !label.is_empty());
    let domain = name.strip_prefix("*.");
    domain.zip(parent).is_some_and(|(domain, (_, parent))| domain.eq_ignore_ascii_case(parent))
}

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let position = hello.server_name().map_or(0, |host| self.position(host));
        self.0.get(position).map(|(_, key)| key.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        assert!(is_wildcard_of("*.example.org", "chat.example.org"));
        assert!(is_wildcard_of("*.Example.org", "CHAT.example.ORG"));
        for host in ["example.org", ".example.org", "a.b.example.org", "chat.example.com", ""] {
            assert!(!is_wildcard_of("*.example.org", host), "{host}");
        }
        assert!(!is_wildcard_of("example.org", "chat.example.org"));
    }
}
