//! Rooms, made in every dialect with all that it can give, and looked at in every other. Owners and
//! members are users, which other tests of the matrix look at.

use gateway_tests::dialect::Room;
use gateway_tests::token::{CREATE_ROOM, json as info};
use gateway_tests::{Channel, Irc};
use serde_json::json;

use super::contract::Contract;
use super::look::{Observers, Values, values};
use super::seen::{Given, Tally};
use super::site::{Site, number, unlimited};

/// A room, with the value of each field that its dialect gave, and of all fields.
struct Subject {
    room: Room,
    given: Given,
    fields: Given,
    /// What a member in ourchat sees, which shows no other rooms.
    seen_in_ourchat: Option<Values>,
}

/// Makes a room with all that a dialect can give it.
type Writer = fn(&Site) -> Subject;

/// Dialects whose rooms every dialect may see, and how each makes one.
const WRITERS: [(&str, Writer); 6] = [
    ("token", of_token),
    ("usr_room", of_usr_room),
    ("chatroom", of_chatroom),
    ("ourchat", of_ourchat),
    ("channel", of_channel),
    ("irc", of_irc),
];

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
    let mut observers = Observers::at(&site);
    let mut tally = Tally::default();
    for (writer, make) in WRITERS {
        let subject = make(&site);
        for (field, _) in &subject.given {
            assert!(contract.is_given(writer, field), "{writer} gives {field}");
        }
        for (reader, seen) in observers.of_room(&site, &subject.room) {
            tally.check(&contract, (writer, reader), &subject.fields, &seen);
        }
        if let Some(seen) = &subject.seen_in_ourchat {
            tally.check(&contract, (writer, "ourchat"), &subject.fields, seen);
        }
    }
    tally.end();
}

impl Subject {
    fn new(id: u32, name: &str, given: Given) -> Self {
        let mut fields = given.clone();
        fields.extend([("room.id", id.to_string()), ("room.capacity", "737".to_owned())]);
        if !given.iter().any(|(field, _)| *field == "room.title") {
            fields.push(("room.title", name.to_owned()));
        }
        Self { room: Room { id, name: name.into() }, given, fields, seen_in_ourchat: None }
    }
}

/// A room of that name is there already, so that name and title differ.
fn of_token(site: &Site) -> Subject {
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
    let id = make(&own);
    let name = format!("Tea room#{id}");
    Subject::new(
        id,
        &name,
        vec![
            ("room.name", name.clone()),
            ("room.title", "Tea room".into()),
            ("room.section", "part 9 of 茶".into()),
            ("room.description", "for e\u{301}\n\ntalk".into()),
            ("room.info", own),
            ("room.app_code", "7321".into()),
        ],
    )
}

fn of_usr_room(site: &Site) -> Subject {
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
    let id = make("for readers\nof 茶");
    let name = format!("Book room#{id}");
    Subject::new(
        id,
        &name,
        vec![
            ("room.name", name.clone()),
            ("room.title", "Book room".into()),
            ("room.section", "part 10".into()),
            ("room.description", "for readers\nof 茶".into()),
        ],
    )
}

fn of_chatroom(site: &Site) -> Subject {
    let fields = [("room_name", "Chat 茶")];
    assert_eq!(site.chatroom().res("/chatroom/create", &fields), "chatroom create successfully");
    let id = site.room("Chat 茶").id;
    Subject::new(id, "Chat 茶", vec![("room.name", "Chat 茶".into())])
}

fn of_ourchat(site: &Site) -> Subject {
    let mut member = site.ourchat();
    let ocid = member.enroll("ourchat-member");
    let mut maker = site.ourchat();
    maker.enroll("ourchat-maker");
    let mut make = || {
        let made = maker.call(&json!({"code": 8, "members": [ocid], "name": "Group 茶"}));
        number(&made["group_id"])
    };
    make();
    member.receive();
    let id = make();
    let name = format!("Group 茶#{id}");
    let given = vec![("room.name", name.clone()), ("room.title", "Group 茶".into())];
    let seen_in_ourchat = Some(values(&member.receive()));
    Subject { seen_in_ourchat, ..Subject::new(id, &name, given) }
}

fn of_channel(site: &Site) -> Subject {
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "chan.maker");
    channel.send("Chan 茶", "hello");
    let id = site.room("Chan 茶").id;
    Subject::new(id, "Chan 茶", vec![("room.name", "Chan 茶".into())])
}

fn of_irc(site: &Site) -> Subject {
    let address = site.gateway.address("channel", "listen");
    Channel::connect(address).register("op", "tea for two");
    let address = site.gateway.address("irc", "listen");
    let mut irc = Irc::sign_on(address, "op", Some("tea for two"));
    irc.join("#Irc\\20茶");
    irc.send("TOPIC #Irc\\20茶 :what  it is for: 茶");
    irc.receive_until(" TOPIC ");
    let id = site.room("Irc 茶").id;
    Subject::new(
        id,
        "Irc 茶",
        vec![("room.name", "Irc 茶".into()), ("room.description", "what  it is for: 茶".into())],
    )
}
