//! Builds plugins for tests and benches, by running cargo and the C compiler: a `cdylib` cannot be
//! a dependency.

mod scripts;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

pub use scripts::{Script, scripts_of};

/// Every plugin in Rust that tests load: one for each dialect, and those for tests alone.
fn packages() -> Vec<String> {
    let dialects = frontend_all::DIALECTS.iter().map(|dialect| dialect.folder());
    let names = dialects.chain(["faulty".to_owned(), "line".to_owned()]);
    names.map(|name| format!("plugin-{name}")).collect()
}

/// The root of the workspace.
pub fn root() -> &'static Path {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    own.ancestors().nth(2).expect("plugins/testkit is in the workspace")
}

/// The library of `plugin-<name>`, built once per process, with the profile of this program.
pub fn plugin(name: &str) -> PathBuf {
    static BUILT: OnceLock<BTreeMap<String, PathBuf>> = OnceLock::new();
    let built = BUILT.get_or_init(|| build(&packages()));
    let target = format!("plugin_{}", name.replace('-', "_"));
    built.get(&target).unwrap_or_else(|| panic!("cargo built no {target}")).clone()
}

/// Builds and returns only these libraries.
pub fn plugins<const N: usize>(names: [&str; N]) -> [PathBuf; N] {
    let packages = names.map(|name| format!("plugin-{}", name.replace('_', "-")));
    let built = build(&packages);
    packages.map(|package| built[&package.replace('-', "_")].clone())
}

/// `cargo build` with the profile and the target folder of this program, and the folder of what it
/// builds.
pub fn cargo_build() -> (Command, PathBuf) {
    // <target>/<profile>/deps/it-…
    let own = std::env::current_exe().expect("this program has a path");
    let profile = own.ancestors().nth(2).expect("cargo puts tests in deps/");
    let target = profile.parent().expect("cargo puts profiles in a target folder");
    let name = profile.file_name().expect("it was joined").to_string_lossy();
    let mut cargo = Command::new(env!("CARGO"));
    // Build scripts watch what cargo tells a program that it runs: with that, all that depends on them
    // would be built anew.
    for (name, _) in std::env::vars_os() {
        if name == "CARGO_MANIFEST_DIR" || name.to_string_lossy().starts_with("CARGO_PKG_") {
            cargo.env_remove(name);
        }
    }
    cargo
        .args(["build", "--quiet"])
        .args(["--profile", if name == "debug" { "dev" } else { &name }])
        .arg("--target-dir")
        .arg(target)
        .current_dir(root());
    (cargo, profile.to_owned())
}

/// Builds packages with the profile and the target folder of this program.
fn build(packages: &[String]) -> BTreeMap<String, PathBuf> {
    let (mut cargo, _) = cargo_build();
    cargo.arg("--message-format=json");
    packages.iter().for_each(|package| {
        cargo.args(["--package", package]);
    });
    let output = cargo.output().expect("cargo runs, for it runs this program");
    let words = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "cargo cannot build the plugins: {words}");
    let messages = String::from_utf8(output.stdout).expect("cargo writes UTF-8");
    messages.lines().filter_map(library).collect()
}

/// The name and the file of the `cdylib` that a message of cargo reports.
fn library(message: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(message).ok()?;
    let is_library = message["target"]["kind"].as_array()?.contains(&"cdylib".into());
    let file = message["filenames"].as_array()?.first()?.as_str()?;
    is_library.then(|| Some((message["target"]["name"].as_str()?.into(), file.into())))?
}

/// Compiles a plugin in C. `source` is relative to the root of the workspace.
///
/// `None`: there is no compiler, which is printed, and is a failure if `CI` is set.
pub fn c_plugin(source: &Path, flags: &[&str], to: &Path) -> Option<()> {
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
