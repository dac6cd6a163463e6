//! Starting, draining, and conflicts over the store or an address.

use dragoman::runtime::{Gateway, ServeError};
use std::net::TcpListener;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{Lines, Reply, Socket, http, soon};
use super::stage::{Stagecraft, config, frontend};

#[tokio::test(flavor = "multi_thread")]
async fn draining_answers_what_was_asked_and_says_goodbye() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut lines = Lines::connect(stage.address("lines")).await;
    let mut socket = Socket::connect(stage.address("ws")).await;
    assert_eq!(socket.ask("say hi").await, "hi");
    assert_eq!(lines.ask("say hi").await, "hi");
    let register = |n: u32| {
        format!(r#"call {{"do":"register","user":{{"handle":"u{n}","password":{{"plain":"p"}}}}}}"#)
    };
    lines.send(&(0..5).map(register).collect::<Vec<_>>().join("\n")).await;
    let drained = tokio::spawn(stage.gateway.shutdown());
    for line in lines.lines(5).await {
        assert!(line.starts_with(r#"= {"did":"registered""#), "{line}");
    }
    assert_eq!(lines.line().await.as_deref(), Some("bye \"draining\""));
    assert_eq!(lines.line().await, None);
    assert_eq!(socket.text().await.as_deref(), Ok("bye \"draining\""));
    let close = socket.text().await.unwrap_err().expect("a close frame");
    assert_eq!(u16::from(close.code), 1001);
    drop((lines, socket));
    soon(drained).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn draining_finishes_an_exchange_and_closes_idle_connections() {
    let stage = Stagecraft::start(|_| ()).await;
    let address = stage.address("http");
    let mut idle = TcpStream::connect(address).await.unwrap();
    idle.write_all(b"POST /peer HTTP/1.1\r\nhost: t\r\ncontent-length: 0\r\n\r\n").await.unwrap();
    let mut byte = [0];
    soon(idle.read_exact(&mut byte)).await.unwrap();
    let mut busy = TcpStream::connect(address).await.unwrap();
    let body = r#"{"do":"register","user":{"handle":"ann","password":{"plain":"p"}}}"#;
    let head = format!(
        "POST /call HTTP/1.1\r\nhost: t\r\nexpect: 100-continue\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    busy.write_all(head.as_bytes()).await.unwrap();
    let mut told_to_continue = [0; 25];
    soon(busy.read_exact(&mut told_to_continue)).await.unwrap();
    assert_eq!(&told_to_continue, b"HTTP/1.1 100 Continue\r\n\r\n");
    let drained = tokio::spawn(stage.gateway.shutdown());
    let mut rest = Vec::new();
    soon(idle.read_to_end(&mut rest)).await.unwrap();
    busy.write_all(body.as_bytes()).await.unwrap();
    let mut response = String::new();
    soon(busy.read_to_string(&mut response)).await.unwrap();
    let response = Reply::parse(&response);
    assert_eq!((response.status, response.header("connection")), (200, Some("close")));
    soon(drained).await.unwrap();
    assert!(TcpStream::connect(address).await.is_err(), "the listener is closed");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_keeps_the_store_and_drops_seats() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut client = Lines::connect(stage.address("lines")).await;
    client
        .ask(r#"user {"do":"sign_in","user":{"identity":"tel/1"},"credential":"vouched","create":{"handle":"ann","identities":["tel/1"]},"session":true}"#)
        .await;
    client
        .ask(r#"seat {"do":"enter","room":{"name":"tea"},"user":"session","seat":"connection"}"#)
        .await;
    soon(stage.gateway.shutdown()).await;
    let again = Gateway::start(config(stage.folder.path(), vec![frontend()])).await.unwrap();
    let mut client = Lines::connect(again.address("stage", "lines").unwrap()).await;
    let user = client.ask(r#"ask {"ask":"user","user":{"handle":"ann"}}"#).await;
    assert!(user.contains(r#""online":false"#), "{user}");
    let room = client.ask(r#"ask {"ask":"room","room":{"name":"tea"}}"#).await;
    assert!(room.contains(r#""population":0"#), "{room}");
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_that_need_not_be_kept_are_gone_after_a_start() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut client = Lines::connect(stage.address("lines")).await;
    client.ask(r#"call {"do":"register","user":{"handle":"ann"}}"#).await;
    for text in ["one", "two", "three"] {
        let post = format!(
            r#"call {{"do":"post","room":{{"name":"tea"}},"author":{{"handle":"ann"}},"text":"{text}","standing":{{"joining":{{"create":false}}}}}}"#
        );
        let answer = client.ask(&post).await;
        assert!(answer.contains("posted"), "{answer}");
    }
    soon(stage.gateway.shutdown()).await;
    let mut again = config(stage.folder.path(), vec![frontend()]);
    again.store.keep_days = 1;
    again.store.keep_messages_per_room = 2;
    let again = Gateway::start(again).await.unwrap();
    let mut client = Lines::connect(again.address("stage", "lines").unwrap()).await;
    let history = client.ask(r#"ask {"ask":"history","room":{"name":"tea"},"limit":9}"#).await;
    assert!(!history.contains("one"), "{history}");
    assert!(history.contains("two") && history.contains("three"), "{history}");
    let admin = again.admin_address().unwrap();
    let metrics = http(admin, &["GET /metrics HTTP/1.1"], "").await.body;
    assert!(metrics.contains("\ndragoman_messages_pruned_total 1\n"), "{metrics}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_store_that_is_open_elsewhere_is_named() {
    let stage = Stagecraft::start(|_| ()).await;
    let second = Gateway::start(config(stage.folder.path(), vec![frontend()])).await;
    let error = second.err().expect("one gateway a store").to_string();
    assert!(error.contains("store.redb"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_in_use_is_fatal_only_if_required_or_the_only_one() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let mut blocked = frontend();
    blocked.name = "blocked".into();
    blocked.listeners.truncate(1);
    blocked.listeners[0].1 = address.into();

    let folder = tempfile::tempdir().unwrap();
    let mut required = blocked_again(&blocked);
    required.required = true;
    let started = Gateway::start(config(folder.path(), vec![required, frontend()])).await;
    assert!(
        matches!(started, Err(ServeError::Required { address: at, .. }) if at == address.into())
    );

    let alone = Gateway::start(config(folder.path(), vec![blocked_again(&blocked)])).await;
    assert!(matches!(alone, Err(ServeError::Deaf)));

    let gateway = Gateway::start(config(folder.path(), vec![frontend(), blocked])).await.unwrap();
    assert_eq!(gateway.address("blocked", "http"), None);
    let mut client = Lines::connect(gateway.address("stage", "lines").unwrap()).await;
    assert_eq!(client.ask("say hi").await, "hi");
    let admin = gateway.admin_address().unwrap();
    let ready = http(admin, &["GET /readyz HTTP/1.1"], "").await;
    assert_eq!((ready.status, ready.body.as_str()), (503, "not listening yet: blocked\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_is_bound_once_it_becomes_free() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap();
    let stage = Stagecraft::start(|frontend| frontend.listeners[0].1 = address.into()).await;
    drop(taken);
    soon(stage.gateway.until_listening()).await;
    let reply = http(address, &["POST /peer HTTP/1.1"], "").await;
    assert_eq!(reply.status, 200);
    let ready = http(stage.gateway.admin_address().unwrap(), &["GET /readyz HTTP/1.1"], "").await;
    assert_eq!(ready.status, 200);
}

fn blocked_again(blocked: &dragoman::config::FrontendConfig) -> dragoman::config::FrontendConfig {
    dragoman::config::FrontendConfig {
        name: blocked.name.clone(),
        listeners: blocked.listeners.clone(),
        ..frontend()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_admin_listener_reports_the_state() {
    let stage = Stagecraft::start(|_| ()).await;
    let admin = stage.gateway.admin_address().unwrap();
    let mut client = Lines::connect(stage.address("lines")).await;
    client.ask(r#"call {"do":"join","room":{"name":"nowhere"},"user":{"id":10000}}"#).await;
    for (path, status, says) in [
        ("/healthz", 200, "ok\n"),
        ("/readyz", 200, "ready\n"),
        ("/metrics", 200, r#"dragoman_connections{frontend="stage"} 1"#),
        ("/metrics", 200, r#"dragoman_commands_total{frontend="stage"} 1"#),
        ("/metrics", 200, r#"dragoman_listening{frontend="stage"} 1"#),
        ("/else", 404, ""),
    ] {
        let reply = http(admin, &[&format!("GET {path} HTTP/1.1")], "").await;
        assert_eq!(reply.status, status, "{path}");
        assert!(reply.body.contains(says), "{path}: {}", reply.body);
    }
    let posted = http(admin, &["POST /metrics HTTP/1.1"], "").await;
    assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(posted.body, "use GET or HEAD\n");
}
