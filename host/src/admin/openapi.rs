//! `schemas/admin/openapi.json`: the API as an OpenAPI 3.1 document, from the table of operations.

use std::collections::BTreeSet;

use schemars::SchemaGenerator;
use schemars::generate::SchemaSettings;
use schemars::transform::RemoveRefSiblings;
use serde_json::{Map, Value, json};

use super::backup::{BACKUP_MEDIA_TYPE, EXPORT_MEDIA_TYPE};
use super::endpoint::{
    BackUpStore, Endpoint as _, ExportStore, OpenTap, PlayerFrames, Row, WatchLive, rows,
};
use super::problem::Problem;

/// The media type of server-sent events.
pub const EVENTS_MEDIA_TYPE: &str = "text/event-stream";

const SCHEMAS: &str = "/components/schemas";

/// The statuses of refusals, and why.
const PROBLEMS: [(&str, &str, &str); 9] = [
    ("400", "Invalid", "A parameter, the query, the cursor or the body is not what it should be."),
    ("401", "Unauthorized", "The token is unknown, revoked or expired."),
    ("403", "Forbidden", "The role does not suffice, or the request may not come this way."),
    ("404", "Unknown", "There is no such user, room, message, session, token or path."),
    ("405", "MethodNotAllowed", "The path does not support the method."),
    ("409", "Conflict", "Something else has the name or the identity, or stands in the way."),
    ("413", "ContentTooLarge", "The body is larger than 64 KiB."),
    ("415", "UnsupportedMediaType", "The body is no JSON, and its type says so."),
    ("503", "Unavailable", "The store has failed, or the gateway is overloaded."),
];

/// The parts of the API: the first part of each path.
const TAGS: [(&str, &str); 17] = [
    ("sessions", "The open stream connections."),
    ("tap", "The frames of sessions as they pass."),
    ("users", "Accounts."),
    ("bans", "Users, identities and networks that are refused."),
    ("rooms", "Rooms, their members and their messages."),
    ("messages", "Single messages."),
    ("announce", "Notices to every room."),
    ("live", "What the gateway does, second by second."),
    ("frontends", "The front ends."),
    ("playground", "Sessions that the gateway drives, to see the dialects at work."),
    ("plugins", "Front ends from libraries."),
    ("config", "The configuration: what it is, and what another one would change."),
    ("webhooks", "Events for other servers."),
    ("store", "The store: what it holds, and backups."),
    ("cluster", "The gateways that share a log."),
    ("tokens", "The tokens of this API."),
    ("audit", "The log of changes."),
];

const ABOUT: &str = "Sees and changes a running gateway. A request needs a token of a role \
    (`Authorization: Bearer …`, from `dragoman admin token create`), or comes over a loopback \
    address with the header `X-Dragoman-Admin` and without a token. Lists are read in pages: `next` \
    of one is the cursor of the next.";

/// The document, as text.
pub fn document() -> Value {
    let mut settings = SchemaSettings::draft2020_12();
    settings.definitions_path = SCHEMAS.into();
    settings.inline_subschemas = false;
    // Readers of references pass over what is beside them.
    settings.transforms.push(Box::new(RemoveRefSiblings::default()));
    let mut generator = settings.into_generator();
    let problem: Value = generator.subschema_for::<Problem>().into();
    let mut paths: Map<String, Value> = Map::new();
    for row in rows() {
        let operation = operation(&row, &mut generator);
        let path = paths.entry(row.path).or_insert_with(|| json!({}));
        path[row.method.to_ascii_lowercase()] = operation;
    }
    let responses = PROBLEMS.iter().map(|(_, name, why)| {
        let content = json!({ "application/problem+json": { "schema": problem } });
        ((*name).to_owned(), json!({ "description": why, "content": content }))
    });
    let responses: Map<String, Value> = responses.collect();
    let paths = Value::Object(paths);
    let mut schemas = generator.take_definitions(true);
    let used = used(&[&paths, &problem], &schemas);
    schemas.retain(|name, _| used.contains(name));
    let tags = TAGS.map(|(name, about)| json!({ "name": name, "description": about }));
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Dragoman: the admin API",
            "version": "1",
            "description": ABOUT,
            "license": { "name": "MIT", "url": "https://spdx.org/licenses/MIT.html" },
        },
        "servers": [{
            "url": "http://127.0.0.1:5090",
            "description": "The address of the shipped configuration; [admin] listen sets it.",
        }],
        "tags": tags,
        "security": [{ "token": [] }, { "local": [] }],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "responses": responses,
            "securitySchemes": {
                "token": { "type": "http", "scheme": "bearer", "description": "A token of a role." },
                "local": {
                    "type": "apiKey",
                    "in": "header",
                    "name": "X-Dragoman-Admin",
                    "description": "Any value; over a loopback address only.",
                },
            },
        },
    })
}

