//! What the packages that translate and decide may depend on: a list of what is allowed, so that no
//! dialect reaches past its interface, and no clock or socket comes in under another name.

use toml::{Table, Value};

use super::Finding;
use super::sources::Sources;

/// The packages in a folder, and the dependencies that they may have.
struct Row {
    /// A folder, or the beginning of one's path.
    folder: &'static str,
    may_need: &'static [&'static str],
}

/// The first row that fits counts.
const ROWS: &[Row] = &[
    Row {
        folder: "core/model/",
        may_need: &[
            "schemars",
            "serde",
            "sha2",
            "thiserror",
            "unicode-normalization",
            "unicode-properties",
        ],
    },
    Row { folder: "core/fast-json/", may_need: &["core-model", "itoa", "serde", "serde_json"] },
    Row {
        folder: "core/engine/",
        may_need: &[
            "caseless",
            "core-model",
            "postcard",
            "redb",
            "rustix",
            "schemars",
            "serde",
            "serde_json",
            "sha2",
            "thiserror",
            "unicode-normalization",
            "unicode-properties",
            "unicode-script",
            "unicode-security",
        ],
    },
    Row {
        folder: "frontends/api/",
        may_need: &[
            "core-model",
            "encoding_rs",
            "fast-json",
            "percent-encoding",
            "schemars",
            "serde",
            "serde_json",
        ],
    },
    // The table of dialects, and what plays transcripts.
    Row { folder: "frontends/all/", may_need: &["frontend-", "serde_json"] },
    Row {
        folder: "frontends/testkit/",
        may_need: &["core-model", "frontend-api", "jsonschema", "serde_json"],
    },
    Row {
        folder: "frontends/",
        may_need: &[
            "core-model",
            "data-encoding",
            "frontend-api",
            "jiff",
            "schemars",
            "serde",
            "serde_json",
        ],
    },
];

/// Those that the tests of a package need are its own affair.
const SECTIONS: &[&str] = &["dependencies", "build-dependencies"];

pub(super) fn check(sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in sources.with_extension(&["toml"]) {
        if let Some(row) = row(path)
            && let Ok(manifest) = text.parse::<Table>()
        {
            for name in needs(&manifest) {
                if !row.may_need.iter().any(|allowed| fits(&name, allowed)) {
                    findings.push(finding(path, text, &name));
                }
            }
        }
    }
    findings
}

fn row(path: &str) -> Option<&'static Row> {
    let folder = path.strip_suffix("Cargo.toml")?;
    ROWS.iter().find(|row| folder.starts_with(row.folder))
}

/// A name that ends with a dash stands for all that begin with it.
fn fits(name: &str, allowed: &str) -> bool {
    name == allowed || (allowed.ends_with('-') && name.starts_with(allowed))
}

/// The packages that a manifest names, for any target.
fn needs(manifest: &Table) -> Vec<String> {
    let targets = manifest.get("target").and_then(Value::as_table);
    let of_targets = targets.into_iter().flat_map(Table::values).filter_map(Value::as_table);
    let mut needs = Vec::new();
    for table in std::iter::once(manifest).chain(of_targets) {
        let sections = SECTIONS.iter().filter_map(|section| table.get(*section)?.as_table());
        for (key, value) in sections.flatten() {
            let renamed = value.get("package").and_then(Value::as_str);
            needs.push(renamed.unwrap_or(key).to_owned());
        }
    }
    needs
}

fn finding(path: &str, text: &str, name: &str) -> Finding {
    let line = text.lines().position(|line| line.contains(name)).map_or(0, |index| index + 1);
    let what = format!(
        "{name} is none of the dependencies that this package may have; if it uses no clock, \
         socket, file or randomness, allow it in xtask/src/tidy/dependencies.rs"
    );
    Finding { path: path.to_owned(), line, what }
}
