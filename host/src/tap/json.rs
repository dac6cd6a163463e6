//! JSON with its secrets masked. Reads every field, also those that a map of JSON would drop because
//! their name comes twice, and keeps their order.

use std::fmt;

use serde::de::{DeserializeSeed, Error, MapAccess, SeqAccess, Visitor};

use super::MASK;
use super::names::{Secrecy, SecretNames};
use super::phrases::{has_secret, has_secret_of, mask_path};

/// JSON in a text of JSON is looked into so often; what is deeper is masked as a whole.
const NESTING_MAX: u8 = 4;

/// The name of an identity that is as good as a password in some dialects, up to its provider.
const OPENID: &str = "openid:";

/// Before the path of a request, in the response to it.
const NO_SUCH_PATH: &str = "no such path: ";

/// A text, and whether something in it is masked.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) struct Masked {
    pub(super) text: String,
    pub(super) masked: bool,
}

/// The text as it is if it has no secrets, or else without white space and with the secrets masked.
/// `None`: it is no object or array of JSON.
pub(super) fn mask_json(text: &str, names: &SecretNames) -> Option<Masked> {
    mask_nested(text, names, false, 0)
}

/// The same for a message of a dialect, in which a field that its schemas do not have is masked.
pub(super) fn mask_frame(text: &str, names: &SecretNames) -> Option<Masked> {
    mask_nested(text, names, true, 0)
}

fn mask_nested(text: &str, names: &SecretNames, is_frame: bool, nesting: u8) -> Option<Masked> {
    if !text.trim_start().starts_with(['{', '[']) {
        return None;
    }
    let mut done = Masked { text: String::with_capacity(text.len()), masked: false };
    let mut reader = serde_json::Deserializer::from_str(text);
    let secrecy = Secrecy::Shown;
    let is_map = false;
    let rewrite =
        Rewrite { done: &mut done, names, is_frame, secrecy, is_map, nesting, comma: false };
    rewrite.deserialize(&mut reader).ok()?;
    reader.end().ok()?;
    if !done.masked {
        text.clone_into(&mut done.text);
    }
    Some(done)
}

/// Copies a value.
struct Rewrite<'a> {
    done: &'a mut Masked,
    names: &'a SecretNames,
    /// Whether the schemas have all of its fields.
    is_frame: bool,
    secrecy: Secrecy,
    /// Whether its fields are named by no schema.
    is_map: bool,
    nesting: u8,
    /// Whether a comma goes before it.
    comma: bool,
}

