//! The contract as one document: what each dialect declares, and what follows for each pair.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fidelity, Field, Verdict, passage};

/// `schemas/fidelity.json`: for every field and every ordered pair of dialects, what becomes of the
/// field on the way from clients of the first to clients of the second.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Contract {
    /// The fields, by name.
    pub fields: BTreeMap<String, FieldNote>,
    /// What each dialect declares in its manifest; null for one that declares nothing.
    pub dialects: BTreeMap<String, Option<Fidelity>>,
    /// By the writer's dialect, then the reader's.
    pub pairs: BTreeMap<String, BTreeMap<String, Pair>>,
}

/// What a field is.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct FieldNote {
    pub about: String,
    pub made_by: MadeBy,
}

/// Where the value of a field comes from.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum MadeBy {
    Clients,
    Gateway,
}

/// The fields by what becomes of them; each is in one of these.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(default)]
pub struct Pair {
    /// The reader sees what the writer gave.
    pub exact: BTreeSet<String>,
    /// The reader sees it in another form: how.
    pub emulated: BTreeMap<String, String>,
    /// The reader does not see it: why, or "" where the dialect has no place for it.
    pub lost: BTreeMap<String, String>,
    /// The writer's dialect has no place for it, so there is nothing to lose.
    pub absent: BTreeSet<String>,
    /// One of the two declares nothing.
    #[serde(skip_serializing_if = "BTreeSet::is_empty")]
    pub unknown: BTreeSet<String>,
}

impl Contract {
    /// The contract of these dialects, by name.
    pub fn of(dialects: BTreeMap<String, Option<Fidelity>>) -> Self {
        let pairs = dialects.iter().map(|(name, from)| {
            let to = dialects.iter();
            let to = to.map(|(name, to)| (name.clone(), Pair::of(from.as_ref(), to.as_ref())));
            (name.clone(), to.collect())
        });
        let pairs = pairs.collect();
        let fields = Field::ALL.iter().map(|row| {
            let made_by = if row.by_gateway { MadeBy::Gateway } else { MadeBy::Clients };
            (row.name.to_owned(), FieldNote { about: row.about.into(), made_by })
        });
        Self { fields: fields.collect(), dialects, pairs }
    }
}

impl Pair {
    pub fn of(from: Option<&Fidelity>, to: Option<&Fidelity>) -> Self {
        let mut pair = Self::default();
        for row in Field::ALL {
            let name = row.name.to_owned();
            let passage = passage(from, to, row.field);
            match passage.verdict {
                Verdict::Exact => drop(pair.exact.insert(name)),
                Verdict::Emulated => drop(pair.emulated.insert(name, passage.how)),
                Verdict::Lost => drop(pair.lost.insert(name, passage.how)),
                Verdict::Absent => drop(pair.absent.insert(name)),
                Verdict::Unknown => drop(pair.unknown.insert(name)),
            }
        }
        pair
    }
}
