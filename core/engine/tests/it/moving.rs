//! Exports and imports: what was exported is imported, once, whatever ends the import early.

mod policies;

use std::path::Path;

use core_engine::{Import, ImportError, ImportOptions, Taken, check};
use core_model::{
    AdminCommand, BanNetwork, BanTarget, Command, ExportRecord, Query, Recipient, Reply, Timestamp,
};
use proptest::prelude::{ProptestConfig, prop_assert, prop_assert_eq, proptest};

use crate::build::*;
use crate::check::furnished;
use crate::gateway::Gateway;
use crate::generate;

const CACHE_BYTES: usize = 1 << 20;

fn export(gateway: &Gateway) -> String {
    let mut lines = Vec::new();
    let sink = |piece: Vec<u8>| {
        lines.extend(piece);
        Ok(())
    };
    let summary = gateway.engine().export(sink).expect("the store can be read");
    let text = String::from_utf8(lines).expect("JSON is UTF-8");
    let counts = (summary.records as usize, summary.bytes as usize);
    assert_eq!(counts, (text.lines().count() - 2, text.len()));
    text
}

fn records(lines: &str) -> Vec<ExportRecord> {
    let record = |line: &str| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"));
    lines.lines().map(record).collect()
}

const SKIPPING: ImportOptions =
    ImportOptions { id_offset: 0, skip_conflicts: true, is_trial: false };

/// Imports lines, so many in a commit.
fn import(
    path: &Path,
    lines: &str,
    options: ImportOptions,
    in_one_commit: usize,
) -> Result<Vec<Taken>, ImportError> {
    let mut import = Import::open(path, CACHE_BYTES, options).expect("the store opens");
    let mut taken = Vec::new();
    for batch in records(lines).chunks(in_one_commit) {
        taken.extend(import.batch(batch)?);
    }
    Ok(taken)
}

fn imported(path: &Path, lines: &str) {
    import(path, lines, ImportOptions::default(), 100).expect("nothing is in conflict");
}

#[track_caller]
fn faults(path: &Path) -> Vec<String> {
    check(path, CACHE_BYTES).expect("it opens").faults
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 48,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn an_export_of_what_was_imported_is_the_same(
        steps in generate::steps(20..80),
        in_one_commit in 1usize..40,
    ) {
        let source = Gateway::in_memory();
        for envelope in generate::envelopes(&steps).into_iter().flatten() {
            drop(source.call_as_is(envelope));
        }
        let lines = export(&source);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        import(&path, &lines, ImportOptions::default(), in_one_commit).unwrap();
        prop_assert_eq!(faults(&path), Vec::<String>::new());
        let copy = Gateway::on(path.clone());
        prop_assert_eq!(export(&copy), lines.clone());
        let before = copy.engine().dump().unwrap();
        drop(copy);
        // Once more.
        let taken = import(&path, &lines, ImportOptions::default(), 1_000).unwrap();
        prop_assert!(taken.iter().all(|taken| *taken == Taken::There));
        prop_assert!(Gateway::on(path).engine().dump().unwrap() == before);
    }
}

/// A store with something of each kind, and its export.
fn everything(path: &Path) -> String {
    furnished(path);
    let mut gateway = Gateway::on(path.into());
    let admin = |command| Command::Admin(Box::new(command));
    let ban = |target| {
        let (reason, until) = ("spam".to_owned(), Some(Timestamp(9_000)));
        admin(AdminCommand::Ban { target, reason, until })
    };
    gateway.does(0, ban(BanTarget::User(user("bob"))));
    gateway.does(0, ban(BanTarget::Identity("tel/2".into())));
    gateway.does(0, ban(BanTarget::Network(BanNetwork { bits: 7 << 100, prefix: 48 })));
    gateway.does(0, create_for(closed("group"), user("ann"), &["bob"]));
    let (room, user) = (room("tea"), user("bob"));
    gateway.does(0, admin(AdminCommand::Mute { room, user, until: None }));
    gateway.does(0, mark_read((self::user("ann"), of_tea(), 500)));
    policies::set_all(&gateway);
    gateway.now += 1;
    gateway.does(0, clear(self::room("free"), None));
    export(&gateway)
}

fn of_tea() -> core_model::ConversationRef {
    core_model::ConversationRef::Room(room("tea"))
}

