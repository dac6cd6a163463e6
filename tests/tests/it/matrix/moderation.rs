//! What the operator of a channel does on IRC holds for the room in every dialect, in its own words.

use std::panic::{AssertUnwindSafe, catch_unwind};

use gateway_tests::Irc;
use gateway_tests::dialect::{Client, ROWS, Room};
use serde_json::Value;

use super::site::{Character, Site};

const PASSWORD: &str = "tea for two";

/// What keeps a client out, or from posting.
#[derive(Clone, Copy, Debug)]
enum Barrier {
    Ban,
    InviteOnly,
    Key,
    Moderated,
}

/// What a client of a dialect reads where it may not enter, or post.
fn words(dialect: &str, barrier: Barrier, posts: bool) -> &'static str {
    match (dialect, barrier) {
        // E_DENIED.
        ("token", _) => "result: Some(",
        ("irc", _) if posts => "404",
        ("irc", Barrier::Ban) => "474",
        ("irc", Barrier::InviteOnly) => "473",
        ("irc", Barrier::Key) => "475",
        ("chatroom", Barrier::Ban) => "banned from room",
        ("chatroom", Barrier::InviteOnly) => "invite only",
        ("chatroom", Barrier::Key) => "room key needed",
        ("ourchat", Barrier::Ban) => "banned from this group",
        ("channel", Barrier::Ban) => "banned from this channel",
        ("channel", Barrier::InviteOnly) => "for invited users",
        ("channel", Barrier::Key) => "has a key",
        ("usr_room", Barrier::Ban) => "banned from this room",
        ("usr_room", Barrier::InviteOnly) => "only invited users may enter this room",
        ("usr_room", Barrier::Key) => "has a key",
        (_, Barrier::Moderated) => "moderated",
        // Of others it is enough that they refuse.
        _ => "",
    }
}

/// The words of a refusal, as the client's test double reports them.
#[track_caller]
fn refused(title: &str, act: impl FnOnce()) -> String {
    let Err(panic) = catch_unwind(AssertUnwindSafe(act)) else {
        panic!("{title}: it was not refused")
    };
    let said = panic.downcast::<String>().map(|said| *said);
    said.unwrap_or_else(|panic| (*panic.downcast::<&str>().expect("a text")).to_owned())
}

#[track_caller]
fn is_kept_out(dialect: &str, title: &str, barrier: Barrier, client: &mut dyn Client, room: &Room) {
    let said = refused(title, || {
        assert!(!client.try_enter(room), "it has entered");
        panic!("the room is said to be full");
    });
    let expected = words(dialect, barrier, false);
    assert!(said.contains(expected), "{title} should read {expected:?}: {said}");
}

#[track_caller]
fn may_not_post(one: &mut Character, barrier: Barrier, room: &Room) {
    let title = one.row.title;
    let expected = words(one.dialect().name, barrier, true);
    let said = refused(title, || one.client.post(room, "psst"));
    assert!(said.contains(expected), "{title} should read {expected:?}: {said}");
}

/// The owner of the room TEST, in it by irc.
fn owner(site: &Site) -> Irc {
    site.channel().register("owen", PASSWORD);
    site.dragoman(&["room", "give", "TEST", "owen"]);
    let mut owen = Irc::sign_on(site.gateway.address("irc", "listen"), "owen", Some(PASSWORD));
    assert!(owen.join("#TEST").contains("@owen"));
    owen
}

#[track_caller]
fn set(owen: &mut Irc, modes: &str) {
    owen.send(&format!("MODE #TEST {modes}"));
    owen.receive_until(" MODE #TEST ");
}

/// The mask that covers a character.
fn mask(one: &Character) -> String {
    match one.user.handle.strip_prefix("guest:") {
        Some(name) => format!("{name}!guest@*"),
        None => format!("*!{}@irc.localhost", one.user.uid),
    }
}

#[test]
fn a_moderated_room_refuses_posts_in_the_words_of_each_dialect() {
    let site = Site::open();
    let room = site.test();
    let mut owen = owner(&site);
    for mut one in site.cast("-still") {
        one.client.post(&room, "before");
        set(&mut owen, "+m");
        may_not_post(&mut one, Barrier::Moderated, &room);
        set(&mut owen, "-m");
        one.client.post(&room, "after");
    }
}

#[test]
fn a_user_banned_from_a_room_neither_posts_there_nor_comes_in_again_by_any_dialect() {
    let site = Site::open();
    let room = site.test();
    let mut owen = owner(&site);
    for mut one in site.cast("-barred") {
        let dialect = one.dialect().name;
        set(&mut owen, &format!("+b {}", mask(&one)));
        may_not_post(&mut one, Barrier::Ban, &room);
        if one.row.has_account() {
            site.dragoman(&["room", "kick", "TEST", &one.user.uid.to_string()]);
        }
        // The seat of a guest stays until its client leaves.
        if one.row.has_account() && dialect != "ourchat" {
            if dialect == "chatroom" {
                // The client reads that it was removed, and would take that for the echo.
                one.client.try_enter(&room);
            }
            is_kept_out(dialect, one.row.title, Barrier::Ban, &mut *one.client, &room);
            set(&mut owen, &format!("-b {}", mask(&one)));
            if dialect != "chatroom" {
                one.client.enter(&room);
                one.client.post(&room, "I am back");
            }
        }
    }
}

