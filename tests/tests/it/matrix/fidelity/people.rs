//! Users, made in every dialect with all that it can give, and looked at in every other.

use gateway_tests::dialect::{Row, User, tel_of};
use gateway_tests::token::{LOGIN, json as info, string};
use gateway_tests::{Channel, Irc};
use serde_json::{Value, json};
use toml::Table;

use super::changes;
use super::contract::{Contract, Verdict};
use super::look::Observers;
use super::seen::{Fields, Findings, Wishes};
use super::site::{Site, row_of, unlimited};

/// A user of a dialect, with what was asked for.
struct Subject {
    user: User,
    wishes: Wishes,
    fields: Fields,
}

/// Dialects that make accounts.
const WRITERS: [&str; 5] = ["token", "usr_room", "chatroom", "ourchat", "channel"];

const PICTURE: &str = "https://pictures.invalid/of-me.png";

#[test]
fn users_of_every_dialect_look_in_every_other_as_the_contract_says() {
    prove_people("document");
}

#[test]
fn users_look_as_the_contract_says_in_flavor_miniprogram_too() {
    prove_people("miniprogram");
}

fn of_flavor(flavor: &str) -> Table {
    let mut config = unlimited();
    let section = config["frontends"]["usr_room"].as_table_mut().expect("it is a section");
    section.insert("flavor".into(), flavor.into());
    config
}

#[track_caller]
fn prove_people(flavor: &str) {
    // Only flavor miniprogram has pictures.
    let mut site = Site::of(&of_flavor("miniprogram"));
    let pictured = json!({"openid": "o-pictured", "name": "With a picture", "avatar": PICTURE});
    site.usr_room().done("/usr/complete", &pictured);
    site.gateway.reload(&of_flavor(flavor).to_string());
    let contract = Contract::of(&site);
    let all = contract.fields("person");
    let mut observers = Observers::at(&site);
    let mut findings = Findings::default();
    for (nth, writer) in WRITERS.into_iter().enumerate() {
        let row = row_of(writer);
        let name = format!("u{nth}.at");
        let mut client = (row.enroll)(&site.gateway, &name);
        let given = enrich(&site, row, &name);
        client.enter(&site.test());
        let said = format!("{writer} is here");
        client.post(&site.test(), &said);
        let subject = Subject::of(&site, row, &name, given);
        look(&site, &mut observers, &mut findings, &subject, &said);
        note_wishes(&site, &mut findings, row.dialect.name, &all, subject.wishes, flavor);
        drop(client);
    }
    note_guest(&site, &mut findings, &all);
    look_at_picture(&site, &mut observers, &mut findings);
    changes::note_users(&site, &mut observers, &mut findings);
    findings.prove(&contract, "person");
}

fn look(
    site: &Site,
    observers: &mut Observers,
    findings: &mut Findings,
    subject: &Subject,
    said: &str,
) {
    for (reader, seen) in observers.of_user(site, &subject.user, said) {
        findings.see(reader, &subject.fields, &seen);
    }
}

/// Gives what a plain enrolment does not: each field with its value.
fn enrich(site: &Site, row: &Row, name: &str) -> Vec<(&'static str, String)> {
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
            let (sex, likes) = ("unsaid".to_owned(), "green 茶 & tea".to_owned());
            let given = json!({ "openid": openid, "sex": sex, "preference": [likes] });
            site.usr_room().done("/usr/complete", &given);
            vec![("person.sex", sex), ("person.preferences", likes), ("person.identities", openid)]
        }
        "chatroom" => vec![("person.identities", tel_of(name))],
        "ourchat" => vec![
            ("person.name", name.to_owned()),
            ("person.identities", format!("{name}@example.org")),
        ],
        "channel" => Vec::new(),
        other => panic!("{other} is new: what does it give of users?"),
    }
}

