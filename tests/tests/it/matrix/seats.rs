//! Seats: how many a room has, when they are given back, and that no client gets one too many.

use std::sync::Barrier;

use gateway_tests::dialect::{Client, News, ROWS, Room, Row};
use gateway_tests::token::{CREATE_ROOM, ENTER_ROOM, Fields, LEAVE_ROOM};
use gateway_tests::{Channel, Chatroom, Gateway, Token};
use serde_json::{Value, json};
use toml::Table;

use super::site::{Site, config, number, row_of};

/// A token connection in a room, which receives the population.
struct Counter {
    client: Box<dyn Client>,
}

impl Counter {
    fn in_(site: &Site, room: &Room) -> Self {
        let mut client = (row_of("token").enroll)(&site.gateway, "counter");
        client.enter(room);
        Self { client }
    }

    /// The next announced population.
    fn next(&mut self) -> u64 {
        let presence = self.client.presence().expect("token has it");
        loop {
            if let News::Population { count, .. } = presence.next() {
                return count;
            }
        }
    }
}

fn seat(http: &mut Chatroom, name: &str, status: &str) -> String {
    let fields = [("room_name", "TEST"), ("user_name", name), ("status", status)];
    http.res("/chatroom/room", &fields)
}

#[test]
fn a_seat_taken_over_http_is_the_websockets_and_is_given_back_some_time_after_it_dropped() {
    let site = Site::with("chatroom", "seat_grace = \"50ms\"");
    let mut counter = Counter::in_(&site, &site.test());
    assert_eq!(counter.next(), 1);
    let mut http = site.chatroom();
    assert_eq!(seat(&mut http, "gus", "1"), "join chatroom");
    assert_eq!(counter.next(), 2);
    let mut talk = site.talk();
    talk.join("TEST", "gus");
    // A further one is a further seat; without a lease it goes with its connection.
    let mut second = site.talk();
    second.join("TEST", "gus");
    assert_eq!(counter.next(), 3);
    second.websocket.close();
    assert_eq!(counter.next(), 2);
    // The first is there to be taken up again, for a while, and then it is not.
    talk.websocket.close();
    assert_eq!(counter.next(), 1);
    assert_eq!(seat(&mut http, "gus", "0"), "user not exist");
}

#[test]
fn an_unused_seat_of_http_expires() {
    let site = Site::with("chatroom", "seat_ttl = \"50ms\"");
    let mut counter = Counter::in_(&site, &site.test());
    assert_eq!(counter.next(), 1);
    assert_eq!(seat(&mut site.chatroom(), "gus", "1"), "join chatroom");
    assert_eq!([counter.next(), counter.next()], [2, 1]);
}

#[test]
fn a_seat_that_a_connection_uses_does_not_run_out() {
    let site = Site::with("chatroom", "seat_ttl = \"1s\"");
    let mut counter = Counter::in_(&site, &site.test());
    let mut http = site.chatroom();
    assert_eq!(seat(&mut http, "gus", "1"), "join chatroom");
    let mut talk = site.talk();
    talk.join("TEST", "gus");
    // The seat of another, taken later, runs out.
    assert_eq!(seat(&mut http, "gil", "1"), "join chatroom");
    while counter.next() != 3 {}
    assert_eq!(counter.next(), 2);
    talk.say("TEST", "gus", "still here");
}

#[test]
fn leaving_by_websocket_leaves_the_seat_of_http_to_be_given_back_there() {
    let site = Site::open();
    let mut counter = Counter::in_(&site, &site.test());
    let mut http = site.chatroom();
    assert_eq!(seat(&mut http, "gus", "1"), "join chatroom");
    let mut talk = site.talk();
    talk.join("TEST", "gus");
    talk.send("leave", "TEST", "gus", "");
    assert_eq!(talk.receive()["data"]["msg"], "leave");
    assert_eq!(seat(&mut http, "gus", "0"), "leave chatroom");
    assert_eq!([(); 3].map(|()| counter.next()), [1, 2, 1]);
}

