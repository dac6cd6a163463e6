//! `dragoman check` looks into the store and changes nothing; `serve` refuses what it finds.

use std::fs::Permissions;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::Path;
use std::sync::{Arc, mpsc};

use core_engine::{Done, Engine, Envelope, FrontendSettings, Options};
use core_model::{Command, ConnectionId, NewRoom, NewUser, Outcome, Reply, Timestamp, UserRef};

use crate::program::{FINE, folder, names_in, run};

/// The store that all of these have.
const STORE: &str = "[store]\npath = \"chat.redb\"\n";

fn toml(rest: &str) -> String {
    format!("{STORE}{rest}{FINE}")
}

/// Carries commands out on a store, which is created if it is missing.
fn submit(path: &Path, commands: Vec<Command>) -> Vec<Outcome> {
    let (sender, outcomes) = mpsc::channel();
    let publish = move |batch: Vec<Done<()>>| {
        batch.into_iter().for_each(|done| sender.send(done.outcome).expect("it is received"));
    };
    let engine = Engine::open(path, Options::default(), publish).expect("it opens");
    let submit = |command| {
        let frontend = Arc::new(FrontendSettings { room_capacity: 500, ..Default::default() });
        let at = Timestamp(1_700_000_000_000);
        let connection = ConnectionId(0);
        let envelope =
            Envelope { at, steady_ms: 0, connection, address: None, frontend, key: None, command };
        engine.submit(envelope, ()).expect("there is room");
        outcomes.recv().expect("it answers")
    };
    commands.into_iter().map(submit).collect()
}

/// A store in which bob, uid 10000, owns a room.
fn with_a_room_of_bob(path: &Path, name: &str, closed: bool) {
    let bob = NewUser { handle: Some("bob".into()), insist: true, ..NewUser::default() };
    let room = NewRoom { name: Some(name.into()), insist: true, closed, ..NewRoom::default() };
    let owner = Some(UserRef::Handle("bob".into()));
    let commands =
        vec![Command::Register { user: bob }, Command::CreateRoom { room, owner, members: None }];
    let outcomes = submit(path, commands);
    assert!(matches!(outcomes[1], Ok(Reply::RoomCreated { .. })), "{outcomes:?}");
}

/// What `check` says about this file as the store, without the command and the exit code. It must
/// not change the file or leave another one.
fn check_of(bytes: &[u8]) -> String {
    let folder = folder(&toml(""));
    let path = folder.path().join("chat.redb");
    std::fs::write(&path, bytes).expect("it is writable");
    // Otherwise it warns.
    std::fs::set_permissions(&path, Permissions::from_mode(0o600)).expect("it is ours");
    let said = run(folder.path(), &["check"]);
    assert_eq!(std::fs::read(&path).expect("it is readable"), bytes);
    let mut names = names_in(folder.path());
    names.sort();
    assert_eq!(names, ["chat.redb", "gateway.toml"]);
    said.strip_prefix("$ dragoman check\n").expect("the command").to_owned()
}

/// A store of the current format.
fn store() -> Vec<u8> {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    with_a_room_of_bob(&path, "tea", false);
    std::fs::read(path).expect("it is readable")
}

#[test]
fn a_file_that_is_no_store_is_found_and_not_changed() {
    insta::assert_snapshot!(check_of(b"rooms and users, a text"), @r#"
    stderr: gateway.toml:2: store.path = "chat.redb": is a file of another kind, not a store; move it away, or choose another [store] path
    exit 1
    "#);
    let said = check_of(b"SQLite format 3\0\x10\0\x01\x01\0");
    assert!(said.contains("\"chat.redb\": is an SQLite database, not a store"), "{said}");
    let said = check_of(&store()[..100]);
    assert!(said.contains("store.path = \"chat.redb\": "), "{said}");
    assert!(said.ends_with("exit 1"), "{said}");
}

#[test]
fn serve_refuses_what_check_refuses_and_neither_waits() {
    let folder = folder(&toml(""));
    let at = |name: &str| folder.path().join(name);
    std::fs::write(at("text"), b"rooms and users, a text").expect("it is writable");
    let made = std::process::Command::new("mkfifo").arg(at("pipe")).status();
    assert!(made.expect("it is there").success());
    symlink("disk/chat.redb", at("link")).expect("it is made");
    let before = names_in(folder.path()).len();
    for (name, why) in [
        ("text", "is a file of another kind, not a store; move it away"),
        ("pipe", "is a named pipe, not a store; move it away"),
        (".", "is a folder, not a store; move it away"),
        ("link", "is a symbolic link to disk/chat.redb, which does not exist; mount its disk"),
    ] {
        for verb in ["check", "serve"] {
            let said = run(folder.path(), &[verb, "--set", &format!("store.path={name}")]);
            // A disk may be mounted later.
            let is_lasting = verb == "serve" && name != "link";
            let code = if is_lasting { "exit 78" } else { "exit 1" };
            assert!(said.contains(why) && said.ends_with(code), "{said}");
        }
    }
    assert_eq!(names_in(folder.path()).len(), before);
    assert!(at("link").symlink_metadata().expect("it stays").is_symlink());
}

#[test]
fn a_restored_store_is_where_the_link_leads() {
    let folder = folder(&toml(""));
    let disk = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    with_a_room_of_bob(&disk.path().join("s.redb"), "tea", false);
    symlink(disk.path().join("s.redb"), &path).expect("it is made");
    let said = run(folder.path(), &["store", "backup", "b"]);
    assert!(said.ends_with("exit 0"), "{said}");
    let said = run(folder.path(), &["store", "restore", "b", "--replace"]);
    assert!(said.ends_with("exit 0"), "{said}");
    assert!(path.symlink_metadata().expect("it stays").is_symlink());
    let mut names = names_in(disk.path());
    names.sort();
    assert_eq!(names, ["s.redb", "s.redb.replaced"]);
}

#[test]
fn an_empty_file_and_one_whose_creation_was_cut_short_are_fine() {
    for bytes in [&[][..], &[0; 4096]] {
        let said = check_of(bytes);
        assert!(said.ends_with("exit 0"), "{said}");
    }
}

#[test]
fn a_store_is_fine_and_not_changed_also_after_a_kill() {
    let mut store = store();
    assert!(check_of(&store).ends_with("exit 0"));
    // redb's flag that the file was not closed: opening it repairs it.
    store[9] |= 2;
    let said = check_of(&store);
    assert!(said.ends_with("exit 0"), "{said}");
}

#[test]
fn a_store_of_a_newer_format_is_found() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("chat.redb");
    with_a_room_of_bob(&path, "tea", false);
    let database = redb::Database::open(&path).expect("it opens");
    let transaction = database.begin_write().expect("it begins");
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    transaction.open_table(meta).expect("it opens").insert("format", 1000).expect("it is written");
    transaction.commit().expect("it commits");
    drop(database);
    let said = check_of(&std::fs::read(path).expect("it is readable"));
    assert!(said.contains("store.path = \"chat.redb\": the store has format 1000"), "{said}");
    assert!(said.ends_with("exit 1"), "{said}");
}

