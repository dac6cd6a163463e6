//! Who comes and goes, and how many are there: told to token and chatroom connections, whatever
//! dialect it is caused in.

use gateway_tests::dialect::{Dialect, News, ROWS, Room, Row, User};
use gateway_tests::token::{LEAVE_APPLICATION, LEAVE_ROOM};
use serde_json::json;

use super::site::{Character, Site, row_of};

/// What is told, whatever it looks like.
enum Told<'a> {
    Came(&'a User),
    Went(&'a User),
    Population(u64),
}

use Told::{Came, Population, Went};

impl Told<'_> {
    /// As a dialect has it.
    fn news(&self, dialect: &Dialect, room: &Room) -> News {
        let room = (dialect.room)(room);
        match self {
            Came(user) => News::Came { user: (dialect.user)(user), room },
            Went(user) => News::Went { user: (dialect.user)(user), room },
            Population(count) => News::Population { room, count: *count },
        }
    }
}

/// In a room that was empty, one connection of each dialect that tells of comings and goings.
struct Watch {
    room: Room,
    watchers: Vec<Character>,
}

impl Watch {
    fn over(site: &Site, room: &Room) -> Self {
        Self::by(site, room, &["token", "chatroom", "irc"])
    }

    fn by(site: &Site, room: &Room, dialects: &[&str]) -> Self {
        let mut watch = Self { room: room.clone(), watchers: Vec::new() };
        for dialect in dialects {
            let row = row_of(dialect);
            let name = format!("watcher-{dialect}");
            let mut client = (row.enroll)(&site.gateway, &name);
            client.enter(room);
            watch.watchers.push(Character { row, user: (row.user)(&name, 1), client });
            let user = watch.is_told_of(row, &name, watch.own());
            watch.watchers.last_mut().expect("it was added").user = user;
        }
        watch
    }

    /// How many seats the watchers take.
    fn own(&self) -> u64 {
        self.watchers.len() as u64
    }

    /// Every watcher is told that somebody came, whose uid the first of them learns.
    #[track_caller]
    fn is_told_of(&mut self, row: &Row, name: &str, count: u64) -> User {
        let room = self.room.clone();
        let [first, others @ ..] = &mut self.watchers[..] else { panic!("there are watchers") };
        let dialect = first.dialect();
        let news = next(first);
        let News::Came { user, .. } = &news else { panic!("{news:?}") };
        let user = (row.user)(name, user.as_u64().expect("the first is a token connection"));
        assert_eq!(news, Came(&user).news(dialect, &room), "{}", row.title);
        is_told(others, &room, &[Came(&user)]);
        is_told(&mut self.watchers, &room, &[Population(count)]);
        user
    }

