//! Recipes for client SDKs, one for each language and dialect: the repository's folder `sdks/`,
//! embedded in the binary.
//!
//! `sdks/<language>/<dialect>/` has `recipe.toml` and the hand-written files of the package. Files
//! that several dialects of a language share are in `sdks/<language>/shared/`.

use std::collections::{BTreeMap, BTreeSet};

use frontend_api::schema::{self, Document};
use include_dir::{Dir, File, include_dir};
use serde::Deserialize;
use serde_json::{Map, Value, json};

static SDKS: Dir<'_> = include_dir!("$CARGO_MANIFEST_DIR/../sdks");

/// The recipe's own file, which is not copied into packages.
const RECIPE: &str = "recipe.toml";

/// The folder of files that the dialects of a language share.
const SHARED: &str = "shared";

/// How to generate one SDK.
#[derive(Clone, Debug)]
pub struct Recipe {
    /// `typescript`
    pub language: String,
    /// As the dialect's manifest names it.
    pub dialect: String,
    pub steps: Steps,
    /// The files that are copied into the package, by path.
    pub files: BTreeMap<String, String>,
}

/// `recipe.toml`.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Steps {
    /// Programs that must be on the PATH.
    pub programs: Vec<String>,
    /// Files of the language's `shared` folder that belong to the package.
    #[serde(default)]
    pub shared: Vec<String>,
    /// The folder of the package that they are copied to.
    #[serde(default)]
    pub shared_into: String,
    pub documents: Vec<Source>,
    /// Shell commands, run in the package's folder, that install generators and libraries.
    pub install: Vec<String>,
    /// Shell commands, run there afterwards, that generate code.
    pub generate: Vec<String>,
    /// Shell commands, run there, that check the package's types and run its tests.
    #[serde(default)]
    pub check: Vec<String>,
    /// The command that runs the example; arguments may follow it.
    pub example: String,
}

/// A document of the dialect that a package is generated from.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// As `dragoman schema` names it: `openapi.json`
    pub name: String,
    /// Its path in the package.
    pub to: String,
    #[serde(default)]
    pub prepare: Vec<Preparation>,
}

/// A change to a document that works around a limitation of a generator.
#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Preparation {
    /// OpenAPI: removes HTML form request bodies where JSON is accepted too.
    WithoutForms,
    /// JSON Schema: keeps these definitions and what they refer to, as one `anyOf` schema.
    Only(Vec<String>),
}

/// What is wrong with a recipe or a document.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum RecipeError {
    #[error("the dialect has no document {0}")]
    NoDocument(String),
    #[error("{0} is not JSON: {1}")]
    NoJson(String, String),
    #[error("{0} has no definition {1}")]
    NoDefinition(String, String),
}

/// Every recipe, sorted by language and dialect.
///
/// # Panics
///
/// If an embedded recipe is malformed; a test parses all of them.
pub fn recipes() -> Vec<Recipe> {
    let languages = SDKS.dirs().flat_map(|language| {
        language.dirs().filter(|dialect| name(dialect) != SHARED).map(move |d| recipe(language, d))
    });
    let mut recipes: Vec<Recipe> = languages.collect();
    recipes.sort_by(|a, b| (&a.language, &a.dialect).cmp(&(&b.language, &b.dialect)));
    recipes
}

fn recipe(language: &'static Dir<'_>, dialect: &'static Dir<'_>) -> Recipe {
    let mut files = files(dialect, dialect);
    let text = files.remove(RECIPE);
    let text = text.unwrap_or_else(|| panic!("{} has no {RECIPE}", dialect.path().display()));
    let steps: Steps = toml::from_str(&text)
        .unwrap_or_else(|error| panic!("{}: {error}", dialect.path().display()));
    for path in &steps.shared {
        let file = language.get_file(language.path().join(SHARED).join(path));
        let file = file.unwrap_or_else(|| panic!("{path} is not shared in {}", name(language)));
        files.insert(steps.shared_path(path), text_of(file));
    }
    Recipe { language: name(language), dialect: name(dialect), steps, files }
}

fn name(dir: &Dir<'_>) -> String {
    dir.path().file_name().expect("a folder below sdks").to_string_lossy().into_owned()
}

fn files(root: &Dir<'_>, dir: &Dir<'_>) -> BTreeMap<String, String> {
    let path = |file: &File<'_>| {
        let path = file.path().strip_prefix(root.path()).expect("it is below its root");
        path.to_string_lossy().into_owned()
    };
    let own = dir.files().map(|file| (path(file), text_of(file)));
    own.chain(dir.dirs().flat_map(|dir| files(root, dir))).collect()
}

