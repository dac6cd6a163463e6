//! gateway.toml, environment variables and `--set`.

use std::path::PathBuf;
use std::sync::LazyLock;

use dragoman::config::{Setting, Sources, draft};
use dragoman::dialects::DIALECTS;

/// The text of gateway.toml; its comments `#!KEY=VALUE` are `--set` options, and `#$KEY=VALUE`
/// environment variables.
pub fn config(data: &[u8]) {
    static FILE: LazyLock<PathBuf> =
        LazyLock::new(|| std::env::temp_dir().join(format!("fuzz-{}.toml", std::process::id())));
    // A plugin would be loaded from any path.
    let text = String::from_utf8_lossy(data).replace("plugin", "plug_in");
    std::fs::write(&*FILE, text.as_bytes()).expect("the folder for temporary files is writable");
    let mut environment = Vec::new();
    let mut set = Vec::new();
    for line in text.lines() {
        if let Some(setting) = line.strip_prefix("#!") {
            set.extend(setting.parse::<Setting>());
        } else if let Some((key, value)) = line.strip_prefix("#$").and_then(|l| l.split_once('=')) {
            environment.push((format!("DRAGOMAN_{key}"), value.to_owned()));
        }
    }
    let sources = Sources { file: FILE.clone(), environment, set };
    match draft(&sources, DIALECTS) {
        Ok(draft) => drop((draft.problems.sorted().to_string(), draft.warnings)),
        Err(problems) => drop(problems.to_string()),
    }
}
