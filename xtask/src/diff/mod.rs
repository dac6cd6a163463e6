//! Whether clients that were made from one set of schemas get on with another.
//!
//! A client sends what the former say, and understands what the former say. So what is sent to
//! the gateway may become more, and what the gateway sends may become less; the other way round is
//! a break. AsyncAPI has nothing that is not in the schemas beside it, and is not compared.
//! The fidelity contract breaks where a field passes less well than before.

mod bundle;
mod fidelity;
mod frames;
mod operations;
mod schema;
#[cfg(test)]
mod tests;

use serde_json::Value;

use crate::Files;

/// Something that a client made from the former does not get on with.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Break {
    /// The definition, operation or type.
    pub(crate) name: String,
    /// Where in it: `/name`.
    pub(crate) place: String,
    pub(crate) what: String,
}

impl Break {
    fn new(name: &str, place: &str, what: impl Into<String>) -> Self {
        Self { name: name.into(), place: place.into(), what: what.into() }
    }
}

/// Each file of the former, and what of it breaks.
pub(crate) fn all(former: &Files, here: &Files) -> Result<Vec<(String, Vec<Break>)>, String> {
    let compare = |(path, text): (&String, &String)| {
        let name = path.rsplit('/').next().unwrap_or(path);
        let Some(now) = here.get(path) else {
            return Ok((path.clone(), vec![Break::new(name, "", "the document is gone")]));
        };
        let parse = |text: &str| {
            serde_json::from_str::<Value>(text).map_err(|error| format!("schemas/{path}: {error}"))
        };
        Ok((path.clone(), one(path, &parse(text)?, &parse(now)?)))
    };
    former.iter().map(compare).collect()
}

fn one(path: &str, former: &Value, now: &Value) -> Vec<Break> {
    match path.rsplit('/').next().unwrap_or(path) {
        "openapi.json" => operations::compare(former, now),
        "asyncapi.json" => Vec::new(),
        _ if path == "fidelity.json" => fidelity::compare(former, now),
        name if name.ends_with(".ksy") => frames::compare(former, now),
        _ => bundle::compare(path, former, now),
    }
}