#[test]
fn a_room_with_a_key_or_for_invited_users_keeps_others_out_of_it_in_every_dialect() {
    let site = Site::open();
    let room = site.test();
    let mut owen = owner(&site);
    for (modes, ends, barrier) in
        [("+k tea", "-k tea", Barrier::Key), ("+i", "-i", Barrier::InviteOnly)]
    {
        set(&mut owen, modes);
        let mut kept_out = Vec::new();
        for (nth, row) in ROWS.iter().enumerate() {
            // It has no words for entering a room.
            if row.dialect.name == "ourchat" {
                continue;
            }
            let mut client = (row.enroll)(&site.gateway, &format!("out{nth}{}", &modes[1..2]));
            is_kept_out(row.dialect.name, row.title, barrier, &mut *client, &room);
            kept_out.push((row.title, client));
        }
        set(&mut owen, ends);
        for (_, mut client) in kept_out {
            client.enter(&room);
        }
    }
}

#[test]
fn a_secret_room_is_in_no_list_or_search() {
    let site = Site::open();
    let mut owen = owner(&site);
    let is_found = |site: &Site| {
        let found = site.usr_room().done("/search", &serde_json::json!({ "key": "TEST" }));
        let rooms: Vec<Value> = found["rooms"].as_array().cloned().unwrap_or_default();
        let rooms = rooms.iter().filter(|room| room["name"] == "TEST").count();
        let mut irc =
            Irc::sign_on(site.gateway.address("irc", "listen"), &format!("zed{rooms}"), None);
        irc.send("LIST");
        let end = irc.receive_until(" 32");
        assert!(end.contains(" 321 "), "{end}");
        let mut listed = false;
        loop {
            let line = irc.receive();
            listed |= line.contains(" 322 ") && line.contains("#TEST");
            if line.contains(" 323 ") {
                break;
            }
        }
        irc.send("NAMES #TEST");
        let names = irc.receive_until(" 3");
        assert_eq!(names.contains(" 353 "), listed, "{names}");
        (rooms == 1, listed)
    };
    assert_eq!(is_found(&site), (true, true));
    set(&mut owen, "+s");
    owen.send("LIST");
    assert!(owen.receive_until(" 322 ").contains("#TEST"), "those inside know of it");
    let found = site.usr_room().call("/search", &serde_json::json!({ "key": "TEST" }));
    assert!(!found.to_string().contains("\"TEST\""), "{found}");
    let mut yan = Irc::sign_on(site.gateway.address("irc", "listen"), "yan", None);
    yan.send("LIST");
    yan.send("NAMES #TEST");
    let lines = yan.drain();
    assert!(
        !lines.iter().any(|line| line.contains(" 322 ") || line.contains(" 353 ")),
        "{lines:#?}"
    );
    set(&mut owen, "-s");
    assert_eq!(is_found(&site), (true, true));
}

#[test]
fn a_message_that_is_deleted_is_redacted_on_irc_and_gone_everywhere() {
    let site = Site::open();
    let room = site.test();
    let mut owen = owner(&site);
    owen.send("CAP REQ :message-tags draft/message-redaction");
    owen.receive_until(" ACK ");
    let mut speakers = site.cast("-told");
    speakers[0].client.post(&room, "unwanted");
    let line = owen.receive_until(" :unwanted");
    let id = line.split("msgid=").nth(1).expect("it has an id");
    let id = id.split([';', ' ']).next().expect("a word").to_owned();
    owen.send(&format!("REDACT #TEST {id} :off topic"));
    let told = owen.receive_until(" REDACT ");
    assert!(told.ends_with(&format!(" REDACT #TEST {id} :off topic")), "{told}");
    assert_eq!(site.dragoman(&["message", "list", "TEST"]), "none\n");
    speakers[0].client.post(&room, "second");
    let line = owen.receive_until(" :second");
    let second = line.split("msgid=").nth(1).and_then(|id| id.split([';', ' ']).next());
    site.dragoman(&["message", "delete", second.expect("it has an id")]);
    let told = owen.receive_until(" REDACT ");
    assert!(told.starts_with(":irc.localhost REDACT #TEST "), "{told}");
    owen.send(&format!("REDACT #TEST {id}"));
    assert!(owen.receive_until("FAIL REDACT").contains("UNKNOWN_MSGID"));
    let mut zed = Irc::sign_on(site.gateway.address("irc", "listen"), "zed", None);
    zed.join("#TEST");
    speakers[0].client.post(&room, "third");
    let third = owen.receive_until(" :third");
    let third = third.split("msgid=").nth(1).and_then(|id| id.split([';', ' ']).next());
    zed.send(&format!("REDACT #TEST {}", third.expect("it has an id")));
    assert!(zed.receive_until("FAIL REDACT").contains("REDACT_FORBIDDEN"));
}
