//! Where a listener takes connections: several addresses, unix sockets, and behind proxies that name
//! their clients.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;
use std::os::unix::net::UnixStream;
use std::path::Path;

use gateway_tests::{Gateway, Http, Irc, Launch, PATIENCE, Raw};

/// What an HTTP request on a unix socket is answered.
fn ask(socket: &Path, head: &str) -> String {
    let mut stream = UnixStream::connect(socket).expect("the gateway listens");
    stream.set_read_timeout(Some(PATIENCE)).expect("it is open");
    write!(stream, "GET /nowhere HTTP/1.1\r\n{head}Connection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    answer
}

/// A gateway that waits for nothing but the addresses of its log.
fn start(toml: &str) -> Gateway {
    let gateway = Launch::of(toml).spawn();
    gateway.log().wait_for_line(&["try: "]);
    gateway
}

#[test]
fn a_front_end_listens_on_a_unix_socket_and_on_addresses() {
    let toml = "[frontends.channel]\n\
                listen = [{ address = \"unix:chat.sock\", socket_mode = \"0600\" }, \"127.0.0.1:0\", \"localhost:0\"]\n";
    let mut gateway = start(toml);
    let socket = gateway.launch().folder().join("chat.sock");
    let mode = socket.metadata().expect("it is there").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(ask(&socket, "Host: chat.example.org\r\n").starts_with("HTTP/1.1 404"));
    let line = gateway.log().wait_for_line(&["listening", "unix:"]);
    assert!(line.contains("chat.sock"), "{line}");
    let tcp = gateway.wait_for_listener("channel", "listen");
    assert_eq!(Http::connect(tcp).get("/nowhere").status, 404);
    assert_eq!(gateway.terminate(), 0);
    assert!(!socket.exists(), "its file goes with it");
}

#[test]
fn a_reload_changes_the_permissions_of_a_socket() {
    let toml = "[frontends.channel]\nlisten = \"unix:chat.sock\"\n";
    let mut gateway = start(toml);
    let socket = gateway.launch().folder().join("chat.sock");
    let mode = || socket.metadata().expect("it is there").permissions().mode() & 0o777;
    assert_eq!(mode(), 0o660);
    gateway.reload(&format!("{toml}socket_mode = \"0666\"\n"));
    assert_eq!(mode(), 0o666);
    assert!(ask(&socket, "Host: localhost\r\n").starts_with("HTTP/1.1 404"));
}

/// Whatever else the reload changes.
#[test]
fn a_reload_binds_a_socket_anew_whose_file_is_gone() {
    let toml =
        "[admin]\nlisten = \"127.0.0.1:0\"\n[frontends.channel]\nlisten = \"unix:chat.sock\"\n";
    let mut gateway = start(toml);
    let socket = gateway.launch().folder().join("chat.sock");
    let admin = gateway.wait_for_listener("admin", "listen");
    let ready = || Http::connect(admin).get("/readyz").status;
    for (mode, setting) in [(0o660, ""), (0o600, "socket_mode = \"0600\"\n")] {
        assert_eq!(ready(), 200);
        std::fs::remove_file(&socket).expect("it is there");
        assert_eq!(ready(), 503, "no client reaches it");
        gateway.reload(&format!("{toml}{setting}"));
        assert!(ask(&socket, "Host: localhost\r\n").starts_with("HTTP/1.1 404"));
        assert_eq!(socket.metadata().expect("it is there").permissions().mode() & 0o777, mode);
    }
    assert_eq!(ready(), 200);
    std::fs::remove_file(&socket).expect("it is there");
    std::fs::write(&socket, "of another").expect("the folder is writable");
    gateway.reload(toml);
    let metrics = Http::connect(admin).get("/metrics");
    assert!(
        metrics.text().contains("dragoman_reloads_total{result=\"incomplete\"} 1\n"),
        "{}",
        metrics.text()
    );
    assert_eq!(ready(), 503);
    assert_eq!(std::fs::read(&socket).expect("it is there"), b"of another");
}

#[test]
fn a_socket_that_a_killed_gateway_left_is_replaced() {
    let mut gateway = start("[frontends.channel]\nlisten = \"unix:chat.sock\"\n");
    let socket = gateway.launch().folder().join("chat.sock");
    gateway.kill();
    assert!(socket.exists());
    let second = gateway.launch().clone().spawn();
    second.log().wait_for_line(&["removed the socket of a program that has ended"]);
    second.log().wait_for_line(&["try: "]);
    assert!(ask(&socket, "Host: localhost\r\n").starts_with("HTTP/1.1 404"));
}

#[test]
fn the_user_of_a_process_may_be_refused() {
    let toml = "[frontends.usr_room]\nlisten = { address = \"unix:app.sock\", allow_uids = [4000000000] }\n";
    let gateway = start(toml);
    let socket = gateway.launch().folder().join("app.sock");
    let mut stream = UnixStream::connect(&socket).expect("the permissions let it");
    let mut answer = Vec::new();
    // It may be closed before it has sent anything.
    drop(stream.write_all(b"GET /time HTTP/1.1\r\nHost: x\r\n\r\n"));
    drop(stream.read_to_end(&mut answer));
    assert_eq!(answer, b"");
}

#[test]
fn a_peer_without_an_address_is_shown_as_such_and_is_in_no_network() {
    let mut gateway = Launch::of("[frontends.irc]\nlisten = \"unix:irc.sock\"\n").spawn();
    gateway.wait_for_listener("admin", "listen");
    gateway.log().wait_for_line(&["\"message\":\"ready\""]);
    let mut stream =
        UnixStream::connect(gateway.launch().folder().join("irc.sock")).expect("it listens");
    let mut ban = |target: &str| {
        let (_, why, code) = gateway.dragoman(&["ban", "add", target]);
        assert_eq!(code, 0, "{why}");
    };
    ["network:0.0.0.0", "network:0.0.0.0/0", "network:::/0"].into_iter().for_each(&mut ban);
    stream.write_all(b"NICK zed\r\nUSER zed 0 * :zed\r\nPING :1\r\n").expect("it takes it");
    let mut answer = String::new();
    while !answer.contains("PONG") {
        let mut piece = [0; 4096];
        let read = stream.read(&mut piece).expect("it answers");
        assert!(read > 0, "it was closed after {answer}");
        answer += &String::from_utf8_lossy(&piece[..read]);
    }
    assert!(answer.contains(" 001 zed "), "{answer}");
    let (said, _, _) = gateway.dragoman(&["session", "list", "--json"]);
    assert!(said.contains("\"address\":\"unix\""), "{said}");
    let (said, _, _) = gateway.dragoman(&["session", "list", "--address", "0.0.0.0/0"]);
    assert_eq!(said, "none\n");
}

/// A proxy on a unix socket says who its clients are, if it is trusted.
#[test]
fn a_peer_on_a_unix_socket_is_trusted_by_name() {
    let channel = "[frontends.channel]\nlisten = \"unix:chat.sock\"\nallow = [\"203.0.113.7\"]\n";
    let forwarded = "Host: chat.example.org\r\nX-Forwarded-For: 203.0.113.7\r\n";
    let gateway = start(&format!("[server]\ntrusted_proxies = [\"unix:\"]\n{channel}"));
    let socket = gateway.launch().folder().join("chat.sock");
    assert!(ask(&socket, forwarded).starts_with("HTTP/1.1 404"));
    assert!(ask(&socket, "Host: chat.example.org\r\n").starts_with("HTTP/1.1 403"));
    let gateway = start(channel);
    let socket = gateway.launch().folder().join("chat.sock");
    assert!(ask(&socket, forwarded).starts_with("HTTP/1.1 403"));
}

const PROXIED: &str = "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n\
                       [server.log]\nfilter = \"info,dragoman=debug\"\n\
                       [frontends.irc]\nlisten = \"127.0.0.1:0\"\nproxy_protocol = \"required\"\n\
                       allow = [\"203.0.113.0/24\"]\nconnections_per_address_max = 2\n\
                       [frontends.channel]\nproxy_protocol = \"required\"\nallow = [\"203.0.113.0/24\"]\n";

const ANN: &str = "PROXY TCP4 203.0.113.7 127.0.0.1 4711 6667\r\n";

#[test]
fn the_client_that_a_proxy_names_is_the_one_that_counts() {
    let gateway = Gateway::start(PROXIED);
    let irc = gateway.address("irc", "listen");
    let sign_on = |header: &str| {
        let mut raw = Raw::connect(irc);
        raw.send(format!("{header}NICK x\r\nUSER x 0 * :x\r\nPING :here\r\n").as_bytes());
        raw
    };
    let mut first = sign_on(ANN);
    first.receive_until(b" 422 ");
    let mut second = sign_on(&ANN.replace("4711", "4712"));
    second.receive_until(b" 433 ");
    // The third of one address, and one that is not allowed.
    assert_eq!(sign_on(ANN).receive_end().bytes, b"");
    let other = "PROXY TCP4 198.51.100.1 127.0.0.1 1 6667\r\n";
    assert_eq!(sign_on(other).receive_end().bytes, b"");
    drop((first, second));
    let channel = |header: &str| {
        let mut raw = Raw::connect(gateway.address("channel", "listen"));
        raw.send(format!("{header}GET /nowhere HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n").as_bytes());
        String::from_utf8(raw.receive(12)).expect("a status line")
    };
    assert_eq!(channel(ANN), "HTTP/1.1 404");
    assert_eq!(channel(other), "HTTP/1.1 403");
    assert_eq!(channel("PROXY UNKNOWN\r\n"), "HTTP/1.1 403");
}

#[test]
fn without_a_header_of_a_trusted_proxy_nothing_is_served() {
    let gateway = Gateway::start(PROXIED);
    let irc = gateway.address("irc", "listen");
    let mut raw = Raw::connect(irc);
    let end = raw.send(b"NICK ann\r\nUSER ann 0 * :ann\r\n").receive_end();
    assert_eq!(end.bytes, b"");
    gateway.log().wait_for_line(&["does not begin with a PROXY header"]);
    let mut raw = Raw::connect(irc);
    assert_eq!(raw.send(&ANN.as_bytes()[..30]).end().receive_end().bytes, b"");
    gateway.log().wait_for_line(&["the PROXY header ends after 30 bytes"]);
    let mut raw = Raw::connect(irc);
    raw.send(b"\r\n\r\n\0\r\nQUIT\n\x21\x11\xff\xff").receive_end();
    gateway.log().wait_for_line(&["announces 65535 bytes"]);
    let stream = gateway_tests::connect_from([127, 0, 0, 2].into(), irc);
    assert_eq!(end_of(stream), b"");
    gateway.log().wait_for_line(&["trusted_proxies does not have the peer", "127.0.0.2"]);
    // A proxy that looks whether the gateway is there, and has nothing to say.
    let before = gateway.log().text().lines().count();
    assert_eq!(Raw::connect(irc).end().receive_end().bytes, b"");
    let mut after = Raw::connect(irc);
    after.send(b"x").receive_end();
    let log = gateway.log();
    let added = log.wait_for("one more line", |lines| lines.get(before..).map(<[_]>::to_vec));
    assert!(added.iter().all(|line| line.contains("does not begin")), "{added:?}");
}

fn end_of(mut stream: TcpStream) -> Vec<u8> {
    let mut bytes = Vec::new();
    // The gateway sends ANN's header back to no peer.
    drop(stream.write_all(ANN.as_bytes()));
    drop(stream.read_to_end(&mut bytes));
    bytes
}

#[test]
fn a_health_check_of_a_proxy_is_served_as_the_proxys_own() {
    let toml = PROXIED.replace("203.0.113.0/24", "127.0.0.0/8");
    let gateway = Gateway::start(&toml);
    let mut raw = Raw::connect(gateway.address("irc", "listen"));
    raw.send(b"\r\n\r\n\0\r\nQUIT\n\x20\x00\x00\x00NICK check\r\nUSER x 0 * :x\r\n");
    raw.receive_until(b" 422 ");
}

/// TLS of the client comes behind the header.
#[test]
fn the_header_comes_before_tls() {
    let authority = gateway_tests::Authority::new();
    let launch = Launch::of(&PROXIED.replace(
        "proxy_protocol = \"required\"\n",
        "proxy_protocol = \"required\"\ntls = { cert = \"main.pem\", key = \"main.key\" }\n",
    ));
    authority.server(&["irc.example.org"]).write(launch.folder(), "main");
    let gateway = launch.start();
    let client = gateway_tests::Encryption::trusting(&authority.pem, "irc.example.org");
    let address = client.behind(ANN.as_bytes(), gateway.address("irc", "listen"));
    Irc::sign_on(address, "ann", None);
}