#[test]
fn every_kind_of_record_comes_through() {
    let folder = tempfile::tempdir().unwrap();
    let lines = everything(&folder.path().join("store.redb"));
    let found = records(&lines);
    for kind in [
        "export",
        "user",
        "room",
        "member",
        "ban",
        "mute",
        "mask",
        "invitation",
        "message",
        "cursor",
        "read_mark",
        "end",
    ] {
        assert!(found.iter().any(|record| record.kind() == kind), "{kind}");
    }
    let path = folder.path().join("copy.redb");
    imported(&path, &lines);
    assert_eq!(faults(&path), Vec::<String>::new());
    let copy = Gateway::on(path);
    assert_eq!(export(&copy), lines);
    // The counters go on, and the cursor is where it was.
    let Reply::Posted { message } = copy.does(0, post(room("tea"), user("ann"), "next")) else {
        unreachable!("it posts")
    };
    let newest = found.iter().filter_map(|record| match record {
        ExportRecord::Message(message) => Some(message.id),
        _ => None,
    });
    assert!(newest.max().is_some_and(|newest| newest < message.id));
    let received = copy.does(0, receive(user("ann"), Some(room("tea"))));
    let Reply::Received { messages, .. } = received else { unreachable!("it receives") };
    let texts: Vec<&str> = messages.iter().map(|message| message.text.as_str()).collect();
    assert_eq!(texts, ["hi", "next"]);
}

#[test]
fn an_import_that_ended_early_goes_on_where_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let lines = everything(&folder.path().join("store.redb"));
    let at_once = folder.path().join("at-once.redb");
    imported(&at_once, &lines);
    let expected = Gateway::on(at_once).engine().dump().unwrap();
    let all = records(&lines);
    for after in [1, 3, 40, 150, all.len() - 2] {
        let path = folder.path().join(format!("after-{after}.redb"));
        let mut import =
            Import::open(&path, CACHE_BYTES, ImportOptions::default()).expect("it opens");
        all[..after].chunks(7).for_each(|batch| drop(import.batch(batch).unwrap()));
        drop(import);
        assert_eq!(faults(&path), Vec::<String>::new());
        imported(&path, &lines);
        let found = Gateway::on(path).engine().dump().unwrap();
        assert!(found == expected, "after {after} records");
    }
}

/// An export of these records.
fn file(records: &[&str]) -> String {
    let end = format!("{{\"end\":{{\"records\":{}}}}}", records.len());
    let first = "{\"export\":{\"version\":1}}";
    [&[first], records, &[end.as_str()]].concat().join("\n")
}

const ANN: &str = r#"{"user":{"uid":10000,"handle":"ann","created":5}}"#;
const BOB: &str = r#"{"user":{"uid":10001,"handle":"bob","identities":["tel/1"]}}"#;
const TEA: &str = r#"{"room":{"id":1,"name":"tea","owner":10000,"created":5,"capacity":9}}"#;
const HI: &str = r#"{"message":{"id":4,"at":6,"user":10000,"room":1,"text":"hi"}}"#;
const HO: &str = r#"{"message":{"id":7,"at":7,"guest":"zed","room":1,"text":"ho"}}"#;
const PSST: &str = r#"{"message":{"id":9,"at":8,"user":10000,"to":10001,"text":"psst"}}"#;

#[test]
fn what_another_one_has_is_a_conflict() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    imported(&path, &file(&[ANN, BOB, TEA, HI, PSST]));
    for (record, why) in [
        (
            r#"{"user":{"uid":10000,"handle":"eve"}}"#,
            "the uid 10000 is that of another user, \"ann\"",
        ),
        (
            r#"{"user":{"uid":10000,"handle":"ann","created":6}}"#,
            "the uid 10000 is that of another user, \"ann\"",
        ),
        (r#"{"user":{"uid":10009,"handle":"ann"}}"#, "the handle \"ann\" is that of uid 10000"),
        (
            r#"{"user":{"uid":10009,"handle":"eve","identities":["tel/1"]}}"#,
            "the identity \"tel/1\" is that of uid 10001",
        ),
        (
            r#"{"room":{"id":1,"name":"coffee","capacity":9}}"#,
            "the room id 1 is that of another room, \"tea\"",
        ),
        (r#"{"room":{"id":2,"name":"tea","capacity":9}}"#, "the name \"tea\" is that of room 1"),
        (
            r#"{"message":{"id":4,"at":6,"user":10001,"room":1,"text":"hi"}}"#,
            "the id 4 is that of another message",
        ),
        (
            r#"{"message":{"id":3,"at":6,"user":10001,"room":1,"text":"hi"}}"#,
            "message 3 is older than the oldest message of the store",
        ),
        (
            r#"{"message":{"id":8,"at":6,"user":10000,"to":10001,"text":"hi"}}"#,
            "message 8 is older than message 9 beside it",
        ),
    ] {
        let lines = file(&[record]);
        let ended = import(&path, &lines, ImportOptions::default(), 9).expect_err(record);
        assert!(matches!(&ended, ImportError::Conflict { at: 1, .. }), "{record}: {ended}");
        assert_eq!(ended.to_string(), why, "{record}");
        let taken = import(&path, &lines, SKIPPING, 9).unwrap();
        assert_eq!(taken[1], Taken::Conflict(why.into()), "{record}");
    }
}

#[test]
fn what_refers_to_a_conflict_is_not_attributed_to_a_stranger() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    imported(&path, &file(&[ANN, BOB, TEA, HI, PSST]));
    let before = Gateway::on(path.clone()).engine().dump().unwrap();
    let skipped = file(&[
        r#"{"user":{"uid":10000,"handle":"eve"}}"#,
        r#"{"room":{"id":5,"name":"hers","owner":10000,"capacity":9}}"#,
        r#"{"room":{"id":1,"name":"coffee","capacity":9}}"#,
        r#"{"member":{"room":1,"user":10001}}"#,
        r#"{"member":{"room":5,"user":10001}}"#,
        r#"{"ban":{"user":10000}}"#,
        r#"{"mute":{"room":1,"user":10001}}"#,
        r#"{"message":{"id":20,"at":6,"user":10000,"room":1,"text":"not ann's"}}"#,
        r#"{"message":{"id":21,"at":6,"guest":"zed","room":5,"text":"in no room"}}"#,
        r#"{"cursor":{"user":10000,"of":"direct","message":9}}"#,
        r#"{"read_mark":{"user":10001,"with":10000,"at":9}}"#,
    ]);
    let taken = import(&path, &skipped, SKIPPING, 3).unwrap();
    let conflicts = taken.iter().filter(|taken| matches!(taken, Taken::Conflict(_))).count();
    let left_out = taken.iter().filter(|taken| **taken == Taken::LeftOut).count();
    assert_eq!((conflicts, left_out), (2, 9), "{taken:?}");
    assert!(Gateway::on(path).engine().dump().unwrap() == before, "nothing has changed");
}

