//! Joins, leaves and populations: announced to token, chatroom and irc connections, whichever
//! dialect caused them.

use gateway_tests::dialect::{Dialect, News, ROWS, Room, Row, User};
use gateway_tests::token::{LEAVE_APPLICATION, LEAVE_ROOM};
use serde_json::json;

use super::site::{Character, Site, row_of};

/// An announcement, in any dialect.
enum Announcement<'a> {
    Came(&'a User),
    Went(&'a User),
    Population(u64),
}

use Announcement::{Came, Population, Went};

impl Announcement<'_> {
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

/// In an empty room, one connection of each dialect that announces joins and leaves.
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
            let user = watch.sees_entrance(row, &name, watch.own());
            watch.watchers.last_mut().expect("it was added").user = user;
        }
        watch
    }

    /// The number of seats that the watchers take.
    fn own(&self) -> u64 {
        self.watchers.len() as u64
    }

    /// Every watcher sees a user enter; the first of them learns its uid.
    #[track_caller]
    fn sees_entrance(&mut self, row: &Row, name: &str, count: u64) -> User {
        let room = self.room.clone();
        let [first, others @ ..] = &mut self.watchers[..] else { panic!("there are watchers") };
        let dialect = first.dialect();
        let news = next(first);
        let News::Came { user, .. } = &news else { panic!("{news:?}") };
        let user = (row.user)(name, user.as_u64().expect("the first is a token connection"));
        assert_eq!(news, Came(&user).news(dialect, &room), "{}", row.title);
        sees(others, &room, &[Came(&user)]);
        sees(&mut self.watchers, &room, &[Population(count)]);
        user
    }

    #[track_caller]
    fn sees(&mut self, expected: &[Announcement<'_>]) {
        sees(&mut self.watchers, &self.room, expected);
    }

    /// There was no further announcement; the population is this.
    #[track_caller]
    fn sees_nothing_more(&mut self, site: &Site, population: u64) {
        let mut guest = site.talk();
        guest.join(&self.room.name, "the last");
        let guest = User { uid: 0, handle: "guest:the last".into(), openid: None };
        self.sees(&[Came(&guest), Population(population + 1)]);
    }
}

fn next(watcher: &mut Character) -> News {
    watcher.client.presence().expect("it was chosen for it").next()
}

/// Every watcher sees exactly these announcements next, as far as its dialect has them.
#[track_caller]
fn sees(watchers: &mut [Character], room: &Room, expected: &[Announcement<'_>]) {
    for watcher in watchers {
        let dialect = watcher.dialect();
        for announcement in expected {
            let counts = watcher.client.presence().is_some_and(|presence| presence.counts());
            if counts || !matches!(announcement, Population(_)) {
                assert_eq!(
                    next(watcher),
                    announcement.news(dialect, room),
                    "{}",
                    watcher.row.title
                );
            }
        }
    }
}

/// Removes a user, as the app does.
fn kick(site: &Site, room: &Room, user: &User) {
    let address = (row_of("usr_room").dialect.user)(user);
    site.usr_room().done("/room/kick", &json!({"room_id": room.id, "openid": address}));
}

#[test]
fn entrances_and_removals_in_any_dialect_are_announced_in_every_other() {
    let site = Site::open();
    let room = site.test();
    let mut watch = Watch::over(&site, &room);
    let mut population = watch.own();
    for (nth, row) in ROWS.iter().enumerate() {
        let name = format!("n{nth}");
        let mut client = (row.enroll)(&site.gateway, &name);
        client.enter(&room);
        population += 1;
        let user = watch.sees_entrance(row, &name, population);
        kick(&site, &room, &user);
        population -= 1;
        watch.sees(&[Went(&user), Population(population)]);
        // It is still connected, but causes no more announcements.
        drop(client);
    }
    watch.sees_nothing_more(&site, population);
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
        let user = watch.sees_entrance(row, &name, population);
        drop(client);
        if !row.dialect.durable {
            population -= 1;
            watch.sees(&[Went(&user), Population(population)]);
        }
    }
    watch.sees_nothing_more(&site, population);
}

#[test]
fn every_way_to_leave_of_a_token_connection_is_announced() {
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
        let tom = watch.sees_entrance(row, "o-tom", own + 1);
        token.done(command, &body);
        watch.sees(&[Went(&tom), Population(own)]);
    }

    token.login("o-tom");
    token.enter(room.id);
    let tom = watch.sees_entrance(row, "o-tom", own + 1);
    // Another login gives back the seats of the one before.
    token.login("o-someone-else");
    watch.sees(&[Went(&tom), Population(own)]);
    watch.sees_nothing_more(&site, own);
}

