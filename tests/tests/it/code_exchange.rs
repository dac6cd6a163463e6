//! `code_exchange` of usr_room, against a server that is slow, fails and lies.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use gateway_tests::{Gateway, Http, Launch, UsrRoom};
use rcgen::CertifiedKey;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::{Value, json};

/// Requests under way at once; more are refused.
const FETCHES_MAX: usize = 64;

/// A stand-in for the vendor's server. What it answers depends on the code.
struct Vendor {
    address: SocketAddr,
    /// The targets of the requests, as they come.
    asked: Receiver<String>,
}

impl Vendor {
    fn start(tls: Option<Arc<ServerConfig>>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (sender, asked) = mpsc::channel();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let (sender, tls, stream) = (sender.clone(), tls.clone(), stream.expect("a peer"));
                thread::spawn(move || match tls {
                    None => serve(stream, &sender),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).expect("a configuration");
                        serve(StreamOwned::new(connection, stream), &sender);
                    }
                });
            }
        });
        Self { address, asked }
    }

    fn next(&self) -> String {
        self.asked.recv().expect("the stand-in runs")
    }
}

/// Answers the requests of one connection.
fn serve(stream: impl Read + Write, asked: &Sender<String>) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_until(b'\n', &mut head) {
                Ok(read) if read > 0 => (),
                _ => return,
            }
        }
        let head = String::from_utf8(head).expect("a head of text");
        let target = head.split(' ').nth(1).expect("a target").to_owned();
        let code = target.rsplit('=').next().expect("a code").to_owned();
        drop(asked.send(target));
        let written = match code.as_str() {
            // Until the gateway hangs up.
            "slow" => return drop(stream.read_to_end(&mut Vec::new())),
            "cut" => stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{"),
            "huge" => endless(stream.get_mut()),
            "head" => stream
                .get_mut()
                .write_all(&[&b"HTTP/1.1 200 OK\r\nX: "[..], &[b'x'; 1 << 20]].concat()),
            code => stream.get_mut().write_all(answer(code).as_bytes()),
        };
        if written.is_err() || matches!(code.as_str(), "cut" | "huge" | "head") {
            return;
        }
    }
}

/// Writes a body that does not end, until the gateway hangs up.
fn endless(stream: &mut impl Write) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    loop {
        stream.write_all(b"400\r\n")?;
        stream.write_all(&[b' '; 0x400])?;
        stream.write_all(b"\r\n")?;
    }
}

