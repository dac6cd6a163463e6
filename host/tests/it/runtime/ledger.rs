//! The ledger adds up, whatever happens to connections.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use serde_json::Value;

use super::client::{Lines, http, soon};
use super::stage::{Stagecraft, frontend};
use super::stream::{kinds, post, seated};

/// The deliveries of all front ends and kinds of rooms, by outcome, once nothing is pending.
struct Sums {
    posted: u64,
    read: u64,
    owed: u64,
    outcomes: BTreeMap<String, u64>,
}

impl Sums {
    /// Asserts that they add up.
    async fn of(stage: &Stagecraft) -> Self {
        let admin = stage.gateway.admin_address().expect("it listens");
        Self::read(admin).await
    }

    async fn read(admin: SocketAddr) -> Self {
        let reply = http(admin, &["GET /ledger HTTP/1.1"], "").await;
        assert_eq!(reply.status, 200, "{reply:?}");
        let report: Value = serde_json::from_str(&reply.body).unwrap();
        let mut sums = Self { posted: 0, read: 0, owed: 0, outcomes: BTreeMap::new() };
        let mut pending = 0;
        for frontend in report["frontends"].as_array().unwrap() {
            assert_eq!(frontend["mismatch"], 0, "{report}");
            for room in frontend["rooms"].as_object().unwrap().values() {
                let count = |key: &str| room[key].as_u64().unwrap();
                let sum = |key: &str| -> u64 {
                    room[key]
                        .as_object()
                        .unwrap()
                        .values()
                        .map(|count| count.as_u64().unwrap())
                        .sum()
                };
                sums.posted += count("posted");
                sums.read += count("read");
                sums.owed += sum("owed");
                pending += sum("pending");
                for (outcome, count) in room["deliveries"].as_object().unwrap() {
                    *sums.outcomes.entry(outcome.clone()).or_default() += count.as_u64().unwrap();
                }
            }
        }
        sums.outcomes.retain(|_, count| *count > 0);
        assert_eq!(pending, 0, "{report}");
        assert_eq!(sums.owed, sums.outcomes.values().sum::<u64>(), "{report}");
        sums
    }

    fn outcome(&self, word: &str) -> u64 {
        self.outcomes.get(word).copied().unwrap_or(0)
    }
}

/// Waits until a connection has everything of its requests so far, and has told the ledger: the
/// second request is read after that.
async fn settle(client: &mut Lines) {
    client.send(r#"ask {"ask":"last_change"}"#).await;
    read_until(client, "= last_change").await;
    client.send("say settled").await;
    read_until(client, "settled ").await;
}

async fn read_until(client: &mut Lines, last: &str) {
    while kinds(&[client.line().await.expect("it is open")]) != [last] {}
}

/// Reads until this many others have left.
async fn see_off(client: &mut Lines, count: usize) {
    let mut left = 0;
    while left < count {
        let line = client.line().await.expect("it is open");
        left += usize::from(kinds(&[line]) == ["* left"]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_delivery_has_its_outcome() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut ann = seated(&stage, "ann").await;
    let mut bob = seated(&stage, "bob").await;
    for text in ["others", "ask", "panic", "nothing", "unseen", "the last"] {
        bob.send(&post(text)).await;
    }
    while !ann.line().await.expect("it is open").contains("the last") {}
    bob.send(r#"ask {"ask":"history","room":{"name":"tea"},"limit":4}"#).await;
    settle(&mut ann).await;
    settle(&mut bob).await;
    let sums = Sums::of(&stage).await;
    assert_eq!((sums.posted, sums.read, sums.owed), (6, 4, 12));
    let outcomes = [("written", 5), ("own", 2), ("hidden", 3), ("fault", 2)];
    let outcomes = outcomes.map(|(word, count)| (word.to_owned(), count));
    assert_eq!(sums.outcomes, outcomes.into());
}

#[tokio::test(flavor = "multi_thread")]
async fn it_adds_up_when_a_session_fails_on_a_message() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut ann = seated(&stage, "ann").await;
    let mut bob = seated(&stage, "bob").await;
    ann.lines(2).await;
    ann.send(&post("fail")).await;
    assert_eq!((bob.line().await, ann.line().await.is_some()), (None, true));
    assert_eq!(ann.line().await, None);
    let mut zoe = seated(&stage, "zoe").await;
    zoe.send(&post("hello")).await;
    settle(&mut zoe).await;
    let sums = Sums::of(&stage).await;
    assert_eq!((sums.owed, sums.outcome("fault"), sums.outcome("written")), (3, 2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn it_adds_up_when_a_peer_that_does_not_read_is_cut_off() {
    let stage = Stagecraft::start(|frontend| frontend.limits.mailbox_bytes_max = 100_000).await;
    let mut ann = seated(&stage, "ann").await;
    let _bob = seated(&stage, "bob").await;
    ann.lines(2).await;
    let text = "x".repeat(16_000);
    let mut posted = 0;
    loop {
        ann.send(&post(&text)).await;
        posted += 1;
        if kinds(&ann.lines(2).await).contains(&"* left".into()) {
            break;
        }
        assert!(posted < 5_000, "it is cut off");
    }
    settle(&mut ann).await;
    let sums = Sums::of(&stage).await;
    assert_eq!(sums.posted, posted);
    assert!(sums.outcome("cut_off") > 0, "{:?}", sums.outcomes);
    assert!(sums.owed > posted && sums.outcome("written") > posted, "{:?}", sums.outcomes);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_adds_up_when_clients_are_killed() {
    const CLIENTS: usize = 12;
    let stage = Stagecraft::start(|_| ()).await;
    let mut ann = seated(&stage, "ann").await;
    let mut clients = Vec::new();
    for n in 0..CLIENTS {
        clients.push(Lines::connect(stage.address("lines")).await);
        let client = clients.last_mut().expect("one was pushed");
        let [sign_in, enter] = super::stream::seat(&format!("c{n}"));
        client.send(&format!("{sign_in}\n{enter}")).await;
        client.lines(2).await;
    }
    for n in 0..CLIENTS {
        let posts: Vec<_> = (0..50).map(|m| post(&format!("{n} {m}"))).collect();
        ann.send(&posts.join("\n")).await;
        // With unread bytes in the socket the system resets the connection.
        drop(clients.pop());
    }
    see_off(&mut ann, CLIENTS).await;
    settle(&mut ann).await;
    let sums = Sums::of(&stage).await;
    assert_eq!(sums.posted, 50 * CLIENTS as u64);
    assert!(sums.outcome("written") >= sums.posted, "{:?}", sums.outcomes);
}

#[tokio::test(flavor = "multi_thread")]
async fn it_adds_up_over_a_reload_that_replaces_the_front_end() {
    let mut stage = Stagecraft::start(|_| ()).await;
    let mut ann = seated(&stage, "ann").await;
    let posts: Vec<_> = (0..100).map(|n| post(&format!("n{n}"))).collect();
    ann.send(&posts.join("\n")).await;
    let mut changed = super::stage::config(stage.folder.path(), vec![frontend()]);
    changed.frontends[0].options = serde_json::json!({ "changed": true });
    assert!(soon(stage.gateway.reload(changed)).await);
    let mut bob = seated(&stage, "bob").await;
    bob.send(&post("after")).await;
    while ann.line().await.is_some() {}
    drop(ann);
    settle(&mut bob).await;
    let sums = Sums::of(&stage).await;
    assert!(sums.posted > 0 && sums.owed >= sums.posted, "{}", sums.posted);
    assert!(sums.outcome("written") > 0, "{:?}", sums.outcomes);
}
