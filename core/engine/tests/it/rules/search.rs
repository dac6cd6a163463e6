//! Finding rooms.

use core_model::{Detail, NewRoom, Query, Reply};

use super::*;

fn with_rooms(rooms: &[(&str, &str, &str)]) -> Gateway {
    let gateway = with(&["ann", "bob"]);
    for (name, section, description) in rooms {
        let section = (*section).into();
        let description = (*description).into();
        gateway.does(0, create(NewRoom { section, description, ..titled(name) }, None));
    }
    gateway
}

fn found(gateway: &Gateway, query: &Query) -> Vec<String> {
    match gateway.ask(query).expect("a search") {
        Reply::Rooms { rooms } => say::rooms(&rooms),
        other => panic!("not rooms: {other:?}"),
    }
}

fn by_fields(section: Option<&str>, description: Option<&str>) -> Query {
    Query::SearchRooms {
        text: None,
        section: section.map(Into::into),
        description: description.map(Into::into),
        limit: 100,
        detail: Detail::default(),
    }
}

#[test]
fn better_matches_come_first() {
    let gateway = with_rooms(&[
        ("garage", "", ""),
        ("coffe room", "", ""),
        ("lounge", "", "our coffee room"),
        ("the coffee room", "", ""),
        ("coffee rooms", "", ""),
        ("Coffee  Room", "", ""),
    ]);
    assert_eq!(
        found(&gateway, &search("coffee room")),
        ["Coffee  Room", "coffee rooms", "the coffee room", "lounge", "coffe room"]
    );
}

#[test]
fn a_room_is_found_by_an_approximate_name() {
    let gateway = with_rooms(&[
        ("Quantum Physics", "", "for students"),
        ("北京大学交流群", "", "学生"),
        ("东京の桜", "", ""),
        ("한국어 공부", "", ""),
        ("Café Zürich", "", ""),
    ]);
    for (text, name) in [
        ("quantum physics", "Quantum Physics"),
        ("QUANTUM", "Quantum Physics"),
        ("tum phy", "Quantum Physics"),
        ("qantum", "Quantum Physics"),
        ("quantun", "Quantum Physics"),
        ("physcis", "Quantum Physics"),
        ("students", "Quantum Physics"),
        ("studants", "Quantum Physics"),
        ("北京", "北京大学交流群"),
        ("大学", "北京大学交流群"),
        ("群", "北京大学交流群"),
        ("北京的大学", "北京大学交流群"),
        ("学生", "北京大学交流群"),
        ("桜", "东京の桜"),
        ("공부", "한국어 공부"),
        ("cafe\u{301}", "Café Zürich"),
        ("züri", "Café Zürich"),
    ] {
        assert_eq!(found(&gateway, &search(text)), [name], "{text}");
    }
    for text in ["", "   ", "chemistry", "qqqq", "上海"] {
        assert_eq!(found(&gateway, &search(text)), [""; 0], "{text}");
    }
}

#[test]
fn a_part_of_a_name_is_found_however_short() {
    let gateway =
        with_rooms(&[("coffee", "", ""), ("x-by", "", ""), ("party 🎉", "", ""), ("zz", "", "")]);
    for (text, names) in [
        ("f", &["coffee"][..]),
        ("z", &["zz"]),
        ("b", &["x-by"]),
        ("-b", &["x-by"]),
        ("🎉", &["party 🎉"]),
        ("y 🎉", &["party 🎉"]),
        ("y", &["x-by", "party 🎉"]),
    ] {
        assert_eq!(found(&gateway, &search(text)), names, "{text}");
    }
}

#[test]
fn a_limit_keeps_the_best() {
    let gateway = with_rooms(&[("tea room", "", ""), ("my tea", "", ""), ("tea", "", "")]);
    let Query::SearchRooms { text, section, description, detail, .. } = search("tea") else {
        unreachable!()
    };
    let two = Query::SearchRooms { text, section, description, limit: 2, detail };
    assert_eq!(found(&gateway, &two), ["tea", "tea room"]);
}

