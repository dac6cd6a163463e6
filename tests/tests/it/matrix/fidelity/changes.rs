//! Fields that have no value of their own to look for: whether a dialect shows them is seen by
//! changing them, with all else as it was.

use std::collections::BTreeMap;

use gateway_tests::dialect::Room;
use gateway_tests::token::{CREATE_ROOM, ENTER_ROOM, Fields, LOGIN, json as info, string};
use gateway_tests::{Channel, Irc, Token};
use serde_json::{Value, json};

use super::contract::{Verdict, dialects};
use super::look::{Observers, of_lines, read_to, report, values};
use super::seen::{Findings, Values};
use super::site::{Site, number, unlimited};

type Views = Vec<(&'static str, Values)>;

/// What is in the views after a change, and was not before; nothing where a dialect has no view.
fn added(before: Views, after: Views) -> BTreeMap<&'static str, Values> {
    let before: BTreeMap<_, _> = before.into_iter().collect();
    let mut added: BTreeMap<_, _> =
        dialects().into_iter().map(|one| (one, Values::new())).collect();
    for (dialect, seen) in after {
        let new = seen.difference(&before[dialect]).cloned().collect();
        added.insert(dialect, new);
    }
    added
}

/// What is in the views either before a change or after it.
fn changed(before: Views, after: Views) -> BTreeMap<&'static str, Values> {
    let mut changed = added(before.clone(), after.clone());
    for (dialect, gone) in added(after, before) {
        changed.entry(dialect).or_default().extend(gone);
    }
    changed
}

/// A field whose new value is shown, whose change can be seen otherwise, or which is hidden.
fn note_change(
    findings: &mut Findings,
    field: &str,
    added: &BTreeMap<&'static str, Values>,
    values: &[String],
) {
    for (dialect, added) in added {
        let found = if values.iter().any(|value| added.contains(value)) {
            Verdict::Exact
        } else if added.is_empty() {
            Verdict::Lost
        } else {
            Verdict::Emulated
        };
        findings.shows(dialect, field, found);
    }
}

/// A field that is there or not: any difference shows it.
fn note_flag(findings: &mut Findings, field: &str, changed: &BTreeMap<&'static str, Values>) {
    for (dialect, changed) in changed {
        let found = if changed.is_empty() { Verdict::Lost } else { Verdict::Exact };
        findings.shows(dialect, field, found);
    }
}

/// Of the fields of rooms.
pub(super) fn note_rooms(site: &Site, observers: &mut Observers, findings: &mut Findings) {
    site.dragoman(&["room", "create", "Changing", "--capacity", "737"]);
    let room = site.room("Changing");
    let mut cast = Cast::at(site, &room);
    observers.enter(&room);
    note_members(site, observers, findings, &room, &mut cast);
    note_owner(site, observers, findings, &room);
    note_counts(site, observers, findings, &room);
    note_active(site, observers, findings);
    note_closed(findings);
    note_created(site, observers, findings);
}

/// Users who are in the room by irc. The first is a member, too.
struct Cast {
    member: Irc,
    _other: Irc,
    herald: Channel,
}

const MEMBER: &str = "memory";
const OTHER: &str = "meridian";

impl Cast {
    fn at(site: &Site, room: &Room) -> Self {
        let address = site.gateway.address("channel", "listen");
        let mut member = Channel::enroll(address, MEMBER);
        member.done("/channel/receive", &json!({"name": room.name}));
        Channel::enroll(address, OTHER);
        let mut herald = Channel::enroll(address, "herald");
        herald.done("/channel/receive", &json!({"name": room.name}));
        let [member, other] = [MEMBER, OTHER].map(|name| {
            let address = site.gateway.address("irc", "listen");
            let mut irc = Irc::sign_on(address, name, Some("tea for two"));
            irc.join(&format!("#{}", room.name));
            irc
        });
        Self { member, _other: other, herald }
    }
}

fn names(site: &Site, handle: &str) -> Vec<String> {
    vec![handle.to_owned(), format!("@{handle}"), site.uid(handle).to_string()]
}

