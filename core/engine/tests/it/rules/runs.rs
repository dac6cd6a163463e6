//! Runs of gateways: which seats and sessions end with them, and when.

use std::collections::BTreeSet;

use core_model::{Command, ConnectionId, Event, Refusal, Reply, UserRef};

use super::{online, population, tea, with_tea};
use crate::build::*;
use crate::gateway::Gateway;

fn start_of(node: &str, boot: u64) -> Command {
    Command::Start { node: node.into(), boot, speaks: 1 }
}

/// The number of the run, which must need one step.
#[track_caller]
fn started(gateway: &Gateway, node: &str, boot: u64) -> u64 {
    match gateway.does(0, start_of(node, boot)) {
        Reply::Started { run, is_done: true } => run,
        other => panic!("not started: {other:?}"),
    }
}

/// A connection of a run.
fn of_run(run: u64, number: u64) -> u64 {
    ConnectionId::before_run(run).0 + number
}

fn runs(gateway: &Gateway) -> usize {
    let dump = gateway.engine().dump().unwrap();
    dump.iter().find(|(table, _)| *table == "runs").unwrap().1.len()
}

#[test]
fn a_run_ends_the_earlier_ones_of_its_node_and_no_other() {
    let gateway = with_tea(&["ann", "bob"]);
    let [one, other] = [started(&gateway, "one", 1), started(&gateway, "other", 2)];
    assert_ne!(one, other);
    gateway.does(of_run(one, 1), sign_in(user("bob")));
    gateway.does(of_run(one, 1), enter(room("tea"), UserRef::Session));
    gateway.does(of_run(one, 2), enter(room("tea"), guest("gus")));
    gateway.does(of_run(one, 3), lease(room("tea"), guest("zoe")));
    gateway.does(of_run(other, 1), enter(room("tea"), guest("gil")));
    // The same process again changes nothing.
    assert_eq!(started(&gateway, "one", 1), one);
    assert_eq!((population(&gateway), runs(&gateway)), (5, 2));
    let (outcome, events) = gateway.call(0, start_of("one", 3));
    let Ok(Reply::Started { run: next, is_done: true }) = outcome else { panic!("{outcome:?}") };
    assert!(next > other);
    let left: Vec<(Option<u64>, bool)> = events
        .iter()
        .filter_map(|recorded| match &recorded.event {
            Event::Left { connection, quit, .. } => Some((connection.map(|it| it.0), *quit)),
            _ => None,
        })
        .collect();
    assert_eq!(left, [(Some(of_run(one, 1)), true), (Some(of_run(one, 2)), true)]);
    assert!(matches!(events.last().unwrap().event, Event::PopulationChanged { population: 3, .. }));
    assert!(!online(&gateway, "bob"));
    // The lease goes on: another gateway is there, whose steady time counts.
    assert_eq!((population(&gateway), runs(&gateway)), (3, 2));
    gateway.does(of_run(other, 1), say(room("tea"), guest("gil"), "hi"));
    // The only gateway ends all of them, and the lease.
    started(&gateway, "", 4);
    assert_eq!((population(&gateway), runs(&gateway)), (1, 1));
}

#[test]
fn a_run_that_finds_no_other_ends_what_versions_without_runs_have_left() {
    let mut gateway = with_tea(&["ann"]);
    gateway.does(7, enter(room("tea"), guest("gus")));
    gateway.does(8, lease(room("tea"), guest("zoe")));
    gateway.reopen();
    assert_eq!(population(&gateway), 3);
    started(&gateway, "one", 1);
    assert_eq!(population(&gateway), 1);
    gateway.reopen_checked();
}

#[test]
fn ending_a_run_is_told_once() {
    let gateway = with_tea(&["ann"]);
    let run = started(&gateway, "one", 1);
    gateway.does(of_run(run, 1), enter(room("tea"), guest("gus")));
    let told = gateway.tells(0, Command::EndRun { run });
    assert_eq!(told.len(), 2, "{told:?}");
    assert_eq!(gateway.tells(0, Command::EndRun { run }), [""; 0]);
    assert_eq!(gateway.tells(0, Command::EndRun { run: 77 }), [""; 0]);
    assert_eq!((population(&gateway), runs(&gateway)), (1, 0));
    let refusal = gateway.refuses(of_run(run, 1), say(room("tea"), guest("gus"), "hi"));
    assert_eq!(refusal, Refusal::NotInRoom);
    assert!(started(&gateway, "one", 1) > run, "no number is given twice");
}

#[test]
fn the_fifth_tick_without_anything_of_a_run_ends_it() {
    let mut gateway = with_tea(&["ann"]);
    let run = started(&gateway, "one", 1);
    gateway.does(of_run(run, 1), enter(room("tea"), guest("gus")));
    for _ in 0..4 {
        gateway.now += 1_000;
        assert_eq!(gateway.tells(0, Command::Tick), [""; 0]);
        // Another gateway says the same.
        gateway.now += 899;
        assert_eq!(gateway.tells(0, Command::Tick), [""; 0]);
    }
    assert_eq!(population(&gateway), 2);
    gateway.now += 1;
    assert_eq!(gateway.tells(0, Command::Tick).len(), 2);
    assert_eq!((population(&gateway), runs(&gateway)), (1, 0));
}

#[test]
fn many_seats_end_in_steps_each_once() {
    let gateway = with_tea(&["ann"]);
    gateway.does(0, create(seating("hall", 5_000), None));
    let run = started(&gateway, "one", 1);
    for number in 0..3_000 {
        let guest = guest(&format!("g{number}"));
        gateway.does(of_run(run, 1 + number), enter(room("hall"), guest));
    }
    let mut left = BTreeSet::new();
    let mut steps = 0;
    loop {
        let (outcome, events) = gateway.call(0, start_of("one", 2));
        steps += 1;
        let before = left.len();
        left.extend(events.iter().filter_map(|recorded| match &recorded.event {
            Event::Left { connection, .. } => connection.map(|connection| connection.0),
            _ => None,
        }));
        assert!(left.len() - before <= 1_024);
        match outcome {
            Ok(Reply::Started { run: next, is_done }) if next == run + 1 => {
                assert_eq!(is_done, left.len() == 3_000);
                if is_done {
                    break;
                }
            }
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(left, (0..3_000).map(|number| of_run(run, 1 + number)).collect());
    assert!(steps > 2, "{steps}");
    assert_eq!(super::room_seen_by(&gateway, room("hall"), None).population, 0);
    assert_eq!(tea(&gateway).population, 1);
}

#[test]
fn numbers_of_runs_stay_in_their_bits() {
    assert!(ConnectionId::before_run(ConnectionId::RUN_MAX + 1).0 <= 1 << 53);
    let gateway = with_tea(&["ann"]);
    let kept = started(&gateway, "kept", 0);
    gateway.does(of_run(kept, 1), enter(room("tea"), guest("gus")));
    let numbers: BTreeSet<u64> =
        (1..=ConnectionId::RUN_MAX).map(|boot| started(&gateway, "one", boot)).collect();
    assert!(!numbers.contains(&kept) && !numbers.contains(&0));
    assert_eq!(numbers.last().copied(), Some(ConnectionId::RUN_MAX));
    assert_eq!(population(&gateway), 2);
}
