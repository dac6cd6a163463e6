//! Converts hyper's requests to those of front ends, and their responses to hyper's.

use frontend_api::http::{HttpError, Request, Response};
use http_body_util::Full;
use hyper::body::Bytes;
use hyper::header::{self, HeaderName, HeaderValue};
use hyper::http::request::Parts;
use hyper::{StatusCode, Uri};
use percent_encoding::percent_decode_str;

use crate::runtime::frontends::instance::{FrontendHandle, is_down_error};
use crate::runtime::limits::memory_budget::Reservation;

/// The content type of nearly every body, which is not allocated each time.
const JSON: &str = "application/json; charset=utf-8";

/// The path of a request, decoded where that gives UTF-8.
pub(crate) fn path(uri: &Uri) -> String {
    let path = percent_decode_str(uri.path()).decode_utf8();
    path.map_or_else(|_| uri.path().to_owned(), |path| path.into_owned())
}

/// Headers in which a front end looks for what identifies the client or its request. In them, bytes
/// that are not UTF-8 are refused; other headers with such bytes are left out.
const IDENTIFYING: [&str; 5] =
    ["authorization", "content-type", "idempotency-key", "token", "x-api-key"];

/// Refused: 400 for a header that identifies the client and is not UTF-8.
pub(crate) fn request(parts: &Parts, path: String, body: Vec<u8>) -> Result<Request, HttpError> {
    let mut headers = Vec::with_capacity(parts.headers.len());
    for (name, value) in &parts.headers {
        let name = name.as_str();
        match str::from_utf8(value.as_bytes()) {
            Ok(value) => headers.push((name.into(), value.into())),
            // Of several cookies one may be unreadable, and the front end looks for its own.
            Err(_) if name == "cookie" => {
                let value = String::from_utf8_lossy(value.as_bytes());
                headers.push((name.into(), value.into_owned()));
            }
            Err(_) if IDENTIFYING.contains(&name) => {
                return Err(HttpError::new(400, format!("the header {name} is not UTF-8")));
            }
            Err(_) => (),
        }
    }
    Ok(Request {
        method: parts.method.as_str().into(),
        path,
        query: parts.uri.query().unwrap_or("").into(),
        headers,
        body,
    })
}

/// A front end's response; for a HEAD request without its body.
pub(crate) fn response(
    frontend: &FrontendHandle,
    response: Response,
    is_head: bool,
    unread: Option<Reservation>,
) -> hyper::Response<Full<Bytes>> {
    let length = response.body.len();
    let body = if is_head { Bytes::new() } else { accounted(response.body, unread) };
    let mut made = hyper::Response::new(Full::new(body));
    *made.status_mut() = StatusCode::from_u16(response.status).unwrap_or_else(|_| {
        tracing::error!(
            frontend = frontend.name,
            status = response.status,
            "the front end gave an invalid HTTP status"
        );
        StatusCode::INTERNAL_SERVER_ERROR
    });
    for (name, value) in response.headers {
        let value = match value.as_str() {
            JSON => Ok(HeaderValue::from_static(JSON)),
            _ => HeaderValue::try_from(value),
        };
        match (HeaderName::try_from(name.as_str()), value) {
            (Ok(name), Ok(value)) => drop(made.headers_mut().append(name, value)),
            _ => tracing::error!(
                frontend = frontend.name,
                name,
                "the front end gave an invalid HTTP header"
            ),
        }
    }
    if is_head {
        made.headers_mut().insert(header::CONTENT_LENGTH, length.into());
    }
    made
}

/// A body whose memory is given back with its last byte.
fn accounted(body: Vec<u8>, unread: Option<Reservation>) -> Bytes {
    struct Accounted(Vec<u8>, #[expect(dead_code, reason = "dropped with the body")] Reservation);
    impl AsRef<[u8]> for Accounted {
        fn as_ref(&self) -> &[u8] {
            &self.0
        }
    }
    match unread.filter(|unread| !unread.is_empty()) {
        Some(unread) => Bytes::from_owner(Accounted(body, unread)),
        None => body.into(),
    }
}

/// Has browsers send the cookies of a response over https only (RFC 6265, section 5.2.5).
pub(super) fn secure_cookies(response: &mut Response) {
    let is_cookie = |name: &str| name.eq_ignore_ascii_case("set-cookie");
    for (_, cookie) in response.headers.iter_mut().filter(|(name, _)| is_cookie(name)) {
        let mut attributes = cookie.split(';').skip(1).map(str::trim);
        if !attributes.any(|attribute| attribute.eq_ignore_ascii_case("secure")) {
            cookie.push_str("; Secure");
        }
    }
}

/// An error of the host, in the dialect's form and with the headers that belong to it.
pub(super) fn error(frontend: &FrontendHandle, error: HttpError) -> Response {
    let plain = |_| Response::text(error.status, &error.reason);
    let mut response = match frontend.down() {
        None => frontend.frontend.error_response(&error).unwrap_or_else(plain),
        Some(_) if error == is_down_error() => frontend.down_response(),
        Some(_) => Response::text(error.status, &error.reason),
    };
    for (name, value) in error.headers {
        if !response.headers.iter().any(|(has, _)| has.eq_ignore_ascii_case(&name)) {
            response.headers.push((name, value));
        }
    }
    response
}
