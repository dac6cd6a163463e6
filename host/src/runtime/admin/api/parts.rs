//! The parts of a request to the admin API, and which of them a problem is about.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use serde_path_to_error::{Path, Segment};

use crate::admin::{Problem, WrongPart};

/// What every problem with a body begins with.
const WRONG_BODY: &str = "the body is not what it should be";

/// Reads a body. An empty one is an object without fields.
pub(in super::super) fn read_json<B: DeserializeOwned + Serialize>(
    body: &[u8],
) -> Result<B, Problem> {
    let body = if body.is_empty() { b"{}" } else { body };
    let given: Value = serde_json::from_slice(body).map_err(|why| no_json(&why))?;
    let mut json = serde_json::Deserializer::from_slice(body);
    let read: B = serde_path_to_error::deserialize(&mut json)
        .map_err(|why| wrong_body(why.path(), &why.inner().to_string()))?;
    if names_its_fields(&given, &serde_json::to_value(&read).unwrap_or_default()) {
        return Ok(read);
    }
    let detail = "the body has an array where an object with named fields is expected";
    Err(Problem::invalid(detail))
}

/// Whether each object of what was read is one where it was given: serde takes the items of an array
/// for the fields in their order, which no document of the API says.
fn names_its_fields(given: &Value, read: &Value) -> bool {
    match (given, read) {
        (Value::Array(_), Value::Object(_)) => false,
        (Value::Object(given), Value::Object(read)) => read
            .iter()
            .all(|(name, read)| given.get(name).is_none_or(|given| names_its_fields(given, read))),
        (Value::Array(given), Value::Array(read)) => {
            given.iter().zip(read).all(|(given, read)| names_its_fields(given, read))
        }
        _ => true,
    }
}

fn no_json(why: &serde_json::Error) -> Problem {
    let (line, column) = (why.line(), why.column());
    Problem::invalid(format!("{WRONG_BODY}: no JSON, at line {line} column {column}"))
}

/// Names the field that is wrong. What the parser says may quote a password, unless it names a field
/// or what it expects.
fn wrong_body(path: &Path, said: &str) -> Problem {
    let mut fields: Vec<String> = path.iter().filter_map(step).collect();
    let said = said.split(" at line ").next().unwrap_or_default();
    let why = match (named(said, "missing field"), named(said, "unknown field")) {
        (Some(field), _) | (_, Some(field)) => {
            if fields.last().map(String::as_str) != Some(field) {
                fields.push(field.to_owned());
            }
            said.to_owned()
        }
        _ => match said.rsplit_once(", expected ") {
            Some((_, expected)) => format!("expected {expected}"),
            None => "this is no value for it".to_owned(),
        },
    };
    let field = fields.join(".");
    let detail = match field.as_str() {
        "" => format!("{WRONG_BODY}: {why}"),
        field if why.contains(&format!("`{field}`")) => format!("{WRONG_BODY}: {why}"),
        field => format!("{WRONG_BODY}: `{field}`: {why}"),
    };
    Problem::invalid(detail).with(WrongPart::field(fields.iter().map(String::as_str), why))
}

fn step(segment: &Segment) -> Option<String> {
    match segment {
        Segment::Seq { index } => Some(index.to_string()),
        Segment::Map { key } => Some(key.clone()),
        // What a variant is called is no part of the document.
        Segment::Enum { .. } | Segment::Unknown => None,
    }
}

/// The field between backticks behind these words.
fn named<'a>(said: &'a str, words: &str) -> Option<&'a str> {
    let rest = said.split_once(words)?.1.trim_start().strip_prefix('`')?;
    Some(rest.split_once('`')?.0)
}

/// Names the parameter that is wrong.
pub(super) fn wrong_query(said: &str) -> Problem {
    let problem = Problem::invalid(format!("the query: {said}"));
    let said = said.strip_prefix("Failed to deserialize query string: ").unwrap_or(said);
    let named = named(said, "missing field").or_else(|| named(said, "unknown field"));
    match named.or_else(|| word_before_colon(said)) {
        Some(name) => problem.with(WrongPart::parameter(name, said)),
        None => problem,
    }
}

/// The field or parameter that a failure is about: its sentence begins with the name and a colon.
fn word_before_colon(said: &str) -> Option<&str> {
    let (word, _) = said.split_once(": ")?;
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte == b'_';
    (!word.is_empty() && word.bytes().all(is_name)).then_some(word)
}

/// The parameters and the body of a request that could be read.
pub(super) struct Parts {
    query: Value,
    body: Value,
}

impl Parts {
    pub(super) fn of(query: &impl Serialize, body: &impl Serialize) -> Self {
        let value = |part: Result<Value, _>| part.unwrap_or_default();
        Self { query: value(serde_json::to_value(query)), body: value(serde_json::to_value(body)) }
    }

