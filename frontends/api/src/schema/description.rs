//! What the documents of a dialect are made of.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::json::Json;
use super::shapes::{DEFS, Defs, Shape, Shapes};
use crate::Manifest;

/// What describes an HTTP dialect besides its endpoints.
pub struct About {
    /// The dialect in a few sentences of Markdown.
    pub text: &'static str,
    /// The body of every response of 4xx and 5xx.
    pub fault: Shape,
    /// The ways to authenticate. An operation may need none of them.
    pub schemes: &'static [Scheme],
}

/// One way to authenticate.
pub struct Scheme {
    pub name: &'static str,
    pub about: &'static str,
    pub place: Where,
    /// Whether it signs a user in; otherwise it guards the whole front end, if the operator
    /// configures that.
    pub signs_in: bool,
}

/// Where a request carries a credential.
#[derive(Clone, Copy)]
pub enum Where {
    /// `Authorization: Bearer <credential>`
    Bearer,
    Header(&'static str),
    Query(&'static str),
    Cookie(&'static str),
}

/// A link from a reply to another operation, with the fields that the reply determines.
pub(super) struct Link {
    /// The name of its endpoint.
    pub(super) to: &'static str,
    pub(super) fields: &'static [(&'static str, Source)],
}

/// Where the value of a linked operation's field comes from.
#[derive(Clone, Copy)]
pub enum Source {
    /// From this field of the request.
    Request(&'static str),
    /// From the reply, by JSON pointer: `/data/token`.
    Reply(&'static str),
}

/// The types that an endpoint reads and writes.
pub struct Operation {
    /// What it does. The first sentence is its summary.
    pub about: &'static str,
    /// Whether only a signed-in user may use it.
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

    /// An operation for signed-in users only.
    #[must_use]
    pub fn for_users(self) -> Self {
        Self { signed_in: true, ..self }
    }

    /// Adds a type that it may reply with, with status 200.
    #[must_use]
    pub fn replies<R: schemars::JsonSchema>(mut self) -> Self {
        self.replies.push(Shape::of::<R>());
        self
    }

    /// Adds an endpoint that a client may call next, with the fields that it then knows.
    #[must_use]
    pub fn leads_to(mut self, to: &'static str, fields: &'static [(&'static str, Source)]) -> Self {
        self.links.push(Link { to, fields });
        self
    }
}

/// One message of a dialect in which either side may send at any time.
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
pub(crate) struct Row {
    /// Its operation id: `send_message`.
    pub(crate) name: &'static str,
    pub(crate) path: &'static str,
    pub(crate) methods: &'static [&'static str],
    pub(crate) operation: Operation,
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

/// What the documents of a dialect are made of.
pub struct Description {
    pub(super) manifest: Manifest,
    pub(crate) about: &'static str,
    pub(crate) rows: Vec<Row>,
    pub(crate) fault: Option<Shape>,
    pub(crate) schemes: &'static [Scheme],
    pub(super) messages: &'static [Message],
    /// The field that distinguishes messages.
    pub(super) tag: &'static str,
    objects: &'static [Shape],
    types: Vec<(&'static str, Value)>,
    pub(super) examples: Examples,
}

/// By name of definition, in the notation in which they were written.
type Examples = BTreeMap<String, Vec<Box<RawValue>>>;

/// The definitions of everything that a client sends on a stream, and of everything it receives.
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

    /// Adds the messages of a stream, distinguished by the field `tag`.
    #[must_use]
    pub fn with_messages(self, tag: &'static str, messages: &'static [Message]) -> Self {
        Self { tag, messages, ..self }
    }

    /// Adds JSON objects that are embedded in another format.
    #[must_use]
    pub fn with_objects(self, objects: &'static [Shape]) -> Self {
        Self { objects, ..self }
    }

    /// Replaces the schema of a type.
    #[must_use]
    pub fn with_type(mut self, name: &'static str, schema: Value) -> Self {
        self.types.push((name, schema));
        self
    }

    /// Adds examples: a JSON object of lists by name of definition, made from the transcripts.
    /// Later ones win.
    #[must_use]
    pub fn with_examples(mut self, examples: &str) -> Self {
        let examples: Examples =
            serde_json::from_str(examples).expect("the examples are committed as JSON");
        self.examples.extend(examples);
        self
    }

    /// The definitions, and the names of those that are whole messages.
    pub(super) fn definitions(&self) -> (Vec<String>, Defs) {
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
            (FROM_SERVER, false, "Every message that a client receives."),
        ] {
            let side = self.messages.iter().filter(|message| message.from_client == from_client);
            let name_of = if from_client { Shapes::read } else { Shapes::written };
            let names: Vec<String> =
                side.map(|message| name_of(&mut shapes, &message.shape)).collect();
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
