//! A store that is not what the log has made of the others.

use core_engine::{
    BackupError, Checkpoint, Engine, Entries, Equality, Followed, LogEntry, OpenError, Options,
    Progress, back_up, followed, replace_log, restore, restore_following,
};
use core_model::{Command, Timestamp};
use redb::{Database, ReadableTable as _, TableDefinition};

use super::stops::{Node, entry, follow, memory, of_run, start};
use crate::build::*;
use crate::memory::Memory;

const USERS: TableDefinition<'static, u64, &'static [u8]> = TableDefinition::new("users");

/// Each second an entry, from this one on.
const FIRST: u64 = 5;

/// Three gateways, two accounts.
fn beginning() -> Vec<LogEntry> {
    let of = |node: u64| {
        let (mut id, mut commands) = start();
        id.number += node;
        if let Command::Start { node: name, boot, .. } = &mut commands[0] {
            *name = format!("n{node}");
            *boot += node;
        }
        entry(1 + node, (id, commands))
    };
    let accounts = vec![register("ann"), register("bob")];
    (0..3).map(of).chain([entry(4, of_run(1, accounts))]).collect()
}

/// What a run says in its entry of this number, which the log has there.
fn claim(position: u64, run: u64, number: u64, checkpoints: &[Checkpoint]) -> LogEntry {
    let mut claimed = entry(position, of_run(number, Vec::new()));
    claimed.entry.id.run = run;
    claimed.entry.checkpoints = checkpoints.to_vec();
    claimed.at = Timestamp(position * 1_000);
    claimed
}

fn apply(node: &Node, entries: Vec<LogEntry>) -> Option<Progress> {
    node.orders.send(Entries { entries, durable: true }).expect("the writer waits");
    node.progressed.recv().ok()
}

/// Follows the beginning, is changed by hand, and goes on to a checkpoint.
fn node_with(change: impl FnOnce(&Memory)) -> (Memory, Node, Checkpoint) {
    let memory = memory();
    let node = follow(&memory, 0);
    apply(&node, beginning()).expect("it goes on");
    // The writer waits for the next order, and ends.
    drop(node);
    change(&memory);
    let node = follow(&memory, 4);
    let progress = apply(&node, vec![claim(FIRST, 1, 2, &[])]).expect("it goes on");
    let checkpoint = *progress.checkpoints.last().expect("a second has passed");
    assert_eq!(checkpoint.at, FIRST);
    (memory, node, checkpoint)
}

/// A byte of a name is another one, as a disk may leave it.
fn corrupt(memory: &Memory) {
    let database = Database::builder().create_with_backend(memory.clone()).expect("it opens");
    let transaction = database.begin_write().unwrap();
    {
        let mut users = transaction.open_table(USERS).unwrap();
        let (uid, row) = {
            let (key, row) = users.last().unwrap().expect("there are users");
            (key.value(), row.value().to_vec())
        };
        let place = row.windows(3).position(|bytes| bytes == b"bob").expect("the name is there");
        let mut changed = row;
        changed[place] = b'r';
        users.insert(uid, changed.as_slice()).unwrap();
    }
    transaction.commit().unwrap();
}

#[test]
fn a_corrupted_row_that_no_command_touches_sets_the_store_apart_and_stops_it() {
    let (_, sound, of_sound) = node_with(|_| ());
    let (memory, other, of_other) = node_with(corrupt);
    assert_ne!(of_sound.digest, of_other.digest);
    let claims = |place: u64| {
        let of_run_3 = if place == 2 { of_other } else { of_sound };
        let number = if place == 0 { 3 } else { 1 };
        claim(FIRST + 1 + place, 1 + place, number, &[of_run_3])
    };
    // The others go on, and know of it. It stops at its own claim, which says that its voice is counted.
    let progress = apply(&sound, (0..3).map(claims).collect()).expect("it goes on");
    assert_eq!(progress.equality, Equality::Minority("n2".into()));
    assert!(sound.engine.failure().is_none());
    assert!(apply(&other, (0..3).map(claims).collect()).is_none());
    other.dropped.recv().expect("the writer stops");
    other.engine.stop();
    let why = other.engine.failure().expect("it says why");
    assert!(why.contains("at entry 5 it differs from those of n0, n1"), "{why}");
    drop(other);
    let options = Options { cache_bytes: 4 << 20, ..Options::default() };
    let opened = Engine::<usize>::follow_with_backend(
        (memory, core_engine::RULES),
        options,
        |_| (),
        |_, _| -> super::stops::ByHand { unreachable!("it does not open") },
    );
    assert!(matches!(opened.err(), Some(OpenError::Diverged { position: FIRST, .. })));
}

