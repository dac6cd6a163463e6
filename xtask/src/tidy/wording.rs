//! The share of comment lines, documentation and messages in words that this project avoids.

use std::fmt;

use super::sources::Sources;
use super::{Finding, Scope, markdown};

/// Words that leave the subject of a sentence without a name.
const AVOIDED: &[&str] = &[
    "are told",
    "is told",
    "nobody",
    "of which",
    "somebody",
    "what is said of",
    "who is",
    "whoever",
    "whom",
];

/// How many lines of ten thousand may have one.
const LINES_MAX: usize = 10;

/// Files that the rule does not concern, and why.
const EXEMPT: &[(&str, &str)] = &[
    ("plugins/compat/v1/", "stays byte for byte as it was released"),
    ("xtask/src/tidy/", "lists the words"),
];

/// How a line comment begins.
const COMMENTS: &[(&[&str], &[&str])] = &[
    (&["rs"], &["//"]),
    (&["c", "h", "java", "js", "ts"], &["//", "/*", "*"]),
    (&["py", "sh", "toml", "yaml", "ksy"], &["#"]),
];

/// The lines of prose, and those with an avoided word.
pub(super) struct Share {
    lines: usize,
    pub(super) findings: Vec<Finding>,
}

impl Share {
    pub(super) fn is_over_limit(&self) -> bool {
        self.findings.len() * 10_000 > self.lines * LINES_MAX
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = self.findings.len();
        let lines = self.lines;
        let percent = found as f64 * 100.0 / lines.max(1) as f64;
        let limit = LINES_MAX as f64 / 100.0;
        write!(
            f,
            "{found} of {lines} lines of prose have avoided words: {percent:.2} % (limit {limit} %)"
        )
    }
}

pub(super) fn share(sources: &Sources, scope: &Scope) -> Share {
    let mut share = Share { lines: 0, findings: Vec::new() };
    for (path, text) in sources.with_extension(&["md"]) {
        if scope.has(path) {
            markdown::prose(text).for_each(|(line, prose)| share.take(path, line, prose, true));
        }
    }
    // What a transcript's clients say is their own affair.
    for (path, text) in sources.with_extension(&["in"]) {
        let comments = text.lines().enumerate().filter(|(_, line)| line.starts_with('#'));
        if scope.has(path) {
            comments.for_each(|(at, comment)| share.take(path, at + 1, comment, true));
        }
    }
    for (extensions, marks) in COMMENTS {
        for (path, text) in sources.with_extension(extensions) {
            let is_exempt = EXEMPT.iter().any(|(exempt, _)| path.starts_with(exempt));
            if scope.has(path) && !is_exempt {
                share.take_code(path, text, marks);
            }
        }
    }
    share
}

impl Share {
    /// Every line may hold a message, but only comments count as prose.
    fn take_code(&mut self, path: &str, text: &str, marks: &[&str]) {
        for (at, line) in text.lines().enumerate() {
            let trimmed = line.trim_start();
            let is_comment = marks.iter().any(|mark| trimmed.starts_with(mark));
            let is_message = line.contains('"') || line.trim_end().ends_with('\\');
            if is_comment || is_message || line.contains("//") {
                self.take(path, at + 1, line, is_comment);
            }
        }
    }

    fn take(&mut self, path: &str, line: usize, text: &str, is_prose: bool) {
        self.lines += usize::from(is_prose);
        let text = text.to_lowercase();
        if let Some(word) = AVOIDED.iter().find(|word| has(&text, word)) {
            let what = format!("`{word}`: {}", text.trim());
            self.findings.push(Finding { path: path.to_owned(), line, what });
        }
    }
}

/// Whether `text` has the words, and not as a part of others.
fn has(text: &str, words: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(words).any(|(at, _)| {
        let before = text[..at].chars().next_back();
        let after = text[at + words.len()..].chars().next();
        !before.is_some_and(is_part) && !after.is_some_and(is_part)
    })
}
