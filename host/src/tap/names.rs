//! Which fields are secrets: by their names, and by what the schemas of a front end say of them.

use std::collections::{BTreeMap, BTreeSet};

use frontend_api::schema::Document;
use serde_json::Value;

/// Parts of names, in lower case and without `_` and `-`, whose fields are secrets. An openid is one:
/// some dialects take no other proof.
const PARTS: [&str; 13] = [
    "apikey",
    "authorization",
    "bearer",
    "cookie",
    "credential",
    "jwt",
    "openid",
    "pass",
    "proof",
    "pwd",
    "secret",
    "sessionid",
    "token",
];

/// Whole names of fields that are secrets.
const WHOLE: [&str; 7] = ["auth", "key", "otp", "pin", "sessionkey", "sid", "signature"];

/// Further names of secrets that stand for nothing but themselves.
const COMMON: [&str; 6] =
    ["accesstoken", "passwd", "password", "refreshtoken", "userpassword", "useropenid"];

/// What parts the name of a field from those of its own fields, in a query.
const BRACKETS: [char; 4] = ['[', ']', '.', '?'];

/// Names of codes that a client exchanges for an identity. Other dialects have numbers there.
const CODES: [&str; 2] = ["code", "jscode"];

/// The longest number that is no code of an exchange.
const NUMBER_DIGITS_MAX: usize = 5;

/// Whether the value of a field may be shown.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Secrecy {
    Shown,
    /// Unless it is a short number.
    Code,
    /// Unless it is a number, or has fields of its own: another part of the dialect has something
    /// else under this name.
    Text,
    /// Unless it is a handle, as in `@ann`: an identity that proves itself, for which some dialects
    /// show handles.
    Identity,
    Secret,
}

impl Secrecy {
    /// Whether this text may not be shown. An empty one is shown as what it is.
    pub(super) fn hides(self, text: &str) -> bool {
        match self {
            Self::Shown => false,
            Self::Secret | Self::Text => !text.is_empty(),
            Self::Identity => !text.is_empty() && !text.starts_with('@'),
            Self::Code => {
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
                !(is_number && text.len() <= NUMBER_DIGITS_MAX)
            }
        }
    }

    /// Whether this number of JSON may not be shown.
    pub(super) fn hides_number(self, text: &str) -> bool {
        self != Self::Text && self.hides(text)
    }
}

/// The secrets of one front end.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretNames {
    /// Fields that a schema marks, in the form of [`plain`].
    marked: BTreeMap<String, Secrecy>,
    /// All fields that a schema has, in that form. None: there is no schema.
    known: BTreeSet<String>,
    /// Those whose value has a field for each of something, as for each sender, in that form.
    maps: BTreeSet<String>,
}

impl SecretNames {
    /// With the fields that these documents mark: `"format": "password"`, `"writeOnly": true` or
    /// `"x-secret": true`.
    pub(super) fn of(documents: &[Document]) -> Self {
        let mut fields = Fields::default();
        for document in documents {
            if let Ok(document) = serde_json::from_str::<Value>(&document.text) {
                fields.collect(&document);
            }
        }
        let Fields { secrets, identities, unmarked, maps } = fields;
        let marked: BTreeSet<_> = secrets.union(&identities).cloned().collect();
        let known = marked.union(&unmarked).cloned().collect();
        let secrecy = |name: String| {
            let secrecy = match (unmarked.contains(&name), secrets.contains(&name)) {
                (true, _) => Secrecy::Text,
                (false, true) => Secrecy::Secret,
                (false, false) => Secrecy::Identity,
            };
            (name, secrecy)
        };
        let marked = marked.into_iter().map(secrecy).collect();
        Self { marked, known, maps }
    }

    pub(super) fn secrecy(&self, name: &str) -> Secrecy {
        if name.split(BRACKETS).any(is_name_of_secret) {
            return Secrecy::Secret;
        }
        let plain = plain(name);
        if CODES.contains(&plain.as_str()) {
            return Secrecy::Code;
        }
        self.marked.get(&plain).copied().unwrap_or(Secrecy::Shown)
    }

    /// The same for a field of a frame: one that no schema of the front end has is a secret, and one that
    /// a schema has without a mark is none for its name alone, as in the `key` of a search.
    pub(super) fn secrecy_in_frame(&self, name: &str) -> Secrecy {
        let plain = plain(name);
        if self.known.is_empty() {
            return self.secrecy(name);
        }
        match (self.known.contains(&plain), self.marked.get(&plain)) {
            (false, _) => Secrecy::Secret,
            (true, None) if WHOLE.contains(&plain.as_str()) => Secrecy::Shown,
            (true, _) => self.secrecy(name),
        }
    }

