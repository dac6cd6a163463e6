//! One parser for each kind of value. Errors say what was expected.

use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::time::Duration;

use core_model::check_room_name;
use figment::value::Value;
use frontend_api::duration::Millis;
use ipnet::IpNet;

/// The longest duration of the host's own keys; longer ones could overflow clock arithmetic.
const DURATION_MAX: Millis = Millis::from_days(365);

pub(super) fn flag(value: &Value) -> Result<bool, String> {
    value.to_bool().ok_or_else(|| "expected true or false".into())
}

pub(super) fn text(value: &Value) -> Result<String, String> {
    value.as_str().map(str::to_owned).ok_or_else(|| "expected a string".into())
}

/// The path of a file.
pub(super) fn path(value: &Value) -> Result<PathBuf, String> {
    match text(value)? {
        path if path.is_empty() => Err("expected the path of a file".into()),
        path => Ok(path.into()),
    }
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

/// An API key; an empty one would not guard anything.
pub(super) fn api_key(value: &Value) -> Result<String, String> {
    let key = text(value)?;
    let printable = !key.is_empty() && key.bytes().all(|byte| byte.is_ascii_graphic());
    printable.then_some(key).ok_or_else(|| {
        "an API key is at least one character, all of them ASCII without spaces".into()
    })
}

/// `*`, or an origin as browsers send it.
pub(super) fn cors_origin(value: &Value) -> Result<String, String> {
    let origin = text(value)?;
    let host = origin.split_once("://").map_or("", |(_, host)| host);
    // Browsers send null for pages with an opaque origin, such as local files.
    if origin == "*"
        || origin == "null"
        || (!host.is_empty() && !host.contains(['/', ' ', '?', '#']))
    {
        return Ok(origin);
    }
    Err("expected \"*\" or an origin without a path, such as \"https://chat.example.org\"".into())
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
