//! Retention: which messages are removed, and which stay.

use core_model::{Command, Gap, MessageId, Query, Reply, RoomId, Timestamp};

use super::*;

fn prune(before: Option<u64>, keep_per_room: Option<u32>, from: u32, limit: u32) -> Command {
    Command::Prune { before: before.map(Timestamp), keep_per_room, from: RoomId(from), limit }
}

fn older_than(before: u64) -> Command {
    prune(Some(before), None, 0, u32::MAX)
}

fn all_but(newest: u32) -> Command {
    prune(None, Some(newest), 0, u32::MAX)
}

/// How many are gone, and where the next step begins.
#[track_caller]
fn pruned(gateway: &Gateway, command: Command) -> (u32, Option<u32>) {
    match gateway.does(0, command) {
        Reply::Pruned { messages, next, .. } => (messages, next.map(|room| room.0)),
        other => panic!("not pruned: {other:?}"),
    }
}

/// Ids of the messages that this finds.
#[track_caller]
fn ids(gateway: &Gateway, before: Option<u64>, after: Option<u64>, limit: u32) -> Vec<u64> {
    let before = before.map(MessageId);
    let after = after.map(MessageId);
    match gateway.ask(&Query::History { room: room("tea"), caller: None, before, after, limit }) {
        Ok(Reply::Messages { messages }) => messages.iter().map(|message| message.id.0).collect(),
        other => panic!("not messages: {other:?}"),
    }
}

/// Posts `count` messages to tea in one commit.
fn fill(gateway: &Gateway, count: u64) {
    let number = |number: u64| {
        gateway.envelope(0, post(room("tea"), user("ann"), &format!("{number:0>100}")))
    };
    for (outcome, _) in gateway.batch((0..count).map(number).collect()) {
        outcome.expect("posted");
    }
}

fn rows(gateway: &Gateway, table: &str) -> usize {
    let dump = gateway.engine().dump().unwrap();
    dump.iter().find(|(name, _)| *name == table).unwrap().1.len()
}

#[test]
fn messages_before_a_time_are_removed_in_rooms_and_between_users() {
    let mut gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, join(room("tea"), user("bob")));
    for (now, text) in [(1_000, "one"), (2_000, "two"), (3_000, "three")] {
        gateway.now = now;
        gateway.does(0, post(room("tea"), user("ann"), text));
        gateway.does(0, direct(user("ann"), user("bob"), text));
    }
    assert_eq!(gateway.tells(0, older_than(1_000)), [""; 0]);
    assert_eq!(talk(&gateway, "tea").len(), 3, "what is as old as that stays");
    assert_eq!(pruned(&gateway, older_than(3_000)), (4, None));
    assert_eq!(talk(&gateway, "tea"), ["ann to tea: three"]);
    let direct = received(&gateway, receive(user("bob"), None)).0;
    assert_eq!(direct, ["ann to bob: three"]);
    let Reply::SignedIn { backlog, .. } = gateway.does(1, sign_in_for_messages(user("bob"), 9))
    else {
        panic!()
    };
    assert_eq!(say::messages(&backlog), ["ann to tea: three", "ann to bob: three"]);
    assert_eq!(pruned(&gateway, older_than(u64::MAX)), (2, None));
    assert_eq!(talk(&gateway, "tea"), [""; 0]);
    for table in ["messages", "tails", "garbage"] {
        assert_eq!(rows(&gateway, table), 0, "{table}");
    }
    assert_eq!(rows(&gateway, "chunks"), 3, "which are gone of tea, of ann's and of bob's");
}

