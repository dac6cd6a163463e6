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
    pub(crate) fn may_connect(&self, origin: &HeaderValue, host: Option<&HeaderValue>) -> bool {
        let is_named = |allowed: &String| {
            allowed == "*" || allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes())
        };
        is_own(origin, host).unwrap_or(false) || self.origins.iter().any(is_named)
    }

    /// Adds the CORS headers to the response to a request from this origin.
    pub(crate) fn permit(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
        if self.origins.is_empty() {
            return;
        }
        response.append(header::VARY, HeaderValue::from_static("origin"));
        let Some(origin) = origin else { return };
        let named = |allowed: &String| allowed.as_bytes().eq_ignore_ascii_case(origin.as_bytes());
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

/// Whether an origin is on the requested host. `None`: one of them is malformed.
fn is_own(origin: &HeaderValue, host: Option<&HeaderValue>) -> Option<bool> {
    let authority = |text: &str| text.trim().parse::<Authority>().ok();
    let (_, origin) = origin.to_str().ok()?.split_once("://")?;
    let (origin, host) = (authority(origin)?, authority(host?.to_str().ok()?)?);
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
            let (origin, host) = (origin.parse().unwrap(), host.parse().unwrap());
            Cors::new(&origins).may_connect(&origin, Some(&host))
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
    fn a_named_origin_is_permitted_with_credentials_and_a_star_without() {
        let page = "https://chat.example";
        assert_eq!(permitted(&[page], page), (Some(page.into()), true));
        assert_eq!(permitted(&["*", page], page), (Some(page.into()), true));
        assert_eq!(permitted(&["*"], page), (Some("*".into()), false));
        assert_eq!(permitted(&["https://other.example"], page), (None, false));
        assert_eq!(permitted(&[], page), (None, false));
    }
}
