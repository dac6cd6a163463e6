//! A front end in a shared library does exactly what the linked one does, for every row of the
//! table of dialects.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use frontend_all::{DIALECTS, Dialect};
use frontend_api::http::HttpError;
use frontend_api::{Frontend, Peer, Transport};
use frontend_testkit::{outputs_of_noise, play_as};
use plugin_loader::LoadedFrontend;
use serde::Deserialize;
use serde_json::{Map, Value};

/// A script of a dialect's transcripts, with how the tests of the dialect play it.
struct Script {
    file: PathBuf,
    text: String,
    options: Map<String, Value>,
    peer: Peer,
}

/// How the scripts of one folder are played: its `folder.json`, where it has one.
#[derive(Default, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Folder {
    /// The dialect's options, where a script does not begin with a line `# options {…}`.
    options: Map<String, Value>,
    /// The key of the listener that the peer came in by.
    listener: String,
}

/// Every script below a dialect's `tests/transcripts`. A file `begin` in a folder is what all its
/// scripts begin with.
fn scripts_of(dialect: &Dialect) -> Vec<Script> {
    let path = Path::new("frontends").join(dialect.folder()).join("tests/transcripts");
    let mut scripts = Vec::new();
    read_folder(&plugin_testkit::root().join(path), &mut scripts);
    scripts
}

fn read_folder(path: &Path, scripts: &mut Vec<Script>) {
    let settings = std::fs::read_to_string(path.join("folder.json")).ok();
    let settings = settings.map(|text| serde_json::from_str(&text).expect("folder.json is one"));
    let Folder { options, listener } = settings.unwrap_or_default();
    let begin = std::fs::read_to_string(path.join("begin")).unwrap_or_default();
    let address = "127.0.0.1".into();
    let peer = Peer { address, private_listener: true, listener, ..Peer::default() };
    let entries = std::fs::read_dir(path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    for file in entries.map(|entry| entry.unwrap().path()) {
        if file.is_dir() {
            read_folder(&file, scripts);
        } else if file.extension().is_some_and(|end| end == "in") {
            let text = begin.clone() + &std::fs::read_to_string(&file).unwrap();
            let own = text.lines().next().and_then(|line| line.strip_prefix("# options "));
            let own = own.map(|options| serde_json::from_str(options).unwrap());
            let options = own.unwrap_or_else(|| options.clone());
            scripts.push(Script { file, text, options, peer: peer.clone() });
        }
    }
}

fn linked(dialect: &Dialect, options: &Map<String, Value>) -> Arc<dyn Frontend> {
    dialect.configure(options.clone()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn loaded(dialect: &Dialect, options: &Map<String, Value>) -> LoadedFrontend {
    LoadedFrontend::open(&plugin_testkit::plugin(dialect.name), options)
        .unwrap_or_else(|error| panic!("{error}"))
}

fn find(name: &str) -> &'static Dialect {
    frontend_all::find(name).expect("a row of the table")
}

#[test]
fn every_script_gives_the_same_transcript_linked_and_loaded() {
    for dialect in DIALECTS {
        let scripts = scripts_of(dialect);
        assert!(!scripts.is_empty(), "{} has no transcripts", dialect.name);
        for Script { file, text, options, peer } in scripts {
            let linked = linked(dialect, &options);
            let loaded = loaded(dialect, &options);
            let faults = loaded.faults();
            assert_eq!(linked.manifest(), loaded.manifest());
            assert!(linked.schemas() == loaded.schemas(), "documents of {}", file.display());
            let expected = play_as(&*linked, &peer, &text);
            let found = play_as(&loaded, &peer, &text);
            assert_eq!(found, expected, "{}", file.display());
            assert_eq!((faults.panicked(), faults.malformed()), (0, 0), "{}", file.display());
        }
    }
}

#[test]
fn an_http_error_and_the_schemas_are_the_same_linked_and_loaded() {
    for dialect in DIALECTS {
        let linked = linked(dialect, &Map::new());
        let loaded = loaded(dialect, &Map::new());
        for status in [400, 401, 403, 404, 405, 413, 415, 429, 503] {
            let fault = HttpError::new(status, "\"because\"\n").with_header("retry-after", "1");
            assert_eq!(loaded.fault(&fault), linked.fault(&fault), "{status}");
        }
        assert!(linked.schemas() == loaded.schemas(), "documents with defaults");
        let listeners = &linked.manifest().listeners;
        let lines_only = listeners.iter().all(|one| one.transport == Transport::TcpLines);
        assert_eq!(linked.schemas().is_empty(), lines_only, "documents of {}", dialect.name);
    }
}

#[test]
fn noise_has_the_same_outputs_linked_and_loaded() {
    for dialect in DIALECTS {
        let linked = linked(dialect, &Map::new());
        let loaded = loaded(dialect, &Map::new());
        for upgrade in [None, Some(Default::default())] {
            let peer = Peer { upgrade, ..Peer::default() };
            let expected = outputs_of_noise(&*linked, &peer, 300);
            assert!(!expected.is_empty(), "{} has no outputs", dialect.name);
            assert!(outputs_of_noise(&loaded, &peer, 300) == expected, "{}", dialect.name);
        }
        assert_eq!((loaded.faults().panicked(), loaded.faults().malformed()), (0, 0));
    }
}

/// The bytes that the peer sends in a script of the token dialect, in one piece.
fn stream(script: &str) -> Vec<u8> {
    let sent = script.lines().filter_map(|line| line.strip_prefix("<hex "));
    let bytes = sent.flat_map(|line| line.split_whitespace());
    bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

#[test]
fn cutting_a_stream_anywhere_changes_nothing_loaded() {
    let mut bytes = 0;
    for script in scripts_of(find("token")) {
        // Each byte is a place to cut, so frames at the limit of their size would take too long.
        let stream = stream(&script.text);
        if stream.len() < 1_000 {
            println!("{}", script.file.display());
            let frontend = loaded(find("token"), &script.options);
            frontend_testkit::assert_cut_invariant(&frontend, &stream);
            bytes += stream.len();
        }
    }
    assert!(bytes > 2_000, "{bytes}");
}

#[test]
fn a_body_crosses_byte_for_byte() {
    let script = "> POST /register\n>> content-type: application/x-www-form-urlencoded\n\
                  >>> name=a%00%FF&password=%E8%8C%B6&password_again=x\n";
    let linked = linked(find("channel"), &Map::new());
    let loaded = loaded(find("channel"), &Map::new());
    assert_eq!(frontend_testkit::play(&loaded, script), frontend_testkit::play(&*linked, script));
}