    #[track_caller]
    fn is_told(&mut self, expected: &[Told<'_>]) {
        is_told(&mut self.watchers, &self.room, expected);
    }

    /// What was told before was all; there are so many now.
    #[track_caller]
    fn is_told_nothing_more(&mut self, site: &Site, population: u64) {
        let mut guest = site.talk();
        guest.join(&self.room.name, "the last");
        let guest = User { uid: 0, handle: "guest:the last".into(), openid: None };
        self.is_told(&[Came(&guest), Population(population + 1)]);
    }
}

fn next(watcher: &mut Character) -> News {
    watcher.client.presence().expect("it was chosen for it").next()
}

/// Every one of them is told next exactly this, as far as its dialect has it.
#[track_caller]
fn is_told(watchers: &mut [Character], room: &Room, expected: &[Told<'_>]) {
    for watcher in watchers {
        let dialect = watcher.dialect();
        for told in expected {
            let counts = watcher.client.presence().is_some_and(|presence| presence.counts());
            if counts || !matches!(told, Population(_)) {
                assert_eq!(next(watcher), told.news(dialect, room), "{}", watcher.row.title);
            }
        }
    }
}

/// Removes somebody, as the app does.
fn kick(site: &Site, room: &Room, user: &User) {
    let address = (row_of("usr_room").dialect.user)(user);
    site.usr_room().done("/room/kick", &json!({"room_id": room.id, "openid": address}));
}

#[test]
fn who_comes_by_any_dialect_is_seen_to_come_and_to_be_removed_in_every_other() {
    let site = Site::open();
    let room = site.test();
    let mut watch = Watch::over(&site, &room);
    let mut population = watch.own();
    for (nth, row) in ROWS.iter().enumerate() {
        let name = format!("n{nth}");
        let mut client = (row.enroll)(&site.gateway, &name);
        client.enter(&room);
        population += 1;
        let user = watch.is_told_of(row, &name, population);
        kick(&site, &room, &user);
        population -= 1;
        watch.is_told(&[Went(&user), Population(population)]);
        // It is still connected, but nobody hears of it any more.
        drop(client);
    }
    watch.is_told_nothing_more(&site, population);
}

#[test]
fn a_live_entrance_ends_with_its_connection_and_a_membership_does_not() {
    let site = Site::open();
    let room = site.test();
    let mut watch = Watch::over(&site, &room);
    let mut population = watch.own();
    for (nth, row) in ROWS.iter().enumerate() {
        let name = format!("n{nth}");
        let mut client = (row.enroll)(&site.gateway, &name);
        client.enter(&room);
        population += 1;
        let user = watch.is_told_of(row, &name, population);
        drop(client);
        if !row.dialect.durable {
            population -= 1;
            watch.is_told(&[Went(&user), Population(population)]);
        }
    }
    watch.is_told_nothing_more(&site, population);
}

#[test]
fn every_way_of_a_token_connection_to_leave_is_told() {
    let site = Site::open();
    let room = site.test();
    let mut watch = Watch::over(&site, &room);
    let own = watch.own();
    let row = row_of("token");

    let mut token = site.token();
    for (command, body) in
        [(LEAVE_ROOM, room.id.to_be_bytes().to_vec()), (LEAVE_APPLICATION, Vec::new())]
    {
        token.login("o-tom");
        token.enter(room.id);
        let tom = watch.is_told_of(row, "o-tom", own + 1);
        token.done(command, &body);
        watch.is_told(&[Went(&tom), Population(own)]);
    }

    token.login("o-tom");
    token.enter(room.id);
    let tom = watch.is_told_of(row, "o-tom", own + 1);
    // Another login gives back the seats of the one before.
    token.login("o-someone-else");
    watch.is_told(&[Went(&tom), Population(own)]);
    watch.is_told_nothing_more(&site, own);
}

#[test]
fn a_second_entrance_of_the_same_user_is_told_and_counted() {
    let site = Site::open();
    let room = site.test();
    // irc announces the first entrance of a user and the last leave.
    let mut watch = Watch::by(&site, &room, &["token", "chatroom"]);
    let own = watch.own();
    let (mut first, mut second) = (site.talk(), site.talk());
    for (talk, count) in [(&mut first, own + 1), (&mut second, own + 2)] {
        talk.join(&room.name, "gus");
        watch.is_told_of(guest_row(), "gus", count);
    }
    // Joining again on the same connection is nothing.
    second.join(&room.name, "gus");
    let gus = (guest_row().user)("gus", 0);
    first.send("leave", &room.name, "gus", "");
    watch.is_told(&[Went(&gus), Population(own + 1)]);
    second.websocket.close();
    watch.is_told(&[Went(&gus), Population(own)]);

    // A member who enters live takes a second seat too.
    let mut app = site.usr_room();
    app.done("/usr/complete", &json!({"openid": "o-una"}));
    let member = json!({"openid": "o-una", "room_id": room.id});
    app.done("/usr/join", &member);
    let una = watch.is_told_of(row_of("usr_room"), "una", own + 1);
    let mut token = site.token();
    assert_eq!(token.login("o-una"), una.uid);
    token.enter(room.id);
    watch.is_told(&[Came(&una), Population(own + 2)]);
    // Joining again changes nothing.
    app.done("/usr/join", &member);
    // Who is removed loses all of it.
    kick(&site, &room, &una);
    watch.is_told(&[Went(&una), Went(&una), Population(own)]);
    watch.is_told_nothing_more(&site, own);
}

#[test]
fn a_seat_of_chatrooms_http_changes_the_population_alone() {
    let site = Site::open();
    let room = site.test();
    let mut watch = Watch::over(&site, &room);
    let own = watch.own();
    let gus = (guest_row().user)("gus", 0);
    let mut http = site.chatroom();
    let mut seat = |status| {
        let fields = [("room_name", "TEST"), ("user_name", "gus"), ("status", status)];
        http.res("/chatroom/room", &fields)
    };

    assert_eq!(seat("1"), "join chatroom");
    watch.is_told(&[Population(own + 1)]);
    let mut talk = site.talk();
    // The seat is there already.
    talk.join(&room.name, "gus");
    watch.is_told(&[Came(&gus)]);
    talk.send("leave", &room.name, "gus", "");
    watch.is_told(&[Went(&gus)]);
    talk.join(&room.name, "gus");
    watch.is_told(&[Came(&gus)]);
    // It is taken from under the connection.
    assert_eq!(seat("0"), "leave chatroom");
    watch.is_told(&[Went(&gus), Population(own)]);
    assert_eq!(seat("0"), "user not exist");
    assert_eq!(seat("1"), "join chatroom");
    watch.is_told(&[Population(own + 1)]);
    assert_eq!(seat("0"), "leave chatroom");
    watch.is_told(&[Population(own)]);
    watch.is_told_nothing_more(&site, own);
}

#[test]
fn signing_in_to_ourchat_joins_again_whoever_was_removed() {
    let site = Site::open();
    let room = site.test();
    let mut watch = Watch::over(&site, &room);
    let own = watch.own();
    let mut ourchat = site.ourchat();
    let ocid = ourchat.enroll("olga");
    let olga = watch.is_told_of(row_of("ourchat"), "olga", own + 1);
    assert_eq!(olga.uid, ocid);
    // She is a member: another sign-in changes nothing.
    ourchat.login("olga@example.org", "pw");
    kick(&site, &room, &olga);
    watch.is_told(&[Went(&olga), Population(own)]);
    ourchat.login("olga@example.org", "pw");
    watch.is_told(&[Came(&olga), Population(own + 1)]);
    watch.is_told_nothing_more(&site, own + 1);
}

#[test]
fn in_a_room_that_is_deleted_everybody_is_seen_to_go() {
    let site = Site::open();
    let mut app = site.usr_room();
    app.done("/usr/complete", &json!({"openid": "o-una"}));
    let made = json!({"name": "the hall", "room_owner_id": "o-una"});
    app.done("/room/add", &made);
    let room = site.room("the hall");
    let una = site.operate(&["show", "openid:wechat/o-una"])["uid"].as_u64();
    let una = (row_of("usr_room").user)("una", una.expect("it is a number"));

    // The owner is a member, so the watchers are not alone.
    let mut token = site.token();
    let tom = token.login("o-tom");
    token.enter(room.id);
    let tom = User { uid: tom, handle: "o-tom".into(), openid: Some("o-tom".into()) };
    let mut watcher =
        Character { row: row_of("token"), user: tom.clone(), client: Box::new(token) };
    is_told(std::slice::from_mut(&mut watcher), &room, &[Came(&tom), Population(2)]);
    let mut client = (guest_row().enroll)(&site.gateway, "gus");
    client.enter(&room);
    let gus = (guest_row().user)("gus", 0);
    let visitor = Character { row: guest_row(), user: gus.clone(), client };
    let mut watchers = [watcher, visitor];
    is_told(&mut watchers[..1], &room, &[Came(&gus), Population(3)]);
    is_told(&mut watchers[1..], &room, &[Came(&gus)]);

    app.done("/room/delete", &json!({"room_id": room.id, "openid": "o-una"}));
    for watcher in &mut watchers {
        let dialect = watcher.dialect();
        let mut went = [&una, &tom, &gus].map(|user| Went(user).news(dialect, &room));
        let mut news = went.each_ref().map(|_| next(watcher));
        went.sort_by_key(|news| format!("{news:?}"));
        news.sort_by_key(|news| format!("{news:?}"));
        assert_eq!(news, went, "{}", watcher.row.title);
    }
    is_told(&mut watchers, &room, &[Population(0)]);
}

/// The row of guests.
fn guest_row() -> &'static Row {
    ROWS.iter().find(|row| !row.has_account()).expect("it is in the table")
}