impl Subject {
    /// With what the gateway made of it. An operator sees names and identities.
    fn of(site: &Site, row: &Row, name: &str, given: Vec<(&'static str, String)>) -> Self {
        let who = match row.dialect.name {
            "token" => format!("openid:game/o-{name}"),
            "usr_room" => format!("openid:wechat/o-{name}"),
            _ => name.to_owned(),
        };
        let account = site.operate(&["show", &who]);
        let uid = account["uid"].as_u64().expect("a number");
        let text = |key: &str| account[key].as_str().expect("a string").to_owned();
        let user = User { handle: text("handle"), ..(row.user)(name, uid) };
        let mut fields = given.clone();
        fields.push(("person.uid", uid.to_string()));
        if !fields.iter().any(|(field, _)| *field == "person.name") {
            fields.push(("person.name", text("name")));
        }
        fields.push(("person.handle", text("handle")));
        fields.push(("person.created", created_ms(site, uid)));
        fields.retain(|(_, value)| !value.is_empty());
        let wishes = given.into_iter().map(|(field, wish)| {
            let kept = match field {
                "person.name" => text("name"),
                "person.identities" => kept_identity(&account, &wish),
                // Only users of the dialect see these.
                _ => wish.clone(),
            };
            (field, wish, kept)
        });
        Self { user, wishes: wishes.collect(), fields }
    }
}

/// The subject of an identity of the account, if it is the wanted one.
fn kept_identity(account: &Value, wish: &str) -> String {
    let identities = account["identities"].as_array().expect("a list").iter();
    let subjects = identities.filter_map(|one| Some(one.as_str()?.split_once('/')?.1));
    subjects.into_iter().find(|one| *one == wish).unwrap_or_default().to_owned()
}

/// Beside what was given: the name, and of a handle whether it is insisted on where another user has
/// it.
fn note_wishes(
    site: &Site,
    findings: &mut Findings,
    writer: &'static str,
    all: &[String],
    mut wishes: Wishes,
    flavor: &str,
) {
    let taken = "taken.by.others";
    if site.try_dragoman(&["user", "show", taken]).0 != Some(0) {
        let address = site.gateway.address("channel", "listen");
        Channel::connect(address).register(taken, "tea for two");
    }
    if writer == "usr_room" && flavor == "miniprogram" {
        wishes.extend(names_of_miniprogram(site, taken));
    }
    let kept = handle_wanted(site, writer, taken);
    wishes.extend(kept.map(|kept| ("person.handle", taken.to_owned(), kept)));
    findings.give(writer, all, &wishes);
}

/// The name and the picture of a user that this makes.
fn names_of_miniprogram(site: &Site, name: &str) -> Wishes {
    let wish = json!({"openid": "o-second", "name": name, "avatar": PICTURE});
    site.usr_room().done("/usr/complete", &wish);
    let account = site.operate(&["show", "openid:wechat/o-second"]);
    let kept = account["name"].as_str().expect("a string");
    vec![
        ("person.avatar", PICTURE.into(), PICTURE.into()),
        ("person.name", name.into(), kept.into()),
    ]
}

/// The handle of a user who wants one that is taken, itself where the dialect insists on it; none
/// where the dialect has no handles.
fn handle_wanted(site: &Site, writer: &str, taken: &str) -> Option<String> {
    let kept = |who: &str| {
        let account = site.try_dragoman(&["user", "show", who, "--json"]);
        let account: Value = serde_json::from_str(&account.1).ok()?;
        Some(account["handle"].as_str().expect("a string").to_owned())
    };
    match writer {
        "token" => {
            let body = [string("o-second"), string("game"), 1_i32.to_be_bytes().to_vec()];
            let own = info(&json!({ "name": taken }).to_string());
            site.token().done(LOGIN, &[body.concat(), own].concat());
            kept("openid:game/o-second")
        }
        "usr_room" => kept("openid:wechat/o-second").filter(|handle| handle.starts_with(taken)),
        "chatroom" => {
            let fields =
                [("user_tel", "15557"), ("user_name", taken), ("user_password", "tea for two")];
            assert_eq!(site.chatroom().res("/auth/register", &fields), "user exist");
            Some(taken.to_owned())
        }
        "ourchat" => {
            let email = "second@example.org";
            let new = json!({"code": 4, "email": email, "password": "pw", "name": taken});
            assert_eq!(site.ourchat().call(&new)["state"], 0);
            kept("email/second@example.org")
        }
        "channel" => {
            let new = json!({"name": taken, "password": "p", "password_repete": "p"});
            assert_eq!(site.channel().call("/register", &new)["code"], 4);
            Some(taken.to_owned())
        }
        other => panic!("{other} is new: does it insist on a handle?"),
    }
}

/// irc makes no accounts: a guest has a handle of its own.
fn note_guest(site: &Site, findings: &mut Findings, all: &[String]) {
    let mut irc = Irc::sign_on(site.gateway.address("irc", "listen"), "gus", None);
    irc.join("#TEST");
    let listed = site.dragoman(&["session", "list", "--room", "TEST", "--json"]);
    let kept = if listed.contains("\"guest:gus\"") { "guest:gus" } else { "gus" };
    findings.give("irc", all, &vec![("person.handle", "gus".into(), kept.into())]);
}

/// A user of the app that has one.
fn look_at_picture(site: &Site, observers: &mut Observers, findings: &mut Findings) {
    let mut app = site.usr_room();
    let room_id = site.test().id;
    app.done("/usr/join", &json!({"room_id": room_id, "openid": "o-pictured"}));
    let said = "a user with a picture is here";
    let message = json!({"room_id": room_id, "openid": "o-pictured", "message": said});
    app.done("/room/send_message", &message);
    let account = site.operate(&["show", "openid:wechat/o-pictured"]);
    let user = User {
        uid: account["uid"].as_u64().expect("a number"),
        handle: account["handle"].as_str().expect("a string").into(),
        openid: Some("o-pictured".into()),
    };
    for (reader, seen) in observers.of_user(site, &user, said) {
        let is_seen = seen.contains(PICTURE);
        let found = if is_seen { Verdict::Exact } else { Verdict::Lost };
        findings.shows(reader, "person.avatar", found);
    }
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
