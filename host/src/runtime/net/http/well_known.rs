//! `/.well-known/dragoman/<front end>/…`: the documents that describe a front end to programs,
//! behind the same guard as the front end itself.

use std::panic::{AssertUnwindSafe, catch_unwind};

use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use hyper::Method;
use serde::Serialize;

use crate::runtime::frontends::instance::Served;

/// What may be asked of a document.
pub(crate) const METHODS: [&str; 2] = ["GET", "HEAD"];

/// RFC 8615.
const PREFIX: &str = "/.well-known/dragoman/";

/// One of the documents there are.
#[derive(Serialize)]
struct Listed<'a> {
    name: &'a str,
    media_type: &'a str,
}

/// The name of the document of this front end that a path leads to; "" for the list of them.
pub(crate) fn document<'a>(served: &Served, path: &'a str) -> Option<&'a str> {
    path.strip_prefix(PREFIX)?.strip_prefix(served.name.as_str())?.strip_prefix('/')
}

/// Refused: 404, 405, and 503 where the front end panics.
pub(crate) fn answer(served: &Served, method: &Method, name: &str) -> Result<Response, HttpError> {
    let allow = "GET, HEAD, OPTIONS";
    if method == Method::OPTIONS {
        return Ok(Response { status: 204, ..Response::default() }.with_header("allow", allow));
    }
    if !METHODS.contains(&method.as_str()) {
        let reason = format!("{method} is not among the methods of a document: {allow}");
        return Err(HttpError::new(405, reason).with_header("allow", allow));
    }
    let documents = documents(served)?;
    let found = documents.iter().find(|document| document.name == name);
    let response = match found {
        Some(document) => whole(document),
        None if name.is_empty() => list(&documents),
        None => return Err(HttpError::new(404, format!("there is no document {name:?}"))),
    };
    // They change with the configuration, so that whoever keeps them has to ask again.
    Ok(response.with_header("cache-control", "no-cache"))
}

pub(crate) fn documents(served: &Served) -> Result<Vec<Document>, HttpError> {
    let describe = AssertUnwindSafe(|| served.frontend.schemas());
    catch_unwind(describe).map_err(|_| {
        served.panicked("describing itself");
        HttpError::new(503, "the front end could not describe itself")
    })
}

fn whole(document: &Document) -> Response {
    let headers = vec![("content-type".into(), document.media_type.clone())];
    Response { status: 200, headers, body: document.text.clone().into_bytes() }
}

fn list(documents: &[Document]) -> Response {
    let listed = documents
        .iter()
        .map(|document| Listed { name: &document.name, media_type: &document.media_type });
    Response::json(200, &listed.collect::<Vec<_>>())
}
