//! Which fields are secrets: by their names, and by what the schemas of a front end say of them.

use std::collections::BTreeSet;

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
    Secret,
}

impl Secrecy {
    /// Whether this text may not be shown. An empty one is shown as what it is.
    pub(super) fn hides(self, text: &str) -> bool {
        match self {
            Self::Shown => false,
            Self::Secret => !text.is_empty(),
            Self::Code => {
                let is_number = text.bytes().all(|byte| byte.is_ascii_digit());
                !(is_number && text.len() <= NUMBER_DIGITS_MAX)
            }
        }
    }
}

/// The secrets of one front end.
#[derive(Clone, Debug, Default)]
pub(super) struct SecretNames {
    /// Fields that a schema marks, in the form of [`plain`].
    marked: BTreeSet<String>,
}

impl SecretNames {
    /// With the fields that these documents mark: `"format": "password"`, `"writeOnly": true` or
    /// `"x-secret": true`.
    pub(super) fn of(documents: &[Document]) -> Self {
        let mut marked = BTreeSet::new();
        for document in documents {
            if let Ok(document) = serde_json::from_str::<Value>(&document.text) {
                collect(&document, &mut marked);
            }
        }
        Self { marked }
    }

    pub(super) fn secrecy(&self, name: &str) -> Secrecy {
        let plain = plain(name);
        if self.marked.contains(&plain) || WHOLE.contains(&plain.as_str()) {
            return Secrecy::Secret;
        }
        if CODES.contains(&plain.as_str()) {
            return Secrecy::Code;
        }
        let is_secret = PARTS.iter().any(|part| plain.contains(part));
        // `openid_type` is the name of a provider.
        if is_secret && !plain.ends_with("type") { Secrecy::Secret } else { Secrecy::Shown }
    }
}

fn plain(name: &str) -> String {
    name.chars().filter(|char| char.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

fn collect(schema: &Value, marked: &mut BTreeSet<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| collect(item, marked)),
        Value::Object(fields) => {
            if let Some(Value::Object(properties)) = fields.get("properties") {
                let secret = properties.iter().filter(|(_, property)| is_marked(property));
                marked.extend(secret.map(|(name, _)| plain(name)));
            }
            // A parameter of OpenAPI.
            if let (Some(Value::String(name)), Some(schema)) =
                (fields.get("name"), fields.get("schema"))
                && is_marked(schema)
            {
                marked.insert(plain(name));
            }
            fields.values().for_each(|field| collect(field, marked));
        }
        _ => (),
    }
}

fn is_marked(property: &Value) -> bool {
    let flag = |name: &str| property.get(name) == Some(&Value::Bool(true));
    property.get("format").is_some_and(|format| format == "password")
        || flag("writeOnly")
        || flag("x-secret")
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
}