fn operation(row: &Row, generator: &mut SchemaGenerator) -> Value {
    let [query, body, reply] = (row.schemas)(generator);
    let about = row.about.trim();
    let summary = about.split_once(". ").map_or(about, |(first, _)| first).trim_end_matches('.');
    let mut parameters: Vec<Value> = in_path(row).collect();
    parameters.extend(in_query(&resolved(&query, generator)));
    let role = row.role.word();
    let mut operation = json!({
        "operationId": row.name,
        "summary": summary,
        "description": format!("{about} Needs the role {role}."),
        "x-role": role,
        "tags": [row.path.split('/').nth(3).unwrap_or_default()],
        "parameters": parameters,
    });
    let shape = resolved(&body, generator);
    let fields = shape.get("properties").and_then(Value::as_object);
    if fields.is_some_and(|fields| !fields.is_empty()) {
        let required = shape.get("required").is_some();
        operation["requestBody"] =
            json!({ "required": required, "content": { "application/json": { "schema": body } } });
    }
    let mut responses = Map::new();
    responses.insert(
        "200".into(),
        json!({
            "description": "Done.",
            "content": { media_type(row): { "schema": reply } },
        }),
    );
    for (status, name, _) in PROBLEMS {
        let problem = json!({ "$ref": format!("#/components/responses/{name}") });
        responses.insert(status.into(), problem);
    }
    operation["responses"] = Value::Object(responses);
    operation
}

/// The names of the schemas that these values need, directly or not.
fn used(roots: &[&Value], schemas: &Map<String, Value>) -> BTreeSet<String> {
    let mut used = BTreeSet::new();
    let mut left: Vec<&Value> = roots.to_vec();
    while let Some(value) = left.pop() {
        match value {
            Value::Array(items) => left.extend(items),
            Value::Object(fields) => {
                let target = fields.get("$ref").and_then(Value::as_str);
                let name = target.and_then(|target| target.strip_prefix("#/components/schemas/"));
                if let Some(name) = name
                    && used.insert(name.to_owned())
                {
                    left.extend(schemas.get(name));
                }
                left.extend(fields.values());
            }
            _ => (),
        }
    }
    used
}

/// The media type of a reply.
fn media_type(row: &Row) -> &'static str {
    match row.name {
        name if name == BackUpStore::ROW.name => BACKUP_MEDIA_TYPE,
        name if name == ExportStore::ROW.name => EXPORT_MEDIA_TYPE,
        name if name == WatchLive::ROW.name => EVENTS_MEDIA_TYPE,
        name if name == OpenTap::ROW.name => EVENTS_MEDIA_TYPE,
        name if name == PlayerFrames::ROW.name => EVENTS_MEDIA_TYPE,
        _ => "application/json",
    }
}

/// The schema that a reference leads to.
fn resolved(schema: &Value, generator: &SchemaGenerator) -> Value {
    let target = schema.get("$ref").and_then(Value::as_str);
    let name = target.and_then(|target| target.rsplit('/').next());
    let found = name.and_then(|name| generator.definitions().get(name));
    found.cloned().unwrap_or_else(|| schema.clone())
}

fn in_path(row: &Row) -> impl Iterator<Item = Value> {
    let parts = row.path.split('/');
    let names = parts.filter_map(|part| part.strip_prefix('{')?.strip_suffix('}'));
    names.map(|name| {
        let about = match name {
            "user" => {
                "A uid (10000), a handle (bob; @10000 where it looks like something else), or an \
                 identity (tel/5551234)."
            }
            "room" => "The name that is unique in the gateway.",
            "session" => "The id of a session.",
            "message" => "The id of a message.",
            "frontend" | "webhook" => "The name in gateway.toml.",
            _ => "The id of a token.",
        };
        json!({
            "name": name,
            "in": "path",
            "required": true,
            "description": about,
            "schema": { "type": "string" },
        })
    })
}

fn in_query(shape: &Value) -> Vec<Value> {
    let required = |name: &str| {
        let names = shape.get("required").and_then(Value::as_array);
        names.is_some_and(|names| names.iter().any(|one| one == name))
    };
    let fields = shape.get("properties").and_then(Value::as_object).into_iter().flatten();
    let parameter = |(name, schema): (&String, &Value)| {
        let mut schema = schema.clone();
        let about = schema.as_object_mut().and_then(|fields| fields.remove("description"));
        let mut parameter =
            json!({ "name": name, "in": "query", "required": required(name), "schema": schema });
        if let Some(about) = about {
            parameter["description"] = about;
        }
        parameter
    };
    fields.map(parameter).collect()
}
