//! Reads JSON in which each object names a field once: readers that take the first of two, and readers
//! that take the last, would take it for different requests.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// A value, and the path of a field that is named twice, if one is.
pub(super) fn read(text: &[u8]) -> Result<(Value, Option<Vec<String>>), serde_json::Error> {
    let mut found = Found { path: Vec::new(), twice: None };
    let mut json = serde_json::Deserializer::from_slice(text);
    let value = Part(&mut found).deserialize(&mut json)?;
    json.end()?;
    Ok((value, found.twice))
}

struct Found {
    path: Vec<String>,
    twice: Option<Vec<String>>,
}

struct Part<'a>(&'a mut Found);

impl Part<'_> {
    fn within(&mut self, step: String) -> Part<'_> {
        self.0.path.push(step);
        Part(self.0)
    }
}

impl<'de> DeserializeSeed<'de> for Part<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, json: D) -> Result<Value, D::Error> {
        json.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<Value, A::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(self.within(read.len().to_string()))? {
            self.0.path.pop();
            read.push(item);
        }
        self.0.path.pop();
        Ok(read.into())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<Value, A::Error> {
        let mut read = Map::new();
        while let Some(name) = fields.next_key::<String>()? {
            let value = fields.next_value_seed(self.within(name.clone()))?;
            if read.insert(name, value).is_some() {
                self.0.twice.get_or_insert_with(|| self.0.path.clone());
            }
            self.0.path.pop();
        }
        Ok(read.into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_field_that_is_named_twice_is_found_at_any_depth() {
        let twice = |text: &str| read(text.as_bytes()).expect(text).1;
        assert_eq!(twice(r#"{"a":[{"b":1},{"b":1,"c":{"d":1}}],"b":"a"}"#), None);
        assert_eq!(twice(r#"{"a":1,"a":2}"#), Some(vec!["a".into()]));
        let within = r#"{"x":[],"a":[7,[true,{"b":null,"c":1.5,"b":-1}]],"z":1}"#;
        assert_eq!(twice(within), Some(["a", "1", "1", "b"].map(Into::into).to_vec()));
        let (value, _) = read(within.as_bytes()).expect("JSON");
        assert_eq!(value["a"][1][1]["b"], -1);
        for text in ["", "{", "{} {}", "nul", "[1,]"] {
            assert!(read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
