//! The other fields of messages.

use std::collections::{BTreeMap, BTreeSet};

use gateway_tests::Http;
use gateway_tests::dialect::{Form, Room, Seen, User};
use serde_json::{Value, json};

use super::contract::{Contract, Verdict};
use super::site::{Character, Site, now_ms, unlimited};

/// The names have a dot, which a nick cannot have.
const ENDING: &str = ".reads";

#[test]
fn ids_times_and_rooms_are_shown_as_the_contract_says() {
    let site = Site::of(&unlimited());
    let contract = Contract::of(&site);
    let room = site.test();
    let mut cast = site.cast(ENDING);
    for nth in 0..cast.len() {
        let writer = cast[nth].dialect().name;
        let before = now_ms();
        for text in ["first", "second"] {
            cast[nth].client.post(&room, text);
        }
        let times = before..=now_ms();
        for reader in &mut cast {
            let name = reader.dialect().name;
            let seen = [reader.client.receive(&room), reader.client.receive(&room)];
            let assert = |field: &str, is_exact: bool, is_seen: bool| {
                assert_verdict(&contract, (writer, name), field, is_exact, is_seen);
            };
            let ids = seen.each_ref().map(|one| one.id);
            assert("message.id", ids[0].is_some() && ids[0] < ids[1], ids != [None, None]);
            let is_time = |one: &Seen| one.time.as_u64().is_some_and(|at| times.contains(&at));
            assert("message.at", seen.iter().all(is_time), !seen[0].time.is_null());
            let is_room = is_room(&seen[0].room, &room);
            assert("message.to.room", is_room, true);
        }
    }
}

/// Checks what a reader saw of a field. What is emulated may be hidden from clients that ask for
/// nothing.
#[track_caller]
fn assert_verdict(
    contract: &Contract,
    (writer, reader): (&str, &str),
    field: &str,
    is_exact: bool,
    is_seen: bool,
) {
    let verdict = contract.verdict(writer, reader, field);
    let agrees = match verdict {
        None => false,
        Some(Verdict::Exact) => is_exact,
        Some(Verdict::Emulated) => !is_exact,
        Some(Verdict::Lost) => !is_seen,
    };
    assert!(agrees, "{writer} → {reader}: {field} is declared {verdict:?}; {is_exact}, {is_seen}");
}

/// Whether this is a name of the user, as it is in some dialect.
fn is_name_of(sender: &Value, user: &User) -> bool {
    let guest = user.handle.strip_prefix("guest:");
    let mut names = vec![json!(user.handle), json!(format!("@{}", user.handle))];
    names.extend(guest.map(Value::from));
    names.extend(user.openid.as_deref().map(Value::from));
    names.extend((user.uid != 0).then(|| json!(user.uid)));
    names.contains(sender)
}

/// Whether this is the room; it need not be named in a reply about it.
fn is_room(shown: &Value, room: &Room) -> bool {
    shown.is_null() || *shown == json!(room.name) || *shown == json!(room.id)
}

#[test]
fn an_author_that_is_declared_exact_is_shown_by_one_of_its_names_always() {
    let site = Site::open();
    let contract = Contract::of(&site);
    let room = site.test();
    let mut cast = site.cast(ENDING);
    let mut exact: BTreeMap<&str, bool> = BTreeMap::new();
    for nth in 0..cast.len() {
        let user = cast[nth].user.clone();
        cast[nth].client.post(&room, "who am I?");
        for reader in &mut cast {
            let sender = reader.client.receive(&room).sender;
            *exact.entry(reader.dialect().name).or_insert(true) &= is_name_of(&sender, &user);
        }
    }
    for (reader, is_exact) in exact {
        let declared = contract.shown(reader, "message.author");
        assert_eq!(declared == Verdict::Exact, is_exact, "{reader}: {declared:?}");
    }
}

