//! Checks the messages of a script against the front end's schemas.

use std::collections::BTreeMap;
use std::path::Path;

use core_model::{Refusal, Reply, Timestamp};
use frontend_api::http::{Params, Request, Response};
use frontend_api::{Frontend, Input, Outbox, Output, Peer};
use jsonschema::Validator;
use serde_json::{Map, Value, json};

use crate::play::{Seen, perform};

/// The maximum number of examples per definition.
const EXAMPLES_MAX: usize = 2;

/// Checked scripts, and the examples for the schemas that they contain.
///
/// Everything that the front end sends must validate against the replies of its endpoint, or
/// against the messages of the server, without fields that the schema lacks. A request must
/// validate if and only if the front end accepts its form.
pub struct Described {
    /// Texts in answers that the front end gives without the engine to well-formed requests.
    well_formed: &'static [&'static str],
    /// Texts in answers that it gives before it checks the form.
    unread: &'static [&'static str],
    examples: BTreeMap<String, Vec<String>>,
}

impl Described {
    pub fn new(well_formed: &'static [&'static str]) -> Self {
        Self { well_formed, unread: &[], examples: BTreeMap::new() }
    }

    #[must_use]
    pub fn unread(self, unread: &'static [&'static str]) -> Self {
        Self { unread, ..self }
    }

    /// Plays a script for a peer on loopback and checks every message in it.
    pub fn play(&mut self, frontend: &dyn Frontend, script: &str) {
        let peer = Peer { address: "127.0.0.1".into(), private_listener: true, ..Peer::default() };
        self.play_as(frontend, &peer, script);
    }

    /// Like [`Self::play`], with a given peer.
    pub fn play_as(&mut self, frontend: &dyn Frontend, peer: &Peer, script: &str) {
        let mut schemas = Schemas::of(frontend);
        for seen in perform(frontend, peer, script).seen {
            match seen {
                Seen::Request(peer, request) => {
                    self.request(&mut schemas, frontend, &peer, &request);
                }
                Seen::Response(request, response) => {
                    self.response(&mut schemas, &request, &response);
                }
                Seen::Heard(peer, text) => self.heard(&mut schemas, frontend, &peer, &text),
                Seen::Said(text) => self.said(&mut schemas, &text),
            }
        }
    }

    /// Checks an object that is nested in a message.
    pub fn object(&mut self, frontend: &dyn Frontend, name: &str, text: &str) {
        let value: Value = serde_json::from_str(text).expect("the object is JSON");
        if let Err(error) = Schemas::of(frontend).accepted(name).validate(&value) {
            panic!("{name} does not describe {text}: {error}");
        }
        if Schemas::of(frontend).documented(name).is_valid(&value) {
            self.keep(name, text.to_owned());
        }
    }

    /// Checks that a file has the examples of the played scripts; otherwise rewrites the file and
    /// fails.
    pub fn assert_examples_are_current(&self, path: impl AsRef<Path>) {
        let lists = self.examples.iter().map(|(name, examples)| {
            format!("  {}: [\n    {}\n  ]", Value::from(name.as_str()), examples.join(",\n    "))
        });
        let text = format!("{{\n{}\n}}\n", lists.collect::<Vec<_>>().join(",\n"));
        let path = path.as_ref();
        if std::fs::read_to_string(path).unwrap_or_default() != text {
            std::fs::write(path, text).expect("the examples can be written");
            panic!("{} was stale; it is rewritten, run the test again", path.display());
        }
    }

    fn request(
        &mut self,
        schemas: &mut Schemas,
        frontend: &dyn Frontend,
        peer: &Peer,
        request: &Request,
    ) {
        let name = schemas.operation(&request.path).map(|name| format!("{name}Request"));
        let Some(name) = name.filter(|name| schemas.has(name)) else { return };
        let Ok(Params { fields, .. }) = Params::of(peer, request) else { return };
        let refused = match reaction_of(frontend, peer, request) {
            Reaction::Understood => None,
            // HTTP errors do not depend on the fields.
            Reaction::Answered(response) if response.status != 200 => return,
            Reaction::Answered(response) => {
                Some(String::from_utf8_lossy(&response.body).into_owned())
            }
        };
        let fields = Value::Object(fields);
        let is_right = self.check_sent(schemas, &name, &fields, refused);
        let fields = schemas.as_documented(&name, fields);
        if is_right && schemas.documented(&name).is_valid(&fields) {
            self.keep(&name, fields.to_string());
        }
    }

    fn response(&mut self, schemas: &mut Schemas, request: &Request, response: &Response) {
        if response.body.is_empty() {
            return;
        }
        let body: Value = serde_json::from_slice(&response.body).expect("replies are JSON");
        let reply = schemas.operation(&request.path).map(|name| format!("{name}Reply"));
        let fault = schemas.fault();
        let names = match response.status {
            200 => vec![reply.unwrap_or_else(|| panic!("no schema has {}", request.path))],
            _ => reply.into_iter().chain([fault]).collect(),
        };
        let shown: Vec<String> = names.iter().flat_map(|name| schemas.alternatives(name)).collect();
        // The endpoint's reply with an HTTP error status is not a useful example.
        let shown = match response.status {
            200 => shown,
            _ => shown.into_iter().filter(|name| !schemas.is_reply(name)).collect(),
        };
        self.check_said(schemas, &names, &shown, &body, &response.body);
    }

    fn heard(&mut self, schemas: &mut Schemas, frontend: &dyn Frontend, peer: &Peer, text: &str) {
        let refused = refusal(frontend, peer, text);
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        if self.check_sent(schemas, "FromClient", &without_null(value.clone()), refused) {
            for name in schemas.alternatives("FromClient") {
                if schemas.documented(&name).is_valid(&value) {
                    self.keep(&name, text.trim().to_owned());
                }
            }
        }
    }

    fn said(&mut self, schemas: &mut Schemas, text: &str) {
        let value: Value = serde_json::from_str(text).expect("messages are JSON");
        let alternatives = schemas.alternatives("FromServer");
        self.check_said(schemas, &["FromServer".into()], &alternatives, &value, text.as_bytes());
    }

    /// Whether the form is valid; panics if schema and front end disagree.
    fn check_sent(
        &self,
        schemas: &mut Schemas,
        name: &str,
        value: &Value,
        refused: Option<String>,
    ) -> bool {
        let is_unread = |answer: &String| self.unread.iter().any(|mark| answer.contains(mark));
        if refused.as_ref().is_some_and(is_unread) {
            return false;
        }
        let is_form = |answer: &String| !self.well_formed.iter().any(|mark| answer.contains(mark));
        match (refused.filter(is_form), schemas.accepted(name).validate(value)) {
            (None, Ok(())) => true,
            (Some(_), Err(_)) => false,
            (None, Err(error)) => panic!("{name} does not describe {value}: {error}"),
            (Some(answer), Ok(())) => {
                panic!("the schema {name} accepts {value}, but the front end answers {answer}");
            }
        }
    }

    fn check_said(
        &mut self,
        schemas: &mut Schemas,
        names: &[String],
        alternatives: &[String],
        value: &Value,
        text: &[u8],
    ) {
        let described = names.iter().find(|name| schemas.closed(name).is_valid(value));
        if described.is_none() {
            let why = names.iter().map(|name| {
                let errors = schemas.closed(name).iter_errors(value).map(|e| e.to_string());
                format!("{name}: {}", errors.collect::<Vec<_>>().join("; "))
            });
            panic!("no schema describes {value}: {}", why.collect::<Vec<_>>().join("\n"));
        }
        let which = alternatives.iter().find(|name| schemas.closed(name).is_valid(value));
        if let Some(name) = which {
            self.keep(name, String::from_utf8_lossy(text).into_owned());
        }
    }

    fn keep(&mut self, name: &str, example: String) {
        let examples = self.examples.entry(name.to_owned()).or_default();
        if examples.len() < EXAMPLES_MAX && !examples.contains(&example) {
            examples.push(example);
        }
    }
}

