//! All servers away, and back.

use core_cluster::{Cluster, Link, Position};

use crate::node::{Node, assert_agree};
use crate::server::{PATIENCE, Server, program};

#[tokio::test(flavor = "multi_thread")]
async fn a_node_without_any_server_is_cut_off_then_gone_and_comes_back() {
    let Some(program) = program() else { return };
    let mut server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let (a, b) = (Node::start(&cluster, 1).await, Node::start(&cluster, 2).await);
    for node in [&a, &b] {
        node.propose_until(u64::MAX);
        node.goes_on(50);
    }
    server.kill();
    let killed = std::time::Instant::now();
    let mut health = a.handle.watch();
    let mut wait = async |what: &str, is_so: fn(&core_cluster::Health) -> bool| {
        let found = tokio::time::timeout(PATIENCE, health.wait_for(is_so)).await;
        println!("{what} after {:?}: {:?}", killed.elapsed(), found.expect(what).unwrap());
    };
    wait("down", |health| health.link == Link::Down).await;
    wait("cut off", |health| health.is_cut_off).await;
    assert!(a.handle.fresh().await.is_err());
    wait("gone", |health| health.link == Link::Gone).await;
    assert!(killed.elapsed().as_secs() >= 10);
    server.run();
    wait("up", |health| health.link == Link::Up && !health.is_cut_off).await;
    for node in [&a, &b] {
        node.goes_on(50);
    }
    assert_agree(&a, &b);
}
