//! What `dragoman fidelity --json` says.

use std::process::Command;

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
    pub(super) fn shown(&self, dialect: &str, field: &str) -> Verdict {
        let support = &self.0["dialects"][dialect]["fields"][field]["shown"]["support"];
        match support.as_str() {
            Some("exact") => Verdict::Exact,
            Some("emulated") => Verdict::Emulated,
            Some("absent") | None => Verdict::Lost,
            Some(other) => panic!("{dialect}, {field}: {other}"),
        }
    }

    /// The names of all fields of a kind: `room`.
    pub(super) fn fields(&self, kind: &str) -> Vec<String> {
        let fields = self.0["fields"].as_object().expect("an object").keys();
        let prefix = format!("{kind}.");
        fields.filter(|name| name.starts_with(&prefix)).cloned().collect()
    }
}
