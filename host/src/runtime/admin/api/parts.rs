//! The parts of a request to the admin API: reading them, and which of them a problem is about.

use core_model::bounds;
use percent_encoding::percent_decode;
use schemars::JsonSchema;
use serde::de::DeserializeOwned;
use serde_json::{Map, Value};

use super::json;
use super::shape::{Fault, Shape};
use crate::admin::{Endpoint, Problem, Row, WrongPart};

/// What every problem with a body begins with.
const WRONG_BODY: &str = "the body is not what it should be";

const WRONG_QUERY: &str = "the query is not what it should be";

/// Of a name that is not known, what a sentence shows.
const SHOWN_CHARS_MAX: usize = 64;

/// Reads a body. An empty one is an object without fields.
pub(in super::super) fn read_json<B: DeserializeOwned + JsonSchema>(
    body: &[u8],
) -> Result<B, Problem> {
    let whole = |why: String| {
        Problem::invalid(format!("{WRONG_BODY}: {why}")).with(WrongPart::field([], why))
    };
    let body = if body.trim_ascii().is_empty() { b"{}" } else { body };
    std::str::from_utf8(body)
        .map_err(|error| whole(format!("it is not UTF-8, from byte {} on", error.valid_up_to())))?;
    let (given, twice) = json::read(body).map_err(|why| {
        whole(format!("it is no JSON, at line {} column {}", why.line(), why.column()))
    })?;
    if let Some(path) = twice {
        let name = path.last().map_or("", |name| bounds::cut(name, SHOWN_CHARS_MAX));
        let why = format!("the field `{name}` is there twice");
        return Err(wrong(WRONG_BODY, &[Fault { path, why }], in_body));
    }
    let faults = Shape::of_body::<B>().faults(&given);
    if !faults.is_empty() {
        return Err(wrong(WRONG_BODY, &faults, in_body));
    }
    serde_path_to_error::deserialize(given).map_err(|why| {
        let path = why.path().iter().map(ToString::to_string).collect();
        let why = "this is no value for it".to_owned();
        wrong(WRONG_BODY, &[Fault { path, why }], in_body)
    })
}

/// Reads a query.
pub(super) fn read_query<Q: DeserializeOwned + JsonSchema>(query: &str) -> Result<Q, Problem> {
    let shape = Shape::of_query::<Q>();
    let mut given = Map::new();
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        let name = decoded(name).unwrap_or_else(|| name.to_owned());
        let fault =
            |why: String| wrong(WRONG_QUERY, &[Fault { path: vec![name.clone()], why }], in_query);
        let shown = bounds::cut(&name, SHOWN_CHARS_MAX);
        let value =
            decoded(value).ok_or_else(|| fault(format!("the parameter `{shown}` is not UTF-8")))?;
        let value = shape.read(&name, value);
        if given.insert(name.clone(), value).is_some() {
            return Err(fault(format!("the parameter `{shown}` is there twice")));
        }
    }
    let given = Value::Object(given);
    let faults = shape.faults(&given);
    if !faults.is_empty() {
        return Err(wrong(WRONG_QUERY, &faults, in_query));
    }
    serde_json::from_value(given)
        .map_err(|_| Problem::invalid(format!("{WRONG_QUERY}: a parameter has no value for it")))
}

/// Reads the parameters of a path, by name.
pub(super) fn read_path(row: &Row, path: &str) -> Result<Vec<(&'static str, String)>, Problem> {
    let parts = row.path.split('/').zip(path.split('/'));
    let mut parameters = Vec::new();
    for (part, given) in parts {
        let name = part.strip_prefix('{').and_then(|part| part.strip_suffix('}'));
        let Some(name) = name else { continue };
        let value = percent_decode(given.as_bytes()).decode_utf8().map_err(|_| {
            let why = format!("the `{name}` in the path is not UTF-8");
            Problem::invalid(why.clone()).with(WrongPart::parameter(name, why))
        })?;
        parameters.push((name, value.into_owned()));
    }
    Ok(parameters)
}

/// A name or a value of a query.
fn decoded(text: &str) -> Option<String> {
    let text = text.replace('+', " ");
    percent_decode(text.as_bytes()).decode_utf8().ok().map(std::borrow::Cow::into_owned)
}

fn in_body(Fault { path, why }: &Fault) -> WrongPart {
    WrongPart::field(path.iter().map(String::as_str), why.as_str())
}