/// How many are in TEST.
fn population(gateway: &Gateway) -> u64 {
    let mut http = Chatroom::connect(gateway.address("chatroom", "listen"));
    let rooms = http.get("/chatroom/list", &[]);
    rooms["rooms"][0]["population"].as_u64().expect("it is a number")
}

#[test]
fn after_a_restart_members_have_their_seats_and_there_are_no_ghosts() {
    let mut site = Site::open();
    let mut cast = site.cast("");
    let members = cast.iter().filter(|one| one.dialect().durable).count() as u64;
    let room = site.test();
    assert_eq!(seat(&mut site.chatroom(), "gus", "1"), "join chatroom");
    assert!(population(&site.gateway) > members);
    site.gateway.restart();
    assert_eq!(population(&site.gateway), members, "after it was killed");

    cast.clear();
    let mut counter = Counter::in_(&site, &room);
    assert_eq!(counter.next(), members + 1);
    assert_eq!(seat(&mut site.chatroom(), "gus", "1"), "join chatroom");
    assert_eq!(counter.next(), members + 2);
    assert_eq!(site.gateway.terminate(), 0);
    site.gateway.restart();
    assert_eq!(population(&site.gateway), members, "after it ended by itself");
}

/// Those who can ask to be let in.
fn askers() -> impl Iterator<Item = &'static Row> {
    ROWS.iter().filter(|row| row.dialect.name != "ourchat")
}

/// [`config`] with a room of so many seats.
fn with_a_room(name: &str, capacity: u32) -> Table {
    let mut config = config();
    let rooms = config["rooms"].as_array_mut().expect("it is a list");
    let room = format!("name = \"{name}\"\ncapacity = {capacity}");
    rooms.push(room.parse::<Table>().expect("it is TOML").into());
    config
}

#[test]
fn a_full_room_is_full_in_every_dialect_until_a_user_leaves() {
    let site = Site::of(&with_a_room("the box", 1));
    let room = site.room("the box");
    let enroll = |name: &str| -> Vec<_> {
        let named = |(nth, row): (usize, &'static Row)| {
            (row, (row.enroll)(&site.gateway, &format!("{name}-{nth}")))
        };
        askers().enumerate().map(named).collect()
    };
    let mut holders = enroll("holder");
    let mut others = enroll("other");
    let mut app = site.usr_room();
    for (nth, (holder, client)) in holders.iter_mut().enumerate() {
        client.enter(&room);
        for (other, client) in &mut others {
            assert!(!client.try_enter(&room), "{} has it, and {}", holder.title, other.title);
        }
        let over_http = [("room_name", "the box"), ("user_name", "gus"), ("status", "1")];
        assert_eq!(site.chatroom().res("/chatroom/room", &over_http), "full room");
        let holder = (holder.user)(&format!("holder-{nth}"), 1);
        let address = (row_of("usr_room").dialect.user)(&holder);
        app.done("/room/kick", &json!({"room_id": room.id, "openid": address}));
    }
}

#[test]
fn a_hundred_concurrent_entrances_in_all_dialects_take_exactly_the_free_seats() {
    const CAPACITY: u64 = 40;
    const EACH: usize = 25;
    let mut config = with_a_room("the hall", 40);
    let channel = config["frontends"]["channel"].as_table_mut().expect("it is a section");
    channel.insert("history".into(), 1.into());
    let site = Site::of(&config);
    let room = site.room("the hall");
    let mut counter = Counter::in_(&site, &room);

    let rows: [&Row; 4] = [
        row_of("token"),
        row_of("usr_room"),
        ROWS.iter().find(|row| !row.has_account()).expect("guests are in the table"),
        row_of("channel"),
    ];
    let mut crowd: Vec<Box<dyn Client>> = Vec::new();
    for row in rows {
        for nth in 0..EACH {
            crowd.push((row.enroll)(&site.gateway, &format!("{}-{nth}", row.dialect.name)));
        }
    }
    let together = Barrier::new(crowd.len());
    let got_in = std::thread::scope(|scope| {
        let tries: Vec<_> = crowd
            .iter_mut()
            .map(|client| {
                let together = &together;
                let room = &room;
                scope.spawn(move || {
                    together.wait();
                    client.try_enter(room)
                })
            })
            .collect();
        let tries = tries.into_iter().map(|one| one.join().expect("no thread panics"));
        tries.filter(|got_in| *got_in).count() as u64
    });
    assert_eq!(got_in + 1, CAPACITY, "the one who counts has a seat too");
    let told: Vec<u64> = (0..CAPACITY).map(|_| counter.next()).collect();
    assert_eq!(told, (1..=CAPACITY).collect::<Vec<_>>());
}

