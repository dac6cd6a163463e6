//! The program `dragoman`, built once for each run of the tests, in their profile and target
//! folder.

use std::path::{Path, PathBuf};
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
    let (mut cargo, folder) = plugin_testkit::cargo_build();
    let status = cargo.args(["--package", "dragoman", "--bin", "dragoman"]).status();
    let status = status.expect("cargo runs these tests");
    status.success().then(|| folder.join(format!("dragoman{}", std::env::consts::EXE_SUFFIX)))
}
