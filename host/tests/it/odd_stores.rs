//! What each verb says of a file that is no whole store: one sentence with the file and what to do,
//! and the file stays as it is.

use std::io::Read as _;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
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

/// Of a file of the tests, what is compared: a sparse one has a terabyte.
const READ_BYTES_MAX: u64 = 16 << 20;

/// How long the file at the path of the store is, and what is in it.
fn state(path: &Path) -> Option<(u64, Vec<u8>)> {
    let metadata = path.metadata().ok()?;
    let mut bytes = Vec::new();
    if metadata.is_file() {
        let file = std::fs::File::open(path).expect("it is readable");
        file.take(READ_BYTES_MAX).read_to_end(&mut bytes).expect("it is readable");
    }
    Some((metadata.len(), bytes))
}

/// Checks all of `verbs` where `make` has put something at the path of the store.
fn check_verbs(kind: &str, verbs: &[&[&str]], make: impl Fn(&Path)) {
    check_codes(kind, verbs, "exit 1", make);
}

fn check_codes(kind: &str, verbs: &[&[&str]], code: &str, make: impl Fn(&Path)) {
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
        let [sentence, exit] = lines[..] else { panic!("{what}") };
        assert_eq!(exit, code, "{what}");
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
    check_verbs("a socket", &VERBS, |path| drop(UnixListener::bind(path).expect("it is ours")));
    check_verbs("a link to a device", &VERBS, |path| symlink("/dev/zero", path).expect("ours"));
    check_verbs("a link to nothing", &VERBS, |path| {
        symlink("disk/chat.redb", path).expect("it is ours");
    });
    check_verbs("a large file of zeros", &VERBS, |path| {
        std::fs::File::create(path).and_then(|file| file.set_len(1 << 40)).expect("it is sparse");
    });
}

/// Checks that a command says in one sentence what is wrong with `odd`, and leaves everything as it
/// is: a new file there would be one that the operator has not asked for.
fn check_refusal(folder: &Path, odd: &str, verb: &[&str]) {
    let names = || {
        let mut names = names_in(folder);
        names.sort();
        names
    };
    let before = names();
    let said = run(folder, verb);
    let what = format!("{odd}, {verb:?}: {said}");
    let [sentence, "exit 1"] = said.lines().skip(1).collect::<Vec<_>>()[..] else {
        panic!("{what}")
    };
    let sentence = sentence.strip_prefix("stderr: ").unwrap_or_else(|| panic!("{what}"));
    assert!(sentence.contains(odd) && sentence.contains("; "), "{what}");
    assert!(!sentence.contains("os error"), "{what}");
    assert_eq!(names(), before, "{what}");
}

#[test]
fn what_is_read_is_a_regular_file_with_what_it_should_have() {
    let folder = folder(&format!("[store]\npath = \"chat.redb\"\n{FINE}"));
    let at = |name: &str| folder.path().join(name);
    let made = Command::new("mkfifo").arg(at("pipe")).status().expect("coreutils");
    assert!(made.success());
    drop(UnixListener::bind(at("socket")).expect("it is ours"));
    symlink("/dev/zero", at("device")).expect("it is ours");
    symlink("disk/backup", at("link")).expect("it is ours");
    std::fs::create_dir(at("folder")).expect("it is ours");
    std::fs::write(at("empty"), []).expect("it is ours");
    std::fs::write(at("text"), b"rooms and users").expect("it is ours");
    std::fs::File::create(at("zeros")).and_then(|it| it.set_len(1 << 40)).expect("it is sparse");
    for odd in ["pipe", "socket", "device", "link", "folder", "empty", "text", "zeros", "missing"] {
        check_refusal(folder.path(), odd, &["store", "verify", odd]);
        check_refusal(folder.path(), odd, &["store", "restore", odd]);
        check_refusal(folder.path(), odd, &["import", odd]);
    }
}

#[test]
fn what_is_made_is_a_new_file_in_a_folder_that_is_there() {
    let folder = folder(&format!("[store]\npath = \"chat.redb\"\n{FINE}"));
    std::fs::write(folder.path().join("chat.redb"), whole()).expect("it is writable");
    std::fs::write(folder.path().join("file"), b"kept").expect("it is writable");
    symlink("disk/backup", folder.path().join("link")).expect("it is ours");
    // The audit log, which the first change makes.
    assert!(run(folder.path(), &["user", "create", "ann"]).ends_with("exit 0"));
    for odd in ["file", "link", "folder/copy", "file/copy", ".", "/proc/copy", "/dev/null"] {
        check_refusal(folder.path(), odd, &["store", "backup", odd]);
        check_refusal(folder.path(), odd, &["export", odd]);
    }
    assert_eq!(std::fs::read(folder.path().join("file")).expect("it is readable"), b"kept");
}

#[test]
fn serve_refuses_what_is_no_store_in_the_same_words() {
    let whole = whole();
    let with = |bytes: Vec<u8>| move |path: &Path| std::fs::write(path, &bytes).expect("writable");
    let serve = [&["serve"][..]];
    check_verbs("half of it", &serve, with(whole[..whole.len() / 2].to_vec()));
    check_verbs("zeros", &serve, with(vec![0; 3 << 20]));
    let lasting = "exit 78";
    check_codes("a text", &serve, lasting, with(b"rooms and users".repeat(500)));
    check_codes("a folder", &serve, lasting, |path| std::fs::create_dir(path).expect("it is ours"));
}