#[test]
fn signing_in_to_ourchat_does_not_fail_for_a_full_room() {
    let mut config = with_a_room("the box", 1);
    let ourchat = config["frontends"]["ourchat"].as_table_mut().expect("it is a section");
    ourchat.insert("auto_join".into(), vec!["the box", "TEST", "nowhere"].into());
    let site = Site::of(&config);
    let full = site.room("the box").id;
    let mut token = site.token();
    token.login("o-tom");
    token.enter(full);
    let mut ourchat = site.ourchat();
    ourchat.enroll("olga");
    site.gateway.log().wait_for_line(&["the box", "ourchat"]);
    site.gateway.log().wait_for_line(&["nowhere", "ourchat"]);
    let members = |key: &str| -> Value {
        site.usr_room().done("/search", &json!({ "key": key }))["rooms"][0]["users_id"].take()
    };
    assert_eq!(members("the box"), json!([]));
    assert_eq!(members("TEST"), json!(["@olga"]));

    token.done(LEAVE_ROOM, &full.to_be_bytes());
    ourchat.login("olga@example.org", "pw");
    assert_eq!(members("the box"), json!(["@olga"]));
}

#[test]
fn a_room_has_as_many_seats_as_the_front_end_that_made_it_says() {
    let mut config = with_a_room("declared", 8);
    for (frontend, capacity) in
        [("token", 3), ("usr_room", 4), ("chatroom", 5), ("ourchat", 6), ("channel", 7)]
    {
        let section = config["frontends"][frontend].as_table_mut().expect("it is a section");
        section.insert("room_capacity".into(), capacity.into());
    }
    config["frontends"]["ourchat"]["auto_join"] = Vec::<String>::new().into();
    let site = Site::of(&config);
    let mut token = site.token();
    let tom = token.login("o-tom");
    let by_token = token.apply();

    let body = [vec![0, 7], by_token.to_be_bytes().to_vec(), vec![0; 4]].concat();
    let token_room = token.done(CREATE_ROOM, &body).u32();
    let mut app = site.usr_room();
    app.done("/usr/complete", &json!({"openid": "o-una"}));
    let made = app.done("/room/add", &json!({"room_owner_id": "o-una"}));
    let fields = [("room_name", "of chatroom")];
    assert_eq!(site.chatroom().res("/chatroom/create", &fields), "chatroom create successfully");
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "carl");
    channel.send("of channel", "hello");
    let mut ourchat = site.ourchat();
    ourchat.enroll("olga");
    let group = ourchat.call(&json!({"code": 8, "members": [tom]}));

    for (id, capacity) in [
        (token_room, 3),
        (number(&made["room_id"]), 4),
        (site.room("of chatroom").id, 5),
        (number(&group["group_id"]), 6),
        (site.room("of channel").id, 7),
        (site.room("declared").id, 8),
    ] {
        assert_eq!(capacity_of(&mut token, id), capacity);
    }
    // A group of more than that is not made.
    let members: Vec<u64> = (0..6).map(|nth| site.token().login(&format!("o-{nth}"))).collect();
    let refused = ourchat.call(&json!({"code": 8, "members": members}));
    assert_eq!(
        (&refused["success"], &refused["msg"]),
        (&json!(false), &json!("the group is full"))
    );
}

fn capacity_of(token: &mut Token, id: u32) -> u64 {
    let mut entered: Fields = token.done(ENTER_ROOM, &id.to_be_bytes());
    assert_eq!(entered.u32(), id);
    let info: Value = serde_json::from_str(&entered.text()).expect("it is JSON");
    info["capacity"].as_u64().expect("it is a number")
}
