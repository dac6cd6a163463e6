//! An OpenAPI 3.1 document of an HTTP dialect, from its table of endpoints.

use serde_json::{Map, Value, json};

use super::description::{Description, Link, Row, Scheme, Source, Where};
use super::json::Json;
use super::shapes::{self, Defs};
use crate::Transport;

const SCHEMAS: &str = "#/components/schemas/";

/// A response with an HTTP status of its own.
struct FaultRow {
    name: &'static str,
    status: u16,
    why: &'static str,
    /// A header with details, and its description.
    header: Option<(&'static str, &'static str)>,
}

const FAULTS: &[FaultRow] = &[
    fault(400, "BadRequest", "The body does not parse, or is no object.", None),
    fault(
        401,
        "Unauthorized",
        "The front end is guarded by API keys, and the request has none.",
        Some(("WWW-Authenticate", "How to send one.")),
    ),
    fault(403, "Forbidden", "The client's address may not use the front end.", None),
    fault(
        405,
        "MethodNotAllowed",
        "The path does not support the method.",
        Some(("Allow", "The methods that the path supports.")),
    ),
    fault(408, "RequestTimeout", "The body did not arrive in time.", None),
    fault(413, "ContentTooLarge", "The body is larger than `body_bytes_max`.", None),
    fault(415, "UnsupportedMediaType", "The body is neither JSON nor a form.", None),
    fault(
        429,
        "TooManyRequests",
        "The client is over a limit of requests or messages a second.",
        LATER,
    ),
    fault(503, "ServiceUnavailable", "The gateway is overloaded, or shutting down.", LATER),
];

const LATER: Option<(&str, &str)> = Some(("Retry-After", "Seconds to wait."));

const fn fault(
    status: u16,
    name: &'static str,
    why: &'static str,
    header: Option<(&'static str, &'static str)>,
) -> FaultRow {
    FaultRow { name, status, why, header }
}

pub(super) fn of(described: &Description, defs: &Defs) -> String {
    let manifest = &described.manifest;
    let listener = manifest.listeners.iter().find(|one| one.transport == Transport::Http);
    let address = listener.and_then(|one| one.address.as_deref()).unwrap_or("127.0.0.1");
    let paths = described.rows.iter().map(|row| (row.path.to_owned(), path(described, row, defs)));
    let tag = json!([{ "name": manifest.dialect, "description": manifest.title }]);
    let server = json!([{
        "url": format!("http://{address}"),
        "description": "The default address; gateway.toml may set another.",
    }]);
    Json::map([
        ("openapi", Json::string("3.1.0")),
        ("info", info(described)),
        ("servers", Json::of(&server)),
        ("tags", Json::of(&tag)),
        ("security", Json::of(&security(described.schemes, false))),
        ("paths", Json::Map(paths.collect())),
        ("components", components(described, defs)),
    ])
    .text()
}

/// The head that OpenAPI and AsyncAPI have in common.
pub(super) fn info(described: &Description) -> Json {
    let manifest = &described.manifest;
    Json::map([
        ("title", Json::string(&format!("Dragoman: {}", manifest.title))),
        ("version", Json::string(&manifest.version)),
        ("description", Json::string(described.about)),
        (
            "license",
            Json::of(&json!({ "name": "MIT", "url": "https://spdx.org/licenses/MIT.html" })),
        ),
    ])
}

fn path(described: &Description, row: &Row, defs: &Defs) -> Json {
    let method = |method: &&'static str| {
        (method.to_ascii_lowercase(), operation(described, row, method, defs))
    };
    Json::Map(row.methods.iter().map(method).collect())
}

fn operation(described: &Description, row: &Row, method: &str, defs: &Defs) -> Json {
    let request = defs.get(&row.request());
    let mut fields = vec![
        ("operationId", Json::string(&operation_id(row, method))),
        ("summary", Json::string(summary(row.operation.about))),
        ("description", Json::string(row.operation.about)),
        ("tags", Json::of(&json!([described.manifest.dialect]))),
    ];
    if row.operation.signed_in {
        fields.push(("security", Json::of(&security(described.schemes, true))));
    }
    match (method, request) {
        (_, None) => (),
        ("POST", Some(schema)) => fields.push(("requestBody", Json::of(&body(row, schema)))),
        (_, Some(schema)) => {
            let example = described.example(&row.request());
            fields.push(("parameters", Json::of(&parameters(schema, &example))));
        }
    }
    fields.push(("responses", responses(described, row, method, defs)));
    Json::Map(fields.into_iter().map(|(key, value)| (key.to_owned(), value)).collect())
}

/// Of two methods, POST has the plain name: it keeps secrets out of logs.
fn operation_id(row: &Row, method: &str) -> String {
    if method == "POST" || !row.methods.contains(&"POST") {
        return row.name.to_owned();
    }
    format!("{}_{}", row.name, method.to_ascii_lowercase())
}

fn summary(about: &str) -> &str {
    about.split_once(". ").map_or_else(|| about.trim_end_matches('.'), |(first, _)| first)
}

fn body(row: &Row, request: &Value) -> Value {
    let schema = json!({ "schema": { "$ref": format!("{SCHEMAS}{}", row.request()) } });
    let needed = request.get("required").is_some() || request.get("anyOf").is_some();
    json!({
        "required": needed,
        "content": {
            "application/json": schema,
            "application/x-www-form-urlencoded": schema,
        },
    })
}

