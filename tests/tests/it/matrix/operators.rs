//! What an operator does is felt in every dialect, in its own words.

use std::panic::{AssertUnwindSafe, catch_unwind};

use serde_json::{Value, json};

use super::site::{Character, Site};

/// What a client of a dialect reads where an operator has muted or banned it.
fn words(dialect: &str, plain: &'static str) -> &'static str {
    match (dialect, plain) {
        // E_DENIED.
        ("token", _) => "result: Some(",
        ("irc", "muted") => "404",
        ("irc", _) => "465",
        _ => plain,
    }
}

/// The words of a refusal, as the client's test double reports them.
#[track_caller]
fn refused(one: &mut Character, room: &gateway_tests::dialect::Room) -> String {
    let title = one.row.title;
    let posted = catch_unwind(AssertUnwindSafe(|| one.client.post(room, "psst")));
    let Err(panic) = posted else { panic!("{title}: it was not refused") };
    let said = panic.downcast::<String>().map(|said| *said);
    said.unwrap_or_else(|panic| (*panic.downcast::<&str>().expect("a text")).to_owned())
}

fn handle(one: &Character) -> String {
    format!("{}", one.user.uid)
}

#[test]
fn a_muted_user_is_refused_in_the_words_of_its_dialect_and_posts_again_when_it_is_lifted() {
    let site = Site::open();
    let room = site.test();
    for mut one in site.cast("-muted").into_iter().filter(|one| one.row.has_account()) {
        let (title, who) = (one.row.title, handle(&one));
        one.client.post(&room, "before");
        site.dragoman(&["room", "mute", "TEST", &who, "--ttl", "1h"]);
        let said = refused(&mut one, &room);
        assert!(said.contains(words(one.dialect().name, "muted")), "{title}: {said}");
        site.dragoman(&["room", "unmute", "TEST", &who]);
        one.client.post(&room, "after");
    }
}

#[test]
fn a_banned_user_posts_nothing_more_and_its_connections_end() {
    let site = Site::open();
    let room = site.test();
    let cast = site.cast("-banned");
    for mut one in cast.into_iter().filter(|one| one.row.has_account()) {
        let (title, who) = (one.row.title, handle(&one));
        site.dragoman(&["ban", "add", &format!("user:{who}"), "--reason", "spam"]);
        let said = refused(&mut one, &room);
        let is_polling = ["usr_room", "channel"].contains(&one.dialect().name);
        assert!(!is_polling || said.contains("banned: spam"), "{title}: {said}");
    }
    let messages = site.dragoman(&["message", "list", "TEST"]);
    assert_eq!(messages, "none\n");
    assert!(site.dragoman(&["ban", "list"]).contains("spam"));
}

#[test]
fn a_banned_user_cannot_sign_in_and_reads_why() {
    let site = Site::open();
    let mut channel = site.channel();
    channel.register("bob", "tea for two");
    let who = site.operate(&["disable", "bob", "--reason", "spam"]);
    assert_eq!(who["disabled"], json!({ "reason": "spam" }));
    let login = json!({ "name": "bob", "password": "tea for two" });
    let said = channel.call("/login", &login);
    assert_eq!(said, json!({ "code": 8, "msg": "banned: spam" }));
    let wrong = json!({ "name": "bob", "password": "coffee" });
    assert_eq!(channel.call("/login", &wrong)["code"], 3, "a stranger does not learn of the ban");
    site.operate(&["link", "bob", "email/bob@example.org"]);
    let mut ourchat = site.ourchat();
    let login = json!({
        "code": 6, "login_type": 0, "account": "bob@example.org", "password": "tea for two",
    });
    // The reply to a login has a number and no words.
    assert_eq!(ourchat.call(&login)["state"], 1);
    let address = site.gateway.address("irc", "listen");
    let mut irc = gateway_tests::Irc::connect(address);
    irc.send("PASS :tea for two");
    irc.send("NICK bob");
    irc.send("USER bob 0 * :bob");
    assert!(irc.receive_until(" 46").contains("465"));
    site.operate(&["enable", "bob"]);
    channel.login("bob", "tea for two");
}

#[test]
fn a_deleted_message_is_not_shown_to_those_who_have_not_read_it() {
    let site = Site::open();
    let room = site.test();
    let mut speakers = site.cast("-speaker");
    let speaker = &mut speakers[0];
    let mut channel =
        gateway_tests::Channel::enroll(site.gateway.address("channel", "listen"), "carl");
    channel.done("/channel/receive", &json!({ "name": "TEST" }));
    for text in ["first", "unwanted", "last"] {
        speaker.client.post(&room, text);
    }
    let listed = site.dragoman(&["message", "list", "TEST", "--json"]);
    let line = listed.lines().find(|line| line.contains("unwanted")).expect("it is listed");
    let message: Value = serde_json::from_str(line).expect("it is JSON");
    let id = message["id"].to_string();
    assert_eq!(site.dragoman(&["message", "delete", &id]), format!("deleted message {id}\n"));
    let data = channel.done("/channel/receive", &json!({ "name": "TEST" })).to_string();
    assert!(
        data.contains("first") && data.contains("last") && !data.contains("unwanted"),
        "{data}"
    );
    let history = site.usr_room().history(room.id.into());
    let history = serde_json::to_string(&history).expect("it is JSON");
    assert!(history.contains("first") && !history.contains("unwanted"), "{history}");
    let (code, said) = site.try_dragoman(&["message", "delete", &id]);
    assert_eq!((code, said), (Some(1), format!("there is no message {id}\n")));
}

#[test]
fn a_session_that_an_operator_closes_ends_in_every_dialect_with_connections() {
    let site = Site::open();
    let room = site.test();
    for mut one in site.cast("-closed") {
        let title = one.row.title;
        let who = if one.row.has_account() { handle(&one) } else { one.user.handle.clone() };
        let mut list = vec!["session", "list", "--user", &who, "--json"];
        // Members of a room by ourchat have no seat there.
        if one.dialect().name != "ourchat" {
            list.extend(["--room", "TEST"]);
        }
        let listed = site.dragoman(&list);
        if ["usr_room", "channel"].contains(&one.dialect().name) {
            assert_eq!(listed, "", "{title}: requests are no sessions");
            continue;
        }
        let session: Value = serde_json::from_str(&listed).expect("one line of JSON");
        assert_eq!(session["frontend"], one.dialect().name, "{title}");
        assert_eq!(session["address"], "127.0.0.1", "{title}");
        let id = session["id"].to_string();
        site.dragoman(&["session", "close", &id]);
        refused(&mut one, &room);
    }
}
