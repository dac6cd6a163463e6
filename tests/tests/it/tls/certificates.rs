//! Certificates that clients refuse, and those that clients show.

use std::fs::Permissions;
use std::os::unix::fs::PermissionsExt as _;
use std::process::Command;

use gateway_tests::{Authority, Encryption, Http, Launch, program};
use rcgen::date_time_ymd;

use super::{HOST, channel, refused, start};

#[test]
fn a_client_refuses_what_it_should() {
    let (gateway, authority) = start(&channel(""));
    let address = gateway.address("channel", "listen");
    let why = refused(&authority.pem, "other.example.org", address);
    assert!(why.contains("not valid for name \"other.example.org\""), "{why}");
    let why = refused(&Authority::new().pem, HOST, address);
    assert!(why.contains("UnknownIssuer"), "{why}");
}

#[test]
fn an_expired_certificate_is_served_with_a_warning() {
    let authority = Authority::new();
    let launch = Launch::of(&channel(""));
    let expired = authority.sign(&[HOST], |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
    });
    expired.write(launch.folder(), "main");
    let gateway = launch.start();
    gateway.log().wait_for_line(&["WARN", "main.pem expired at 2020-02-01T00:00:00Z"]);
    let address = gateway.address("channel", "listen");
    let why = refused(&authority.pem, HOST, address);
    assert!(why.contains("expired"), "{why}");
    let metrics = Http::connect(gateway.address("admin", "listen")).get("/metrics");
    let path = gateway.launch().folder().join("main.pem");
    let metric = format!(
        "dragoman_certificate_expiry_timestamp_seconds{{certificate=\"{}\"}} 1580515200\n",
        path.display()
    );
    assert!(metrics.text().contains(&metric), "{}", metrics.text());
}

#[test]
fn a_key_that_others_can_read_is_warned_of() {
    let (gateway, _) = start(&channel(""));
    let key = gateway.launch().folder().join("main.key");
    let check = |mode| {
        std::fs::set_permissions(&key, Permissions::from_mode(mode)).expect("it is ours");
        let output = Command::new(program::path())
            .arg("check")
            .args(["--set", "admin.listen=127.0.0.1:0", "--set", "store.path=other.redb"])
            .current_dir(gateway.launch().folder())
            .output();
        String::from_utf8(output.expect("the program was built").stderr).expect("it is UTF-8")
    };
    assert!(!check(0o640).contains("main.key"), "{}", check(0o640));
    let said = check(0o644);
    assert!(said.contains("main.key has the key of a certificate, and every user"), "{said}");
}

/// usr_room has no credentials: a client certificate is one of the things that guard it.
#[test]
fn a_client_certificate_lets_into_usr_room() {
    let toml = "[frontends.usr_room]\nlisten = \"0.0.0.0:0\"\n\
                tls = { cert = \"main.pem\", key = \"main.key\", client_ca = \"clients.pem\" }\n";
    let clients = Authority::new();
    let authority = Authority::new();
    let launch = Launch::of(toml);
    authority.server(&[HOST]).write(launch.folder(), "main");
    std::fs::write(launch.folder().join("clients.pem"), &clients.pem).expect("a file");
    let gateway = launch.start();
    let mut address = gateway.address("usr_room", "listen");
    address.set_ip([127, 0, 0, 1].into());

    let app = Encryption::with_certificate(&authority.pem, HOST, &clients.client("app"));
    assert_eq!(Http::connect(app.to(address)).get("/time").status, 200);
    let why = refused(&authority.pem, HOST, address);
    assert!(why.contains("CertificateRequired"), "{why}");
    let stranger = Authority::new().client("app");
    let stranger = Encryption::with_certificate(&authority.pem, HOST, &stranger);
    let why = stranger.try_handshake(address).expect_err("another CA signed it");
    assert!(why.contains("UnknownCA") || why.contains("Decrypt"), "{why}");
}

#[test]
fn where_certificates_are_optional_a_client_without_one_needs_a_key() {
    let toml = "[frontends.usr_room]\nlisten = \"0.0.0.0:0\"\napi_keys = [\"sesame\"]\n\
                tls = { cert = \"main.pem\", key = \"main.key\", client_ca = \"main.ca\", require = false }\n";
    let authority = Authority::new();
    let launch = Launch::of(toml);
    authority.server(&[HOST]).write(launch.folder(), "main");
    std::fs::write(launch.folder().join("main.ca"), &authority.pem).expect("a file");
    let gateway = launch.start();
    let mut address = gateway.address("usr_room", "listen");
    address.set_ip([127, 0, 0, 1].into());
    let app = Encryption::with_certificate(&authority.pem, HOST, &authority.client("app"));
    assert_eq!(Http::connect(app.to(address)).get("/time").status, 200);
    let other = Encryption::trusting(&authority.pem, HOST).to(address);
    assert_eq!(Http::connect(other).get("/time").status, 401);
    let key = [("X-Api-Key", "sesame")];
    assert_eq!(Http::connect(other).request("GET", "/time", &key, b"").status, 200);
}
