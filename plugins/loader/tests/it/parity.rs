//! A front end in a shared library says exactly what the linked one says.

use std::path::{Path, PathBuf};

use frontend_api::http::HttpError;
use frontend_api::{Configure, Frontend, Peer};
use frontend_channel::ChannelFrontend;
use frontend_chatroom::ChatroomFrontend;
use frontend_irc::IrcFrontend;
use frontend_ourchat::OurchatFrontend;
use frontend_testkit::{outputs_of_noise, play_as};
use frontend_token::TokenFrontend;
use frontend_usr_room::UsrRoomFrontend;
use plugin_loader::LoadedFrontend;
use serde_json::{Map, Value, json};

/// How a folder of transcripts is played, as the tests of its dialect play it.
struct Folder {
    path: &'static str,
    options: Value,
    peer: Peer,
}

fn folder(path: &'static str, options: Value) -> Folder {
    let peer = Peer { address: "127.0.0.1".into(), private_listener: true, ..Peer::default() };
    Folder { path, options, peer }
}

fn object(value: Value) -> Map<String, Value> {
    match value {
        Value::Object(object) => object,
        other => panic!("not an object: {other}"),
    }
}

fn linked<F: Configure>(options: &Map<String, Value>) -> F {
    frontend_api::options::configure(options.clone()).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn loaded(plugin: &str, options: &Map<String, Value>) -> LoadedFrontend {
    LoadedFrontend::open(&plugin_testkit::plugin(plugin), options)
        .unwrap_or_else(|error| panic!("{error}"))
}

/// Every script in the folder, with its options: a first line `# options {…}`, or the folder's.
/// What all of them begin with is in a file `begin`, if there is one.
fn scripts(folder: &Folder) -> Vec<(PathBuf, String, Map<String, Value>)> {
    let path = plugin_testkit::root().join("frontends").join(folder.path);
    let entries = std::fs::read_dir(&path).unwrap_or_else(|error| panic!("{path:?}: {error}"));
    let files = entries.map(|entry| entry.unwrap().path());
    let begin = std::fs::read_to_string(path.join("begin")).unwrap_or_default();
    let scripts = files.filter(|file| file.extension().is_some_and(|end| end == "in"));
    let read = |file: PathBuf| {
        let script = begin.clone() + &std::fs::read_to_string(&file).unwrap();
        let own = script.lines().next().and_then(|line| line.strip_prefix("# options "));
        let options = own.map(|options| serde_json::from_str(options).unwrap());
        (file, script, object(options.unwrap_or_else(|| folder.options.clone())))
    };
    scripts.map(read).collect()
}

/// Plays every script of these folders in both, and returns how many there were.
fn assert_parity<F: Configure>(plugin: &str, folders: &[Folder]) -> usize {
    let mut played = 0;
    for folder in folders {
        for (file, script, options) in scripts(folder) {
            let (linked, loaded) = (linked::<F>(&options), loaded(plugin, &options));
            let faults = loaded.faults();
            assert_eq!(linked.manifest(), loaded.manifest());
            assert!(linked.schemas() == loaded.schemas(), "documents of {}", file.display());
            let expected = play_as(&linked, &folder.peer, &script);
            let found = play_as(&loaded, &folder.peer, &script);
            assert_eq!(found, expected, "{}", file.display());
            assert_eq!((faults.panicked(), faults.malformed()), (0, 0), "{}", file.display());
            played += 1;
        }
    }
    let (linked, loaded) = (linked::<F>(&Map::new()), loaded(plugin, &Map::new()));
    for status in [400, 401, 403, 404, 405, 413, 415, 429, 503] {
        let fault = HttpError::new(status, "\"because\"\n").with_header("retry-after", "1");
        assert_eq!(loaded.fault(&fault), linked.fault(&fault), "{status}");
    }
    assert!(linked.schemas() == loaded.schemas(), "documents with defaults");
    assert!(plugin == "irc" || !linked.schemas().is_empty(), "no documents");
    let upgrade = Some(Default::default());
    for peer in [Peer::default(), Peer { upgrade, ..Peer::default() }] {
        let [loaded, linked]: [&dyn Frontend; 2] = [&loaded, &linked];
        let [loaded, linked] = [loaded, linked].map(|one| outputs_of_noise(one, &peer, 300));
        assert!(!linked.is_empty() && loaded == linked, "noise");
    }
    assert_eq!((loaded.faults().panicked(), loaded.faults().malformed()), (0, 0));
    played
}

/// How many transcripts a dialect has, in whatever folder: none may be left out here.
fn transcripts_below(path: &Path) -> usize {
    let entries = std::fs::read_dir(path).unwrap().map(|entry| entry.unwrap().path());
    let count = |path: PathBuf| match path.is_dir() {
        true => transcripts_below(&path),
        false => usize::from(path.extension().is_some_and(|end| end == "in")),
    };
    entries.map(count).sum()
}

fn transcripts_of(dialect: &str) -> usize {
    transcripts_below(
        &plugin_testkit::root().join("frontends").join(dialect).join("tests/transcripts"),
    )
}

#[test]
fn token_says_the_same_loaded() {
    let folders = [folder("token/tests/transcripts", json!({}))];
    assert_eq!(assert_parity::<TokenFrontend>("token", &folders), transcripts_of("token"));
}

/// The bytes that a script of the token dialect has the peer send, in one piece.
fn stream(script: &str) -> Vec<u8> {
    let sent = script.lines().filter_map(|line| line.strip_prefix("<hex "));
    let bytes = sent.flat_map(|line| line.split_whitespace());
    bytes.map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

#[test]
fn cutting_a_stream_anywhere_changes_nothing_loaded() {
    let mut bytes = 0;
    for (file, script, options) in scripts(&folder("token/tests/transcripts", json!({}))) {
        // Each byte is a place to cut: a frame as large as they may be has too many of them.
        let stream = stream(&script);
        if stream.len() < 1_000 {
            println!("{}", file.display());
            frontend_testkit::assert_cut_invariant(&loaded("token", &options), &stream);
            bytes += stream.len();
        }
    }
    assert!(bytes > 2_000, "{bytes}");
}

#[test]
fn usr_room_says_the_same_loaded() {
    let folders = [
        folder("usr-room/tests/transcripts/document", json!({ "flavor": "document" })),
        folder("usr-room/tests/transcripts/miniprogram", json!({ "flavor": "miniprogram" })),
    ];
    assert_eq!(assert_parity::<UsrRoomFrontend>("usr-room", &folders), transcripts_of("usr-room"));
}

#[test]
fn chatroom_says_the_same_loaded() {
    let folders = [folder("chatroom/tests/transcripts", json!({}))];
    assert_eq!(assert_parity::<ChatroomFrontend>("chatroom", &folders), transcripts_of("chatroom"));
}

#[test]
fn ourchat_says_the_same_loaded() {
    let strings = json!({ "ocid": "string", "backlog": 2, "open": true });
    let lines = folder("ourchat/tests/transcripts/lines", json!({}));
    let folders = [
        folder("ourchat/tests/transcripts", json!({})),
        folder("ourchat/tests/transcripts/strings", strings),
        Folder { peer: Peer { listener: "tcp_listen".into(), ..Peer::default() }, ..lines },
    ];
    assert_eq!(assert_parity::<OurchatFrontend>("ourchat", &folders), transcripts_of("ourchat"));
}

#[test]
fn channel_says_the_same_loaded() {
    let folders = [folder("channel/tests/transcripts", json!({}))];
    assert_eq!(assert_parity::<ChannelFrontend>("channel", &folders), transcripts_of("channel"));
}

#[test]
fn irc_says_the_same_loaded() {
    let folders = [
        folder("irc/tests/transcripts", json!({})),
        folder("irc/tests/transcripts/guest", json!({})),
        folder("irc/tests/transcripts/account", json!({})),
    ];
    assert_eq!(assert_parity::<IrcFrontend>("irc", &folders), transcripts_of("irc"));
}

#[test]
fn a_body_crosses_byte_for_byte() {
    let script = "> POST /register\n>> content-type: application/x-www-form-urlencoded\n\
                  >>> name=a%00%FF&password=%E8%8C%B6&password_again=x\n";
    let (linked, loaded) = (linked::<ChannelFrontend>(&Map::new()), loaded("channel", &Map::new()));
    assert_eq!(frontend_testkit::play(&loaded, script), frontend_testkit::play(&linked, script));
}
