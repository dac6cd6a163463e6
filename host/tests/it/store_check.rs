//! `dragoman store check`: the whole store is read, and damage is reported.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use crate::program::{FINE, Running, folder, run};

/// Flips a bit in every second page.
fn damage(file: &Path) {
    let file = File::options().read(true).write(true).open(file).expect("it is there");
    let bytes = file.metadata().expect("it is there").len();
    for offset in (8192..bytes).step_by(8192) {
        let mut byte = [0];
        file.read_exact_at(&mut byte, offset + 100).expect("it is readable");
        file.write_all_at(&[byte[0] ^ 1], offset + 100).expect("it is writable");
    }
}

#[test]
fn a_whole_store_exits_with_0_and_a_damaged_one_with_1() {
    let folder =
        folder(&format!("[store]\npath = \"chat.redb\"\n[[rooms]]\nname = \"TEST\"\n{FINE}"));
    let said = run(folder.path(), &["store", "check"]);
    assert!(said.contains("there is no store chat.redb to check; the gateway creates it at its first start\nexit 1"), "{said}");
    let mut gateway = Running::start(folder.path(), &[]);
    gateway.line();
    let said = run(folder.path(), &["store", "check"]);
    assert!(said.contains("another process has the store chat.redb open; stop it"), "{said}");
    assert!(said.ends_with("exit 1"), "{said}");
    assert_eq!(gateway.end().code(), Some(0));

    let said = run(folder.path(), &["store", "check"]);
    assert!(said.contains("\nchat.redb: no damage found\nexit 0"), "{said}");
    assert!(said.contains("\nrooms "), "{said}");
    std::fs::copy(folder.path().join("chat.redb"), folder.path().join("copy.redb"))
        .expect("copied");
    damage(&folder.path().join("copy.redb"));
    let said = run(folder.path(), &["store", "check", "copy.redb"]);
    assert!(said.contains("stderr: the store copy.redb is damaged: "), "{said}");
    assert!(said.ends_with("exit 1") && !said.contains("panicked"), "{said}");
    let said = run(folder.path(), &["store", "check", "chat.redb"]);
    assert!(said.ends_with("exit 0"), "{said}");
}

/// redb panics where a file is damaged; what that says would stand before the sentence, or instead.
#[test]
fn no_command_shows_a_panic_of_a_damaged_store() {
    let folder = folder(&format!("[store]\npath = \"chat.redb\"\n{FINE}"));
    let mut gateway = Running::start(folder.path(), &[]);
    gateway.line();
    assert_eq!(gateway.end().code(), Some(0));
    let store = folder.path().join("chat.redb");
    let whole = std::fs::read(&store).expect("it is readable");
    for command in [
        &["store", "check"][..],
        &["store", "check", "chat.redb"],
        &["store", "verify", "chat.redb"],
        &["store", "stats"],
        &["store", "backup", "backup"],
        &["store", "compact"],
        &["user", "list"],
        &["check"],
    ] {
        std::fs::write(&store, &whole).expect("it is writable");
        damage(&store);
        let said = run(folder.path(), command);
        assert!(!said.contains("panicked at") && !said.contains("exit 101"), "{said}");
    }
}
