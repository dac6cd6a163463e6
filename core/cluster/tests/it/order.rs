//! One server, no faults: order, repeats, barriers, foreign messages.

use std::time::Duration;

use bytes::Bytes;
use core_cluster::{Cluster, Credentials, Error, Position, Settings};

use crate::node::{Node, assert_agree, entry};
use crate::server::{Server, program};

#[tokio::test(flavor = "multi_thread")]
async fn two_nodes_read_what_both_propose_in_one_order() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let made = cluster.init(Position(0)).await.unwrap();
    let other = Cluster::connect(server.settings()).await.unwrap();
    let (a, b) = (Node::start(&cluster, 1).await, Node::start(&other, 2).await);
    assert_eq!((a.handle.id(), b.handle.id()), (&made.id, &made.id));
    assert!(a.handle.is_cut_off(), "nothing of its own was applied yet");
    let began = std::time::Instant::now();
    for node in [&a, &b] {
        node.propose_until(500);
    }
    for node in [&a, &b] {
        node.wait_for("applied all", |state| state.own == 500);
        assert!(!node.handle.is_cut_off());
    }
    println!("1000 entries in {:?}", began.elapsed());
    assert_agree(&a, &b);
    assert_eq!(a.state().applied.len(), 1000);
    assert_eq!(a.handle.counts().resent, 0);
    let state = a.state();
    assert_eq!((state.repeats, state.void), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_begins_after_its_position() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let id = cluster.init(Position(700)).await.unwrap().id;
    assert_eq!(cluster.info().await.unwrap().last, Position(700));
    let log = cluster.open(Position(700), Some(&id)).await.unwrap();
    for e in 1..=9 {
        log.handle.propose(e, entry(1, e)).unwrap();
    }
    let positions = tokio::task::spawn_blocking(move || {
        let mut reader = log.reader;
        let mut positions = Vec::new();
        while positions.len() < 9 {
            let batch = reader.next_batch().unwrap();
            positions.extend(batch.entries.iter().map(|entry| entry.position.0));
            log.handle.applied(batch.position, Some(positions.len() as u64));
        }
        positions
    });
    assert_eq!(positions.await.unwrap(), (701..=709).collect::<Vec<_>>());
    let mut log = cluster.open(Position(704), Some(&id)).await.unwrap();
    let first =
        tokio::task::spawn_blocking(move || log.reader.next_batch().unwrap().entries[0].clone());
    let first = first.await.unwrap();
    assert_eq!((first.position, first.bytes), (Position(705), entry(1, 5)));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fresh_read_comes_after_what_others_were_answered() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let (a, b) = (Node::start(&cluster, 1).await, Node::start(&cluster, 2).await);
    for round in 1..=20 {
        a.propose_until(round * 5);
        a.wait_for("applied", |state| state.own == round * 5);
        // What `a` has answered, `b` shows to all that ask afterwards, with one barrier or two.
        let before = a.handle.counts().sent;
        let (x, y, z) = tokio::join!(b.handle.fresh(), b.handle.fresh(), b.handle.fresh());
        assert_eq!((x, y, z), (Ok(()), Ok(()), Ok(())));
        assert_eq!(b.state().applied.len() as u64, round * 5);
        assert_eq!(a.handle.counts().sent, before);
    }
    assert!(b.handle.counts().sent <= 40, "barriers are shared");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_other_programs_write_is_left_out_by_all() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let (a, b) = (Node::start(&cluster, 1).await, Node::start(&cluster, 2).await);
    let stranger = async_nats::connect(server.url()).await.unwrap();
    let mut marked = async_nats::HeaderMap::new();
    marked.insert("Dragoman-Log", "0123456789abcdef");
    for bytes in ["what is this?", ""] {
        stranger.publish("dragoman.test.log.0", bytes.into()).await.unwrap();
    }
    let bytes = entry(1, 1);
    stranger.publish_with_headers("dragoman.test.log.0", marked, bytes).await.unwrap();
    stranger.flush().await.unwrap();
    for node in [&a, &b] {
        node.propose_until(20);
        node.wait_for("applied all", |state| state.own == 20);
    }
    assert_agree(&a, &b);
    assert_eq!(a.state().position, Position(43));
    assert_eq!((a.handle.counts().foreign, b.handle.counts().foreign), (3, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_entry_that_was_void_is_sent_again_with_all_after_it() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let mut log = cluster.open(Position(0), None).await.unwrap();
    for e in 1..=5 {
        log.handle.propose(e, entry(1, e)).unwrap();
    }
    // The engine applies 1 and 2 and finds the others void, as if 3 had been lost.
    let read = tokio::task::spawn_blocking(move || {
        let mut read = Vec::new();
        while read.len() < 8 {
            // Sooner than the proposer's last resort, which sends all again after ten seconds.
            let batch = log.reader.next_batch_within(Duration::from_secs(8)).unwrap();
            let batch = batch.expect("it is sent again");
            read.extend(batch.entries.into_iter().map(|entry| entry.bytes));
            if read.len() == 5 {
                log.handle.applied(batch.position, Some(2));
            }
        }
        read
    });
    let read = read.await.unwrap();
    let again: Vec<Bytes> = (1..=5).chain(3..=5).map(|e| entry(1, e)).collect();
    assert_eq!(read[..8], again);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_cannot_be_sent_is_refused_at_once() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let log = cluster.open(Position(0), None).await.unwrap();
    let large = Bytes::from(vec![b'x'; core_cluster::ENTRY_BYTES_MAX]);
    let refused = log.handle.propose(1, Bytes::from([&large[..], b"x"].concat()));
    assert!(matches!(refused, Err(Error::EntryTooLarge { .. })), "{refused:?}");
    // Nothing is applied, so all of them stay.
    let refused = (1..).find_map(|e| log.handle.propose(e, large.clone()).err());
    let refused = refused.unwrap();
    assert!(matches!(refused, Error::Backlog { entries: 128, .. }), "{refused}");
    log.handle.abandon();
    log.handle.propose(1, large).unwrap();
}

/// A consumer is made by the leader of all streams, which may be away while the log has its own.
#[tokio::test(flavor = "multi_thread")]
async fn the_log_is_read_while_no_consumer_can_be_made() {
    let Some(program) = program() else { return };
    let denied = "publish: { deny: \"$JS.API.CONSUMER.>\" }";
    let user = format!("{{ user: ann, password: tea, permissions: {{ {denied} }} }}");
    let config = format!("jetstream {{}}\nauthorization {{ users: [ {user} ] }}");
    let server = Server::with(&program, &config);
    let credentials = Credentials::User { user: "ann".into(), password: "tea".into() };
    let settings = Settings { credentials, ..server.settings() };
    let cluster = Cluster::connect(settings).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let (a, b) = (Node::start(&cluster, 1).await, Node::start(&cluster, 2).await);
    let began = std::time::Instant::now();
    for node in [&a, &b] {
        node.propose_until(200);
    }
    for node in [&a, &b] {
        node.wait_for("applied all", |state| state.own == 200);
    }
    let counts = a.handle.counts();
    println!("400 entries in {:?}, {counts:?}", began.elapsed());
    assert_agree(&a, &b);
    assert!(counts.subscriptions == 0 && counts.fetched > 0);
}
