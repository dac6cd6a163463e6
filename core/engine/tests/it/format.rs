//! Store files: whose they are, and which versions of them can be read.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use core_engine::{Done, Engine, Envelope, OpenError, Options};
use core_model::{
    AddressGrant, Claim, Command, MessageId, NewUser, ProfileChanges, Query, Refusal, Reply,
    Secret, Timestamp, UserRef,
};

use crate::build::*;
use crate::gateway::Gateway;
use crate::say;

fn open(path: &Path) -> Result<Engine<()>, OpenError> {
    Engine::open(path, Options::default(), |_: Vec<Done<()>>| ())
}

fn refusal(path: &Path) -> OpenError {
    open(path).err().expect("the store does not open")
}

#[test]
fn a_store_of_a_later_format_is_refused_and_not_changed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    drop(open(&path).expect("a new store"));
    let meta = redb::TableDefinition::<&str, u64>::new("meta");
    {
        let database = redb::Database::open(&path).unwrap();
        let write = database.begin_write().unwrap();
        assert_eq!(
            write.open_table(meta).unwrap().insert("format", 7).unwrap().unwrap().value(),
            6
        );
        write.commit().unwrap();
    }
    let error = refusal(&path);
    let OpenError::TooNew { found, path: named } = &error else { panic!("{error}") };
    assert_eq!((*found, named), (7, &path));
    let said = error.to_string();
    assert!(said.contains(path.to_str().unwrap()) && said.contains("format 7"), "{said}");
    let database = redb::Database::open(&path).unwrap();
    let read = redb::ReadableDatabase::begin_read(&database).unwrap();
    assert_eq!(read.open_table(meta).unwrap().get("format").unwrap().unwrap().value(), 7);
}

#[test]
fn a_store_that_is_open_is_refused_until_it_is_closed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let first = open(&path).expect("a new store");
    let error = refusal(&path);
    assert!(matches!(&error, OpenError::Locked { path: named } if *named == path), "{error}");
    assert!(error.to_string().contains(path.to_str().unwrap()), "{error}");
    drop(first);
    assert!(open(&path).is_ok());
}

#[test]
#[cfg(unix)]
fn a_new_store_is_for_its_owner_only() {
    use std::os::unix::fs::PermissionsExt as _;

    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    drop(open(&path).expect("it is made"));
    assert_eq!(path.metadata().unwrap().permissions().mode() & 0o077, 0);
}

#[test]
fn a_first_start_that_was_cut_short_is_made_again() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let unfinished = folder.path().join("store.redb.new");
    let torn = [vec![0; 100_000], vec![7; 4_096]].concat();
    for rest in [&b"half a store"[..], &torn] {
        std::fs::write(&unfinished, rest).unwrap();
        drop(open(&path).expect("beside the rest of an unfinished one"));
        assert!(!unfinished.exists());
        std::fs::remove_file(&path).unwrap();
    }
    drop(open(&path).expect("it is made"));
    let whole = std::fs::read(&path).unwrap();
    // Files in which redb has not written anything yet.
    for torn in [&[][..], &[0; 4], &[0; 100_000]] {
        std::fs::write(&path, torn).unwrap();
        drop(open(&path).unwrap_or_else(|error| panic!("{} bytes: {error}", torn.len())));
        assert_eq!(std::fs::read(&path).unwrap()[..9], whole[..9]);
    }
    // One with more in it may be a store that has lost its beginning.
    std::fs::write(&path, &torn).unwrap();
    assert!(matches!(refusal(&path), OpenError::Damaged { .. }));
    assert_eq!(std::fs::read(&path).unwrap(), torn);
    std::fs::remove_file(&path).unwrap();
    drop(open(&path).expect("it is made"));
    // A whole one that was not renamed any more.
    std::fs::rename(&path, &unfinished).unwrap();
    drop(open(&path).expect("it is renamed"));
    assert!(path.exists() && !unfinished.exists());
}

#[test]
fn two_first_starts_do_not_make_two_stores() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let unfinished = folder.path().join("store.redb.new");
    let making = redb::Database::create(&unfinished).unwrap();
    assert!(matches!(refusal(&path), OpenError::Locked { .. }));
    drop(making);
    assert!(open(&path).is_ok());
}

