//! Roles of live seats: who gets them, what they allow, and when they end.

use core_model::{Command, Detail, Query, Refusal, Reply, Role, RoomChanges, SeatKind, UserRef};

use super::*;

/// Enters a room, which is made if it does not exist.
fn found(name: &str, user: UserRef) -> Command {
    let (room, seat) = (room(name), SeatKind::Connection);
    Command::Enter { room, user, seat, opens: false, avatar: None, create: true }
}

fn set(role: Role, held: bool, of: UserRef, by: UserRef) -> Command {
    Command::SetRole { room: room("den"), user: of, role, held, by: Some(by) }
}

fn describe(text: &str, by: UserRef) -> Command {
    let changes = RoomChanges { description: Some(text.into()), ..RoomChanges::default() };
    Command::UpdateRoom { room: room("den"), changes, by: Some(by) }
}

fn kick_from_den(user: UserRef, by: UserRef) -> Command {
    kick_by(room("den"), user, by)
}

/// The people in the room, with marks: `@` for operators, `+` for voices.
fn occupants(gateway: &Gateway) -> Vec<String> {
    let query = Query::Occupants { room: room("den"), caller: None };
    let Ok(Reply::Members { members, roles }) = gateway.ask(&query) else { panic!("not members") };
    let marked = members.iter().map(|person| {
        let roles = roles.get(&person.handle).copied().unwrap_or_default();
        let operator = if roles.operator { "@" } else { "" };
        let voice = if roles.voice { "+" } else { "" };
        format!("{operator}{voice}{}", person.handle)
    });
    marked.collect()
}

/// The guest gus makes the room by connection 1; zoe is there by connection 2.
fn with_den() -> Gateway {
    let gateway = with(&["ann"]);
    gateway.does(1, found("den", guest("gus")));
    gateway.does(2, found("den", guest("zoe")));
    gateway
}

#[test]
fn the_seat_of_a_guest_that_makes_a_room_is_its_operators_while_it_lasts() {
    let gateway = with_den();
    assert_eq!(occupants(&gateway), ["@guest:gus", "guest:zoe"]);
    let told = gateway.tells(1, describe("dark", guest("gus")));
    assert_eq!(told, ["guest:gus describes den as dark"]);
    gateway.does(1, exit(room("den"), guest("gus")));
    gateway.does(1, found("den", guest("gus")));
    assert_eq!(occupants(&gateway), ["guest:gus", "guest:zoe"], "the room was there already");
    assert_eq!(gateway.refuses(1, describe("x", guest("gus"))), Refusal::NotSignedIn);
}

#[test]
fn an_operator_removes_others_and_is_named() {
    let gateway = with_den();
    let (outcome, events) = gateway.call(1, kick_from_den(user("guest:zoe"), guest("gus")));
    assert_eq!(outcome, Ok(Reply::Done));
    let by = events.iter().find_map(|recorded| match &recorded.event {
        core_model::Event::Left { by, .. } => by.as_ref().map(|by| by.handle.clone()),
        _ => None,
    });
    assert_eq!(by.as_deref(), Some("guest:gus"));
    assert_eq!(occupants(&gateway), ["@guest:gus"]);
}

#[test]
fn an_operator_may_not_do_what_is_for_the_owner() {
    let gateway = with_den();
    for refused in [
        rename(room("den"), "Den", Some(guest("gus"))),
        delete(room("den"), Some(guest("gus"))),
        clear(room("den"), Some(guest("gus"))),
    ] {
        assert_eq!(gateway.refuses(1, refused), Refusal::NotSignedIn);
    }
}

#[test]
fn a_role_counts_for_the_connection_of_its_seat_alone() {
    let gateway = with_den();
    // Another client says that it is gus.
    assert_eq!(gateway.refuses(3, describe("x", guest("gus"))), Refusal::NotSignedIn);
    gateway.does(3, enter(room("den"), guest("gus")));
    assert_eq!(gateway.refuses(3, describe("x", guest("gus"))), Refusal::NotSignedIn);
    assert_eq!(
        gateway.refuses(3, kick_from_den(user("guest:zoe"), guest("gus"))),
        Refusal::NotSignedIn
    );
    let give = set(Role::Operator, true, user("guest:zoe"), guest("gus"));
    assert_eq!(gateway.refuses(3, give.clone()), Refusal::NotSignedIn);
    gateway.does(1, give);
}

