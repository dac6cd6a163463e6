//! The program `dragoman`, built once for each run of the tests, in their profile and target
//! folder.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// Where the program is.
pub fn path() -> &'static Path {
    static PROGRAM: OnceLock<Option<PathBuf>> = OnceLock::new();
    PROGRAM.get_or_init(build).as_deref().expect("dragoman builds")
}

/// The root of the workspace.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ is in the workspace")
}

/// `None`, and cargo's complaint on standard error, where it does not build.
fn build() -> Option<PathBuf> {
    // <target>/<profile>/deps/it-…
    let tests = std::env::current_exe().expect("this program has a path");
    let profile = tests.ancestors().nth(2).expect("cargo puts tests in deps/");
    let target = profile.parent().expect("cargo puts profiles in a target folder");
    let name = profile.file_name().expect("it was joined").to_string_lossy();
    let status = Command::new(env!("CARGO"))
        .args(["build", "--quiet", "--package", "dragoman", "--bin", "dragoman"])
        .args(["--profile", if name == "debug" { "dev" } else { &name }])
        .arg("--target-dir")
        .arg(target)
        .current_dir(workspace())
        .status()
        .expect("cargo runs these tests");
    status.success().then(|| profile.join(format!("dragoman{}", std::env::consts::EXE_SUFFIX)))
}
