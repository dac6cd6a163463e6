//! The parameters of a request, from its query string and its body.

use std::borrow::Cow;
use std::ops::Deref;

use core_model::Timestamp;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::{Charset, HttpError, Request};
use crate::Peer;

/// The parameters of a request: the fields of its body and query, the body winning. A field that
/// is `null` is missing.
///
/// ```
/// use frontend_api::Peer;
/// use frontend_api::http::{Digits, Params, Request};
/// use serde::Deserialize;
///
/// #[derive(Deserialize)]
/// struct ListMessages {
///     room_id: Option<Digits>,
///     openid: Option<String>,
/// }
///
/// let request = Request {
///     query: "room_id=7&openid=o1".into(),
///     headers: vec![("content-type".into(), "application/json".into())],
///     body: br#"{"openid":"o2"}"#.to_vec(),
///     ..Request::default()
/// };
/// let request: ListMessages = Params::of(&Peer::default(), &request)?.read().expect("the types fit");
/// assert_eq!(request.room_id, Some(Digits(7)));
/// assert_eq!(request.openid.as_deref(), Some("o2"));
/// # Ok::<(), frontend_api::http::HttpError>(())
/// ```
pub struct Params<'a> {
    pub peer: &'a Peer,
    pub fields: Map<String, Value>,
    /// The time of the request while it is decoded, of the answer while that is encoded.
    pub now: Timestamp,
}

/// A request and its parameters, for [`Endpoint::decode`](super::Endpoint::decode). The request is
/// gone once the answer is encoded; its parameters stay.
pub struct RequestParams<'a> {
    pub request: &'a Request,
    pub params: Params<'a>,
}

impl<'a> Deref for RequestParams<'a> {
    type Target = Params<'a>;

    fn deref(&self) -> &Params<'a> {
        &self.params
    }
}

/// Why a request has no parameters.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum ParamsError {
    /// 400 for a body that does not parse or is no object, 415 for a body of another type than
    /// JSON or a form, or with a content coding.
    Http(HttpError),
    /// A field of the query or of a form is not in the dialect's charset. Such a field is refused
    /// rather than decoded with replacement characters: different texts would become equal.
    NotText { field: String, charset: Charset },
}

impl From<HttpError> for ParamsError {
    fn from(error: HttpError) -> Self {
        Self::Http(error)
    }
}

impl From<ParamsError> for HttpError {
    fn from(error: ParamsError) -> Self {
        match error {
            ParamsError::Http(error) => error,
            ParamsError::NotText { field, charset } => {
                Self::new(400, format!("{field} is not {charset}"))
            }
        }
    }
}

impl<'a> Params<'a> {
    /// Reads the query string and the body, both in UTF-8.
    pub fn of(peer: &'a Peer, request: &Request) -> Result<Self, HttpError> {
        Ok(Self::in_charset(peer, request, Charset::Utf8)?)
    }

    /// Reads the query string and the body. A query, and a form that does not name its charset,
    /// are in the given one; JSON is in UTF-8.
    pub fn in_charset(
        peer: &'a Peer,
        request: &Request,
        charset: Charset,
    ) -> Result<Self, ParamsError> {
        let mut fields = body_fields(request, charset)?;
        fields.retain(|_, value| !value.is_null());
        for (key, value) in form(request.query.as_bytes(), charset)? {
            fields.entry(key).or_insert(value);
        }
        Ok(Self { peer, fields, now: Timestamp::default() })
    }

    /// The same at the given time, instead of 1970.
    #[must_use]
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    /// The fields as a typed request. Every field of `T` must be optional or have a default; the
    /// error says which field is of the wrong type.
    pub fn read<T: DeserializeOwned>(&self) -> Result<T, String> {
        T::deserialize(&self.fields).map_err(|error| {
            // Each field can stand alone, so the one that is wrong is wrong alone.
            let wrong = self.fields.iter().find_map(|(key, value)| {
                let alone = Map::from_iter([(key.clone(), value.clone())]);
                let error = T::deserialize(&alone).err()?;
                Some(format!("{key}: {error}"))
            });
            wrong.unwrap_or_else(|| error.to_string())
        })
    }
}