#[test]
fn a_damaged_store_is_refused_in_words_wherever_the_damage_is() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let gateway = Gateway::on(path.clone());
    gateway.does(0, register("ann"));
    gateway.does(0, create(titled("tea"), Some(user("ann"))));
    for number in 0..200 {
        gateway.does(0, post(room("tea"), user("ann"), &number.to_string()));
    }
    drop(gateway);
    let whole = std::fs::read(&path).unwrap();
    let damaged = folder.path().join("damaged.redb");
    let mut refused = 0;
    for at in (9..whole.len()).step_by(whole.len() / 100) {
        let mut bytes = whole.clone();
        bytes[at] ^= 0x40;
        bytes[(at + 4_096).min(whole.len() - 1)] ^= 0xff;
        std::fs::write(&damaged, &bytes).unwrap();
        let Err(error) = open(&damaged) else { continue };
        refused += 1;
        let said = error.to_string();
        assert!(said.contains(damaged.to_str().unwrap()), "{said}");
        std::fs::write(&damaged, &bytes).unwrap();
        let _ = core_engine::compact(&damaged, 1 << 20);
    }
    assert!(refused > 0);
}

#[test]
fn a_store_whose_file_is_gone_or_replaced_is_reported() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let engine = open(&path).unwrap();
    assert_eq!(engine.check_store(), None);
    std::fs::rename(&path, folder.path().join("elsewhere")).unwrap();
    assert!(engine.check_store().unwrap().contains("is gone"));
    std::fs::write(&path, "another").unwrap();
    assert!(engine.check_store().unwrap().contains("no longer"));
    assert!(engine.problem().is_some() && engine.failure().is_none());
    std::fs::rename(folder.path().join("elsewhere"), &path).unwrap();
    assert_eq!(engine.check_store(), None);
}

#[test]
fn nothing_is_acknowledged_that_would_be_written_to_a_file_that_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let gateway = Gateway::on(path.clone());
    gateway.does(0, register("ann"));
    let elsewhere = folder.path().join("elsewhere");
    std::fs::rename(&path, &elsewhere).unwrap();
    let refusal = gateway.refuses(0, register("bob"));
    assert!(
        matches!(&refusal, Refusal::Internal { why } if why.contains("is gone")),
        "{refusal:?}"
    );
    std::fs::write(&path, "another").unwrap();
    let refusal = gateway.refuses(0, register("bob"));
    assert!(matches!(&refusal, Refusal::Internal { why } if why.contains("no longer")));
    std::fs::rename(&elsewhere, &path).unwrap();
    gateway.does(0, register("bob"));
}

#[test]
fn opening_a_store_does_not_change_its_contents() {
    let mut gateway = Gateway::new();
    gateway.does(0, register("ann"));
    let before = gateway.engine().dump();
    gateway.reopen();
    assert_eq!(gateway.engine().dump(), before);
}

#[test]
fn compacting_shrinks_the_file_and_keeps_its_contents() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let mut gateway = Gateway::on(path.clone());
    gateway.does(0, register("ann"));
    gateway.does(0, create(titled("tea"), Some(user("ann"))));
    let posting = |_| gateway.envelope(0, post(room("tea"), user("ann"), &"x".repeat(5_000)));
    for _ in 0..8 {
        gateway.batch((0..500).map(posting).collect());
    }
    let keep_per_room = Some(100);
    let from = core_model::RoomId(0);
    gateway.does(0, Command::Prune { before: None, keep_per_room, from, limit: u32::MAX });
    gateway.reopen();
    let found = gateway.engine().dump();
    drop(gateway);
    let (before, after) = core_engine::compact(&path, 4 << 20).unwrap();
    assert!(before > 10 << 20 && after < 2 << 20, "{before} to {after}");
    assert_eq!(path.metadata().unwrap().len(), after);
    gateway = Gateway::on(path.clone());
    assert_eq!(gateway.engine().dump(), found);
    let locked = core_engine::compact(&path, 4 << 20).unwrap_err();
    assert!(matches!(locked, OpenError::Locked { .. }), "{locked}");
}

// The store of format 1.

