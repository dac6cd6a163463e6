//! One parser for each kind of value. Errors say what was expected.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::time::Duration;

use core_model::check_room_name;
use figment::value::Value;
use frontend_api::duration::Millis;
use ipnet::IpNet;
use url::Url;

use super::settings::OnStoreFailure;

/// The longest duration of the host's own keys; longer ones could overflow clock arithmetic.
const DURATION_MAX: Millis = Millis::from_days(365);

pub(super) fn flag(value: &Value) -> Result<bool, String> {
    value.to_bool().ok_or_else(|| "expected true or false".into())
}

pub(super) fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "expected a string".into())
}

/// A whole number within bounds.
pub(super) fn number(range: RangeInclusive<u32>) -> impl Fn(&Value) -> Result<u32, String> {
    move |value| {
        let number = value.to_i128().and_then(|number| u32::try_from(number).ok());
        number.filter(|number| range.contains(number)).ok_or_else(|| {
            format!("expected a whole number from {} to {}", range.start(), range.end())
        })
    }
}

/// A limit; 0 is off.
pub(super) fn limit(value: &Value) -> Result<u32, String> {
    number(0..=u32::MAX)(value)
}

/// A size; 0 is off, represented as the largest value.
pub(super) fn size(value: &Value) -> Result<u32, String> {
    limit(value).map(|size| if size == 0 { u32::MAX } else { size })
}

/// A number of bytes of memory.
pub(super) fn bytes(value: &Value) -> Result<usize, String> {
    value
        .to_i128()
        .and_then(|bytes| usize::try_from(bytes).ok())
        .ok_or_else(|| "expected a number of bytes".into())
}

/// A duration: digits and a unit; the bare number 0 needs none.
pub(super) fn duration(value: &Value) -> Result<Duration, String> {
    let expected = || {
        format!(
            "expected a duration such as \"500ms\", \"90s\", \"10m\", \"12h\" or \"7d\", at most {DURATION_MAX}"
        )
    };
    if value.to_i128() == Some(0) {
        return Ok(Duration::ZERO);
    }
    let millis: Millis = value.as_str().and_then(|text| text.parse().ok()).ok_or_else(expected)?;
    if millis > DURATION_MAX {
        return Err(expected());
    }
    Ok(Duration::from_millis(millis.0))
}

pub(super) fn address(value: &Value) -> Result<SocketAddr, String> {
    let address = value.as_str().and_then(|text| text.parse().ok());
    address.ok_or_else(|| "expected an IP address and a port, such as \"127.0.0.1:5000\"".into())
}

/// The permissions of a file, in octal digits.
pub(super) fn file_mode(value: &Value) -> Result<u32, String> {
    let digits = text(value).ok().filter(|text| (3..=4).contains(&text.len()));
    let mode = digits.and_then(|digits| u32::from_str_radix(&digits, 8).ok());
    let mode = mode.filter(|mode| *mode <= 0o777);
    mode.ok_or_else(|| "expected permissions in octal digits, such as \"0660\"".into())
}

/// A group of users, by its name in /etc/group or by its number.
pub(super) fn group(value: &Value) -> Result<u32, String> {
    if let Some(id) = value.to_i128().and_then(|id| u32::try_from(id).ok()) {
        return Ok(id);
    }
    let name = text(value).map_err(|_| "expected the name or the number of a group")?;
    let groups = std::fs::read_to_string("/etc/group").unwrap_or_default();
    let found = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let is_it = fields.next() == Some(&name);
        is_it.then(|| fields.nth(1)?.parse().ok()).flatten()
    });
    found.ok_or_else(|| "/etc/group has no such group; create it, or give its number".into())
}

pub(super) fn on_store_failure(value: &Value) -> Result<OnStoreFailure, String> {
    match value.as_str() {
        Some("recover") => Ok(OnStoreFailure::Recover),
        Some("exit") => Ok(OnStoreFailure::Exit),
        _ => Err("expected \"recover\" or \"exit\"".into()),
    }
}

/// A network in CIDR notation, or a single address.
pub(super) fn network(value: &Value) -> Result<IpNet, String> {
    let parse = |text: &str| {
        text.parse()
            .ok()
            .or_else(|| text.parse().ok().map(|address: std::net::IpAddr| address.into()))
    };
    value.as_str().and_then(parse).ok_or_else(|| {
        "expected a network such as \"10.0.0.0/8\", or an address such as \"192.0.2.7\"".into()
    })
}