#[test]
fn the_newest_messages_of_each_room_stay() {
    for keep in [0, 1, 11, 12, 13, 43, 44, 45, 140, 299, 300, 301, 1_000] {
        let mut gateway = with_tea(&["ann", "bob"]);
        gateway.does(0, direct(user("ann"), user("bob"), "kept"));
        gateway.does(0, create(titled("hall"), Some(user("ann"))));
        gateway.does(0, post(room("hall"), user("ann"), "newest"));
        fill(&gateway, 300);
        let stay = 300.min(keep);
        let in_hall = u32::from(keep == 0);
        assert_eq!(pruned(&gateway, all_but(keep)), (300 - stay + in_hall, None), "{keep}");
        let left: Vec<u64> = (303 - u64::from(stay)..303).collect();
        assert_eq!(ids(&gateway, None, None, u32::MAX), left, "{keep}");
        assert_eq!(rows(&gateway, "messages"), left.len() + 2 - in_hall as usize);
        assert_eq!(talk(&gateway, "hall").len(), 1 - in_hall as usize);
        assert_eq!(received(&gateway, receive(user("bob"), None)).0, ["ann to bob: kept"]);
        assert_eq!(pruned(&gateway, all_but(keep)), (0, None), "{keep}");
        gateway.reopen_checked();
    }
}

#[test]
fn a_pass_in_small_steps_does_what_one_step_does() {
    for (before, keep) in [(None, Some(70)), (Some(2_000), None), (Some(2_000), Some(70))] {
        let mut left = Vec::new();
        for limit in [1, 7, 128, u32::MAX] {
            let mut gateway = with_tea(&["ann"]);
            gateway.does(0, create(titled("hall"), Some(user("ann"))));
            fill(&gateway, 200);
            gateway.does(0, post(room("hall"), user("ann"), "hi"));
            gateway.now = 2_000;
            fill(&gateway, 100);
            let mut from = 0;
            let mut all = 0;
            let mut steps = 0;
            loop {
                let (count, next) = pruned(&gateway, prune(before, keep, from, limit));
                assert!(count <= limit, "{count} of {limit}");
                (all, steps) = (all + count, steps + 1);
                let Some(next) = next else { break };
                from = next;
                if steps == 3 {
                    gateway.reopen_checked();
                }
            }
            assert!(steps >= all / limit, "{steps} steps of {limit}");
            left.push((all, gateway.engine().dump().unwrap()));
        }
        for (all, dump) in &left[1..] {
            assert_eq!(*all, left[0].0);
            assert_eq!(*dump, left[0].1);
        }
    }
}

#[test]
fn queries_about_pruned_messages_begin_with_the_first_that_is_left() {
    for command in [older_than(2_000), all_but(50)] {
        let mut gateway = with_tea(&["ann", "bob"]);
        fill(&gateway, 250);
        gateway.now = 2_000;
        fill(&gateway, 50);
        assert_eq!(pruned(&gateway, command), (250, None));
        assert_eq!(ids(&gateway, None, Some(0), 2), [251, 252]);
        assert_eq!(ids(&gateway, None, Some(100), 2), [251, 252]);
        assert_eq!(ids(&gateway, None, Some(250), 2), [251, 252]);
        assert_eq!(ids(&gateway, None, Some(251), 2), [252, 253]);
        assert_eq!(ids(&gateway, Some(253), None, 9), [251, 252]);
        assert_eq!(ids(&gateway, Some(251), None, 9), [0; 0]);
        assert_eq!(ids(&gateway, Some(9), None, 9), [0; 0]);
    }
}

#[test]
fn a_cursor_before_the_first_message_left_continues_from_there() {
    let gateway = with_tea(&["ann", "bob"]);
    fill(&gateway, 10);
    let first = |limit| Command::Receive {
        user: user("bob"),
        expect: None,
        room: Some(room("tea")),
        after: None,
        limit,
        first_limit: u32::MAX,
        newest: false,
    };
    assert_eq!(received(&gateway, first(3)).1, 3);
    assert_eq!(pruned(&gateway, all_but(2)), (8, None));
    let (messages, cursor) = received(&gateway, first(9));
    assert_eq!((messages.len(), cursor), (2, 10));
    assert_eq!(pruned(&gateway, all_but(0)), (2, None));
    assert_eq!(received(&gateway, first(9)), (Vec::new(), 10));
    // Ids are not used again.
    fill(&gateway, 1);
    let (messages, cursor) = received(&gateway, first(9));
    assert_eq!((messages.len(), cursor), (1, 11));
}

