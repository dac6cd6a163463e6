//! `[auth]`: other servers that know the users.

use std::path::{Path, PathBuf};
use std::time::Duration;

use figment::value::Value;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use url::Url;

use super::auth_settings::{
    AuthConfig, CaFile, HttpAuthConfig, JwtAuthConfig, KeySource, SecretHeader,
};
use super::parse;
use super::secret_file::{read_file, read_secret};
use super::section::{Reader, Section};
use super::upstreams::{check_url, is_unencrypted};
use crate::jwt::{Algorithm, JWKS_BYTES_MAX, KeySet, Verifier};
use crate::tls;

const ALGORITHMS: [(&str, Algorithm); 9] = [
    ("RS256", Algorithm::RS256),
    ("RS384", Algorithm::RS384),
    ("RS512", Algorithm::RS512),
    ("PS256", Algorithm::PS256),
    ("PS384", Algorithm::PS384),
    ("PS512", Algorithm::PS512),
    ("ES256", Algorithm::ES256),
    ("ES384", Algorithm::ES384),
    ("EdDSA", Algorithm::EdDSA),
];

/// What most issuers sign with.
const ALGORITHMS_DEFAULT: [Algorithm; 3] = [Algorithm::RS256, Algorithm::ES256, Algorithm::EdDSA];

pub(super) fn auth(reader: &Reader, section: &Section<'_>, folder: &Path) -> AuthConfig {
    let local_passwords = section.read("local_passwords", parse::flag);
    let http = http(reader, &section.table("http"), folder);
    let jwt = jwt(reader, &section.table("jwt"), folder);
    section.finish();
    let config = AuthConfig { local_passwords: local_passwords.unwrap_or(true), http, jwt };
    let is_wanted = |key: &str| section.keys().any(|present| present == key);
    if !config.local_passwords && !is_wanted("http") && !is_wanted("jwt") {
        let why = "no user could sign in: there is neither [auth.http] nor [auth.jwt]";
        section.complain("local_passwords", why);
    }
    config
}

fn http(reader: &Reader, section: &Section<'_>, folder: &Path) -> Option<HttpAuthConfig> {
    let url = address(section, "url", folder);
    let ca = ca(section, folder);
    let header = section.read("secret_header", header_name).unwrap_or(AUTHORIZATION);
    let secret_file = section.path("secret_file").map(|path| folder.join(path));
    let secret = secret_file.map(|path| secret(section, header, path));
    let duration = |key, default| section.read(key, parse::duration).unwrap_or(default);
    let timeout = section.read("timeout", timeout).unwrap_or(Duration::from_secs(5));
    let cache_ttl = duration("cache_ttl", Duration::from_secs(60));
    let deny_ttl = duration("deny_ttl", Duration::from_secs(5));
    let create = section.read("create", parse::flag).unwrap_or(true);
    if !section.is_present() {
        return None;
    }
    section.finish();
    if !section.has_secret("url") {
        section.complain_of_absent("url", "missing; the address that is asked about passwords");
    }
    let url = url?;
    if is_unencrypted(&url) {
        let what = format!(
            "{}: passwords are sent unencrypted to {}; use an https URL",
            section.shown("url"),
            shown_url(&url)
        );
        reader.warn(section.source_of("url"), what);
    }
    let secret = match secret {
        None => None,
        Some(secret) => Some(secret?),
    };
    Some(HttpAuthConfig { url, ca: ca?, secret, timeout, cache_ttl, deny_ttl, create })
}

fn jwt(reader: &Reader, section: &Section<'_>, folder: &Path) -> Option<JwtAuthConfig> {
    let keys = key_source(reader, section, folder);
    let text = |key: &str| section.read(key, nonempty);
    let issuer = text("issuer");
    let audience = match section.value("audience") {
        Some(Value::String(..)) => text("audience").into_iter().collect(),
        _ => section.list("audience", "audiences", nonempty),
    };
    let algorithms = section.list("algorithms", "algorithms", algorithm);
    let name = |key: &str, default: &str| text(key).unwrap_or_else(|| default.to_owned());
    let claim = name("claim", "sub");
    let handle_claim = name("handle_claim", "preferred_username");
    let name_claim = name("name_claim", "name");
    let duration = |key, default| section.read(key, parse::duration).unwrap_or(default);
    let leeway = duration("leeway", Duration::from_secs(30));
    let refresh = duration("refresh", Duration::from_secs(600));
    let timeout = section.read("timeout", timeout).unwrap_or(Duration::from_secs(5));
    let create = section.read("create", parse::flag).unwrap_or(true);
    if !section.is_present() {
        return None;
    }
    section.finish();
    for (key, what) in [
        ("issuer", "missing; the iss of the tokens"),
        ("audience", "missing; what the aud of tokens for this gateway has"),
    ] {
        if section.value(key).is_none() {
            section.complain_of_absent(key, what);
        }
    }
    if section.value("audience").is_some() && audience.is_empty() {
        section.complain("audience", "there is none, so no token could be for this gateway");
        return None;
    }
    let algorithms = if section.value("algorithms").is_none() {
        ALGORITHMS_DEFAULT.to_vec()
    } else {
        algorithms
    };
    if algorithms.is_empty() {
        section.complain("algorithms", "there is none, so no token could be verified");
        return None;
    }
    let verifier = Verifier { issuer: issuer?, audience, algorithms, leeway_s: leeway.as_secs() };
    let keys = keys?;
    Some(JwtAuthConfig {
        keys,
        verifier,
        claim,
        handle_claim,
        name_claim,
        refresh,
        timeout,
        create,
    })
}

