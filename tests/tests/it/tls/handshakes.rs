//! What handshakes agree on, and how those end that are none.

use std::io::{Read as _, Write};
use std::net::Shutdown;
use std::time::Duration;

use gateway_tests::{Encryption, Gateway, Http, Raw, connect};
use socket2::SockRef;

use super::{HOST, channel, refused, start};

/// A client finds the certificate by its name, whatever the order of the file.
#[test]
fn a_certificate_is_chosen_by_the_host_that_the_client_names() {
    let authority = gateway_tests::Authority::new();
    let launch = gateway_tests::Launch::of(&channel(
        ", certificates = [{ cert = \"b.pem\", key = \"b.key\" }, { cert = \"c.pem\", key = \"c.key\" }]",
    ));
    authority.server(&["a.example.org"]).write(launch.folder(), "main");
    authority.server(&["b.example.org", "b.example.com"]).write(launch.folder(), "b");
    authority.server(&["*.example.net"]).write(launch.folder(), "c");
    let gateway = launch.start();
    let address = gateway.address("channel", "listen");
    for host in ["a.example.org", "b.example.org", "b.example.com", "x.example.net"] {
        let handshake = Encryption::trusting(&authority.pem, host).try_handshake(address);
        handshake.unwrap_or_else(|why| panic!("{host}: {why}"));
    }
    let why = refused(&authority.pem, "y.x.example.net", address);
    assert!(why.contains("not valid for name"), "{why}");
}

#[test]
fn each_listener_agrees_on_its_own_protocol_only() {
    let toml = "[tls.main]\ncert = \"main.pem\"\nkey = \"main.key\"\n\
                [frontends.channel]\ntls = \"main\"\n\
                [frontends.ourchat]\ntls = \"main\"\ntcp_listen = \"127.0.0.1:0\"\n\
                [frontends.irc]\ntls = \"main\"\nlisten = \"127.0.0.1:0\"\n";
    let (gateway, authority) = start(toml);
    let agreed = |frontend: &str, key: &str, offered: &[&str]| {
        let client = Encryption::offering(&authority.pem, HOST, offered);
        let handshake = client.try_handshake(gateway.address(frontend, key))?;
        Ok::<_, String>(handshake.protocol)
    };
    let http = Some("http/1.1".to_owned());
    assert_eq!(agreed("channel", "listen", &["h2", "http/1.1"]), Ok(http.clone()));
    assert_eq!(agreed("channel", "listen", &[]), Ok(None));
    assert_eq!(agreed("ourchat", "listen", &["http/1.1"]), Ok(http));
    assert_eq!(agreed("irc", "listen", &["irc"]), Ok(Some("irc".to_owned())));
    assert_eq!(agreed("irc", "listen", &[]), Ok(None));
    // What has no name takes no notice of names.
    assert_eq!(agreed("ourchat", "tcp_listen", &["x"]), Ok(None));
    for (frontend, offered) in [("channel", "h2"), ("irc", "http/1.1")] {
        let why = agreed(frontend, "listen", &[offered]).expect_err("nothing in common");
        assert!(why.contains("NoApplicationProtocol"), "{why}");
    }
}

/// What looks whether the gateway is there, as the health checks of balancers do, is no fault: a peer
/// with many is one to ban.
#[test]
fn a_connection_that_closes_without_a_byte_is_no_fault() {
    let (gateway, _) = start(&format!(
        "[server]\ntrusted_proxies = [\"127.0.0.1\"]\n{}\n[frontends.irc]\nlisten = \"127.0.0.1:0\"\n\
         proxy_protocol = \"required\"\ntls = {{ cert = \"main.pem\", key = \"main.key\" }}\n",
        channel("")
    ));
    let header = b"PROXY TCP4 198.51.100.7 127.0.0.1 4000 443\r\n";
    for (frontend, sent) in [("channel", &b""[..]), ("irc", b""), ("irc", header)] {
        let address = gateway.address(frontend, "listen");
        let mut reset = connect(address);
        reset.write_all(sent).unwrap();
        SockRef::from(&reset).set_linger(Some(Duration::ZERO)).unwrap();
        drop(reset);
        let mut closed = connect(address);
        closed.write_all(sent).unwrap();
        closed.shutdown(Shutdown::Write).unwrap();
        assert_eq!(closed.read(&mut [0; 64]).unwrap(), 0);
    }
    // Each front end counts a peer that sends something else.
    for frontend in ["channel", "irc"] {
        let mut raw = Raw::connect(gateway.address(frontend, "listen"));
        raw.send(b"no handshake and no header\r\n").receive_end();
        gateway.log().wait_for_line(&["malformed", frontend]);
        let metric =
            format!("dragoman_refused_total{{frontend=\"{frontend}\",limit=\"handshakes\"}} 1\n");
        assert!(metrics(&gateway).contains(&metric), "{}", metrics(&gateway));
    }
}