const TTL_MS: u64 = 1 << 50;

fn store_1() -> PathBuf {
    fixture("store-1.redb")
}

/// A store that an earlier version wrote: those of formats 1 and 3 with [`made_store_1`], those of
/// formats 2 and 4 by upgrading the one of format 1.
fn fixture(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures").join(name)
}

/// The commands that made the store of format 1. It is committed; later versions read it, and write it
/// only where it is missing.
fn made_store_1() -> Vec<Command> {
    let described = core_model::NewRoom {
        section: "music".into(),
        description: "all that sounds".into(),
        app_code: Some(7),
        info: Some("{\"a\":1}".into()),
        ..seating("tea", 9)
    };
    let ann = NewUser {
        identities: vec!["tel/5551234".into(), "email/ann@example.org".into()],
        password: Some(Secret::Hashed("$argon2id$ann".into())),
        profile: ProfileChanges {
            name: Some("Ann".into()),
            avatar: Some("ann.png".into()),
            sex: Some("1".into()),
            preferences: Some(vec!["music".into()]),
            info: Some("{\"b\":2}".into()),
        },
        ..named("ann")
    };
    let mut with_proofs = vouch(user("ann"));
    if let Command::SignIn { token, address, .. } = &mut with_proofs {
        *token = Some(grant("ann's", TTL_MS));
        *address = Some(AddressGrant { address: "10.0.0.1".into(), ttl_ms: TTL_MS });
    }
    let mut commands = vec![
        Command::Register { user: ann },
        register("小茶"),
        register("cyd"),
        with_proofs,
        issue(user("cyd"), sliding("cyd's", TTL_MS)),
        create(described, Some(user("ann"))),
        create_for(closed("secret"), user("小茶"), &["ann"]),
        create(titled("tea"), None),
        join(room("tea"), user("小茶")),
        join(room("tea#3"), user("小茶")),
        enter_and_open(room("tea"), guest("gus")),
        say(room("tea"), guest("gus"), "你好"),
    ];
    // More than fit into one row of the index of a room.
    commands.extend((0..300).map(|number| post(room("tea"), user("ann"), &number.to_string())));
    commands.extend([
        direct(user("ann"), user("小茶"), "one"),
        direct(user("小茶"), user("ann"), "two"),
        direct(user("ann"), user("小茶"), "three"),
        post(room("secret"), user("小茶"), "hush"),
        read_two(),
        create(titled("gone"), Some(user("cyd"))),
        post(room("gone"), user("cyd"), "gone"),
        delete(room("gone"), None),
        rename(room("tea#3"), "coffee", None),
    ]);
    commands
}

fn read_two() -> Command {
    Command::Receive {
        user: user("小茶"),
        expect: None,
        room: Some(room("tea")),
        after: Some(MessageId(1)),
        limit: 2,
        first_limit: 9,
        newest: false,
    }
}

fn keyed(gateway: &Gateway) -> Envelope {
    let posting = post(room("secret"), user("ann"), "once");
    Envelope { key: Some("test/k".into()), ..gateway.envelope(1, posting) }
}

static STORE_1: LazyLock<()> = LazyLock::new(|| {
    let path = store_1();
    if path.exists() {
        return;
    }
    let folder = path.parent().expect("a folder of fixtures");
    std::fs::create_dir_all(folder).expect("the folder of fixtures");
    let gateway = Gateway::on(path.clone());
    let commands = made_store_1().into_iter();
    let made = commands.map(|command| gateway.envelope(1, command)).collect();
    for (outcome, _) in gateway.batch(made) {
        outcome.expect("a store of format 1");
    }
    gateway.call_as_is(keyed(&gateway)).0.expect("a store of format 1");
    drop(gateway);
    panic!("{} was missing: look at it, and commit it", path.display());
});

/// Gateways on copies of the stores of earlier formats, which hold the same.
fn earlier_formats() -> impl Iterator<Item = Gateway> {
    LazyLock::force(&STORE_1);
    ["store-1.redb", "store-2.redb", "store-3.redb", "store-4.redb"].into_iter().map(|name| {
        let gateway = Gateway::on_a_copy_of(&fixture(name));
        gateway.does(0, start());
        gateway
    })
}

