//! Rooms, made in every dialect with all that it can give, and looked at in every other. Owners and
//! members are users, which other tests of the matrix look at.

use gateway_tests::dialect::Room;
use gateway_tests::token::{CREATE_ROOM, json as info};
use gateway_tests::{Channel, Irc};
use serde_json::{Value, json};

use super::changes;
use super::contract::{Contract, Verdict};
use super::look::{Observers, report, values};
use super::seen::{Fields, Findings, Wishes};
use super::site::{Site, number, row_of, unlimited};

/// A room.
struct Subject {
    room: Room,
    /// What its maker asked for.
    wishes: Wishes,
    fields: Fields,
}

/// Makes rooms with all that a dialect can give them.
type Writer = fn(&Site, &mut Findings) -> Vec<Subject>;

const WRITERS: [(&str, Writer); 6] = [
    ("token", of_token),
    ("usr_room", of_usr_room),
    ("chatroom", of_chatroom),
    ("ourchat", of_ourchat),
    ("channel", of_channel),
    ("irc", of_irc),
];

/// The numbers of rooms are no other numbers that are shown of them.
const ROOMS_BEFORE: usize = 40;

#[test]
fn rooms_of_every_dialect_look_in_every_other_as_the_contract_says() {
    let mut config = unlimited();
    let frontends = config["frontends"].as_table_mut().expect("it is a section");
    for (_, section) in frontends.iter_mut() {
        section.as_table_mut().expect("it is a section").insert("room_capacity".into(), 737.into());
    }
    let ourchat = config["frontends"]["ourchat"].as_table_mut().expect("it is a section");
    ourchat.insert("open".into(), true.into());
    let site = Site::of(&config);
    let contract = Contract::of(&site);
    let all = contract.fields("room");
    let mut findings = Findings::default();
    for number in 0..ROOMS_BEFORE {
        let fields = [("room_name", &*format!("before {number}"))];
        site.chatroom().res("/chatroom/create", &fields);
    }
    let mut observers = Observers::at(&site);
    for (writer, make) in WRITERS {
        let subjects = make(&site, &mut findings);
        let wishes: Wishes = subjects.iter().flat_map(|one| one.wishes.clone()).collect();
        let given = all.iter().filter(|field| !OF_SEATS.contains(&field.as_str()));
        findings.give(writer_of(writer), &given.cloned().collect::<Vec<_>>(), &wishes);
        for subject in &subjects {
            for (reader, seen) in observers.of_room(&site, &subject.room) {
                findings.see(reader, &subject.fields, &seen);
            }
        }
    }
    note_members(&site, &mut findings);
    changes::note_rooms(&site, &mut observers, &mut findings);
    findings.prove(&contract, "room");
}

/// Fields that are given by what clients do later, or for all rooms alike.
const OF_SEATS: [&str; 2] = ["room.members", "room.closed"];

fn writer_of(dialect: &str) -> &'static str {
    row_of(dialect).dialect.name
}

/// Entering makes a durable member, or takes a seat that ends.
fn note_members(site: &Site, findings: &mut Findings) {
    let cast = site.cast(".members");
    let listed = site.dragoman(&["room", "members", "TEST", "--json"]);
    for one in cast.iter().filter(|one| one.row.has_account()) {
        let is_member = listed.contains(&format!("\"uid\":{},", one.user.uid));
        let found = if is_member { Verdict::Exact } else { Verdict::Emulated };
        findings.gives(one.dialect().name, "room.members", found);
    }
}

