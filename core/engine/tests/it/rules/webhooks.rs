//! The order of events that webhooks read, and how far each has come.

use core_engine::{EventPage, Happened, Logged, Wanted};
use core_model::{
    Command, DeadLetter, Event, EventPosition, MessageId, Reply, RoomChanges, Seq, WebhookNeed,
    WebhookProgress,
};

use super::*;

const ALL: Wanted = Wanted { messages: true, events: true };

fn declare(needs: &[(&str, bool)]) -> Command {
    let need =
        |(name, events): &(&str, bool)| WebhookNeed { name: (*name).into(), events: *events };
    Command::DeclareWebhooks { webhooks: needs.iter().map(need).collect() }
}

fn at(message: u64, seq: u64) -> EventPosition {
    EventPosition { message: MessageId(message), seq: Seq(seq) }
}

fn advance(webhook: &str, progress: WebhookProgress) -> Command {
    Command::AdvanceWebhook { webhook: webhook.into(), progress }
}

fn up_to(position: EventPosition) -> WebhookProgress {
    WebhookProgress { up_to: Some(position), ..WebhookProgress::default() }
}

fn place(gateway: &Gateway, webhook: &str) -> Option<EventPosition> {
    let webhooks = gateway.engine().webhooks().unwrap();
    webhooks.into_iter().find(|one| one.name == webhook).map(|one| one.position)
}

fn page(gateway: &Gateway, after: EventPosition, wanted: Wanted, limit: usize) -> EventPage {
    gateway.engine().events_after(after, wanted, limit).unwrap()
}

/// What a page has, a word each.
fn words(page: &EventPage) -> Vec<String> {
    let word = |what: &Logged| match what {
        Logged::Message(message) => message.text.clone(),
        Logged::Event { happened: Happened::Event(Event::Entered { user, .. }), .. } => {
            format!("+{}", user.handle)
        }
        Logged::Event { happened: Happened::Event(Event::Left { user, .. }), .. } => {
            format!("-{}", user.handle)
        }
        Logged::Event { happened: Happened::RoomCreated { room, .. }, .. } => {
            format!("new {}", room.name)
        }
        Logged::Event { happened: Happened::UserCreated { user }, .. } => {
            format!("hello {}", user.handle)
        }
        Logged::Event { happened: Happened::Event(Event::RoomDeleted { room }), .. } => {
            format!("no {}", room.name)
        }
        Logged::Event { happened: Happened::Event(Event::RoomChanged { room, .. }), .. } => {
            format!("~{}", room.name)
        }
        Logged::Event { happened, .. } => format!("{happened:?}"),
        Logged::MessagesGone { after, before } => format!("gone {after}..{before}"),
        Logged::EventsGone => "events gone".into(),
    };
    page.events.iter().map(|event| word(&event.what)).collect()
}

/// Reads everything in pages of so many.
fn paged(gateway: &Gateway, wanted: Wanted, limit: usize) -> Vec<String> {
    let mut after = EventPosition::default();
    let mut all = Vec::new();
    loop {
        let page = page(gateway, after, wanted, limit);
        assert!(page.events.iter().all(|event| after < event.position), "{page:?}");
        all.extend(words(&page));
        if !page.more {
            return all;
        }
        assert!(after < page.end, "{page:?}");
        after = page.end;
    }
}

fn posts(gateway: &Gateway, author: &str, texts: &[&str]) {
    for text in texts {
        gateway.does(0, post(room("tea"), user(author), text));
    }
}