/// Has a test look at each store of an earlier format.
macro_rules! of_earlier_formats {
    ($($test:ident => $check:ident,)*) => {$(
        #[test]
        fn $test() {
            earlier_formats().for_each($check);
        }
    )*};
}

of_earlier_formats! {
    users_of_earlier_formats_are_read => check_users,
    a_new_password_revokes_the_sign_ins_of_a_user_of_earlier_formats => check_revocation,
    rooms_of_earlier_formats_are_read => check_rooms,
    messages_of_earlier_formats_are_read_and_continued => check_messages,
}

fn check_users(gateway: Gateway) {
    let known = |name: UserRef| match gateway.ask(&about_user(name)) {
        Ok(Reply::User { user }) => user,
        other => panic!("{other:?}"),
    };
    let ann = known(user("ann"));
    assert_eq!(ann.person.uid.map(|uid| uid.0), Some(10_000));
    assert_eq!((&*ann.person.name, &*ann.person.avatar, &*ann.sex), ("Ann", "ann.png", "1"));
    assert_eq!((&*ann.info, ann.preferences), ("{\"b\":2}", vec!["music".to_owned()]));
    assert_eq!(ann.created, Timestamp(1_000));
    for name in [
        uid(10_000),
        identity("tel/5551234"),
        identity("email/ann@example.org"),
        by_token("ann's"),
        UserRef::Claim(Claim { address: Some("10.0.0.1".into()), ..claim("ann") }),
        UserRef::Claim(Claim { token: Some(token("ann's")), ..claim("ann") }),
    ] {
        assert_eq!(known(name.clone()).person, ann.person, "{name:?}");
    }
    assert_eq!(known(by_token("cyd's")).person.handle, "cyd");
    assert_eq!(known(user("小茶")).person.uid.map(|uid| uid.0), Some(10_001));
    let password = gateway.engine().credential(Timestamp(0), &user("ann")).unwrap().unwrap().1;
    assert_eq!(password, "$argon2id$ann");
}

fn check_revocation(gateway: Gateway) {
    let rows = |table: &str| {
        let dump = gateway.engine().dump().unwrap();
        dump.into_iter().find(|(name, _)| *name == table).unwrap().1.len()
    };
    let all = || ["tokens", "tokens_by_user", "addresses", "addresses_by_user"].map(rows);
    assert_eq!(all(), [2, 2, 1, 1]);
    let sign_ins = gateway.engine().sign_ins(Timestamp(0), &user("ann")).unwrap();
    assert!(sign_ins.len() == 2 && sign_ins.iter().all(|it| it.created.is_none()), "{sign_ins:?}");
    let password = Secret::Hashed("$argon2id$new".into());
    gateway.does(0, Command::SetPassword { user: user("ann"), password });
    assert_eq!(all(), [1, 1, 0, 0]);
    assert_eq!(gateway.ask(&about_user(by_token("ann's"))), Err(Refusal::TokenInvalid));
    assert!(gateway.ask(&about_user(by_token("cyd's"))).is_ok());
}

fn check_rooms(gateway: Gateway) {
    let known = |name: &str, caller: Option<UserRef>| {
        let detail = core_model::Detail { members: true, ..core_model::Detail::default() };
        match gateway.ask(&Query::Room { room: room(name), caller, detail }) {
            Ok(Reply::Room { room }) => room,
            other => panic!("{other:?}"),
        }
    };
    let tea = known("tea", None);
    assert_eq!(
        (&*tea.title, &*tea.section, &*tea.description),
        ("tea", "music", "all that sounds")
    );
    assert_eq!((tea.app_code, &*tea.info, tea.capacity), (Some(7), "{\"a\":1}", 9));
    assert_eq!((tea.id.0, tea.population, tea.active, tea.closed), (1, 2, true, false));
    assert_eq!(tea.owner.as_ref().unwrap().handle, "ann");
    let members: Vec<_> = tea.members.iter().map(|member| &*member.person.handle).collect();
    assert_eq!(members, ["ann", "小茶"]);
    assert!(known("secret", Some(user("ann"))).closed);
    assert_eq!(gateway.ask(&about_room(room("secret"))), Err(Refusal::UnknownRoom));
    assert_eq!(gateway.ask(&about_room(room("gone"))), Err(Refusal::UnknownRoom));
    assert_eq!(
        (&*known("tea#3", None).title, known("tea#3", None).owner.is_some()),
        ("coffee", false)
    );
    for (text, found) in [("sounds", "tea"), ("cofee", "tea#3"), ("te", "tea")] {
        let Ok(Reply::Rooms { rooms }) = gateway.ask(&search(text)) else { panic!() };
        assert_eq!(say::rooms(&rooms), [found], "{text}");
    }
    // It has been opened before.
    let told = gateway.tells(1, enter_and_open(room("tea"), user("cyd")));
    assert_eq!(told, ["cyd enters tea by 1", "tea holds 3"]);
}