fn body_fields(request: &Request, charset: Charset) -> Result<Map<String, Value>, ParamsError> {
    let body = request.body.strip_prefix(BOM).unwrap_or(&request.body);
    if body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    refuse_content_coding(request)?;
    let content_type = request.header("content-type").unwrap_or("");
    let (essence, parameters) = content_type.split_once(';').unwrap_or((content_type, ""));
    let named = Charset::in_parameters(parameters);
    let essence = essence.trim();
    if essence.eq_ignore_ascii_case("application/json") {
        return Ok(named_json(body, named, charset)?);
    }
    if essence.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
        let as_form = |_| form(body, named.unwrap_or(charset));
        // `curl -d '{…}'` labels JSON as a form; no form begins like that.
        return match begins_like_json(body) {
            true => named_json(body, named, charset).or_else(as_form),
            false => form(body, named.unwrap_or(charset)),
        };
    }
    if essence.is_empty() {
        return Ok(json(body, Charset::Utf8).map_err(|_| unsupported("it has no content type"))?);
    }
    Err(unsupported(&format!("it is {}", essence.to_ascii_lowercase())).into())
}

/// PowerShell and .NET begin a body with it. RFC 8259 8.1 lets a parser skip it.
const BOM: &[u8] = "\u{feff}".as_bytes();

/// The gateway decompresses nothing. A compressed body would be misread as one without fields.
fn refuse_content_coding(request: &Request) -> Result<(), HttpError> {
    let codings = request.headers_named("content-encoding").flat_map(|value| value.split(','));
    let is_coding = |one: &&str| !one.is_empty() && !one.eq_ignore_ascii_case("identity");
    if let Some(coding) = codings.map(str::trim).find(is_coding) {
        let reason = format!("Content-Encoding {coding} is not supported; send the body as it is");
        return Err(HttpError::new(415, reason).with_header("accept-encoding", "identity"));
    }
    // The HTTP library takes `chunked` off, and leaves what was applied before it.
    let codings = request.headers_named("transfer-encoding").flat_map(|value| value.split(','));
    let is_coding = |one: &&str| !one.is_empty() && !one.eq_ignore_ascii_case("chunked");
    codings.map(str::trim).find(is_coding).map_or(Ok(()), |coding| {
        let reason = format!("Transfer-Encoding {coding} is not supported; send the body as it is");
        Err(HttpError::new(415, reason))
    })
}

