//! What becomes of a field on the way from one dialect to another.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Fidelity, Field, Way};
use crate::support::Support;

/// What becomes of a field.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// The reader sees what the writer gave.
    Exact,
    /// The reader sees it in another form.
    Emulated,
    /// The writer gives it, and the reader does not see it.
    Lost,
    /// The writer's dialect has no place for it, so there is nothing to lose.
    Absent,
    /// One of the dialects says nothing of what it carries: a plugin older than this contract.
    Unknown,
}

/// A verdict with its reason.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Passage {
    pub verdict: Verdict,
    /// How it is emulated, why it is lost or absent, or within which limit it is exact; may be "".
    pub how: String,
}

/// What becomes of a field on the way from clients of one dialect to those of another.
pub fn passage(from: Option<&Fidelity>, to: Option<&Fidelity>, field: Field) -> Passage {
    let (Some(from), Some(to)) = (from, to) else {
        return Passage { verdict: Verdict::Unknown, how: String::new() };
    };
    let shown = to.shown(field);
    if field.row().by_gateway {
        return between(&Way::EXACT, shown);
    }
    between(from.given(field), shown)
}

fn between(given: &Way, shown: &Way) -> Passage {
    let (verdict, notes) = match (given.support, shown.support) {
        (Support::Absent, _) => (Verdict::Absent, vec![given]),
        (_, Support::Absent) => (Verdict::Lost, vec![shown]),
        (Support::Exact, Support::Exact) => (Verdict::Exact, vec![given, shown]),
        (_, _) => (Verdict::Emulated, vec![given, shown]),
    };
    let mut notes: Vec<&str> = notes.into_iter().map(|way| way.note.as_ref()).collect();
    notes.retain(|note| !note.is_empty());
    notes.dedup();
    Passage { verdict, how: notes.join("; ") }
}
