//! HTTP requests and responses with their secrets masked.

use frontend_api::http::{Request, Response};
use percent_encoding::{NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::MASK;
use super::json::{mask_frame, mask_json};
use super::names::SecretNames;
use super::phrases::{has_secret, has_secret_of, mask_path};

/// Headers whose values are shown; of any other one the name is.
const SHOWN_HEADERS: [&str; 33] = [
    "accept",
    "accept-encoding",
    "accept-language",
    "access-control-allow-credentials",
    "access-control-allow-headers",
    "access-control-allow-methods",
    "access-control-allow-origin",
    "access-control-expose-headers",
    "access-control-request-headers",
    "access-control-request-method",
    "allow",
    "cache-control",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "etag",
    "expect",
    "host",
    "idempotency-key",
    "if-none-match",
    "last-modified",
    "origin",
    "retry-after",
    "sec-websocket-version",
    "transfer-encoding",
    "upgrade",
    "user-agent",
    "vary",
    "x-content-type-options",
];

/// A request or a response.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct HttpFrame {
    /// Of a request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Of a request: its path, decoded, and its query as it was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// Of a response.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    pub headers: Vec<(String, String)>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub body: String,
}

/// A request, and whether something of it is masked.
pub(super) fn request(request: &Request, names: &SecretNames) -> (HttpFrame, bool) {
    let mut masked = false;
    let mut target = mask_path(&request.path, &mut masked);
    if !request.query.is_empty() {
        target.push('?');
        target.push_str(&form(&request.query, names, &mut masked));
    }
    let headers = headers(&request.headers, &mut masked);
    let body = body(&request.body, names, false, &mut masked);
    let method = Some(request.method.clone());
    (HttpFrame { method, target: Some(target), status: None, headers, body }, masked)
}

/// A response, likewise. `is_known`: of a dialect whose texts are known to have no secrets.
pub(super) fn response(
    response: &Response,
    names: &SecretNames,
    is_known: bool,
) -> (HttpFrame, bool) {
    let mut masked = false;
    let headers = headers(&response.headers, &mut masked);
    let is_text = is_known
        && headers.iter().any(|(name, value)| {
            name.eq_ignore_ascii_case("content-type") && value.trim_start().starts_with("text/")
        });
    let body = body(&response.body, names, is_text, &mut masked);
    let status = Some(response.status);
    (HttpFrame { method: None, target: None, status, headers, body }, masked)
}

fn headers(headers: &[(String, String)], masked: &mut bool) -> Vec<(String, String)> {
    let shown = headers.iter().map(|(name, value)| {
        let is_known = SHOWN_HEADERS.iter().any(|shown| name.eq_ignore_ascii_case(shown));
        let is_shown = is_known && !has_secret(value);
        *masked |= !is_shown;
        (name.clone(), if is_shown { value.clone() } else { MASK.into() })
    });
    shown.collect()
}

/// `is_text`: the front end wrote it for people.
fn body(bytes: &[u8], names: &SecretNames, is_text: bool, masked: &mut bool) -> String {
    let text = match str::from_utf8(bytes) {
        Ok(text) => text,
        // A form may be in a legacy charset, percent-encoded or not.
        Err(_) => &*String::from_utf8_lossy(bytes),
    };
    if text.is_empty() {
        return String::new();
    }
    if let Some(json) = mask_frame(text, names) {
        *masked |= json.masked;
        return json.text;
    }
    if is_text {
        let lines =
            text.split_inclusive('\n').map(|line| match line.trim_end_matches(['\n', '\r']) {
                text if has_secret(text) => {
                    *masked = true;
                    format!("{MASK}{}", &line[text.len()..])
                }
                _ => line.to_owned(),
            });
        return lines.collect();
    }
    let looks_like_form = text.contains('=') && !text.contains(['\n', '{', '"', '<']);
    if looks_like_form {
        return form(text, names, masked);
    }
    *masked = true;
    format!("{MASK} ({} bytes)", bytes.len())
}

/// A query or form. What is no pair of name and value is masked, and the value of a name that no
/// schema has, with the name. Some servers separate pairs with `;`, and some clients append a second
/// query.
fn form(text: &str, names: &SecretNames, masked: &mut bool) -> String {
    const SEPARATORS: [char; 3] = ['&', ';', '?'];
    let mut shown = String::with_capacity(text.len());
    for part in text.split_inclusive(SEPARATORS) {
        let end = part.trim_end_matches(SEPARATORS);
        shown.push_str(&pair(end, names, masked));
        shown.push_str(&part[end.len()..]);
    }
    shown
}

