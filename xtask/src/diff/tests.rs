//! Small pairs of documents, and the breaks found in each.

use serde_json::{Value, json};

use super::{Break, all, one};
use crate::Files;

/// The breaks found in a bundle in which one definition, of a request and of a reply alike, becomes
/// another.
fn said(was: &Value, is: &Value) -> (Vec<String>, Vec<String>) {
    let bundle = |name: &str, schema: &Value| {
        let root = json!({ "$ref": format!("#/$defs/{name}") });
        let other = json!({ "type": "object", "required": ["a"], "properties": { "a": { "type": "string" } } });
        json!({ "anyOf": [root], "$defs": { name: schema, "A": other, "B": { "type": "object" } } })
    };
    let compare = |name: &str| {
        let broken = one("x/schema.json", &bundle(name, was), &bundle(name, is));
        broken.into_iter().map(|Break { place, what, .. }| format!("{place}: {what}")).collect()
    };
    (compare("PostRequest"), compare("PostReply"))
}

#[track_caller]
fn assert_said(was: Value, is: Value, sent: &[&str], told: &[&str]) {
    let (in_request, in_reply) = said(&was, &is);
    assert_eq!(in_request, sent, "where clients send it: {was} became {is}");
    assert_eq!(in_reply, told, "where clients are sent it: {was} became {is}");
    let same = said(&was, &was);
    assert_eq!(same, (vec![], vec![]), "{was} is as it was");
}

fn object(required: &[&str], properties: Value) -> Value {
    json!({ "type": "object", "required": required, "properties": properties })
}

#[test]
fn a_field_that_must_be_sent_breaks_senders_and_one_that_may_be_missing_breaks_readers() {
    let text = json!({ "a": { "type": "string" } });
    let may = object(&[], text.clone());
    let must = object(&["a"], text);
    assert_said(may.clone(), must.clone(), &[": a is required now"], &[]);
    assert_said(must, may, &[], &[": a may be missing now"]);
}

#[test]
fn an_added_field_breaks_no_client_and_a_removed_one_breaks_its_readers() {
    let one = object(&[], json!({ "a": { "type": "string" } }));
    let two = object(&[], json!({ "a": { "type": "string" }, "b": { "type": "integer" } }));
    assert_said(one.clone(), two.clone(), &[], &[]);
    assert_said(two, one, &["/b: is no longer read"], &[]);
    let must = object(&["a"], json!({ "a": { "type": "string" } }));
    let none = object(&[], json!({}));
    assert_said(must, none, &["/a: is no longer read"], &[": a may be missing now"]);
}

#[test]
fn values_types_and_bounds_break_by_direction() {
    let within = |schema: Value| object(&["a"], json!({ "a": schema }));
    let cases = [
        (json!({ "enum": [1, 2] }), json!({ "enum": [1] }), "2 is no longer taken", "2 is new"),
        (
            json!({ "type": "string" }),
            json!({ "const": "x" }),
            "only certain values were or are known here",
            "only certain values were or are known here",
        ),
        (
            json!({ "type": "number" }),
            json!({ "type": "integer" }),
            "the type is another",
            "the type is another",
        ),
        (
            json!({ "type": ["string", "null"] }),
            json!({ "type": "string" }),
            "the type is another",
            "the type is another",
        ),
        (
            json!({ "type": "string" }),
            json!({ "type": "string", "minLength": 1 }),
            "minLength is another",
            "minLength is another",
        ),
        (
            json!({ "type": "integer", "maximum": 9 }),
            json!({ "type": "integer", "maximum": 8 }),
            "maximum is another",
            "maximum is another",
        ),
        (
            json!({ "type": "string" }),
            json!({ "type": "string", "pattern": "^x$" }),
            "the pattern is another",
            "the pattern is another",
        ),
        (
            json!({ "type": "array", "items": { "type": "number" } }),
            json!({ "type": "array", "items": { "type": "integer" } }),
            "",
            "",
        ),
    ];
    for (wide, narrow, sent, told) in cases {
        let place = if sent.is_empty() { "/a/[]" } else { "/a" };
        let or_type = |what: &str| {
            format!("{place}: {}", if what.is_empty() { "the type is another" } else { what })
        };
        let sent = or_type(sent);
        let told = or_type(told);
        assert_said(within(wide.clone()), within(narrow.clone()), &[&sent], &[]);
        assert_said(within(narrow), within(wide), &[], &[&told]);
    }
}

#[test]
fn an_alternative_more_breaks_readers_and_one_less_breaks_senders() {
    let choice = |names: &[&str]| {
        let refs = names.iter().map(|name| json!({ "$ref": format!("#/$defs/{name}") }));
        json!({ "oneOf": refs.collect::<Vec<_>>() })
    };
    assert_said(choice(&["A"]), choice(&["B", "A"]), &[], &[": B is new"]);
    assert_said(choice(&["A", "B"]), choice(&["A"]), &[": B is no longer taken"], &[]);
    // Another name for the same is no break.
    let plain = json!({ "$ref": "#/$defs/A" });
    assert_said(choice(&["A"]), plain.clone(), &[], &[]);
    assert_said(plain, choice(&["A"]), &[], &[]);
}

