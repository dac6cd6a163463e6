use super::*;

fn presence(nick: &str, uid: Option<u64>) -> Presence {
    Presence {
        nick: nick.into(),
        uid: uid.map(Uid),
        user_name: nick.into(),
        real_name: nick.to_uppercase(),
        away: None,
        is_bot: false,
        is_operator: false,
        reads_wallops: false,
        signed_on: Timestamp(0),
    }
}

fn enter(directory: &Arc<Directory>, presence: Presence) -> Option<Entry> {
    let connection = ConnectionId(directory.counts().users as u64);
    directory.enter(presence, Some(connection))
}

fn someone() -> Arc<Person> {
    Arc::new(Person { handle: "guest:zed".into(), ..Person::default() })
}

fn event(action: PeerAction) -> PeerEvent {
    PeerEvent { by: someone(), at: Timestamp(0), action }
}

#[test]
fn a_nick_has_one_guest_at_a_time_in_either_case() {
    let directory = Arc::new(Directory::default());
    let zed = enter(&directory, presence("zed", None)).unwrap();
    assert!(enter(&directory, presence("Zed", None)).is_none());
    let mut yan = enter(&directory, presence("yan", None)).unwrap();
    assert!(yan.rename("ZED", &someone(), Timestamp(0)).is_none());
    drop(zed);
    assert!(yan.rename("ZED", &someone(), Timestamp(0)).is_some());
    assert_eq!(directory.find("zed").unwrap().real_name, "YAN");
    let gone: Vec<String> = directory.departed("zed").into_iter().map(|it| it.nick).collect();
    assert_eq!(gone, ["zed"]);
    assert_eq!(directory.counts().users, 1);
}

#[test]
fn an_account_is_away_if_all_its_connections_are() {
    let directory = Arc::new(Directory::default());
    let one = enter(&directory, presence("ann", Some(1))).unwrap();
    let other = enter(&directory, presence("ann", Some(1))).unwrap();
    assert!(enter(&directory, presence("ann", None)).is_none());
    one.set_away(Some("tea".into()));
    assert_eq!(directory.find("ann").unwrap().away, None);
    other.set_away(Some("tea".into()));
    assert_eq!(directory.find("ann").unwrap().away.as_deref(), Some("tea"));
}

#[test]
fn a_bounded_number_of_departed_users_is_remembered() {
    let directory = Arc::new(Directory::default());
    for nth in 0..300 {
        drop(enter(&directory, presence(&format!("guest-{nth}"), None)));
    }
    assert!(directory.departed("guest-199").is_empty());
    assert_eq!(directory.departed("guest-200").len(), 1);
}

#[test]
fn a_session_is_woken_once_for_all_notices_until_it_takes_them() {
    let directory = Arc::new(Directory::default());
    let zed = enter(&directory, presence("zed", None)).unwrap();
    let back = event(PeerAction::Away(None));
    assert_eq!(directory.tell_nick("ZED", &back).connections, [ConnectionId(0)]);
    assert_eq!(directory.tell_nick("zed", &back).connections, []);
    assert_eq!(zed.take_inbox().len(), 2);
    assert_eq!(directory.tell_nick("zed", &back).connections, [ConnectionId(0)]);
    let is_inbox_full = (0..1000).any(|_| directory.tell_nick("zed", &back).is_inbox_full);
    assert!(is_inbox_full && zed.take_inbox().len() < 1000);
    assert_eq!(directory.tell_nick("nemo", &back).connections, []);
}

#[test]
fn neighbors_are_those_in_a_common_room_and_each_is_told_once() {
    let directory = Arc::new(Directory::default());
    let entries: Vec<Entry> =
        (0..4).map(|nth| enter(&directory, presence(&nth.to_string(), None)).unwrap()).collect();
    for room in [RoomId(1), RoomId(2)] {
        entries[0].join(room, "tea");
        entries[1].join(room, "tea");
    }
    entries[2].join(RoomId(2), "tea");
    entries[3].join(RoomId(3), "tea");
    let back = event(PeerAction::Away(None));
    assert_eq!(entries[0].tell_neighbors(&back).connections, [ConnectionId(1), ConnectionId(2)]);
    assert_eq!(entries[1].take_inbox().len(), 1);
    entries[1].part(RoomId(1));
    entries[0].part(RoomId(2));
    assert_eq!(entries[0].tell_neighbors(&back).connections, []);
    assert_eq!(entries[2].tell_room(RoomId(3), &back).connections, [ConnectionId(3)]);
}

#[test]
fn those_who_watch_a_nick_are_told_of_its_first_and_last_connection() {
    let directory = Arc::new(Directory::default());
    let watcher = enter(&directory, presence("zed", None)).unwrap();
    assert!(watcher.watch("Ann", 1) && watcher.watch("ANN", 1) && !watcher.watch("bob", 1));
    let (one, other) = (presence("ann", Some(1)), presence("ann", Some(1)));
    let one = enter(&directory, one).unwrap();
    assert_eq!(one.announce(&someone(), Timestamp(0)).connections, [ConnectionId(0)]);
    let other = enter(&directory, other).unwrap();
    assert_eq!(other.announce(&someone(), Timestamp(0)).connections, []);
    assert!(matches!(watcher.take_inbox()[..], [PeerEvent { action: PeerAction::Online, .. }]));
    assert_eq!(one.leave(&someone(), Timestamp(0)).connections, []);
    assert_eq!(other.leave(&someone(), Timestamp(0)).connections, [ConnectionId(0)]);
    assert!(matches!(watcher.take_inbox()[..], [PeerEvent { action: PeerAction::Offline(_), .. }]));
    watcher.unwatch("aNN");
    assert!(watcher.watched().is_empty());
    let mut guest = enter(&directory, presence("ann", None)).unwrap();
    assert_eq!(guest.announce(&someone(), Timestamp(0)).connections, []);
    // A change of case is no change of the nick.
    watcher.watch("ann", 1);
    let wakes = |wakes: Option<Wakes>| wakes.unwrap().connections;
    assert_eq!(wakes(guest.rename("Ann", &someone(), Timestamp(0))), []);
    assert_eq!(wakes(guest.rename("yan", &someone(), Timestamp(0))), [ConnectionId(0)]);
    assert!(
        matches!(&watcher.take_inbox()[..], [PeerEvent { action: PeerAction::Offline(nick), .. }] if nick == "Ann")
    );
}

#[test]
fn a_room_is_found_in_either_case_while_someone_is_in_it() {
    let directory = Arc::new(Directory::default());
    let [one, other] = ["zed", "yan"].map(|nick| enter(&directory, presence(nick, None)).unwrap());
    one.join(RoomId(1), "Tea");
    other.join(RoomId(1), "Tea");
    other.join(RoomId(2), "teapot");
    assert_eq!(directory.room_name("tEA").as_deref(), Some("Tea"));
    assert_eq!(directory.room_name("te"), None);
    other.join(RoomId(3), "tea");
    for name in ["tea", "Tea"] {
        assert_eq!(directory.room_name(name).as_deref(), Some(name));
    }
    one.part(RoomId(1));
    assert_eq!(directory.room_name("Tea").as_deref(), Some("Tea"));
    drop(other);
    assert_eq!(directory.room_name("Tea"), None);
}