#[test]
fn pruning_copes_with_cleared_messages_and_deleted_rooms() {
    for command in [older_than(2_000), all_but(1), prune(Some(2_000), Some(1), 0, u32::MAX)] {
        let mut gateway = with_tea(&["ann"]);
        gateway.does(0, create(titled("hall"), Some(user("ann"))));
        fill(&gateway, 200);
        gateway.does(0, clear(room("tea"), None));
        fill(&gateway, 3);
        gateway.does(0, post(room("hall"), user("ann"), "hi"));
        gateway.does(0, delete(room("hall"), None));
        gateway.now = 2_000;
        fill(&gateway, 1);
        assert_eq!(pruned(&gateway, command).1, None);
        assert_eq!(ids(&gateway, None, None, 9), [205]);
        while gateway.engine().next_expiry().is_some() {
            gateway.does(0, Command::Expire);
        }
        assert_eq!(rows(&gateway, "messages"), 1);
        assert_eq!(ids(&gateway, None, None, 9), [205]);
    }
}

#[test]
fn pruning_nothing_writes_nothing() {
    let gateway = with_tea(&["ann"]);
    fill(&gateway, 300);
    let before = gateway.engine().dump().unwrap();
    assert_eq!(pruned(&gateway, prune(Some(1), Some(300), 0, 9)), (0, None));
    assert_eq!(pruned(&gateway, prune(None, None, 0, 9)), (0, None));
    assert_eq!(gateway.engine().dump().unwrap(), before);
}

#[test]
fn a_step_looks_at_a_bounded_number_of_rooms_and_the_next_continues() {
    let gateway = with(&["ann"]);
    let rooms = 2_500;
    let talk = |number: u32| {
        let name = format!("room {number}");
        let making = post_joining(room(&name), user("ann"), "one", true);
        [making, post(room(&name), user("ann"), "two")]
    };
    let commands = (0..rooms).flat_map(talk).map(|command| gateway.envelope(0, command));
    for batch in commands.collect::<Vec<_>>().chunks(1_000) {
        gateway.batch(batch.to_vec());
    }
    let mut from = 0;
    let mut steps = Vec::new();
    loop {
        let (count, next) = pruned(&gateway, prune(None, Some(1), from, u32::MAX));
        steps.push(count);
        let Some(next) = next else { break };
        from = next;
    }
    assert_eq!(steps, [1_024, 1_024, 452]);
    assert_eq!(rows(&gateway, "messages"), rooms as usize);
}

#[test]
fn the_file_does_not_grow_under_a_pruned_steady_stream() {
    for command in [|_: u64| all_but(1_000), |now: u64| older_than(now - 4)] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("store.redb");
        let mut gateway = Gateway::on(path.clone());
        gateway.does(0, register("ann"));
        gateway.does(0, create(titled("tea"), Some(user("ann"))));
        let mut lengths = Vec::new();
        for round in 0..60 {
            gateway.now += 1;
            fill(&gateway, 250);
            let prune = command(gateway.now);
            gateway.does(0, prune);
            if round % 20 == 19 {
                lengths.push(path.metadata().unwrap().len());
            }
        }
        assert!(rows(&gateway, "messages") <= 5 * 250);
        assert!(lengths[2] <= lengths[0], "{lengths:?}");
    }
}

/// The ids of the messages of tea that were missed, and the gap.
#[track_caller]
fn missed(gateway: &Gateway, after: u64, limit: u32, newest: bool) -> (Vec<u64>, Option<Gap>) {
    let after = Some(MessageId(after));
    let query = Query::Missed { room: room("tea"), caller: None, after, limit, newest };
    match gateway.ask(&query) {
        Ok(Reply::Missed { messages, gap, .. }) => {
            (messages.iter().map(|message| message.id.0).collect(), gap)
        }
        other => panic!("{other:?}"),
    }
}

fn gap(after: u64, before: u64, count: Option<u64>) -> Option<Gap> {
    Some(Gap { after: MessageId(after), before: MessageId(before), count })
}

