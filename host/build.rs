//! Tells the compiler what `dragoman --version` says: the target, and the commit where it is known.
//!
//! The commit is, in this order: `DRAGOMAN_COMMIT` of the environment, for packagers; the HEAD of
//! the repository; and what `git archive` wrote into commit.txt. A debug build has none, as each
//! commit would build the crate anew.

use std::env;
use std::fs;
use std::path::Path;
use std::process::Command;

/// Set by packagers, and by `cargo xtask dist`.
const VARIABLE: &str = "DRAGOMAN_COMMIT";

/// The digits of a commit that are shown.
const COMMIT_DIGITS: usize = 12;

#[cfg_attr(test, allow(dead_code, reason = "version.rs tests the rest of this file"))]
fn main() {
    println!("cargo::rerun-if-env-changed={VARIABLE}");
    println!("cargo::rerun-if-changed=build.rs");
    println!("cargo::rerun-if-changed=commit.txt");
    // Embedded, and the compiler does not see a file that is new in there.
    println!("cargo::rerun-if-changed=assets/console");
    let target = env::var("TARGET").expect("cargo sets it");
    println!("cargo::rustc-env=DRAGOMAN_BUILD_TARGET={target}");
    let given = env::var(VARIABLE).ok().filter(|commit| !commit.is_empty());
    let is_release = env::var("PROFILE").is_ok_and(|profile| profile == "release");
    let root = Path::new("..");
    let found = || {
        for name in ["HEAD", "logs/HEAD"] {
            if let Some(path) = git(root, &["rev-parse", "--git-path", name]) {
                println!("cargo::rerun-if-changed={}", root.join(path).display());
            }
        }
        commit_of(root)
    };
    let commit = given.or_else(|| if is_release { found() } else { None });
    if let Some(commit) = commit {
        println!("cargo::rustc-env=DRAGOMAN_BUILD_COMMIT={commit}");
    }
}

/// The commit of the sources in this folder, if it is known.
pub(crate) fn commit_of(root: &Path) -> Option<String> {
    let is_commit = |text: &String| {
        text.len() >= COMMIT_DIGITS && text.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    // Without a repository of its own, git would answer for one around the folder.
    let head = root.join(".git").exists().then(|| git(root, &["rev-parse", "HEAD"])).flatten();
    let archived = || fs::read_to_string(root.join("host/commit.txt")).ok();
    let commit = head.or_else(archived).map(|text| text.trim().to_owned()).filter(is_commit)?;
    Some(commit[..COMMIT_DIGITS].to_owned())
}

/// What a git command prints; `None` if it fails, or there is no git.
fn git(folder: &Path, arguments: &[&str]) -> Option<String> {
    let output = Command::new("git").arg("-C").arg(folder).args(arguments).output().ok()?;
    let text = output.status.success().then(|| String::from_utf8(output.stdout).ok()).flatten()?;
    Some(text.trim().to_owned())
}