/// Tells whether a value validates against a definition of the front end's schemas, including its
/// `x-accepts`.
pub fn acceptor(frontend: &dyn Frontend, definition: &str) -> impl Fn(&Value) -> bool + use<> {
    let mut schemas = Schemas::of(frontend);
    schemas.accepted(definition);
    let (_, validator) = schemas.validators.pop_first().expect("it was made just now");
    move |value| validator.is_valid(value)
}

/// The reaction of a front end to a request, without an engine.
enum Reaction {
    /// It asks the engine.
    Understood,
    /// It answers without the engine, or holds an answer until the engine has replied.
    Answered(Response),
}

fn reaction_of(frontend: &dyn Frontend, peer: &Peer, request: &Request) -> Reaction {
    let outputs = |answer: Option<core_model::Outcome>| {
        let mut session = frontend.open(peer);
        let mut out = Outbox::default();
        session.handle(Timestamp(0), Input::Opened, &mut out);
        session.handle(Timestamp(0), Input::Request(request), &mut out);
        if let Some(answer) = &answer {
            out.drain().for_each(drop);
            session.handle(Timestamp(0), Input::Answer(answer), &mut out);
        }
        out.drain().collect::<Vec<_>>()
    };
    match outputs(None).pop() {
        Some(Output::Respond(response)) => Reaction::Answered(response),
        Some(Output::Query { .. }) => {
            // A wrong answer and a failure are both the gateway's fault, unless the reply was
            // already decided.
            let failed = Err(Refusal::Internal { why: String::new() });
            match (outputs(Some(Ok(Reply::Done))).pop(), outputs(Some(failed)).pop()) {
                (Some(Output::Respond(settled)), Some(Output::Respond(failed)))
                    if settled != failed =>
                {
                    Reaction::Answered(settled)
                }
                _ => Reaction::Understood,
            }
        }
        _ => Reaction::Understood,
    }
}

