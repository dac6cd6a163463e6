//! Users, made in every dialect with all that it can give, and looked at in every other.

use gateway_tests::dialect::{Row, User};
use gateway_tests::token::{LOGIN, json as info, string};
use serde_json::json;

use super::contract::Contract;
use super::look::Observers;
use super::seen::{Given, Tally};
use super::site::{Site, row_of, unlimited};

/// A user, with the value of each field that its dialect gave, and of those the gateway made.
struct Subject {
    user: User,
    fields: Given,
}

/// Dialects that make accounts.
const WRITERS: [&str; 5] = ["token", "usr_room", "chatroom", "ourchat", "channel"];

#[test]
fn users_of_every_dialect_look_in_every_other_as_the_contract_says() {
    let site = Site::of(&unlimited());
    let contract = Contract::of(&site);
    let mut observers = Observers::at(&site);
    let mut tally = Tally::default();
    for (nth, writer) in WRITERS.into_iter().enumerate() {
        let row = row_of(writer);
        let name = format!("u{nth}.seen");
        let mut client = (row.enroll)(&site.gateway, &name);
        let given = enrich(&site, row, &name);
        client.enter(&site.test());
        let said = format!("{writer} is here");
        client.post(&site.test(), &said);
        let subject = subject(&site, row, &name, given);
        assert_given(&contract, writer, &subject);
        for (reader, seen) in observers.of_user(&site, &subject.user, &said) {
            tally.check(&contract, (writer, reader), &subject.fields, &seen);
        }
        drop(client);
    }
    tally.end();
}

/// Gives what a plain enrolment does not: each field with its value.
fn enrich(site: &Site, row: &Row, name: &str) -> Given {
    match row.dialect.name {
        "token" => {
            // As long as it may be.
            let display = format!("{name}, e\u{301} {}", "茶".repeat(240));
            let own = json!({ "name": display, "mood": "calm" }).to_string();
            let openid = format!("o-{name}");
            let create = 0_i32.to_be_bytes().to_vec();
            let body = [string(&openid), string("game"), create, info(&own)].concat();
            site.token().done(LOGIN, &body);
            vec![("person.name", display), ("person.info", own), ("person.identities", openid)]
        }
        "usr_room" => {
            let openid = format!("o-{name}");
            let (sex, likes) = ("unsaid".to_owned(), "茶 & tea".to_owned());
            let given = json!({ "openid": openid, "sex": sex, "preference": [likes] });
            site.usr_room().done("/usr/complete", &given);
            vec![("person.sex", sex), ("person.preferences", likes), ("person.identities", openid)]
        }
        "chatroom" => vec![("person.identities", gateway_tests::dialect::tel_of(name))],
        "ourchat" => vec![
            ("person.name", name.to_owned()),
            ("person.identities", format!("{name}@example.org")),
        ],
        "channel" => Vec::new(),
        other => panic!("{other} is new: what does it give of users?"),
    }
}

/// The user, with what the gateway made of it.
fn subject(site: &Site, row: &Row, name: &str, given: Given) -> Subject {
    let who = match row.dialect.name {
        "token" => format!("openid:game/o-{name}"),
        "usr_room" => format!("openid:wechat/o-{name}"),
        _ => name.to_owned(),
    };
    let account = site.operate(&["show", &who]);
    let uid = account["uid"].as_u64().expect("a number");
    let handle = account["handle"].as_str().expect("a string").to_owned();
    let user = User { handle: handle.clone(), ..(row.user)(name, uid) };
    let mut fields = given;
    fields.push(("person.uid", uid.to_string()));
    if !fields.iter().any(|(field, _)| *field == "person.name") {
        fields.push(("person.name", handle.clone()));
    }
    fields.push(("person.handle", handle));
    fields.push(("person.created", created_ms(site, uid)));
    Subject { user, fields }
}

/// When an account was made, as only ourchat shows it in full.
fn created_ms(site: &Site, uid: u64) -> String {
    let mut ourchat = site.ourchat();
    ourchat.enroll(&format!("asks-about-{uid}"));
    let ask = json!({"code": 10, "ocid": uid, "request_values": ["time"]});
    loop {
        let told = ourchat.call(&ask);
        if told["code"] == 11 {
            return told["data"]["time"].to_string();
        }
    }
}

/// What the dialect gives is in the test, and nothing else.
fn assert_given(contract: &Contract, writer: &str, subject: &Subject) {
    for field in contract.fields("person") {
        let is_tried = subject.fields.iter().any(|(tried, _)| *tried == field);
        let is_given = contract.is_given(writer, &field);
        // A flag has no value that could be told from others.
        let is_flag = field == "person.online";
        let by_gateway =
            ["person.uid", "person.created", "person.handle", "person.name"].contains(&&*field);
        assert!(
            is_tried == is_given || is_flag || by_gateway,
            "{writer} gives {field}: {is_given}"
        );
    }
}
