//! What holds in a room moves with it.

use core_engine::{ImportOptions, Taken};
use core_model::{
    Barrier, Command, Detail, MASKS_MAX, MaskList, PolicyChange, Query, Refusal, Reply, RoomRef,
    RoomView, SeatKind, UserRef,
};

use super::{ANN, BOB, SKIPPING, TEA, export, faults, file, import, imported};
use crate::build::*;
use crate::gateway::Gateway;

/// Gives the room `tea` of `ann` a policy with something of each kind.
pub(super) fn set_all(gateway: &Gateway) {
    let change = |change| {
        let by = Some(user("ann"));
        gateway.does(5, Command::ChangePolicy { room: room("tea"), change, by })
    };
    gateway.does(5, enter(room("tea"), user("ann")));
    for one in [
        PolicyChange::Moderated(true),
        PolicyChange::Secret(true),
        PolicyChange::InviteOnly(true),
        PolicyChange::OpenTopic(true),
        PolicyChange::OpenPosts(true),
        PolicyChange::Key(Some("k1".into())),
        PolicyChange::Capacity(Some(77)),
        PolicyChange::Mask { list: MaskList::Ban, mask: "b*".into(), held: true },
        PolicyChange::Mask { list: MaskList::Exception, mask: "bob!*".into(), held: true },
        PolicyChange::Mask { list: MaskList::Invitation, mask: "zed".into(), held: true },
        PolicyChange::Invited(user("bob")),
        PolicyChange::Invited(user("guest:gus")),
    ] {
        change(one);
    }
}

fn seen(gateway: &Gateway) -> RoomView {
    let detail = Detail { masks: true, ..Detail::default() };
    let query = Query::Room { room: room("tea"), caller: Some(user("ann")), detail };
    let Ok(Reply::Room { room }) = gateway.ask(&query) else { panic!("no room") };
    RoomView::clone(&room)
}

fn enter_with(key: &str, user: UserRef) -> Command {
    let room = RoomRef::Keyed { name: "tea".into(), key: key.into() };
    let seat = SeatKind::Connection;
    Command::Enter { room, user, seat, opens: false, avatar: None, create: false }
}

fn barred(by: Barrier) -> Refusal {
    Refusal::Barred { by }
}

/// A room of `ann` with all of [`set_all`].
fn source() -> Gateway {
    let gateway = Gateway::in_memory();
    gateway.does(0, register("ann"));
    gateway.does(0, register("bob"));
    gateway.does(0, create(titled("tea"), Some(user("ann"))));
    set_all(&gateway);
    gateway
}

#[test]
fn a_room_that_was_imported_keeps_out_those_that_it_did_before() {
    let source = source();
    let lines = export(&source);
    assert!(!lines.contains("k1"), "the key itself is in no export");
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.redb");
    imported(&path, &lines);
    assert_eq!(faults(&path), Vec::<String>::new());
    let copy = Gateway::on(path);
    let (before, after) = (seen(&source), seen(&copy));
    assert!(after.policy.moderated && after.policy.open_topic, "{after:?}");
    assert_eq!((after.policy, after.capacity), (before.policy, before.capacity));
    assert_eq!((after.masks.len(), &after.masks), (3, &before.masks));
    for gateway in [&source, &copy] {
        let refuses = |connection, command| gateway.refuses(connection, command);
        assert_eq!(refuses(7, enter_with("k1", guest("ben"))), barred(Barrier::Ban));
        assert_eq!(refuses(7, enter_with("k1", guest("zoe"))), barred(Barrier::InviteOnly));
        assert_eq!(refuses(7, enter_with("k2", guest("zed"))), barred(Barrier::Key));
        gateway.does(7, enter_with("k1", guest("zed")));
        gateway.does(8, enter(room("tea"), user("bob")));
        // Each invitation is good for one entrance.
        gateway.does(9, enter(room("tea"), guest("gus")));
        for (connection, invited) in [(8, user("bob")), (9, guest("gus"))] {
            gateway.does(connection, exit(room("tea"), invited.clone()));
            gateway.refuses(connection, enter(room("tea"), invited));
        }
    }
}

#[test]
fn a_key_fits_no_more_where_the_room_has_another_id_and_the_room_stays_shut() {
    let lines = export(&source());
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("copy.redb");
    let options = ImportOptions { id_offset: 1_000, ..ImportOptions::default() };
    import(&path, &lines, options, 100).unwrap();
    assert_eq!(faults(&path), Vec::<String>::new());
    let copy = Gateway::on(path);
    assert_eq!(copy.refuses(7, enter_with("k1", guest("zed"))), barred(Barrier::Key));
    copy.does(8, enter(room("tea"), user("bob")));
}

#[test]
fn an_export_of_an_earlier_version_has_no_policies() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let lines = file(&[ANN, BOB, TEA]);
    assert!(lines.contains(r#"{"export":{"version":1}}"#), "{lines}");
    imported(&path, &lines);
    let gateway = Gateway::on(path);
    assert!(seen(&gateway).policy.is_default());
    gateway.does(7, enter(room("tea"), guest("zed")));
}

#[test]
fn a_list_that_is_full_takes_no_more_masks() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("store.redb");
    let masks: Vec<String> = (0..=MASKS_MAX)
        .map(|nth| format!(r#"{{"mask":{{"room":1,"list":"ban","mask":"m{nth}"}}}}"#))
        .collect();
    let masks: Vec<&str> = masks.iter().map(String::as_str).collect();
    let lines = file(&[&[ANN, TEA], masks.as_slice()].concat());
    let taken = import(&path, &lines, SKIPPING, 50).unwrap();
    let conflict = Taken::Conflict("room 1 has 100 of them already".into());
    assert_eq!(taken[2 + masks.len()], conflict);
    assert_eq!(taken.iter().filter(|taken| **taken == Taken::New).count(), 102);
    assert_eq!(faults(&path), Vec::<String>::new());
}
