//! What each verb says of a file that is no whole store: one sentence with the file and what to do,
//! and the file stays as it is.

use std::path::Path;
use std::process::Command;

use crate::program::{FINE, Running, folder, names_in, run};

/// The verbs that read a store, and make none.
const VERBS: [&[&str]; 10] = [
    &["store", "stats"],
    &["store", "check"],
    &["store", "check", "chat.redb"],
    &["store", "verify", "chat.redb"],
    &["store", "backup", "backup"],
    &["store", "compact"],
    &["export", "lines"],
    &["user", "list"],
    &["room", "create", "tea"],
    &["message", "search", "tea"],
];

/// A store that a gateway has made.
fn whole() -> Vec<u8> {
    let folder = folder(&format!("[store]\npath = \"chat.redb\"\n{FINE}"));
    let mut gateway = Running::start(folder.path(), &[]);
    gateway.line();
    assert_eq!(gateway.end().code(), Some(0));
    std::fs::read(folder.path().join("chat.redb")).expect("it is readable")
}

/// What there is at the path of the store.
fn state(path: &Path) -> Option<(bool, Vec<u8>)> {
    let metadata = path.metadata().ok()?;
    let bytes =
        if metadata.is_file() { std::fs::read(path).expect("it is readable") } else { Vec::new() };
    Some((metadata.is_dir(), bytes))
}

/// Checks all of `verbs` where `make` has put something at the path of the store.
fn check_verbs(kind: &str, verbs: &[&[&str]], make: impl Fn(&Path)) {
    for verb in verbs {
        let folder = folder(&format!("[store]\npath = \"chat.redb\"\n{FINE}"));
        let path = folder.path().join("chat.redb");
        make(&path);
        let names = || {
            let mut names = names_in(folder.path());
            names.sort();
            names
        };
        let before = (state(&path), names());
        let said = run(folder.path(), verb);
        let what = format!("{kind}, {verb:?}: {said}");
        let is_logged = |line: &&str| line.contains(" INFO ");
        let lines: Vec<&str> = said.lines().skip(1).filter(|line| !is_logged(line)).collect();
        let [sentence, "exit 1"] = lines[..] else { panic!("{what}") };
        let sentence = sentence.strip_prefix("stderr: ").unwrap_or_else(|| panic!("{what}"));
        assert!(sentence.contains("chat.redb") && sentence.contains("; "), "{what}");
        assert!(
            !sentence.contains("os error") && sentence.matches("the store").count() < 2,
            "{what}"
        );
        assert_eq!((state(&path), names()), before, "{what}");
    }
}

#[test]
fn every_verb_says_of_every_file_that_is_no_store_what_is_wrong_and_changes_nothing() {
    let whole = whole();
    let with = |bytes: Vec<u8>| move |path: &Path| std::fs::write(path, &bytes).expect("writable");
    let flipped = |at: usize| {
        let mut bytes = whole.clone();
        bytes[at] ^= 0xff;
        bytes
    };
    check_verbs("4 KiB of it", &VERBS, with(whole[..4096].to_vec()));
    check_verbs("half of it", &VERBS, with(whole[..whole.len() / 2].to_vec()));
    check_verbs("a wrong magic number", &VERBS, with(flipped(2)));
    check_verbs("a wrong layout", &VERBS, with(flipped(30)));
    check_verbs("zeros", &VERBS, with(vec![0; 3 << 20]));
    check_verbs("an empty file", &VERBS, with(Vec::new()));
    check_verbs("a text", &VERBS, with(b"rooms and users".repeat(500)));
    check_verbs("SQLite", &VERBS, with([&b"SQLite format 3\0"[..], &[0; 8192]].concat()));
    check_verbs("nothing", &VERBS, |_| ());
    check_verbs("a folder", &VERBS, |path| std::fs::create_dir(path).expect("it is ours"));
    check_verbs("a named pipe", &VERBS, |path| {
        let made = Command::new("mkfifo").arg(path).status().expect("coreutils");
        assert!(made.success());
    });
}

#[test]
fn serve_refuses_what_is_no_store_in_the_same_words() {
    let whole = whole();
    let with = |bytes: Vec<u8>| move |path: &Path| std::fs::write(path, &bytes).expect("writable");
    let serve = [&["serve"][..]];
    check_verbs("half of it", &serve, with(whole[..whole.len() / 2].to_vec()));
    check_verbs("zeros", &serve, with(vec![0; 3 << 20]));
    check_verbs("a text", &serve, with(b"rooms and users".repeat(500)));
    check_verbs("a folder", &serve, |path| std::fs::create_dir(path).expect("it is ours"));
}