#[test]
fn a_store_takes_what_is_newer_than_it_has_and_another_store_by_an_offset() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    imported(&path, &file(&[ANN, BOB, TEA, HI]));
    imported(&path, &file(&[ANN, BOB, TEA, HI, HO, PSST]));
    let other = file(&[
        r#"{"user":{"uid":10000,"handle":"eve"}}"#,
        r#"{"room":{"id":1,"name":"coffee","owner":10000,"capacity":9}}"#,
        r#"{"member":{"room":1,"user":10000,"since":3}}"#,
        r#"{"message":{"id":4,"at":1,"user":10000,"room":1,"text":"black"}}"#,
        r#"{"cursor":{"user":10000,"of":{"room":1},"message":3}}"#,
    ]);
    let options = ImportOptions { id_offset: 1_000, ..ImportOptions::default() };
    for expected in [Taken::New, Taken::There] {
        let taken = import(&path, &other, options, 2).unwrap();
        assert!(taken[1..6].iter().all(|taken| *taken == expected), "{taken:?}");
    }
    assert_eq!(faults(&path), Vec::<String>::new());
    let gateway = Gateway::on(path);
    let texts = |name: &str| {
        let Ok(Reply::Messages { messages }) = gateway.ask(&history(room(name), 9)) else {
            panic!("{name} has a history")
        };
        messages
            .iter()
            .map(|message| format!("{} {}", message.id, message.text))
            .collect::<Vec<_>>()
    };
    assert_eq!(texts("tea"), ["4 hi", "7 ho"]);
    assert_eq!(texts("coffee"), ["1004 black"]);
    let received = gateway.does(0, receive(user("eve"), Some(room("coffee"))));
    let Reply::Received { messages, .. } = received else { unreachable!("it receives") };
    assert!(matches!(&messages[0].to, Recipient::Room(room) if &*room.name == "coffee"));
    let Ok(Reply::User { user }) = gateway.ask(&Query::User { user: uid(11_000), caller: None })
    else {
        panic!("it is there")
    };
    assert_eq!(user.person.handle, "eve");
    let Reply::Registered { user, .. } = gateway.does(0, register("next")) else {
        unreachable!("it registers")
    };
    assert_eq!(user.person.uid, Some(core_model::Uid(11_001)));
}

