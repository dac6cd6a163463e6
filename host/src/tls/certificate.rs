//! What the gateway reads from a certificate: whose it is, for which names and for how long.

use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use jiff::Timestamp;
use rustls::pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::objects::{oid_registry, oid2abbrev};
use x509_parser::prelude::FromDer as _;
use x509_parser::x509::X509Name;

use super::EXPIRY_WARNING;

const DAY: u64 = 24 * 60 * 60;

/// The first certificate of a file.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Certificate {
    pub path: PathBuf,
    /// See [`subject`].
    pub subject: String,
    /// Host names and addresses: subjectAltName.
    pub names: Vec<String>,
    /// Seconds since 1970.
    pub not_before: i64,
    pub not_after: i64,
    /// Whether it may sign others.
    pub is_ca: bool,
    /// Whether it names itself as its signer.
    pub(super) is_self_signed: bool,
    /// Whether it says what it is for, and servers are not among that.
    is_not_for_servers: bool,
    /// Which certificate of the file was not signed by the one after it, from 1.
    break_of_chain: Option<usize>,
}

impl Certificate {
    /// Refused: what is not DER of X.509.
    pub(super) fn parse(path: &Path, chain: &[CertificateDer<'_>]) -> Result<Self, String> {
        let wrong = |nth: usize| {
            format!("certificate {} in {} cannot be read: it is not X.509", nth + 1, path.display())
        };
        let mut parsed = Vec::new();
        for (nth, der) in chain.iter().enumerate() {
            let (rest, certificate) = X509Certificate::from_der(der).map_err(|_| wrong(nth))?;
            if !rest.is_empty() {
                return Err(wrong(nth));
            }
            parsed.push(certificate);
        }
        let leaf = parsed.first().ok_or_else(|| wrong(0))?;
        let is_signed = |pair: &[X509Certificate<'_>]| pair[0].issuer() == pair[1].subject();
        let break_of_chain = parsed.windows(2).position(|pair| !is_signed(pair));
        let usage = leaf.extended_key_usage().ok().flatten();
        Ok(Self {
            path: path.to_owned(),
            subject: name(leaf.subject()),
            names: names(leaf),
            not_before: leaf.validity().not_before.timestamp(),
            not_after: leaf.validity().not_after.timestamp(),
            is_ca: leaf.is_ca(),
            is_self_signed: leaf.issuer() == leaf.subject(),
            is_not_for_servers: usage
                .is_some_and(|usage| !usage.value.server_auth && !usage.value.any),
            break_of_chain: break_of_chain.map(|nth| nth + 1),
        })
    }

    /// `now`: since 1970.
    pub(super) fn warnings(&self, now: Duration) -> Vec<String> {
        let path = self.path.display();
        let mut warnings = Vec::new();
        warnings.extend(self.date_warning(now));
        if self.names.is_empty() {
            warnings.push(format!(
                "the certificate in {path} has no names (subjectAltName), and clients refuse it"
            ));
        }
        if self.is_ca {
            warnings.push(format!(
                "the certificate in {path} is one of a CA (basicConstraints has CA:TRUE), and clients \
                 may refuse it; have one issued for the server"
            ));
        }
        if self.is_not_for_servers {
            warnings.push(format!(
                "the certificate in {path} is not for servers (extendedKeyUsage), and clients refuse it"
            ));
        }
        if let Some(nth) = self.break_of_chain {
            warnings.push(format!(
                "certificate {} in {path} did not sign certificate {nth}: the chain is out of order \
                 or has a gap, and clients may refuse it",
                nth + 1
            ));
        }
        warnings
    }

    /// A warning of the end or the beginning of its time.
    pub(super) fn date_warning(&self, now: Duration) -> Option<String> {
        let path = self.path.display();
        let secs = now.as_secs() as i64;
        let shown = |secs: i64| {
            Timestamp::from_second(secs).map_or_else(|_| secs.to_string(), |time| time.to_string())
        };
        if secs > self.not_after {
            let since = shown(self.not_after);
            return Some(format!("the certificate in {path} expired at {since}; renew it"));
        }
        if secs < self.not_before {
            let from = shown(self.not_before);
            return Some(format!("the certificate in {path} is not valid before {from}"));
        }
        let left = (self.not_after - secs) as u64;
        (left < EXPIRY_WARNING.as_secs()).then(|| {
            format!(
                "the certificate in {path} expires at {}, in {} days",
                shown(self.not_after),
                left / DAY
            )
        })
    }
}

fn names(certificate: &X509Certificate<'_>) -> Vec<String> {
    let extension = certificate.subject_alternative_name().ok().flatten();
    let names = extension.iter().flat_map(|extension| &extension.value.general_names);
    let name = |name: &GeneralName<'_>| match name {
        GeneralName::DNSName(name) => Some((*name).to_owned()),
        GeneralName::IPAddress(bytes) => {
            let v4 = <[u8; 4]>::try_from(*bytes).map(|v4| Ipv4Addr::from(v4).to_string());
            let v6 = || <[u8; 16]>::try_from(*bytes).map(|v6| Ipv6Addr::from(v6).to_string());
            v4.or_else(|_| v6()).ok()
        }
        _ => None,
    };
    names.filter_map(name).collect()
}

/// The subject of a certificate as a string (RFC 4514): `CN=app,O=Example`. `None`: the certificate
/// cannot be read, or has no subject.
pub fn subject(der: &CertificateDer<'_>) -> Option<String> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    Some(name(certificate.subject())).filter(|subject| !subject.is_empty())
}

/// A common name as a subject: `CN=app`.
pub fn common_name(name: &str) -> String {
    format!("CN={}", escaped(name))
}

/// The last name comes first (section 2.1).
fn name(name: &X509Name<'_>) -> String {
    let parts: Vec<_> = name.iter().collect();
    let parts = parts.into_iter().rev().map(|part| {
        let attributes = part.iter().map(|attribute| {
            let id = attribute.attr_type();
            let key =
                oid2abbrev(id, oid_registry()).map_or_else(|_| id.to_id_string(), str::to_owned);
            match attribute.as_str() {
                Ok(value) => format!("{key}={}", escaped(value)),
                Err(_) => format!("{key}=#{}", hex(attribute.as_slice())),
            }
        });
        attributes.collect::<Vec<_>>().join("+")
    });
    parts.collect::<Vec<_>>().join(",")
}

/// Section 2.4.
fn escaped(value: &str) -> String {
    let last = value.chars().count().saturating_sub(1);
    let mut escaped = String::new();
    for (nth, c) in value.chars().enumerate() {
        let at_end = (nth == 0 && matches!(c, ' ' | '#')) || (nth == last && c == ' ');
        if at_end || matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\') {
            escaped.push('\\');
        }
        match c {
            c if c.is_control() => escaped += &format!("\\{:02X}", u32::from(c)),
            c => escaped.push(c),
        }
    }
    escaped
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}
