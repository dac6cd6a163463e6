//! All that the documents of a dialect are made of.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::json::Json;
use super::shapes::{DEFS, Defs, Shape, Shapes};
use super::{Document, JSON_SCHEMA, asyncapi, bundle, openapi};
use crate::Manifest;
use crate::http::HttpDialect;

/// What an HTTP dialect says of itself, beside its endpoints.
pub struct About {
    /// The dialect in a few sentences of Markdown.
    pub text: &'static str,
    /// The body of every response of 4xx and 5xx.
    pub fault: Shape,
    /// How a client may show who it is; none of them is needed where an operation says so.
    pub schemes: &'static [Scheme],
}

/// One way to show who one is.
pub struct Scheme {
    pub name: &'static str,
    pub about: &'static str,
    pub place: Where,
    /// Whether it is enough by itself for operations that need a user; otherwise it guards the
    /// front end as a whole, where the operator wants that.
    pub signs_in: bool,
}

/// Where a credential stands.
#[derive(Clone, Copy)]
pub enum Where {
    /// `Authorization: Bearer <credential>`
    Bearer,
    Header(&'static str),
    Query(&'static str),
    Cookie(&'static str),
}

/// What may follow an answer: another operation, some of whose fields are known by then.
pub(super) struct Link {
    /// The name of its endpoint.
    pub(super) to: &'static str,
    pub(super) fields: &'static [(&'static str, Source)],
}

/// Where the value of a field of the operation that follows comes from.
#[derive(Clone, Copy)]
pub enum Source {
    /// From this field of the request.
    Request(&'static str),
    /// From the reply, by JSON pointer: `/data/token`.
    Reply(&'static str),
}

/// What an endpoint says of itself: the types it reads and writes.
pub struct Operation {
    /// What it does. The first sentence is its summary.
    pub about: &'static str,
    /// Whether only a user may, who has shown who it is.
    pub signed_in: bool,
    pub(super) request: Shape,
    pub(super) replies: Vec<Shape>,
    pub(super) links: Vec<Link>,
}

impl Operation {
    /// An operation whose parameters are the fields of `R`, named after the endpoint.
    pub fn of<R: schemars::JsonSchema>(about: &'static str) -> Self {
        let request = Shape::of::<R>();
        Self { about, signed_in: false, request, replies: Vec::new(), links: Vec::new() }
    }

    /// One that only a user may use.
    #[must_use]
    pub fn for_users(self) -> Self {
        Self { signed_in: true, ..self }
    }

    /// One thing that it may answer with status 200.
    #[must_use]
    pub fn replies<R: schemars::JsonSchema>(mut self) -> Self {
        self.replies.push(Shape::of::<R>());
        self
    }

    /// An endpoint that a client may go on with when this is done, and the fields that it then
    /// has.
    #[must_use]
    pub fn leads_to(mut self, to: &'static str, fields: &'static [(&'static str, Source)]) -> Self {
        self.links.push(Link { to, fields });
        self
    }
}

/// One message of a dialect in which both sides speak when they want.
#[derive(Clone, Copy)]
pub struct Message {
    pub(super) shape: Shape,
    pub(super) from_client: bool,
}

impl Message {
    pub const fn from_client<T: schemars::JsonSchema>() -> Self {
        Self { shape: Shape::of::<T>(), from_client: true }
    }

    pub const fn from_server<T: schemars::JsonSchema>() -> Self {
        Self { shape: Shape::of::<T>(), from_client: false }
    }
}

/// An endpoint, with the names of its definitions.
pub(super) struct Row {
    /// Its operation id: `send_message`.
    pub(super) name: &'static str,
    pub(super) path: &'static str,
    pub(super) methods: &'static [&'static str],
    pub(super) operation: Operation,
}

impl Row {
    /// `SendMessageRequest`
    pub(super) fn request(&self) -> String {
        format!("{}Request", pascal(self.name))
    }

    /// `SendMessageReply`
    pub(super) fn reply(&self) -> String {
        format!("{}Reply", pascal(self.name))
    }
}

/// All that the documents of a dialect are made of.
pub struct Description {
    pub(super) manifest: Manifest,
    pub(super) about: &'static str,
    pub(super) rows: Vec<Row>,
    pub(super) fault: Option<Shape>,
    pub(super) schemes: &'static [Scheme],
    pub(super) messages: &'static [Message],
    /// The field that tells messages apart.
    pub(super) tag: &'static str,
    objects: &'static [Shape],
    types: Vec<(&'static str, Value)>,
    pub(super) examples: Examples,
}

/// By name of definition, as they were written.
type Examples = BTreeMap<String, Vec<Box<RawValue>>>;

/// The choice of all that a client may send on a stream, and of all that it is sent.
pub(super) const FROM_CLIENT: &str = "FromClient";
pub(super) const FROM_SERVER: &str = "FromServer";

impl Description {
    pub fn of(manifest: &Manifest, about: &'static str) -> Self {
        Self {
            manifest: manifest.clone(),
            about,
            rows: Vec::new(),
            fault: None,
            schemes: &[],
            messages: &[],
            tag: "",
            objects: &[],
            types: Vec::new(),
            examples: BTreeMap::new(),
        }
    }

    /// With an HTTP dialect's table of endpoints.
    #[must_use]
    pub fn with_endpoints<D: HttpDialect>(mut self, dialect: &D) -> Self {
        let about = dialect.about();
        self.about = about.text;
        self.fault = Some(about.fault);
        self.schemes = about.schemes;
        let row = |endpoint: &crate::http::Endpoint<D>| Row {
            name: endpoint.name,
            path: endpoint.path,
            methods: endpoint.methods,
            operation: (endpoint.describe)(dialect),
        };
        self.rows = dialect.endpoints().iter().map(row).collect();
        self
    }

    /// With the messages of a stream, told apart by the field `tag`.
    #[must_use]
    pub fn with_messages(self, tag: &'static str, messages: &'static [Message]) -> Self {
        Self { tag, messages, ..self }
    }

    /// With JSON objects that stand within something else.
    #[must_use]
    pub fn with_objects(self, objects: &'static [Shape]) -> Self {
        Self { objects, ..self }
    }

    /// With another schema for a type.
    #[must_use]
    pub fn with_type(mut self, name: &'static str, schema: Value) -> Self {
        self.types.push((name, schema));
        self
    }

    /// With examples: a JSON object of lists by name of definition, made from the transcripts.
    /// Those given later win.
    #[must_use]
    pub fn with_examples(mut self, examples: &str) -> Self {
        let examples: Examples =
            serde_json::from_str(examples).expect("the examples are committed as JSON");
        self.examples.extend(examples);
        self
    }

    /// `schema.json`; `openapi.json` where there are endpoints; `asyncapi.json` where there are
    /// messages.
    pub fn documents(&self) -> Vec<Document> {
        let (roots, defs) = self.definitions();
        let mut documents =
            vec![document("schema.json", JSON_SCHEMA, bundle::of(self, &roots, &defs))];
        if !self.rows.is_empty() {
            let media_type = "application/vnd.oai.openapi+json;version=3.1";
            documents.push(document("openapi.json", media_type, openapi::of(self, &defs)));
        }
        if !self.messages.is_empty() {
            let media_type = "application/vnd.aai.asyncapi+json;version=3.0.0";
            documents.push(document("asyncapi.json", media_type, asyncapi::of(self, &defs)));
        }
        documents
    }

    /// The definitions, and the names of those that are whole messages.
    fn definitions(&self) -> (Vec<String>, Defs) {
        let mut shapes = Shapes::new();
        let mut roots = Vec::new();
        for row in &self.rows {
            let operation = &row.operation;
            roots.extend(shapes.request(&row.request(), operation.about, &operation.request));
            let replies = operation.replies.iter().map(|reply| shapes.written(reply)).collect();
            shapes.place(&row.reply(), choice(replies, &format!("What {} answers.", row.path)));
            roots.push(row.reply());
        }
        roots.extend(self.fault.iter().map(|fault| shapes.written(fault)));
        roots.extend(self.objects.iter().map(|object| shapes.written(object)));
        for (name, from_client, about) in [
            (FROM_CLIENT, true, "Every message that a client may send."),
            (FROM_SERVER, false, "Every message that a client is sent."),
        ] {
            let side = self.messages.iter().filter(|message| message.from_client == from_client);
            let names: Vec<String> = match from_client {
                true => side.map(|message| shapes.read(&message.shape)).collect(),
                false => side.map(|message| shapes.written(&message.shape)).collect(),
            };
            if !names.is_empty() {
                shapes.place(name, choice(names, about));
                roots.push(name.to_owned());
            }
        }
        for (name, schema) in &self.types {
            shapes.replace(name, schema);
        }
        (roots, shapes.finish())
    }

    /// The first example of a definition; null where there is none.
    pub(super) fn example(&self, name: &str) -> Value {
        let first = self.examples.get(name).and_then(|examples| examples.first());
        first.and_then(|example| serde_json::from_str(example.get()).ok()).unwrap_or_default()
    }

    /// A definition with its examples, as JSON.
    pub(super) fn shown(&self, name: &str, schema: &Value) -> Json {
        let mut shown = Json::of(schema);
        if let Some(examples) = self.examples.get(name).filter(|_| schema.get("$ref").is_none()) {
            let examples = examples.iter().map(|example| Json::from(&**example)).collect();
            shown.push("examples", Json::List(examples));
        }
        shown
    }
}

fn document(name: &str, media_type: &str, text: String) -> Document {
    Document { name: name.into(), media_type: media_type.into(), text }
}

fn choice(names: Vec<String>, about: &str) -> Value {
    let refs: Vec<Value> =
        names.iter().map(|name| json!({ "$ref": format!("{DEFS}{name}") })).collect();
    match refs.as_slice() {
        [one] => one.clone(),
        _ => json!({ "description": about, "oneOf": refs }),
    }
}

/// `SendMessage` for `send_message`.
fn pascal(name: &str) -> String {
    let capital = |word: &str| match word.split_at_checked(1) {
        Some((first, rest)) => first.to_ascii_uppercase() + rest,
        None => String::new(),
    };
    name.split('_').map(capital).collect()
}