impl Rewrite<'_> {
    fn within(&mut self, secrecy: Secrecy, comma: bool) -> Rewrite<'_> {
        let Self { done, names, is_frame, nesting, .. } = self;
        let (is_frame, nesting, is_map) = (*is_frame, *nesting, false);
        Rewrite { done, names, is_frame, secrecy, is_map, nesting, comma }
    }

    fn write_text(&mut self, text: &str) {
        let text = serde_json::to_string(text).expect("a text is JSON");
        self.done.text.push_str(&text);
    }

    fn number(mut self, text: &str) {
        if self.secrecy.hides_number(text) {
            self.done.masked = true;
            self.write_text(MASK);
        } else {
            self.done.text.push_str(text);
        }
    }

    fn text(mut self, text: &str) {
        if self.secrecy.hides(text) {
            self.done.masked = true;
            return self.write_text(MASK);
        }
        if let Some(path) = text.strip_prefix(NO_SUCH_PATH) {
            let path = mask_path(path, &mut self.done.masked);
            return self.write_text(&format!("{NO_SUCH_PATH}{path}"));
        }
        if let Some((provider, _)) = text.strip_prefix(OPENID).and_then(|it| it.split_once('/')) {
            self.done.masked = true;
            return self.write_text(&format!("{OPENID}{provider}/{MASK}"));
        }
        let is_json = text.trim_start().starts_with(['{', '[']);
        // What users write to each other is in no schema.
        let nested = (is_json && self.nesting < NESTING_MAX)
            .then(|| mask_nested(text, self.names, false, self.nesting + 1))
            .flatten();
        match nested {
            Some(nested) => {
                self.done.masked |= nested.masked;
                self.write_text(&nested.text);
            }
            None if (is_json && self.nesting >= NESTING_MAX) || has_secret_of(self.names, text) => {
                self.done.masked = true;
                self.write_text(MASK);
            }
            None => self.write_text(text),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Rewrite<'_> {
    type Value = ();

    fn deserialize<D: serde::Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        if self.comma {
            self.done.text.push(',');
        }
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Rewrite<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<(), E> {
        self.done.text.push_str("null");
        Ok(())
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<(), E> {
        self.done.text.push_str(if value { "true" } else { "false" });
        Ok(())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<(), E> {
        self.number(&value.to_string());
        Ok(())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<(), E> {
        self.number(&value.to_string());
        Ok(())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<(), E> {
        self.number(&serde_json::to_string(&value).expect("a number is JSON"));
        Ok(())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<(), E> {
        self.text(value);
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut items: A) -> Result<(), A::Error> {
        self.done.text.push('[');
        let (secrecy, mut comma) = (self.secrecy, false);
        while items.next_element_seed(self.within(secrecy, comma))?.is_some() {
            comma = true;
        }
        self.done.text.push(']');
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut fields: A) -> Result<(), A::Error> {
        self.done.text.push('{');
        let mut comma = false;
        while let Some(name) = fields.next_key::<String>()? {
            if comma {
                self.done.text.push(',');
            }
            let is_in_secret = matches!(self.secrecy, Secrecy::Secret | Secrecy::Identity);
            let is_shown =
                !self.is_frame || self.is_map || self.names.shows_name(&name, is_in_secret);
            if is_shown && !has_secret(&name) {
                self.write_text(&name);
            } else {
                self.done.masked = true;
                self.write_text(MASK);
            }
            self.done.text.push(':');
            let secrecy = match self.secrecy {
                secrecy if is_in_secret => secrecy,
                _ if self.is_frame && !self.is_map => self.names.secrecy_in_frame(&name),
                _ => self.names.secrecy(&name),
            };
            let is_map = self.is_frame && self.names.is_map(&name);
            fields.next_value_seed(Rewrite { is_map, ..self.within(secrecy, false) })?;
            comma = true;
        }
        self.done.text.push('}');
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use frontend_api::schema::Document;

    use super::*;

    fn mask(text: &str) -> Option<String> {
        mask_json(text, &SecretNames::default()).map(|masked| masked.text)
    }

    #[test]
    fn secrets_are_masked_wherever_they_are() {
        for (text, masked) in [
            (r#"{"code":6, "password":"x","n":1}"#, r#"{"code":6,"password":"***","n":1}"#),
            (r#"{"a":[{"Token":12}]}"#, r#"{"a":[{"Token":"***"}]}"#),
            (r#"{"secret":{"a":["x",1,true]}}"#, r#"{"secret":{"a":["***","***",true]}}"#),
            (r#"{"pwd":"s","pwd":""}"#, r#"{"pwd":"***","pwd":""}"#),
            (r#"{"x":{"pwd":"s"},"x":1}"#, r#"{"x":{"pwd":"***"},"x":1}"#),
            (r#"{"data":"{\"pwd\":\"s\"}"}"#, r#"{"data":"{\"pwd\":\"***\"}"}"#),
            (r#"["openid:wechat/o1"]"#, r#"["openid:wechat/***"]"#),
            (r#"{"code":"071x"}"#, r#"{"code":"***"}"#),
            (r#"{"msg":"no such path: /a;b=s"}"#, r#"{"msg":"no such path: /a;***"}"#),
        ] {
            assert_eq!(mask(text).as_deref(), Some(masked), "{text}");
        }
    }

    #[test]
    fn fields_that_no_schema_has_are_masked_but_in_a_map() {
        let schema = r#"{"properties": {"messages": {"additionalProperties": {"type": "array"}}}}"#;
        let document = Document {
            name: "schema.json".into(),
            media_type: "application/schema+json".into(),
            text: schema.into(),
        };
        let names = SecretNames::of(&[document]);
        let text = r#"{"messages":{"ann":["hi",{"x":1}],"token":"t"},"mesages":{"ann":"hi"}}"#;
        let masked =
            r#"{"messages":{"ann":["hi",{"***":"***"}],"token":"***"},"***":{"***":"***"}}"#;
        assert_eq!(mask_frame(text, &names).unwrap().text, masked);
    }

    #[test]
    fn what_has_no_secret_stays_as_it_is_and_what_is_no_json_is_none() {
        let text = "{ \"text\": \"h\\u00e9\", \"n\": 1.50 }";
        assert_eq!(mask(text).as_deref(), Some(text));
        for text in ["", "hello", "{\"a\":1} x", "{\"password\":\"x\"", "7"] {
            assert_eq!(mask(text), None, "{text}");
        }
    }
}
