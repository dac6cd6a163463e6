//! `/api/` of the admin listener: the documents of every front end, for a browser.
//!
//! All of it is in the binary. Pages load nothing from elsewhere, and each has a
//! Content-Security-Policy that forbids everything but its own parts.

mod definitions;
mod frames;
mod html;
mod index;
mod shape;

use std::borrow::Cow;

use frontend_api::schema::Document;
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderMap, HeaderValue};
use hyper::{Response, StatusCode};
use serde_json::Value;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::served;
use html::{Html, REDOC_NAME};
use shape::Shape;

/// The path that all others begin with.
const ROOT: &str = "/api/";

/// Redoc, which shows OpenAPI and AsyncAPI; compressed as it is sent. See `assets/redoc`.
const REDOC: &[u8] = include_bytes!("../../../../assets/redoc/redoc-3.0.1.js.gz");
const REDOC_LICENCE: &str = include_str!("../../../../assets/redoc/LICENSE");
const STYLE: &str = include_str!("../../../../assets/api.css");

/// The policy of pages without scripts.
const STATIC_POLICY: &str = "default-src 'none'; style-src 'self'; img-src data:; base-uri 'none'; \
    form-action 'none'; frame-ancestors 'none'";

/// The policy of pages that run Redoc, which inlines its styles and a font, and fetches a document.
/// It reaches nothing of the admin listener but these pages.
fn redoc_policy(headers: &HeaderMap) -> String {
    let host = headers.get(header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default();
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b".:-_[]".contains(&byte);
    let from = if !host.is_empty() && host.bytes().all(is_plain) {
        format!("http://{host}{ROOT}")
    } else {
        "'none'".into()
    };
    format!(
        "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src data:; \
         font-src data:; connect-src {from}; base-uri 'none'; form-action 'none'; \
         frame-ancestors 'none'"
    )
}

/// Revalidated at each use.
const NO_CACHE: &str = "no-cache";
/// Never changes under its name.
const IMMUTABLE: &str = "max-age=31536000, immutable";

/// A page, or a part of one.
struct Part {
    content_type: String,
    body: Bytes,
    policy: Cow<'static, str>,
    cache_control: &'static str,
    encoding: Option<&'static str>,
}

impl Part {
    fn new(content_type: &str, body: impl Into<Bytes>) -> Self {
        let content_type = content_type.to_owned();
        Self {
            content_type,
            body: body.into(),
            policy: STATIC_POLICY.into(),
            cache_control: NO_CACHE,
            encoding: None,
        }
    }

    fn page(page: Html) -> Self {
        Self::new("text/html; charset=utf-8", page.whole())
    }

    fn response(self) -> Response<Full<Bytes>> {
        let mut response = Response::new(Full::new(self.body));
        let headers = response.headers_mut();
        if let Ok(content_type) = HeaderValue::try_from(self.content_type) {
            headers.insert(header::CONTENT_TYPE, content_type);
        }
        if let Ok(policy) = HeaderValue::try_from(self.policy.as_ref()) {
            headers.insert(header::CONTENT_SECURITY_POLICY, policy);
        }
        for (name, value) in [
            (header::CACHE_CONTROL, self.cache_control),
            (header::REFERRER_POLICY, "no-referrer"),
            (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        ] {
            headers.insert(name, HeaderValue::from_static(value));
        }
        if let Some(encoding) = self.encoding {
            headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    }
}

/// The response for a path, if it is one of these.
pub(crate) fn answer(
    registry: &FrontendRegistry,
    path: &str,
    headers: &HeaderMap,
) -> Option<Response<Full<Bytes>>> {
    if !registry.api_page {
        return None;
    }
    if path == "/" || path == ROOT.trim_end_matches('/') {
        return Some(redirect_to_root());
    }
    let part = match path.strip_prefix(ROOT)? {
        "" => Part::page(index::page(registry)),
        "api.css" => Part::new("text/css; charset=utf-8", STYLE),
        "redoc-licence.txt" => Part::new("text/plain; charset=utf-8", REDOC_LICENCE),
        REDOC_NAME if !takes_gzip(headers) => return Some(only_compressed()),
        REDOC_NAME => Part {
            cache_control: IMMUTABLE,
            encoding: Some("gzip"),
            ..Part::new("text/javascript; charset=utf-8", REDOC)
        },
        path => document(registry, path, headers)?,
    };
    Some(part.response())
}

/// The documents of a front end as these pages have them: name, type and path, and whether there is a
/// page of the same path and the suffix `.html`.
pub(super) fn links(
    registry: &FrontendRegistry,
    frontend: &FrontendHandle,
) -> Vec<(String, String, String, bool)> {
    // A panic in here is in the log.
    let documents = registry.api_page.then(|| served::documents(registry, frontend).ok());
    let documents = documents.flatten().unwrap_or_default();
    let link = |document: &Document| {
        let Document { name, media_type, text } = document;
        let content = serde_json::from_str(text).ok();
        let is_shown = content.as_ref().and_then(Shape::of).is_some();
        (name.clone(), media_type.clone(), format!("{ROOT}{}/{name}", frontend.name), is_shown)
    };
    documents.iter().map(link).collect()
}

fn redirect_to_root() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::default());
    *response.status_mut() = StatusCode::FOUND;
    response.headers_mut().insert(header::LOCATION, HeaderValue::from_static(ROOT));
    response
}

fn takes_gzip(headers: &HeaderMap) -> bool {
    let accepted = headers.get_all(header::ACCEPT_ENCODING).into_iter();
    accepted.filter_map(|value| value.to_str().ok()).any(|value| value.contains("gzip"))
}

fn only_compressed() -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new("it is there as gzip only\n".into()));
    *response.status_mut() = StatusCode::NOT_ACCEPTABLE;
    response
}

/// `<front end>/<document>`, or with the suffix `.html` the document as a page.
fn document(registry: &FrontendRegistry, path: &str, headers: &HeaderMap) -> Option<Part> {
    let (frontend, name) = path.split_once('/')?;
    // A panic in here is in the log.
    let documents = served::documents(registry, registry.named(frontend)?).ok()?;
    let named = |name: &str| documents.iter().find(|document| document.name == name);
    if let Some(Document { media_type, text, .. }) = named(name) {
        return Some(Part::new(media_type, text.clone()));
    }
    let document = named(name.strip_suffix(".html")?)?;
    let title = format!("{frontend}: {}", document.name);
    let content: Value = serde_json::from_str(&document.text).ok()?;
    match Shape::of(&content)? {
        Shape::Redoc => {
            let page = Part::page(html::redoc(&title, &document.name));
            Some(Part { policy: redoc_policy(headers).into(), ..page })
        }
        Shape::Frames => Some(Part::page(frames::page(&title, &content))),
        Shape::Definitions => Some(Part::page(definitions::page(&title, &content))),
    }
}
