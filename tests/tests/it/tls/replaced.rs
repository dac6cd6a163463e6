//! Certificates that are replaced while the gateway runs.

use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use gateway_tests::{Authority, Encryption, Gateway, Launch, Ourchat};
use serde_json::json;

use super::{HOST, start};

const OURCHAT: &str = "[tls.main]\ncert = \"main.pem\"\nkey = \"main.key\"\n[[rooms]]\nname = \"TEST\"\n\
                       [frontends.ourchat]\ntls = \"main\"\nping_interval = \"0s\"\nauto_join = [\"TEST\"]\n";

/// The certificate that a new client is shown.
fn shown(gateway: &Gateway, authority: &Authority) -> Vec<u8> {
    let client = Encryption::trusting(&authority.pem, HOST);
    let handshake = client.try_handshake(gateway.address("ourchat", "listen"));
    handshake.expect("the handshake succeeds").certificate
}

#[test]
fn a_certificate_is_replaced_under_load_and_no_connection_ends() {
    let (gateway, authority) = start(OURCHAT);
    let address = gateway.address("ourchat", "listen");
    let encrypted = Encryption::trusting(&authority.pem, HOST).to(address);
    let first = shown(&gateway, &authority);
    let mut idle: Vec<_> = (0..200).map(|_| Ourchat::websocket(encrypted)).collect();
    let over = AtomicBool::new(false);
    thread::scope(|scope| {
        for name in ["ann", "ben"] {
            let mut posting = Ourchat::websocket(encrypted);
            posting.enroll(name);
            let over = &over;
            scope.spawn(move || {
                while !over.load(Ordering::Relaxed) {
                    posting.call(&json!({"code": 10, "client": "ping"}));
                }
            });
        }
        let mut before = first.clone();
        for nth in 1..=3 {
            let log = gateway.log();
            let count = |lines: &[String]| {
                lines.iter().filter(|line| line.contains("the certificate was read again")).count()
            };
            authority.server(&[HOST]).write(gateway.launch().folder(), "main");
            log.wait_for("a new certificate", |lines| (count(lines) >= nth).then_some(()));
            let now = shown(&gateway, &authority);
            assert_ne!(now, before, "new clients are shown the new certificate");
            before = now;
        }
        over.store(true, Ordering::Relaxed);
    });
    for client in &mut idle {
        assert_eq!(client.call(&json!({"code": 12}))["code"], 12);
    }
}

/// Whatever is wrong, all that is served goes on, and the log names the file.
#[test]
fn what_cannot_be_served_does_not_replace_what_can() {
    let (mut gateway, authority) = start(OURCHAT);
    let folder = gateway.launch().folder().to_owned();
    let first = shown(&gateway, &authority);
    let other = authority.server(&[HOST]);
    std::fs::write(folder.join("main.key"), &other.key).expect("it is writable");
    let words = ["ERROR", "keeping the certificate in use", "main.key is not the key of the"];
    gateway.log().wait_for_line(&words);
    gateway
        .reload_wrong(&std::fs::read_to_string(folder.join("gateway.toml")).expect("it is there"));
    gateway.log().wait_for_line(&["gateway.toml:", "tls.main.key", "is not the key of the"]);
    assert_eq!(shown(&gateway, &authority), first);
    // Together they are right.
    std::fs::write(folder.join("main.pem"), &other.cert).expect("it is writable");
    gateway.log().wait_for_line(&["the certificate was read again"]);
    assert_ne!(shown(&gateway, &authority), first);
}

#[test]
fn a_reload_turns_encryption_on_and_off() {
    let plain = "[frontends.ourchat]\nlisten = \"127.0.0.1:0\"\n";
    let authority = Authority::new();
    let launch = Launch::of(plain);
    authority.server(&[HOST]).write(launch.folder(), "main");
    let mut gateway = launch.start();
    let address = gateway.address("ourchat", "listen");
    let mut before = Ourchat::websocket(address);
    gateway.reload(&format!("{plain}tls = {{ cert = \"main.pem\", key = \"main.key\" }}\n"));
    let client = Encryption::trusting(&authority.pem, HOST);
    let mut encrypted = Ourchat::websocket(client.to(address));
    encrypted.enroll("ann");
    before.enroll("ben");
    gateway.reload(plain);
    Ourchat::websocket(address).enroll("carol");
    encrypted.login("ann@example.org", "pw");
}
