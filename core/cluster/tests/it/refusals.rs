//! Each sentence for operators, from what causes it.

use std::io::{Read, Write};
use std::net::TcpListener;

use async_nats::jetstream;
use async_nats::jetstream::stream::{Config, DiscardPolicy};
use core_cluster::{Cluster, Credentials, Error, LogId, Position, Settings};

use crate::node::{Node, entry};
use crate::server::{Server, own_host, program};

const STREAM: &str = "dragoman-test-log-0";

/// What a connection is refused with.
async fn refusal(settings: Settings) -> Error {
    let refused = async { Cluster::connect(settings).await?.info().await };
    let error = refused.await.expect_err("it is refused");
    println!("{error}");
    error
}

#[track_caller]
fn assert_says(error: &Error, parts: &[&str]) {
    let text = error.to_string();
    for part in parts {
        assert!(text.contains(part), "{text:?} has no {part:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_credentials_are_named_with_their_keys() {
    let Some(program) = program() else { return };
    // The example key of the NATS documentation.
    let nkey = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";
    let seed = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
    let config = format!(
        "jetstream {{}}\nauthorization {{ users: [ {{ user: ann, password: right }}, {{ nkey: \
         {nkey} }} ] }}"
    );
    let server = Server::with(&program, &config);
    let user = |password: &str| Credentials::User { user: "ann".into(), password: password.into() };
    let of = |credentials| Settings { credentials, ..server.settings() };
    for (credentials, key) in [
        (user("wrong"), "cluster.user and cluster.password"),
        (Credentials::None, "cluster.user and cluster.password, which are missing"),
        (Credentials::Token("wrong".into()), "cluster.token"),
    ] {
        let refused = refusal(of(credentials)).await;
        assert!(matches!(refused, Error::Credentials { .. }), "{refused:?}");
        assert_says(&refused, &[key, &server.url(), "correct them"]);
        assert!(!refused.to_string().contains("wrong"), "it tells the secret");
        assert!(!refused.is_passing());
    }
    for credentials in [user("right"), Credentials::Nkey(seed.into())] {
        let refused = refusal(of(credentials)).await;
        assert!(matches!(refused, Error::NoLog { .. }), "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_jetstream_is_named() {
    let Some(program) = program() else { return };
    let server = Server::with(&program, "");
    let refused = refusal(server.settings()).await;
    assert!(matches!(refused, Error::NoJetStream { .. }), "{refused:?}");
    assert_says(&refused, &["cluster.servers", "n1", "jetstream {"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_without_jetstream_is_named() {
    let Some(program) = program() else { return };
    let accounts = "jetstream {}\naccounts { A: { users: [ { user: ann, password: x } ] } }";
    let server = Server::with(&program, accounts);
    let credentials = Credentials::User { user: "ann".into(), password: "x".into() };
    let refused = refusal(Settings { credentials, ..server.settings() }).await;
    assert!(matches!(refused, Error::NoJetStream { .. }), "{refused:?}");
    assert_says(&refused, &["account of these credentials"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_takes_small_messages_only_is_named() {
    let Some(program) = program() else { return };
    let server = Server::with(&program, "max_payload: 65536\njetstream {}");
    let refused = refusal(server.settings()).await;
    assert!(matches!(refused, Error::SmallPayload { found: 65536, .. }), "{refused:?}");
    assert_says(&refused, &["cluster.servers", "n1", "max_payload"]);
}

#[tokio::test]
async fn a_server_that_is_too_old_is_named_with_its_version() {
    // A server says its version before anything else; the client sends CONNECT and PING.
    let listener = TcpListener::bind((own_host(), 0)).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let info = r#"{"server_id":"X","server_name":"old","host":"h","port":4222,"version":"2.9.10","headers":true,"max_payload":1048576,"proto":1,"jetstream":true}"#;
        client.write_all(format!("INFO {info}\r\n").as_bytes()).unwrap();
        let mut sent = [0; 4096];
        while client.read(&mut sent).is_ok_and(|len| len > 0) {
            client.write_all(b"PONG\r\n").unwrap();
        }
    });
    let refused = refusal(Settings::new("test", vec![format!("nats://{address}")])).await;
    assert!(matches!(refused, Error::OldServer { .. }), "{refused:?}");
    assert_says(&refused, &["old", "2.9.10", "2.14", "upgrade"]);
}

#[tokio::test]
async fn servers_that_are_away_are_named() {
    let address = own_host();
    let refused = refusal(Settings::new("test", vec![format!("nats://{address}:4222")])).await;
    assert!(matches!(refused, Error::Unreachable { .. }), "{refused:?}");
    assert_says(&refused, &["cluster.servers", "refused", &address.to_string()]);
    assert!(refused.is_passing());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_of_another_cluster_is_not_followed() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let made = cluster.init(Position(0)).await.unwrap();
    let again = cluster.init(Position(0)).await.unwrap_err();
    assert_eq!(again, Error::LogExists { name: "test".into(), id: made.id.clone() });
    let other = LogId::parse("0123456789abcdef").unwrap();
    let refused = cluster.open(Position(0), Some(&other)).await.unwrap_err();
    assert!(matches!(refused, Error::OtherLog { .. }), "{refused:?}");
    assert_says(&refused, &["cluster.name", made.id.as_str(), "0123456789abcdef"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_is_replaced_under_a_node_ends_there() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let node = Node::start(&cluster, 1).await;
    node.propose_until(20);
    node.wait_for("applied all", |state| state.own == 20);
    let operator = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    operator.delete_stream(STREAM).await.unwrap();
    let made = cluster.init(Position(0)).await.unwrap();
    let end = node.end();
    assert!(matches!(&end, Error::OtherLog { found, .. } if *found == made.id), "{end}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_lost_its_end_is_not_followed() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let refused = cluster.open(Position(7), None).await.unwrap_err();
    assert_eq!(refused, Error::Rewound { applied: 7, last: 0 });
    assert_says(&refused, &["dragoman cluster recover"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_that_loses_its_end_under_a_node_ends_there() {
    let Some(program) = program() else { return };
    let mut server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let node = Node::start(&cluster, 1).await;
    node.propose_until(20);
    node.wait_for("applied all", |state| state.own == 20);
    server.kill();
    let disk = tempfile::tempdir().unwrap();
    server.copy_disk(disk.path());
    server.run();
    node.propose_until(40);
    node.wait_for("applied all", |state| state.own == 40);
    let applied = node.state().position.0;
    server.kill();
    server.restore_disk(disk.path());
    server.run();
    let end = node.end();
    assert!(
        matches!(end, Error::Rewound { applied: a, last } if a == applied && last < a),
        "{end}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_log_whose_beginning_went_needs_a_snapshot() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let node = Node::start(&cluster, 1).await;
    node.propose_until(30);
    node.wait_for("applied all", |state| state.own == 30);
    // As the limits of bytes and age do.
    let operator = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let mut config = operator.get_stream(STREAM).await.unwrap().cached_info().config.clone();
    config.max_messages = 10;
    operator.update_stream(config).await.unwrap();
    let refused = cluster.open(Position(19), None).await.unwrap_err();
    assert_eq!(refused, Error::Truncated { applied: 19, first: 21 });
    assert_says(&refused, &["begins at 21", "applied it to 19", "snapshot"]);
    cluster.open(Position(20), None).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_the_log_has_overtaken_ends_and_leaves_nothing_out() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let id = cluster.init(Position(0)).await.unwrap().id;
    let mut log = cluster.open(Position(0), Some(&id)).await.unwrap();
    // The log keeps 4 MiB, and more waits for the reader than it takes at a time.
    let publisher = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let mut headers = async_nats::HeaderMap::new();
    headers.insert("Dragoman-Log", id.as_str());
    let large = vec![b'x'; core_cluster::ENTRY_BYTES_MAX];
    for _ in 0..100 {
        let (subject, headers) = ("dragoman.test.log.0", headers.clone());
        let sent = publisher.publish_with_headers(subject, headers, large.clone().into());
        sent.await.unwrap().await.unwrap();
    }
    let read = tokio::task::spawn_blocking(move || {
        let mut next = 1;
        loop {
            match log.reader.next_batch() {
                Ok(batch) => {
                    for entry in batch.entries {
                        assert_eq!(entry.position, Position(next));
                        next += 1;
                    }
                }
                Err(end) => return (next - 1, end),
            }
        }
    });
    let (last, end) = read.await.unwrap();
    assert!((1..90).contains(&last), "{last}");
    assert!(
        matches!(end, Error::Truncated { applied, first } if applied == last && first > last + 1)
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_that_can_be_purged_is_not_followed() {
    let Some(program) = program() else { return };
    let server = Server::start(&program);
    let operator = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let config = |id: Option<&str>| Config {
        name: STREAM.to_owned(),
        subjects: vec!["dragoman.test.log.0".to_owned()],
        metadata: id.map(|id| ("dragoman-log".to_owned(), id.to_owned())).into_iter().collect(),
        deny_delete: true,
        num_replicas: 1,
        ..Config::default()
    };
    operator.create_stream(config(None)).await.unwrap();
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    let refused = cluster.info().await.unwrap_err();
    assert!(matches!(refused, Error::ForeignStream { .. }), "{refused:?}");
    assert_says(&refused, &["cluster.name", STREAM, "dragoman-log"]);
    operator.delete_stream(STREAM).await.unwrap();
    operator.create_stream(config(Some("0123456789abcdef"))).await.unwrap();
    operator.publish("dragoman.test.log.0", entry(1, 1)).await.unwrap().await.unwrap();
    operator.get_stream(STREAM).await.unwrap().purge().await.unwrap();
    let refused = cluster.open(Position(0), None).await.unwrap_err();
    assert!(matches!(refused, Error::StreamSetting { setting: "deny_purge", .. }), "{refused:?}");
    assert_says(&refused, &[STREAM, "deny_purge = false", "must be true"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_log_is_said_to_be_full() {
    let Some(program) = program() else { return };
    let server = Server::with(&program, "jetstream { max_file_store: 8MB }");
    let cluster = Cluster::connect(Settings { log_bytes_max: 32 << 30, ..server.settings() });
    let refused = cluster.await.unwrap().init(Position(0)).await.unwrap_err();
    assert!(matches!(refused, Error::Full { .. }), "{refused:?}");
    assert_says(&refused, &["max_file_store", "cluster.log_bytes"]);
    let cluster = Cluster::connect(server.settings()).await.unwrap();
    cluster.init(Position(0)).await.unwrap();
    let node = Node::start(&cluster, 1).await;
    node.propose_until(20);
    node.wait_for("applied all", |state| state.own == 20);
    // An operator makes the log refuse what is new instead of dropping what is old.
    let operator = jetstream::new(async_nats::connect(server.url()).await.unwrap());
    let mut config = operator.get_stream(STREAM).await.unwrap().cached_info().config.clone();
    config.discard = DiscardPolicy::New;
    config.max_bytes = 4096;
    operator.update_stream(config.clone()).await.unwrap();
    node.propose_until(1000);
    let mut health = node.handle.watch();
    let full = health.wait_for(|health| matches!(health.problem, Some(Error::Full { .. })));
    full.await.unwrap();
    config.discard = DiscardPolicy::Old;
    config.max_bytes = 4 << 20;
    operator.update_stream(config).await.unwrap();
    node.wait_for("applied all", |state| state.own == 1000);
    assert_eq!(node.state().applied.len(), 1000);
}

#[test]
fn what_is_wrong_in_the_settings_is_named_with_key_and_value() {
    let good = || Settings::new("test", vec!["nats://h:4222".to_owned()]);
    good().check().unwrap();
    let fault = |change: &dyn Fn(&mut Settings)| {
        let mut settings = good();
        change(&mut settings);
        settings.check().unwrap_err().to_string()
    };
    assert_eq!(
        fault(&|settings| settings.name = "a.b".into()),
        "cluster.name = \"a.b\": must be 1 to 32 letters, digits, `-` or `_`"
    );
    assert_eq!(
        fault(&|settings| settings.servers = vec!["ws://h".into()]),
        "cluster.servers = \"ws://h\": must begin with nats:// or tls://"
    );
    let secret = fault(&|settings| settings.servers = vec!["nats://ann:secret@h:1".into()]);
    assert!(secret.contains("cluster.password") && !secret.contains("secret"), "{secret}");
    assert_eq!(
        fault(&|settings| settings.replicas = 2),
        "cluster.replicas = \"2\": must be 1, 3 or 5: a log needs more than half of its replicas"
    );
    let file = fault(&|settings| settings.tls.ca = Some("/nowhere/ca.pem".into()));
    assert!(file.starts_with("cluster.tls.ca = \"/nowhere/ca.pem\": No such file"), "{file}");
    let file = fault(&|settings| settings.tls.ca = Some("/dev/null".into()));
    assert_eq!(file, "cluster.tls.ca = \"/dev/null\": has no certificate in PEM");
    let debug = format!("{:?}", Credentials::Token("secret".into()));
    assert_eq!(debug, "Credentials(cluster.token)");
}
