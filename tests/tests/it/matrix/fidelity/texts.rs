//! Generated texts, from every dialect to every other.

use std::collections::BTreeSet;

use gateway_tests::dialect::{Form, ROWS, Room, Seen};

use super::contract::{Contract, Verdict};
use super::samples::{KINDS, Sample, samples};
use super::site::{Character, Site, unlimited};

/// The writer's dialect, the reader's, and a kind of text.
type Passed = (&'static str, &'static str, &'static str);

#[test]
fn texts_of_every_kind_arrive_as_the_contract_says() {
    let site = Site::of(&unlimited());
    let contract = Contract::of(&site);
    let room = site.test();
    let mut cast = site.cast("-writes");
    let mut dialects = BTreeSet::new();
    cast.retain(|one| dialects.insert(one.dialect().name));
    let mut altered = BTreeSet::new();
    for nth in 0..cast.len() {
        let writer = cast[nth].dialect();
        for sample in samples() {
            let is_given =
                sample.kinds.iter().all(|kind| contract.is_given(writer.name, &field(kind)));
            assert_eq!((writer.can_send)(&sample.text), is_given, "{}: {sample:?}", writer.name);
            if is_given {
                cast[nth].client.post(&room, &sample.text);
                for reader in &mut cast {
                    let is_altered = assert_read(&contract, &room, writer.name, &sample, reader);
                    if let Some(kind) = sample.main.filter(|_| is_altered) {
                        altered.insert((writer.name, reader.dialect().name, kind));
                    }
                }
            }
        }
    }
    assert_altered(&contract, &altered);
}

fn field(kind: &str) -> String {
    format!("message.text.{kind}")
}

/// What a reader receives next is this sample, as the contract says. Whether it was altered.
#[track_caller]
fn assert_read(
    contract: &Contract,
    room: &Room,
    writer: &str,
    sample: &Sample,
    reader: &mut Character,
) -> bool {
    let dialect = reader.dialect();
    let Seen { text, .. } = reader.client.receive(room);
    let Form { is_remade, .. } = reader.client.form();
    let verdict = |field: &str| contract.verdict(writer, dialect.name, field).expect("it is given");
    let verdicts = sample.kinds.iter().map(|kind| verdict(&field(kind)));
    let worst = verdicts.fold(verdict("message.text"), Verdict::max);
    let is_whole = text == sample.text;
    let said = format!("{writer} → {}: {worst:?}, {sample:?} is shown as {text:?}", dialect.name);
    assert_eq!(text, (dialect.shows)(&sample.text), "{said}");
    assert!(worst != Verdict::Exact || (is_whole && !is_remade), "{said}");
    if sample.main.is_some_and(|kind| verdict(&field(kind)) == Verdict::Lost) {
        assert!(!is_whole, "{said}: it is whole");
    }
    is_remade || !is_whole
}

/// What is declared emulated or lost has been altered at least once.
fn assert_altered(contract: &Contract, altered: &BTreeSet<Passed>) {
    for writer in ROWS.iter().map(|row| row.dialect.name) {
        for reader in ROWS.iter().map(|row| row.dialect.name) {
            for kind in KINDS {
                let verdict = contract.verdict(writer, reader, &field(kind));
                let declared = verdict.is_some_and(|verdict| verdict != Verdict::Exact);
                let was_altered = altered.contains(&(writer, reader, kind));
                assert_eq!(was_altered, declared, "{writer} → {reader}: {kind}, {verdict:?}");
            }
        }
    }
}
