//! Requests that a web page makes without its visitor's knowledge.
//!
//! A page of any site can have its visitor's browser call the gateway: with the visitor's cookies
//! and address, from inside a private network. Two checks refuse that before anything takes effect:
//! the site of the page (Origin, or Sec-Fetch-Site), and on a private listener the host name that
//! was asked for, which a page can point at any address (DNS rebinding).

use std::net::IpAddr;
use std::time::Instant;

use core_model::bounds;
use frontend_api::http::HttpError;
use hyper::header::{HOST, HeaderMap, HeaderName, HeaderValue, ORIGIN};
use hyper::http::uri::Authority;
use parking_lot::Mutex;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::metrics::Limit;
use crate::runtime::net::http::caller::Caller;

static SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");
static SEC_FETCH_MODE: HeaderName = HeaderName::from_static("sec-fetch-mode");
static SEC_FETCH_DEST: HeaderName = HeaderName::from_static("sec-fetch-dest");
static SEC_FETCH_USER: HeaderName = HeaderName::from_static("sec-fetch-user");

/// Suffixes of names that cannot be registered on the internet (RFC 6761, 6762, 8375, and ICANN's
/// reservation of `.internal`).
const PRIVATE_SUFFIXES: [&str; 5] = [".localhost", ".local", ".internal", ".home.arpa", ".test"];

/// Of a host or origin as a client sent it, what the log and the answer show: names have at most 253.
const SHOWN_CHARS_MAX: usize = 255;

/// Where a request arrived.
#[derive(Clone, Copy)]
pub(super) struct RequestSource<'a> {
    pub(super) caller: Caller,
    /// The host that its client asked for, as a trusted proxy says.
    pub(super) forwarded_host: Option<&'a str>,
    pub(super) from_trusted_proxy: bool,
    /// Whether a page could have pointed a name of its own at the listener.
    pub(super) can_be_rebound: bool,
    /// Whether it asks for a page, to which a link of any site may lead.
    pub(super) for_page: bool,
}

/// Refuses with 403 what a page of a site that is not configured has its visitor's browser send, and
/// with 400 a request whose host cannot be known (RFC 9112, section 3.2).
///
/// `known` is the last host of the connection that needs no check: clients send the same one with each
/// request, and to look at it each time took 1,900 of 27,900 instructions of a request.
pub(super) fn check_site(
    frontend: &FrontendHandle,
    source: RequestSource<'_>,
    origin: Option<&HeaderValue>,
    headers: &HeaderMap,
    known: &Mutex<Option<HeaderValue>>,
) -> Result<(), HttpError> {
    let is_from_page = origin.is_some() || headers.contains_key(&SEC_FETCH_SITE);
    if !is_from_page && !source.from_trusted_proxy && is_host(headers, known.lock().as_ref()) {
        return Ok(());
    }
    check_one_host(headers)?;
    let asked = || headers.get(HOST)?.to_str().ok();
    let host = source.forwarded_host.or_else(asked);
    let checked = check_origin(frontend, source, origin, headers, host).and_then(|()| {
        let is_forwarded = source.from_trusted_proxy && source.caller.address.is_some();
        let is_guarded = !source.can_be_rebound || is_forwarded || frontend.has_api_keys();
        if is_guarded { Ok(()) } else { check_host(frontend, host) }
    });
    let is_harmless = |host| !source.can_be_rebound || is_known_host(host, &[]);
    if !source.from_trusted_proxy && host.is_some_and(is_harmless) {
        *known.lock() = headers.get(HOST).cloned();
    }
    checked.map_err(|Refused { why, key }| {
        frontend.metrics.note_refused(Limit::Guard);
        let host = bounds::cut(host.unwrap_or_default(), SHOWN_CHARS_MAX);
        if frontend.instance().site_log.admit(format!("{why} {host}"), Instant::now()) {
            let frontend = &frontend.name;
            tracing::warn!(frontend, host, "refused a request; {key} would allow it: {why}");
        }
        HttpError::new(403, why)
    })
}

/// Refuses a request with several hosts, or one that readers take for different ones.
pub(crate) fn check_one_host(headers: &HeaderMap) -> Result<(), HttpError> {
    let mut hosts = headers.get_all(HOST).iter();
    let is_sound = hosts.next().is_none_or(can_be_host);
    if !is_sound || hosts.next().is_some() {
        return Err(HttpError::new(400, "the request must have one Host, in ASCII"));
    }
    Ok(())
}

/// Whether this is the one host that the request asks for.
fn is_host(headers: &HeaderMap, known: Option<&HeaderValue>) -> bool {
    let mut hosts = headers.get_all(HOST).iter();
    known.is_some() && hosts.next() == known && hosts.next().is_none()
}

/// Whether readers agree on the host: it has nothing that ends it, or stands before it, in a URL.
fn can_be_host(value: &HeaderValue) -> bool {
    let ends = |byte: &u8| matches!(byte, b' ' | b'\t' | b'@' | b'/' | b'\\' | b'?' | b'#' | b',');
    value.to_str().is_ok() && !value.as_bytes().iter().any(ends)
}

/// Why a request is refused, and the key of its front end that would allow it.
struct Refused {
    why: String,
    key: &'static str,
}

