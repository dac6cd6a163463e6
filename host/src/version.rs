//! What this program is: its version, the commit that it was built from, and the machine it is for.

use std::sync::LazyLock;

/// As in Cargo.toml.
pub const VERSION: &str = env!("CARGO_PKG_VERSION");

/// The commit, where the build knows it: it ends with `-dirty` if files differed from it.
pub const COMMIT: Option<&str> = option_env!("DRAGOMAN_BUILD_COMMIT");

/// The target triple.
pub const TARGET: &str = env!("DRAGOMAN_BUILD_TARGET");

/// Whether the program is linked statically: then there is no dynamic loader, and so no plugins.
pub const IS_STATIC: bool = cfg!(target_feature = "crt-static");

/// Why a static program has no plugins, and what to do.
pub const NO_PLUGINS: &str = "this program is linked statically and loads no plugins; use the \
                              Debian package, the container image or the archive for -gnu";

/// `0.1.0 (commit 1f2e3d4c5b6a, x86_64-unknown-linux-gnu)`, for `--version`.
pub fn shown() -> &'static str {
    static SHOWN: LazyLock<String> = LazyLock::new(|| {
        let commit = COMMIT.map(|commit| format!("commit {commit}, ")).unwrap_or_default();
        let plugins = if IS_STATIC { ", without plugins" } else { "" };
        format!("{VERSION} ({commit}{TARGET}{plugins})")
    });
    &SHOWN
}

#[cfg(test)]
#[path = "../build.rs"]
mod build;

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;
    use std::process::Command;

    use super::build::commit_of;

    fn git(folder: &Path, arguments: &[&str]) -> String {
        let mut git = Command::new("git");
        git.args(["-c", "user.name=t", "-c", "user.email=t@example.org"]).args(arguments);
        let output = git.current_dir(folder).output().expect("git is installed");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("it is text").trim().to_owned()
    }

    #[test]
    fn the_commit_is_that_of_the_repository_or_of_the_archive_or_unknown() {
        let outer = tempfile::tempdir().expect("a folder");
        git(outer.path(), &["init", "--quiet"]);
        git(outer.path(), &["commit", "--quiet", "--allow-empty", "--message", "one"]);
        let full = git(outer.path(), &["rev-parse", "HEAD"]);
        assert_eq!(commit_of(outer.path()).as_deref(), Some(&full[..12]));

        // Sources that were unpacked inside another repository are not of its commit.
        let inner = outer.path().join("dragoman-0.1.0");
        fs::create_dir_all(inner.join("host")).expect("a folder");
        assert_eq!(commit_of(&inner), None);
        let recorded = |text: &str| {
            fs::write(inner.join("host/commit.txt"), text).expect("it is writable");
            commit_of(&inner)
        };
        assert_eq!(recorded("$Format:%H$\n"), None);
        assert_eq!(recorded(&format!("{full}\n")).as_deref(), Some(&full[..12]));
        assert_eq!(recorded("no commit\n"), None);
    }

    #[test]
    fn it_is_shown_on_one_line() {
        let shown = super::shown();
        assert!(shown.starts_with(concat!(env!("CARGO_PKG_VERSION"), " (")), "{shown}");
        assert!(shown.contains(super::TARGET) && shown.ends_with(')'), "{shown}");
        assert!(!shown.contains('\n'), "{shown}");
    }
}
