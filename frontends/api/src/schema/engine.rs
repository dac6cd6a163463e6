//! The engine's own words as JSON Schemas: what a front end in a shared library speaks.

use core_model::{Command, Outcome, Query, Recorded};
use schemars::generate::Contract;

use super::{Document, JSON_SCHEMA, Shape, bundle};
use crate::http::{HttpError, Request, Response};
use crate::{EventFilter, Manifest, Peer};

/// One schema: its file, what it is, and whether the gateway reads or writes such a thing.
struct Row {
    name: &'static str,
    title: &'static str,
    contract: Contract,
    shape: Shape,
}

const ROWS: &[Row] = &[
    given("command", "What a front end has the engine do", Shape::of::<Command>()),
    given("query", "What a front end asks the engine", Shape::of::<Query>()),
    told("outcome", "How a command or query ended", Shape::of::<Outcome>()),
    told("event", "Something that has happened", Shape::of::<Recorded>()),
    given("manifest", "What a front end declares", Shape::of::<Manifest>()),
    told("peer", "Who is at the other end of a session", Shape::of::<Peer>()),
    told("request", "An HTTP request; its body crosses as bytes", Shape::of::<Request>()),
    given("response", "The answer to one; its body crosses as bytes", Shape::of::<Response>()),
    told("fault", "What the gateway has to say over HTTP", Shape::of::<HttpError>()),
    given("interest", "Which events a connection hears of", Shape::of::<EventFilter>()),
];

/// The engine's command, query, outcome and event, and what a front end declares and is told.
pub fn engine() -> Vec<Document> {
    ROWS.iter().map(document).collect()
}

fn document(row: &Row) -> Document {
    let id = format!("engine:{}", row.name);
    Document {
        name: format!("{}.json", row.name),
        media_type: JSON_SCHEMA.into(),
        text: bundle::of_type(&id, row.title, &row.shape, &row.contract),
    }
}

const fn given(name: &'static str, title: &'static str, shape: Shape) -> Row {
    Row { name, title, contract: Contract::Deserialize, shape }
}

const fn told(name: &'static str, title: &'static str, shape: Shape) -> Row {
    Row { name, title, contract: Contract::Serialize, shape }
}
