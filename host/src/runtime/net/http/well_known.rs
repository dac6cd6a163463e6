//! The documents that describe a front end to programs, behind the same guard as the front end
//! itself.

use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use hyper::Method;
use serde::Serialize;

use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::served;

/// The methods of a document.
pub(super) const METHODS: [&str; 2] = ["GET", "HEAD"];

/// An entry in the list of documents.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    media_type: &'a str,
}

/// Refused: 404, 405, and 503 if the front end panics.
pub(super) fn answer(
    registry: &FrontendRegistry,
    frontend: &FrontendHandle,
    method: &Method,
    name: &str,
) -> Result<Response, HttpError> {
    let allow = "GET, HEAD, OPTIONS";
    if method == Method::OPTIONS {
        return Ok(Response { status: 204, ..Response::default() }.with_header("allow", allow));
    }
    if !METHODS.contains(&method.as_str()) {
        let reason = format!("{method} is not among the methods of a document: {allow}");
        return Err(HttpError::new(405, reason).with_header("allow", allow));
    }
    let documents = served::documents(registry, frontend)
        .map_err(|_| HttpError::new(503, "the front end could not describe itself"))?;
    let found = documents.iter().find(|document| document.name == name);
    let response = match found {
        Some(document) => content(document),
        None if name.is_empty() => list(&documents),
        None => return Err(HttpError::new(404, format!("there is no document {name:?}"))),
    };
    // They change with the configuration, so a cache must revalidate them.
    Ok(response.with_header("cache-control", "no-cache"))
}

fn content(document: &Document) -> Response {
    let headers = vec![("content-type".into(), document.media_type.clone())];
    Response { status: 200, headers, body: document.text.clone().into_bytes() }
}

fn list(documents: &[Document]) -> Response {
    let listed = documents
        .iter()
        .map(|document| Listed { name: &document.name, media_type: &document.media_type });
    Response::json(200, &listed.collect::<Vec<_>>())
}
