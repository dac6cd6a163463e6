//! A client certificate as the identity of a user.

use std::net::SocketAddr;

use gateway_tests::{Authority, Channel, Encryption, Gateway, Irc, Launch};
use serde_json::json;

use super::hook::link;

const HOST: &str = "chat.example.org";

const TOML: &str = "[tls.main]\ncert = \"main.pem\"\nkey = \"main.key\"\n\
     client_ca = \"main.ca\"\nrequire = false\n\
     [frontends.irc]\ntls = \"main\"\n[frontends.channel]\ntls = \"main\"\n";

fn start() -> (Gateway, Authority) {
    let authority = Authority::new();
    let launch = Launch::of(TOML);
    authority.server(&[HOST]).write(launch.folder(), "main");
    std::fs::write(launch.folder().join("main.ca"), &authority.pem).expect("a file");
    (launch.start(), authority)
}

/// Where a client with this certificate connects.
fn with(authority: &Authority, name: &str, address: SocketAddr) -> SocketAddr {
    Encryption::with_certificate(&authority.pem, HOST, &authority.client(name)).to(address)
}

/// What EXTERNAL is answered, with this response.
fn external(address: SocketAddr, response: &str) -> String {
    let mut irc = Irc::connect(address);
    for line in ["CAP REQ :sasl", "NICK x", "USER x 0 * :x", "AUTHENTICATE EXTERNAL"] {
        irc.send(line);
    }
    irc.receive_until("AUTHENTICATE +");
    irc.send(&format!("AUTHENTICATE {response}"));
    irc.receive_until(" 90")
}

#[test]
fn a_linked_certificate_signs_in_to_irc_without_a_password() {
    let (gateway, authority) = start();
    let plain = Encryption::trusting(&authority.pem, HOST);
    Channel::enroll(plain.to(gateway.address("channel", "listen")), "ann");
    let address = gateway.address("irc", "listen");
    let by_ann = with(&authority, "ann", address);
    let refused = external(by_ann, "+");
    assert!(refused.contains(" 904 "), "a certificate of that name is no account: {refused}");
    link(&gateway, "ann", "cert/CN=ann");
    let signed_in = external(by_ann, "+");
    assert!(signed_in.contains(" 900 ") && signed_in.ends_with("as ann"), "{signed_in}");
    // ann
    assert!(external(by_ann, "YW5u").contains(" 900 "));
    // bob
    let refused = external(by_ann, "Ym9i");
    assert!(refused.ends_with(" :The certificate is linked to another account"), "{refused}");
    assert!(external(with(&authority, "bob", address), "+").contains(" 904 "));
    // Signed on to the end.
    let mut irc = Irc::connect(by_ann);
    irc.send("CAP LS 302");
    assert!(irc.receive().contains(" sasl=PLAIN,EXTERNAL "));
    for line in ["CAP REQ :sasl", "NICK x", "USER x 0 * :x", "AUTHENTICATE EXTERNAL"] {
        irc.send(line);
    }
    irc.receive_until("AUTHENTICATE +");
    irc.send("AUTHENTICATE +");
    irc.receive_until(" 903 ");
    irc.send("CAP END");
    assert!(irc.receive_until(" 001 ").contains(" 001 ann "));
}

#[test]
fn without_a_certificate_there_is_no_external() {
    let (gateway, authority) = start();
    let address = Encryption::trusting(&authority.pem, HOST).to(gateway.address("irc", "listen"));
    let mut irc = Irc::connect(address);
    irc.send("CAP LS 302");
    assert!(irc.receive().contains(" sasl=PLAIN "));
    irc.send("AUTHENTICATE EXTERNAL");
    assert!(irc.receive_until(" 908 ").contains(" PLAIN :"));
    irc.receive_until(" 904 ");
}

#[test]
fn a_linked_certificate_stands_for_a_token_of_channel() {
    let (gateway, authority) = start();
    let address = gateway.address("channel", "listen");
    Channel::enroll(Encryption::trusting(&authority.pem, HOST).to(address), "ann");
    let mut by_ann = Channel::connect(with(&authority, "ann", address));
    let body = json!({ "name": "tearoom", "message": "hello" });
    assert_eq!(by_ann.call("/channel/send", &body)["code"], 6, "not linked");
    link(&gateway, "ann", "cert/CN=ann");
    by_ann.send("tearoom", "hello");
    assert_eq!(by_ann.history("tearoom"), [("ann".to_owned(), "hello".to_owned())]);
    // A token that is shown decides.
    by_ann.token = Some("of another".into());
    assert_eq!(by_ann.call("/channel/send", &body)["code"], 2);
}