/// A list has them, or only their coming and going is seen. What ourchat shows is seen where a group
/// is made.
fn note_members(
    site: &Site,
    observers: &mut Observers,
    findings: &mut Findings,
    room: &Room,
    cast: &mut Cast,
) {
    let names = names(site, MEMBER);
    let is_in = |seen: &Values| names.iter().any(|name| seen.contains(name));
    let listed = observers.of_entered(site, room);
    let channel = format!("#{}", room.name);
    cast.member.send(&format!("PART {channel}"));
    cast.member.receive_until(" PART ");
    cast.member.join(&channel);
    cast.herald.send(&room.name, "that was all");
    let heard: BTreeMap<_, _> = observers.of_presence("that was all").into_iter().collect();
    for (dialect, listed) in listed {
        let found = if is_in(&listed) {
            Verdict::Exact
        } else if heard.get(dialect).is_some_and(is_in) {
            Verdict::Emulated
        } else {
            Verdict::Lost
        };
        findings.shows(dialect, "room.members", found);
    }
}

fn note_owner(site: &Site, observers: &mut Observers, findings: &mut Findings, room: &Room) {
    site.dragoman(&["room", "give", &room.name, MEMBER]);
    let before = observers.of_entered(site, room);
    site.dragoman(&["room", "give", &room.name, OTHER]);
    let added = added(before, observers.of_entered(site, room));
    note_change(findings, "room.owner", &added, &names(site, OTHER));
}

/// A second seat of one user, and then a further user.
fn note_counts(site: &Site, observers: &mut Observers, findings: &mut Findings, room: &Room) {
    let enter = |name: &str| -> Token {
        let mut token = site.token();
        token.login(name);
        token.enter(room.id);
        token
    };
    let _first = enter("twice");
    let before = observers.of_entered(site, room);
    let _second = enter("twice");
    let after = observers.of_entered(site, room);
    let population = report(site, &room.name)["population"].to_string();
    note_change(findings, "room.population", &added(before, after.clone()), &[population]);

    let _third = enter("once");
    let added = added(after, observers.of_entered(site, room));
    // Observers of token, chatroom, and irc; those of `Cast`; and these two.
    let people = "8".to_owned();
    assert_ne!(report(site, &room.name)["population"].to_string(), people);
    for (dialect, added) in added {
        let found = if added.contains(&people) { Verdict::Exact } else { Verdict::Lost };
        findings.shows(dialect, "room.people", found);
    }
}

/// A room that its owner has made, before and after a message in it. In token, entering makes it
/// active.
fn note_active(site: &Site, observers: &mut Observers, findings: &mut Findings) {
    let new = json!({"name": "Idle", "room_owner_id": "o-owner"});
    let id = number(&site.usr_room().done("/room/add", &new)["room_id"]);
    let room = Room { id, name: "Idle".into() };
    let before = observers.seen_from_outside(site, &room);
    let first = json!({"room_id": id, "openid": "o-owner", "message": "first"});
    site.usr_room().done("/room/send_message", &first);
    let mut changed = changed(before, observers.seen_from_outside(site, &room));

    let mut token = site.token();
    token.login("o-maker");
    let body = [7_u16.to_be_bytes().to_vec(), token.apply().to_be_bytes().to_vec(), info("")];
    let mut made = token.done(CREATE_ROOM, &body.concat());
    let id = made.u32();
    let made = object(&mut made);
    let mut entered = token.done(ENTER_ROOM, &id.to_be_bytes());
    entered.u32();
    let entered = object(&mut entered);
    let keys = made.keys().filter(|key| *key != "population" && made[*key] != entered[*key]);
    changed.insert("token", keys.cloned().collect());
    note_flag(findings, "room.active", &changed);
}

fn object(fields: &mut Fields) -> serde_json::Map<String, Value> {
    serde_json::from_str(&fields.text()).expect("it is a JSON object")
}

/// The same group at two gateways that differ in nothing else. Only ourchat makes such rooms, for all
/// of them alike.
fn note_closed(findings: &mut Findings) {
    let [(open, _), (closed, is_closed)] = [true, false].map(group);
    assert!(is_closed);
    note_flag(findings, "room.closed", &changed(open, closed));
    for dialect in dialects() {
        let found = if dialect == "ourchat" { Verdict::Emulated } else { Verdict::Lost };
        findings.gives(dialect, "room.closed", found);
    }
}

