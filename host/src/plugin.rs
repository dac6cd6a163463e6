//! Makes front ends from a shared library and a section of gateway.toml.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use frontend_api::{Frontend, Manifest, OptionFault};
use jsonschema::Validator;
use jsonschema::error::{TypeKind, ValidationErrorKind};
use plugin_loader::{LoadError, LoadedFrontend, PluginFault};
use serde_json::{Map, Value};

use crate::version;

/// The note about a plugin that has functions this gateway does not know.
pub const IS_NEWER: &str = "built for a later gateway; this one ignores its additional functions";

/// A loaded plugin, not configured yet.
pub struct Plugin {
    library: plugin_loader::Plugin,
    path: PathBuf,
    manifest: Manifest,
    options: Validator,
    common: BTreeSet<String>,
}

/// A front end made by a plugin, the file it came from, and the observer of its faults.
#[derive(Clone)]
pub struct Loaded {
    pub path: PathBuf,
    /// The concrete type; the rest of the host sees `dyn Frontend`.
    pub(crate) frontend: Arc<LoadedFrontend>,
    library: plugin_loader::Plugin,
    /// Set when it is served: before that it has no sessions in which a fault could occur.
    observer: Arc<OnceLock<Observer>>,
}

type Observer = Box<dyn Fn(&PluginFault<'_>) + Send + Sync>;

impl Plugin {
    /// Loads the library, which is never unloaded, and reads its manifest. `common` are the keys
    /// that every front end has; the plugin must not use them.
    pub fn open(path: &Path, common: BTreeSet<String>) -> Result<Self, LoadError> {
        if version::IS_STATIC {
            return Err(LoadError::Refused { path: path.into(), why: version::NO_PLUGINS.into() });
        }
        let bad = |why| LoadError::BadManifest { path: path.into(), why };
        let library = plugin_loader::Plugin::open(path)?;
        let manifest = library.frontend(&Map::new())?.manifest().clone();
        check(&manifest, &common).map_err(bad)?;
        let options = jsonschema::validator_for(&manifest.options);
        let options =
            options.map_err(|error| bad(format!("its options are not a JSON Schema: {error}")))?;
        Ok(Self { library, path: path.into(), manifest, options, common })
    }

    /// Whether [`IS_NEWER`] applies.
    pub fn is_newer(&self) -> bool {
        self.library.is_newer()
    }

    /// The manifest with every option at its default.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Makes the front end from its own keys. They are checked against the schema that the plugin
    /// exports, then by the plugin itself.
    pub fn configure(
        &self,
        options: Map<String, Value>,
    ) -> Result<(Arc<dyn Frontend>, Loaded), Vec<OptionFault>> {
        let options = Value::Object(options);
        let faults: Vec<OptionFault> = self.options.iter_errors(&options).map(fault).collect();
        if !faults.is_empty() {
            return Err(faults);
        }
        let Value::Object(options) = options else {
            unreachable!("it is constructed as an object above")
        };
        let frontend = self.library.frontend(&options).map_err(|error| match error {
            LoadError::WouldNotStart { faults, .. } if faults.iter().all(names_an_option) => faults,
            error => self.fault(&error),
        })?;
        check(frontend.manifest(), &self.common)
            .map_err(|why| self.fault(&LoadError::BadManifest { path: self.path.clone(), why }))?;
        let observer = Arc::<OnceLock<Observer>>::default();
        let reported = observer.clone();
        let frontend = Arc::new(frontend.on_fault(move |fault| {
            if let Some(observer) = reported.get() {
                observer(fault);
            }
        }));
        let (path, library) = (self.path.clone(), self.library.clone());
        Ok((frontend.clone(), Loaded { path, frontend, library, observer }))
    }

    fn fault(&self, error: &LoadError) -> Vec<OptionFault> {
        vec![OptionFault::new("plugin", error.to_string())]
    }
}

impl Loaded {
    /// Whether both come from the same file at the same path. A file that has replaced another at
    /// its path is a different one.
    pub(crate) fn is_same(&self, other: &Self) -> bool {
        self.path == other.path && self.library.is_same_library(&other.library)
    }

    /// Whether [`IS_NEWER`] applies.
    pub(crate) fn is_newer(&self) -> bool {
        self.library.is_newer()
    }

    /// Another front end of the same library. Its faults are reported nowhere.
    pub(crate) fn again(&self, options: &Map<String, Value>) -> Option<Arc<dyn Frontend>> {
        let frontend = self.library.frontend(options).ok()?;
        Some(Arc::new(frontend))
    }

    /// Reports each fault to `observer` from now on. Only the first observer counts.
    pub(crate) fn observe(&self, observer: impl Fn(&PluginFault<'_>) + Send + Sync + 'static) {
        let _ = self.observer.set(Box::new(observer));
    }
}

fn names_an_option(fault: &OptionFault) -> bool {
    !fault.key.is_empty()
}

/// The options that a manifest declares.
pub fn option_keys(manifest: &Manifest) -> Vec<String> {
    let properties = manifest.options.get("properties").and_then(Value::as_object);
    properties.into_iter().flatten().map(|(key, _)| key.clone()).collect()
}

/// Why the host cannot use the manifest, as the end of a sentence about it.
fn check(manifest: &Manifest, common: &BTreeSet<String>) -> Result<(), String> {
    if manifest.listeners.is_empty() {
        return Err("it has no listeners".into());
    }
    let mut keys = BTreeSet::new();
    let listeners = manifest.listeners.iter().map(|listener| listener.key.clone());
    for key in listeners.chain(option_keys(manifest)) {
        if common.contains(&key) {
            return Err(format!("{key:?} is a key that every front end has"));
        }
        if !keys.insert(key.clone()) {
            return Err(format!("it has two keys {key:?}"));
        }
    }
    for address in manifest.listeners.iter().filter_map(|listener| listener.address.as_ref()) {
        if address.parse::<SocketAddr>().is_err() {
            return Err(format!("{address:?} is not an address and port"));
        }
    }
    Ok(())
}

/// A schema violation as a fault of the option that it is in.
fn fault(error: jsonschema::ValidationError<'_>) -> OptionFault {
    let path = error.instance_path().to_string();
    let mut parts = path.trim_start_matches('/').splitn(2, '/');
    let key = parts.next().unwrap_or_default();
    let inside = parts.next().map_or(String::new(), |inside| format!("{inside}: "));
    let why = match error.kind() {
        ValidationErrorKind::Type { kind } => format!("expected {}", types(kind)),
        _ => error.masked_with("the value").to_string(),
    };
    OptionFault::new(key, inside + &why)
}

/// JSON's types in the words that the host uses for its own keys.
fn types(kind: &TypeKind) -> String {
    let names: Vec<String> = match kind {
        TypeKind::Single(kind) => vec![kind.to_string()],
        TypeKind::Multiple(kinds) => kinds.iter().map(|kind| kind.to_string()).collect(),
    };
    // TOML has no null; an absent key takes its place.
    let names = names.iter().filter(|name| *name != "null").map(|name| match name.as_str() {
        "array" => "a list",
        "boolean" => "true or false",
        "integer" => "a whole number",
        "number" => "a number",
        "object" => "a table",
        "string" => "a string",
        other => other,
    });
    names.collect::<Vec<_>>().join(" or ")
}

#[cfg(test)]
mod tests {
    use frontend_api::{Acknowledges, Capabilities, Listener, Transport};
    use serde_json::json;

    use super::*;

    fn manifest(listeners: &[(&str, Option<&str>)]) -> Manifest {
        let listener = |(key, address): &(&str, Option<&str>)| Listener {
            key: (*key).into(),
            transport: Transport::Tcp,
            address: address.map(str::to_owned),
            routes: Vec::new(),
        };
        Manifest {
            dialect: "x".into(),
            title: String::new(),
            version: String::new(),
            listeners: listeners.iter().map(listener).collect(),
            upstreams: Vec::new(),
            acknowledges: Acknowledges::default(),
            capabilities: Capabilities::default(),
            fidelity: None,
            hint: String::new(),
            options: json!({ "properties": { "greeting": { "type": "string" } } }),
        }
    }

    #[test]
    fn a_manifest_that_the_host_cannot_use_is_refused_with_a_reason() {
        let common = BTreeSet::from(["allow".to_owned()]);
        let said = |listeners: &[(&str, Option<&str>)]| check(&manifest(listeners), &common);
        assert_eq!(said(&[("listen", Some("127.0.0.1:1")), ("other", None)]), Ok(()));
        let why = |words: &str| Err(words.to_owned());
        assert_eq!(said(&[]), why("it has no listeners"));
        assert_eq!(said(&[("allow", None)]), why(r#""allow" is a key that every front end has"#));
        assert_eq!(said(&[("greeting", None)]), why(r#"it has two keys "greeting""#));
        let nowhere = said(&[("listen", Some("somewhere"))]);
        assert_eq!(nowhere, why(r#""somewhere" is not an address and port"#));
    }

    #[test]
    fn schema_violations_name_the_option() {
        let schema = json!({
            "properties": {
                "greeting": { "type": ["string", "null"] },
                "names": { "items": { "type": "integer" } },
                "size": { "minimum": 1 },
            },
        });
        let options = json!({ "greeting": 5, "names": [1, "x"], "size": 0 });
        let validator = jsonschema::validator_for(&schema).unwrap();
        let faults = validator.iter_errors(&options).map(fault);
        let mut said: Vec<String> = faults.map(|f| format!("{}: {}", f.key, f.why)).collect();
        said.sort();
        insta::assert_snapshot!(said.join("\n"), @r"
        greeting: expected a string
        names: 1: expected a whole number
        size: the value is less than the minimum of 1
        ");
    }
}