#[test]
fn events_and_messages_are_read_in_their_order_in_pages_of_any_size() {
    let gateway = with(&["ann", "bob"]);
    gateway.does(0, declare(&[("hook", true)]));
    gateway.does(0, create(titled("tea"), Some(user("ann"))));
    posts(&gateway, "ann", &["one", "two"]);
    gateway.does(0, join(room("tea"), user("bob")));
    posts(&gateway, "bob", &["three"]);
    gateway.does(0, direct(user("ann"), user("bob"), "psst"));
    let changes = RoomChanges { description: Some("green".into()), ..RoomChanges::default() };
    gateway.does(0, Command::UpdateRoom { room: room("tea"), changes, by: None });
    gateway.does(0, kick(room("tea"), user("bob")));
    gateway.does(0, register("cyd"));
    let expected =
        ["new tea", "+ann", "one", "two", "+bob", "three", "psst", "~tea", "-bob", "hello cyd"];
    for limit in [1, 2, 3, 5, 100] {
        assert_eq!(paged(&gateway, ALL, limit), expected, "in pages of {limit}");
    }
    let only = Wanted { messages: true, events: false };
    assert_eq!(paged(&gateway, only, 2), ["one", "two", "three", "psst"]);
    let others = Wanted { messages: false, events: true };
    assert_eq!(
        paged(&gateway, others, 2),
        ["new tea", "+ann", "+bob", "~tea", "-bob", "hello cyd"]
    );
}

#[test]
fn a_room_that_a_post_makes_comes_before_the_message() {
    let gateway = with(&["ann"]);
    gateway.does(0, declare(&[("hook", true)]));
    let standing = core_model::PostRight::Joining { create: true };
    let (room, author) = (room("tea"), user("ann"));
    let post = Command::Post { room, author, text: "one".into(), standing, notice: false };
    gateway.does(0, post);
    assert_eq!(paged(&gateway, ALL, 9), ["new tea", "+ann", "one"]);
}

#[test]
fn a_webhook_begins_with_the_next_event_and_goes_on_after_a_restart() {
    let mut gateway = with_tea(&["ann"]);
    posts(&gateway, "ann", &["one", "two"]);
    gateway.does(0, declare(&[("hook", true)]));
    let begin = place(&gateway, "hook").unwrap();
    assert!(page(&gateway, begin, ALL, 9).events.is_empty());
    posts(&gateway, "ann", &["three", "four"]);
    assert_eq!(words(&page(&gateway, begin, ALL, 9)), ["three", "four"]);
    gateway.does(0, advance("hook", up_to(at(3, 0))));
    gateway.reopen();
    gateway.does(0, declare(&[("hook", true), ("other", false)]));
    assert_eq!(place(&gateway, "hook"), Some(at(3, 0)), "declared again, it keeps its place");
    let rest = page(&gateway, at(3, 0), ALL, 9);
    assert_eq!((words(&rest), rest.more), (vec!["four".to_owned()], false));
    // Neither back nor beyond the newest event.
    gateway.does(0, advance("hook", up_to(at(3, 99))));
    assert_eq!(place(&gateway, "hook"), Some(at(3, 0)), "no event has this number");
    gateway.does(0, advance("hook", up_to(at(2, 0))));
    assert_eq!(place(&gateway, "hook"), Some(at(3, 0)));
    gateway.does(0, advance("hook", up_to(at(99, 0))));
    assert_eq!(place(&gateway, "hook").map(|place| place.message), Some(MessageId(4)));
    gateway.does(0, declare(&[("other", false)]));
    assert_eq!(place(&gateway, "hook"), None, "one that is not named is forgotten");
    gateway.does(0, advance("hook", up_to(at(4, 0))));
    assert_eq!(place(&gateway, "hook"), None);
}

