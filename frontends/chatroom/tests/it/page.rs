//! docs/dialects/chatroom.md shows what the transcripts show.

use std::collections::BTreeSet;
use std::path::Path;

use frontend_chatroom::ChatroomFrontend;

/// Every line of every transcript, without its marks: what was sent, what was replied.
fn transcript_lines() -> BTreeSet<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut lines = BTreeSet::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let script = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let transcript = frontend_testkit::play(&ChatroomFrontend::default(), &script);
        let marks = ["> GET ", ">>> ", "< ", "send ", "broadcast "];
        lines.extend(transcript.lines().map(str::trim_start).map(|line| {
            marks.iter().find_map(|mark| line.strip_prefix(mark)).unwrap_or(line).to_owned()
        }));
    }
    lines
}

/// What an example line of the page sends or is sent, as a transcript has it.
fn example(line: &str) -> Option<String> {
    let line = line.strip_prefix("    ")?;
    if let Some(packet) = line.strip_prefix("→ ").or_else(|| line.strip_prefix("← ")) {
        return Some(packet.to_owned());
    }
    if let Some(command) = line.strip_prefix("$ curl ") {
        return Some(sent_by_curl(command));
    }
    let filled_in = line.starts_with('{') && !line.contains('…');
    filled_in.then(|| line.to_owned())
}

/// The body of a POST, or else the path and query.
fn sent_by_curl(command: &str) -> String {
    if let Some((_, json)) = command.split_once("--json ") {
        return json.trim_matches('\'').to_owned();
    }
    let mut fields = command.split(" -d ");
    let url = fields.next().unwrap_or_default();
    let fields: Vec<&str> = fields.collect();
    if !fields.is_empty() {
        return fields.join("&");
    }
    let (_, target) = url.split_once("http://127.0.0.1:5000").expect("the default address");
    target.trim_end_matches('\'').to_owned()
}

#[test]
fn every_example_of_the_page_is_in_a_transcript() {
    let page = include_str!("../../../../docs/dialects/chatroom.md");
    let examples: Vec<String> = page.lines().filter_map(example).collect();
    assert!(examples.len() > 30, "{} examples were found", examples.len());
    let known = transcript_lines();
    let strange: Vec<&String> = examples.iter().filter(|line| !known.contains(*line)).collect();
    assert!(strange.is_empty(), "no transcript shows {strange:#?}");
}

#[test]
fn the_page_has_every_option() {
    let page = include_str!("../../../../docs/dialects/chatroom.md");
    let frontend = ChatroomFrontend::default();
    let options = &frontend_api::Frontend::manifest(&frontend).options["properties"];
    for key in options.as_object().unwrap().keys() {
        assert!(page.contains(&format!("| `{key}` |")), "the page does not have {key}");
    }
}