fn in_query(Fault { path, why }: &Fault) -> WrongPart {
    WrongPart::parameter(path.first().map_or("", String::as_str), why.as_str())
}

/// Names each part that is wrong.
fn wrong(words: &str, faults: &[Fault], part: fn(&Fault) -> WrongPart) -> Problem {
    let sentences = faults.iter().map(|Fault { path, why }| {
        let is_named = path.last().is_none_or(|name| why.contains(&format!("`{name}`")));
        if is_named { why.clone() } else { format!("`{}`: {why}", path.join(".")) }
    });
    let sentences: Vec<String> = sentences.collect();
    let problem = Problem::invalid(format!("{words}: {}", sentences.join("; ")));
    Problem { errors: faults.iter().map(part).collect(), ..problem }
}

/// The field or parameter that a failure is about: its sentence begins with the name and a colon.
fn word_before_colon(said: &str) -> Option<&str> {
    let (word, _) = said.split_once(": ")?;
    let is_name = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    (!word.is_empty() && word.bytes().all(is_name)).then_some(word)
}

/// The parameters and the body of a request that could be read.
pub(super) struct Parts {
    path: Vec<&'static str>,
    query: Value,
    body: Value,
    /// What the query may have.
    parameters: Vec<String>,
    /// What the body may have.
    fields: Vec<String>,
}

