//! The power fails: what was synced is there, of what was written since any part.

use super::disk::{Disk, Entry, PowerFailures, Random};
use super::*;

/// Fails at each operation of the journal, `times` in different ways. `verify` gets the contents
/// and what was acknowledged before.
fn at_each_operation(
    before: &[u8],
    journal: &[Entry],
    times: u64,
    mut verify: impl FnMut(Vec<u8>, &[String]),
) -> usize {
    let mut points = 0;
    for seed in 0..times {
        let mut failures = PowerFailures::new(before.to_vec(), journal, seed);
        while let Some(acknowledged) = failures.advance() {
            let acknowledged = acknowledged.to_vec();
            verify(failures.fail(), &acknowledged);
            points += 1;
        }
    }
    points
}

#[test]
fn a_power_failure_while_serving_loses_nothing_acknowledged() {
    let before = furnished(0, false);
    let disk = Disk::new(before.clone());
    let served = serve(&disk).unwrap();
    disk.record();
    for batch in batches(400, &mut Random(7)) {
        served.post_all(&batch, &mut Outcomes::default(), |text| disk.note(text.to_owned()));
    }
    drop(served);
    let journal = disk.recorded();
    let submitted = texts("message", 400);
    let mut whole = 0;
    let points = at_each_operation(&before, &journal, 2, |bytes, acknowledged| {
        let disk = Disk::new(bytes);
        let found = serve(&disk).expect("it opens").found();
        assert!(submitted.starts_with(&found), "nothing is invented or reordered");
        assert!(found.starts_with(acknowledged), "{} of {}", found.len(), acknowledged.len());
        whole += 1;
        if whole % 64 == 0 {
            assert_whole(disk.bytes(), "after a power failure");
        }
    });
    assert!(points > 5_000, "{points}");
}

#[test]
fn a_power_failure_while_pruning_loses_nothing_that_is_kept() {
    let before = furnished(300, false);
    let disk = Disk::new(before.clone());
    let served = serve(&disk).unwrap();
    disk.record();
    for _ in 0..45 {
        served.call(prune()).unwrap();
    }
    drop(served);
    let journal = disk.recorded();
    let kept = texts("before", 300);
    let points = at_each_operation(&before, &journal, 3, |bytes, _| {
        let found = serve(&Disk::new(bytes)).expect("it opens").found();
        assert!(found.len() >= 20 && kept.ends_with(&found), "{found:?}");
    });
    assert!(points > 1_000, "{points}");
}

#[test]
fn a_power_failure_while_opening_or_closing_loses_nothing() {
    let mut points = 0;
    for killed in [false, true] {
        let before = furnished(60, killed);
        let disk = Disk::new(before.clone());
        disk.record();
        drop(serve(&disk).unwrap());
        let journal = disk.recorded();
        points += at_each_operation(&before, &journal, 30, |bytes, _| {
            let found = serve(&Disk::new(bytes)).expect("it opens").found();
            assert_eq!(found, texts("before", 60));
        });
    }
    assert!(points > 500, "{points}");
}

#[test]
fn a_power_failure_while_upgrading_loses_nothing() {
    let before = store_of_format_1();
    let disk = Disk::new(before.clone());
    disk.record();
    let served = serve(&disk).unwrap();
    let expected = served.engine.dump().unwrap();
    drop(served);
    let journal = disk.recorded();
    let points = at_each_operation(&before, &journal, 20, |bytes, _| {
        let served = serve(&Disk::new(bytes)).expect("it opens");
        assert_eq!(served.engine.dump().unwrap(), expected);
    });
    assert!(points > 500, "{points}");
}

#[test]
fn a_power_failure_while_compacting_loses_nothing() {
    let (disk, expected) = pruned();
    let before = disk.bytes();
    disk.record();
    core_engine::compact_backend(disk.clone()).unwrap();
    let journal = disk.recorded();
    let points = at_each_operation(&before, &journal, 8, |bytes, _| {
        assert_eq!(serve(&Disk::new(bytes)).expect("it opens").found(), expected);
    });
    assert!(points > 400, "{points}");
}

#[test]
fn a_power_failure_in_the_first_start_leaves_nothing_that_does_not_open() {
    let disk = Disk::new(Vec::new());
    disk.record();
    drop(serve(&disk).unwrap());
    let journal = disk.recorded();
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let unfinished = folder.path().join("store.redb.new");
    let points = at_each_operation(&[], &journal, 4, |bytes, _| {
        // The store is renamed once it is whole.
        std::fs::write(&unfinished, bytes).unwrap();
        let engine = Engine::<()>::open(&path, Options::default(), |_| ());
        drop(engine.unwrap_or_else(|error| panic!("{error}")));
        assert!(!unfinished.exists());
        std::fs::remove_file(&path).unwrap();
    });
    assert!(points > 100, "{points}");
}
