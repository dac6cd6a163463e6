//! Search in the messages of rooms.

use core_engine::MessageSearch;
use core_model::{AdminCommand, Command, MessageId, Timestamp};

use super::*;

fn searched(gateway: &Gateway, search: &MessageSearch, limit: usize) -> Vec<u64> {
    let mut found = Vec::new();
    let mut before = MessageId(u64::MAX);
    loop {
        let page = gateway.engine().search_messages(Timestamp(0), search, before, limit).unwrap();
        found.extend(page.items.iter().map(|message| message.id.0));
        match page.next {
            Some(next) => before = next,
            None => return found,
        }
    }
}

fn find(gateway: &Gateway, text: &str) -> Vec<u64> {
    searched(gateway, &MessageSearch { text: text.into(), ..MessageSearch::default() }, 7)
}

/// Makes the index, as the gateway does in the background.
fn index(gateway: &Gateway) -> usize {
    let mut steps = 0;
    while let Some(command) = gateway.engine().next_signatures().unwrap() {
        gateway.does(0, Command::Admin(Box::new(command)));
        steps += 1;
    }
    steps
}

/// Every seventh message has `tea`, every eleventh `茶`.
fn filled(count: u64) -> Gateway {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, create(titled("den"), Some(user("bob"))));
    for nth in 1..=count {
        let word = if nth % 7 == 0 { "Tea" } else { "coffee" };
        let cjk = if nth % 11 == 0 { "今天喝茶" } else { "今天没有" };
        let text = format!("number {nth}: {word}, {cjk}");
        let (place, author) =
            if nth % 2 == 0 { ("tea", user("ann")) } else { ("den", user("bob")) };
        gateway.does(0, post(room(place), author, &text));
    }
    gateway
}

#[test]
fn what_is_found_does_not_depend_on_the_index_and_comes_newest_first() {
    let mut gateway = filled(700);
    let every = |step: u64| -> Vec<u64> { (1..=700).rev().filter(|id| id % step == 0).collect() };
    let before = [find(&gateway, "TEA"), find(&gateway, "喝茶"), find(&gateway, "tea 茶")];
    assert_eq!(before, [every(7), every(11), every(77)]);
    assert!(index(&gateway) > 0);
    assert_eq!(index(&gateway), 0, "everything is indexed");
    assert_eq!([find(&gateway, "TEA"), find(&gateway, "喝茶"), find(&gateway, "tea 茶")], before);
    assert_eq!(find(&gateway, "number 333"), [333]);
    assert_eq!(find(&gateway, "nowhere"), [0; 0]);
    assert_eq!(find(&gateway, "?!"), [0; 0]);
    let in_den =
        MessageSearch { text: "tea".into(), room: Some(room("den")), author: Some(user("bob")) };
    let odd: Vec<u64> = every(7).into_iter().filter(|id| id % 2 == 1).collect();
    assert_eq!(searched(&gateway, &in_den, 1000), odd);
    gateway.reopen_checked();
}

#[test]
fn deleted_cleared_and_direct_messages_are_not_found() {
    let mut gateway = filled(200);
    gateway.does(0, direct(user("ann"), user("bob"), "Tea in private"));
    index(&gateway);
    gateway.does(
        0,
        Command::Admin(Box::new(AdminCommand::DeleteMessages { messages: vec![MessageId(196)] })),
    );
    assert_eq!(find(&gateway, "tea").first(), Some(&189));
    gateway.does(0, clear(room("den"), None));
    let left = find(&gateway, "tea");
    assert!(left.iter().all(|id| id % 14 == 0) && left.len() == 13, "{left:?}");
    gateway.does(
        0,
        Command::Prune {
            before: None,
            keep_per_room: Some(10),
            from: core_model::RoomId(0),
            limit: u32::MAX,
        },
    );
    let left = find(&gateway, "number");
    assert_eq!(left.len(), 10);
    gateway.reopen_checked();
    index(&gateway);
    gateway.reopen_checked();
    assert_eq!(find(&gateway, "number"), left);
}

#[test]
fn signatures_that_are_out_of_date_are_not_stored() {
    let gateway = filled(130);
    let made = gateway.engine().next_signatures().unwrap().expect("there are full blocks");
    gateway.does(0, Command::Admin(Box::new(made.clone())));
    let AdminCommand::StoreSignatures { from, to, .. } = &made else { panic!("{made:?}") };
    assert_eq!((*from, *to), (0, 2));
    // Another with the same range would hide messages.
    let empty =
        AdminCommand::StoreSignatures { from: 0, to: 2, signatures: vec![(0, vec![0; 32])] };
    gateway.does(0, Command::Admin(Box::new(empty)));
    assert_eq!(find(&gateway, "number 1"), [1]);
    let ahead = AdminCommand::StoreSignatures { from: 2, to: 9, signatures: Vec::new() };
    gateway.does(0, Command::Admin(Box::new(ahead)));
    assert_eq!(find(&gateway, "number 129"), [129]);
}
