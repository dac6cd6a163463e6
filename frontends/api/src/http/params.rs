//! The parameters of a request, from its query string and its body.

use std::fmt;
use std::ops::Deref;

use core_model::Timestamp;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value};

use super::{HttpError, Request};
use crate::Peer;

/// The parameters of a request: the fields of its body and query, the body winning. A field that
/// is `null` is missing.
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

impl<'a> Params<'a> {
    /// Reads the query string and the body. Refused: 400 a body that does not parse or is no
    /// object, 415 a body of another type than JSON or a form.
    pub fn of(peer: &'a Peer, request: &Request) -> Result<Self, HttpError> {
        let mut fields = body_fields(request)?;
        fields.retain(|_, value| !value.is_null());
        for (key, value) in form(request.query.as_bytes()) {
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

fn body_fields(request: &Request) -> Result<Map<String, Value>, HttpError> {
    if request.body.iter().all(u8::is_ascii_whitespace) {
        return Ok(Map::new());
    }
    let content_type = request.header("content-type").unwrap_or("");
    let essence = content_type.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        "application/json" => json(&request.body),
        // `curl -d '{…}'` labels JSON as a form; no form begins so.
        "application/x-www-form-urlencoded" if begins_like_json(&request.body) => {
            json(&request.body).or_else(|_| Ok(form(&request.body)))
        }
        "application/x-www-form-urlencoded" => Ok(form(&request.body)),
        "" => json(&request.body).map_err(|_| unsupported("it has no content type")),
        other => Err(unsupported(&format!("it is {other}"))),
    }
}

fn begins_like_json(body: &[u8]) -> bool {
    body.trim_ascii_start().starts_with(b"{")
}

fn unsupported(but: &str) -> HttpError {
    let wanted = "the body must be application/json or application/x-www-form-urlencoded";
    HttpError::new(415, format!("{wanted}, but {but}"))
}

fn json(body: &[u8]) -> Result<Map<String, Value>, HttpError> {
    match serde_json::from_slice(body) {
        Ok(Value::Object(fields)) => Ok(fields),
        Ok(_) => Err(HttpError::new(400, "the body must be a JSON object")),
        Err(error) => Err(HttpError::new(400, format!("the body is not JSON: {error}"))),
    }
}

/// A key that is repeated becomes a list.
fn form(text: &[u8]) -> Map<String, Value> {
    let mut fields = Map::new();
    for (key, value) in form_urlencoded::parse(text) {
        let value = Value::String(value.into_owned());
        match fields.get_mut(&*key) {
            None => {
                fields.insert(key.into_owned(), value);
            }
            Some(Value::Array(list)) => list.push(value),
            Some(first) => {
                let first = first.take();
                fields.insert(key.into_owned(), Value::Array(vec![first, value]));
            }
        }
    }
    fields
}

/// A whole number, accepted as a number or as a string of digits; written as a number.
#[derive(Clone, Copy, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct Digits(pub u64);

impl<'de> Deserialize<'de> for Digits {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = Digits;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }
            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Digits, E> {
                let digits = text.bytes().all(|byte| byte.is_ascii_digit());
                // Empty text does not parse.
                let number = if digits { text.parse().ok() } else { None };
                number.map(Digits).ok_or_else(|| E::custom("expected a whole number"))
            }
            fn visit_u64<E>(self, number: u64) -> Result<Digits, E> {
                Ok(Digits(number))
            }
            fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<Digits, E> {
                self.visit_str(&number.to_string())
            }
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<Digits, E> {
                self.visit_str(&number.to_string())
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for Digits {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Digits".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "integer",
            "format": "uint64",
            "x-accepts": {
                "type": ["integer", "string"], "minimum": 0, "maximum": u64::MAX,
                "pattern": "^[0-9]{1,20}$",
            },
        })
    }
}

/// A text, accepted as a string or as a number (whose JSON notation it then is).
#[derive(Clone, Debug, Default, Eq, Ord, PartialEq, PartialOrd, Serialize)]
#[serde(transparent)]
pub struct TextOrNumber(pub String);

impl<'de> Deserialize<'de> for TextOrNumber {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl serde::de::Visitor<'_> for Visitor {
            type Value = TextOrNumber;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string or a number")
            }
            fn visit_str<E>(self, text: &str) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber(text.to_owned()))
            }
            fn visit_u64<E>(self, number: u64) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber(number.to_string()))
            }
            fn visit_i64<E>(self, number: i64) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber(number.to_string()))
            }
            fn visit_f64<E>(self, number: f64) -> Result<TextOrNumber, E> {
                Ok(TextOrNumber(number.to_string()))
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

impl JsonSchema for TextOrNumber {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TextOrNumber".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "x-accepts": { "type": "number" } })
    }
}

/// One value or a list of them, accepted as either; a form gives a list of one as one value.
#[derive(Clone, Debug, Default, Eq, PartialEq, Serialize)]
#[serde(transparent)]
pub struct Loose<T>(pub Vec<T>);

impl<'de, T: DeserializeOwned> Deserialize<'de> for Loose<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let values = match Value::deserialize(deserializer)? {
            Value::Array(values) => values,
            value => vec![value],
        };
        let values: Result<Vec<T>, _> = values.into_iter().map(serde_json::from_value).collect();
        values.map(Self).map_err(serde::de::Error::custom)
    }
}

impl<T: JsonSchema> JsonSchema for Loose<T> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        format!("Loose_{}", T::schema_name()).into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = generator.subschema_for::<T>();
        schemars::json_schema!({ "type": "array", "items": one, "x-accepts": one })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
