//! `dragoman cluster`, and what a gateway does by itself at its start.

use std::path::Path;

use core_cluster::Cluster;
use gateway_tests::{Channel, Gateway, Launch};
use serde_json::Value;

use super::server::{self, Server};
use crate::backup::run;

/// One of the gateways of a log on one server.
fn launch(server: &Server, node: &str, login: &str) -> Launch {
    Launch::of(&format!(
        "[cluster]\nname = \"test\"\nnode = {node:?}\nservers = [{:?}]\nreplicas = 1\n\
         log_bytes = 16777216\n{login}\n[frontends.channel]\n[[rooms]]\nname = \"tea\"\n",
        server.url()
    ))
}

#[track_caller]
fn done(folder: &Path, arguments: &[&str]) -> String {
    let (code, out, why) = run(folder, arguments);
    assert_eq!(code, 0, "{arguments:?}: {out}{why}");
    out
}

#[track_caller]
fn refused(folder: &Path, arguments: &[&str], said: &str) {
    let (code, out, why) = run(folder, arguments);
    assert_eq!(code, 1, "{arguments:?}: {out}{why}");
    assert!(out.contains(said) || why.contains(said), "{arguments:?}: {out}{why}");
}

fn serve(launch: &Launch) -> Gateway {
    let mut gateway = launch.clone().spawn();
    gateway.wait_for_listener("channel", "listen");
    gateway
}

fn texts(gateway: &Gateway, reader: &str) -> Vec<String> {
    let mut reader = Channel::enroll(gateway.address("channel", "listen"), reader);
    reader.history("tea").into_iter().map(|(_, text)| text).collect()
}

fn status(folder: &Path) -> Value {
    serde_json::from_str(&done(folder, &["cluster", "status", "--json"])).expect("it is JSON")
}

#[test]
fn a_cluster_is_begun_and_joined_and_goes_on_after_its_log_is_lost() {
    let Some(program) = server::program() else { return };
    let server = Server::start(&program);
    let launches = ["one", "two"].map(|node| launch(&server, node, ""));
    let folders = launches.each_ref().map(|launch| launch.folder().to_owned());
    let [one, two] = folders.each_ref().map(|folder| folder.as_path());

    refused(one, &["cluster", "status"], "create it with `dragoman cluster init`");
    refused(two, &["cluster", "join"], "create it with `dragoman cluster init`");
    done(one, &["cluster", "init"]);
    // Nothing has come of it, so the same again is no other cluster.
    done(one, &["cluster", "init"]);
    refused(one, &["cluster", "check"], "the log has 1 replica, and ends with that server's disk");

    let first = serve(&launches[0]);
    let mut ann = Channel::enroll(first.address("channel", "listen"), "ann");
    ann.send("tea", "before");
    // It has no store.
    let second = serve(&launches[1]);
    assert_eq!(texts(&second, "bob"), ["before"]);
    refused(one, &["cluster", "join", "--replace"], "another process has the store");
    let now = status(one);
    assert_eq!(now["snapshots"].as_array().map(Vec::len), Some(1), "{now}");
    for mut gateway in [second, first] {
        assert_eq!(gateway.terminate(), 0);
    }
    assert!(status(one)["applied"].as_u64().is_some_and(|applied| applied > 0));
    refused(one, &["cluster", "init"], "already, to entry");
    refused(one, &["cluster", "recover"], "there is nothing to recover");
    assert!(done(one, &["cluster", "join"]).contains("follows the log already"));

    lose_the_log(&server);
    refused(one, &["serve"], "the servers have no log of this name");
    let made = done(one, &["cluster", "recover"]);
    assert!(made.contains("which goes on after entry "), "{made}");
    refused(two, &["cluster", "join"], "add --replace to keep it as");
    let joined = done(two, &["cluster", "join", "--replace"]);
    assert!(joined.contains("made from the snapshot of entry "), "{joined}");
    assert!(two.join("chat.redb.replaced").exists());
    let gateways = launches.each_ref().map(serve);
    assert_eq!(texts(&gateways[0], "cyd"), ["before"]);
    assert_eq!(texts(&gateways[1], "dan"), ["before"]);
}

fn lose_the_log(server: &Server) {
    let runtime = tokio::runtime::Runtime::new().expect("there are threads");
    runtime.block_on(async {
        let cluster = Cluster::connect(server.settings()).await.expect("it runs");
        cluster.remove().await.expect("it is removed");
    });
}

#[test]
fn a_gateway_whose_store_has_a_corrupted_row_stops_and_joins_again() {
    let Some(program) = server::program() else { return };
    let server = Server::start(&program);
    let launches = ["one", "two", "three"].map(|node| launch(&server, node, ""));
    done(launches[0].folder(), &["cluster", "init"]);
    let [first, _second, mut third] = launches.each_ref().map(serve);
    let mut ann = Channel::enroll(first.address("channel", "listen"), "ann");
    ann.send("tea", "a text to be corrupted");
    assert_eq!(texts(&third, "bob"), ["a text to be corrupted"]);
    assert_eq!(third.terminate(), 0);

    let store = launches[2].folder().join("chat.redb");
    let mut bytes = std::fs::read(&store).expect("it is there");
    let text = b"a text to be corrupted";
    let places: Vec<usize> =
        (0..bytes.len() - text.len()).filter(|at| bytes[*at..].starts_with(text)).collect();
    assert!(!places.is_empty());
    places.into_iter().for_each(|at| bytes[at] = b'A');
    std::fs::write(&store, bytes).expect("it is ours");

    let mut corrupted = launches[2].clone().spawn();
    assert_eq!(corrupted.wait_for_exit(), 1);
    let said = corrupted.log().text();
    assert!(said.contains("it differs from those of one, two, which are equal"), "{said}");
    refused(launches[2].folder(), &["serve"], "to differ from those of most other nodes");
    refused(launches[2].folder(), &["cluster", "join"], "add --replace to keep it as");
    done(launches[2].folder(), &["cluster", "join", "--replace"]);
    let third = serve(&launches[2]);
    assert_eq!(texts(&third, "cyd"), ["a text to be corrupted"]);
    assert_eq!(texts(&first, "dan"), ["a text to be corrupted"]);
}

#[test]
fn what_is_wrong_with_servers_is_said_before_anything_is_made() {
    let Some(program) = server::program() else { return };
    let alone = Launch::of("[frontends.channel]\n");
    refused(alone.folder(), &["cluster", "init"], "there is no section [cluster]");

    let users = "jetstream {}\nauthorization { users: [{ user: a, password: tea-time }] }";
    let server = Server::with(&program, users);
    let login = "user = \"a\"\npassword = \"coffee\"";
    let wrong = launch(&server, "one", login);
    refused(wrong.folder(), &["cluster", "init"], "refuses these credentials");
    let right = launch(&server, "one", "user = \"a\"\npassword = \"tea-time\"");
    done(right.folder(), &["cluster", "init"]);
    // Another store: the cluster has begun already.
    let other = launch(&server, "two", "user = \"a\"\npassword = \"tea-time\"");
    refused(other.folder(), &["cluster", "init"], "the servers have a log of this name already");
    refused(other.folder(), &["cluster", "recover"], "there is no store");

    let plain = Server::with(&program, "");
    let without = launch(&plain, "one", "");
    refused(without.folder(), &["cluster", "init"], "has no JetStream");
    for launch in [wrong, other, without] {
        assert!(!launch.folder().join("chat.redb").exists());
    }
}