fn begins_like_json(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

fn unsupported(but: &str) -> HttpError {
    let wanted = "the body must be application/json or application/x-www-form-urlencoded";
    HttpError::new(415, format!("{wanted}, but {but}"))
}

/// JSON is UTF-8 (RFC 8259, section 8.1). Another charset that the content type names counts where the
/// operator expects it.
fn named_json(
    body: &[u8],
    named: Option<Charset>,
    charset: Charset,
) -> Result<Map<String, Value>, HttpError> {
    match named {
        Some(named) if named == charset => json(body, named),
        Some(named) if named != Charset::Utf8 => Err(HttpError::new(
            415,
            format!("JSON must be UTF-8, but the content type says {named}"),
        )),
        Some(_) | None => json(body, Charset::Utf8),
    }
}

fn json(body: &[u8], charset: Charset) -> Result<Map<String, Value>, HttpError> {
    let parsed = match charset {
        Charset::Utf8 => serde_json::from_slice(body),
        Charset::Gbk => {
            let text = charset.decode(body);
            let text = text.ok_or_else(|| HttpError::new(400, "the body is not GBK"))?;
            serde_json::from_str(&text)
        }
    };
    match parsed {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(HttpError::new(400, "the body must be a JSON object")),
        Err(error) => Err(HttpError::new(400, format!("the body is not JSON: {error}"))),
    }
}

/// The fields of a query or form. A key that is repeated becomes a list.
fn form(text: &[u8], charset: Charset) -> Result<Map<String, Value>, ParamsError> {
    let mut fields = Map::new();
    for pair in text.split(|byte| *byte == b'&').filter(|pair| !pair.is_empty()) {
        let equals = pair.iter().position(|byte| *byte == b'=').unwrap_or(pair.len());
        let key = &pair[..equals];
        let value = pair.get(equals + 1..).unwrap_or_default();
        let not_text = |field: String| ParamsError::NotText { field, charset };
        let key = unescape(key, charset).ok_or_else(|| not_text(key.escape_ascii().to_string()))?;
        let value = unescape(value, charset).ok_or_else(|| not_text(key.clone()))?;
        match fields.get_mut(&key) {
            None => {
                fields.insert(key, Value::String(value));
            }
            Some(Value::Array(list)) => list.push(Value::String(value)),
            Some(first) => {
                let values = vec![first.take(), Value::String(value)];
                fields.insert(key, Value::Array(values));
            }
        }
    }
    Ok(fields)
}

/// A key or value of a form as text. None: it is not in this charset.
fn unescape(escaped: &[u8], charset: Charset) -> Option<String> {
    if !escaped.iter().any(|byte| matches!(byte, b'+' | b'%')) {
        return charset.decode(escaped).map(Cow::into_owned);
    }
    let spaced: Vec<u8> =
        escaped.iter().map(|byte| if *byte == b'+' { b' ' } else { *byte }).collect();
    let bytes: Cow<'_, [u8]> = percent_encoding::percent_decode(&spaced).into();
    charset.decode(&bytes).map(Cow::into_owned)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::Deserialize;

    use crate::http::fields::Digits;

    #[derive(Debug, Deserialize, PartialEq)]
    struct Sample {
        name: Option<String>,
        after: Option<Digits>,
    }

    fn read(query: &str) -> Result<Sample, String> {
        let request = Request { query: query.into(), ..Request::default() };
        Params::of(&Peer::default(), &request).expect("it has no body").read()
    }

    #[test]
    fn a_complaint_names_the_field() {
        let sample = Sample { name: Some("ann".into()), after: Some(Digits(7)) };
        assert_eq!(read("name=ann&after=7"), Ok(sample));
        assert_eq!(read("name=ann&after=soon"), Err("after: expected a whole number".into()));
    }

    #[test]
    fn the_body_wins_over_the_query_and_what_is_null_is_missing() {
        let headers = vec![("content-type".into(), "application/json".into())];
        let body = br#"{"a":1,"b":null,"c":null,"d":"body"}"#.to_vec();
        let query = "a=query&b=query&e=query".into();
        let request = Request { query, headers, body, ..Request::default() };
        let fields = Params::of(&Peer::default(), &request).expect("it is an object").fields;
        let expected = r#"{"a":1,"b":"query","d":"body","e":"query"}"#;
        assert_eq!(Value::Object(fields).to_string(), expected);
    }

    fn post(content_type: &str, body: &[u8]) -> Request {
        let headers = vec![("content-type".into(), content_type.into())];
        Request { headers, body: body.to_vec(), ..Request::default() }
    }

    fn fields(request: &Request, charset: Charset) -> Result<String, HttpError> {
        let peer = Peer::default();
        let params = Params::in_charset(&peer, request, charset)?;
        Ok(Value::Object(params.fields).to_string())
    }

    const FORM: &str = "application/x-www-form-urlencoded";

    #[test]
    fn a_field_that_is_not_utf_8_is_refused_by_name() {
        for query in ["name=ann&word=%C3%DC", "word=%FF", "word=a%ED%A0%80", "word=\u{e9}%E9"] {
            let request = Request { query: query.into(), ..Request::default() };
            let refused = HttpError::new(400, "word is not UTF-8");
            assert_eq!(fields(&request, Charset::Utf8), Err(refused.clone()), "{query}");
            let form = post(FORM, query.as_bytes());
            assert_eq!(fields(&form, Charset::Utf8), Err(refused), "{query}");
        }
        let raw = post(FORM, b"word=\xC3\xDC");
        assert_eq!(fields(&raw, Charset::Utf8).unwrap_err().reason, "word is not UTF-8");
        let key = post(FORM, b"%FF=x");
        assert_eq!(fields(&key, Charset::Utf8).unwrap_err().reason, "%FF is not UTF-8");
        let json = post("application/json", b"{\"word\":\"\xC3\xDC\"}");
        assert_eq!(fields(&json, Charset::Utf8).unwrap_err().status, 400);
        let whole = post(FORM, "word=%E8%8C%B6+%2B&a=\u{8336}".as_bytes());
        assert_eq!(fields(&whole, Charset::Utf8).unwrap(), r#"{"a":"茶","word":"茶 +"}"#);
    }

    #[test]
    fn gbk_is_decoded_where_the_dialect_or_the_form_says_so() {
        let query = Request { query: "word=%C3%DC%C2%EB".into(), ..Request::default() };
        assert_eq!(fields(&query, Charset::Gbk).unwrap(), r#"{"word":"密码"}"#);
        let form = post(FORM, b"word=\xC3\xDC%C2%EB");
        assert_eq!(fields(&form, Charset::Gbk).unwrap(), r#"{"word":"密码"}"#);
        let named = post(&format!("{FORM}; charset=GB2312"), b"word=%C3%DC%C2%EB");
        assert_eq!(fields(&named, Charset::Utf8).unwrap(), r#"{"word":"密码"}"#);
        let utf_8 = post(&format!("{FORM}; charset=\"UTF-8\""), b"word=%E8%8C%B6");
        assert_eq!(fields(&utf_8, Charset::Gbk).unwrap(), r#"{"word":"茶"}"#);
        let json = post("application/json; charset=gbk", b"{\"word\":\"\xC3\xDC\"}");
        assert_eq!(fields(&json, Charset::Gbk).unwrap(), r#"{"word":"密"}"#);
        let refused = HttpError::new(415, "JSON must be UTF-8, but the content type says GBK");
        assert_eq!(fields(&json, Charset::Utf8), Err(refused));
        let json = post("application/json", r#"{"word":"密"}"#.as_bytes());
        assert_eq!(fields(&json, Charset::Gbk).unwrap(), r#"{"word":"密"}"#);
        let refused = post(FORM, b"word=%FF");
        assert_eq!(fields(&refused, Charset::Gbk).unwrap_err().reason, "word is not GBK");
    }

    #[test]
    fn one_byte_order_mark_at_the_start_of_a_body_is_skipped() {
        for content_type in ["application/json", FORM, ""] {
            let request = post(content_type, "\u{feff}{\"name\":\"a\"}".as_bytes());
            assert_eq!(fields(&request, Charset::Utf8).unwrap(), r#"{"name":"a"}"#);
        }
        let twice = post("application/json", "\u{feff}\u{feff}{}".as_bytes());
        assert_eq!(fields(&twice, Charset::Utf8).unwrap_err().status, 400);
        let only = post("text/plain", "\u{feff}".as_bytes());
        assert_eq!(fields(&only, Charset::Utf8).unwrap(), "{}");
    }

    #[test]
    fn a_body_that_was_compressed_for_the_transfer_is_refused() {
        for (coding, is_refused) in [("gzip, chunked", true), ("Chunked", false)] {
            let mut request = post("application/json", br#"{"name":"a"}"#);
            request.headers.push(("Transfer-Encoding".into(), coding.into()));
            let error = fields(&request, Charset::Utf8).err();
            assert_eq!(error.map(|error| error.status), is_refused.then_some(415), "{coding}");
        }
    }

    #[test]
    fn a_content_coding_is_refused_by_name() {
        for (coding, refused) in [
            ("gzip", Some("gzip")),
            ("identity, br", Some("br")),
            ("Identity", None),
            ("identity", None),
            ("", None),
            ("identity,", None),
        ] {
            for content_type in ["application/json", FORM] {
                let mut request = post(content_type, br#"{"name":"a"}"#);
                request.headers.push(("Content-Encoding".into(), coding.into()));
                let error = fields(&request, Charset::Utf8).err();
                assert_eq!(error.is_some(), refused.is_some(), "{coding}");
                if let (Some(error), Some(refused)) = (error, refused) {
                    assert_eq!(error.status, 415);
                    assert!(error.reason.contains(&format!("Content-Encoding {refused} ")));
                    let identity = ("accept-encoding".to_owned(), "identity".to_owned());
                    assert_eq!(error.headers, [identity]);
                }
            }
        }
    }

    #[test]
    fn digits_are_whole_numbers_as_numbers_or_as_texts() {
        let read = |json: &str| serde_json::from_str::<Digits>(json).ok().map(|digits| digits.0);
        for (json, number) in [("7", 7), ("\"7\"", 7), ("\"007\"", 7), ("7.0", 7), ("0", 0)] {
            assert_eq!(read(json), Some(number), "{json}");
        }
        assert_eq!(read("18446744073709551615"), Some(u64::MAX));
        for other in ["-1", "\"-1\"", "\"+1\"", "7.5", "\"\"", "\" 7\"", "true", "[7]", "1e30"] {
            assert_eq!(read(other), None, "{other}");
        }
    }

    #[test]
    fn json_that_is_labelled_a_form_is_json() {
        let fields = |body: &str| {
            let form = "application/x-www-form-urlencoded";
            let headers = vec![("Content-Type".into(), form.into())];
            let body = body.as_bytes().to_vec();
            let request = Request { headers, body, ..Request::default() };
            let fields = Params::of(&Peer::default(), &request).expect("it is a form").fields;
            Value::Object(fields).to_string()
        };
        assert_eq!(fields(r#" {"name":"ann"}"#), r#"{"name":"ann"}"#);
        assert_eq!(fields("name=%7Bann%7D"), r#"{"name":"{ann}"}"#);
        assert_eq!(fields("{name=ann"), r#"{"{name":"ann"}"#);
    }
}
