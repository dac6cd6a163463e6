//! OpenAPI: the operations, and what one has to give them. Bodies and replies are in the schemas
//! beside it.

use std::collections::BTreeMap;

use serde_json::Value;

use super::Break;
use super::schema::{Comparison, Side};

pub(crate) fn compare(former: &Value, now: &Value) -> Vec<Break> {
    let mut broken = Vec::new();
    let is = operations(now);
    for (at, was) in operations(former) {
        let name = was["operationId"].as_str().unwrap_or(&at).to_owned();
        match is.get(&at) {
            None => broken.push(Break::new(&name, "", format!("{at} is gone"))),
            Some(is) => operation(&name, (former, was), (now, is), &mut broken),
        }
    }
    broken
}

/// By method and path.
fn operations(document: &Value) -> BTreeMap<String, &Value> {
    let paths = document["paths"].as_object().into_iter().flatten();
    let each = |(path, methods): (&String, &'_ Value)| {
        let path = path.clone();
        let methods = methods.as_object().cloned().unwrap_or_default();
        methods.into_iter().map(move |(method, _)| (path.clone(), method)).collect::<Vec<_>>()
    };
    let named = paths.flat_map(each).map(|(path, method)| {
        let operation = &document["paths"][&path][&method];
        (format!("{} {path}", method.to_ascii_uppercase()), operation)
    });
    named.collect()
}

fn operation(
    name: &str,
    (former, was): (&Value, &Value),
    (now, is): (&Value, &Value),
    broken: &mut Vec<Break>,
) {
    let mut note = |place: &str, what: &str| broken.push(Break::new(name, place, what));
    if was["operationId"] != is["operationId"] {
        note("", "has another operationId");
    }
    if was.get("security").is_none() && is.get("security").is_some() {
        note("", "wants a credential now");
    }
    let body = |operation: &Value| operation["requestBody"]["content"].as_object().cloned();
    let types = body(is).unwrap_or_default();
    for (media_type, _) in body(was).into_iter().flatten() {
        if !types.contains_key(&media_type) {
            note("", &format!("takes no {media_type} any more"));
        }
    }
    let is_needed = |operation: &Value| operation["requestBody"]["required"] == true;
    if is_needed(is) && !is_needed(was) {
        note("", "wants a body now");
    }
    let given = parameters(was);
    let taken = parameters(is);
    for (key, parameter) in &taken {
        if parameter["required"] == true && !given.contains_key(key) {
            note(&format!("/{key}"), "is required now");
        }
    }
    for (key, parameter) in &given {
        match taken.get(key) {
            None => note(&format!("/{key}"), "is no longer read"),
            Some(other) if other["required"] == true && parameter["required"] != true => {
                note(&format!("/{key}"), "is required now");
            }
            Some(_) => (),
        }
    }
    for (key, parameter) in &given {
        let Some(other) = taken.get(key) else { continue };
        let mut comparison = Comparison::new(name, Side::Sent, former, now);
        comparison.compare(&parameter["schema"], &other["schema"]);
        let at = |one: Break| Break { place: format!("/{key}{}", one.place), ..one };
        broken.extend(comparison.broken.into_iter().map(at));
    }
}

/// By place and name.
fn parameters(operation: &Value) -> BTreeMap<String, &Value> {
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let key = |parameter: &Value| {
        let text = |key: &str| parameter[key].as_str().unwrap_or_default().to_owned();
        format!("{}/{}", text("in"), text("name"))
    };
    parameters.map(|parameter| (key(parameter), parameter)).collect()
}
