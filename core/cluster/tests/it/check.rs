//! What `check` says of servers.

use core_cluster::{Cluster, Position, Settings};

use crate::server::{Server, own_host, program};

#[tokio::test(flavor = "multi_thread")]
async fn a_lone_server_without_sync_is_warned_of() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let mut settings = server.settings();
    let away = format!("nats://{}:4222", own_host());
    settings.servers.push(away.clone());
    settings.monitoring = vec![server.monitoring()];
    let before = Cluster::check(&settings).await.unwrap();
    assert_eq!(before.servers.len(), 1);
    assert_says(&before.warnings, "dragoman cluster init");
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let made = cluster.init(Position(0)).await.unwrap();
    let report = Cluster::check(&settings).await.unwrap();
    assert_eq!(report.log.unwrap().id, made.id);
    assert_says(&report.warnings, &away);
    assert_says(&report.warnings, "1 replica");
    assert_says(&report.warnings, "sync_interval: always");
    assert_eq!(report.warnings.len(), 3, "{:#?}", report.warnings);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_syncs_is_not_warned_of() {
    let Some(program) = program() else { return };
    let server = Server::with(&program, "jetstream { sync_interval: always }");
    let mut settings = server.settings();
    settings.monitoring = vec![server.monitoring()];
    Cluster::connect(settings.clone()).await.unwrap().init(Position(0)).await.unwrap();
    let report = Cluster::check(&settings).await.unwrap();
    assert_eq!(report.servers[0].name, "n1");
    assert!(report.warnings.iter().all(|warning| warning.contains("1 replica")), "{report:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn replicas_on_one_host_are_warned_of() {
    let Some(program) = program() else { return };
    let servers = Server::three(&program);
    let mut settings = Settings::new("test", servers.iter().map(Server::url).collect());
    settings.log_bytes_max = 4 << 20;
    settings.monitoring = servers.iter().map(Server::monitoring).collect();
    Cluster::connect(settings.clone()).await.unwrap().init(Position(0)).await.unwrap();
    let report = Cluster::check(&settings).await.unwrap();
    assert_eq!((report.servers.len(), report.log.unwrap().peers.len()), (3, 3));
    let on_one = |warning: &String| warning.contains("fail together");
    assert!(!report.warnings.iter().any(on_one), "each has an address: {:#?}", report.warnings);
    // Seen through proxies on one host, all are on it.
    let host = own_host();
    settings.servers = (1..=3)
        .zip(&servers)
        .map(|(port, server)| crate::proxy::Proxy::at((host, port + 5000).into(), server.address()))
        .map(|proxy| proxy.url())
        .collect();
    let report = Cluster::check(&settings).await.unwrap();
    assert_says(&report.warnings, "fail together");
}

#[track_caller]
fn assert_says(warnings: &[String], part: &str) {
    assert!(warnings.iter().any(|warning| warning.contains(part)), "no {part:?} in {warnings:#?}");
}