#[test]
fn a_tie_of_two_is_said_and_stops_none() {
    let (_, sound, of_sound) = node_with(|_| ());
    let (_, other, of_other) = node_with(corrupt);
    for node in [&sound, &other] {
        let end = LogEntry {
            at: Timestamp(6_000),
            ..entry(6, of_run(3, vec![Command::EndRun { run: 3 }]))
        };
        apply(node, vec![end]).expect("it goes on");
        let claims = vec![claim(7, 1, 4, &[of_sound]), claim(8, 2, 1, &[of_other])];
        let progress = apply(node, claims).expect("it goes on");
        let Equality::Split(digests) = progress.equality else { panic!("{:?}", progress.equality) };
        assert!(digests.contains("n0") && digests.contains("n1"), "{digests}");
        assert!(node.engine.failure().is_none());
    }
}

#[test]
fn what_all_claim_alike_is_equal() {
    let (_, node, own) = node_with(|_| ());
    let claims =
        (0..3).map(|place| claim(6 + place, 1 + place, if place == 0 { 3 } else { 1 }, &[own]));
    let progress = apply(&node, claims.collect()).expect("it goes on");
    assert_eq!(progress.equality, Equality::Equal);
}

#[test]
fn a_snapshot_goes_on_where_the_store_stood_and_a_plain_restore_leaves_the_cluster() {
    let (_, node, _) = node_with(|_| ());
    let mut stream = Vec::new();
    let written = node.engine.backup(|piece| {
        stream.extend(piece);
        Ok(())
    });
    let header = written.expect("it is read").header.followed.expect("it follows a log");
    assert_eq!((header.log, header.applied), (7, FIRST));
    let folder = tempfile::tempdir().unwrap();
    let [snapshot, alone] = ["snapshot", "alone"].map(|name| folder.path().join(name));
    restore_following(stream.as_slice(), &snapshot, 4 << 20).expect("a new store");
    restore(stream.as_slice(), &alone, 4 << 20).expect("a new store");
    assert_eq!(followed(&alone, 4 << 20).expect("it opens"), None);
    let stands = Followed { log: 7, applied: FIRST, rules: core_engine::RULES };
    assert_eq!(followed(&snapshot, 4 << 20).expect("it opens"), Some(stands));
    // The same entries lead to the same digest.
    let log = [entry(6, of_run(3, vec![register("cyd")])), claim(7, 1, 4, &[])];
    let of_node = apply(&node, log.to_vec()).expect("it goes on").checkpoints;
    let restored = super::stops::follow_file(&snapshot, FIRST);
    assert_eq!(apply(&restored, log.to_vec()).expect("it goes on").checkpoints, of_node);
    assert!(!of_node.is_empty());
    drop(restored);
    replace_log(&snapshot, 4 << 20, 9).expect("it follows a log");
    assert_eq!(followed(&snapshot, 4 << 20).unwrap().map(|it| (it.log, it.applied)), Some((9, 7)));
    let copy = folder.path().join("copy");
    let copied = back_up(&snapshot, 4 << 20, &copy).expect("no process has it open");
    assert_eq!(copied.header.followed.map(|it| it.log), Some(9));
    let begun = restore_following(std::fs::read(&copy).unwrap().as_slice(), &copy, 4 << 20);
    assert!(begun.is_err(), "there is such a file");
    back_up(&alone, 4 << 20, &folder.path().join("of-alone")).expect("a backup");
    let of_alone = std::fs::read(folder.path().join("of-alone")).unwrap();
    let refused = restore_following(of_alone.as_slice(), &folder.path().join("new"), 4 << 20);
    assert!(matches!(refused, Err(BackupError::FollowsNoLog)));
}