#[test]
fn a_store_in_a_folder_that_cannot_be_created_is_found() {
    let folder = folder(FINE);
    for path in ["gateway.toml/chat.redb", "gateway.toml/data/chat.redb"] {
        let said = run(folder.path(), &["check", "--set", &format!("store.path={path}")]);
        assert!(said.contains("gateway.toml is not a folder"), "{said}");
        assert!(said.ends_with("exit 1"), "{said}");
    }
}

#[test]
fn a_declared_room_that_a_user_owns_is_an_error_of_check_and_serve() {
    let folder = folder(&toml("[[rooms]]\nname = \"tea\"\n"));
    with_a_room_of_bob(&folder.path().join("chat.redb"), "tea", false);
    insta::assert_snapshot!(run(folder.path(), &["check"]), @r#"
    $ dragoman check
    stderr: gateway.toml:4: rooms[0].name names the room "tea": in the store it is a room of "bob" (uid 10000); choose another name, or release it with `dragoman room release`
    exit 1
    "#);
    let said = run(folder.path(), &["serve"]);
    let why = "[[rooms]] names the room \"tea\": in the store it is a room of \"bob\" (uid 10000); \
               choose another name";
    assert!(said.contains(why) && said.ends_with("exit 78"), "{said}");
}

#[test]
fn a_declared_room_with_a_name_of_groups_is_an_error_of_check_and_serve() {
    let folder = folder(&toml("[[rooms]]\nname = \"tea#7\"\n"));
    // Without a store, and with one that has no such room.
    for _ in 0..2 {
        let said = run(folder.path(), &["check"]);
        let why = "gateway.toml:4: rooms[0].name names the room \"tea#7\": a new room cannot have a \
                   name that ends with `#` and a number";
        assert!(said.contains(why) && said.ends_with("exit 1"), "{said}");
        let said = run(folder.path(), &["serve"]);
        assert!(said.contains("tea#7") && said.ends_with("exit 78"), "{said}");
    }
}

#[test]
fn a_closed_group_in_auto_join_is_an_error_of_check_and_serve() {
    let folder = folder(&(toml("") + "auto_join = [\"tea#1\"]\n"));
    with_a_room_of_bob(&folder.path().join("chat.redb"), "tea", true);
    let said = run(folder.path(), &["check"]);
    let why = "frontends.channel.auto_join names the room \"tea#1\": in the store it is a closed \
               group of \"bob\" (uid 10000); choose another name";
    assert!(said.contains(&format!("gateway.toml:5: {why}")), "{said}");
    let said = run(folder.path(), &["serve"]);
    assert!(said.contains(why) && said.ends_with("exit 78"), "{said}");
}

#[test]
fn an_open_room_of_a_user_in_auto_join_is_a_warning() {
    let folder = folder(&(toml("") + "auto_join = [\"tea\"]\n"));
    with_a_room_of_bob(&folder.path().join("chat.redb"), "tea", false);
    let said = run(folder.path(), &["check"]);
    assert!(said.contains("stderr: warning: gateway.toml:5: "), "{said}");
    assert!(said.contains("it is a room of \"bob\" (uid 10000)"), "{said}");
    assert!(said.ends_with("exit 0"), "{said}");
}
