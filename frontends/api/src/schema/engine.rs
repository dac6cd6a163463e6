//! JSON Schemas of the engine's types, which cross the border to a front end in a shared library.

use core_model::{Command, Outcome, Query, Recorded};
use schemars::generate::Contract;

use super::bundle;
use super::document::{Document, JSON_SCHEMA};
use super::shapes::Shape;
use crate::http_message::{HttpError, Request, Response};
use crate::{EventFilter, Manifest, Peer, fidelity};

/// One schema: its file, its title, and whether the gateway reads or writes the type.
struct Row {
    name: &'static str,
    title: &'static str,
    contract: Contract,
    shape: Shape,
}

const ROWS: &[Row] = &[
    read("command", "A command to the engine", Shape::of::<Command>()),
    read("query", "A query to the engine", Shape::of::<Query>()),
    written("outcome", "The outcome of a command or query", Shape::of::<Outcome>()),
    written("event", "An event", Shape::of::<Recorded>()),
    read("manifest", "The manifest of a front end", Shape::of::<Manifest>()),
    written("fidelity", "The fidelity contract", Shape::of::<fidelity::Contract>()),
    written("peer", "The peer of a session", Shape::of::<Peer>()),
    written("request", "An HTTP request; its body crosses as bytes", Shape::of::<Request>()),
    read("response", "An HTTP response; its body crosses as bytes", Shape::of::<Response>()),
    written("fault", "An HTTP error of the gateway", Shape::of::<HttpError>()),
    read("interest", "The event filter of a connection", Shape::of::<EventFilter>()),
];

/// The engine's command, query, outcome and event, and what a front end declares and receives.
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

const fn read(name: &'static str, title: &'static str, shape: Shape) -> Row {
    Row { name, title, contract: Contract::Deserialize, shape }
}

const fn written(name: &'static str, title: &'static str, shape: Shape) -> Row {
    Row { name, title, contract: Contract::Serialize, shape }
}