/// The immediate reply of a new session to a message, if it does not ask the engine.
fn refusal(frontend: &dyn Frontend, peer: &Peer, text: &str) -> Option<String> {
    let mut session = frontend.open(peer);
    let mut out = Outbox::default();
    session.handle(Timestamp(0), Input::Opened, &mut out);
    session.handle(Timestamp(0), Input::Text(text), &mut out);
    let said = out.drain().filter_map(|output| match output {
        Output::SendText(text) => Some(text),
        _ => None,
    });
    said.last()
}

/// The compiled schemas of a front end.
struct Schemas {
    bundle: Value,
    openapi: Value,
    validators: BTreeMap<(&'static str, String), Validator>,
}

impl Schemas {
    fn of(frontend: &dyn Frontend) -> Self {
        let documents = frontend.schemas();
        let named = |name: &str| {
            let found = documents.iter().find(|document| document.name == name);
            found.map(|document| serde_json::from_str(&document.text).expect("it is JSON"))
        };
        Self {
            bundle: named("schema.json").expect("every dialect has one"),
            openapi: named("openapi.json").unwrap_or_default(),
            validators: BTreeMap::new(),
        }
    }

    fn has(&self, name: &str) -> bool {
        self.bundle["$defs"].get(name).is_some()
    }

    /// `SendMessage` for the path of the operation `send_message`.
    fn operation(&self, path: &str) -> Option<String> {
        let methods = self.openapi["paths"].get(path)?.as_object()?;
        let operation = methods.get("post").or_else(|| methods.get("get"))?;
        let id = operation["operationId"].as_str()?;
        let capital = |word: &str| word[..1].to_ascii_uppercase() + &word[1..];
        Some(id.split('_').map(capital).collect())
    }

    /// Whether an endpoint has this reply.
    fn is_reply(&self, name: &str) -> bool {
        let target = json!({ "$ref": format!("#/$defs/{name}") });
        let defs = self.bundle["$defs"].as_object().into_iter().flatten();
        let mut replies = defs.filter(|(name, _)| name.ends_with("Reply"));
        replies.any(|(_, reply)| {
            *reply == target || reply["oneOf"].as_array().is_some_and(|one| one.contains(&target))
        })
    }

