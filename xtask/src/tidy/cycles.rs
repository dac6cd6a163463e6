//! No module depends on itself through its siblings.
//!
//! A module stands for all that is below it, so that two folders whose files name each other are a
//! cycle. A module and what is inside it are one: `mod.rs` holds what its children share, and may
//! name them.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::modules::{Id, Modules};
use super::resolve::Edge;
use super::{Finding, Scope};

/// Edges between the children of one module, with one reference for each.
type Siblings<'a> = BTreeMap<Id, BTreeMap<Id, &'a Edge>>;

/// A shortest cycle through each module, if it has a file of the scope.
pub(super) fn check(modules: &Modules, edges: &[Edge], scope: &Scope) -> Vec<Finding> {
    let mut families: BTreeMap<Id, Siblings<'_>> = BTreeMap::new();
    for edge in edges {
        if let Some((parent, from, to)) = modules.siblings(edge.from, edge.to) {
            let siblings = families.entry(parent).or_default();
            siblings.entry(from).or_default().entry(to).or_insert(edge);
        }
    }
    let mut findings = Vec::new();
    for siblings in families.values() {
        let mut seen = BTreeSet::new();
        for &module in siblings.keys() {
            let next = |module| siblings.get(&module).into_iter().flat_map(BTreeMap::keys).copied();
            let Some(cycle) = shortest(module, next) else { continue };
            if seen.insert(cycle.iter().copied().collect::<BTreeSet<_>>()) {
                findings.extend(describe(modules, siblings, &cycle, scope));
            }
        }
    }
    findings
}

/// The shortest way from a node back to itself, without the node at its end.
pub(super) fn shortest<T: Copy + Ord, I: Iterator<Item = T>>(
    from: T,
    next: impl Fn(T) -> I,
) -> Option<Vec<T>> {
    let mut before: BTreeMap<T, T> = BTreeMap::new();
    let mut waiting = VecDeque::from([from]);
    while let Some(at) = waiting.pop_front() {
        for to in next(at) {
            if to == from {
                let mut cycle = vec![at];
                while let Some(&at) = before.get(&cycle[cycle.len() - 1]) {
                    cycle.push(at);
                }
                cycle.reverse();
                return Some(cycle);
            }
            if let Entry::Vacant(entry) = before.entry(to) {
                entry.insert(at);
                waiting.push_back(to);
            }
        }
    }
    None
}

/// A finding in the first file of the cycle that is in the scope.
fn describe(
    modules: &Modules,
    siblings: &Siblings<'_>,
    cycle: &[Id],
    scope: &Scope,
) -> Option<Finding> {
    let following = cycle.iter().cycle().skip(1);
    let steps: Vec<&Edge> = cycle.iter().zip(following).map(|(a, b)| siblings[a][b]).collect();
    let path = |id: Id| modules.0[id].path.as_str();
    let first = steps.iter().position(|edge| scope.has(path(edge.from)))?;
    let mut what = "import cycle:".to_owned();
    for Edge { from, to, line, name } in steps[first..].iter().chain(&steps[..first]) {
        what += &format!("\n    {}:{line} names {name} of {}", path(*from), path(*to));
    }
    Some(Finding { path: path(steps[first].from).to_owned(), line: 0, what })
}