#[test]
fn a_reader_learns_what_it_missed_and_cannot_get_any_more() {
    let gateway = with_tea(&["ann"]);
    for text in ["1", "2", "3", "4", "5"] {
        gateway.does(0, post(room("tea"), user("ann"), text));
    }
    assert_eq!(missed(&gateway, 3, 9, true), (vec![4, 5], None));
    assert_eq!(missed(&gateway, 1, 2, true), (vec![4, 5], gap(1, 4, Some(2))));
    assert_eq!(missed(&gateway, 1, 2, false), (vec![2, 3], None));
    let (before, keep_per_room) = (None, Some(2));
    gateway.does(0, Command::Prune { before, keep_per_room, from: RoomId(0), limit: 99 });
    assert_eq!(missed(&gateway, 3, 9, true), (vec![4, 5], None), "all that came after is there");
    assert_eq!(missed(&gateway, 2, 9, true), (vec![4, 5], gap(2, 4, Some(1))));
    assert_eq!(missed(&gateway, 0, 1, true), (vec![5], gap(0, 5, Some(4))));
    assert_eq!(missed(&gateway, 2, 1, false), (vec![4], gap(2, 4, Some(1))));
    let (before, keep_per_room) = (Some(Timestamp(u64::MAX)), None);
    gateway.does(0, Command::Prune { before, keep_per_room, from: RoomId(0), limit: 99 });
    assert_eq!(missed(&gateway, 4, 9, true), (vec![], gap(4, 6, Some(1))));
    assert_eq!(missed(&gateway, 5, 9, true), (vec![], None));
    // A message that the reader cannot have: the store is an older one.
    let query = |after: Option<u64>| {
        let after = after.map(MessageId);
        Query::Missed { room: room("tea"), caller: None, after, limit: 9, newest: true }
    };
    assert_eq!(gateway.ask(&query(Some(6))), Err(Refusal::UnknownMessage));
    // A reader that begins now.
    let (messages, gap, more, cursor) = (Vec::new(), None, false, MessageId(5));
    assert_eq!(gateway.ask(&query(None)), Ok(Reply::Missed { messages, gap, more, cursor }));
}

#[test]
fn what_is_gone_is_counted_over_every_way_to_remove_it() {
    let mut gateway = with_tea(&["ann"]);
    let counted = |gateway: &Gateway, after: u64| missed(gateway, after, 1, false).1.unwrap().count;
    fill(&gateway, 100);
    gateway.does(0, all_but(60));
    assert_eq!([0, 7, 39].map(|after| counted(&gateway, after)), [40, 33, 1].map(Some));
    gateway.now += 10;
    gateway.does(0, older_than(gateway.now));
    assert_eq!([0, 7, 99].map(|after| counted(&gateway, after)), [100, 93, 1].map(Some));
    fill(&gateway, 100);
    gateway.does(0, Command::ClearMessages { room: room("tea"), by: None });
    assert_eq!([0, 7, 150].map(|after| counted(&gateway, after)), [200, 193, 50].map(Some));
    gateway.does(0, Command::Expire);
    assert_eq!([0, 7, 150].map(|after| counted(&gateway, after)), [200, 193, 50].map(Some));
    gateway.reopen();
    gateway.does(0, start());
    fill(&gateway, 1);
    assert_eq!(missed(&gateway, 150, 9, true), (vec![201], gap(150, 201, Some(50))));
    // What was kept of a room ends with it.
    gateway.does(0, delete(room("tea"), None));
    for _ in 0..99 {
        gateway.does(0, Command::Expire);
    }
    assert_eq!(["chunks", "tails", "messages", "cleared"].map(|it| rows(&gateway, it)), [0; 4]);
}

#[test]
fn a_number_that_is_not_known_is_not_given() {
    let gateway = with_tea(&["ann"]);
    for _ in 0..20 {
        fill(&gateway, 1_000);
    }
    loop {
        let (_, next) = pruned(&gateway, prune(None, Some(10), 0, u32::MAX));
        if next.is_none() {
            break;
        }
    }
    let counted = |after: u64| missed(&gateway, after, 1, false).1.unwrap().count;
    assert_eq!(counted(0), None, "the oldest ids are forgotten");
    assert_eq!(counted(10_000), Some(9_990));
    assert!(rows(&gateway, "chunks") < 520);
}