    /// The problem, with the part of the request that it is about.
    pub(super) fn locate(&self, problem: Problem) -> Problem {
        let Some(name) = word_before_colon(&problem.detail).map(str::to_owned) else {
            return problem;
        };
        if problem.status != 400 || !problem.errors.is_empty() {
            return problem;
        }
        let detail = problem.detail[name.len() + ": ".len()..].to_owned();
        if self.body.get(&name).is_some() {
            return problem.with(WrongPart::field([name.as_str()], detail));
        }
        if self.query.get(&name).is_some() {
            return problem.with(WrongPart::parameter(&name, detail));
        }
        problem
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::types::{CreatedRoom, CreatedUser, Nothing, RoomOwner};
    use crate::admin::{PlaygroundInput, PlaygroundRequest};

    #[test]
    fn a_body_names_its_fields_at_every_depth() {
        assert!(read_json::<Nothing>(b"").is_ok());
        assert!(read_json::<CreatedRoom>(br#"{"name":"tea"}"#).is_ok());
        let http = br#"{"http":{"method":"GET","target":"/","headers":[["a","b"]],"body":""}}"#;
        assert!(read_json::<PlaygroundInput>(http).is_ok());
        assert!(read_json::<Nothing>(b" []").is_err());
        let array = br#"["tea","","",null,null]"#;
        assert!(serde_json::from_slice::<CreatedRoom>(array).is_ok(), "what serde takes");
        assert!(read_json::<CreatedRoom>(array).is_err());
        let request = br#"["GET","/",[],""]"#;
        assert!(serde_json::from_slice::<PlaygroundRequest>(request).is_ok(), "what serde takes");
        let within = [br#"{"http":"#.as_slice(), request, b"}"].concat();
        assert!(read_json::<PlaygroundInput>(&within).is_err());
    }

    fn pointer(problem: &Problem) -> Option<&str> {
        problem.errors.first()?.pointer.as_deref()
    }

    #[test]
    fn a_problem_names_the_field_and_never_shows_what_it_has() {
        let of = |body: &[u8]| read_json::<CreatedUser>(body).expect_err("it is wrong");
        for (body, field, says) in [
            (&br#"{"handle":7,"password":"hunter2"}"#[..], "#/handle", "expected a string"),
            (br#"{"handle":"ann","password":["hunter2"]}"#, "#/password", "expected a string"),
            (br#"{"password":"hunter2"}"#, "#/handle", "missing field `handle`"),
            (br#"{"handle":"ann","pass":"hunter2"}"#, "#/pass", "unknown field `pass`"),
            (br#"{"handle":"ann","identities":["a",{"x":"hunter2"}]}"#, "#/identities/1", "string"),
            (
                br#"{"handle":"ann","identities":"hunter2, expected no"}"#,
                "#/identities",
                "sequence",
            ),
        ] {
            let problem = of(body);
            assert_eq!(pointer(&problem), Some(field), "{problem:?}");
            assert!(problem.detail.contains(says), "{problem:?}");
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
        let none = of(br#"{"handle":"ann""#);
        assert_eq!(
            (pointer(&none), none.detail.contains("line 1 column 15")),
            (None, true),
            "{none:?}"
        );
        let owner = read_json::<RoomOwner>(b"").expect_err("nothing says who");
        assert_eq!(pointer(&owner), Some("#/owner"));
        assert_eq!(read_json::<RoomOwner>(br#"{"owner":null}"#).expect("no owner").owner, None);
        let request = br#"{"http":{"method":"GET","target":"/","headers":[["a",7]],"body":""}}"#;
        let within = read_json::<PlaygroundInput>(request).expect_err("a number");
        assert_eq!(pointer(&within), Some("#/http/headers/0/1"));
    }

    #[test]
    fn a_failure_is_about_the_part_that_it_begins_with() {
        let parts = Parts {
            query: serde_json::json!({"limit": 0}),
            body: serde_json::json!({"capacity": 0}),
        };
        let located = |detail: &str| parts.locate(Problem::invalid(detail)).errors;
        assert_eq!(located("capacity: is 0"), [WrongPart::field(["capacity"], "is 0")]);
        assert_eq!(located("limit: is 0"), [WrongPart::parameter("limit", "is 0")]);
        assert_eq!(located("the store: is full"), []);
        assert_eq!(located("other: is 0"), []);
        let unknown = wrong_query("Failed to deserialize query string: unknown field `who`");
        assert_eq!(unknown.errors[0].parameter.as_deref(), Some("who"));
        let wrong = wrong_query("Failed to deserialize query string: limit: invalid digit");
        assert_eq!(wrong.errors[0].parameter.as_deref(), Some("limit"));
    }
}
