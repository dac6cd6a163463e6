//! Every file that is not a plugin of this gateway is refused with its path and the reason.

use std::path::{Path, PathBuf};
use std::time::Duration;

use frontend_api::Frontend;
use plugin_loader::{LoadError, LoadedFrontend, Plugin};
use serde_json::Map;
use tempfile::TempDir;

fn error(path: &Path) -> LoadError {
    match Plugin::open(path) {
        Ok(_) => panic!("{} is loaded", path.display()),
        Err(error) => error,
    }
}

/// A file in a temporary folder.
fn file(folder: &TempDir, bytes: &[u8]) -> PathBuf {
    let path = folder.path().join("libx.so");
    std::fs::write(&path, bytes).unwrap();
    path
}

/// A library compiled from this source.
fn library(folder: &TempDir, name: &str, source: &str) -> Option<PathBuf> {
    let from = folder.path().join("x.c");
    let to = folder.path().join(name);
    std::fs::write(&from, source).unwrap();
    plugin_testkit::c_plugin(&from, &["-I", "plugins/abi/include"], &to).map(|()| to)
}

#[test]
fn a_missing_file_is_refused() {
    let error = error(Path::new("/nowhere/libx.so"));
    assert_eq!(error.to_string(), "cannot open /nowhere/libx.so: there is no such file");
}

#[test]
fn a_folder_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    assert!(matches!(error(folder.path()), LoadError::Unreadable { .. }));
}

#[test]
fn a_name_without_a_slash_is_not_searched_in_system_folders() {
    assert!(matches!(error(Path::new("libc.so.6")), LoadError::Missing { .. }));
}

#[test]
fn a_file_that_is_not_a_library_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    for bytes in [&b""[..], b"#!/bin/sh\n", b"\x7fEL"] {
        let path = file(&folder, bytes);
        let words = format!("{} is not a shared library", path.display());
        assert_eq!(error(&path).to_string(), words);
    }
}

#[test]
fn a_library_for_another_machine_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let mut bytes = std::fs::read(plugin_testkit::plugin("faulty")).unwrap();
    let other: u16 = if cfg!(target_arch = "aarch64") { 62 } else { 183 };
    bytes[18..20].copy_from_slice(&other.to_ne_bytes());
    let words = error(&file(&folder, &bytes)).to_string();
    let other = if other == 62 { "x86_64" } else { "aarch64" };
    let expected = format!("is built for {other}, this gateway runs on {}", std::env::consts::ARCH);
    assert!(words.ends_with(&expected), "{words}");
    bytes[4] = 1;
    assert!(error(&file(&folder, &bytes)).to_string().contains(&format!("{other} (32 bits)")));
}

#[test]
fn a_library_truncated_anywhere_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(plugin_testkit::plugin("faulty")).unwrap();
    let ends = [4, 5, 19, 63, 64, 4_096, whole.len() / 2, whole.len() - 1];
    for end in ends {
        let found = error(&file(&folder, &whole[..end]));
        let LoadError::Truncated { found, expected, .. } = found else {
            panic!("cut at {end}: {found}");
        };
        assert_eq!(found, end as u64);
        assert!(expected > found && expected <= whole.len() as u64, "cut at {end}: {expected}");
    }
    assert!(Plugin::open(&file(&folder, &whole)).is_ok());
}

#[test]
fn a_library_with_a_damaged_header_does_not_end_the_process() {
    let folder = tempfile::tempdir().unwrap();
    let whole = std::fs::read(plugin_testkit::plugin("token")).unwrap();
    for at in 18..64 {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xFF;
        // A file each, because a mapped file must not be written to. Some bytes are unused, and
        // the plugin loads; the test only shows that the process survives.
        let path = folder.path().join(format!("{at}.so"));
        std::fs::write(&path, &bytes).unwrap();
        if let Ok(plugin) = Plugin::open(&path) {
            assert_eq!(plugin.frontend(&Map::new()).unwrap().manifest().dialect, "token");
        }
    }
}

