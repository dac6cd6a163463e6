//! Subjects of commits: `area: imperative`, at most 72 characters.

use super::Finding;
use crate::git;

const SUBJECT_CHARACTERS_MAX: usize = 72;

/// The file whose first commit introduced the rule. Later ones must keep it.
const INTRODUCED_WITH: &str = "xtask/src/tidy/commits.rs";

/// Subjects that were merged before the gate checked them.
const EXCEPT: &[&str] = &[
    "cli: survive a closed stdout; take strings and lists from the environment",
    "runtime: bound what one peer fills others' mailboxes with, and its guesses",
    "session: keep the fence beside what waits for it; document sign_ins_total",
    "session: waiting for a turn is no request of the rate",
];

/// Ends of words that are no imperatives, and imperatives that end so.
const OTHER_MOODS: &[&str] = &["ed", "ing", "s"];
const IMPERATIVES: &[&str] = &[
    "access", "address", "bring", "bypass", "compress", "discuss", "embed", "exceed", "express",
    "feed", "focus", "need", "pass", "process", "seed", "shed", "speed", "suppress", "swing",
];

/// The subjects after the one that introduced the rule.
pub(super) fn check() -> Result<Vec<Finding>, String> {
    let added = ["log", "--diff-filter=A", "--format=%H", "--", INTRODUCED_WITH];
    let Some(base) = git::git(&added)?.lines().last().map(str::to_owned) else {
        println!("subjects of commits are not checked: this clone does not reach back so far");
        return Ok(Vec::new());
    };
    let range = format!("{base}..HEAD");
    let log = git::git(&["log", "--no-merges", "--format=%h %s", &range])?;
    Ok(log.lines().filter_map(|line| line.split_once(' ')).filter_map(finding).collect())
}

fn finding((commit, subject): (&str, &str)) -> Option<Finding> {
    if EXCEPT.contains(&subject) {
        return None;
    }
    let what = fault(subject)?;
    Some(Finding { path: format!("commit {commit}"), line: 0, what: format!("{what}: {subject}") })
}

/// What is wrong with a subject.
pub(super) fn fault(subject: &str) -> Option<String> {
    let characters = subject.chars().count();
    if characters > SUBJECT_CHARACTERS_MAX {
        return Some(format!(
            "{characters} characters; a subject has at most {SUBJECT_CHARACTERS_MAX}"
        ));
    }
    let Some((area, rest)) = subject.split_once(": ") else {
        return Some("no `area: ` before the subject".into());
    };
    let is_area = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-_/.,{} ".contains(c);
    if area.is_empty() || !area.chars().all(is_area) {
        return Some("the area is one or more lower-case names".into());
    }
    let verb = rest.split(' ').next().unwrap_or_default().to_lowercase();
    let is_other = OTHER_MOODS.iter().any(|end| verb.ends_with(end));
    (is_other && !IMPERATIVES.contains(&verb.as_str()))
        .then(|| format!("`{verb}` is no imperative"))
}
