//! The gaps that a reader learns of: messages that it missed and that are gone.

use core_model::{Command, Gap, MessageId, Reply};

use super::*;

fn gap(after: u64, before: u64, count: u64) -> Option<Gap> {
    Some(Gap { after: MessageId(after), before: MessageId(before), count: Some(count) })
}

/// Signs in with a delivery of so many messages, on a device, and of direct messages only or not.
fn sign_in_on(who: &str, wanted: (u32, &str, bool)) -> Command {
    let mut command = sign_in_for_messages(user(who), 9);
    let Command::SignIn { delivery, .. } = &mut command else { unreachable!() };
    *delivery = Some(deliver(wanted));
    command
}

/// Signs in on a device for direct messages; returns the backlog, the cursor and the gap.
#[track_caller]
fn reads_direct(gateway: &Gateway, connection: u64, who: &str) -> (Vec<u64>, u64, Option<Gap>) {
    match gateway.does(connection, sign_in_on(who, (2, "irc", true))) {
        Reply::SignedIn { backlog, cursor, gap, .. } => {
            let ids = backlog.iter().map(|message| message.id.0).collect();
            (ids, cursor.map_or(0, |cursor| cursor.0), gap)
        }
        other => panic!("not signed in: {other:?}"),
    }
}

#[test]
fn a_reader_that_never_acknowledged_has_missed_what_came_after_its_first_session() {
    let gateway = with_tea(&["ann", "bob", "cyd"]);
    gateway.does(0, post(room("tea"), user("ann"), "before"));
    assert_eq!(reads_direct(&gateway, 1, "bob"), (vec![], 1, None), "it has missed nothing yet");
    gateway.does(0, post(room("tea"), user("ann"), "during"));
    gateway.does(1, disconnect());
    gateway.does(0, post(room("tea"), user("ann"), "after"));
    assert_eq!(reads_direct(&gateway, 1, "bob"), (vec![], 1, None));
    // What it is owed is owed until it acknowledges.
    for text in ["four", "five", "six"] {
        gateway.does(0, direct(user("ann"), user("cyd"), text));
    }
    assert_eq!(reads_direct(&gateway, 2, "cyd"), (vec![5, 6], 6, gap(3, 5, 1)));
    gateway.does(2, disconnect());
    assert_eq!(reads_direct(&gateway, 2, "cyd"), (vec![4, 5, 6], 3, None), "they were in flight");
}

#[test]
fn a_gap_spans_what_is_missing_though_older_messages_of_others_are_there() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    gateway.does(0, direct(user("ann"), user("bob"), "one"));
    for _ in 0..90 {
        gateway.does(0, post(room("tea"), user("ann"), "hi"));
    }
    gateway.does(0, direct(user("ann"), user("bob"), "92"));
    gateway.does(0, clear(room("tea"), None));
    let command = sign_in_on("bob", (9, "phone", false));
    let Reply::SignedIn { backlog, gap: found, .. } = gateway.does(1, command) else { panic!() };
    assert_eq!(backlog.iter().map(|message| message.id.0).collect::<Vec<_>>(), [1, 92]);
    assert_eq!(found, gap(1, 92, 90));
}

#[test]
fn a_reader_goes_on_from_after_what_was_removed() {
    let gateway = with_tea(&["ann", "bob"]);
    for text in ["one", "two", "three"] {
        gateway.does(0, post(room("tea"), user("ann"), text));
    }
    let read = |after| {
        let command = Command::Receive {
            user: user("bob"),
            expect: None,
            room: Some(room("tea")),
            after,
            limit: 9,
            first_limit: 9,
            newest: false,
        };
        match gateway.does(0, command) {
            Reply::Received { messages, cursor, gap } => (messages.len(), cursor.0, gap),
            other => panic!("not received: {other:?}"),
        }
    };
    let after = |id| Some(MessageId(id));
    assert_eq!(read(after(1)), (2, 3, None));
    gateway.does(0, clear(room("tea"), None));
    assert_eq!(read(after(1)), (0, 3, gap(1, 4, 2)));
    assert_eq!(read(after(1)), (0, 3, gap(1, 4, 2)), "the reply may have been lost");
    assert_eq!(read(after(3)), (0, 3, None), "it was told");
    gateway.does(0, post(room("tea"), user("ann"), "four"));
    assert_eq!(read(None), (1, 4, None), "the cursor has moved, too");
    assert_eq!(read(after(0)), (1, 4, gap(0, 4, 3)));
}