fn pair(pair: &str, names: &SecretNames, masked: &mut bool) -> String {
    let Some((name, value)) = pair.split_once('=') else {
        *masked |= !pair.is_empty();
        return if pair.is_empty() { String::new() } else { MASK.into() };
    };
    let decoded_name = decode(name);
    if !names.shows_name(&decoded_name, false) || has_secret(&decoded_name) {
        *masked = true;
        return format!("{MASK}={MASK}");
    }
    let decoded = decode(value);
    let json = mask_json(&decoded, names);
    let hides = names.secrecy_in_frame(&decoded_name).hides(&decoded);
    if hides || (json.is_none() && has_secret_of(names, &decoded)) {
        *masked = true;
        return format!("{name}={MASK}");
    }
    match json {
        Some(json) if json.masked => {
            *masked = true;
            format!("{name}={}", utf8_percent_encode(&json.text, NON_ALPHANUMERIC))
        }
        _ => format!("{name}={value}"),
    }
}

fn decode(text: &str) -> String {
    percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_shows_no_secret() {
        let request = Request {
            method: "POST".into(),
            path: "/login".into(),
            query: "user%5Fpassword=s3cret&name=ann&s3cret".into(),
            headers: [("Authorization", "Bearer s3cret"), ("X-Any", "s3cret"), ("host", "h")]
                .map(|(name, value)| (name.into(), value.into()))
                .into(),
            body: br#"{"a":{"password":"s3cret"}}"#.to_vec(),
        };
        let (shown, masked) = super::request(&request, &SecretNames::default());
        assert!(masked);
        let text = serde_json::to_string(&shown).unwrap();
        assert!(!text.contains("s3cret"), "{text}");
        assert_eq!(shown.target.unwrap(), "/login?user%5Fpassword=***&name=ann&***");
        assert!(shown.headers.contains(&("host".into(), "h".into())));
    }

    #[test]
    fn parameters_are_masked_wherever_they_are_in_a_target() {
        let target = |path: &str, query: &str| {
            let request = Request {
                method: "GET".into(),
                path: path.into(),
                query: query.into(),
                ..Request::default()
            };
            super::request(&request, &SecretNames::default()).0.target.unwrap()
        };
        assert_eq!(target("/a", "a=1;token=x&pwd=y;b=2;x"), "/a?a=1;token=***&pwd=***;b=2;***");
        assert_eq!(target("/a;token=x/b", ""), "/a;***");
        assert_eq!(target("/a?token=x", "b=1"), "/a?***?b=1");
        assert_eq!(target("/a\npassword x", ""), "/a***");
        assert_eq!(target("/a%3Dx", ""), "/a%***");
        for (query, shown) in [
            ("password[]=x&key[0]=y&user[pwd]=z", "password[]=***&key[0]=***&user[pwd]=***"),
            ("?password=x", "?password=***"),
            ("a=1?password=x", "a=1?password=***"),
            ("a=1%26password%3Dx", "a=***"),
            ("a=1%2526password%253Dx", "a=***"),
            ("a=1%0Apassword=x", "a=***"),
            ("a=1%0D%0AAuthorization:+Bearer+x", "a=***"),
            ("msg=%2Fidentify+x", "msg=***"),
            ("msg=12%3A30+at+the+caf%C3%A9", "msg=12%3A30+at+the+caf%C3%A9"),
        ] {
            assert_eq!(target("/a", query), format!("/a?{shown}"));
        }
    }

    #[test]
    fn what_stands_for_a_name_is_masked_unless_a_schema_has_it() {
        let schema = r#"{"properties": {"key": {"type": "string"}, "name": {"type": "string"}}}"#;
        let document = frontend_api::schema::Document {
            name: "schema.json".into(),
            media_type: "application/schema+json".into(),
            text: schema.into(),
        };
        let names = SecretNames::of(&[document]);
        let shown = |bytes: &[u8]| super::body(bytes, &names, false, &mut false);
        assert_eq!(shown(br#"{"key":"tea"}"#), r#"{"key":"tea"}"#);
        assert_eq!(shown(b"key=tea&name=ann"), "key=tea&name=ann");
        assert_eq!(shown(br#"{"s3cret":1,"name":"a"}"#), r#"{"***":"***","name":"a"}"#);
        assert_eq!(shown(br#"{"password":{"s3cret":true}}"#), r#"{"password":{"***":true}}"#);
        assert_eq!(shown(b"s3cret=1&password=x&name=ann"), "***=***&password=***&name=ann");
    }

    #[test]
    fn a_body_of_an_unknown_form_is_masked() {
        let names = SecretNames::default();
        let shown = |bytes: &[u8], is_text| super::body(bytes, &names, is_text, &mut false);
        assert_eq!(shown(b"pwd=s&x=1", false), "pwd=***&x=1");
        assert_eq!(shown(b"s3cret", false), "*** (6 bytes)");
        assert_eq!(shown(b"{\"pwd\":\"s3cret\"", false), "*** (15 bytes)");
        assert_eq!(shown(b"not found", true), "not found");
        assert_eq!(shown(b"", false), "");
    }
}
