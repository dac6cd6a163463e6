//! Requests that are not the dialect's, and bytes that are no requests.

use gateway_tests::http::Response;
use gateway_tests::{Gateway, Http, Raw};

use super::{ALL, Bystanders, HTTP};

const JSON: (&str, &str) = ("Content-Type", "application/json");

/// A path that each front end has.
fn path(frontend: &str) -> &'static str {
    match frontend {
        "usr_room" => "/usr/info",
        "chatroom" => "/auth/login",
        "channel" => "/login",
        other => panic!("{other} does not speak HTTP"),
    }
}

#[test]
fn http_errors_have_their_status_and_a_body_in_the_dialect() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    let mut said = String::new();
    for frontend in HTTP {
        let path = path(frontend);
        let mut http = Http::connect(gateway.address(frontend, "listen"));
        let mut say = |method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]| {
            let response = http.request(method, path, headers, body);
            let shown = String::from_utf8_lossy(&body[..body.len().min(20)]);
            let header = headers.iter().map(|(name, value)| format!("{name}: {value}"));
            let parts = [method.to_owned(), path.to_owned()].into_iter().chain(header);
            let request = parts.chain([shown.trim().to_owned()]).collect::<Vec<_>>().join(" ");
            said += &format!("{frontend}: {}\n{}", request.trim_end(), with_headers(&response));
        };
        say("POST", "/nowhere", &[JSON], b"{}");
        say("GET", "/", &[], b"");
        say("GET", "/%ff%00..%2f", &[], b"");
        say("DELETE", path, &[], b"");
        say("OPTIONS", path, &[], b"");
        say("POST", path, &[JSON], b"{\"name\":");
        say("POST", path, &[JSON], b"[1]");
        say("POST", path, &[JSON], b"\xff\xfe");
        say("POST", path, &[("Content-Type", "text/plain")], b"hello");
        say("POST", path, &[], b"hello");
        say("POST", path, &[JSON], &[b' '; 1001]);
        bystanders.check();
    }
    insta::assert_snapshot!(said);
}

fn with_headers(response: &Response) -> String {
    let told = ["allow", "content-type", "retry-after"];
    let mut headers = String::new();
    for name in told {
        if let Some(value) = response.header(name) {
            headers += &format!("    {name}: {value}\n");
        }
    }
    let body = String::from_utf8_lossy(&response.body);
    let body = if body.is_empty() { body } else { format!("    {body}\n").into() };
    format!("    {}\n{headers}{body}", response.status)
}

#[test]
fn a_body_that_is_too_large_is_413_however_it_comes() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    for frontend in HTTP {
        let address = gateway.address(frontend, "listen");
        let path = path(frontend);
        let head =
            format!("POST {path} HTTP/1.1\r\nHost: test\r\nContent-Type: application/json\r\n");
        let length = format!("{head}Content-Length: 100000\r\n");
        let chunk = format!("400\r\n{}\r\n", "a".repeat(0x400));
        let bodies = [
            ("in one piece", format!("{length}\r\n{}", "a".repeat(100_000))),
            ("never sent", format!("{length}Expect: 100-continue\r\n\r\n")),
            (
                "in chunks",
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{chunk}{chunk}0\r\n\r\n"),
            ),
        ];
        for (how, request) in bodies {
            let mut http = Http::connect(address);
            http.send_bytes(request.as_bytes()).expect("it is taken");
            let response = http.receive(false).unwrap_or_else(|error| panic!("{how}: {error}"));
            assert_eq!(response.status, 413, "{frontend}, {how}: {response}");
            assert!(response.text().contains("1000 bytes"), "{response}");
        }
        // The largest that is taken.
        let body = format!("{:1000}", "{}");
        let response = Http::connect(address).request("POST", path, &[JSON], body.as_bytes());
        assert_eq!(response.status, 200, "{response}");
        bystanders.check();
    }
}