#[test]
fn a_library_that_is_not_a_plugin_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let Some(path) =
        library(&folder, "a.so", "int answer(void); int answer(void) { return 42; }\n")
    else {
        return;
    };
    let words =
        format!("{} is not a plugin of this gateway: it exports no gw_plugin_v1", path.display());
    assert_eq!(error(&path).to_string(), words);
}

#[test]
fn a_library_with_an_undefined_symbol_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let source = "#include \"gw_plugin.h\"\nconst gw_plugin *elsewhere(void);\n\
                  const gw_plugin *gw_plugin_v1(void) { return elsewhere(); }\n";
    let Some(path) = library(&folder, "a.so", source) else { return };
    let words = error(&path).to_string();
    assert!(words.starts_with("cannot load ") && words.contains("elsewhere"), "{words}");
}

#[test]
fn an_incomplete_or_foreign_table_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let cases = [
        ("0", "has no table of functions: gw_plugin_v1 returned null"),
        ("&newer", "speaks plugin ABI 2, this gateway speaks 1: use a plugin and a gateway"),
        ("&small", "has a table of functions of 16 bytes, and at least 56 are needed"),
        ("&empty", "lacks the function frontend_new"),
    ];
    for (nth, (table, expected)) in cases.into_iter().enumerate() {
        let source = format!(
            "#include \"gw_plugin.h\"\n\
             const gw_plugin newer = {{ 2, sizeof(gw_plugin), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }};\n\
             const gw_plugin small = {{ 1, 16, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }};\n\
             const gw_plugin empty = {{ 1, sizeof(gw_plugin), 0, 0, 0, 0, 0, 0, 0, 0, 0, 0 }};\n\
             const gw_plugin *gw_plugin_v1(void) {{ return {table}; }}\n"
        );
        let Some(path) = library(&folder, &format!("{nth}.so"), &source) else { return };
        let words = error(&path).to_string();
        assert!(words.contains(expected), "{words}");
    }
}

/// A timeout of the library that hangs is that library's own.
#[test]
fn an_entry_that_never_returns_keeps_no_other_library_out() {
    let folder = tempfile::tempdir().unwrap();
    let source = "#include <unistd.h>\n#include \"gw_plugin.h\"\n\
                  const gw_plugin *gw_plugin_v1(void) { for (;;) pause(); }\n";
    let Some(path) = library(&folder, "a.so", source) else { return };
    let timeout = Duration::from_millis(20);
    let error = Plugin::open_within(timeout, &path).err().expect("it hangs");
    let function = "gw_plugin_v1";
    assert_eq!(error, LoadError::TimedOut { path: path.clone(), function, timeout });
    let next = folder.path().join("next.so");
    std::fs::copy(plugin_testkit::plugin("token"), &next).unwrap();
    assert!(Plugin::open(&next).is_ok());
}

#[test]
fn a_file_that_replaced_another_is_loaded_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let (path, next) = (folder.path().join("libx.so"), folder.path().join("next.so"));
    let load = || LoadedFrontend::open(&path, &Map::new()).unwrap();
    std::fs::copy(plugin_testkit::plugin("token"), &path).unwrap();
    let before = load();
    let again = load();
    std::fs::copy(plugin_testkit::plugin("channel"), &next).unwrap();
    std::fs::rename(&next, &path).unwrap();
    let after = load();
    std::fs::copy(plugin_testkit::plugin("ourchat"), &next).unwrap();
    std::fs::rename(&next, &path).unwrap();
    let last = load();
    let names = [&before, &again, &after, &last].map(|loaded| loaded.manifest().dialect.clone());
    assert_eq!(names, ["token", "token", "channel", "ourchat"]);
    frontend_testkit::assert_noise_is_harmless(&before, 10);
}

#[test]
fn a_file_that_was_overwritten_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("libx.so");
    std::fs::copy(plugin_testkit::plugin("token"), &path).unwrap();
    assert!(Plugin::open(&path).is_ok());
    // Longer by a byte, so that the mapped part stays intact.
    let mut file = std::fs::OpenOptions::new().append(true).open(&path).unwrap();
    std::io::Write::write_all(&mut file, b"\0").unwrap();
    assert!(matches!(error(&path), LoadError::Overwritten { .. }));
}
