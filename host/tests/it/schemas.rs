//! The schemas of the repository are those of the code, and are what they claim to be.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use dragoman::config::{Sources, draft};
use dragoman::dialects::DIALECTS;
use dragoman::schemas::{self, File};
use jsonschema::Validator;
use serde_json::{Value, json};

use crate::program::{FINE, folder, run};

const OPENAPI: &str = include_str!("../meta-schemas/openapi-3.1.json");
const ASYNCAPI: &str = include_str!("../meta-schemas/asyncapi-3.0.json");

fn workspace() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("host is a folder of it").to_owned()
}

/// Every JSON document, parsed.
fn documents() -> Vec<(String, Value)> {
    let json = |File { path, text, .. }: File| {
        let value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{path}: {e}"));
        (path, value)
    };
    schemas::all().into_iter().map(json).collect()
}

fn gateway() -> Value {
    let (_, gateway) = documents().into_iter().find(|(path, _)| path == "gateway.json").unwrap();
    gateway
}

#[test]
fn the_committed_schemas_are_current() {
    let folder = workspace().join("schemas");
    let mut stale = Vec::new();
    let mut paths = BTreeSet::new();
    for File { path, text, .. } in schemas::all() {
        let file = folder.join(&path);
        if std::fs::read_to_string(&file).unwrap_or_default() != text {
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(&file, text).unwrap();
            stale.push(path.clone());
        }
        paths.insert(file);
    }
    assert!(stale.is_empty(), "schemas/ was stale; these are rewritten: {stale:?}");
    let strange: Vec<PathBuf> = files(&folder).into_iter().filter(|f| !paths.contains(f)).collect();
    assert!(strange.is_empty(), "nothing makes {strange:?}");
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

#[test]
fn every_document_is_valid_by_its_own_meta_schema() {
    let [openapi, asyncapi] = [OPENAPI, ASYNCAPI].map(|text| {
        jsonschema::validator_for(&serde_json::from_str(text).unwrap()).expect("a meta-schema")
    });
    let contract = documents().into_iter().find(|(path, _)| path == "engine/fidelity.json");
    let contract = jsonschema::validator_for(&contract.unwrap().1).expect("a schema");
    for (path, document) in documents() {
        match path.rsplit('/').next().unwrap() {
            "openapi.json" => assert_valid(&path, &openapi, &document),
            "asyncapi.json" => assert_valid(&path, &asyncapi, &document),
            // The layout of frames: tests of its own compile it.
            "token.ksy" => (),
            "fidelity.json" if path == "fidelity.json" => assert_valid(&path, &contract, &document),
            _ => jsonschema::meta::validate(&document).unwrap_or_else(|e| panic!("{path}: {e}")),
        }
        for (name, schema) in components(&document) {
            jsonschema::meta::validate(schema).unwrap_or_else(|e| panic!("{path}: {name}: {e}"));
        }
    }
}

fn assert_valid(path: &str, validator: &Validator, document: &Value) {
    let errors: Vec<String> = validator
        .iter_errors(document)
        .map(|error| format!("{}: {error}", error.instance_path()))
        .collect();
    assert!(errors.is_empty(), "{path}: {errors:#?}");
}

fn components(document: &Value) -> impl Iterator<Item = (&String, &Value)> {
    let schemas = document.pointer("/components/schemas").and_then(Value::as_object);
    schemas.into_iter().flatten()
}

#[test]
fn every_reference_leads_somewhere_and_stands_alone() {
    for (path, document) in documents() {
        for object in objects(&document) {
            let Some(Value::String(target)) = object.get("$ref") else { continue };
            let pointer = target.strip_prefix('#').expect("references stay in the document");
            assert!(document.pointer(pointer).is_some(), "{path}: {target} leads nowhere");
            assert_eq!(object.as_object().unwrap().len(), 1, "{path}: beside {target}");
        }
    }
}

/// Every object in a document that is no example.
fn objects(value: &Value) -> Vec<&Value> {
    let inner = match value {
        Value::Object(fields) => {
            let inner = fields.iter().filter(|(key, _)| *key != "examples");
            inner.flat_map(|(_, value)| objects(value)).collect()
        }
        Value::Array(elements) => elements.iter().flat_map(objects).collect(),
        _ => Vec::new(),
    };
    let own = value.is_object().then_some(value);
    own.into_iter().chain(inner).collect()
}

#[test]
fn every_message_has_a_title_a_description_and_examples_that_it_describes() {
    let mut examples = 0;
    for (path, document) in documents().into_iter().filter(|(p, _)| p.ends_with("/schema.json")) {
        let defs = document["$defs"].as_object().unwrap();
        for (name, schema) in defs.iter().filter(|(_, schema)| schema.get("$ref").is_none()) {
            assert_eq!(schema["title"], **name, "{path}");
            assert!(!name.ends_with(|last: char| last.is_ascii_digit()), "{path}: {name}");
            let described =
                json!({ "$ref": format!("#/$defs/{name}"), "$defs": document["$defs"] });
            let validator = jsonschema::validator_for(&described).unwrap();
            for example in schema["examples"].as_array().into_iter().flatten() {
                assert_valid(&format!("{path}: {name}"), &validator, example);
                examples += 1;
            }
        }
        for name in whole_messages(&document) {
            let schema = &defs[&name];
            assert!(schema["description"].is_string(), "{path}: {name} says nothing of itself");
            assert!(schema["examples"].is_array(), "{path}: no transcript shows {name}");
        }
    }
    assert!(examples > 150, "{examples} examples");
}

/// The definitions that are whole messages, and not a choice of others.
fn whole_messages(document: &Value) -> BTreeSet<String> {
    let defs = &document["$defs"];
    let mut left: Vec<Value> = document["anyOf"].as_array().unwrap().clone();
    let mut whole = BTreeSet::new();
    while let Some(reference) = left.pop() {
        let name = reference["$ref"].as_str().unwrap().rsplit('/').next().unwrap();
        match (&defs[name]["oneOf"], &defs[name]["$ref"]) {
            (Value::Array(choices), _) => left.extend(choices.clone()),
            (_, Value::String(_)) => left.push(defs[name].clone()),
            _ => drop(whole.insert(name.to_owned())),
        }
    }
    whole
}

#[test]
fn every_operation_has_a_name_of_its_own() {
    for (path, document) in documents().into_iter().filter(|(p, _)| p.ends_with("openapi.json")) {
        let operations = document["paths"].as_object().unwrap().values();
        let ids: Vec<&str> = operations
            .flat_map(|path| path.as_object().unwrap().values())
            .map(|operation| operation["operationId"].as_str().unwrap())
            .collect();
        let different: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(different.len(), ids.len(), "{path}: {ids:?}");
    }
}

#[test]
fn every_link_leads_to_an_operation_from_what_there_is() {
    let mut links = 0;
    for (path, document) in documents().into_iter().filter(|(p, _)| p.ends_with("openapi.json")) {
        let operations: Vec<&Value> = document["paths"]
            .as_object()
            .unwrap()
            .values()
            .flat_map(|path| path.as_object().unwrap().values())
            .collect();
        for from in &operations {
            let given = from["responses"]["200"]["links"].as_object().into_iter().flatten();
            for (name, link) in given {
                let at = format!("{path}: {name}, after {}", from["operationId"]);
                let is_it = |to: &&&Value| to["operationId"] == link["operationId"];
                let to = operations.iter().find(is_it).unwrap_or_else(|| panic!("{at}"));
                let fields = link.get("requestBody").or_else(|| link.get("parameters"));
                for (field, value) in fields.and_then(Value::as_object).expect(&at) {
                    let known = field == "token" || fields_of(&document, to).contains(field);
                    assert!(known, "{at}: there is no {field}");
                    let value = value.as_str().expect(&at);
                    let asked = ["$request.body#/", "$request.query."];
                    match asked.iter().find_map(|prefix| value.strip_prefix(prefix)) {
                        Some(field) => {
                            let known = fields_of(&document, from).contains(field);
                            assert!(known, "{at}: unexpected {field}");
                        }
                        None => assert!(answers(&document, from, value), "{at}: no {value}"),
                    }
                    links += 1;
                }
            }
        }
    }
    assert!(links > 20, "{links} fields of links");
}

/// What an operation is asked with.
fn fields_of(document: &Value, operation: &Value) -> BTreeSet<String> {
    let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
    let body = body.as_str().and_then(|target| document.pointer(&target[1..]));
    let fields = body.and_then(|body| body["properties"].as_object());
    let parameters = operation["parameters"].as_array().into_iter().flatten();
    let parameters = parameters.map(|parameter| parameter["name"].as_str().unwrap().to_owned());
    fields.into_iter().flatten().map(|(name, _)| name.clone()).chain(parameters).collect()
}

/// Whether an example of a reply to an operation has such a thing as `$response.body#/room_id`.
fn answers(document: &Value, operation: &Value, value: &str) -> bool {
    let pointer = value.strip_prefix("$response.body#").expect("it is from the reply");
    let reply = &operation["responses"]["200"]["content"]["application/json"]["schema"]["$ref"];
    let reply = document.pointer(&reply.as_str().unwrap()[1..]).unwrap();
    let choices = reply["oneOf"].as_array().into_iter().flatten();
    let named = choices.map(|choice| document.pointer(&choice["$ref"].as_str().unwrap()[1..]));
    let examples = named.flatten().flat_map(|reply| reply["examples"].as_array().unwrap());
    examples.into_iter().any(|example| example.pointer(pointer).is_some())
}

#[test]
fn the_shipped_configuration_is_valid_and_names_its_schema() {
    let text = std::fs::read_to_string(workspace().join("gateway.toml")).unwrap();
    assert!(text.starts_with("#:schema ./schemas/gateway.json\n"), "editors read the first line");
    let validator = jsonschema::validator_for(&gateway()).unwrap();
    let shipped: Value = toml::from_str(&text).unwrap();
    assert_valid("gateway.toml", &validator, &shipped);
    // With every comment taken off that gives a default.
    let uncommented: String = text
        .lines()
        .map(|line| match line.strip_prefix('#') {
            Some(key) if !key.starts_with([' ', ':']) => format!("{key}\n"),
            _ => format!("{line}\n"),
        })
        .collect();
    let all: Value = toml::from_str(&uncommented).unwrap();
    assert_ne!(all, shipped);
    assert_valid("gateway.toml without its #", &validator, &all);
}

#[test]
fn the_schemas_of_the_engine_describe_what_the_page_on_plugins_shows() {
    let page = std::fs::read_to_string(workspace().join("docs/plugins.md")).unwrap();
    let documents: BTreeMap<String, Value> = documents().into_iter().collect();
    let mut shown = BTreeSet::new();
    for block in page.split("```json ").skip(1) {
        let (kind, rest) = block.split_once('\n').unwrap();
        let json = rest.split("```").next().unwrap();
        let schema = documents.get(&format!("engine/{kind}.json"));
        let schema = schema.unwrap_or_else(|| panic!("no schema of {kind}"));
        let validator = jsonschema::validator_for(schema).unwrap();
        for value in serde_json::Deserializer::from_str(json).into_iter::<Value>() {
            let value = value.expect("it is JSON");
            // With a command goes what its connection watches from then on.
            let value = value.get("command").unwrap_or(&value);
            assert_valid(&format!("{kind}: {json}"), &validator, value);
        }
        shown.insert(kind);
    }
    assert!(shown.len() > 7, "{shown:?}");
}

/// The dotted keys of a schema of tables.
fn keys(schema: &Value, prefix: &str, into: &mut BTreeSet<String>) {
    for (key, schema) in schema["properties"].as_object().into_iter().flatten() {
        let key = format!("{prefix}{key}");
        for table in std::iter::once(schema)
            .chain(schema.get("items"))
            .chain(schema["anyOf"].as_array().into_iter().flatten())
        {
            keys(table, &format!("{key}."), into);
        }
        into.insert(key);
    }
}

/// A configuration with a section for everything.
fn everything() -> String {
    let mut everything = String::from(
        "[server.log]\n[store]\n[admin]\n[[rooms]]\nname = \"TEST\"\n[[webhooks]]\nname = \"hook\"\n",
    );
    everything += "url = \"https://hooks.example.org/\"\nevents = [\"message.created\"]\n";
    everything += "secret = \"whsec_MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3\"\n";
    everything +=
        "[cluster]\nname = \"chat\"\nservers = \"nats://127.0.0.1:4222\"\n[cluster.tls]\n";
    everything += "[auth.http]\nurl = \"http://127.0.0.1/\"\n";
    everything +=
        "[auth.jwt]\njwks_url = \"http://127.0.0.1/\"\nissuer = \"i\"\naudience = \"a\"\n";
    for dialect in DIALECTS {
        everything += &format!("[frontends.{}]\n", dialect.name);
    }
    everything
}

/// The problems of a configuration.
fn complaints(file: &Path, config: &Value) -> String {
    std::fs::write(file, toml::to_string(config).unwrap()).unwrap();
    let sources = Sources { file: file.to_owned(), environment: Vec::new(), set: Vec::new() };
    draft(&sources, DIALECTS).map_or_else(|p| p.to_string(), |draft| draft.problems.to_string())
}

#[test]
fn the_schema_of_the_configuration_has_every_key_that_is_read() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, everything()).unwrap();
    let sources = Sources { file, environment: Vec::new(), set: Vec::new() };
    let draft = draft(&sources, DIALECTS).unwrap_or_else(|problems| panic!("{problems}"));
    let mut described = BTreeSet::new();
    keys(&gateway(), "", &mut described);
    let differ: Vec<&String> = described.symmetric_difference(&draft.keys).collect();
    assert!(differ.is_empty(), "only read, or only described: {differ:?}");
}