impl Parts {
    pub(super) fn of<E: Endpoint>(
        path: &[(&'static str, String)],
        query: &E::Query,
        body: &E::Body,
    ) -> Self {
        let value = |part: Result<Value, _>| part.unwrap_or_default();
        Self {
            path: path.iter().map(|(name, _)| *name).collect(),
            query: value(serde_json::to_value(query)),
            body: value(serde_json::to_value(body)),
            parameters: Shape::of_query::<E::Query>().names(),
            fields: Shape::of_body::<E::Body>().names(),
        }
    }

    /// The problem, with the part of the request that it is about.
    pub(super) fn locate(&self, problem: Problem) -> Problem {
        if !problem.errors.is_empty() || !matches!(problem.status, 400 | 404 | 409) {
            return problem;
        }
        let (named, detail) = match word_before_colon(&problem.detail) {
            Some(name) => (Some(name.to_owned()), problem.detail[name.len() + 2..].to_owned()),
            None => (None, problem.detail.clone()),
        };
        let found = named.as_deref().and_then(|name| self.part(name, &detail));
        let mut about = problem.about.iter();
        match found.or_else(|| about.find_map(|name| self.part(name, &problem.detail))) {
            Some(part) => problem.with(part),
            None => problem,
        }
    }

    /// The part of this name, if the request has one.
    fn part(&self, name: &str, detail: &str) -> Option<WrongPart> {
        if name.is_empty() {
            return Some(WrongPart::field([], detail));
        }
        if self.body.get(name).is_some() {
            return Some(WrongPart::field([name], detail));
        }
        if self.path.contains(&name) || self.query.get(name).is_some() {
            return Some(WrongPart::parameter(name, detail));
        }
        let may_have = |names: &[String]| names.iter().any(|one| one == name);
        if may_have(&self.fields) {
            return Some(WrongPart::field([name], detail));
        }
        may_have(&self.parameters).then(|| WrongPart::parameter(name, detail))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::types::{
        CreatedRoom, CreatedUser, DeletionQuery, NewToken, Nothing, PageQuery, RoomOwner,
    };
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
            (
                &br#"{"handle":7,"password":"hunter2"}"#[..],
                "#/handle",
                "expected a string, not a number",
            ),
            (
                br#"{"handle":"ann","password":["hunter2"]}"#,
                "#/password",
                "expected a string or null",
            ),
            (br#"{"password":"hunter2"}"#, "#/handle", "missing field `handle`; expected a string"),
            (br#"{"handle":"ann","pasword":"hunter2"}"#, "#/pasword", "did you mean `password`?"),
            (br#"{"handle":"ann","identities":["a",{"x":"hunter2"}]}"#, "#/identities/1", "string"),
            (
                br#"{"handle":"ann","identities":"hunter2, expected no"}"#,
                "#/identities",
                "an array",
            ),
            (br#"{"handle":"ann","handle":"bob"}"#, "#/handle", "`handle` is there twice"),
            (br#""hunter2""#, "#", "expected an object with named fields, not a string"),
            (br#"["hunter2"]"#, "#", "not an array"),
            (br#"{"handle":"ann""#, "#", "it is no JSON, at line 1 column 15"),
            (b"{\"handle\":\"\xff\"}", "#", "it is not UTF-8, from byte 11 on"),
        ] {
            let problem = of(body);
            assert_eq!(pointer(&problem), Some(field), "{problem:?}");
            assert!(problem.detail.contains(says), "{problem:?}");
            assert!(!format!("{problem:?}").contains("hunter2"), "{problem:?}");
        }
        let owner = read_json::<RoomOwner>(b"").expect_err("nothing says who");
        assert_eq!(pointer(&owner), Some("#/owner"));
        assert_eq!(read_json::<RoomOwner>(br#"{"owner":null}"#).expect("no owner").owner, None);
        let request = br#"{"http":{"method":"GET","target":"/","headers":[["a",7]],"body":""}}"#;
        let within = read_json::<PlaygroundInput>(request).expect_err("a number");
        assert_eq!(pointer(&within), Some("#/http/headers/0/1"));
    }

    #[test]
    fn every_part_that_is_wrong_is_named_with_what_it_may_be() {
        let problem = read_json::<NewToken>(br#"{"role":"admin","ttl_s":-5,"lable":"x"}"#);
        let problem = problem.expect_err("it is wrong");
        let errors: Vec<(&str, &str)> = problem
            .errors
            .iter()
            .map(|part| (part.pointer.as_deref().unwrap_or_default(), part.detail.as_str()))
            .collect();
        assert_eq!(
            errors,
            [
                ("#/lable", "unknown field `lable`; did you mean `label`?"),
                ("#/role", "expected `monitor`, `moderator` or `operator`, not \"admin\""),
                (
                    "#/ttl_s",
                    "expected a whole number from 1 to 18446744073709551615 or null, not -5"
                ),
            ]
        );
    }

    #[test]
    fn a_query_is_refused_like_a_body() {
        let page = read_query::<PageQuery>("limit=7&after=a%20b+c").expect("a page");
        assert_eq!((page.limit, page.after.as_deref()), (Some(7), Some("a b c")));
        for (query, parameter, says) in [
            ("limit=x", "limit", "expected a whole number from 1 to 1000 or null, not \"x\""),
            ("limit=1001", "limit", "not 1001"),
            ("limit=1&limit=1", "limit", "the parameter `limit` is there twice"),
            ("after=%ff", "after", "the parameter `after` is not UTF-8"),
            ("limt=1", "limt", "unknown parameter `limt`; did you mean `limit`?"),
            ("who=bob", "who", "unknown parameter `who`; there are `after` or `limit`"),
        ] {
            let problem = read_query::<PageQuery>(query).expect_err(query);
            assert_eq!(problem.errors[0].parameter.as_deref(), Some(parameter), "{problem:?}");
            assert!(problem.detail.contains(says), "{problem:?}");
        }
        let fate = read_query::<DeletionQuery>("messages=burn").expect_err("no fate");
        assert!(fate.detail.contains("expected `keep`, `anonymize` or `remove`"), "{fate:?}");
    }

    #[test]
    fn a_failure_is_about_the_part_that_it_begins_with() {
        let parts = Parts {
            path: vec!["room"],
            query: serde_json::json!({"limit": 0}),
            body: serde_json::json!({"capacity": 0}),
            parameters: vec!["after".into()],
            fields: vec!["password".into()],
        };
        let located = |detail: &str| parts.locate(Problem::invalid(detail)).errors;
        assert_eq!(located("capacity: is 0"), [WrongPart::field(["capacity"], "is 0")]);
        assert_eq!(located("limit: is 0"), [WrongPart::parameter("limit", "is 0")]);
        assert_eq!(located("the store: is full"), []);
        assert_eq!(located("other: is 0"), []);
        assert_eq!(located("password: is missing"), [WrongPart::field(["password"], "is missing")]);
        assert_eq!(located("after: is missing"), [WrongPart::parameter("after", "is missing")]);
        let about = Problem::new(404, "unknown", "there is none").about(&["user", "room"]);
        assert_eq!(parts.locate(about).errors, [WrongPart::parameter("room", "there is none")]);
    }
}