#[test]
fn a_record_that_cannot_be_is_refused_with_its_field() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    imported(&path, &file(&[ANN, TEA, HI]));
    let before = Gateway::on(path.clone()).engine().dump().unwrap();
    let long = format!(r#"{{"user":{{"uid":10001,"handle":"{}"}}}}"#, "a".repeat(65));
    for (record, field) in [
        (r#"{"export":{"version":0}}"#, "version"),
        (r#"{"export":{"version":3}}"#, "version"),
        (r#"{"user":{"uid":9999,"handle":"eve"}}"#, "uid"),
        (r#"{"user":{"uid":9007199254740992,"handle":"eve"}}"#, "uid"),
        (r#"{"user":{"uid":10001,"handle":""}}"#, "handle"),
        (r#"{"user":{"uid":10001,"handle":"guest:eve"}}"#, "handle"),
        (r#"{"user":{"uid":10001,"handle":"a\u0007b"}}"#, "handle"),
        (r#"{"user":{"uid":10001,"handle":"cafe\u0301"}}"#, "handle"),
        (&long, "handle"),
        (r#"{"user":{"uid":10001,"handle":"eve","identities":["tel"]}}"#, "identities"),
        (r#"{"user":{"uid":10001,"handle":"eve","identities":["a/b","a/b"]}}"#, "identities"),
        (r#"{"room":{"id":0,"name":"x","capacity":1}}"#, "id"),
        (r#"{"room":{"id":4294967295,"name":"x","capacity":1}}"#, "id"),
        (r#"{"room":{"id":2,"name":"x","capacity":1,"owner":10005}}"#, "owner"),
        (
            r#"{"room":{"id":2,"name":"x","capacity":1,"owner":10000,"ends_unused":true}}"#,
            "ends_unused",
        ),
        (r#"{"member":{"room":2,"user":10000}}"#, "room"),
        (r#"{"member":{"room":1,"user":10005}}"#, "user"),
        (r#"{"ban":{}}"#, "user"),
        (r#"{"ban":{"user":10000,"identity":"a/b"}}"#, "user"),
        (r#"{"ban":{"network":"10.0.0.0/8"}}"#, "network"),
        (r#"{"ban":{"network":"2001:db8::/129"}}"#, "network"),
        (r#"{"mute":{"room":1,"user":10005}}"#, "user"),
        (r#"{"mask":{"room":2,"list":"ban","mask":"x"}}"#, "room"),
        (r#"{"invitation":{"room":1,"user":10000,"guest":"zed"}}"#, "user"),
        (r#"{"invitation":{"room":1,"user":10005}}"#, "user"),
        (r#"{"invitation":{"room":1,"guest":""}}"#, "guest"),
        (r#"{"message":{"id":0,"at":1,"user":10000,"room":1,"text":"x"}}"#, "id"),
        (r#"{"message":{"id":9,"at":1,"room":1,"text":"x"}}"#, "user"),
        (r#"{"message":{"id":9,"at":1,"user":10000,"guest":"z","room":1,"text":"x"}}"#, "user"),
        (r#"{"message":{"id":9,"at":1,"user":10000,"text":"x"}}"#, "room"),
        (r#"{"message":{"id":9,"at":1,"user":10005,"room":1,"text":"x"}}"#, "user"),
        (r#"{"message":{"id":9,"at":1,"user":10000,"to":10005,"text":"x"}}"#, "to"),
        (r#"{"message":{"id":9,"at":1,"user":10000,"room":1,"text":""}}"#, "text"),
        (r#"{"cursor":{"user":10000,"of":{"room":2},"message":1}}"#, "of"),
        (r#"{"cursor":{"user":10000,"of":{"device":"x"},"message":1}}"#, "of"),
        (r#"{"read_mark":{"user":10000,"at":1}}"#, "room"),
        (r#"{"read_mark":{"user":10000,"with":10005,"at":1}}"#, "with"),
    ] {
        // Nothing of its commit is taken.
        let lines = file(&[BOB, record]);
        match import(&path, &lines, SKIPPING, 9).expect_err(record) {
            ImportError::Record { at: 2, fault } => assert_eq!(fault.field, field, "{fault}"),
            other => panic!("{record}: {other:?}"),
        }
        assert!(Gateway::on(path.clone()).engine().dump().unwrap() == before, "{record}");
    }
    let twice = file(&[HO, HI]);
    let ended = import(&path, &twice, SKIPPING, 9).expect_err("the ids do not ascend");
    assert!(matches!(&ended, ImportError::Record { at: 2, .. }), "{ended}");
}

#[test]
fn removed_messages_stay_removed_and_readers_learn_of_them() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    imported(&path, &file(&[ANN, TEA, HI, HO]));
    let gateway = Gateway::on(path.clone());
    gateway.does(0, clear(room("tea"), None));
    let lines = export(&gateway);
    assert!(lines.contains(r#""removed":7"#) && !lines.contains(r#""text":"hi""#), "{lines}");
    drop(gateway);
    let copy = folder.path().join("copy.redb");
    imported(&copy, &lines);
    assert_eq!(export(&Gateway::on(copy.clone())), lines);
    // The room's own messages of before are not taken again.
    let taken = import(&copy, &file(&[ANN, TEA, HI]), SKIPPING, 9).unwrap();
    assert!(matches!(&taken[3], Taken::Conflict(_)), "{taken:?}");
    assert_eq!(faults(&copy), Vec::<String>::new());
}