/// Values that are tried for every key.
const VALUES: &[&str] = &[
    "true",
    "7",
    "0",
    "-1",
    "1.5",
    "\"text\"",
    "\"\"",
    "\"10s\"",
    "\"10 s\"",
    "[]",
    "[7]",
    "[\"TEST\"]",
    "[\"10.0.0.0/8\"]",
    "{}",
    "\"127.0.0.1:0\"",
    "\"[::1]:0\"",
    "\"json\"",
    "\"info\"",
    "\"number\"",
    "\"unread\"",
    "\"UTC\"",
    "4294967295",
    "4294967296",
];

#[test]
fn the_schema_of_the_configuration_takes_what_the_gateway_takes() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("gateway.toml");
    std::fs::write(&file, everything()).unwrap();
    let schema = gateway();
    let validator = jsonschema::validator_for(&schema).unwrap();
    let mut described = BTreeSet::new();
    keys(&schema, "", &mut described);
    let leaves =
        described.iter().filter(|key| !described.iter().any(|other| is_within(other, key)));
    let mut taken = 0;
    // The tables of listeners have the same keys in every front end, and for the admin listener.
    let is_once = |key: &&String| {
        let is_short = key.split('.').count() <= 3 && !key.starts_with("admin.tls.");
        is_short || key.contains(".channel.")
    };
    for key in leaves
        .filter(is_once)
        .filter(|key| !key.starts_with("rooms") && !key.starts_with("webhooks"))
    {
        for value in VALUES {
            let mut config: Value = toml::from_str(&everything()).unwrap();
            let shape: Value = toml::from_str::<Value>(&format!("value = {value}")).unwrap();
            *entry(&mut config, key) = shape["value"].clone();
            let valid = validator.is_valid(&config);
            let complaints = complaints(&file, &config);
            // Only the gateway checks the content of strings and lists of strings.
            let is_text = matches!(&shape["value"], Value::String(_) | Value::Array(_));
            if complaints.is_empty() {
                assert!(valid, "the gateway accepts {key} = {value}, its schema does not");
            } else if !is_text {
                // Only the dialect checks the range of its own numbers.
                assert!(
                    !valid || key.starts_with("frontends"),
                    "the schema accepts {key} = {value}, which the gateway refuses: {complaints}"
                );
            }
            taken += usize::from(complaints.is_empty());
        }
    }
    assert!(taken > 200, "{taken} settings were taken");
}

