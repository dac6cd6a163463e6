//! HTTP: routing, guard, limits, CORS, proxies.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use frontend_api::schema::Document;
use frontend_api::{Frontend, Manifest, Peer, Session};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{Reply, Socket, http, soon};
use super::stage::{Stagecraft, api_key, frontend};

const CALL: &str = r#"{"do":"join","room":{"name":"nowhere"},"user":{"id":10000}}"#;
const POST: &str =
    r#"{"do":"post","room":{"name":"tea"},"author":{"id":10000},"text":"hi","standing":"member"}"#;

#[tokio::test(flavor = "multi_thread")]
async fn a_request_arrives_whole_and_its_response_too() {
    let stage = Stagecraft::start(|_| ()).await;
    let address = stage.address("http");
    let reply = http(address, &["POST /a%20b/%E8%8C%B6?q=%20 HTTP/1.1", "X-Own: yes"], "tea").await;
    assert_eq!(reply.status, 200);
    assert_eq!(reply.header("content-type"), Some("application/json; charset=utf-8"));
    let seen: serde_json::Value = serde_json::from_str(&reply.body).unwrap();
    assert_eq!(seen["method"], "POST");
    assert_eq!(seen["path"], "/a b/茶");
    assert_eq!(seen["query"], "q=%20");
    assert_eq!(seen["body"], serde_json::json!([116, 101, 97]));
    assert!(reply.body.contains(r#"["x-own","yes"]"#), "{}", reply.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_and_a_query_are_answered() {
    let stage = Stagecraft::start(|_| ()).await;
    let address = stage.address("http");
    let called = http(address, &["POST /call HTTP/1.1"], CALL).await;
    assert_eq!(called.body, r#"! {"refused":"unknown_user"}"#);
    let query = r#"{"ask":"rooms","filter":"open","after":0,"limit":10}"#;
    let asked = http(address, &["POST /ask HTTP/1.1"], query).await;
    assert!(asked.body.contains(r#""name":"tea""#), "{}", asked.body);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_connection_is_kept_for_further_requests() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut stream = TcpStream::connect(stage.address("http")).await.unwrap();
    let ask = |close: &str| {
        format!(
            "POST /call HTTP/1.1\r\nhost: test\r\n{close}content-length: {}\r\n\r\n{CALL}",
            CALL.len()
        )
    };
    let both = ask("") + &ask("connection: close\r\n");
    stream.write_all(both.as_bytes()).await.unwrap();
    let mut text = String::new();
    soon(stream.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text.matches("HTTP/1.1 200 OK").count(), 2);
    assert_eq!(text.matches("unknown_user").count(), 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn head_has_the_headers_of_get_and_no_body() {
    let stage = Stagecraft::start(|_| ()).await;
    let reply = http(stage.address("http"), &["HEAD /peer HTTP/1.1"], "").await;
    let whole = http(stage.address("http"), &["POST /peer HTTP/1.1"], "").await;
    assert_eq!(reply.body, "");
    assert_eq!(reply.header("content-length"), Some(whole.body.len().to_string().as_str()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_body_over_the_limit_is_413_declared_or_not() {
    let stage = Stagecraft::start(|frontend| frontend.limits.body_bytes_max = 10).await;
    let address = stage.address("http");
    let fits = http(address, &["POST /x HTTP/1.1"], &"x".repeat(10)).await;
    assert_eq!(fits.status, 200);
    let declared = http(address, &["POST /x HTTP/1.1"], &"x".repeat(12_000_000)).await;
    assert_eq!(declared.status, 413);
    assert!(declared.body.starts_with("stage: "), "in the dialect's words: {}", declared.body);
    let chunked = "POST /x HTTP/1.1\r\nhost: t\r\nconnection: close\r\n\
        transfer-encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n";
    let text = super::client::exchange(address, chunked.as_bytes()).await;
    assert!(text.starts_with("HTTP/1.1 413"), "{text}");
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_the_limit_are_429_with_the_time_to_wait() {
    let stage = Stagecraft::start(|frontend| {
        frontend.limits.requests_per_s = 1;
        frontend.limits.requests_burst = 2;
    })
    .await;
    let mut statuses = Vec::new();
    for _ in 0..3 {
        let reply = http(stage.address("http"), &["POST /peer HTTP/1.1"], "").await;
        statuses.push((reply.status, reply.header("retry-after").map(str::to_owned)));
    }
    assert_eq!(statuses, [(200, None), (200, None), (429, Some("1".into()))]);
}

#[tokio::test(flavor = "multi_thread")]
async fn messages_over_the_limit_are_429_and_other_requests_are_not() {
    let stage = Stagecraft::start(|frontend| {
        frontend.limits.messages_per_s = 1;
        frontend.limits.messages_burst = 1;
    })
    .await;
    let address = stage.address("http");
    let first = http(address, &["POST /call HTTP/1.1"], POST).await;
    let second = http(address, &["POST /call HTTP/1.1"], POST).await;
    let third = http(address, &["POST /call HTTP/1.1"], CALL).await;
    assert_eq!((first.status, second.status, third.status), (200, 429, 200));
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_says_what_there_is_too_much_of() {
    let stage = Stagecraft::start(|frontend| {
        frontend.limits.messages_per_s = 1;
        frontend.limits.messages_burst = 1;
        frontend.limits.quotas.accounts_per_address_per_hour_max = 1;
        frontend.limits.quotas.rooms_per_address_per_day_max = 1;
    })
    .await;
    const SIGN_IN: &str =
        r#"{"do":"sign_in","user":{"handle":"zoe"},"credential":{"password":"?"}}"#;
    for (call, what) in [
        (POST, "too many messages"),
        (r#"{"do":"register","user":{}}"#, "too many new accounts"),
        (r#"{"do":"create_room","room":{}}"#, "too many new rooms"),
        (SIGN_IN, "too many failed sign-ins"),
    ] {
        let ask = || http(stage.address("http"), &["POST /call HTTP/1.1"], call);
        let mut reply = ask().await;
        while reply.status == 200 {
            reply = ask().await;
        }
        assert_eq!((reply.status, reply.body), (429, format!("stage: {what}")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unreadable_cookie_leaves_the_others() {
    let stage = Stagecraft::start(|_| ()).await;
    let request = b"POST /x HTTP/1.1\r\nhost: test\r\nconnection: close\r\n\
        cookie: a=\xff; id=7\r\nx-own: \xff\r\n\r\n";
    let reply = super::client::exchange(stage.address("http"), request).await;
    assert!(reply.contains("[\"cookie\",\"a=\u{fffd}; id=7\"]"), "{reply}");
    assert!(!reply.contains("x-own"), "{reply}");
}

#[tokio::test(flavor = "multi_thread")]
async fn without_a_key_it_is_401_and_from_elsewhere_403() {
    let stage =
        Stagecraft::start(|frontend| frontend.guard.api_keys = vec![api_key("secret")]).await;
    let address = stage.address("http");
    let without = http(address, &["POST /peer HTTP/1.1"], "").await;
    assert_eq!((without.status, without.header("www-authenticate")), (401, Some("Bearer")));
    let with = http(address, &["POST /peer HTTP/1.1", "x-api-key: secret"], "").await;
    assert_eq!(with.status, 200);

    let stage = Stagecraft::start(|frontend| {
        frontend.guard.allow = vec!["10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let elsewhere = http(stage.address("http"), &["POST /peer HTTP/1.1"], "").await;
    assert_eq!(elsewhere.status, 403);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_preflight_passes_the_guard_and_the_response_names_the_origin() {
    let stage = Stagecraft::start(|frontend| {
        frontend.guard.api_keys = vec![api_key("secret")];
        frontend.cors_origins = vec!["https://chat.example".into()];
    })
    .await;
    let address = stage.address("http");
    let ask = [
        "OPTIONS /call HTTP/1.1",
        "origin: https://chat.example",
        "access-control-request-method: POST",
        "access-control-request-headers: x-api-key",
    ];
    let preflight = http(address, &ask, "").await;
    assert_eq!(preflight.status, 204);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("https://chat.example"));
    assert_eq!(preflight.header("access-control-allow-methods"), Some("POST, OPTIONS"));
    assert_eq!(preflight.header("access-control-allow-headers"), Some("x-api-key"));
    let refused = http(address, &["POST /peer HTTP/1.1", "origin: https://chat.example"], "").await;
    assert_eq!(refused.status, 401);
    assert_eq!(refused.header("access-control-allow-origin"), Some("https://chat.example"));
    let other = http(address, &["POST /peer HTTP/1.1", "origin: https://evil.example"], "").await;
    assert_eq!(other.header("access-control-allow-origin"), None);
}

#[tokio::test(flavor = "multi_thread")]
async fn only_a_trusted_proxy_sets_the_peer_address() {
    let head = ["POST /peer HTTP/1.1", "x-forwarded-for: 1.1.1.1, 2.2.2.2, 127.0.0.9"];
    let stage = Stagecraft::start(|_| ()).await;
    let direct = http(stage.address("http"), &head, "").await;
    assert!(direct.body.contains(r#""address":"127.0.0.1","proxied":true"#), "{}", direct.body);
    let plain = http(stage.address("http"), &["POST /peer HTTP/1.1"], "").await;
    assert!(plain.body.contains(r#""address":"127.0.0.1","proxied":false"#), "{}", plain.body);

    let stage = Stagecraft::start_all(|config| {
        config.server.trusted_proxies.networks = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    let proxied = http(stage.address("http"), &head, "").await;
    assert!(proxied.body.contains(r#""address":"2.2.2.2","proxied":true"#), "{}", proxied.body);
    for unreadable in ["x-forwarded-for: \u{ff}", "x-forwarded-for: unknown", "x: y"] {
        let unknown = http(stage.address("http"), &[head[0], unreadable], "").await;
        assert!(unknown.body.contains(r#""address":"","proxied":true"#), "{}", unknown.body);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_caller_without_a_known_address_passes_no_allow() {
    let stage = Stagecraft::start_all(|config| {
        config.server.trusted_proxies.networks = vec!["127.0.0.0/8".parse().unwrap()];
        config.frontends[0].guard.allow =
            vec!["127.0.0.0/8".parse().unwrap(), "10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let status = async |header: &str| {
        http(stage.address("http"), &["POST /peer HTTP/1.1", header], "").await.status
    };
    assert_eq!(status("x-forwarded-for: 10.1.2.3").await, 200);
    assert_eq!(status("x-forwarded-for: \u{ff}, 10.1.2.3:4711").await, 200);
    for refused in
        ["x-forwarded-for: 203.0.113.7", "x-forwarded-for: \u{ff}", "x-forwarded-for: ", "x: y"]
    {
        assert_eq!(status(refused).await, 403, "{refused:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_of_other_sites_and_names_that_can_be_rebound_are_refused() {
    let stage = Stagecraft::start(|frontend| {
        frontend.cors_origins = vec!["https://app.example".into()];
        frontend.hosts = vec!["chat.example".into()];
    })
    .await;
    let status = async |lines: &[&str]| {
        let head: Vec<&str> = ["POST /peer HTTP/1.1"].iter().chain(lines).copied().collect();
        http(stage.address("http"), &head, "").await.status
    };
    for allowed in [
        &[][..],
        &["origin: https://app.example", "sec-fetch-site: cross-site"],
        &["origin: http://test:8080", "sec-fetch-site: same-site"],
        &["sec-fetch-site: same-origin"],
        &["sec-fetch-site: none"],
        // A link that the user has followed.
        &["sec-fetch-site: same-site", "sec-fetch-user: ?1"],
    ] {
        assert_eq!(status(allowed).await, 200, "{allowed:?}");
    }
    for refused in [
        &["origin: https://evil.example"][..],
        &["origin: null"],
        &["sec-fetch-site: cross-site"],
        &["sec-fetch-site: cross-site", "sec-fetch-user: ?1"],
        &["sec-fetch-site: same-site"],
        &["origin: https://evil.example", "x-forwarded-host: evil.example"],
        &["origin: https://app.example", "origin: https://evil.example"],
        &["sec-fetch-site: none", "sec-fetch-site: cross-site"],
        &["sec-fetch-site: none, Cross-Site"],
    ] {
        assert_eq!(status(refused).await, 403, "{refused:?}");
    }
    for (host, expected) in [
        ("127.0.0.1:5000", 200),
        ("[::1]:5000", 200),
        ("localhost", 200),
        ("chat.example:80", 200),
        ("evil.example:5000", 403),
        ("127.0.0.1.evil.example", 403),
        ("EVIL.example.", 403),
        ("[::ffff:127.0.0.1]", 200),
        ("127.0.0.1\r\nhost: evil.example", 400),
        ("evil.example\r\nhost: 127.0.0.1", 400),
        ("127.0.0.1\u{e9}", 400),
    ] {
        let text = format!("POST /peer HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let reply = super::client::exchange(stage.address("http"), text.as_bytes()).await;
        assert!(reply.starts_with(&format!("HTTP/1.1 {expected}")), "{host}: {reply}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_header_that_identifies_the_client_is_refused_unless_it_is_utf_8() {
    let stage = Stagecraft::start(|_| ()).await;
    let status = async |name: &str, value: &[u8]| {
        let head = format!("POST /peer HTTP/1.1\r\nhost: test\r\nconnection: close\r\n{name}: ");
        let request = [head.as_bytes(), value, b"\r\ncontent-length: 0\r\n\r\n"].concat();
        Reply::parse(&super::client::exchange(stage.address("http"), &request).await).status
    };
    for value in [&b"\xff"[..], b"a\xc3", b"\xed\xa0\x80", b"\xd6\xd0"] {
        for name in ["authorization", "content-type", "idempotency-key", "token", "x-api-key"] {
            assert_eq!(status(name, value).await, 400, "{name}: {value:02x?}");
        }
        // One of several cookies, and what is not looked at.
        for name in ["cookie", "x-other"] {
            assert_eq!(status(name, value).await, 200, "{name}: {value:02x?}");
        }
    }
    assert_eq!(status("token", "\u{e9}".as_bytes()).await, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_head_that_cannot_be_read_is_refused_in_words() {
    let stage = Stagecraft::start(|_| ()).await;
    let headers: String = (0..120).map(|nth| format!("x-{nth}: y\r\n")).collect();
    for (head, status, reason) in [
        ("nonsense\r\n\r\n".to_owned(), 400, "the head of the request is not HTTP/1.1"),
        (format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(66_000)), 414, "the target"),
        (format!("GET / HTTP/1.1\r\n{headers}\r\n"), 431, "more than 100 headers"),
    ] {
        // Also behind a request that is answered.
        for before in ["", "POST /peer HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n"] {
            let sent = format!("{before}{head}");
            let received = super::client::exchange(stage.address("http"), sent.as_bytes()).await;
            let last = received.rfind("HTTP/1.1 ").map_or("", |at| &received[at..]);
            let reply = Reply::parse(last);
            assert_eq!(reply.status, status, "{received}");
            assert_eq!(reply.header("content-length"), Some(&*reply.body.len().to_string()));
            if before.is_empty() {
                assert!(reply.body.contains(reason), "{received}");
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_balancers_check_is_answered_whatever_the_guard() {
    let stage = Stagecraft::start(|frontend| {
        frontend.guard.api_keys = vec![api_key("secret")];
        frontend.guard.allow = vec!["203.0.113.7/32".parse().unwrap()];
    })
    .await;
    for key in ["http", "ws"] {
        for line in ["OPTIONS / HTTP/1.0", "OPTIONS / HTTP/1.1", "OPTIONS * HTTP/1.1"] {
            let reply = http(stage.address(key), &[line], "").await;
            assert_eq!((reply.status, reply.body.as_str()), (204, ""), "{key}: {line}");
        }
        assert_eq!(http(stage.address(key), &["OPTIONS /peer HTTP/1.1"], "").await.status, 403);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_end_that_panics_is_503_and_goes_on() {
    let stage = Stagecraft::start(|_| ()).await;
    let panicked = http(stage.address("http"), &["POST /panic HTTP/1.1"], "").await;
    assert_eq!(panicked.status, 503);
    let after = http(stage.address("http"), &["POST /peer HTTP/1.1"], "").await;
    assert_eq!(after.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_front_end_serves_the_documents_that_describe_it() {
    let stage = Stagecraft::start(|_| ()).await;
    for key in ["http", "ws"] {
        let get = async |line: &str| http(stage.address(key), &[line], "").await;
        let found = get("GET /.well-known/dragoman/stage/schema.json HTTP/1.1").await;
        assert_eq!((found.status, found.body.as_str()), (200, "{}\n"), "{key}");
        assert_eq!(found.header("content-type"), Some("application/schema+json"));
        let list = get("GET /.well-known/dragoman/stage/ HTTP/1.1").await;
        let listed = r#"[{"name":"schema.json","media_type":"application/schema+json"}]"#;
        assert_eq!(list.body, listed);
        let unknown = get("GET /.well-known/dragoman/stage/openapi.json HTTP/1.1").await;
        assert_eq!(unknown.status, 404);
        let posted = get("POST /.well-known/dragoman/stage/schema.json HTTP/1.1").await;
        assert_eq!((posted.status, posted.header("allow")), (405, Some("GET, HEAD, OPTIONS")));
        let head = get("HEAD /.well-known/dragoman/stage/schema.json HTTP/1.1").await;
        assert_eq!((head.status, head.header("content-length")), (200, Some("3")));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn documents_are_behind_the_guard_and_can_be_switched_off() {
    let path = "GET /.well-known/dragoman/stage/schema.json HTTP/1.1";
    let guarded = Stagecraft::start(|frontend| {
        frontend.guard.api_keys = vec![api_key("secret")];
    })
    .await;
    assert_eq!(http(guarded.address("http"), &[path], "").await.status, 401);
    let key = "X-Api-Key: secret";
    assert_eq!(http(guarded.address("http"), &[path, key], "").await.status, 200);
    let off = Stagecraft::start_all(|config| config.server.well_known = false).await;
    // Then the path belongs to the front end; this one answers any path.
    let reply = http(off.address("http"), &[path], "").await;
    assert!(reply.body.contains(r#""path":"/.well-known/dragoman/stage/schema.json""#));
    // A WebSocket listener answers only upgrades.
    assert_eq!(http(off.address("ws"), &[path], "").await.status, 426);
}

#[tokio::test(flavor = "multi_thread")]
async fn front_ends_and_a_websocket_share_an_address() {
    // An address that was free a moment ago.
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let stage = Stagecraft::start_all(|config| {
        let mut second = frontend();
        second.name = "second".into();
        second.listeners.retain(|(listener, _)| listener.key == "http");
        second.listeners[0].0.key = "second".into();
        second.listeners[0].0.routes[0].path = "/second".into();
        config.frontends[0]
            .listeners
            .retain(|(listener, _)| ["http", "ws"].contains(&listener.key.as_str()));
        config.frontends.push(second);
        for frontend in &mut config.frontends {
            for (_, address) in &mut frontend.listeners {
                *address = free.into();
            }
        }
    })
    .await;
    assert_eq!(stage.address("http"), free);
    assert_eq!(stage.gateway.address("second", "second"), Some(free));
    let metrics = async || {
        let admin = stage.gateway.admin_address().unwrap();
        http(admin, &["GET /metrics HTTP/1.1"], "").await.body
    };
    http(free, &["POST /second HTTP/1.1"], "").await;
    assert!(metrics().await.contains(r#"dragoman_requests_total{frontend="second"} 1"#));
    http(free, &["POST /unknown HTTP/1.1"], "").await;
    assert!(metrics().await.contains(r#"dragoman_requests_total{frontend="stage"} 1"#));
    assert_eq!(Socket::connect(free).await.ask("say hi").await, "hi");
}

/// A stage that counts how often its schemas are made.
struct Counted {
    stage: Arc<dyn Frontend>,
    made: AtomicU32,
}

impl Frontend for Counted {
    fn manifest(&self) -> &Manifest {
        self.stage.manifest()
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        self.stage.open(peer)
    }

    fn schemas(&self) -> Vec<Document> {
        self.made.fetch_add(1, Ordering::Relaxed);
        self.stage.schemas()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_documents_of_a_front_end_are_made_once() {
    let counted = Arc::new(Counted { stage: frontend().frontend, made: AtomicU32::new(0) });
    let stage = Stagecraft::start(|config| config.frontend = counted.clone()).await;
    for _ in 0..3 {
        for path in ["", "schema.json", "unknown.json"] {
            let get = format!("GET /.well-known/dragoman/stage/{path} HTTP/1.1");
            http(stage.address("http"), &[&get], "").await;
        }
    }
    assert_eq!(counted.made.load(Ordering::Relaxed), 1);
}
