//! The files, addresses and headers of the page, over HTTP.

use gateway_tests::{Gateway, Http, Launch, WebSocket};

use super::TOML;

const INDEX: &[u8] = include_bytes!("../../../../examples/web/index.html");

const FILES: [&str; 11] = [
    "", "chat.css", "icon.svg", "app.js", "chat.js", "dom.js", "keep.js", "log.js", "rooms.js",
    "sdk.js", "words.js",
];

#[test]
fn the_page_is_there_where_the_configuration_says_so() {
    let gateway = Gateway::start(TOML);
    let mut http = Http::connect(gateway.address("chatroom", "listen"));
    let root = http.get("/");
    assert_eq!((root.status, root.header("location")), (302, Some("web/")), "{root}");
    for file in FILES {
        let response = http.get(&format!("/web/{file}"));
        assert_eq!(response.status, 200, "{file}");
        let policy = response.header("content-security-policy").expect("it has one").to_owned();
        assert!(policy.starts_with("default-src 'none'; script-src 'self'; "), "{policy}");
        assert!(!policy.contains("unsafe") && !policy.contains("http"), "{policy}");
        assert_eq!(response.header("x-content-type-options"), Some("nosniff"));
        let tag = response.header("etag").expect("it has one").to_owned();
        let again = http.request("GET", &format!("/web/{file}"), &[("if-none-match", &tag)], b"");
        assert_eq!((again.status, again.body.len()), (304, 0), "{file}");
    }
    assert_eq!(http.request("POST", "/web/", &[], b"").status, 405);
    assert_eq!(http.get("/web/nowhere").status, 404);
    let out = http.request("POST", "/web/sign_out", &[], b"");
    let cookie = out.header("set-cookie").expect("it has one");
    assert!(cookie.starts_with("dragoman_chatroom=; Max-Age=0; Path=/; HttpOnly"), "{cookie}");
}

#[test]
fn without_the_key_nothing_is_there() {
    let gateway = Gateway::start(&TOML.replace("page = true", ""));
    let address = gateway.address("chatroom", "listen");
    let mut http = Http::connect(address);
    for path in ["/", "/web/", "/web/app.js", "/web/sign_out", "/web/socket"] {
        let response = http.get(path);
        let body = format!("{{\"res\":\"no such path: {path}\"}}");
        assert_eq!((response.status, response.text()), (404, body.as_str()), "{path}");
    }
    assert!(WebSocket::try_connect(address, "/web/socket", &[]).is_err());
}

#[test]
fn links_of_other_sites_lead_to_the_page_and_to_nothing_else() {
    let gateway = Gateway::start(TOML);
    let mut http = Http::connect(gateway.address("chatroom", "listen"));
    let link = [
        ("sec-fetch-site", "cross-site"),
        ("sec-fetch-mode", "navigate"),
        ("sec-fetch-dest", "document"),
    ];
    for (path, status) in
        [("/", 302), ("/web/", 200), ("/web/app.js", 403), ("/chatroom/list", 403)]
    {
        assert_eq!(http.request("GET", path, &link, b"").status, status, "{path}");
    }
    let framed = [link[0], link[1], ("sec-fetch-dest", "iframe")];
    let image = [link[0], ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")];
    for headers in [&framed[..], &image[..], &link[..1]] {
        assert_eq!(http.request("GET", "/web/", headers, b"").status, 403, "{headers:?}");
    }
}

#[test]
fn the_websocket_beside_the_page_is_for_pages_of_the_same_host() {
    let gateway = Gateway::start(TOML);
    let address = gateway.address("chatroom", "listen");
    let own = format!("http://{address}");
    for (path, origin, is_open) in [
        ("/web/socket", own.as_str(), true),
        ("/web/socket", "http://evil.example", false),
        ("/chatroom/list", own.as_str(), false),
        ("/", own.as_str(), false),
    ] {
        let connected = WebSocket::try_connect(address, path, &[("origin", origin)]);
        assert_eq!(connected.is_ok(), is_open, "{path} {origin}");
    }
    let plain = Http::connect(address).get("/web/socket");
    assert_eq!((plain.status, plain.header("upgrade")), (426, Some("websocket")), "{plain}");
}

#[test]
fn a_chatroom_from_a_plugin_has_the_page_too() {
    let gateway = Launch::loaded("[frontends.chatroom]\npage = true").start();
    let address = gateway.address("chatroom", "listen");
    let page = Http::connect(address).get("/web/");
    assert_eq!((page.status, page.body.len()), (200, INDEX.len()));
    let mut socket = WebSocket::try_connect(address, "/web/socket", &[]).expect("it is open");
    socket.send("hello");
    assert!(socket.receive().contains("invalid message"));
}