/// A file is read, so that a wrong one is noticed; an address is not asked.
fn key_source(reader: &Reader, section: &Section<'_>, folder: &Path) -> Option<KeySource> {
    let file = section.path("jwks_file").map(|path| folder.join(path));
    let url = address(section, "jwks_url", folder);
    let ca = ca(section, folder);
    if !section.is_present() {
        return None;
    }
    let has_file = section.value("jwks_file").is_some();
    let has_url = section.has_secret("jwks_url");
    if has_file == has_url {
        let what = if has_file {
            "there is jwks_url as well; give one of them"
        } else {
            "missing; the file with the issuer's keys, or jwks_url with their address"
        };
        section.complain_of_absent("jwks_file", what);
        return None;
    }
    if has_file {
        let path = file?;
        if let Err(why) = read_keys(&path) {
            section.complain("jwks_file", &why);
            return None;
        }
        return Some(KeySource::File(path));
    }
    let url = url?;
    if is_unencrypted(&url) {
        let what = format!(
            "{}: the keys that tokens are verified by come unencrypted from {}; use an https URL",
            section.shown("jwks_url"),
            shown_url(&url)
        );
        reader.warn(section.source_of("jwks_url"), what);
    }
    Some(KeySource::Url { url, ca: ca? })
}

/// The keys in a file. `Err`: a fragment with the path.
pub(crate) fn read_keys(path: &Path) -> Result<KeySet, String> {
    let json = read_file(path, JWKS_BYTES_MAX as u64, "JWKS")?;
    KeySet::parse(&json).map_err(|why| format!("{} {why}", path.display()))
}

/// An http or https URL. A wrong one is reported without its value, which may have a secret.
fn address(section: &Section<'_>, key: &str, folder: &Path) -> Option<String> {
    section.secret(key, folder, |value| {
        let url = parse::text(value)?;
        let checked = if url.contains(['{', '}']) {
            Err("has a { or }, which a URL cannot have".to_owned())
        } else {
            check_url(&url)
        };
        checked.map_err(|why| format!("{:?}: {why}", shown_url(&url)))?;
        Ok(url)
    })
}

/// A URL without what may be a secret: user, query and fragment.
fn shown_url(url: &str) -> String {
    let Ok(mut parsed) = Url::parse(url) else {
        return url.split(['?', '#', '@']).next().unwrap_or_default().chars().take(60).collect();
    };
    parsed.set_query(None);
    parsed.set_fragment(None);
    // `Err`: there can be none.
    let _ = parsed.set_username("");
    let _ = parsed.set_password(None);
    parsed.to_string()
}

/// The CAs of `ca_file`, if it is given. `None`: the file is wrong, which is reported.
fn ca(section: &Section<'_>, folder: &Path) -> Option<Option<CaFile>> {
    let Some(path) = section.path("ca_file") else {
        return section.value("ca_file").is_none().then_some(None);
    };
    let path = folder.join(path);
    match tls::read_authorities(&path) {
        Ok(certificates) => Some(Some(CaFile { path, certificates })),
        Err(why) => {
            section.complain("ca_file", &why);
            None
        }
    }
}

/// `None`: the file is wrong, which is reported.
fn secret(section: &Section<'_>, name: HeaderName, path: PathBuf) -> Option<SecretHeader> {
    let value = read_secret(&path).and_then(|secret| {
        let text = if name == AUTHORIZATION { format!("Bearer {secret}") } else { secret };
        let value = HeaderValue::from_str(&text);
        let mut value = value.map_err(|_| format!("{} is not ASCII", path.display()))?;
        value.set_sensitive(true);
        Ok(value)
    });
    match value {
        Ok(value) => Some(SecretHeader { path, name, value }),
        Err(why) => {
            section.complain("secret_file", &why);
            None
        }
    }
}

fn header_name(value: &Value) -> Result<HeaderName, String> {
    let name = parse::text(value)?.parse::<HeaderName>();
    let reserved = ["connection", "content-length", "content-type", "host", "transfer-encoding"];
    let name = name.ok().filter(|name| !reserved.contains(&name.as_str()));
    name.ok_or_else(|| {
        "expected the name of a header, such as \"Authorization\" or \"X-Hook-Secret\"".into()
    })
}

fn nonempty(value: &Value) -> Result<String, String> {
    match parse::text(value)? {
        text if text.is_empty() => Err("expected a text that is not empty".into()),
        text => Ok(text),
    }
}

fn timeout(value: &Value) -> Result<Duration, String> {
    match parse::duration(value)? {
        timeout if timeout.is_zero() || timeout > TIMEOUT_MAX => {
            Err("expected more than 0s and at most \"30s\": clients wait for it".into())
        }
        timeout => Ok(timeout),
    }
}

/// How long a sign-in may wait for another server: clients wait no longer.
const TIMEOUT_MAX: Duration = Duration::from_secs(30);

fn algorithm(value: &Value) -> Result<Algorithm, String> {
    let text = parse::text(value)?;
    if let Some((_, algorithm)) = ALGORITHMS.iter().find(|(name, _)| *name == text) {
        return Ok(*algorithm);
    }
    Err(match text.to_ascii_lowercase().as_str() {
        "none" => "a token that is not signed proves nothing".into(),
        "hs256" | "hs384" | "hs512" => {
            "what verifies such a token can make one too; use keys in pairs, such as ES256".into()
        }
        _ => {
            let known: Vec<&str> = ALGORITHMS.iter().map(|(name, _)| *name).collect();
            format!("expected one of {}", known.join(", "))
        }
    })
}