/// The place of a dotted key; tables that are missing are made.
fn entry<'a>(config: &'a mut Value, key: &str) -> &'a mut Value {
    key.split('.').fold(config, |table, part| {
        if table.is_null() {
            *table = serde_json::json!({});
        }
        &mut table[part]
    })
}

fn is_within(key: &str, table: &str) -> bool {
    key.strip_prefix(table).is_some_and(|rest| rest.starts_with('.'))
}

#[test]
fn schema_export_writes_the_committed_files() {
    let folder = tempfile::tempdir().unwrap();
    let said = run(folder.path(), &["schema", "export", "--out", "here"]);
    assert!(said.ends_with("exit 0"), "{said}");
    let written = files(&folder.path().join("here"));
    for file in &written {
        let path = file.strip_prefix(folder.path().join("here")).unwrap();
        let committed = std::fs::read_to_string(workspace().join("schemas").join(path));
        assert!(std::fs::read_to_string(file).unwrap() == committed.unwrap(), "{path:?} differs");
    }
    let listed = run(folder.path(), &["schema", "list"]);
    for File { path, media_type, .. } in schemas::own() {
        assert!(listed.contains(&format!("{path}  {media_type}  ")), "{listed}");
    }
    // A line for each, besides the command and the exit.
    assert_eq!(listed.lines().count(), written.len() + 2, "{listed}");
}

