//! `/console/` of the admin listener: the console, a web page over the admin API.
//!
//! Its files are in the binary, load nothing from elsewhere, and have a Content-Security-Policy that
//! forbids everything but themselves. They hold nothing secret, so they are served to anyone who
//! reaches the listener; what they show is from the API, which asks who wants to know it.

mod session;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use axum::body::Body;
use data_encoding::HEXLOWER;
use hyper::body::Incoming;
use hyper::header::{self, HeaderMap, HeaderName, HeaderValue};
use hyper::{Method, Request, Response, StatusCode};
use include_dir::{Dir, include_dir};
use sha2::{Digest as _, Sha256};

use crate::admin::Problem;
use crate::runtime::admin::api::{self, AdminPeer};
use crate::runtime::net::state::GatewayState;

/// The path that all others begin with.
pub(super) const ROOT: &str = "/console/";

/// Signing in and out.
const SESSION: &str = "/console/session";

static FILES: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/assets/console");

/// What a page may load and reach: the files and the API of this listener. Scripts set the styles of
/// plots one by one, which no directive is about.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

/// A file, with the tag of its content.
struct Asset {
    body: &'static [u8],
    tag: HeaderValue,
    media_type: &'static str,
}

/// The files by path.
static ASSETS: LazyLock<BTreeMap<&'static str, Asset>> = LazyLock::new(|| {
    let mut assets = BTreeMap::new();
    collect(&FILES, &mut assets);
    assets
});

fn collect(folder: &Dir<'static>, assets: &mut BTreeMap<&'static str, Asset>) {
    for file in folder.files() {
        let Some(path) = file.path().to_str() else { continue };
        let body = file.contents();
        let hash = HEXLOWER.encode(&Sha256::digest(body)[..16]);
        let tag = HeaderValue::try_from(format!("\"{hash}\"")).expect("digits between quotes");
        assets.insert(path, Asset { body, tag, media_type: media_type(path) });
    }
    folder.dirs().for_each(|folder| collect(folder, assets));
}

fn media_type(path: &str) -> &'static str {
    match path.rsplit_once('.').map(|(_, extension)| extension) {
        Some("html") => "text/html; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("json" | "map") => "application/json; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        _ => "text/plain; charset=utf-8",
    }
}

/// Whether a path leads to the console, if that is on.
pub(super) fn serves(state: &GatewayState, path: &str) -> bool {
    let is_own = path == "/" || path == ROOT.trim_end_matches('/') || path.starts_with(ROOT);
    is_own && state.peek_registry().console
}

/// Answers a request for a path that [leads](serves) to the console.
pub(super) async fn answer(
    state: &GatewayState,
    peer: &AdminPeer,
    request: Request<Incoming>,
) -> Response<Body> {
    let path = request.uri().path().to_owned();
    if path == SESSION {
        return session::answer(state, peer, request).await;
    }
    if request.method() != Method::GET && request.method() != Method::HEAD {
        let problem = Problem::new(405, "method", "the console has files only; use GET or HEAD");
        return with(api::refused(&problem), &[(header::ALLOW, "GET, HEAD")]);
    }
    let Some(path) = path.strip_prefix(ROOT) else {
        return with(empty(StatusCode::FOUND), &[(header::LOCATION, ROOT)]);
    };
    let path = if path.is_empty() { "index.html" } else { path };
    match ASSETS.get(path) {
        Some(asset) => asset.response(request.headers()),
        None => api::refused(&Problem::new(404, "unknown", "the console has no such file")),
    }
}

impl Asset {
    fn response(&self, headers: &HeaderMap) -> Response<Body> {
        let known = headers.get_all(header::IF_NONE_MATCH).iter();
        let known = known.filter_map(|value| value.to_str().ok());
        let mut tags = known.flat_map(|value| value.split(',')).map(str::trim);
        let is_known = tags.any(|tag| tag == "*" || tag.trim_start_matches("W/") == self.tag);
        let mut response = if is_known {
            empty(StatusCode::NOT_MODIFIED)
        } else {
            Response::new(Body::from(self.body))
        };
        response.headers_mut().insert(header::ETAG, self.tag.clone());
        with(
            response,
            &[
                (header::CONTENT_TYPE, self.media_type),
                // Revalidated at each use: another version of the gateway has other files.
                (header::CACHE_CONTROL, "no-cache"),
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::REFERRER_POLICY, "no-referrer"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
                (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
            ],
        )
    }
}

fn empty(status: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = status;
    response
}

fn with(mut response: Response<Body>, headers: &[(HeaderName, &'static str)]) -> Response<Body> {
    for (name, value) in headers {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_run_no_script_and_have_no_style_of_their_own() {
        for (path, asset) in ASSETS.iter().filter(|(path, _)| path.ends_with(".html")) {
            let text = std::str::from_utf8(asset.body).expect("pages are UTF-8");
            for part in [" style=", "<style", " onclick=", " onload=", "javascript:"] {
                assert!(!text.contains(part), "{path} has {part}");
            }
            let scripts = text.split("<script").skip(1);
            let inline: Vec<_> = scripts.filter(|rest| !rest.contains("></script>")).collect();
            assert!(inline.is_empty(), "{path}: {inline:?}");
        }
        assert!(ASSETS.contains_key("index.html"));
    }
}
