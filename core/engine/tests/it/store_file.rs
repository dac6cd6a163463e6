//! What may be at the path of a store, and what is made there.

use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::process::Command;

use core_engine::{Done, Engine, OpenError, Options};

fn open(path: &Path) -> Result<Engine<()>, OpenError> {
    Engine::open(path, Options::default(), |_: Vec<Done<()>>| ())
}

fn refusal(path: &Path) -> OpenError {
    open(path).err().expect("the store does not open")
}

#[test]
fn what_is_no_store_is_refused_in_words_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    let text = "not a store\n".repeat(1_000);
    std::fs::write(at("text"), &text).unwrap();
    std::fs::write(at("sqlite"), b"SQLite format 3\0\x10\0").unwrap();
    assert!(Command::new("mkfifo").arg(at("pipe")).status().unwrap().success());
    symlink(at("pipe"), at("link")).unwrap();
    let _socket = std::os::unix::net::UnixListener::bind(at("socket")).unwrap();
    std::fs::create_dir(at("folder")).unwrap();
    let cases = [
        ("text", "a file of another kind"),
        ("sqlite", "an SQLite database"),
        ("pipe", "a named pipe"),
        ("link", "a named pipe"),
        ("socket", "a socket"),
        ("folder", "a folder"),
    ];
    for (name, kind) in cases {
        let path = at(name);
        let said = format!(
            "the store {} is {kind}, not a store; move it away, or choose another [store] path",
            path.display()
        );
        assert_eq!(refusal(&path).to_string(), said);
        let format = core_engine::store_format(&path, 1 << 20).expect_err(name);
        assert_eq!(format.to_string(), said);
        assert_eq!(core_engine::check(&path, 1 << 20).expect_err(name).to_string(), said);
    }
    assert_eq!(std::fs::read_to_string(at("text")).unwrap(), text);
    assert!(!at("link.new").exists() && !at("text.new").exists());
    let nowhere = at("missing").join("store.redb");
    let error = refusal(&nowhere);
    assert!(matches!(&error, OpenError::Open { path, .. } if *path == nowhere), "{error}");
}

#[test]
fn a_store_that_ends_too_early_is_damaged() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    drop(open(&path).expect("a new store"));
    let whole = std::fs::read(&path).unwrap();
    for length in [9, 100, 1_000] {
        std::fs::write(&path, &whole[..length]).unwrap();
        let error = refusal(&path);
        assert!(matches!(error, OpenError::Damaged { .. }), "{length} bytes: {error}");
        assert_eq!(std::fs::read(&path).unwrap(), whole[..length]);
    }
    std::fs::write(&path, &whole[..9]).unwrap();
    assert!(refusal(&path).to_string().contains("is damaged: it ends too early"));
}

#[test]
fn a_link_to_a_missing_file_is_refused_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk");
    let path = folder.path().join("store.redb");
    // The middle link is relative to its own folder.
    symlink(folder.path().join("middle"), &path).unwrap();
    symlink("disk/store.redb", folder.path().join("middle")).unwrap();
    for is_mounted in [false, true] {
        if is_mounted {
            std::fs::create_dir(&disk).unwrap();
        }
        let error = refusal(&path);
        assert!(matches!(&error, OpenError::DanglingLink { path: named, .. } if *named == path));
        let said = error.to_string();
        assert!(said.contains("middle, which does not exist"), "{said}");
        assert!(core_engine::compact(&path, 1 << 20).is_err());
        assert!(path.symlink_metadata().unwrap().is_symlink());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 2 + usize::from(is_mounted));
    }
    // With a file where it leads, the store is there, made anew if its making was cut short.
    for beginning in [&[][..], &[0; 4096]] {
        std::fs::write(disk.join("store.redb"), beginning).unwrap();
        drop(open(&path).expect("it opens"));
        assert!(path.symlink_metadata().unwrap().is_symlink());
        assert!(std::fs::read(disk.join("store.redb")).unwrap().starts_with(b"redb"));
        assert_eq!(std::fs::read_dir(&disk).unwrap().count(), 1);
    }
    let mode = disk.join("store.redb").metadata().unwrap().permissions().mode();
    assert_eq!(mode & 0o077, 0);
}

#[test]
fn a_store_whose_beginning_is_lost_is_damaged_and_stays() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    drop(open(&path).expect("it is made"));
    let whole = std::fs::read(&path).unwrap();
    for lost in [9, 16, 512, 4096] {
        let mut damaged = whole.clone();
        damaged[..lost].fill(0);
        std::fs::write(&path, &damaged).unwrap();
        for _ in 0..2 {
            let error = refusal(&path);
            assert!(matches!(error, OpenError::Damaged { .. }), "{lost} bytes: {error}");
            assert!(core_engine::compact(&path, 1 << 20).is_err());
            assert_eq!(std::fs::read(&path).unwrap(), damaged);
        }
    }
    // Nothing is left of a store in a file of zeros that is larger than what its making leaves.
    std::fs::write(&path, vec![0; 3 << 20]).unwrap();
    assert!(matches!(refusal(&path), OpenError::Damaged { .. }));
}
