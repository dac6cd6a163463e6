//! Types of fields that clients write in several ways.

use std::fmt;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

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

/// A string, or a number: whole and of at most 64 bits as written, else as Rust prints its `f64`. A
/// number that an `f64` may not keep apart from others is refused: see [`keeps_digits`].
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
            fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<TextOrNumber, E> {
                match keeps_digits(number) {
                    true => Ok(TextOrNumber(number.to_string())),
                    false => Err(E::custom("expected a number of at most 15 digits, or a string")),
                }
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}

/// Whether a number was written with so few digits that no other one has the same `f64`: 15 at most,
/// the digits that every `f64` keeps. As a password or a name it would be another's otherwise.
pub fn keeps_digits(number: f64) -> bool {
    const DIGITS: usize = 15;
    let text = number.to_string();
    let digits: Vec<u8> = text.bytes().filter(u8::is_ascii_digit).collect();
    let leading_zeros = digits.iter().take_while(|digit| **digit == b'0').count();
    digits.len() - leading_zeros <= DIGITS && text.len() <= DIGITS + "-0.".len()
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
