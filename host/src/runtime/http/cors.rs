//! Which web pages of other origins may call an HTTP front end.

use hyper::HeaderMap;
use hyper::header::{self, HeaderName, HeaderValue};

/// The origins of `cors_origins`.
#[derive(Debug)]
pub(in crate::runtime) struct Cors {
    origins: Vec<String>,
}

/// How long a browser may remember a preflight: ten minutes, so that a changed configuration is
/// noticed.
const PREFLIGHT_AGE_SECS: &str = "600";

impl Cors {
    pub(in crate::runtime) fn new(origins: &[String]) -> Self {
        Self { origins: origins.to_vec() }
    }

    /// Adds what a browser wants to see on the response to a request from this origin.
    pub(super) fn permit(&self, origin: Option<&HeaderValue>, response: &mut HeaderMap) {
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

    /// The same for a preflight, with what the browser wants to know before it asks.
    pub(super) fn permit_preflight(
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

/// Whether a request asks what it may ask.
pub(super) fn is_preflight(method: &hyper::Method, headers: &HeaderMap) -> bool {
    method == hyper::Method::OPTIONS
        && headers.contains_key(header::ORIGIN)
        && headers.contains_key(header::ACCESS_CONTROL_REQUEST_METHOD)
}

#[cfg(test)]
mod tests {
    use super::*;

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
