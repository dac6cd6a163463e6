//! Server-sent events: HTML, section 9.2.

use serde::Serialize;

/// Nothing, to show that the connection is alive.
pub(in super::super) const COMMENT: &str = ":\n\n";

/// An event whose data is JSON.
pub(in super::super) fn event(name: &str, data: &impl Serialize) -> String {
    let data = serde_json::to_string(data).expect("an event is plain data");
    format!("event: {name}\ndata: {data}\n\n")
}
