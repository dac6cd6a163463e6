//! A message reaches every client in the room in the form of the client's dialect.

use gateway_tests::dialect::{Room, Seen, User};
use serde_json::json;

use super::site::{Character, Site, now_ms, number};

/// Texts that must arrive byte for byte.
pub(super) fn texts() -> Vec<String> {
    let texts = [
        "hello",
        " leading, trailing and a tab\t ",
        "多种方言, одна комната, مرحبا, e\u{301} is not \u{e9}",
        "👩‍👩‍👧‍👦 🇯🇵 \u{1f3f3}\u{fe0f}\u{200d}\u{1f308} 👍🏽",
        r#""quotes" 'single' \backslash\ {"json":[1]} <b>&amp;</b> %20+"#,
        "first line\nsecond\r\nthird\u{2028}fourth",
        "a NUL \0, an escape \u{1b}[31m, a bell \u{7}, a DEL \u{7f}",
    ];
    let longest = "茶".repeat(16_384);
    texts.into_iter().map(Into::into).chain([longest]).collect()
}

#[test]
fn a_message_of_any_dialect_is_shown_in_every_dialect_as_that_shows_it() {
    let site = Site::open();
    let room = site.test();
    let mut speakers = site.cast("-speaker");
    let mut listeners = site.cast("-listener");
    assert_every_client_receives_every_message(&room, &mut speakers, &mut listeners, &texts());
}

#[test]
fn a_closed_group_of_ourchat_is_a_room_for_its_members_in_every_dialect() {
    let site = Site::open();
    let with_account = |cast: Vec<Character>| -> Vec<Character> {
        cast.into_iter().filter(|one| one.row.has_account()).collect()
    };
    let mut speakers = with_account(site.cast("-speaker"));
    let mut listeners = with_account(site.cast("-listener"));

    let mut founder = site.ourchat();
    founder.enroll("founder");
    let members: Vec<u64> = speakers.iter().chain(&listeners).map(|one| one.user.uid).collect();
    let made = founder.call(&json!({"code": 8, "members": members, "name": "the kitchen"}));
    assert_eq!(made["success"], true, "{made}");
    let id = number(&made["group_id"]);
    let room = Room { id, name: format!("the kitchen#{id}") };

    for character in speakers.iter_mut().chain(&mut listeners) {
        character.client.enter(&room);
    }
    let text = "among ourselves".to_owned();
    assert_every_client_receives_every_message(&room, &mut speakers, &mut listeners, &[text]);
}

/// Every speaker posts every text; every client, the speaker included, receives the same message.
pub(super) fn assert_every_client_receives_every_message(
    room: &Room,
    speakers: &mut [Character],
    listeners: &mut [Character],
    texts: &[String],
) {
    let mut last = 0;
    for nth in 0..speakers.len() {
        let can_send = speakers[nth].dialect().can_send;
        for text in texts.iter().filter(|text| can_send(text)) {
            let before = now_ms();
            speakers[nth].client.post(room, text);
            let after = now_ms();
            let speaker = (speakers[nth].row.title, speakers[nth].user.clone());
            let hearers = speakers.iter_mut().chain(&mut *listeners);
            let (at, id) = assert_heard(room, hearers, &speaker, text);
            assert!((before..=after).contains(&at), "{before} {at} {after}");
            assert!(id > last, "{id} after {last}");
            last = id;
        }
    }
}

/// Every client receives this message next; returns its time and id, which all clients share.
fn assert_heard<'a>(
    room: &Room,
    hearers: impl Iterator<Item = &'a mut Character>,
    (speaks, speaker): &(&str, User),
    text: &str,
) -> (u64, u64) {
    let seen: Vec<(&Character, Seen)> = hearers
        .map(|hearer| {
            let seen = hearer.client.receive(room);
            (&*hearer, seen)
        })
        .collect();
    let at = seen.iter().find_map(|(_, seen)| seen.time.as_u64()).expect("some dialect tells it");
    let id = seen.iter().find_map(|(_, seen)| seen.id).expect("some dialect tells it");
    for (hearer, seen) in seen {
        let dialect = hearer.dialect();
        let expected = Seen {
            sender: (dialect.user)(speaker),
            room: (dialect.room)(room),
            text: (dialect.shows)(text),
            time: (dialect.time)(at),
            id: seen.id.map(|_| id),
        };
        assert!(
            seen == expected,
            "{speaks} → {}: {}",
            hearer.row.title,
            difference(&seen, &expected)
        );
    }
    (at, id)
}

/// Both, with texts cut short.
fn difference(seen: &Seen, expected: &Seen) -> String {
    let short = |seen: &Seen| {
        let text: String = seen.text.chars().take(80).collect();
        let Seen { sender, room, time, id, .. } = seen;
        format!("{text:?} ({} bytes) of {sender} in {room} at {time}, {id:?}", seen.text.len())
    };
    format!("it shows {}, not {}", short(seen), short(expected))
}
