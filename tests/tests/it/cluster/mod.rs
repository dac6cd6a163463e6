//! A cluster as processes: what dies, stops or is cut off costs time and nothing else.

mod posters;
#[allow(dead_code, reason = "the tests of core-cluster use the rest")]
#[path = "../../../../core/cluster/tests/it/proxy.rs"]
mod proxy;
#[allow(dead_code, reason = "the tests of core-cluster use the rest")]
#[path = "../../../../core/cluster/tests/it/server.rs"]
mod server;
mod site;
mod verbs;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use gateway_tests::{Channel, Irc, Launch, UsrRoom};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::json;

use posters::Posters;
use site::Site;

#[test]
fn what_dies_stops_or_is_cut_off_costs_time_and_nothing_else() {
    let Some(program) = server::program() else { return };
    let mut site = Site::start(&program, |node| if node == 1 { "reads = \"fresh\"" } else { "" });
    read_afresh(&site);
    let addresses = (0..3).map(|gateway| site.address(gateway, "channel", "listen")).collect();
    let posters = Posters::start(addresses, 2);
    let mut observer = Observer::join(&site);
    posters.all_go_on(5);

    kill_a_gateway(&mut site, &posters, &mut observer);
    stop_a_gateway(&site, &posters, &mut observer);
    cut_a_gateway_off(&site, &posters);
    kill_servers(&mut site, &posters);
    terminate_a_gateway(&mut site, &posters, &mut observer);

    let acknowledged = posters.finish();
    let history = assert_agree(&site, &acknowledged);
    observer.has_heard(&history);
}

/// A client of the first gateway, which lives through all of it.
struct Observer {
    irc: Irc,
    /// The texts that it was shown.
    heard: Vec<String>,
}

impl Observer {
    fn join(site: &Site) -> Self {
        let mut irc = Irc::sign_on(site.address(0, "irc", "listen"), "observer", None);
        irc.join("#TEST");
        Self { irc, heard: Vec::new() }
    }

    #[track_caller]
    fn wait_for(&mut self, part: &str) -> String {
        loop {
            let line = self.irc.receive();
            if let Some((_, text)) = line.split_once(" PRIVMSG #TEST :") {
                self.heard.push(text.to_owned());
            }
            if line.contains(part) {
                return line;
            }
        }
    }

    /// It has heard the end of this history, each message once and in this order.
    fn has_heard(mut self, history: &[String]) {
        let last = history.last().expect("there are messages");
        if self.heard.last() != Some(last) {
            self.wait_for(&format!(" PRIVMSG #TEST :{last}"));
        }
        let first = history.len().checked_sub(self.heard.len()).expect("none twice");
        assert!(self.heard == history[first..], "it has heard something else");
    }
}

/// A query of a gateway that reads afresh sees what another one has answered just before.
fn read_afresh(site: &Site) {
    let mut ann = Channel::enroll(site.address(0, "channel", "listen"), "ann");
    let mut usr = UsrRoom::connect(site.address(1, "usr_room", "listen"));
    ann.send("TEST", "afresh 0");
    let found = usr.done("/search", &json!({"key": "TEST"}));
    let room = found["rooms"][0]["room_id"].as_u64().expect("TEST is declared");
    for n in 1..=20 {
        ann.send("TEST", &format!("afresh {n}"));
        assert_eq!(usr.history(room).len(), n + 1);
    }
}

/// The sentence of a start that is refused.
fn refusal(launch: Launch) -> String {
    let mut gateway = launch.spawn();
    assert_eq!(gateway.wait_for_exit(), 1);
    gateway.log().text()
}

#[test]
fn a_store_and_its_configuration_agree_on_whether_there_is_a_cluster() {
    let alone = "[frontends.channel]\n";
    let cluster = "[cluster]\nname = \"test\"\nservers = \"nats://127.0.0.1:1\"\n";
    let member = format!("{cluster}{alone}");
    let launch = Launch::of(alone);
    core_engine::follow_log(&launch.folder().join("chat.redb"), 7, 0).expect("the store is new");
    let said = refusal(launch.clone());
    assert!(
        said.contains("follows the log of a cluster, and there is no section [cluster]"),
        "{said}"
    );

    let launch = Launch::of(&member);
    // Without a store it would ask the servers for a snapshot.
    let store = launch.folder().join("chat.redb");
    drop(core_engine::Engine::<()>::open(&store, core_engine::Options::default(), |_| ()));
    let said = refusal(launch);
    assert!(said.contains("there is a section [cluster], and the store"), "{said}");
    assert!(said.contains("follows no log: begin the cluster with it"), "{said}");
}

