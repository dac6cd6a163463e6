//! A front end in a shared library does exactly what the linked one does, for every row of the
//! table of dialects.

use std::sync::Arc;

use frontend_all::{DIALECTS, Dialect};
use frontend_api::http::HttpError;
use frontend_api::{Frontend, Peer, Transport};
use frontend_testkit::{outputs_of_noise, play_as};
use plugin_loader::LoadedFrontend;
use plugin_testkit::{Script, scripts_of};
use serde_json::{Map, Value};

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