#[test]
fn what_is_taken_besides_counts_where_it_is_sent() {
    let field = |more: Value| {
        let mut schema = json!({ "type": "integer" });
        schema.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        object(&[], json!({ "a": schema }))
    };
    let also = field(json!({ "x-accepts": { "type": "string" } }));
    let what = "/a: what it x-accepts is no longer taken";
    assert_said(also.clone(), field(json!({})), &[what], &[]);
    assert_said(field(json!({})), also, &[], &[]);
}

#[test]
fn refusing_further_fields_breaks_senders() {
    let open = object(&[], json!({}));
    let mut closed = open.clone();
    closed["additionalProperties"] = false.into();
    assert_said(open, closed, &[": further fields are refused"], &[]);
}

#[test]
fn descriptions_break_no_client() {
    let was = object(&[], json!({ "a": { "type": "string", "description": "x" } }));
    let is = object(&[], json!({ "a": { "type": "string", "description": "y", "examples": [1] } }));
    assert_said(was, is, &[], &[]);
}

#[test]
fn a_definition_that_clients_know_by_name_may_not_go() {
    let bundle = |names: &[&str]| {
        let roots = names.iter().map(|name| json!({ "$ref": format!("#/$defs/{name}") }));
        let defs = names.iter().map(|name| ((*name).to_owned(), json!({ "type": "object" })));
        json!({ "anyOf": roots.collect::<Vec<_>>(), "$defs": defs.collect::<serde_json::Map<_, _>>() })
    };
    let broken = one("x/schema.json", &bundle(&["ARequest", "AReply"]), &bundle(&["ARequest"]));
    assert_eq!(broken, [Break::new("AReply", "", "is gone")]);
}

#[test]
fn an_operation_may_not_go_nor_ask_for_more() {
    let operation = |parameters: Value, more: Value| {
        let mut operation = json!({ "operationId": "list_get", "parameters": parameters });
        operation.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        json!({ "paths": { "/list": { "get": operation } } })
    };
    let parameter = |name: &str, required: bool| json!({ "name": name, "in": "query", "required": required, "schema": { "type": "string" } });
    let was = operation(json!([parameter("a", false)]), json!({}));
    let say = |is: &Value| {
        let broken = one("x/openapi.json", &was, is);
        broken.into_iter().map(|b| format!("{}{}: {}", b.name, b.place, b.what)).collect::<Vec<_>>()
    };
    assert!(say(&was).is_empty());
    assert_eq!(say(&json!({ "paths": {} })), ["list_get: GET /list is gone"]);
    let more = operation(json!([parameter("a", true), parameter("b", true)]), json!({}));
    assert_eq!(
        say(&more),
        ["list_get/query/b: is required now", "list_get/query/a: is required now"]
    );
    assert!(
        say(&operation(json!([parameter("a", false), parameter("b", false)]), json!({})))
            .is_empty()
    );
    assert_eq!(say(&operation(json!([]), json!({}))), ["list_get/query/a: is no longer read"]);
    let guarded = operation(json!([parameter("a", false)]), json!({ "security": [{ "key": [] }] }));
    assert_eq!(say(&guarded), ["list_get: wants a credential now"]);
}

#[test]
fn bytes_of_a_frame_may_not_move() {
    let layout = |fields: Value, numbers: Value| {
        json!({
            "meta": { "endian": "be" },
            "seq": [{ "id": "frames", "type": "frame", "repeat": "eos" }],
            "types": { "frame": { "doc": "x", "seq": fields } },
            "enums": { "command": numbers },
        })
    };
    let fields = json!([{ "id": "length", "type": "u4", "doc": "bytes" }]);
    let numbers = json!({ "1": { "id": "login" } });
    let was = layout(fields.clone(), numbers.clone());
    let say = |is: &Value| {
        let broken = one("token/token.ksy", &was, is);
        broken.into_iter().map(|b| format!("{}{}: {}", b.name, b.place, b.what)).collect::<Vec<_>>()
    };
    assert!(say(&was).is_empty());
    let reworded = json!([{ "id": "length", "type": "u4", "doc": "how long" }]);
    assert!(
        say(&layout(reworded, json!({ "1": { "id": "login" }, "2": { "id": "out" } }))).is_empty()
    );
    let shorter = json!([{ "id": "length", "type": "u2" }]);
    assert_eq!(say(&layout(shorter, numbers.clone())), ["frame/length: the layout is another"]);
    let longer = json!([{ "id": "length", "type": "u4" }, { "id": "more", "type": "u1" }]);
    assert_eq!(say(&layout(longer, numbers)), ["frame/more: is more than was there"]);
    let renumbered = json!({ "1": { "id": "out" } });
    assert_eq!(say(&layout(fields, renumbered)), ["command/1: \"login\" is \"out\" now"]);
}

#[test]
fn a_document_may_not_go_and_one_more_is_no_break() {
    let files = |names: &[&str]| -> Files {
        names.iter().map(|name| ((*name).to_owned(), "{}".to_owned())).collect()
    };
    let compared = all(&files(&["a/schema.json"]), &files(&["b/schema.json"])).unwrap();
    let gone = vec![Break::new("schema.json", "", "the document is gone")];
    assert_eq!(compared, [("a/schema.json".to_owned(), gone)]);
    let compared = all(&files(&["a/schema.json"]), &files(&["a/schema.json", "b/x.json"])).unwrap();
    assert_eq!(compared, [("a/schema.json".to_owned(), vec![])]);
}
