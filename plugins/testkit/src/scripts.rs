//! The scripts of all transcripts, with how the tests of their dialect play them.

use std::path::{Path, PathBuf};

use frontend_all::Dialect;
use frontend_api::Peer;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::root;

/// A script of a dialect's transcripts, with how the tests of the dialect play it.
pub struct Script {
    pub file: PathBuf,
    pub text: String,
    pub options: Map<String, Value>,
    pub peer: Peer,
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
pub fn scripts_of(dialect: &Dialect) -> Vec<Script> {
    let path = Path::new("frontends").join(dialect.folder()).join("tests/transcripts");
    let mut scripts = Vec::new();
    read_folder(&root().join(path), &mut scripts);
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