/// Its clients' seats go, with the events of connections that end; started again, it serves again.
fn kill_a_gateway(site: &mut Site, posters: &Posters, observer: &mut Observer) {
    let mut ghost = Irc::sign_on(site.address(2, "irc", "listen"), "killed", None);
    ghost.join("#TEST");
    observer.wait_for(":killed!");
    site.gateways[2].kill();
    let from = Instant::now();
    posters.go_on(0, 5);
    posters.go_on(1, 5);
    println!("gateway killed: the others go on after {:?}", from.elapsed());
    let left = observer.wait_for(":killed!");
    assert!(left.contains(" QUIT ") || left.contains(" PART "), "{left}");
    println!("gateway killed: its seats are gone after {:?}", from.elapsed());
    site.restart(2);
    posters.moved(2, site.address(2, "channel", "listen"));
    let back = posters.go_on(2, 1);
    println!("gateway killed: it serves {back:?} after its start");
}

/// The others end its run. When it goes on, it notices, closes its streams and begins another.
fn stop_a_gateway(site: &Site, posters: &Posters, observer: &mut Observer) {
    let mut ghost = Irc::sign_on(site.address(1, "irc", "listen"), "stopped", None);
    ghost.join("#TEST");
    observer.wait_for(":stopped!");
    let run = site.metric(1, "dragoman_cluster_run");
    let pid = Pid::from_raw(site.gateways[1].pid() as i32).expect("it is no 0");
    kill_process(pid, Signal::STOP).expect("it is our child");
    observer.wait_for(":stopped!");
    kill_process(pid, Signal::CONT).expect("it is our child");
    let from = Instant::now();
    // Its connection ends: it would be in a room for itself alone.
    ghost.receive_until("ERROR ");
    assert!(site.metric(1, "dragoman_cluster_run") > run);
    posters.go_on(1, 3);
    println!("gateway stopped: it serves {:?} after it goes on", from.elapsed());
}

/// It says so, refuses, and goes on with the same run.
fn cut_a_gateway_off(site: &Site, posters: &Posters) {
    let run = site.metric(0, "dragoman_cluster_run");
    site.cut(0);
    let noticed = site.wait_for_readiness(0, 503);
    println!("gateway cut off: it says so after {noticed:?}");
    posters.are_refused(0, 3);
    posters.go_on(1, 5);
    let (_, text) = site.readiness(0);
    assert!(text.starts_with("cut off from the log of the cluster: "), "{text}");
    site.heal(0);
    let back = posters.go_on(0, 1);
    println!("gateway cut off: it serves {back:?} after it is healed");
    site.wait_for_readiness(0, 200);
    println!("run {run}, then {}", site.metric(0, "dragoman_cluster_run"));
}

fn kill_servers(site: &mut Site, posters: &Posters) {
    let follower = (site.leader() + 1) % 3;
    site.servers[follower].kill();
    let from = Instant::now();
    posters.all_go_on(3);
    println!("follower killed: all go on after {:?}", from.elapsed());
    site.servers[follower].run();

    let leader = site.leader();
    site.servers[leader].kill();
    let from = Instant::now();
    posters.all_go_on(3);
    println!("leader killed: all go on after {:?}", from.elapsed());
    site.servers[leader].run();
}

/// Its last entry ends its run, so that its seats are gone when it is.
fn terminate_a_gateway(site: &mut Site, posters: &Posters, observer: &mut Observer) {
    let mut ghost = Irc::sign_on(site.address(2, "irc", "listen"), "drained", None);
    ghost.join("#TEST");
    observer.wait_for(":drained!");
    assert_eq!(site.gateways[2].terminate(), 0);
    observer.wait_for(":drained!");
    posters.go_on(0, 3);
    site.restart(2);
    posters.moved(2, site.address(2, "channel", "listen"));
    posters.go_on(2, 3);
}

/// Every gateway shows the same messages in the same order: each that was acknowledged, once.
fn assert_agree(site: &Site, acknowledged: &BTreeSet<String>) -> Vec<String> {
    let histories: Vec<Vec<(String, String)>> = (0..3)
        .map(|gateway| {
            let address = site.address(gateway, "channel", "listen");
            // Its own command comes after all before it, on whatever gateway.
            Channel::enroll(address, &format!("reader-{gateway}")).history("TEST")
        })
        .collect();
    assert!(histories.iter().all(|history| *history == histories[0]), "two orders");
    let mut count: BTreeMap<&str, usize> = BTreeMap::new();
    for (_, text) in &histories[0] {
        *count.entry(text).or_default() += 1;
    }
    let twice: Vec<_> = count.iter().filter(|(_, count)| **count > 1).collect();
    assert!(twice.is_empty(), "stored twice: {twice:?}");
    let lost: Vec<_> = acknowledged.iter().filter(|text| !count.contains_key(&***text)).collect();
    assert!(lost.is_empty(), "{} acknowledged ones are lost: {lost:?}", lost.len());
    println!("{} messages, {} acknowledged", count.len(), acknowledged.len());
    histories[0].iter().map(|(_, text)| text.clone()).collect()
}
