//! Markdown wraps at 120 columns. Tables, code, and words that are longer have no limit.

use super::Finding;
use super::sources::Sources;

const COLUMNS_MAX: usize = 120;

pub(super) fn check(sources: &Sources) -> Vec<Finding> {
    let mut findings = Vec::new();
    for (path, text) in sources.with_extension(&["md"]) {
        for (line, prose) in prose(text) {
            let columns = prose.chars().count();
            if columns > COLUMNS_MAX && can_break(prose) {
                let what = format!("{columns} columns; Markdown wraps at {COLUMNS_MAX}");
                findings.push(Finding { path: path.to_owned(), line, what });
            }
        }
    }
    findings
}

/// Lines that are neither of a table nor of code, with their numbers.
pub(super) fn prose(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut is_fenced = false;
    let mut was_text = false;
    text.lines().enumerate().filter_map(move |(at, line)| {
        let trimmed = line.trim_start();
        if trimmed.starts_with("```") {
            is_fenced = !is_fenced;
            return None;
        }
        // Four spaces continue a list, but are code after an empty line.
        let is_code = is_fenced || (line.starts_with("    ") && !was_text);
        was_text = !trimmed.is_empty() && !is_code;
        (!is_code && !trimmed.is_empty() && !trimmed.starts_with('|')).then_some((at + 1, line))
    })
}

/// Whether there is a space after the first word of the line, within the limit.
fn can_break(line: &str) -> bool {
    let text = line.trim_start().trim_start_matches(['*', '-', '#', '>', ' ']);
    let indent = line.len() - text.len();
    text.char_indices()
        .any(|(at, c)| c == ' ' && line[..indent + at].chars().count() <= COLUMNS_MAX)
}