impl Subject {
    /// A room as the operator sees it, for which its maker had these wishes. One for an owner is the
    /// handle, and counts as granted in whatever user the room belongs to.
    fn of(site: &Site, name: &str, wishes: &[(&'static str, &str)]) -> Self {
        let report = report(site, name);
        let text = |key: &str| match &report[key] {
            Value::String(text) => text.clone(),
            Value::Null => String::new(),
            other => other.to_string(),
        };
        let kept = |field: &str, wish: &str| match field {
            "room.app_code" | "room.info" => wish.to_owned(),
            _ => text(field.trim_start_matches("room.")),
        };
        let id = number(&report["room_id"]);
        let mut fields = vec![("room.id", id.to_string()), ("room.capacity", text("capacity"))];
        let all = ["room.name", "room.title", "room.section", "room.description"];
        fields.extend(all.map(|field| (field, kept(field, ""))));
        let others = ["room.app_code", "room.info"];
        let given = wishes.iter().filter(|(field, _)| others.contains(field));
        fields.extend(given.map(|(field, wish)| (*field, (*wish).to_owned())));
        fields.retain(|(_, value)| !value.is_empty());
        let wishes =
            wishes.iter().map(|(field, wish)| (*field, (*wish).to_owned(), kept(field, wish)));
        Self { room: Room { id, name: name.into() }, wishes: wishes.collect(), fields }
    }
}

/// A room of that name is there already, so that name and title differ; and one without a title.
fn of_token(site: &Site, _: &mut Findings) -> Vec<Subject> {
    let mut token = site.token();
    token.login("o-maker");
    let mut make = |own: &str| {
        let app_code = 7321_u16.to_be_bytes().to_vec();
        let body = [app_code, token.apply().to_be_bytes().to_vec(), info(own)];
        token.done(CREATE_ROOM, &body.concat()).u32()
    };
    make(r#"{"name":"Tea room"}"#);
    let own = json!({
        "name": "Tea room", "section": "part 9 of 茶", "description": "for e\u{301}\n\ntalk",
        "mood": "calm",
    });
    let own = own.to_string();
    let name = format!("Tea room#{}", make(&own));
    let untitled = format!("room-{}", make(r#"{"mood":"calm"}"#));
    vec![
        Subject::of(
            site,
            &name,
            &[
                ("room.name", "Tea room"),
                ("room.title", "Tea room"),
                ("room.section", "part 9 of 茶"),
                ("room.description", "for e\u{301}\n\ntalk"),
                ("room.info", &own),
                ("room.app_code", "7321"),
                ("room.owner", "o-maker"),
            ],
        ),
        Subject::of(site, &untitled, &[]),
    ]
}

fn of_usr_room(site: &Site, _: &mut Findings) -> Vec<Subject> {
    let mut app = site.usr_room();
    app.done("/usr/complete", &json!({"openid": "o-owner"}));
    let mut make = |description: &str| {
        let room = json!({
            "name": "Book room", "section": "part 10", "description": description,
            "room_owner_id": "o-owner",
        });
        number(&app.done("/room/add", &room)["room_id"])
    };
    make("");
    let name = format!("Book room#{}", make("for readers\nof 茶"));
    let owner = site.operate(&["show", "openid:wechat/o-owner"]);
    let owner = owner["handle"].as_str().expect("a string");
    vec![Subject::of(
        site,
        &name,
        &[
            ("room.name", "Book room"),
            ("room.title", "Book room"),
            ("room.section", "part 10"),
            ("room.description", "for readers\nof 茶"),
            ("room.owner", owner),
        ],
    )]
}

fn of_chatroom(site: &Site, _: &mut Findings) -> Vec<Subject> {
    let fields = [("room_name", "Chat 茶")];
    assert_eq!(site.chatroom().res("/chatroom/create", &fields), "chatroom create successfully");
    assert_eq!(report(site, "Chat 茶")["owner"], Value::Null);
    vec![Subject::of(site, "Chat 茶", &[("room.name", "Chat 茶")])]
}

/// A member sees the others when the group is made.
fn of_ourchat(site: &Site, findings: &mut Findings) -> Vec<Subject> {
    let mut member = site.ourchat();
    let ocid = member.enroll("ourchat-member");
    let mut maker = site.ourchat();
    let owner = maker.enroll("ourchat-maker");
    let mut make = || {
        let made = maker.call(&json!({"code": 8, "members": [ocid], "name": "Group 茶"}));
        number(&made["group_id"])
    };
    make();
    member.receive();
    let name = format!("Group 茶#{}", make());
    let told = values(&member.receive());
    let found = if told.contains(&owner.to_string()) { Verdict::Emulated } else { Verdict::Lost };
    findings.shows("ourchat", "room.members", found);
    let wishes =
        [("room.name", "Group 茶"), ("room.title", "Group 茶"), ("room.owner", "ourchat-maker")];
    let subject = Subject::of(site, &name, &wishes);
    findings.see("ourchat", &subject.fields, &told);
    vec![subject]
}

fn of_channel(site: &Site, _: &mut Findings) -> Vec<Subject> {
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "chan.maker");
    channel.send("Chan 茶", "hello");
    vec![Subject::of(site, "Chan 茶", &[("room.name", "Chan 茶"), ("room.owner", "chan.maker")])]
}

fn of_irc(site: &Site, _: &mut Findings) -> Vec<Subject> {
    let address = site.gateway.address("channel", "listen");
    Channel::connect(address).register("op", "tea for two");
    let address = site.gateway.address("irc", "listen");
    let mut irc = Irc::sign_on(address, "op", Some("tea for two"));
    irc.join("#Irc\\20茶");
    irc.send("TOPIC #Irc\\20茶 :what  it is for: 茶");
    irc.receive_until(" TOPIC ");
    vec![Subject::of(
        site,
        "Irc 茶",
        &[
            ("room.name", "Irc 茶"),
            ("room.description", "what  it is for: 茶"),
            ("room.owner", "op"),
        ],
    )]
}
