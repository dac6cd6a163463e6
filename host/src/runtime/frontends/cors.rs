//! `cors_origins`: which web pages of other origins may call an HTTP front end.

use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::uri::Authority;

/// The origins of `cors_origins`.
#[derive(Debug)]
pub(crate) struct Cors {
    origins: Vec<String>,
}

/// How long a browser may remember a preflight: ten minutes, so that a changed configuration is
/// noticed.
const PREFLIGHT_AGE_SECS: &str = "600";

impl Cors {
    pub(crate) fn new(origins: &[String]) -> Self {
        Self { origins: origins.to_vec() }
    }

    /// Whether a web page of this origin may open a WebSocket: a page of the requested host, on any
    /// port, or of a named origin. Browsers make no preflight before they open one.
    pub(crate) fn may_connect(&self, origin: &HeaderValue, host: Option<&str>) -> bool {
        let is_named = |allowed: &String| allowed == "*" || matches(allowed, origin);
        is_own(origin, host).unwrap_or(false) || self.origins.iter().any(is_named)
    }

    /// Whether pages of every origin are allowed.
    pub(crate) fn allows_all(&self) -> bool {
        self.origins.iter().any(|origin| origin == "*")
    }

    /// Adds the CORS headers to the response to a request from this origin.
    pub(crate) fn permit(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        response.append(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin else { return };
        let named = |allowed: &String| matches(allowed, origin);
        let allow_origin = header::ACCESS_CONTROL_ALLOW_ORIGIN;
        if self.origins.iter().any(named) {
            response.insert(allow_origin, origin.clone());
            let allow_credentials = header::ACCESS_CONTROL_ALLOW_CREDENTIALS;
            response.insert(allow_credentials, HeaderValue::from_static("true"));
        } else if self.origins.iter().any(|allowed| allowed == "*") {
            response.insert(allow_origin, HeaderValue::from_static("*"));
        }
    }

    /// Adds the CORS headers to the response to a preflight.
    pub(crate) fn permit_preflight(
        &self,
        request: &HeaderMap,
        methods: &[String],
        response: &mut HeaderMap,
    ) {
        self.permit(request.get(header::ORIGIN), response);
        if !response.contains_key(header::ACCESS_CONTROL_ALLOW_ORIGIN) {
            return;
        }
        let set = |response: &mut HeaderMap, name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                response.insert(name, value);
            }
        };
        set(response, header::ACCESS_CONTROL_ALLOW_METHODS, &methods.join(", "));
        set(response, header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_AGE_SECS);
        if let Some(wanted) = request.get(header::ACCESS_CONTROL_REQUEST_HEADERS) {
            response.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, wanted.clone());
        }
    }
}

/// Whether an origin is the allowed one, or on a subdomain of it where that begins with `*.`.
fn matches(allowed: &str, origin: &HeaderValue) -> bool {
    let allowed = allowed.as_bytes();
    let origin = origin.as_bytes();
    if allowed.eq_ignore_ascii_case(origin) {
        return true;
    }
    let Some(star) = allowed.windows(5).position(|part| part == b"://*.") else { return false };
    let scheme = &allowed[..star + 3];
    let domain = &allowed[star + 4..];
    let labels = origin.len().checked_sub(scheme.len() + domain.len());
    labels.is_some_and(|labels| {
        let (start, rest) = origin.split_at(scheme.len());
        let (labels, end) = rest.split_at(labels);
        let is_label = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
        start.eq_ignore_ascii_case(scheme)
            && end.eq_ignore_ascii_case(domain)
            && !labels.is_empty()
            && labels.iter().all(is_label)
    })
}

/// Whether an origin is on the requested host. `None`: one of them is malformed.
fn is_own(origin: &HeaderValue, host: Option<&str>) -> Option<bool> {
    let authority = |text: &str| text.trim().parse::<Authority>().ok();
    let (_, origin) = origin.to_str().ok()?.split_once("://")?;
    let origin = authority(origin)?;
    let host = authority(host?)?;
    Some(origin.host().eq_ignore_ascii_case(host.host()))
}

/// Whether a request is a CORS preflight.
pub(crate) fn is_preflight(method: &hyper::Method, headers: &HeaderMap) -> bool {
    method == hyper::Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_of_the_same_host_or_a_named_one_may_open_a_websocket() {
        let may = |origins: &[&str], origin: &str, host: &str| {
            let origins: Vec<_> = origins.iter().map(|origin| (*origin).to_owned()).collect();
            let origin = origin.parse().unwrap();
            Cors::new(&origins).may_connect(&origin, Some(host))
        };
        let none: &[&str] = &[];
        assert!(may(none, "http://chat.example", "chat.example:2333"));
        assert!(may(none, "https://Chat.example:8443", "chat.example"));
        assert!(may(none, "http://127.0.0.1:8080", "127.0.0.1:2333"));
        assert!(may(none, "http://[::1]:8080", "[::1]:2333"));
        for stranger in ["https://evil.example", "null", "file://", "chat.example", ""] {
            assert!(!may(none, stranger, "chat.example:2333"), "{stranger}");
            assert!(may(&["*"], stranger, "chat.example:2333"), "{stranger}");
        }
        assert!(!may(none, "https://chat.example.evil.example", "chat.example"));
        assert!(!may(none, "https://chat.example@evil.example", "chat.example"));
        assert!(may(&["https://app.example"], "https://app.example", "chat.example"));
        assert!(!may(&["https://app.example"], "https://app.example:1", "chat.example"));
        assert!(may(&["null"], "null", "chat.example"));
        let origin = "https://chat.example".parse().unwrap();
        assert!(!Cors::new(&[]).may_connect(&origin, None));
    }

    fn permitted(origins: &[&str], origin: &str) -> (Option<String>, bool) {
        let origins: Vec<_> = origins.iter().map(|origin| (*origin).to_owned()).collect();
        let origin = origin.parse().unwrap();
        let mut response = HeaderMap::new();
        Cors::new(&origins).permit(Some(&origin), &mut response);
        let allowed = response.get(header::ACCESS_CONTROL_ALLOW_ORIGIN);
        let credentials = response.contains_key(header::ACCESS_CONTROL_ALLOW_CREDENTIALS);
        (allowed.map(|value| value.to_str().unwrap().to_owned()), credentials)
    }

    #[test]
    fn an_asterisk_stands_for_subdomains_only() {
        let all = "https://*.example.com";
        for page in ["https://a.example.com", "https://A.b-c.Example.com"] {
            assert_eq!(permitted(&[all], page), (Some(page.into()), true));
        }
        for page in [
            "https://example.com",
            "https://.example.com",
            "http://a.example.com",
            "https://a.example.com:8443",
            "https://aexample.com",
            "https://a.example.com.evil.example",
            "https://evil.example/.example.com",
            "https://evil.example:1.example.com",
            "https://a@b.example.com",
        ] {
            assert_eq!(permitted(&[all], page), (None, false), "{page}");
        }
        let port = "https://a.example.com:8443";
        assert_eq!(permitted(&["https://*.example.com:8443"], port), (Some(port.into()), true));
    }

    #[test]
    fn a_named_origin_is_permitted_with_credentials_and_a_star_without() {
        let page = "https://chat.example";
        assert_eq!(permitted(&[page], page), (Some(page.into()), true));
        assert_eq!(permitted(&["*", page], page), (Some(page.into()), true));
        assert_eq!(permitted(&["*"], page), (Some("*".into()), false));
        assert_eq!(permitted(&["https://other.example"], page), (None, false));
        assert_eq!(permitted(&[], page), (None, false));
    }
}
