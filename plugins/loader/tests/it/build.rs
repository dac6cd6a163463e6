//! Builds plugins. A `cdylib` cannot be a dependency, so the tests ask cargo, and the C compiler.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

const PACKAGES: [&str; 7] = [
    "plugin-channel",
    "plugin-chatroom",
    "plugin-faulty",
    "plugin-irc",
    "plugin-ourchat",
    "plugin-token",
    "plugin-usr-room",
];

pub(crate) fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// The library of `plugin-<name>`, built as this test was.
pub(crate) fn plugin(name: &str) -> PathBuf {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(build);
    let target = format!("plugin_{}", name.replace('-', "_"));
    built.get(&target).unwrap_or_else(|| panic!("cargo built no {target}")).clone()
}

/// All plugins at once. Where their files are is cargo's to say: the folder can be configured.
fn build() -> BTreeMap<String, PathBuf> {
    let mut cargo = Command::new(env!("CARGO"));
    cargo.args(["build", "--quiet", "--message-format=json"]).current_dir(root());
    if !cfg!(debug_assertions) {
        cargo.arg("--release");
    }
    PACKAGES.iter().for_each(|package| {
        cargo.args(["--package", package]);
    });
    let output = cargo.output().expect("cargo runs, for it runs this test");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo cannot build the plugins: {words}");
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    messages.lines().filter_map(library).collect()
}

/// The name and the file of a `cdylib` that a message of cargo's is about.
fn library(message: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_library = message["target"]["kind"].as_array()?.contains(&"cdylib".into());
    let file = message["filenames"].as_array()?.first()?.as_str()?;
    is_library.then(|| (message["target"]["name"].to_string().replace('"', ""), file.into()))
}

/// Compiles a plugin in C, into a file of its own. None, and it is said: there is no compiler; with
/// `CI` set that is a failure.
pub(crate) fn c_plugin(source: &Path, flags: &[&str], to: &Path) -> Option<()> {
    let compiler = std::env::var("CC").unwrap_or_else(|_| "cc".to_owned());
    let output = Command::new(&compiler)
        .args(["-std=c11", "-Wall", "-Wextra", "-Werror", "-pedantic", "-shared", "-fPIC"])
        .args(flags)
        .arg("-o")
        .args([to, source])
        .current_dir(root())
        .output();
    let output = match output {
        Ok(output) => output,
        Err(error) => {
            assert!(std::env::var_os("CI").is_none(), "CI needs {compiler}, or CC set: {error}");
            println!("skipped: {compiler}: {error}");
            return None;
        }
    };
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Some(())
}