fn answer(code: &str) -> String {
    let (status, body) = match code {
        "redirect" => ("302 Found\r\nLocation: /elsewhere?c=ann", String::new()),
        "broken" => ("500 Internal Server Error", r#"{"openid":"o-ann"}"#.into()),
        "html" => ("200 OK", "<html>".into()),
        "nameless" => ("200 OK", r#"{"session_key":"k"}"#.into()),
        "long" => ("200 OK", json!({ "openid": "o".repeat(10_000) }).to_string()),
        "used" => ("200 OK", r#"{"errcode":40163,"errmsg":"code been used"}"#.into()),
        code => {
            ("200 OK", json!({ "openid": format!("o-{code}"), "session_key": "k" }).to_string())
        }
    };
    format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

/// A gateway that asks this server, with these further keys. Its secret is `s/1`.
fn toml(url: &str, more: &str) -> String {
    format!(
        "[server.log]\nfilter = \"trace\"\n[frontends.usr_room]\nflavor = \"miniprogram\"\n\
         code_exchange = \"{url}/jscode2session?appid=wx1&secret={{secret}}&js_code={{code}}\"\n\
         code_exchange_secret_file = \"secret\"\n{more}\n"
    )
}

fn start(launch: Launch) -> Gateway {
    std::fs::write(launch.folder().join("secret"), "s3cret/1\n").expect("it is writable");
    launch.start()
}

fn client(gateway: &Gateway) -> UsrRoom {
    UsrRoom::connect(gateway.address("usr_room", "listen"))
}

fn log_in(client: &mut UsrRoom, code: &str) -> Value {
    client.call("/login", &json!({ "code": code }))
}

fn failed(why: &str) -> Value {
    json!({ "response_code": 0, "error": why })
}

#[test]
fn a_code_becomes_an_openid_and_the_secret_stays_secret() {
    let vendor = Vendor::start(None);
    let toml =
        toml(&format!("http://{}", vendor.address), "code_exchange_codes = { demo = \"o-demo\" }");
    let mut gateway = start(Launch::of(&toml));
    let mut ann = client(&gateway);
    assert_eq!(log_in(&mut ann, "ann"), json!({ "openid": "o-ann", "exist": 0 }));
    assert_eq!(vendor.next(), "/jscode2session?appid=wx1&secret=s3cret%2F1&js_code=ann");
    ann.done("/usr/complete", &json!({ "openid": "o-ann" }));
    assert_eq!(log_in(&mut ann, "ann"), json!({ "openid": "o-ann", "exist": 1 }));
    vendor.next();
    assert_eq!(log_in(&mut ann, "a&secret=b"), json!({ "openid": "o-a%26secret%3Db", "exist": 0 }));
    assert_eq!(vendor.next(), "/jscode2session?appid=wx1&secret=s3cret%2F1&js_code=a%26secret%3Db");
    assert_eq!(log_in(&mut ann, "demo"), json!({ "openid": "o-demo", "exist": 0 }));
    // A reload reads the secret again, and keeps the connection.
    std::fs::write(gateway.launch().folder().join("secret"), "other").expect("it is writable");
    gateway.reload(&toml);
    assert_eq!(log_in(&mut client(&gateway), "bob")["openid"], "o-bob");
    assert_eq!(vendor.next(), "/jscode2session?appid=wx1&secret=other&js_code=bob");
    assert_eq!(gateway.terminate(), 0);
    let log = gateway.log().text();
    assert!(!log.contains("s3cret") && !log.contains("secret=other"), "{log}");
}

#[test]
fn a_server_that_lies_signs_no_user_in() {
    let vendor = Vendor::start(None);
    let gateway = start(Launch::of(&toml(&format!("http://{}", vendor.address), "")));
    let mut ann = client(&gateway);
    for code in ["redirect", "broken", "html", "nameless", "long", "cut", "huge", "head"] {
        assert_eq!(log_in(&mut ann, code), failed("the code exchange failed"), "{code}");
        // Asked once: nothing is followed or repeated.
        assert!(vendor.next().ends_with(code), "{code}");
    }
    assert_eq!(log_in(&mut ann, "used"), failed("the code was refused (40163)"));
    vendor.next();
    assert!(vendor.asked.try_recv().is_err(), "a request was repeated, or a redirect followed");
    gateway.log().wait_for_line(&["code_exchange", "longer than 16384 bytes"]);
}

#[test]
fn a_server_that_does_not_answer_costs_its_timeout() {
    let vendor = Vendor::start(None);
    let toml = toml(&format!("http://{}", vendor.address), "code_exchange_timeout = \"50ms\"");
    let gateway = start(Launch::of(&toml));
    assert_eq!(log_in(&mut client(&gateway), "slow"), failed("the code exchange failed"));
    gateway.log().wait_for_line(&["code_exchange", "no answer within 50 ms"]);
}

#[test]
fn a_server_that_is_down_fails_the_exchange() {
    let gone = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = gone.local_addr().expect("its address");
    drop(gone);
    let gateway = start(Launch::of(&toml(&format!("http://{address}"), "")));
    assert_eq!(log_in(&mut client(&gateway), "ann"), failed("the code exchange failed"));
}

#[test]
fn slow_exchanges_are_bounded_and_delay_no_other_request() {
    let vendor = Vendor::start(None);
    let more = "code_exchange_timeout = \"1h\"\ncode_exchange_codes = { demo = \"o-demo\" }";
    let gateway = start(Launch::of(&toml(&format!("http://{}", vendor.address), more)));
    let address = gateway.address("usr_room", "listen");
    let waiting: Vec<Http> = (0..FETCHES_MAX)
        .map(|_| {
            let mut http = Http::connect(address);
            http.send("POST", "/login?code=slow", &[], b"").expect("it is sent");
            vendor.next();
            http
        })
        .collect();
    let mut client = client(&gateway);
    let refused = client.http.post_json("/login", &json!({ "code": "slow" }));
    assert_eq!((refused.status, refused.header("retry-after")), (503, Some("1")));
    client.done("/time", &json!({}));
    assert_eq!(log_in(&mut client, "demo")["openid"], "o-demo");
    drop(waiting);
}

#[test]
fn only_a_server_with_a_trusted_certificate_gets_the_secret() {
    let CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(["localhost".to_owned()]).expect("a certificate");
    let key = rustls::pki_types::PrivateKeyDer::try_from(signing_key.serialize_der());
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let tls = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions that ring has")
        .with_no_client_auth()
        .with_single_cert(vec![cert.der().clone()], key.expect("a key"))
        .expect("a certificate with its key");
    let vendor = Vendor::start(Some(Arc::new(tls)));
    let toml = toml(&format!("https://localhost:{}", vendor.address.port()), "");
    let launch = Launch::of(&toml);
    let roots = launch.folder().join("roots.pem");
    std::fs::write(&roots, cert.pem()).expect("it is writable");
    let roots = roots.display().to_string();
    let gateway = start(launch.with_environment("SSL_CERT_FILE", &roots));
    assert_eq!(log_in(&mut client(&gateway), "ann"), json!({ "openid": "o-ann", "exist": 0 }));
    vendor.next();
    let gateway = start(Launch::of(&toml));
    assert_eq!(log_in(&mut client(&gateway), "ann"), failed("the code exchange failed"));
    gateway.log().wait_for_line(&["code_exchange", "invalid peer certificate"]);
    assert!(vendor.asked.try_recv().is_err(), "the request was sent");
}
