//! What was given, against what was seen.

use std::collections::BTreeMap;

use super::contract::{Contract, Verdict};
use super::look::Values;

/// The value of each field that a dialect gave, and of those that the gateway made.
pub(super) type Given = Vec<(&'static str, String)>;

/// Of a dialect and a field, whether every value so far was seen as it was given.
#[derive(Default)]
pub(super) struct Tally(BTreeMap<(&'static str, &'static str), bool>);

impl Tally {
    /// A field is seen where it is declared exact, and not where it is absent, unless another has the
    /// same value.
    pub(super) fn check(
        &mut self,
        contract: &Contract,
        (writer, reader): (&str, &'static str),
        given: &Given,
        seen: &Values,
    ) {
        for (field, value) in given {
            let is_alone = given.iter().filter(|(_, other)| other == value).count() == 1;
            let is_seen = seen.contains(value);
            let said = format!("{writer} → {reader}: {field} {value:?} in {seen:#?}");
            match contract.shown(reader, field) {
                Verdict::Exact => assert!(is_seen, "{said}: it is declared exact"),
                Verdict::Lost => assert!(!is_seen || !is_alone, "{said}: it is declared absent"),
                Verdict::Emulated => {
                    *self.0.entry((reader, field)).or_insert(true) &= is_seen;
                }
            }
        }
    }

    /// What is declared emulated has not always been seen as it was given.
    pub(super) fn end(&self) {
        for ((reader, field), always) in &self.0 {
            assert!(!always, "{reader}: {field} is declared emulated, and always exact");
        }
    }
}
