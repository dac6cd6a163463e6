//! docs/dialects/irc.md shows lines of the transcripts and is complete.

use std::collections::BTreeSet;
use std::path::Path;

use frontend_api::Frontend;
use frontend_irc::numeric::NUMERICS;
use frontend_irc::{IrcFrontend, VERBS};

use crate::transcripts::{FOLDERS, transcript};

const PAGE: &str = include_str!("../../../../docs/dialects/irc.md");

/// Every sent and received line of every transcript, with its arrow.
fn transcript_lines() -> BTreeSet<String> {
    let mut lines = BTreeSet::new();
    for (folder, before) in FOLDERS {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(folder);
        let files = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
        for path in files.filter(|path| path.is_file()) {
            let transcript = transcript(before, &std::fs::read_to_string(path).unwrap());
            lines.extend(transcript.lines().filter_map(|line| {
                let sent = line.strip_prefix("< ").map(|line| format!("→ {line}"));
                sent.or_else(|| Some(format!("← {}", line.strip_prefix("    send ")?)))
            }));
        }
    }
    lines
}

#[test]
fn every_example_is_in_a_transcript() {
    let examples = PAGE.lines().filter(|line| line.starts_with("→ ") || line.starts_with("← "));
    let examples: Vec<&str> = examples.collect();
    assert!(examples.len() > 25, "found {} examples", examples.len());
    let known = transcript_lines();
    let unknown: Vec<_> = examples.iter().filter(|line| !known.contains(**line)).collect();
    assert!(unknown.is_empty(), "no transcript shows {unknown:#?}");
}

#[test]
fn every_option_command_capability_and_error_is_explained() {
    let frontend = IrcFrontend::default();
    let options = frontend.manifest().options["properties"].as_object().unwrap().keys();
    let mut missing: Vec<String> =
        options.map(|key| format!("| `{key}` |")).filter(|row| !PAGE.contains(row)).collect();
    let verbs = VERBS.iter().map(|verb| format!("`{}`", verb.name));
    let errors = NUMERICS.iter().filter(|(_, name)| name.starts_with("ERR_"));
    let errors = errors.map(|(numeric, name)| format!("{numeric} `{name}`"));
    missing.extend(verbs.chain(errors).filter(|word| !PAGE.contains(word)));
    let caps = transcript("", "< CAP LS\n");
    let (_, caps) = caps.split_once("LS :").unwrap();
    let rows = caps.split_whitespace().map(|cap| format!("| `{cap}` |"));
    missing.extend(rows.filter(|row| !PAGE.contains(row)));
    assert!(missing.is_empty(), "the page lacks {missing:#?}");
}
