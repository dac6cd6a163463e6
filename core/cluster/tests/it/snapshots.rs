//! Whole stores in the object store.

use std::time::Duration;

use async_nats::jetstream;
use core_cluster::{Cluster, Error, LogId, Position, Snapshot, Snapshots};
use tokio::io::AsyncReadExt;

use crate::server::{Server, program};

fn store(of: u64) -> Vec<u8> {
    (0..700_000 + of).map(|n| (n * 31 + of) as u8).collect()
}

async fn read(snapshots: &Snapshots, snapshot: &Snapshot) -> Vec<u8> {
    let mut bytes = Vec::new();
    snapshots.get(snapshot).await.unwrap().read_to_end(&mut bytes).await.unwrap();
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn the_newest_two_of_a_log_are_kept() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let id = cluster.init(Position(0)).await.unwrap().id;
    let snapshots = cluster.snapshots();
    let none = snapshots.newest(&id).await.unwrap_err();
    assert_eq!(none, Error::NoSnapshot { id: id.clone() });
    for position in [0, 500, 1000, 2000] {
        let bytes = store(position);
        let put = snapshots.put(&id, Position(position), &mut &bytes[..]).await.unwrap();
        assert_eq!((put.position, put.bytes), (Position(position), bytes.len() as u64));
        assert_eq!(snapshots.newest(&id).await.unwrap(), put);
        assert_eq!(read(&snapshots, &put).await, bytes);
    }
    let kept = snapshots.list(&id).await.unwrap();
    let positions: Vec<u64> = kept.iter().map(|snapshot| snapshot.position.0).collect();
    assert_eq!(positions, [2000, 1000]);
    assert_eq!(read(&snapshots, &kept[1]).await, store(1000));
}

#[tokio::test(flavor = "multi_thread")]
async fn snapshots_of_another_log_are_not_seen_and_go_with_the_next() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let id = cluster.init(Position(0)).await.unwrap().id;
    let other = LogId::parse("0123456789abcdef").unwrap();
    let snapshots = cluster.snapshots();
    snapshots.put(&other, Position(9000), &mut &store(1)[..]).await.unwrap();
    assert_eq!(snapshots.list(&id).await.unwrap(), []);
    let put = snapshots.put(&id, Position(7), &mut &store(2)[..]).await.unwrap();
    assert_eq!(snapshots.list(&id).await.unwrap(), [put]);
    assert_eq!(snapshots.list(&other).await.unwrap(), []);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_snapshot_whose_source_fails_is_not_there() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let id = cluster.init(Position(0)).await.unwrap().id;
    let snapshots = cluster.snapshots();
    let half = store(3);
    let broken = failing_reader(&half);
    let failed = snapshots.put(&id, Position(5), &mut { broken }).await.unwrap_err();
    assert!(failed.to_string().contains("the disk is gone"), "{failed}");
    assert_eq!(snapshots.list(&id).await.unwrap(), []);
    // What has arrived of it takes room until it is old enough.
    let put = snapshots.put(&id, Position(6), &mut &half[..]).await.unwrap();
    let operator = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let bytes = async || {
        let bucket = operator.get_stream("OBJ_dragoman-test-snapshots").await.unwrap();
        bucket.cached_info().state.bytes
    };
    assert!(bytes().await > 1_400_000);
    snapshots.remove_incomplete(Duration::ZERO).await.unwrap();
    assert!(bytes().await < 800_000);
    assert_eq!(read(&snapshots, &put).await, half);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_replaces_another_goes_on_after_it() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let former = cluster.init(Position(0)).await.unwrap();
    cluster.remove().await.unwrap();
    cluster.remove().await.unwrap();
    assert!(matches!(cluster.info().await, Err(Error::NoLog { .. })));
    let next = cluster.init(Position(41)).await.unwrap();
    assert_ne!(next.id, former.id);
    assert_eq!((next.first, next.last), (Position(42), Position(41)));
}

/// Gives these bytes, and then an error.
fn failing_reader(bytes: &[u8]) -> impl tokio::io::AsyncRead + Unpin {
    struct Failing;
    impl tokio::io::AsyncRead for Failing {
        fn poll_read(
            self: std::pin::Pin<&mut Self>,
            _: &mut std::task::Context<'_>,
            _: &mut tokio::io::ReadBuf<'_>,
        ) -> std::task::Poll<std::io::Result<()>> {
            std::task::Poll::Ready(Err(std::io::Error::other("the disk is gone")))
        }
    }
    bytes.chain(Failing)
}
