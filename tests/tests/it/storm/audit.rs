//! What each reader had, against what was acknowledged.

use std::collections::BTreeMap;

use super::posters::Posted;
use super::readers::Had;

/// What a storm came to.
#[derive(Debug, Default)]
pub(super) struct Totals {
    pub(super) acknowledged: usize,
    pub(super) unknown: usize,
    pub(super) repeated: usize,
    pub(super) deliveries: usize,
    pub(super) doubled: usize,
}

impl Totals {
    pub(super) fn of(posters: &[Posted]) -> Self {
        let mut totals = Self::default();
        for posted in posters {
            totals.acknowledged += posted.acknowledged.len();
            totals.unknown += posted.unknown.len();
            totals.repeated += posted.repeated;
        }
        totals
    }
}

/// Panics unless a reader had every acknowledged text, in the order of `truth`, and none twice but
/// with the same id.
#[track_caller]
pub(super) fn check(reader: &str, had: &[Had], truth: &[String], totals: &mut Totals) {
    let mut firsts = Vec::new();
    let mut ids: BTreeMap<&str, Option<u64>> = BTreeMap::new();
    for (id, text) in had {
        match ids.get(text.as_str()) {
            None => {
                ids.insert(text, *id);
                firsts.push(text.as_str());
            }
            Some(first) => {
                assert!(id.is_some(), "{reader} had {text} twice, without an id");
                assert_eq!(first, id, "{reader} had {text} twice, with two ids");
                totals.doubled += 1;
            }
        }
    }
    totals.deliveries += had.len();
    let missing: Vec<_> = truth.iter().filter(|text| !ids.contains_key(text.as_str())).collect();
    assert!(missing.is_empty(), "{reader} lacks {} of {}: {missing:?}", missing.len(), truth.len());
    assert!(
        firsts == truth,
        "{reader} had them in another order, or others:\n{firsts:?}\n{truth:?}"
    );
}

/// Panics unless the store has every acknowledged text once, those that are unknown once or not at
/// all, and nothing else, each poster's in its order.
#[track_caller]
pub(super) fn check_store(truth: &[String], posters: &[Posted]) {
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for text in truth {
        *counts.entry(text).or_default() += 1;
    }
    for posted in posters {
        for text in &posted.acknowledged {
            assert_eq!(counts.remove(text.as_str()), Some(1), "{text} was acknowledged");
        }
        for text in &posted.unknown {
            assert!(counts.remove(text.as_str()).unwrap_or(1) == 1, "{text} is there twice");
        }
        let mine = |text: &&String| posted.acknowledged.contains(text);
        let stored: Vec<_> = truth.iter().filter(mine).collect();
        assert!(stored.iter().eq(&posted.acknowledged.iter().collect::<Vec<_>>()), "{stored:?}");
    }
    assert!(counts.is_empty(), "never posted: {counts:?}");
}
