//! A cluster as processes: what dies, stops or is cut off costs time and nothing else.

mod faults;
mod observer;
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

use gateway_tests::{Channel, Launch, UsrRoom};
use serde_json::json;

use faults::Faults;
use site::Site;

#[test]
fn what_dies_stops_or_is_cut_off_costs_time_and_nothing_else() {
    let Some(program) = server::program() else { return };
    let site = Site::start(&program, |node| if node == 1 { "reads = \"fresh\"" } else { "" });
    read_afresh(&site);
    let mut faults = Faults::begin(site);
    faults.kill_a_gateway();
    faults.add_a_gateway();
    faults.stop_a_gateway();
    faults.cut_a_gateway_off();
    for server in [Faults::a_follower, Faults::the_leader] {
        faults.kill_a_server(server);
        faults.stop_a_server(server);
        faults.cut_a_server_off(server);
    }
    faults.terminate_a_gateway();

    let Faults { site, posters, observers } = faults;
    let acknowledged = posters.finish();
    let history = assert_agree(&site, &acknowledged);
    observers.into_iter().flatten().for_each(|observer| observer.has_heard(&history));
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
    assert_eq!(gateway.wait_for_exit(), 78);
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

/// Every gateway shows the same messages in the same order: each that was acknowledged, once.
fn assert_agree(site: &Site, acknowledged: &BTreeSet<String>) -> Vec<String> {
    let histories: Vec<Vec<(String, String)>> = (0..site.gateways.len())
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
    let digests = site.digests();
    assert!(digests.iter().all(|digest| *digest == digests[0]), "{digests:?}");
    println!("{} messages, {} acknowledged", count.len(), acknowledged.len());
    histories[0].iter().map(|(_, text)| text.clone()).collect()
}