/// What members see of a new group, and whether it is closed.
fn group(open: bool) -> (Views, bool) {
    let mut config = unlimited();
    let ourchat = config["frontends"]["ourchat"].as_table_mut().expect("it is a section");
    ourchat.insert("open".into(), open.into());
    let site = Site::of(&config);
    let mut token = site.token();
    let uid = token.login("o-observer");
    let address = site.gateway.address("channel", "listen");
    let mut channel = Channel::enroll(address, "observer");
    let mut member = site.ourchat();
    let ocid = member.enroll("member");
    let mut maker = site.ourchat();
    maker.enroll("maker");
    let members = [uid, site.uid("observer"), ocid];
    // The name alone is free for an open one: the second has its number in either case.
    let mut make = || {
        let made = maker.call(&json!({"code": 8, "members": members, "name": "Group"}));
        let mut told = member.receive();
        told["time"] = Value::Null;
        (number(&made["group_id"]), told)
    };
    make();
    let (room_id, told) = make();
    let name = format!("Group#{room_id}");

    let mut entered = token.done(ENTER_ROOM, &room_id.to_be_bytes());
    entered.u32();
    let listed = channel.done("/channel/list_users", &json!({ "name": name }));
    let rooms = site.usr_room().done("/usr/roomlist2", &json!({"openid": "o-observer"}));
    let address = site.gateway.address("irc", "listen");
    let mut irc = Irc::sign_on(address, "observer", Some("tea for two"));
    irc.join(&format!("#{name}"));
    let mut lines = Vec::new();
    for (ask, end) in [("MODE", " 324 "), ("NAMES", " 366 "), ("TOPIC", " 33")] {
        irc.send(&format!("{ask} #{name}"));
        read_to(&mut irc, end, &mut lines);
    }
    let views = vec![
        ("token", values(&object(&mut entered).into())),
        ("usr_room", values(&rooms)),
        ("channel", values(&listed)),
        ("ourchat", values(&told)),
        ("irc", of_lines(&lines)),
        ("chatroom", Values::new()),
    ];
    (views, report(&site, &name)["closed"] == true)
}

/// The time at which the room was made, in milliseconds, or in the whole seconds of irc's 329.
fn note_created(site: &Site, observers: &mut Observers, findings: &mut Findings) {
    let before = super::site::now_ms();
    let fields = [("room_name", "Made now")];
    site.chatroom().res("/chatroom/create", &fields);
    let times = before..=super::site::now_ms();
    let room = site.room("Made now");
    for (dialect, seen) in observers.of_room(site, &room) {
        let is_time = |value: &String| value.parse().is_ok_and(|at: u64| times.contains(&at));
        let found = if seen.iter().any(is_time) {
            Verdict::Exact
        } else if seen.contains("329") {
            Verdict::Emulated
        } else {
            Verdict::Lost
        };
        findings.shows(dialect, "room.created", found);
    }
}

/// Of the fields of users: whether one has a connection. It is in no room by it.
pub(super) fn note_users(site: &Site, observers: &mut Observers, findings: &mut Findings) {
    let address = site.gateway.address("channel", "listen");
    let mut channel = Channel::enroll(address, "vera");
    channel.done("/channel/receive", &json!({"name": "TEST"}));
    let uid = site.uid("vera");
    site.operate(&["link", "vera", "openid:game/o-vera"]);
    let user = gateway_tests::dialect::User { uid, handle: "vera".into(), openid: None };
    let before = observers.of_absent_user(site, &user);
    let mut token = site.token();
    let no_create = 0_i32.to_be_bytes().to_vec();
    let body = [string("o-vera"), string("game"), no_create, info("")].concat();
    assert_eq!(token.done(LOGIN, &body).u64(), uid);
    let changed = changed(before, observers.of_absent_user(site, &user));
    note_flag(findings, "person.online", &changed);
}
