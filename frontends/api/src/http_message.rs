//! HTTP requests, responses and errors as plain data.

use std::cell::RefCell;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::json;

/// A request, whole.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Request {
    pub method: String,
    /// Percent-decoded where that gives UTF-8, without the query.
    pub path: String,
    /// Without the question mark, as it was sent.
    #[serde(default)]
    pub query: String,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub body: Vec<u8>,
}

impl Request {
    /// The first header of this name, in any case.
    pub fn header(&self, name: &str) -> Option<&str> {
        let found = self.headers.iter().find(|(key, _)| key.eq_ignore_ascii_case(name));
        found.map(|(_, value)| value.as_str())
    }

    /// The values of all headers of this name, in any case.
    pub fn headers_named<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.headers.iter().filter(move |(key, _)| key.eq_ignore_ascii_case(name));
        named.map(|(_, value)| value.as_str())
    }

    /// The value of a cookie.
    ///
    /// ```
    /// let headers = vec![("Cookie".into(), "lang=en; token=abc".into())];
    /// let request = frontend_api::http::Request { headers, ..Default::default() };
    /// assert_eq!(request.cookie("token"), Some("abc"));
    /// ```
    pub fn cookie(&self, name: &str) -> Option<&str> {
        let cookies = self.headers_named("cookie");
        cookies.flat_map(|value| value.split(';')).find_map(|pair| {
            let (key, value) = pair.trim().split_once('=')?;
            (key == name).then_some(value)
        })
    }
}

/// A response, whole.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Response {
    pub status: u16,
    #[serde(default)]
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schemars(skip)]
    pub body: Vec<u8>,
}

/// The largest buffer that is kept for the next body.
const BUFFER_BYTES_MAX: usize = 65_536;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = const { RefCell::new(Vec::new()) };
}

impl Response {
    /// A JSON body, `application/json; charset=utf-8`.
    pub fn json(status: u16, body: &impl Serialize) -> Self {
        let mut buffer = BUFFER.take();
        buffer.clear();
        json::append(body, &mut buffer).expect("a reply is plain data with string keys");
        let bytes = buffer.as_slice().into();
        if buffer.capacity() <= BUFFER_BYTES_MAX {
            BUFFER.set(buffer);
        }
        let content_type = ("content-type".into(), "application/json; charset=utf-8".into());
        Self { status, headers: vec![content_type], body: bytes }
    }

    /// A plain text body.
    pub fn text(status: u16, body: &str) -> Self {
        let content_type = ("content-type".into(), "text/plain; charset=utf-8".into());
        Self { status, headers: vec![content_type], body: body.as_bytes().to_vec() }
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}

/// An error on the level of HTTP, which the dialect words.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[schemars(rename = "Fault")]
pub struct HttpError {
    /// 400, 401, 403, 404, 405, 408, 413, 415, 426, 429 or 503.
    pub status: u16,
    /// A sentence for the client's developer.
    pub reason: String,
    /// Headers that belong to the status, such as `allow`, `retry-after`, `upgrade` and
    /// `www-authenticate`.
    #[serde(default)]
    pub headers: Vec<(String, String)>,
}

impl HttpError {
    pub fn new(status: u16, reason: impl Into<String>) -> Self {
        Self { status, reason: reason.into(), headers: Vec::new() }
    }

    #[must_use]
    pub fn with_header(mut self, name: &str, value: impl Into<String>) -> Self {
        self.headers.push((name.into(), value.into()));
        self
    }
}