    /// Whether the name of a field of a frame is itself shown. A secret may stand where a name belongs.
    /// `is_in_secret`: it is part of a value that is a secret.
    pub(super) fn shows_name(&self, name: &str, is_in_secret: bool) -> bool {
        let plain = plain(name);
        let is_known = self.known.contains(&plain);
        let is_common = || {
            let names = WHOLE.iter().chain(&CODES).chain(&PARTS).chain(&COMMON);
            names.into_iter().any(|common| *common == plain)
        };
        let is_any = self.known.is_empty() && !is_in_secret && !plain.is_empty();
        is_known || is_any || is_common()
    }

    /// Whether the names of fields within this one are no schema's, but those of users, for instance.
    pub(super) fn is_map(&self, name: &str) -> bool {
        self.maps.contains(&plain(name))
    }
}

/// Whether a field of this name is a secret wherever it is.
pub(super) fn is_name_of_secret(name: &str) -> bool {
    let plain = plain(name);
    // `openid_type` is the name of a provider.
    WHOLE.contains(&plain.as_str())
        || (PARTS.iter().any(|part| plain.contains(part)) && !plain.ends_with("type"))
}

fn plain(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// The fields that schemas have.
#[derive(Default)]
struct Fields {
    secrets: BTreeSet<String>,
    identities: BTreeSet<String>,
    unmarked: BTreeSet<String>,
    maps: BTreeSet<String>,
}

impl Fields {
    fn add(&mut self, name: &str, property: &Value) {
        let flag = |name: &str| property.get(name) == Some(&Value::Bool(true));
        let is_password = property.get("format").is_some_and(|format| format == "password");
        let fields = if is_password || flag("writeOnly") {
            &mut self.secrets
        } else if flag("x-secret") {
            &mut self.identities
        } else {
            &mut self.unmarked
        };
        fields.insert(plain(name));
        if property.get("additionalProperties").is_some_and(Value::is_object) {
            self.maps.insert(plain(name));
        }
    }

    fn collect(&mut self, schema: &Value) {
        match schema {
            Value::Array(items) => items.iter().for_each(|item| self.collect(item)),
            Value::Object(fields) => {
                if let Some(Value::Object(properties)) = fields.get("properties") {
                    properties.iter().for_each(|(name, property)| self.add(name, property));
                }
                // A parameter of OpenAPI.
                if let (Some(Value::String(name)), Some(schema)) =
                    (fields.get("name"), fields.get("schema"))
                {
                    self.add(name, schema);
                }
                fields.values().for_each(|field| self.collect(field));
            }
            _ => (),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_found_by_name_and_by_mark() {
        let document = Document {
            name: "schema.json".into(),
            media_type: "application/schema+json".into(),
            text: r#"{"$defs": {"x": {"properties": {
                "pin_code": {"type": "string", "format": "password"}, "name": {"type": "string"}}}}}"#
                .into(),
        };
        let names = SecretNames::of(&[document]);
        for secret in
            ["user_password", "Password", "X-API-Key", "token", "open_id", "pinCode", "key", "pwd"]
        {
            assert_eq!(names.secrecy(secret), Secrecy::Secret, "{secret}");
        }
        for shown in ["name", "user_tel", "openid_type", "text", "client_id", "keyboard"] {
            assert_eq!(names.secrecy(shown), Secrecy::Shown, "{shown}");
        }
        assert!(!names.secrecy("code").hides("7") && names.secrecy("code").hides("071abc"));
    }

    #[test]
    fn a_field_that_is_marked_in_one_place_and_not_in_another_hides_texts_only() {
        let document = Document {
            name: "schema.json".into(),
            media_type: "application/schema+json".into(),
            text: r#"{"$defs": {
                "user": {"properties": {"id": {"type": "string", "x-secret": true}}},
                "room": {"properties": {"id": {"type": "integer"}, "owner_id": {"x-secret": true}}}
            }}"#
            .into(),
        };
        let names = SecretNames::of(&[document]);
        assert_eq!(names.secrecy("id"), Secrecy::Text);
        assert!(names.secrecy("id").hides("o-ann") && !names.secrecy("id").hides_number("7"));
        assert_eq!(names.secrecy("owner_id"), Secrecy::Identity);
        assert!(
            names.secrecy("owner_id").hides("o-ann") && !names.secrecy("owner_id").hides("@ann")
        );
        assert_eq!(names.secrecy_in_frame("other"), Secrecy::Secret);
        assert_eq!(SecretNames::default().secrecy_in_frame("other"), Secrecy::Shown);
    }
}