    /// The definition of the body of every HTTP error.
    fn fault(&self) -> String {
        let response = &self.openapi["components"]["responses"]["BadRequest"];
        let schema = &response["content"]["application/json"]["schema"]["$ref"];
        let name = schema.as_str().and_then(|target| target.rsplit('/').next());
        name.expect("every HTTP dialect has one").to_owned()
    }

    /// The alternatives of a definition, or the definition itself.
    fn alternatives(&self, name: &str) -> Vec<String> {
        let schema = &self.bundle["$defs"][name];
        let target =
            |schema: &Value| schema["$ref"].as_str()?.rsplit('/').next().map(str::to_owned);
        match schema["oneOf"].as_array() {
            Some(choices) => choices.iter().filter_map(target).collect(),
            None => vec![target(schema).unwrap_or_else(|| name.to_owned())],
        }
    }

    /// The definition as it is exported.
    fn documented(&mut self, name: &str) -> &Validator {
        self.validator("documented", name, |_| ())
    }

    /// The definition extended by `x-accepts`.
    fn accepted(&mut self, name: &str) -> &Validator {
        self.validator("accepted", name, accept)
    }

    /// The definition without undescribed fields.
    fn closed(&mut self, name: &str) -> &Validator {
        self.validator("closed", name, |schema| {
            accept(schema);
            close(schema);
        })
    }

    fn validator(
        &mut self,
        how: &'static str,
        name: &str,
        change: impl Fn(&mut Value),
    ) -> &Validator {
        let bundle = &self.bundle;
        self.validators.entry((how, name.to_owned())).or_insert_with(|| {
            let mut defs = bundle["$defs"].clone();
            defs.as_object_mut().expect("definitions").values_mut().for_each(change);
            let schema = json!({
                "$schema": bundle["$schema"], "$ref": format!("#/$defs/{name}"), "$defs": defs,
            });
            jsonschema::validator_for(&schema).unwrap_or_else(|error| panic!("{name}: {error}"))
        })
    }

    /// The fields of a query or form, which are all strings, converted to the schema's types.
    fn as_documented(&self, name: &str, fields: Value) -> Value {
        let Value::Object(fields) = fields else { return fields };
        let properties = &self.bundle["$defs"][name]["properties"];
        let typed = |(key, value): (String, Value)| {
            properties.get(&key)?;
            let number = value.as_str().and_then(|text| text.parse::<u64>().ok());
            let value = match (properties[&key]["type"].as_str(), number) {
                (Some("integer"), Some(number)) => number.into(),
                _ => value,
            };
            Some((key, value))
        };
        Value::Object(fields.into_iter().filter_map(typed).collect::<Map<_, _>>())
    }
}

/// Removes null fields: every dialect treats them as missing.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            let fields = fields.into_iter().filter(|(_, value)| !value.is_null());
            Value::Object(fields.map(|(key, value)| (key, without_null(value))).collect())
        }
        value => value,
    }
}

/// Turns `x-accepts` into a schema: the documented form or the accepted one.
fn accept(schema: &mut Value) {
    each(schema, &accept);
    if let Some(also) = schema.as_object_mut().and_then(|fields| fields.remove("x-accepts")) {
        *schema = json!({ "anyOf": [schema.take(), also] });
    }
}

/// Allows only the described fields in objects.
fn close(schema: &mut Value) {
    each(schema, &close);
    if let Some(fields) = schema.as_object_mut().filter(|fields| fields.contains_key("properties"))
    {
        fields.entry("additionalProperties").or_insert(false.into());
    }
}

fn each(schema: &mut Value, change: &impl Fn(&mut Value)) {
    for (key, value) in schema.as_object_mut().into_iter().flatten() {
        match (key.as_str(), value) {
            ("properties", Value::Object(map)) => map.values_mut().for_each(change),
            ("oneOf" | "anyOf" | "allOf" | "prefixItems", Value::Array(list)) => {
                list.iter_mut().for_each(change);
            }
            ("items" | "additionalProperties", one) => change(one),
            _ => (),
        }
    }
}
