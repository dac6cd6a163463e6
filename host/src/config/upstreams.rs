//! The servers that front ends ask: their URLs, and the secrets in them from files.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use frontend_api::{Manifest, Upstream};
use hyper::Uri;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use url::Url;

use super::paths;
use super::secret_file;
use super::section::{Reader, Section};

/// Where the secret goes in a URL.
const SECRET: &str = "secret";

/// A server that a front end asks over HTTP.
#[derive(Clone, Eq, PartialEq)]
pub struct UpstreamConfig {
    /// What sessions name it by.
    pub key: String,
    pub timeout: Duration,
    pub secret_file: Option<PathBuf>,
    url: Vec<Part>,
}

#[derive(Clone, Eq, PartialEq)]
enum Part {
    /// May contain the secret.
    Text(String),
    Field(String),
}

/// Without the URL, which contains the secret.
impl fmt::Debug for UpstreamConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UpstreamConfig").field("key", &self.key).finish_non_exhaustive()
    }
}

impl UpstreamConfig {
    /// The URL of a request. `Err`: the field that is missing.
    pub fn url(&self, fields: &BTreeMap<String, String>) -> Result<String, String> {
        let mut url = String::new();
        for part in &self.url {
            match part {
                Part::Text(text) => url += text,
                Part::Field(name) => {
                    url += &encoded(fields.get(name).ok_or_else(|| name.clone())?);
                }
            }
        }
        Ok(url)
    }
}

/// The servers of a front end, with their secrets.
pub(super) fn upstreams(
    reader: &Reader,
    section: &Section<'_>,
    manifest: &Manifest,
    folder: &Path,
) -> Vec<UpstreamConfig> {
    let mut configs = Vec::new();
    for upstream in &manifest.upstreams {
        match read(upstream, folder, reader.layers().credentials()) {
            Ok(config) => configs.push(config),
            Err(Wrong { setting, why }) => {
                let own = format!("{}{}", upstream.key, setting.suffix());
                let is_known = section.known().contains(&own);
                section.complain(if is_known { &own } else { &upstream.key }, &why);
            }
        }
        if upstream.secret_file.is_some() && is_unencrypted(&upstream.url) {
            let what = format!(
                "{}: the secret is sent unencrypted; use an https URL",
                section.shown(&upstream.key)
            );
            reader.warn(section.source_of(&upstream.key), what);
        }
    }
    configs
}

/// What is wrong with a server's settings. A setting may have a key of its own in the section.
#[derive(Debug)]
struct Wrong {
    setting: Setting,
    why: String,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Setting {
    Url,
    SecretFile,
    Timeout,
}

impl Setting {
    /// What its key has after the server's.
    fn suffix(self) -> &'static str {
        match self {
            Self::Url => "",
            Self::SecretFile => "_secret_file",
            Self::Timeout => "_timeout",
        }
    }

    fn wrong(self, why: impl Into<String>) -> Wrong {
        Wrong { setting: self, why: why.into() }
    }
}

fn read(
    upstream: &Upstream,
    folder: &Path,
    credentials: Option<&Path>,
) -> Result<UpstreamConfig, Wrong> {
    check_url(&upstream.url).map_err(|why| Setting::Url.wrong(why))?;
    let mut parts = split(&upstream.url).map_err(|why| Setting::Url.wrong(why))?;
    let file = upstream.secret_file.as_deref();
    let path = file.map(|file| paths::path(&file.into(), credentials)).transpose();
    let path = path.map_err(|why| Setting::SecretFile.wrong(why))?.map(|path| folder.join(path));
    let secret = path.as_deref().map(secret_file::read_secret).transpose();
    let secret = secret.map_err(|why| Setting::SecretFile.wrong(why))?;
    let mut is_used = false;
    for part in &mut parts {
        if *part == Part::Field(SECRET.into()) {
            is_used = true;
            let missing = || Setting::Url.wrong("the url has {secret}, and there is no file");
            *part = Part::Text(encoded(secret.as_ref().ok_or_else(missing)?));
        }
    }
    if secret.is_some() && !is_used {
        return Err(Setting::SecretFile.wrong("the url has no {secret} for what is in the file"));
    }
    if upstream.timeout_ms == 0 {
        return Err(Setting::Timeout.wrong("the timeout is 0"));
    }
    Ok(UpstreamConfig {
        key: upstream.key.clone(),
        timeout: Duration::from_millis(upstream.timeout_ms),
        secret_file: path,
        url: parts,
    })
}

