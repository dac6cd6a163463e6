//! All clients see concurrent events in one order.

use std::collections::BTreeMap;
use std::sync::Barrier;

use gateway_tests::dialect::Seen;

use super::site::{Character, Site};

/// Messages of each speaker: enough that all of them speak at once.
const EACH: usize = 40;

#[test]
fn concurrent_posts_of_all_dialects_reach_every_client_once_in_one_order() {
    let site = Site::open();
    let room = site.test();
    let mut speakers = site.cast("-speaker");
    let mut listeners = site.cast("-listener");
    let together = Barrier::new(speakers.len());
    std::thread::scope(|scope| {
        for speaker in &mut speakers {
            scope.spawn(|| {
                together.wait();
                for nth in 0..EACH {
                    speaker.client.post(&room, &format!("{nth} of {}", speaker.user.handle));
                }
            });
        }
    });

    let all = speakers.len() * EACH;
    let mut heard = Vec::new();
    for one in speakers.iter_mut().chain(&mut listeners) {
        let seen: Vec<Seen> = (0..all).map(|_| one.client.receive(&room)).collect();
        heard.push((one.row.title, seen));
    }

    let texts = |seen: &[Seen]| seen.iter().map(|seen| seen.text.clone()).collect::<Vec<_>>();
    let (_, first) = &heard[0];
    let order = texts(first);
    assert_complete(&order, &speakers);
    let ids: Vec<u64> = first.iter().map(|seen| seen.id.expect("token has ids")).collect();
    assert!(ids.is_sorted_by(|a, b| a < b), "{ids:?}");
    for (title, seen) in &heard {
        assert_eq!(texts(seen), order, "{title}");
        let same = seen.iter().zip(&ids).all(|(seen, id)| seen.id.is_none_or(|seen| seen == *id));
        assert!(same, "{title} shows other ids");
        let times: Vec<u64> = seen.iter().filter_map(|seen| seen.time.as_u64()).collect();
        assert!(times.is_sorted(), "{title}: {times:?}");
    }
    assert!(changes(&order) > speakers.len(), "they did not speak at once");

    // And nothing came twice.
    let last = "and no more";
    speakers[0].client.post(&room, last);
    for one in speakers.iter_mut().chain(&mut listeners) {
        assert_eq!(one.client.receive(&room).text, last, "{}", one.row.title);
    }
}

/// Everything that each speaker said is there once, in the order in which it was said.
fn assert_complete(order: &[String], speakers: &[Character]) {
    let mut said: BTreeMap<&str, usize> = BTreeMap::new();
    for text in order {
        let (nth, handle) = text.split_once(" of ").expect("we said it so");
        let next = said.entry(handle).or_default();
        assert_eq!(nth, next.to_string(), "of {handle}");
        *next += 1;
    }
    let expected = speakers.iter().map(|one| (one.user.handle.as_str(), EACH));
    assert_eq!(said, expected.collect());
}

/// How often the author changes.
fn changes(order: &[String]) -> usize {
    let of = |text: &String| text.split_once(" of ").map(|(_, handle)| handle.to_owned());
    order.windows(2).filter(|two| of(&two[0]) != of(&two[1])).count()
}
