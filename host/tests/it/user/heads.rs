//! What a request to the admin listener must be before its path counts.

use super::*;

/// The answer to these bytes: its status, head and body.
fn asked(address: SocketAddr, bytes: &[u8]) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("it listens");
    // The gateway may have refused the request before its end.
    drop(stream.write_all(bytes));
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers in UTF-8");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a whole head");
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok());
    (status.expect("a status"), head.to_lowercase(), body.to_owned())
}

#[test]
fn heads_are_checked_as_on_the_listeners_of_dialects() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let long = |bytes: usize| format!("host: x\r\ncookie: {}", "a".repeat(bytes));
    let get = |path: &str, lines: &str| format!("GET {path} HTTP/1.1\r\n{lines}\r\n\r\n");
    for (request, status, says) in [
        (get("/metrics", &long(300_000)), 431, "64 KiB"),
        (get("/metrics", &long(66_000)), 431, "64 KiB"),
        (get("/healthz", &format!("host: x{}", "\r\na: b".repeat(200))), 431, "100 headers"),
        (get("/metrics", "host: 127.0.0.1\r\nhost: 127.0.0.1"), 400, "one Host"),
        (get("/healthz", "host: 127.0.0.1\r\nhost: evil.example"), 400, "one Host"),
        (get("/metrics", "host: evil.example@127.0.0.1"), 400, "one Host"),
        (get("/metrics", "host: x\r\ncontent-length: 18446744073709551615"), 413, "counted"),
        (get("/metrics", "host: x\r\ntransfer-encoding: chunked, chunked"), 400, "once"),
        (get("http://ann@127.0.0.1/metrics", "host: x"), 400, "target"),
        (get("", "host: x"), 400, "HTTP/1.1"),
        ("\u{16}\u{3}\u{1}\r\n\r\n".to_owned(), 400, "HTTP/1.1"),
        ("CONNECT  HTTP/1.1\r\nhost: x\r\n\r\n".to_owned(), 400, "HTTP/1.1"),
        (get("/metrics", "host: evil.example"), 403, "[admin] hosts"),
        (get("/ledger", "host: evil.example:5090"), 403, "[admin] hosts"),
        (get("/api/", "host: evil.example"), 403, "[admin] hosts"),
        (get("/console/", "host: evil.example"), 403, "[admin] hosts"),
        (get("http://evil.example/metrics", "host: 127.0.0.1"), 403, "[admin] hosts"),
    ] {
        let (got, head, said) = asked(admin, request.as_bytes());
        let shown: String = request.chars().take(80).collect();
        assert_eq!(got, status, "{shown:?}: {said}");
        assert!(head.contains("content-type: application/problem+json"), "{shown:?}: {head}");
        let problem: Value = serde_json::from_str(&said).expect("a problem");
        assert_eq!(problem["status"], status, "{said}");
        assert!(problem["detail"].as_str().expect("words").contains(says), "{shown:?}: {said}");
    }
    gateway.end();
}

#[test]
fn what_watches_the_gateway_asks_by_any_host_that_no_page_can_have() {
    let folder = populated();
    let made = run(folder.path(), &["admin", "token", "create", "--role", "monitor"]);
    let token = made.split_whitespace().find(|word| word.starts_with("dgm_")).expect("a token");
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let status = |path: &str, lines: &str| {
        asked(admin, format!("GET {path} HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes()).0
    };
    // Of Prometheus and kubelet: the address of the pod, the name of a service.
    for host in ["10.1.2.3:9090", "[fd00::7]:9090", "dragoman:9090", "a.svc.local", "localhost"] {
        for path in ["/metrics", "/ledger", "/healthz", "/readyz"] {
            assert_eq!(status(path, &format!("host: {host}")), 200, "{path} {host}");
        }
    }
    // A probe says nothing to a page, and may have any name.
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(path, "host: chat.example.org"), 200, "{path}");
    }
    assert_eq!(asked(admin, b"GET /metrics HTTP/1.0\r\n\r\n").0, 200);
    let lines = format!("host: chat.example.org\r\nauthorization: Bearer {token}");
    assert_eq!(status("/metrics", &lines), 200, "no page has a token");
    for host in ["dragoman.default.svc", "GW.lan:5090", "dragoman.dragoman_default."] {
        assert_eq!(status("/metrics", &format!("host: {host}")), 403, "{host}");
    }
    let connect = asked(admin, b"CONNECT 127.0.0.1:80 HTTP/1.1\r\nhost: 127.0.0.1:80\r\n\r\n").0;
    assert_eq!(connect, 405);
    gateway.end();
}

#[test]
fn a_name_of_the_configuration_may_be_asked_for_and_no_other() {
    let hosts = "hosts = [\"dragoman.default.svc\", \"gw.lan\", \"dragoman.dragoman_default\"]";
    let toml = TOML.replace("[admin]\n", &format!("[admin]\n{hosts}\n"));
    let folder = folder(&toml);
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let status = |path: &str, lines: &str| {
        asked(admin, format!("GET {path} HTTP/1.1\r\n{lines}\r\n\r\n").as_bytes()).0
    };
    let own = "x-dragoman-admin: 1";
    for host in ["dragoman.default.svc:5090", "GW.lan", "dragoman.dragoman_default."] {
        for path in ["/metrics", "/api/", "/console/"] {
            assert_eq!(status(path, &format!("host: {host}")), 200, "{path} {host}");
        }
        assert_eq!(status("/api/v1/users", &format!("host: {host}\r\n{own}")), 200, "{host}");
        assert_eq!(status("/api/v1/users", &format!("host: {host}")), 403, "without the header");
    }
    for host in ["evil.example", "gw.lan.evil.example", "x.gw.lan", "evilgw.lan"] {
        for path in ["/metrics", "/api/v1/users"] {
            assert_eq!(status(path, &format!("host: {host}\r\n{own}")), 403, "{path} {host}");
        }
    }
    gateway.end();
}
