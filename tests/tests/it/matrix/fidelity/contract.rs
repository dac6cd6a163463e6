//! What `dragoman fidelity --json` says.

use std::collections::BTreeSet;
use std::process::Command;

use gateway_tests::dialect::ROWS;
use gateway_tests::program;
use serde_json::Value;

use super::site::Site;

/// What becomes of a field, from good to bad.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Verdict {
    Exact,
    Emulated,
    Lost,
}

/// What a client does with a field.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(super) enum Way {
    Given,
    Shown,
}

/// A declaration: of a dialect, a field, and what clients do with it.
pub(super) type Row = (&'static str, String, Way);

#[derive(Clone)]
pub(super) struct Contract(Value);

impl Contract {
    /// That of the front ends of a site, linked or loaded.
    pub(super) fn of(site: &Site) -> Self {
        let output = Command::new(program::path())
            .args(["fidelity", "--json", "--config", "gateway.toml"])
            .current_dir(site.gateway.launch().folder())
            .output()
            .expect("the program was built");
        assert!(output.status.success(), "{output:?}");
        Self(serde_json::from_slice(&output.stdout).expect("it is JSON"))
    }

    /// What becomes of a field between two dialects; `None` where the writer cannot give it.
    #[track_caller]
    pub(super) fn verdict(&self, from: &str, to: &str, field: &str) -> Option<Verdict> {
        let pair = &self.0["pairs"][from][to];
        let has = |verdict: &str| match &pair[verdict] {
            Value::Array(fields) => fields.iter().any(|one| one == field),
            Value::Object(fields) => fields.contains_key(field),
            _ => panic!("{from}, {to}: {pair}"),
        };
        if has("absent") {
            return None;
        }
        let all =
            [(Verdict::Exact, "exact"), (Verdict::Emulated, "emulated"), (Verdict::Lost, "lost")];
        let found = all.into_iter().find(|(_, name)| has(name));
        Some(found.unwrap_or_else(|| panic!("{from}, {to}: nothing is said of {field}")).0)
    }

    /// Whether clients of a dialect can give a field.
    #[track_caller]
    pub(super) fn is_given(&self, dialect: &str, field: &str) -> bool {
        self.verdict(dialect, dialect, field).is_some()
    }

    /// How a dialect shows a field, of what a dialect that gives it exactly gives.
    #[track_caller]
    pub(super) fn shown(&self, dialect: &'static str, field: &str) -> Verdict {
        self.declared(&(dialect, field.to_owned(), Way::Shown))
    }

    /// [`Verdict::Lost`] is what is declared absent.
    #[track_caller]
    pub(super) fn declared(&self, (dialect, field, way): &Row) -> Verdict {
        let support = &self.0["dialects"][dialect]["fields"][field][word_of(*way)]["support"];
        match support.as_str() {
            Some("exact") => Verdict::Exact,
            Some("emulated") => Verdict::Emulated,
            Some("absent") | None => Verdict::Lost,
            Some(other) => panic!("{dialect}, {field}: {other}"),
        }
    }

    /// The same contract with another declaration.
    pub(super) fn declaring(&self, (dialect, field, way): &Row, verdict: Verdict) -> Self {
        let mut other = self.clone();
        let support = match verdict {
            Verdict::Exact => "exact",
            Verdict::Emulated => "emulated",
            Verdict::Lost => "absent",
        };
        let declaration = &mut other.0["dialects"][dialect]["fields"][field.as_str()];
        declaration[word_of(*way)]["support"] = support.into();
        other
    }

    /// Every declaration of fields of a kind that could be wrong. What the gateway makes, no client
    /// gives.
    pub(super) fn rows(&self, kind: &str) -> Vec<Row> {
        let mut rows = Vec::new();
        for field in self.fields(kind) {
            let by_gateway = self.0["fields"][&field]["made_by"] == "gateway";
            for dialect in dialects() {
                rows.push((dialect, field.clone(), Way::Shown));
                rows.extend((!by_gateway).then(|| (dialect, field.clone(), Way::Given)));
            }
        }
        rows
    }

    /// The names of all fields of a kind: `room`.
    pub(super) fn fields(&self, kind: &str) -> Vec<String> {
        let fields = self.0["fields"].as_object().expect("an object").keys();
        let prefix = format!("{kind}.");
        fields.filter(|name| name.starts_with(&prefix)).cloned().collect()
    }
}

fn word_of(way: Way) -> &'static str {
    match way {
        Way::Given => "given",
        Way::Shown => "shown",
    }
}

/// All dialects.
pub(super) fn dialects() -> BTreeSet<&'static str> {
    ROWS.iter().map(|row| row.dialect.name).collect()
}
