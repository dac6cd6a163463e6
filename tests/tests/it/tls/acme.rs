//! Certificates that a CA issues while the gateway runs.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use gateway_tests::{AcmeServer, Encryption, Gateway, Http, Launch, Ourchat};
use serde_json::json;

use super::HOST;

/// A gateway whose certificate is to come from this CA, for these names.
fn toml(acme: &AcmeServer, domains: &str, contact: &str) -> String {
    let directory = acme.directory();
    format!(
        "[server.log]\nfilter = \"info,dragoman=debug\"\n\
         [tls.main.acme]\ndomains = {domains}\ndirectory = \"{directory}\"\nca_file = \"web.pem\"\n\
         contacts = [\"{contact}\"]\naccept_terms = true\n\
         [frontends.ourchat]\ntls = \"main\"\n[frontends.irc]\ntls = \"main\"\nlisten = \"127.0.0.1:0\"\n"
    )
}

const ONE: &str = "[\"chat.example.org\"]";
const CONTACT: &str = "ops@example.org";

fn launch(acme: &AcmeServer, toml: &str) -> Launch {
    let launch = Launch::of(toml);
    std::fs::write(launch.folder().join("web.pem"), &acme.web.pem).expect("it is writable");
    launch
}

/// Waits until it serves a certificate that it did not have before.
fn wait_for_certificate(gateway: &Gateway) {
    gateway.log().wait_for_line(&["a certificate was issued", HOST]);
    gateway.log().wait_for_line(&["the certificate was read again", HOST]);
}

/// The file with the account, and that with the certificate.
fn kept(folder: &Path) -> (PathBuf, PathBuf) {
    let entries =
        std::fs::read_dir(folder).expect("it is made").map(|entry| entry.expect("it is").path());
    let mut files: Vec<PathBuf> = entries.collect();
    files.sort();
    let [account, certificate] = files.try_into().expect("two files");
    (account, certificate)
}

fn mode(path: &Path) -> u32 {
    path.metadata().expect("it is there").permissions().mode() & 0o777
}

#[test]
fn a_ca_issues_a_certificate_that_is_kept_and_its_client_is_known_again() {
    let acme = AcmeServer::new();
    let domains = "[\"chat.example.org\", \"Irc.Example.org\"]";
    let mut gateway = launch(&acme, &toml(&acme, domains, CONTACT)).start();
    gateway.log().wait_for_line(&["WARN", "there is no certificate for", "handshakes fail"]);
    let ourchat = |gateway: &Gateway| gateway.address("ourchat", "listen");
    let client = |host| Encryption::trusting(&acme.issuer().pem, host);
    client(HOST).try_handshake(ourchat(&gateway)).expect_err("there is none yet");
    // Every encrypted listener answers the CA: this one has another protocol.
    acme.reaches(gateway.address("irc", "listen"));
    wait_for_certificate(&gateway);
    for host in [HOST, "irc.example.org"] {
        client(host).try_handshake(ourchat(&gateway)).expect("it is issued for both");
    }
    let records = acme.records();
    assert_eq!(records.faults, Vec::<String>::new());
    assert_eq!(records.contacts, json!(["mailto:ops@example.org"]));
    let cache = gateway.launch().folder().join("acme");
    let (account, certificate) = kept(&cache);
    assert_eq!([mode(&cache), mode(&account), mode(&certificate)], [0o700, 0o600, 0o600]);
    let metrics = Http::connect(gateway.address("admin", "listen")).get("/metrics");
    let expiry = format!(
        "dragoman_certificate_expiry_timestamp_seconds{{certificate=\"{}\"}}",
        certificate.display()
    );
    assert!(metrics.text().contains(&expiry), "{}", metrics.text());

    // It is served at once by the next run, which asks the CA for nothing.
    gateway.restart();
    client(HOST).try_handshake(ourchat(&gateway)).expect("it is kept");
    assert_eq!(gateway.terminate(), 0);
    assert_eq!((acme.accounts(), acme.orders()), (1, 1));
    assert!(!gateway.log().text().contains("ordering a certificate"));
}

/// In the last third of its time, and while connections go on. The account is the same, with another
/// contact.
#[test]
fn a_certificate_is_renewed_before_it_ends() {
    let acme = AcmeServer::new();
    let mut gateway = launch(&acme, &toml(&acme, ONE, CONTACT)).start();
    acme.reaches(gateway.address("irc", "listen"));
    wait_for_certificate(&gateway);
    assert_eq!(gateway.terminate(), 0);
    let (_, file) = kept(&gateway.launch().folder().join("acme"));
    let old = acme.issuer().sign(&[HOST], |params| {
        let day = std::time::Duration::from_secs(24 * 60 * 60);
        let now = std::time::SystemTime::now();
        (params.not_before, params.not_after) = ((now - 80 * day).into(), (now + 10 * day).into());
    });
    std::fs::write(&file, format!("{}{}", old.key, old.cert)).expect("it is ours");

    let launch = gateway.launch().clone().with_config(&toml(&acme, ONE, "other@example.org"));
    acme.refuse(Some("too many certificates"));
    let mut gateway = launch.start();
    let address = gateway.address("ourchat", "listen");
    let client = Encryption::trusting(&acme.issuer().pem, HOST);
    let mut before = Ourchat::websocket(client.to(address));
    let first = client.try_handshake(address).expect("it is valid for some days").certificate;
    gateway.log().wait_for_line(&["WARN", "expires at"]);
    gateway.log().wait_for_line(&[
        "ERROR",
        "no certificate was issued",
        "too many certificates",
        "trying again in 4 minutes, or at SIGHUP",
    ]);
    acme.refuse(None);
    acme.reaches(gateway.address("irc", "listen"));
    gateway.reload(&toml(&acme, ONE, "other@example.org"));
    gateway.log().wait_for_line(&["the certificate was read again", HOST]);
    let second = client.try_handshake(address).expect("it is issued").certificate;
    assert_ne!(first, second);
    assert_eq!(before.call(&json!({"code": 12}))["code"], 12);
    let records = acme.records();
    assert_eq!(records.contacts, json!(["mailto:other@example.org"]));
    assert_eq!((acme.accounts(), records.faults), (1, Vec::new()));
}

#[test]
fn why_a_ca_issues_nothing_is_logged() {
    let acme = AcmeServer::new();
    let mut gateway = launch(&acme, &toml(&acme, ONE, CONTACT)).start();
    // A name that leads elsewhere.
    acme.reaches(gateway.address("admin", "listen"));
    let line =
        gateway.log().wait_for_line(&["ERROR", "the CA does not find chat.example.org here"]);
    assert!(line.contains(&acme.directory()), "{line}");
    // No account, as the CA cannot be trusted.
    let folder = gateway.launch().folder().to_owned();
    std::fs::write(folder.join("web.pem"), &acme.issuer().pem).expect("it is writable");
    let directory = format!("{}?x", acme.directory());
    let other = toml(&acme, ONE, CONTACT).replace(&acme.directory(), &directory);
    gateway.reload(&other);
    gateway.log().wait_for_line(&["ERROR", "no certificate was issued", "UnknownIssuer"]);
}

/// A handshake of a CA proves nothing but what is being proved.
#[test]
fn nothing_is_answered_that_no_order_is_about() {
    let (gateway, authority) = super::start(&super::channel(""));
    let address = gateway.address("channel", "listen");
    let challenge = Encryption::offering(&authority.pem, HOST, &["acme-tls/1"]);
    let why = challenge.try_handshake(address).expect_err("there is no order");
    assert!(why.contains("NoApplicationProtocol"), "{why}");
}