#[test]
fn bytes_that_are_no_http_get_a_status_or_an_end() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    let long = format!("GET / HTTP/1.1\r\nCookie: {}\r\n\r\n", "a".repeat(200_000));
    let headers = "A: b\r\n".repeat(500);
    let many = format!("GET / HTTP/1.1\r\n{headers}\r\n");
    let chunked = "POST /login HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
    let garbage: [&[u8]; 14] = [
        b"hello\r\n\r\n",
        b"\r\n\r\n\r\n\r\n hello",
        b"GET\r\n\r\n",
        b"GET / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nno header\r\n\r\n",
        b"GET / HTTP/1.1\r\n\xff\xfe: 1\r\n\r\n",
        b"POST /login HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST /login HTTP/1.1\r\nContent-Length: 99999999999999999999999\r\n\r\n",
        b"POST /login HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 a TLS hello, in spirit",
        &[0; 3000],
        long.as_bytes(),
        many.as_bytes(),
    ];
    let bad_chunks = [
        format!("{chunked}zz\r\n"),
        format!("{chunked}ffffffffffffffffff\r\n"),
        format!("{chunked}5\r\nhello, and more"),
    ];
    let listeners = HTTP.map(|frontend| (frontend, "listen")).into_iter().chain(super::WEBSOCKET);
    for (frontend, key) in listeners {
        let address = gateway.address(frontend, key);
        for bytes in garbage.into_iter().chain(bad_chunks.iter().map(|text| text.as_bytes())) {
            let what = String::from_utf8_lossy(&bytes[..bytes.len().min(60)]);
            let end = Raw::connect(address).send(bytes).end().receive_end();
            let answer = String::from_utf8_lossy(&end.bytes);
            let is_refusal = answer.starts_with("HTTP/1.1 4") || answer.starts_with("HTTP/1.0 4");
            assert!(answer.is_empty() || is_refusal, "{frontend}: {what:?}: {answer}");
            // A reset may only lose what the peer sent too much of.
            assert!(!end.reset || bytes.len() > 1000, "{frontend}: {what:?}: {end:?}");
        }
        bystanders.check();
    }
}

#[test]
fn a_request_that_breaks_off_ends_the_connection_and_a_half_close_does_not_lose_the_answer() {
    let gateway = Gateway::start(ALL);
    let mut bystanders = Bystanders::of(&gateway);
    for frontend in HTTP {
        let address = gateway.address(frontend, "listen");
        for part in ["", "PO", "POST /login HTTP/1.1\r\nHost: te"] {
            let end = Raw::connect(address).send(part.as_bytes()).end().receive_end();
            assert!(!end.reset && !end.bytes.starts_with(b"HTTP/1.1 2"), "{part:?}: {end:?}");
        }
        let request =
            format!("POST {} HTTP/1.1\r\nHost: test\r\nContent-Length: 2\r\n\r\n", path(frontend));
        let end = Raw::connect(address).send(format!("{request}{{").as_bytes()).end().receive_end();
        assert!(!end.bytes.starts_with(b"HTTP/1.1 2"), "{end:?}");
        let end =
            Raw::connect(address).send(format!("{request}{{}}").as_bytes()).end().receive_end();
        assert!(end.bytes.starts_with(b"HTTP/1.1 200 "), "{end:?}");
        assert!(!end.reset);
        bystanders.check();
    }
}

#[test]
fn requests_sent_at_once_are_answered_in_their_order() {
    let gateway = Gateway::start(ALL);
    let mut http = Http::connect(gateway.address("chatroom", "listen"));
    let rooms = ["one", "two", "three", "one"];
    let requests = rooms
        .map(|room| format!("GET /chatroom/create?room_name={room} HTTP/1.1\r\nHost: t\r\n\r\n"));
    http.send_bytes(requests.concat().as_bytes()).expect("it is taken");
    let said = rooms.map(|_| http.receive(false).expect("it is answered").json()["res"].clone());
    assert_eq!(said[..3], ["chatroom create successfully"; 3]);
    assert_eq!(said[3], "chatroom already exist");
}

#[test]
fn a_head_request_has_the_length_and_no_body_and_http_1_0_is_understood() {
    let gateway = Gateway::start(ALL);
    let address = gateway.address("chatroom", "listen");
    let mut http = Http::connect(address);
    let whole = http.get("/chatroom/list");
    let head = http.request("HEAD", "/chatroom/list", &[], b"");
    assert_eq!((head.status, head.header("content-length")), (200, whole.header("content-length")));
    assert_eq!(http.get("/chatroom/list"), whole, "nothing of a body is left between");

    let end = Raw::connect(address).send(b"GET /chatroom/list HTTP/1.0\r\n\r\n").receive_end();
    let text = String::from_utf8_lossy(&end.bytes);
    assert!(text.starts_with("HTTP/1.0 200 ") && text.ends_with(whole.text()), "{text}");
}
