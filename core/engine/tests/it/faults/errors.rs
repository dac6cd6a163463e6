//! One operation of the disk fails.

use super::disk::{Disk, Fault, Kind, Random};
use super::*;

const KINDS: [Kind; 3] = [Kind::Fails, Kind::Torn, Kind::Late];

/// Has each operation of `run` fail in each way, until it has no more. `run` gets the disk, armed.
fn at_each_operation(before: &[u8], mut run: impl FnMut(Disk, Fault) -> bool) -> u64 {
    let mut points = 0;
    for kind in KINDS {
        for at in 0.. {
            let disk = Disk::new(before.to_vec());
            points += 1;
            if !run(disk, Fault { at, kind }) {
                break;
            }
        }
    }
    points
}

#[test]
fn an_error_while_serving_loses_nothing_and_the_engine_goes_on() {
    let mut points = 0;
    for seed in 0..4 {
        points += at_each_operation(&furnished(40, false), |disk, fault| {
            let when = format!("{fault:?} of seed {seed}");
            let served = serve(&disk).expect("it opens");
            disk.arm(Some(fault));
            let mut outcomes = Outcomes::default();
            let mut random = Random(seed);
            for batch in batches(16, &mut random) {
                served.post_all(&batch, &mut outcomes, |_| ());
                served.engine.wait_for_recovery();
            }
            let (_, fired) = disk.disarm();
            served.engine.wait_for_recovery();
            assert!(served.engine.failures() <= 1, "{when}");
            let found = served.found();
            assert!(is_subsequence(&texts("before", 40), &found), "{when}");
            assert!(is_subsequence(&outcomes.stored, &found), "{when}: {:?}", outcomes.stored);
            assert!(outcomes.refused.iter().all(|text| !found.contains(text)), "{when}");
            let known = 40 + outcomes.stored.len();
            assert!(found.len() <= known + outcomes.unknown.len(), "{when}: nothing is invented");
            served.call(post(room("tea"), user("ann"), "after")).expect("it goes on");
            drop(served);
            let again = serve(&disk).expect("it opens again").found();
            assert_eq!(again[..again.len() - 1], found[..], "{when}");
            if fault.at % 16 == 0 {
                assert_whole(disk.bytes(), &when);
            }
            fired
        });
    }
    assert!(points > 1_000, "{points}");
}

#[test]
fn an_error_while_pruning_leaves_what_is_kept() {
    let points = at_each_operation(&furnished(90, false), |disk, fault| {
        let served = serve(&disk).expect("it opens");
        disk.arm(Some(fault));
        let mut steps = 0;
        while steps < 12 {
            let _ = served.call(prune());
            served.engine.wait_for_recovery();
            steps += 1;
        }
        let (_, fired) = disk.disarm();
        let found = served.found();
        assert!(found.ends_with(&texts("before", 90)[70..]), "{fault:?}: {found:?}");
        drop(served);
        assert_eq!(serve(&disk).expect("it opens again").found(), found, "{fault:?}");
        if fault.at % 8 == 0 {
            assert_whole(disk.bytes(), &format!("{fault:?}"));
        }
        fired
    });
    assert!(points > 300, "{points}");
}

/// Opening fails in words or succeeds; the next opening finds everything.
fn open_with_errors(before: &[u8], expected: &[String]) -> u64 {
    at_each_operation(before, |disk, fault| {
        disk.arm(Some(fault));
        let opened = serve(&disk).map(drop);
        let (_, fired) = disk.disarm();
        if let Err(error) = opened {
            assert!(!error.to_string().is_empty());
        }
        assert_eq!(serve(&disk).expect("it opens").found(), expected, "{fault:?}");
        fired
    })
}

#[test]
fn an_error_while_opening_loses_nothing() {
    let expected = texts("before", 60);
    let points = open_with_errors(&furnished(60, false), &expected)
        + open_with_errors(&furnished(60, true), &expected);
    assert!(points > 60, "{points}");
}

#[test]
fn an_error_while_upgrading_loses_nothing() {
    let before = store_of_format_1();
    let upgraded = Disk::new(before.clone());
    let expected = serve(&upgraded).unwrap().engine.dump().unwrap();
    let points = at_each_operation(&before, |disk, fault| {
        disk.arm(Some(fault));
        let _ = serve(&disk).map(drop);
        let (_, fired) = disk.disarm();
        let again = serve(&disk).expect("it opens");
        assert_eq!(again.engine.dump().unwrap(), expected, "{fault:?}");
        fired
    });
    assert!(points > 100, "{points}");
}

#[test]
fn an_error_while_compacting_loses_nothing() {
    let (disk, expected) = pruned();
    let points = at_each_operation(&disk.bytes(), |disk, fault| {
        disk.arm(Some(fault));
        let _ = core_engine::compact_backend(disk.clone());
        let (_, fired) = disk.disarm();
        assert_eq!(serve(&disk).expect("it opens").found(), expected, "{fault:?}");
        fired
    });
    assert!(points > 100, "{points}");
}