fn check_messages(gateway: Gateway) {
    let Ok(Reply::Messages { messages }) = gateway.ask(&history(room("tea"), u32::MAX)) else {
        panic!()
    };
    assert_eq!(messages.len(), 301);
    assert_eq!(say::message(&messages[0]), "guest:gus to tea: 你好");
    for (place, message) in messages[1..].iter().enumerate() {
        let id = place as u64 + 2;
        let text = place.to_string();
        assert_eq!((message.id.0, &message.text, message.at), (id, &text, Timestamp(1_000)));
    }
    let received = |command: Command| match gateway.does(0, command) {
        Reply::Received { messages, cursor, .. } => (say::messages(&messages), cursor.0),
        other => panic!("{other:?}"),
    };
    let (rest, cursor) = received(receive(user("小茶"), Some(room("tea"))));
    assert_eq!((rest.len(), &*rest[0], cursor), (298, "ann to tea: 2", 301));
    let directly = received(receive(user("小茶"), None)).0;
    assert_eq!(directly, ["ann to 小茶: one", "ann to 小茶: three"]);
    // The key is still known, and ids go on.
    let Ok(Reply::Posted { message }) = gateway.call_as_is(keyed(&gateway)).0 else { panic!() };
    assert_eq!((message.id.0, message.at), (307, Timestamp(1_000)));
    let Reply::Posted { message } = gateway.does(0, post(room("tea"), user("ann"), "on")) else {
        panic!()
    };
    assert_eq!(message.id.0, 308);
    gateway.does(0, Command::Expire);
    assert_eq!(gateway.does(0, register("dan")), {
        let user = match gateway.ask(&about_user(uid(10_003))) {
            Ok(Reply::User { user }) => user,
            other => panic!("{other:?}"),
        };
        Reply::Registered { user, skipped: Vec::new() }
    });
    let Reply::RoomCreated { room: made } = gateway.does(0, create(titled("gone"), None)) else {
        panic!()
    };
    assert_eq!((made.id.0, &*made.name), (5, "gone"));
    // The backlog goes to the first session that asks for it.
    let Reply::SignedIn { backlog, .. } = gateway.does(1, sign_in_for_messages(user("小茶"), 5))
    else {
        panic!()
    };
    assert_eq!(
        say::messages(&backlog)[..],
        [
            "小茶 to ann: two",
            "ann to 小茶: three",
            "小茶 to secret: hush",
            "ann to secret: once",
            "ann to tea: on",
        ]
    );
}

#[test]
fn a_store_of_an_earlier_format_knows_which_names_resemble_its_handles() {
    for store in ["store-1.redb", "store-2.redb", "store-3.redb"] {
        let gateway = Gateway::on_a_copy_of(&fixture(store));
        gateway.does(0, start());
        let resembling = enter(room("tea"), guest("ANN"));
        assert_eq!(gateway.refuses(1, resembling), Refusal::NotSignedIn, "{store}");
    }
}

#[test]
fn a_store_of_an_earlier_format_is_whole_after_its_upgrade() {
    let folder = tempfile::tempdir().unwrap();
    for name in ["store-1.redb", "store-2.redb", "store-3.redb"] {
        let copy = folder.path().join(name);
        std::fs::copy(fixture(name), &copy).unwrap();
        let report = core_engine::check(&copy, 1 << 20).unwrap();
        assert_eq!(report.faults, Vec::<String>::new(), "{name}");
    }
}
