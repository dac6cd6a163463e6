//! Three servers, two nodes that propose all the time, and one fault after another.

use std::time::Instant;

use core_cluster::{Cluster, Error, LogInfo, Position, Settings};

use crate::node::{Node, assert_agree};
use crate::proxy::Proxy;
use crate::server::{PATIENCE, Server, program};

struct Three {
    servers: [Server; 3],
    proxies: [Proxy; 3],
    /// Asks beside the proxies.
    observer: Cluster,
}

impl Three {
    async fn start(program: &std::path::Path) -> Self {
        let servers = Server::three(program);
        let proxies = std::array::from_fn(|i| Proxy::before(servers[i].address()));
        let direct = servers.iter().map(Server::url).collect();
        let observer = Cluster::connect(settings(direct)).await.unwrap();
        observer.init(Position(0)).await.unwrap();
        Self { servers, proxies, observer }
    }

    async fn connect(&self) -> Cluster {
        let servers = self.proxies.iter().map(Proxy::url).collect();
        Cluster::connect(settings(servers)).await.unwrap()
    }

    /// The index of the server that leads, and one that does not.
    async fn roles(&self) -> (usize, usize) {
        let until = Instant::now() + PATIENCE;
        // The server that was asked may have no leader to answer for it yet.
        let leader = loop {
            match self.observer.info().await {
                Ok(LogInfo { leader: Some(leader), .. }) => break leader,
                Err(error) if !error.is_passing() => panic!("{error}"),
                _ => assert!(Instant::now() < until, "the log has no leader"),
            }
        };
        let leader = self.named(&leader);
        (leader, (leader + 1) % 3)
    }

    /// Waits until every server has all of the log.
    async fn wait_until_whole(&self) {
        let until = Instant::now() + PATIENCE;
        let is_whole = |info: LogInfo| info.leader.is_some() && info.behind.is_empty();
        while !self.observer.info().await.is_ok_and(is_whole) {
            assert!(Instant::now() < until, "a replica of the log stays behind");
        }
    }

    fn named(&self, name: &str) -> usize {
        self.servers.iter().position(|server| server.name == name).unwrap()
    }
}

fn settings(servers: Vec<String>) -> Settings {
    let mut settings = Settings::new("test", servers);
    settings.log_bytes_max = 256 << 20;
    settings
}

/// Both have applied more of their own.
#[track_caller]
fn go_on(what: &str, nodes: [&Node; 2]) {
    let from = Instant::now();
    nodes.iter().for_each(|node| node.goes_on(50));
    println!("{what}: both go on after {:?}", from.elapsed());
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_stopped_and_cut_servers_cost_time_and_nothing_else() {
    let Some(program) = program() else { return };
    let mut three = Three::start(&program).await;
    let clusters = [three.connect().await, three.connect().await];
    let a = Node::start(&clusters[0], 1).await;
    let b = Node::start(&clusters[1], 2).await;
    let nodes = [&a, &b];
    nodes.iter().for_each(|node| node.propose_until(u64::MAX));
    go_on("no fault", nodes);

    kill_followers(&mut three, nodes).await;

    let (leader, follower) = three.roles().await;
    three.servers[follower].stop();
    go_on("follower stopped", nodes);
    three.servers[follower].go_on();
    go_on("follower goes on", nodes);

    cut_links(&three, &clusters[0], nodes, [follower, leader]);

    let (leader, _) = three.roles().await;
    three.servers[leader].stop();
    let mut health = a.handle.watch();
    let cut_off = tokio::time::timeout(PATIENCE, health.wait_for(|health| health.is_cut_off));
    cut_off.await.expect("the node notices").unwrap();
    go_on("leader stopped", nodes);
    three.servers[leader].go_on();
    go_on("leader goes on", nodes);

    let (leader, _) = three.roles().await;
    three.servers[leader].kill();
    go_on("leader killed", nodes);
    three.servers[leader].run();
    go_on("leader back", nodes);

    assert_agree(&a, &b);
    for node in nodes {
        let counts = node.handle.counts();
        let state = node.state();
        println!("run {}: {} repeats, {} void, {counts:?}", node.run, state.repeats, state.void);
        assert_eq!(counts.foreign, 0);
    }

    // A majority is away: the third server answers, and says that it leads nothing.
    let (leader, follower) = three.roles().await;
    let last = 3 - leader - follower;
    three.servers[leader].kill();
    three.servers[follower].kill();
    let lone = Cluster::connect(settings(vec![three.servers[last].url()])).await.unwrap();
    let refused = lone.info().await.unwrap_err();
    assert!(matches!(refused, Error::NoQuorum { .. }), "{refused}");
    assert!(refused.is_passing());
}

/// Both, one after the other.
async fn kill_followers(three: &mut Three, nodes: [&Node; 2]) {
    // One of the two makes the consumers of all, unless the leader of the log does.
    for _ in 0..2 {
        let (leader, follower) = three.roles().await;
        let other = 3 - leader - follower;
        let killed = if three.servers[follower].leads_all() { follower } else { other };
        let what = three.servers[killed].leads_all();
        three.servers[killed].kill();
        go_on(&format!("follower killed, which led all streams: {what}"), nodes);
        three.servers[killed].run();
        go_on("follower back", nodes);
        three.wait_until_whole().await;
    }
}

/// Of all nodes to a follower, to the leader, and to the server of the first node, one at a time.
fn cut_links(three: &Three, cluster: &Cluster, nodes: [&Node; 2], servers: [usize; 2]) {
    for (what, server) in ["follower", "leader"].into_iter().zip(servers) {
        three.proxies[server].cut();
        go_on(&format!("{what} cut off from the nodes"), nodes);
        three.proxies[server].heal();
        go_on(&format!("{what} healed"), nodes);
    }
    // What was on its way then arrives when it was sent again already.
    let repeats = nodes[0].state().repeats;
    let server = three.named(&cluster.server_name());
    three.proxies[server].cut();
    go_on("server of a node cut off", nodes);
    three.proxies[server].heal();
    nodes[0].wait_for("read a repeat", |state| state.repeats > repeats);
}