#[test]
fn the_program_describes_a_dialect_as_it_is_configured() {
    let folder = folder("[frontends.usr_room]\nflavor = \"miniprogram\"\n");
    let export = ["schema", "export", "--dialect", "usr_room", "--out", "here"];
    let said = run(folder.path(), &export);
    assert!(said.ends_with("exit 0"), "{said}");
    assert_eq!(files(&folder.path().join("here")).len(), 2);
    for name in ["schema.json", "openapi.json"] {
        let written = folder.path().join("here/usr_room").join(name);
        let committed = workspace().join("schemas/usr_room/miniprogram").join(name);
        let [written, committed] = [written, committed].map(|path| {
            let text = std::fs::read_to_string(path).unwrap();
            let mut json: Value = serde_json::from_str(&text).unwrap();
            // The configured address; the committed one is the default.
            json.as_object_mut().unwrap().remove("servers");
            json
        });
        assert!(written == committed, "{name} differs");
    }
}

#[test]
fn a_dialect_that_there_is_not_has_no_schemas() {
    let folder = folder(FINE);
    let said = run(folder.path(), &["schema", "list", "--dialect", "chanel"]);
    assert!(said.contains("stderr: there is no dialect chanel; there are token, "), "{said}");
    assert!(said.ends_with("exit 1"), "{said}");
}