#[test]
fn events_are_kept_until_the_slowest_webhook_has_them_and_only_if_one_wants_them() {
    let gateway = with_tea(&["ann", "bob"]);
    let logged = |gateway: &Gateway| rows(gateway, "event_log");
    gateway.does(0, declare(&[("messages", false)]));
    gateway.does(0, join(room("tea"), user("bob")));
    assert_eq!(logged(&gateway), 0, "no webhook wants events");
    gateway.does(0, declare(&[("fast", true), ("messages", false), ("slow", true)]));
    gateway.does(0, kick(room("tea"), user("bob")));
    gateway.does(0, join(room("tea"), user("bob")));
    assert_eq!(logged(&gateway), 2);
    let newest = gateway.engine().newest_event().unwrap();
    gateway.does(0, advance("fast", up_to(newest)));
    assert_eq!(logged(&gateway), 2, "the slow one waits for them");
    gateway.does(0, advance("slow", up_to(newest)));
    assert_eq!(logged(&gateway), 0);
    gateway.does(0, kick(room("tea"), user("bob")));
    assert_eq!(logged(&gateway), 1);
    gateway.does(0, declare(&[]));
    assert_eq!(logged(&gateway), 0, "no webhook is left");
}

fn rows(gateway: &Gateway, table: &str) -> usize {
    let dump = gateway.engine().dump().unwrap();
    dump.iter().find(|(name, _)| *name == table).unwrap().1.len()
}

#[test]
fn messages_that_are_gone_leave_a_gap_whatever_removed_them() {
    let gateway = with_tea(&["ann"]);
    gateway.does(0, declare(&[("hook", false)]));
    let begin = place(&gateway, "hook").unwrap();
    let texts: Vec<String> = (1..=100).map(|number| number.to_string()).collect();
    posts(&gateway, "ann", &texts.iter().map(String::as_str).collect::<Vec<_>>());
    let keep = Some(10);
    let from = core_model::RoomId(0);
    let limit = u32::MAX;
    gateway.does(0, Command::Prune { before: None, keep_per_room: keep, from, limit });
    let found = words(&page(&gateway, begin, ALL, 100));
    assert_eq!(found[..2], ["gone 0..91", "91"]);
    assert_eq!(found.len(), 11);
    // The rows of what an owner removes are still there for a while.
    gateway.does(0, Command::ClearMessages { room: room("tea"), by: None });
    assert_eq!(words(&page(&gateway, begin, ALL, 100)), ["gone 0..101"]);
    posts(&gateway, "ann", &["new"]);
    assert_eq!(words(&page(&gateway, begin, ALL, 100)), ["gone 0..101", "new"]);
    gateway.does(0, delete(room("tea"), None));
    assert_eq!(words(&page(&gateway, begin, ALL, 100)), ["gone 0..102"]);
    // In small pages nothing is said twice, and nothing is left out.
    let gaps = paged(&gateway, Wanted { messages: true, events: false }, 7);
    assert_eq!(gaps.first().map(|gap| gap.starts_with("gone 0..")), Some(true), "{gaps:?}");
    let ends: Vec<(u64, u64)> = gaps
        .iter()
        .map(|gap| gap.strip_prefix("gone ").unwrap().split_once("..").unwrap())
        .map(|(after, before)| (after.parse().unwrap(), before.parse().unwrap()))
        .collect();
    assert!(ends.windows(2).all(|pair| pair[0].1 == pair[1].0 + 1), "{ends:?}");
    assert_eq!(ends.last().map(|(_, before)| *before), Some(102));
}

#[test]
fn a_dead_letter_keeps_its_event_and_is_settled_once() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, declare(&[("hook", true)]));
    posts(&gateway, "ann", &["one"]);
    gateway.does(0, join(room("tea"), user("bob")));
    let all = page(&gateway, place(&gateway, "hook").unwrap(), ALL, 9);
    assert_eq!(words(&all), ["one", "+bob"]);
    let dead = all.events.iter().map(|event| DeadLetter {
        position: event.position,
        attempts: 8,
        why: "no answer".into(),
    });
    let dead: Vec<DeadLetter> = dead.collect();
    let settled: Vec<EventPosition> = dead.iter().map(|dead| dead.position).collect();
    let given_up = WebhookProgress { up_to: Some(all.end), dead, ..WebhookProgress::default() };
    // Noted twice, as after a restart, it is one dead letter.
    gateway.does(0, advance("hook", given_up.clone()));
    gateway.does(0, advance("hook", given_up));
    assert_eq!(rows(&gateway, "event_log"), 0);
    let letters = gateway.engine().dead_letters("hook", EventPosition::default(), 9).unwrap();
    let events: Vec<_> = letters.iter().map(|letter| letter.event.clone().unwrap()).collect();
    assert_eq!(events, all.events);
    assert_eq!(gateway.engine().webhooks().unwrap()[0].dead_letters, 2);
    gateway.does(0, delete(room("tea"), None));
    let letters = gateway.engine().dead_letters("hook", EventPosition::default(), 9).unwrap();
    assert_eq!(letters[0].event, None, "its message is gone");
    assert!(letters[1].event.is_some());
    let settle = WebhookProgress { settled, ..WebhookProgress::default() };
    gateway.does(0, advance("hook", settle.clone()));
    gateway.does(0, advance("hook", settle));
    assert_eq!(gateway.engine().webhooks().unwrap()[0].dead_letters, 0);
}