#[test]
fn an_operator_gives_and_takes_roles() {
    let gateway = with_den();
    let give = |role, held| set(role, held, user("guest:zoe"), guest("gus"));
    let told = gateway.tells(1, give(Role::Operator, true));
    assert_eq!(told, ["guest:gus gives Operator of guest:zoe at den"]);
    assert_eq!(gateway.tells(1, give(Role::Operator, true)), [""; 0], "nothing has changed");
    assert_eq!(
        gateway.tells(1, give(Role::Voice, true)),
        ["guest:gus gives Voice of guest:zoe at den"]
    );
    assert_eq!(occupants(&gateway), ["@guest:gus", "@+guest:zoe"]);
    // The new operator takes the role from the one that made the room.
    let told = gateway.tells(2, set(Role::Operator, false, user("guest:gus"), guest("zoe")));
    assert_eq!(told, ["guest:zoe takes Operator of guest:gus at den"]);
    assert_eq!(gateway.refuses(1, give(Role::Voice, false)), Refusal::NotSignedIn);
    assert_eq!(occupants(&gateway), ["guest:gus", "@+guest:zoe"]);
}

#[test]
fn a_role_needs_a_seat_in_use() {
    let gateway = with_den();
    let give = |of: UserRef| set(Role::Operator, true, of, guest("gus"));
    assert_eq!(gateway.refuses(1, give(user("guest:yan"))), Refusal::NotInRoom);
    gateway.does(0, join(room("den"), user("ann")));
    assert_eq!(gateway.refuses(1, give(user("ann"))), Refusal::NotInRoom, "a member elsewhere");
    gateway.does(4, lease(room("den"), guest("yan")));
    assert_eq!(gateway.refuses(1, give(user("guest:yan"))), Refusal::NotInRoom);
    // A connection takes the lease up, gets the role, and loses it with the connection.
    gateway.does(4, enter(room("den"), guest("yan")));
    gateway.does(1, give(user("guest:yan")));
    gateway.does(4, disconnect());
    gateway.does(5, enter(room("den"), guest("yan")));
    assert_eq!(occupants(&gateway), ["ann", "@guest:gus", "guest:yan", "guest:zoe"]);
}

#[test]
fn an_account_owns_the_room_that_it_makes_and_stays_its_operator() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(1, found("den", user("ann")));
    gateway.does(2, found("den", user("bob")));
    let den = room_seen_by(&gateway, room("den"), None);
    assert_eq!(den.owner.map(|owner| owner.handle.clone()).as_deref(), Some("ann"));
    assert!(den.members.is_empty());
    assert_eq!(occupants(&gateway), ["@ann", "bob"]);
    gateway.does(7, set(Role::Operator, true, user("bob"), user("ann")));
    assert_eq!(occupants(&gateway), ["@ann", "@bob"]);
    let take = set(Role::Operator, false, user("ann"), user("bob"));
    assert_eq!(gateway.refuses(2, take), Refusal::OwnerStays);
    assert_eq!(gateway.refuses(2, kick_from_den(user("ann"), user("bob"))), Refusal::OwnerStays);
    assert_eq!(gateway.refuses(7, describe("x", user("bob"))), Refusal::NotAllowed);
}

#[test]
fn an_entrance_that_is_refused_makes_no_room() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, create_for(closed("den"), user("ann"), &["bob"]));
    assert_eq!(gateway.refuses(1, found("den#1", guest("gus"))), Refusal::UnknownRoom);
    let refused = gateway.refuses(1, found("", guest("gus")));
    assert!(matches!(refused, Refusal::InvalidRoomName { .. }), "{refused:?}");
    assert_eq!(gateway.refuses(1, found("pub", guest("ann"))), Refusal::NotSignedIn);
    let mut full = gateway.envelope(1, found("pub", guest("gus")));
    full.frontend = std::sync::Arc::new(core_engine::FrontendSettings {
        room_capacity: 0,
        ..core_engine::FrontendSettings::clone(&full.frontend)
    });
    assert_eq!(gateway.call_as_is(full).0, Err(Refusal::RoomFull));
    let query = Query::Room { room: room("pub"), caller: None, detail: Detail::default() };
    assert_eq!(gateway.ask(&query), Err(Refusal::UnknownRoom));
}

#[test]
fn people_are_counted_once_whatever_seats_they_take() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(1, found("den", guest("gus")));
    gateway.does(2, enter(room("den"), guest("gus")));
    gateway.does(0, join(room("den"), user("ann")));
    gateway.does(3, enter(room("den"), user("ann")));
    gateway.does(4, enter(room("den"), user("bob")));
    let detail = Detail { people: true, ..Detail::default() };
    let query = Query::Room { room: room("den"), caller: None, detail };
    let Ok(Reply::Room { room: den }) = gateway.ask(&query) else { panic!("no room") };
    assert_eq!((den.population, den.people), (5, Some(3)));
    assert_eq!(room_seen_by(&gateway, room("den"), None).people, None);
}