/// One line of the log, at level debug, and no answer.
#[test]
fn an_http_request_to_an_encrypted_port_is_closed_quietly() {
    let (gateway, _) = start(&channel(""));
    let mut raw = Raw::connect(gateway.address("channel", "listen"));
    let end = raw.send(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n").receive_end();
    assert!(!String::from_utf8_lossy(&end.bytes).contains("HTTP"), "{end:?}");
    let line = gateway.log().wait_for_line(&["no TLS handshake"]);
    assert!(line.contains("DEBUG") && line.contains("127.0.0.1"), "{line}");
    let metric = "dragoman_refused_total{frontend=\"channel\",limit=\"handshakes\"} 1";
    assert!(metrics(&gateway).contains(metric), "{}", metrics(&gateway));
}

fn metrics(gateway: &Gateway) -> String {
    Http::connect(gateway.address("admin", "listen")).get("/metrics").text().to_owned()
}

#[test]
fn a_handshake_that_is_too_long_or_too_slow_is_ended() {
    let (gateway, _) = start(&format!("{}handshake_timeout = \"1s\"\n", channel("")));
    let address = gateway.address("channel", "listen");
    // A record of the handshake that announces a ClientHello of 65535 bytes, in parts of 4 KiB.
    let mut long = Raw::connect(address);
    let part = [&[0x16, 3, 1, 0x10, 0][..], &[1; 4096]].concat();
    let first = [&[0x16, 3, 1, 0x10, 0, 1, 0, 0xff, 0xff][..], &[1; 4092]].concat();
    long.send(&first);
    (0..4).for_each(|_| {
        long.send(&part);
    });
    long.receive_end();
    gateway.log().wait_for_line(&["more than 16384 bytes"]);
    // The beginning of one, and silence.
    let mut slow = Raw::connect(address);
    slow.send(&first[..20]).receive_end();
    gateway.log().wait_for_line(&["longer than handshake_timeout"]);
}

#[test]
fn handshakes_that_do_not_go_on_are_in_no_others_way() {
    let (gateway, authority) = start(&channel(""));
    let address = gateway.address("channel", "listen");
    let halves: Vec<_> = (0..500)
        .map(|_| {
            let mut stream = connect(address);
            stream.write_all(&[0x16, 3, 1, 1]).expect("it is taken");
            stream
        })
        .collect();
    let encrypted = Encryption::trusting(&authority.pem, HOST).to(address);
    assert_eq!(Http::connect(encrypted).get("/nowhere").status, 404);
    drop(halves);
}

/// What is in one record with the end of the handshake is not lost.
#[test]
fn a_client_may_go_on_at_once() {
    let (gateway, authority) = start(&channel(""));
    let encrypted =
        Encryption::trusting(&authority.pem, HOST).to(gateway.address("channel", "listen"));
    let mut http = Http::connect(encrypted);
    for _ in 0..3 {
        http.send("GET", "/nowhere", &[], b"").expect("it is sent");
    }
    for _ in 0..3 {
        assert_eq!(http.receive(false).expect("an answer").status, 404);
    }
    let body = vec![b' '; 900_000];
    let json = [("Content-Type", "application/json")];
    assert_eq!(http.request("POST", "/login", &json, &body).status, 200);
}

#[test]
fn draining_does_not_wait_for_handshakes() {
    let (mut gateway, authority) = start(&format!("{}handshake_timeout = \"0s\"\n", channel("")));
    let address = gateway.address("channel", "listen");
    let mut raw = Raw::connect(address);
    raw.send(&[0x16, 3, 1]);
    // It was accepted before this one.
    Encryption::trusting(&authority.pem, HOST).try_handshake(address).expect("a handshake");
    gateway.signal_term();
    raw.receive_end();
    assert_eq!(gateway.wait_for_exit(), 0);
    assert!(!gateway.log().text().contains("drain timeout reached"), "it waited for the handshake");
}

#[test]
fn browsers_hear_of_encryption() {
    let toml = format!(
        "{}[frontends.chatroom]\ntls = {{ cert = \"main.pem\", key = \"main.key\" }}\n",
        channel(", hsts = \"365d\"")
    );
    let (gateway, authority) = start(&toml);
    let client = Encryption::trusting(&authority.pem, HOST);
    let response = Http::connect(client.to(gateway.address("channel", "listen"))).get("/nowhere");
    assert_eq!(response.header("strict-transport-security"), Some("max-age=31536000"));
    let mut chatroom =
        gateway_tests::Chatroom::connect(client.to(gateway.address("chatroom", "listen")));
    chatroom.register("5551234", "ann", "secret");
    let response = chatroom.http.get("/auth/login?user_tel=5551234&user_password=secret");
    assert!(response.header("set-cookie").is_some_and(|it| it.ends_with("; Secure")), "{response}");
    assert_eq!(response.header("strict-transport-security"), None);
}