#[test]
fn a_receiver_that_is_gone_stays_so_until_it_is_resumed() {
    let mut gateway = with_tea(&["ann"]);
    gateway.does(0, declare(&[("hook", true)]));
    let gone = |gone| WebhookProgress { gone: Some(gone), ..WebhookProgress::default() };
    gateway.now = 5_000;
    gateway.does(0, advance("hook", gone(true)));
    gateway.reopen();
    gateway.now = 6_000;
    gateway.does(0, declare(&[("hook", true)]));
    gateway.does(0, advance("hook", gone(true)));
    let since = |gateway: &Gateway| gateway.engine().webhooks().unwrap()[0].gone_since;
    assert_eq!(since(&gateway).map(|since| since.0), Some(5_000));
    gateway.does(0, advance("hook", gone(false)));
    assert_eq!(since(&gateway), None);
    assert!(matches!(gateway.does(0, advance("unknown", gone(true))), Reply::Done));
}

#[test]
fn messages_that_are_gone_are_told_of_though_other_events_fill_the_page() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, declare(&[("hook", true)]));
    let begin = place(&gateway, "hook").unwrap();
    for _ in 0..20 {
        posts(&gateway, "ann", &["hi"]);
        gateway.does(0, join(room("tea"), user("bob")));
        gateway.does(0, kick(room("tea"), user("bob")));
    }
    let (keep_per_room, from, limit) = (Some(1), core_model::RoomId(0), u32::MAX);
    gateway.does(0, Command::Prune { before: None, keep_per_room, from, limit });
    for limit in [1, 2, 5, 7, 100] {
        let (mut after, mut told, mut events) = (begin, 0, 0);
        loop {
            let page = page(&gateway, after, ALL, limit);
            for event in &page.events {
                assert!(after < event.position && event.position <= page.end, "{page:?}");
                match &event.what {
                    Logged::MessagesGone { after, before } => {
                        assert_eq!((after.0, event.position), (told, at(before.0 - 1, 0)));
                        told = before.0 - 1;
                    }
                    Logged::Message(message) => assert_eq!(message.id.0, 20),
                    _ => events += 1,
                }
            }
            if !page.more {
                break;
            }
            after = page.end;
        }
        assert_eq!((told, events), (19, 40), "in pages of {limit}");
    }
}

#[test]
fn of_many_events_that_no_webhook_waits_for_expiry_removes_the_rest() {
    let gateway = with_tea(&["ann", "bob"]);
    gateway.does(0, declare(&[("hook", true)]));
    for _ in 0..400 {
        gateway.does(0, join(room("tea"), user("bob")));
        gateway.does(0, kick(room("tea"), user("bob")));
    }
    gateway.does(0, Command::Expire);
    assert_eq!(rows(&gateway, "event_log"), 800, "the webhook waits for them");
    gateway.does(0, declare(&[]));
    assert_eq!(rows(&gateway, "event_log"), 800 - 512);
    gateway.does(0, Command::Expire);
    assert_eq!(rows(&gateway, "event_log"), 0);
}
