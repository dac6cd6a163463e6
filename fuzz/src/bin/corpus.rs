//! Writes the corpus: test cases from the transcripts of the dialects, the documentation and
//! gateway.toml. Run it in the root of the repository: `cargo run --manifest-path fuzz/Cargo.toml
//! --bin corpus`.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

/// Longer test cases slow the fuzzer down.
const CASE_BYTES_MAX: usize = 4_096;

/// The test cases by target.
type Corpus = BTreeMap<&'static str, Vec<Vec<u8>>>;

fn main() {
    let mut corpus = Corpus::new();
    for (target, folder) in [
        ("token", "token"),
        ("irc", "irc"),
        ("ourchat", "ourchat"),
        ("chatroom", "chatroom"),
        ("channel", "channel"),
        ("usr_room", "usr-room"),
    ] {
        let path = format!("frontends/{folder}/tests/transcripts");
        for script in scripts(Path::new(&path)) {
            take_script(&mut corpus, target, &script);
        }
    }
    take_page(&mut corpus, &read("docs/plugins.md"));
    take_configuration(&mut corpus);
    corpus.entry("store_rows").or_default().extend(core_engine::fuzzing::seeds());
    for (target, mut cases) in corpus {
        let folder = Path::new("fuzz/corpus").join(target);
        let _ = fs::remove_dir_all(&folder);
        fs::create_dir_all(&folder).expect("the repository is writable");
        cases.retain(|case| !case.is_empty() && case.len() <= CASE_BYTES_MAX);
        cases.sort();
        cases.dedup();
        for (nth, case) in cases.iter().enumerate() {
            fs::write(folder.join(format!("{nth:04}")), case).expect("the folder is writable");
        }
        println!("{target}: {} cases", cases.len());
    }
}

fn read(path: &str) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// The scripts in a folder and those below it.
fn scripts(folder: &Path) -> Vec<String> {
    let mut paths: Vec<_> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    let mut found = Vec::new();
    for path in paths {
        if path.is_dir() {
            found.extend(scripts(&path));
        } else if path.extension().is_some_and(|extension| extension == "in") {
            found.extend(fs::read_to_string(&path));
        }
    }
    found
}

/// Streams and lines become one test case a script, each HTTP request one of its own.
fn take_script(corpus: &mut Corpus, target: &'static str, script: &str) {
    let mut stream = Vec::new();
    let mut request: Option<(String, Vec<u8>)> = None;
    let mut cases = Vec::new();
    for line in script.lines() {
        if let Some(hex) = line.strip_prefix("<hex ") {
            let bytes = hex.split_whitespace().map(|byte| u8::from_str_radix(byte, 16));
            stream.extend(bytes.filter_map(Result::ok));
        } else if let Some(text) = line.strip_prefix("< ") {
            stream.extend(text.bytes().chain([b'\n']));
        } else if let Some(target) = line.strip_prefix("> ") {
            cases.extend(request.take().map(written));
            request = Some((target.to_owned(), Vec::new()));
        } else if let (Some(header), Some((head, _))) = (line.strip_prefix(">> "), &mut request) {
            head.push('\n');
            head.push_str(header);
        } else if let (Some(text), Some((_, body))) = (line.strip_prefix(">>> "), &mut request) {
            body.extend(text.bytes());
        } else if let Some(outcome) = line.strip_prefix("= ") {
            corpus.entry("json").or_default().push(outcome.into());
            corpus.entry("plugin_inputs").or_default().push(format!("6{outcome}").into());
        }
    }
    cases.extend(request.take().map(written));
    corpus.entry("http_params").or_default().extend(cases.iter().cloned());
    let own = corpus.entry(target).or_default();
    own.extend(cases);
    own.push(stream);
}

fn written((head, body): (String, Vec<u8>)) -> Vec<u8> {
    [head.as_bytes(), b"\n\n", &body].concat()
}

/// The examples of docs/plugins.md, as inputs and outputs of a plugin.
fn take_page(corpus: &mut Corpus, page: &str) {
    for block in page.split("\n```json ").skip(1) {
        let block = block.split("\n```\n").next().expect("a block");
        let (kind, json) = block.split_once('\n').expect("a kind");
        let json: serde_json::Value = serde_json::from_str(json).expect("an example");
        let json = json.to_string();
        corpus.entry("json").or_default().push(json.clone().into());
        let (target, case) = match kind {
            "command" => ("plugin_outputs", format!("0\n1 {json}")),
            "query" => ("plugin_outputs", format!("0\n2 {json}")),
            "response" => ("plugin_outputs", format!("0\n3 {json}\tbody")),
            "manifest" => ("plugin_outputs", format!("0\n9 {json}")),
            "request" => ("plugin_inputs", format!("2{json}\nbody")),
            "outcome" => ("plugin_inputs", format!("6{json}")),
            "event" => ("plugin_inputs", format!("7{json}")),
            _ => ("plugin_inputs", format!("1{json}")),
        };
        corpus.entry(target).or_default().push(case.into());
    }
    let others = [
        "1\n4 bytes",
        "2\n5 text",
        "3\n",
        "0\n6 {\"messages\":true,\"presence\":true,\"population\":false}",
        "0\n7 1700000000000",
        "0\n8 ",
        "-1\n10 a reason\tkey",
        "0\n11 {\"name\":\"openapi.json\",\"media_type\":\"application/json\"}\t{}",
    ];
    corpus.entry("plugin_outputs").or_default().extend(others.map(|case| case.as_bytes().to_vec()));
}

/// gateway.toml, its sections with every key set, and the examples of docs/configuration.md.
fn take_configuration(corpus: &mut Corpus) {
    let file = read("gateway.toml");
    let set: String = file
        .lines()
        .map(|line| line.strip_prefix('#').unwrap_or(line))
        .fold(String::new(), |text, line| text + line + "\n");
    let cases = corpus.entry("config").or_default();
    cases.extend(set.split("\n[").map(|section| format!("[{section}").into_bytes()));
    cases.push(b"#!server.drain_timeout=30s\n#$STORE__PATH=/tmp/x\n[server]\n".to_vec());
    let page = read("docs/configuration.md");
    for block in page.split("```toml\n").skip(1) {
        cases.extend(block.split("```").next().map(|text| text.as_bytes().to_vec()));
    }
}
