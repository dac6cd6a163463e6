//! `cargo xtask tidy`: the rules of the house that neither the compiler nor clippy checks.

mod commits;
mod crates;
mod cycles;
mod dependencies;
mod floors;
mod lengths;
mod limits;
mod markdown;
mod modules;
mod purity;
mod resolve;
mod sources;
mod wording;

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::fmt;
use std::process::ExitCode;

use modules::Modules;
use sources::Sources;

/// One place that breaks a rule.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
struct Finding {
    path: String,
    line: usize,
    what: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.path, self.what),
            line => write!(f, "{}:{line}: {}", self.path, self.what),
        }
    }
}

/// The part of the repository that is reported on: paths that begin with one of the prefixes.
struct Scope(Vec<String>);

impl Scope {
    fn has(&self, path: &str) -> bool {
        let prefix = |prefix: &String| path.starts_with(prefix.trim_start_matches("./"));
        self.0.is_empty() || self.0.iter().any(prefix)
    }

    fn is_everything(&self) -> bool {
        self.0.is_empty()
    }
}

/// Checks the whole repository, or only what lies below `prefixes`.
pub(crate) fn run(prefixes: &[&str]) -> Result<ExitCode, String> {
    let scope = Scope(prefixes.iter().map(|&prefix| prefix.to_owned()).collect());
    let sources = Sources::of_repository()?;
    if let Some(none) = prefixes.iter().find(|prefix| !sources.has_any(prefix)) {
        return Err(format!("{none}: no file of the repository begins with this path"));
    }
    let modules = Modules::load(&sources)?;
    let share = wording::share(&sources, &scope);
    println!("{share}");
    let mut findings = everything(&sources, &modules, &scope);
    if scope.is_everything() {
        findings.extend(commits::check()?);
    }
    if share.is_over_limit() {
        findings.extend(share.findings);
    }
    for finding in &findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => {
            println!("tidy");
            Ok(ExitCode::SUCCESS)
        }
        count => {
            println!("{count} findings");
            Ok(ExitCode::FAILURE)
        }
    }
}

/// The findings of all rules about files.
fn everything(sources: &Sources, modules: &Modules, scope: &Scope) -> BTreeSet<Finding> {
    let edges = modules.edges();
    let mut findings = BTreeSet::new();
    findings.extend(cycles::check(modules, &edges, scope));
    findings.extend(crates::check(sources, scope));
    findings.extend(dependencies::check(sources));
    findings.extend(floors::check(modules, &edges));
    findings.extend(purity::check(modules));
    findings.extend(lengths::check(sources));
    findings.extend(limits::check(sources));
    findings.extend(markdown::check(sources));
    findings.retain(|finding| scope.has(&finding.path));
    findings
}