fn check_origin(
    frontend: &FrontendHandle,
    source: RequestSource<'_>,
    origin: Option<&HeaderValue>,
    headers: &HeaderMap,
    host: Option<&str>,
) -> Result<(), Refused> {
    let key = "cors_origins";
    if headers.get_all(ORIGIN).iter().nth(1).is_some() {
        let why = "a request of a web page has one Origin".to_owned();
        return Err(Refused { why, key });
    }
    if let Some(origin) = origin {
        if frontend.cors.may_connect(origin, host) {
            return Ok(());
        }
        let origin = origin.to_str().unwrap_or("an unreadable origin");
        let origin = bounds::cut(origin, SHOWN_CHARS_MAX);
        let why = format!("web pages of {origin} are not among those allowed here");
        return Err(Refused { why, key });
    }
    // A browser sends no Origin with a plain GET, such as that of an image.
    let is_followed = source.for_page && is_navigation(headers);
    if is_foreign(headers) && !is_followed && !frontend.cors.allows_all() {
        return Err(Refused { why: "web pages of other sites are not allowed here".into(), key });
    }
    Ok(())
}

/// Whether a browser says that a page of another site, or of another host of the same one, sends the
/// request. A link of the same site that the user has followed is not foreign.
fn is_foreign(headers: &HeaderMap) -> bool {
    // A browser sends one; of several, as a proxy may join them, the worst counts.
    let sites = headers.get_all(&SEC_FETCH_SITE).iter();
    sites.flat_map(|site| site.as_bytes().split(|byte| *byte == b',')).any(|site| {
        let site = site.trim_ascii();
        let is_sibling = site.eq_ignore_ascii_case(b"same-site");
        site.eq_ignore_ascii_case(b"cross-site")
            || (is_sibling && !headers.contains_key(&SEC_FETCH_USER))
    })
}

/// Whether the browser is to show the answer in a tab of its own, and not within another page.
fn is_navigation(headers: &HeaderMap) -> bool {
    let is = |name: &HeaderName, wanted: &str| {
        let mut values = headers.get_all(name).iter();
        values.next().is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(wanted.as_bytes()))
            && values.next().is_none()
    };
    is(&SEC_FETCH_MODE, "navigate") && is(&SEC_FETCH_DEST, "document")
}

fn check_host(frontend: &FrontendHandle, host: Option<&str>) -> Result<(), Refused> {
    let Some(host) = host else { return Ok(()) };
    let name = name_of(host);
    let name = name.as_str();
    if is_private_name(name) || is_among(name, &frontend.hosts) {
        return Ok(());
    }
    let name = bounds::cut(name, SHOWN_CHARS_MAX);
    Err(Refused { why: format!("the host {name:?} is not among those known here"), key: "hosts" })
}

/// The name or the address of a host, without its port.
fn name_of(host: &str) -> String {
    let name = host.parse::<Authority>().ok();
    let name = name.as_ref().map_or(host, Authority::host);
    name.trim_end_matches('.').to_owned()
}

/// Whether a page of the internet cannot come from this host, or the operator knows it by this name.
pub(crate) fn is_known_host(host: &str, known: &[String]) -> bool {
    let name = name_of(host);
    is_private_name(&name) || is_among(&name, known)
}

/// Whether the operator knows the host by this name.
pub(crate) fn is_named_host(host: &str, known: &[String]) -> bool {
    is_among(&name_of(host), known)
}

fn is_among(name: &str, known: &[String]) -> bool {
    known.iter().any(|known| known.trim_end_matches('.').eq_ignore_ascii_case(name))
}

/// Whether a page of the internet cannot have this name.
fn is_private_name(name: &str) -> bool {
    let unbracketed = name.strip_prefix('[').and_then(|name| name.strip_suffix(']'));
    let lower = name.to_ascii_lowercase();
    unbracketed.unwrap_or(name).parse::<IpAddr>().is_ok()
        || !name.contains('.')
        || PRIVATE_SUFFIXES.iter().any(|suffix| lower.ends_with(suffix))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_is_nothing_that_readers_take_for_another() {
        for host in ["", "127.0.0.1:80", "[::1]:80", "chat.example.org.", "my_host", "[fe80::1%1]"]
        {
            assert!(can_be_host(&HeaderValue::from_static(host)), "{host}");
        }
        for host in ["evil.example@127.0.0.1", "a b", "localhost/x", "localhost, evil", "a\\b"] {
            assert!(!can_be_host(&HeaderValue::from_static(host)), "{host}");
        }
        assert!(!can_be_host(&HeaderValue::from_bytes(b"caf\xe9").unwrap()));
    }

    #[test]
    fn a_name_that_can_be_registered_is_not_private() {
        for name in
            ["127.0.0.1", "[::1]", "10.1.2.3", "localhost", "chat", "a.localhost", "x.local"]
        {
            assert!(is_private_name(name), "{name}");
        }
        for name in
            ["evil.example", "127.0.0.1.evil.example", "localhost.evil.com", "1.2.3.4.nip.io"]
        {
            assert!(!is_private_name(name), "{name}");
        }
    }
}