/// Messages leave the URL out: it may contain a secret. A field before the path could direct
/// requests, and the secret, to another server.
pub(super) fn check_url(url: &str) -> Result<(), String> {
    let parsed = Url::parse(&url.replace(['{', '}'], "x"))
        .map_err(|error| format!("is not a URL: {error}"))?;
    if !matches!(parsed.scheme(), "http" | "https") || !parsed.has_host() {
        return Err("is not an http or https URL".into());
    }
    if !parsed.username().is_empty() || parsed.password().is_some() {
        return Err("a user in the URL is not sent; put the secret in secret_file".into());
    }
    if parsed.fragment().is_some() {
        return Err("has a fragment, which is not sent".into());
    }
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let authority = after_scheme.split(['/', '?']).next().unwrap_or_default();
    if authority.is_empty() || authority.contains(['{', '}', '\\']) {
        return Err("has no host, or a {name} before the path".into());
    }
    // What requests are sent to; it is stricter.
    if url.replace(['{', '}'], "x").parse::<Uri>().is_err() {
        let why = "has a character that a request cannot have; write it as %XX, or a host in \
                   another script as xn--…";
        return Err(why.into());
    }
    Ok(())
}

pub(super) fn is_unencrypted(url: &str) -> bool {
    let Ok(url) = Url::parse(&url.replace(['{', '}'], "x")) else { return false };
    let is_loopback = match url.host() {
        Some(url::Host::Ipv4(address)) => address.is_loopback(),
        Some(url::Host::Ipv6(address)) => address.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    url.scheme() == "http" && !is_loopback
}

fn split(url: &str) -> Result<Vec<Part>, String> {
    let mut parts = Vec::new();
    let mut rest = url;
    while let Some((text, after)) = rest.split_once('{') {
        let (name, after) = after.split_once('}').ok_or("has a { without a }")?;
        parts.push(Part::Text(text.to_owned()));
        parts.push(Part::Field(name.to_owned()));
        rest = after;
    }
    parts.push(Part::Text(rest.to_owned()));
    Ok(parts)
}

fn encoded(text: &str) -> String {
    utf8_percent_encode(text, NON_ALPHANUMERIC).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn upstream(url: &str) -> Upstream {
        Upstream { key: "it".into(), url: url.into(), secret_file: None, timeout_ms: 1 }
    }

    #[test]
    fn a_field_cannot_leave_its_place() {
        let config = read(&upstream("http://h:1/p/{a}?b={b}"), Path::new(""), None).unwrap();
        let fields = |a: &str, b: &str| {
            BTreeMap::from([("a".to_owned(), a.to_owned()), ("b".to_owned(), b.to_owned())])
        };
        let url = config.url(&fields("../x", "1&c=2#é")).unwrap();
        assert_eq!(url, "http://h:1/p/%2E%2E%2Fx?b=1%26c%3D2%23%C3%A9");
        assert_eq!(config.url(&BTreeMap::new()), Err("a".to_owned()));
        assert_eq!(config.url(&fields("{b}", "x")).unwrap(), "http://h:1/p/%7Bb%7D?b=x");
    }

    #[test]
    fn a_url_that_makes_no_sense_is_refused() {
        for url in [
            "ftp://h/",
            "h/x",
            "http:///x?c={c}",
            "https://{host}/x",
            "https://h{c}/",
            "https://h?c={c",
            "https://u:p@h/{c}",
            "https://h/{c}#x",
            "https://h/{secret}",
            "https://h/a b",
            "https://чат.example/",
        ] {
            let wrong = read(&upstream(url), Path::new(""), None).expect_err(url);
            assert_eq!(wrong.setting, Setting::Url, "{url}");
        }
        let timeless = Upstream { timeout_ms: 0, ..upstream("https://h/") };
        let wrong = read(&timeless, Path::new(""), None).expect_err("it is refused");
        assert_eq!(wrong.setting, Setting::Timeout);
    }

    #[test]
    fn the_secret_is_one_line_of_a_file() {
        let folder = tempfile::tempdir().unwrap();
        let secret_of = |content: &[u8]| {
            std::fs::write(folder.path().join("secret"), content).unwrap();
            let secret_file = Some("secret".into());
            let upstream = Upstream { secret_file, ..upstream("https://h/?s={secret}") };
            read(&upstream, folder.path(), None).map(|config| config.url(&BTreeMap::new()).unwrap())
        };
        assert_eq!(secret_of(b"a/b\r\n").unwrap(), "https://h/?s=a%2Fb");
        for wrong in [&b""[..], b"\n", b"a b", b"a\nb\n", b"\xff", &[b'x'; 5_000]] {
            assert!(secret_of(wrong).is_err(), "{wrong:?}");
        }
        let with_file = |url: &str, file: &str| {
            let upstream = Upstream { secret_file: Some(file.into()), ..upstream(url) };
            let wrong = read(&upstream, folder.path(), None).expect_err("it is refused");
            assert_eq!(wrong.setting, Setting::SecretFile, "{}", wrong.why);
            wrong.why
        };
        assert!(with_file("https://h/{secret}", "none").contains("none: No such file"));
        std::fs::write(folder.path().join("secret"), "s").unwrap();
        assert!(with_file("https://h/", "secret").contains("no {secret}"));
    }

    #[test]
    fn a_secret_over_the_network_is_encrypted() {
        assert!(is_unencrypted("http://192.0.2.1/?s={secret}"));
        assert!(is_unencrypted("http://localhost.example/"));
        assert!(!is_unencrypted("http://127.0.0.1:80/"));
        assert!(!is_unencrypted("https://example.com/"));
    }
}
