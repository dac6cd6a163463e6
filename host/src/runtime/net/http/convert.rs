//! Requests and responses as plain data, to and from hyper's.

use std::panic::{AssertUnwindSafe, catch_unwind};

use frontend_api::http::{HttpError, Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{StatusCode, Uri};
use percent_encoding::percent_decode_str;

use crate::runtime::frontends::instance::{Served, out_of_order};

/// The type of nearly every body, which need not be made for each.
const JSON: &str = "application/json; charset=utf-8";

/// The path of a request, decoded where that gives UTF-8.
pub(crate) fn path(uri: &Uri) -> String {
    let path = percent_decode_str(uri.path()).decode_utf8();
    path.map_or_else(|_| uri.path().to_owned(), |path| path.into_owned())
}

pub(crate) fn request(parts: &Parts, path: String, body: Vec<u8>) -> Request {
    let text = |value: &HeaderValue| String::from_utf8_lossy(value.as_bytes()).into_owned();
    let headers = parts.headers.iter().map(|(name, value)| (name.as_str().into(), text(value)));
    Request {
        method: parts.method.as_str().into(),
        path,
        query: parts.uri.query().unwrap_or("").into(),
        headers: headers.collect(),
        body,
    }
}

/// A front end's response. To a HEAD request, without the body that GET would have.
pub(crate) fn response(
    served: &Served,
    response: Response,
    head: bool,
) -> hyper::Response<Full<Bytes>> {
    let length = response.body.len();
    let body = if head { Full::default() } else { Full::new(response.body.into()) };
    let mut made = hyper::Response::new(body);
    *made.status_mut() = StatusCode::from_u16(response.status).unwrap_or_else(|_| {
        tracing::error!(frontend = served.name, status = response.status, "no such HTTP status");
        StatusCode::INTERNAL_SERVER_ERROR
    });
    for (name, value) in response.headers {
        let value = match value.as_str() {
            JSON => Ok(HeaderValue::from_static(JSON)),
            _ => HeaderValue::try_from(value),
        };
        match (HeaderName::try_from(name.as_str()), value) {
            (Ok(name), Ok(value)) => drop(made.headers_mut().append(name, value)),
            _ => tracing::error!(frontend = served.name, name, "a header that HTTP does not allow"),
        }
    }
    if head {
        made.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    made
}

/// A fault, in the words of the front end and with the headers that belong to it.
pub(crate) fn fault(served: &Served, fault: HttpError) -> Response {
    let plain = || Response::text(fault.status, &fault.reason);
    let say = AssertUnwindSafe(|| match served.down() {
        None => served.frontend.fault(&fault),
        Some(_) if fault == out_of_order() => served.out_of_order(),
        Some(_) => plain(),
    });
    let mut response = catch_unwind(say).unwrap_or_else(|_| {
        served.panicked("saying a fault");
        plain()
    });
    for (name, value) in fault.headers {
        if !response.headers.iter().any(|(has, _)| has.eq_ignore_ascii_case(&name)) {
            response.headers.push((name, value));
        }
    }
    response
}