/// What an API key is.
pub(super) const API_KEY: &str =
    "an API key is at least one character, all of them ASCII without spaces";

/// An empty one would not guard anything.
pub(super) fn is_api_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic())
}

pub(super) fn api_key(value: &Value) -> Result<String, String> {
    let key = text(value)?;
    if is_api_key(&key) { Ok(key) } else { Err(API_KEY.into()) }
}

/// `*`, `null`, or an origin as browsers send it, with `*.` for all subdomains.
pub(super) fn cors_origin(value: &Value) -> Result<String, String> {
    let origin = text(value)?;
    if origin == "*" || origin == "null" {
        return Ok(origin);
    }
    match sent_by_browsers(&origin) {
        Some(sent) if sent.eq_ignore_ascii_case(&origin) => Ok(origin),
        Some(sent) => Err(format!("browsers send this origin as {sent:?}; write it like that")),
        None => Err("expected \"*\" or an origin without a path, such as \
                     \"https://chat.example.org\" or \"https://*.example.org\""
            .into()),
    }
}

/// The spelling of an origin that browsers send: without a path, a user or the default port, and
/// with the host in ASCII. `None`: it is not an origin.
fn sent_by_browsers(origin: &str) -> Option<String> {
    let (scheme, host) = origin.split_once("://")?;
    // A label that stands for all, as a host must not contain the asterisk.
    let (host, is_wildcard) = match host.strip_prefix("*.") {
        Some(domain) => (format!("subdomain.{domain}"), true),
        None => (host.to_owned(), false),
    };
    if host.is_empty() || host.contains(['*', ' ']) || scheme.starts_with("ws") {
        return None;
    }
    let sent = match scheme.to_ascii_lowercase().as_str() {
        "http" | "https" => {
            Url::parse(&format!("{scheme}://{host}")).ok()?.origin().ascii_serialization()
        }
        // Of extensions and the like: what a browser sends is up to it.
        _ if host.contains(['/', '?', '#', '@']) => return None,
        _ => format!("{scheme}://{host}"),
    };
    Some(if is_wildcard { sent.replacen("://subdomain.", "://*.", 1) } else { sent })
}

/// A host name as in the Host header, without a port.
pub(super) fn host_name(value: &Value) -> Result<String, String> {
    let host = text(value)?;
    let is_name = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_');
    if !host.is_empty() && host.bytes().all(is_name) {
        return Ok(host);
    }
    Err("expected a host name without a port, such as \"chat.example.org\"".into())
}

pub(super) fn room_name(value: &Value) -> Result<String, String> {
    check_room_name(&text(value)?).map_err(|fault| format!("a room name that {fault}"))
}

/// A filter of log lines.
pub(super) fn log_filter(value: &Value) -> Result<String, String> {
    let filter = text(value)?;
    match tracing_subscriber::EnvFilter::builder().parse(&filter) {
        Ok(_) => Ok(filter),
        Err(_) => Err("expected a level (off, error, warn, info, debug or trace), or levels by \
                       module, such as \"info,dragoman=debug\""
            .into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_taken_only_in_the_spelling_of_browsers() {
        for origin in [
            "*",
            "null",
            "https://chat.example.com",
            "https://Chat.example.com",
            "http://127.0.0.1:8080",
            "http://[::1]:8080",
            "https://*.example.com",
            "https://*.example.com:8443",
            "https://xn--80a0bn.example",
            "capacitor://localhost",
        ] {
            assert_eq!(cors_origin(&Value::from(origin)), Ok(origin.to_owned()));
        }
        for (origin, sent) in [
            ("https://chat.example.com:443", "https://chat.example.com"),
            ("http://chat.example.com:80", "http://chat.example.com"),
            ("https://chat.example.com/", "https://chat.example.com"),
            ("https://chat.example.com/page?x#y", "https://chat.example.com"),
            ("https://ann@chat.example.com", "https://chat.example.com"),
            ("https://чат.example", "https://xn--80a0bn.example"),
            ("https://*.example.com:443", "https://*.example.com"),
            ("http://2130706433", "http://127.0.0.1"),
        ] {
            let refused = cors_origin(&Value::from(origin)).expect_err(origin);
            assert!(refused.contains(&format!("{sent:?}")), "{origin}: {refused}");
        }
        for origin in
            ["", "chat.example.com", "https://", "https://ch*t.example", "wss://chat.example"]
        {
            assert!(cors_origin(&Value::from(origin)).is_err(), "{origin}");
        }
    }
}
