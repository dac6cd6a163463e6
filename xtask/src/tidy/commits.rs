//! Subjects of commits: `area: imperative`, at most 72 characters.

use super::Finding;
use crate::git;

const SUBJECT_CHARACTERS_MAX: usize = 72;

/// The last commit before the rule.
const BASE: &str = "9325bdc";

/// Ends of words that are no imperatives, and imperatives that end so.
const OTHER_MOODS: &[&str] = &["ed", "ing", "s"];
const IMPERATIVES: &[&str] = &[
    "access", "address", "bring", "bypass", "compress", "discuss", "embed", "exceed", "express",
    "feed", "focus", "need", "pass", "process", "seed", "shed", "speed", "suppress", "swing",
];

/// The subjects after the base; none in a clone that does not reach back so far.
pub(super) fn check() -> Result<Vec<Finding>, String> {
    if git::git(&["merge-base", "--is-ancestor", BASE, "HEAD"]).is_err() {
        println!("subjects of commits are not checked: {BASE} is not in this clone");
        return Ok(Vec::new());
    }
    let range = format!("{BASE}..HEAD");
    let log = git::git(&["log", "--no-merges", "--format=%h %s", &range])?;
    Ok(log.lines().filter_map(|line| line.split_once(' ')).filter_map(finding).collect())
}

fn finding((commit, subject): (&str, &str)) -> Option<Finding> {
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