#[test]
fn section_and_description_narrow_the_result() {
    let gateway = with_rooms(&[
        ("tea one", "drinks", "Hot and green"),
        ("tea two", "drinks", "cold"),
        ("tea three", "drink", "hot"),
        ("coffee", "drinks", "hot"),
    ]);
    for (query, names) in [
        (by_fields(Some("drinks"), None), &["tea one", "tea two", "coffee"][..]),
        (by_fields(Some("drinks"), Some("hot")), &["tea one", "coffee"]),
        (by_fields(Some("Drinks"), None), &[]),
        (by_fields(Some("drin"), None), &[]),
        (by_fields(None, Some("gree")), &["tea one"]),
        (by_fields(None, None), &["tea one", "tea two", "tea three", "coffee"]),
        (
            Query::SearchRooms {
                text: Some("tea".into()),
                section: Some("drinks".into()),
                description: Some("hot".into()),
                limit: 100,
                detail: Detail::default(),
            },
            &["tea one"],
        ),
    ] {
        assert_eq!(found(&gateway, &query), names, "{query:?}");
    }
    // A description alone finds only rooms that contain it, best first.
    let mut hot = found(&gateway, &by_fields(None, Some("hot")));
    hot.sort_unstable();
    assert_eq!(hot, ["coffee", "tea one", "tea three"]);
}

#[test]
fn a_closed_room_is_never_found() {
    let gateway = with_rooms(&[]);
    let secret =
        NewRoom { section: "s".into(), description: "hidden talk".into(), ..closed("secret tea") };
    gateway.does(0, create_for(secret, user("ann"), &["bob"]));
    let rename = core_model::Command::UpdateRoom {
        room: room("secret tea#1"),
        changes: core_model::RoomChanges { name: Some("tea".into()), ..Default::default() },
        by: Some(user("ann")),
    };
    gateway.does(0, rename);
    for query in [
        search("secret tea"),
        search("tea"),
        search("t"),
        search("hidden"),
        by_fields(Some("s"), None),
        by_fields(None, Some("hidden")),
        by_fields(None, None),
    ] {
        assert_eq!(found(&gateway, &query), [""; 0], "{query:?}");
    }
}

#[test]
fn a_search_follows_changes_to_rooms() {
    let gateway = with_rooms(&[("tea", "", "green"), ("coffee", "", "")]);
    gateway.does(0, rename(room("tea"), "lounge", None));
    assert_eq!(found(&gateway, &search("tea")), [""; 0]);
    assert_eq!(found(&gateway, &search("lounge")), ["tea"]);
    assert_eq!(found(&gateway, &search("green")), ["tea"]);
    gateway.does(0, delete(room("coffee"), None));
    assert_eq!(found(&gateway, &search("coffee")), [""; 0]);
    // The index drops deleted rooms.
    gateway.does(0, delete(room("tea"), None));
    for (table, rows) in gateway.engine().dump().unwrap() {
        if ["grams", "gram_counts", "folded_names", "sections", "room_names"].contains(&table) {
            assert_eq!(rows, [], "{table}");
        }
    }
}

#[test]
fn a_renamed_room_keeps_its_room_name_but_is_found_by_its_title() {
    let gateway = with_rooms(&[("tea", "", ""), ("tea", "", "")]);
    assert_eq!(found(&gateway, &search("tea")), ["tea", "tea#2"]);
    gateway.does(0, rename(room("tea#2"), "", None));
    assert_eq!(found(&gateway, &search("tea#2")), ["tea#2"], "without a title, by its name");
}

/// A room beyond the limit is not read: here it could not be.
#[test]
fn a_search_by_section_reads_no_more_than_it_finds() {
    let folder = tempfile::tempdir().unwrap();
    let store = folder.path().join("store.redb");
    let gateway = Gateway::on(store.clone());
    for name in ["one", "two", "three"] {
        gateway.does(0, create(NewRoom { section: "drinks".into(), ..titled(name) }, None));
    }
    drop(gateway);
    {
        let rooms = redb::TableDefinition::<u32, &[u8]>::new("rooms");
        let database = redb::Database::open(&store).unwrap();
        let write = database.begin_write().unwrap();
        write.open_table(rooms).unwrap().remove(3).unwrap().expect("the third room");
        write.commit().unwrap();
    }
    let Query::SearchRooms { text, section, description, detail, .. } =
        by_fields(Some("drinks"), None)
    else {
        unreachable!()
    };
    let two = Query::SearchRooms { text, section, description, limit: 2, detail };
    assert_eq!(found(&Gateway::on(store), &two), ["one", "two"]);
}
