//! The host's runtime is built in floors: a file names only its own floor and those below it.

use super::Finding;
use super::modules::Modules;
use super::resolve::Edge;

/// Where the floors are.
const RUNTIME: &str = "host/src/runtime/";

/// From the top; the floors of one row do not name each other. What is beside them in the folder
/// (start, reload, signals …) is above all.
const FLOORS: &[&[&str]] = &[
    &["admin"],
    &["net"],
    &["webhooks"],
    &["session"],
    &["frontends"],
    &["limits", "metrics", "clock"],
];

pub(super) fn check(modules: &Modules, edges: &[Edge]) -> Vec<Finding> {
    let mut findings = Vec::new();
    for Edge { from, to, line, name } in edges {
        let (path, to) = (&modules.0[*from].path, &modules.0[*to].path);
        let (Some((height, own)), Some((to_height, other))) = (floor(path), floor(to)) else {
            continue;
        };
        if to_height <= height && own != other && height != 0 {
            let what = format!("{own} names {name} of {to}, which is not below it");
            findings.push(Finding { path: path.clone(), line: *line, what });
        }
    }
    findings
}

/// How far down a file of the runtime is, and the name of its floor.
fn floor(path: &str) -> Option<(usize, &str)> {
    let name = path.strip_prefix(RUNTIME)?.split('/').next()?.trim_end_matches(".rs");
    let row = FLOORS.iter().position(|row| row.contains(&name));
    Some((row.map_or(0, |row| row + 1), name))
}