fn parameters(request: &Value, example: &Value) -> Value {
    let required = |name: &str| {
        let names = request.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|one| one == name))
    };
    let properties = request.get("properties").and_then(Value::as_object);
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = shapes::moved(schema, SCHEMAS);
        let about = schema.as_object_mut().and_then(|fields| fields.remove("description"));
        let mut parameter =
            json!({ "name": name, "in": "query", "required": required(name), "schema": schema });
        if let Some(about) = about {
            parameter["description"] = about;
        }
        if let Some(example) = example.get(name) {
            parameter["example"] = example.clone();
        }
        parameter
    };
    Value::Array(properties.into_iter().flatten().map(parameter).collect())
}

fn responses(described: &Description, row: &Row, method: &str, defs: &Defs) -> Json {
    // A single kind of reply needs no second name.
    let reply = match defs.get(&row.reply()).and_then(|reply| reply.get("$ref")) {
        Some(only) => shapes::moved(&json!({ "$ref": only }), SCHEMAS),
        None => json!({ "$ref": format!("{SCHEMAS}{}", row.reply()) }),
    };
    let mut ok = json!({
        "description": "The dialect's reply, which also says what was refused.",
        "content": { "application/json": { "schema": reply } },
    });
    if !row.operation.links.is_empty() {
        let links = row.operation.links.iter().map(|one| link(described, one, method));
        ok["links"] = Value::Object(links.collect());
    }
    let mut responses = vec![("200".to_owned(), Json::of(&ok))];
    for FaultRow { name, status, .. } in FAULTS {
        let fault = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.push((status.to_string(), Json::of(&fault)));
    }
    Json::Map(responses)
}

/// A link to another operation, by the same method if that has two.
fn link(described: &Description, link: &Link, method: &str) -> (String, Value) {
    let row = described.rows.iter().find(|row| row.name == link.to);
    let row = row.unwrap_or_else(|| panic!("there is no endpoint {} to link to", link.to));
    let to = if row.methods.contains(&method) { method } else { "POST" };
    let value = |source: Source| match (source, method) {
        (Source::Reply(pointer), _) => format!("$response.body#{pointer}"),
        (Source::Request(field), "POST") => format!("$request.body#/{field}"),
        (Source::Request(field), _) => format!("$request.query.{field}"),
    };
    let fields = link.fields.iter().map(|(name, from)| ((*name).to_owned(), value(*from).into()));
    let fields: Map<String, Value> = fields.collect();
    let id = operation_id(row, to);
    let place = if to == "POST" { "requestBody" } else { "parameters" };
    (id.clone(), json!({ "operationId": id, place: fields }))
}

/// Any of the schemes; for operations that need no user, also none.
fn security(schemes: &[Scheme], signed_in: bool) -> Value {
    let ways = schemes.iter().filter(|scheme| scheme.signs_in == signed_in);
    let ways = ways.map(|scheme| json!({ scheme.name: [] }));
    let nothing = (!signed_in).then(|| json!({}));
    Value::Array(nothing.into_iter().chain(ways).collect())
}

fn components(described: &Description, defs: &Defs) -> Json {
    let fault = described.fault.as_ref().map(shapes::Shape::name).unwrap_or_default();
    let response = |row: &FaultRow| {
        let schema = json!({ "$ref": format!("{SCHEMAS}{fault}") });
        let content = json!({ "application/json": { "schema": schema } });
        let mut response = json!({ "description": row.why, "content": content });
        if let Some((header, about)) = row.header {
            let text = json!({ "type": "string" });
            response["headers"] = json!({ header: { "description": about, "schema": text } });
        }
        (row.name.to_owned(), Json::of(&response))
    };
    let schemes = described.schemes.iter().map(|s| (s.name.to_owned(), Json::of(&scheme(s))));
    Json::map([
        ("schemas", schemas(described, &wanted(described, defs), defs)),
        ("responses", Json::Map(FAULTS.iter().map(response).collect())),
        ("securitySchemes", Json::Map(schemes.collect())),
    ])
}

/// The definitions that the paths and responses need, directly or not.
fn wanted(described: &Description, defs: &Defs) -> Vec<String> {
    let mut wanted: Vec<String> = described.fault.iter().map(shapes::Shape::name).collect();
    for row in &described.rows {
        wanted.push(row.request());
        wanted.push(row.reply());
    }
    closure(wanted, defs)
}

/// These definitions and all that they refer to, by name, without mere aliases.
pub(super) fn closure(mut wanted: Vec<String>, defs: &Defs) -> Vec<String> {
    let mut at = 0;
    while let Some(name) = wanted.get(at).cloned() {
        for target in defs.get(&name).into_iter().flat_map(shapes::targets) {
            if !wanted.contains(&target) {
                wanted.push(target);
            }
        }
        at += 1;
    }
    wanted.retain(|name| defs.get(name).is_some_and(|schema| schema.get("$ref").is_none()));
    wanted.sort();
    wanted
}

/// The definitions under the path of OpenAPI and AsyncAPI.
pub(super) fn schemas(described: &Description, wanted: &[String], defs: &Defs) -> Json {
    let schema = |name: &String| {
        let mut schema = shapes::moved(&defs[name], SCHEMAS);
        one_shape(&mut schema);
        (name.clone(), described.shown(name, &schema))
    };
    Json::Map(wanted.iter().map(schema).collect())
}

/// Generators take an object with alternative `required` lists for a choice without fields.
fn one_shape(schema: &mut Value) {
    if let Some(fields) = schema.as_object_mut().filter(|fields| fields.contains_key("properties"))
    {
        fields.remove("anyOf");
    }
}

fn scheme(scheme: &Scheme) -> Value {
    let (place, name) = match scheme.place {
        Where::Bearer => {
            return json!({ "type": "http", "scheme": "bearer", "description": scheme.about });
        }
        Where::Header(name) => ("header", name),
        Where::Query(name) => ("query", name),
        Where::Cookie(name) => ("cookie", name),
    };
    json!({ "type": "apiKey", "in": place, "name": name, "description": scheme.about })
}