fn text_of(file: &File<'_>) -> String {
    let text = file.contents_utf8();
    text.unwrap_or_else(|| panic!("{} is not UTF-8", file.path().display())).to_owned()
}

impl Steps {
    /// The path of a shared file in the package.
    pub fn shared_path(&self, path: &str) -> String {
        let folder = &self.shared_into;
        if folder.is_empty() { path.to_owned() } else { format!("{folder}/{path}") }
    }
}

impl Source {
    /// The text for the package, made from the dialect's documents.
    pub fn prepared(&self, documents: &[Document]) -> Result<String, RecipeError> {
        let document = documents.iter().find(|document| document.name == self.name);
        let text = &document.ok_or_else(|| RecipeError::NoDocument(self.name.clone()))?.text;
        if self.prepare.is_empty() {
            return Ok(text.clone());
        }
        let mut document: Value = serde_json::from_str(text)
            .map_err(|error| RecipeError::NoJson(self.name.clone(), error.to_string()))?;
        for preparation in &self.prepare {
            match preparation {
                Preparation::WithoutForms => without_forms(&mut document),
                Preparation::Only(wanted) => document = only(&document, wanted, &self.name)?,
            }
        }
        Ok(schema::text_of(&document))
    }
}

const JSON: &str = "application/json";
const FORM: &str = "application/x-www-form-urlencoded";

fn without_forms(openapi: &mut Value) {
    let paths = openapi.get_mut("paths").and_then(Value::as_object_mut);
    let operations = paths.into_iter().flat_map(|paths| paths.values_mut());
    let operations = operations.filter_map(Value::as_object_mut).flat_map(Map::values_mut);
    for operation in operations {
        let content = operation.pointer_mut("/requestBody/content").and_then(Value::as_object_mut);
        if let Some(content) = content.filter(|content| content.contains_key(JSON)) {
            content.remove(FORM);
        }
    }
}

fn only(bundle: &Value, wanted: &[String], document: &str) -> Result<Value, RecipeError> {
    let mut kept = BTreeSet::new();
    let mut waiting: Vec<String> = wanted.to_vec();
    while let Some(name) = waiting.pop() {
        let definition = bundle["$defs"].get(&name);
        let definition = definition
            .ok_or_else(|| RecipeError::NoDefinition(document.to_owned(), name.clone()))?;
        if kept.insert(name) {
            waiting.extend(references(definition));
        }
    }
    let mut made = bundle.clone();
    if let Some(definitions) = made["$defs"].as_object_mut() {
        definitions.retain(|name, _| kept.contains(name));
    }
    made["anyOf"] =
        wanted.iter().map(|name| json!({ "$ref": format!("#/$defs/{name}") })).collect();
    Ok(made)
}

/// The names of the definitions that a schema refers to.
fn references(schema: &Value) -> Vec<String> {
    match schema {
        Value::Object(fields) => {
            let own = fields.get("$ref").and_then(Value::as_str);
            let own = own.and_then(|target| target.strip_prefix("#/$defs/")).map(str::to_owned);
            own.into_iter().chain(fields.values().flat_map(references)).collect()
        }
        Value::Array(elements) => elements.iter().flat_map(references).collect(),
        _ => Vec::new(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_body_is_removed_where_json_is_accepted() {
        let mut openapi = json!({ "paths": {
            "/both": { "post": { "requestBody": { "content": { JSON: {}, FORM: {} } } } },
            "/form": { "post": { "requestBody": { "content": { FORM: {} } } } },
            "/none": { "get": {} },
        } });
        without_forms(&mut openapi);
        assert_eq!(
            openapi["paths"],
            json!({
                "/both": { "post": { "requestBody": { "content": { JSON: {} } } } },
                "/form": { "post": { "requestBody": { "content": { FORM: {} } } } },
                "/none": { "get": {} },
            })
        );
    }

    #[test]
    fn definitions_are_kept_with_their_references() {
        let bundle = json!({
            "title": "all", "anyOf": [{ "$ref": "#/$defs/A" }, { "$ref": "#/$defs/D" }],
            "$defs": {
                "A": { "properties": { "b": { "$ref": "#/$defs/B" } } },
                "B": { "items": [{ "$ref": "#/$defs/C" }, { "$ref": "#/$defs/A" }] },
                "C": {}, "D": {},
            },
        });
        let made = only(&bundle, &["A".into()], "schema.json").unwrap();
        let kept: Vec<&String> = made["$defs"].as_object().unwrap().keys().collect();
        assert_eq!(kept, ["A", "B", "C"]);
        assert_eq!(made["anyOf"], json!([{ "$ref": "#/$defs/A" }]));
        assert_eq!(
            only(&bundle, &["E".into()], "schema.json").unwrap_err().to_string(),
            "schema.json has no definition E"
        );
    }
}