#[test]
fn a_second_entrance_of_the_same_user_is_announced_and_counted() {
    let site = Site::open();
    let room = site.test();
    // irc announces the first entrance of a user and the last leave.
    let mut watch = Watch::by(&site, &room, &["token", "chatroom"]);
    let own = watch.own();
    let mut first = site.talk();
    let mut second = site.talk();
    for (talk, count) in [(&mut first, own + 1), (&mut second, own + 2)] {
        talk.join(&room.name, "gus");
        watch.sees_entrance(guest_row(), "gus", count);
    }
    // Joining again on the same connection is nothing.
    second.join(&room.name, "gus");
    let gus = (guest_row().user)("gus", 0);
    first.send("leave", &room.name, "gus", "");
    watch.sees(&[Went(&gus), Population(own + 1)]);
    second.websocket.close();
    watch.sees(&[Went(&gus), Population(own)]);

    // A member who enters live takes a second seat too.
    let mut app = site.usr_room();
    app.done("/usr/complete", &json!({"openid": "o-una"}));
    let member = json!({"openid": "o-una", "room_id": room.id});
    app.done("/usr/join", &member);
    let una = watch.sees_entrance(row_of("usr_room"), "una", own + 1);
    let mut token = site.token();
    assert_eq!(token.login("o-una"), una.uid);
    token.enter(room.id);
    watch.sees(&[Came(&una), Population(own + 2)]);
    // Joining again changes nothing.
    app.done("/usr/join", &member);
    // A removed user loses both seats.
    kick(&site, &room, &una);
    watch.sees(&[Went(&una), Went(&una), Population(own)]);
    watch.sees_nothing_more(&site, own);
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
    watch.sees(&[Population(own + 1)]);
    let mut talk = site.talk();
    // The seat is there already.
    talk.join(&room.name, "gus");
    watch.sees(&[Came(&gus)]);
    talk.send("leave", &room.name, "gus", "");
    watch.sees(&[Went(&gus)]);
    talk.join(&room.name, "gus");
    watch.sees(&[Came(&gus)]);
    // It is taken from under the connection.
    assert_eq!(seat("0"), "leave chatroom");
    watch.sees(&[Went(&gus), Population(own)]);
    assert_eq!(seat("0"), "user not exist");
    assert_eq!(seat("1"), "join chatroom");
    watch.sees(&[Population(own + 1)]);
    assert_eq!(seat("0"), "leave chatroom");
    watch.sees(&[Population(own)]);
    watch.sees_nothing_more(&site, own);
}

#[test]
fn signing_in_to_ourchat_joins_a_removed_user_again() {
    let site = Site::open();
    let room = site.test();
    let mut watch = Watch::over(&site, &room);
    let own = watch.own();
    let mut ourchat = site.ourchat();
    let ocid = ourchat.enroll("olga");
    let olga = watch.sees_entrance(row_of("ourchat"), "olga", own + 1);
    assert_eq!(olga.uid, ocid);
    // She is a member: another sign-in changes nothing.
    ourchat.login("olga@example.org", "pw");
    kick(&site, &room, &olga);
    watch.sees(&[Went(&olga), Population(own)]);
    ourchat.login("olga@example.org", "pw");
    watch.sees(&[Came(&olga), Population(own + 1)]);
    watch.sees_nothing_more(&site, own + 1);
}

#[test]
fn deleting_a_room_announces_the_leave_of_every_user() {
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
    sees(std::slice::from_mut(&mut watcher), &room, &[Came(&tom), Population(2)]);
    let mut client = (guest_row().enroll)(&site.gateway, "gus");
    client.enter(&room);
    let gus = (guest_row().user)("gus", 0);
    let visitor = Character { row: guest_row(), user: gus.clone(), client };
    let mut watchers = [watcher, visitor];
    sees(&mut watchers[..1], &room, &[Came(&gus), Population(3)]);
    sees(&mut watchers[1..], &room, &[Came(&gus)]);

    app.done("/room/delete", &json!({"room_id": room.id, "openid": "o-una"}));
    for watcher in &mut watchers {
        let dialect = watcher.dialect();
        let mut went = [&una, &tom, &gus].map(|user| Went(user).news(dialect, &room));
        let mut news = went.each_ref().map(|_| next(watcher));
        went.sort_by_key(|news| format!("{news:?}"));
        news.sort_by_key(|news| format!("{news:?}"));
        assert_eq!(news, went, "{}", watcher.row.title);
    }
    sees(&mut watchers, &room, &[Population(0)]);
}

/// The row of guests.
fn guest_row() -> &'static Row {
    ROWS.iter().find(|row| !row.has_account()).expect("it is in the table")
}