#[test]
fn a_notice_is_one_where_the_contract_says_so() {
    let site = Site::open();
    let contract = Contract::of(&site);
    let room = site.test();
    let mut cast = site.cast("-notes");
    for nth in 0..cast.len() {
        let writer = cast[nth].dialect().name;
        let is_given = cast[nth].client.post_notice(&room, "no answer, please");
        assert_eq!(contract.is_given(writer, "message.notice"), is_given, "{writer}");
        for reader in cast.iter_mut().filter(|_| is_given) {
            assert_eq!(reader.client.receive(&room).text, "no answer, please");
            let Form { is_notice, .. } = reader.client.form();
            let verdict = contract.verdict(writer, reader.dialect().name, "message.notice");
            let declared = if is_notice { Verdict::Exact } else { Verdict::Lost };
            assert_eq!(verdict, Some(declared), "{writer} → {}", reader.dialect().name);
        }
    }
}

#[test]
fn direct_messages_are_where_the_contract_says_so() {
    let site = Site::open();
    let contract = Contract::of(&site);
    let has_direct = |one: &mut Character| one.client.direct().is_some();
    let mut cast = site.cast("-directs");
    cast.retain(|one| one.row.has_account());
    for nth in 0..cast.len() {
        let writer = cast[nth].dialect().name;
        for reader in 0..cast.len() {
            let name = cast[reader].dialect().name;
            let verdict = contract.verdict(writer, name, "message.to.user");
            let can = (has_direct(&mut cast[nth]), has_direct(&mut cast[reader]));
            match can {
                (false, _) => assert_eq!(verdict, None, "{writer} → {name}"),
                (true, false) => assert_eq!(verdict, Some(Verdict::Lost), "{writer} → {name}"),
                (true, true) => assert!(verdict < Some(Verdict::Lost), "{writer} → {name}"),
            }
        }
    }
}

#[test]
fn what_is_really_lost_is_counted_by_the_readers_dialect_and_the_field() {
    let site = Site::open();
    let room = site.test();
    let mut cast = site.cast("-counts");
    let nth = |cast: &[Character], title: &str| {
        cast.iter().position(|one| one.row.title == title).expect("there is such a row")
    };
    let (token, irc) = (nth(&cast, "token"), nth(&cast, "irc"));
    let lost = || -> BTreeMap<String, u64> {
        let prefix = "dragoman_fidelity_lost_total";
        let metrics = Http::connect(site.gateway.address("admin", "listen")).get("/metrics");
        let lines =
            metrics.text().lines().filter_map(|line| line.strip_prefix(prefix)?.split_once(' '));
        let lines =
            lines.map(|(labels, count)| (labels.to_owned(), count.parse().expect("a number")));
        lines.filter(|(_, count)| *count > 0).collect()
    };

    cast[token].client.post(&room, "nothing is lost");
    for one in &mut cast {
        one.client.receive(&room);
    }
    assert_eq!(lost(), BTreeMap::new());

    cast[token].client.post(&room, "a\0b");
    for one in &mut cast {
        one.client.receive(&room);
    }
    let nul = (r#"{to="irc",field="message.text.nul"}"#.to_owned(), 1);
    assert_eq!(lost(), BTreeMap::from([nul.clone()]));

    assert!(cast[irc].client.post_notice(&room, "no answer, please"));
    for one in &mut cast {
        one.client.receive(&room);
    }
    let notice =
        |(to, count): (&str, u64)| (format!("{{to=\"{to}\",field=\"message.notice\"}}"), count);
    let contract = Contract::of(&site);
    let readers: BTreeSet<&str> = cast.iter().map(|one| one.dialect().name).collect();
    let is_lost =
        |reader: &&str| contract.verdict("irc", reader, "message.notice") == Some(Verdict::Lost);
    // An event is encoded once; each of those that poll reads it by itself, once here.
    let all = readers.into_iter().filter(is_lost).map(|to| notice((to, 1))).chain([nul]).collect();
    assert_eq!(lost(), all);
}
