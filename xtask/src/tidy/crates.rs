//! No package of the workspace depends on itself through others, tests included.

use std::collections::{BTreeMap, BTreeSet};

use toml::{Table, Value};

use super::cycles::shortest;
use super::sources::Sources;
use super::{Finding, Scope};

pub(super) fn check(sources: &Sources, scope: &Scope) -> Vec<Finding> {
    let mut manifests = BTreeMap::new();
    for (path, text) in sources.with_extension(&["toml"]) {
        if let Some((name, needs)) = text.parse().ok().as_ref().and_then(package) {
            manifests.insert(name, (path, needs));
        }
    }
    let mut seen = BTreeSet::new();
    let mut findings = Vec::new();
    for (name, (path, _)) in &manifests {
        let needs = |name: &str| manifests.get(name).map(|(_, needs)| needs);
        let next = |name| needs(name).into_iter().flatten().map(String::as_str);
        let Some(cycle) = shortest(name.as_str(), next) else { continue };
        if scope.has(path) && seen.insert(cycle.iter().copied().collect::<BTreeSet<_>>()) {
            let what = format!("packages depend on each other: {} → {name}", cycle.join(" → "));
            findings.push(Finding { path: (*path).to_owned(), line: 0, what });
        }
    }
    findings
}

/// The name of a package and those of what it depends on.
fn package(manifest: &Table) -> Option<(String, BTreeSet<String>)> {
    let name = manifest.get("package")?.get("name")?.as_str()?;
    let sections = ["dependencies", "dev-dependencies", "build-dependencies"];
    let tables = sections.iter().filter_map(|section| manifest.get(*section)?.as_table());
    let package_of = |(key, value): (&String, &Value)| {
        let renamed = value.get("package").and_then(Value::as_str);
        renamed.unwrap_or(key).to_owned()
    };
    Some((name.to_owned(), tables.flatten().map(package_of).collect()))
}
