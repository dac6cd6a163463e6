//! A JSON Schema with definitions: which of them clients send, which they are sent, and whether
//! those still go together.

use std::collections::BTreeSet;

use serde_json::Value;

use super::Break;
use super::schema::{Comparison, Side, targets};

/// Schemas that are one thing, and who says it.
const WHOLE: &[(&str, Side)] = &[
    ("gateway.json", Side::Sent),
    ("engine/command.json", Side::Sent),
    ("engine/query.json", Side::Sent),
    ("engine/manifest.json", Side::Sent),
    ("engine/interest.json", Side::Sent),
    ("engine/outcome.json", Side::Told),
    ("engine/event.json", Side::Told),
    ("engine/fidelity.json", Side::Told),
    ("engine/peer.json", Side::Told),
    ("engine/request.json", Side::Told),
    ("engine/response.json", Side::Sent),
    ("engine/fault.json", Side::Told),
];

pub(crate) fn compare(path: &str, former: &Value, now: &Value) -> Vec<Break> {
    let mut broken = Vec::new();
    if let Some((_, side)) = WHOLE.iter().find(|(whole, _)| *whole == path) {
        let stem = path.rsplit('/').next().unwrap_or(path).trim_end_matches(".json");
        let mut comparison = Comparison::new(stem, *side, former, now);
        comparison.compare(former, now);
        broken.extend(comparison.broken);
        definitions(former, now, &names(former), *side, &mut broken);
        return broken;
    }
    let roots = targets(&former["anyOf"]);
    let (sent, told): (BTreeSet<_>, BTreeSet<_>) =
        roots.into_iter().partition(|name| is_sent(name));
    for name in sent.iter().chain(&told) {
        if now["$defs"].get(name).is_none() {
            broken.push(Break::new(name, "", "is gone"));
        }
    }
    definitions(former, now, &closure(former, sent), Side::Sent, &mut broken);
    definitions(former, now, &closure(former, told), Side::Told, &mut broken);
    broken
}

/// By the names that the gateway gives: all others are what it says.
fn is_sent(name: &str) -> bool {
    name.ends_with("Request") || name == "FromClient" || name.starts_with("Client")
}

fn definitions(
    former: &Value,
    now: &Value,
    names: &BTreeSet<String>,
    side: Side,
    broken: &mut Vec<Break>,
) {
    for name in names {
        // What no longer has a name is compared where it stood.
        let (Some(was), Some(is)) = (former["$defs"].get(name), now["$defs"].get(name)) else {
            continue;
        };
        let mut comparison = Comparison::new(name, side, former, now);
        comparison.compare(was, is);
        broken.extend(comparison.broken);
    }
}

fn names(document: &Value) -> BTreeSet<String> {
    let definitions = document["$defs"].as_object().into_iter().flatten();
    definitions.map(|(name, _)| name.clone()).collect()
}

/// These definitions and all that they refer to.
fn closure(document: &Value, names: BTreeSet<String>) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut left: Vec<String> = names.into_iter().collect();
    while let Some(name) = left.pop() {
        let Some(definition) = document["$defs"].get(&name) else { continue };
        if found.insert(name) {
            left.extend(targets(definition));
        }
    }
    found
}
