//! Programs that others wrote, over TLS.

use std::process::{Command, Stdio};

use gateway_tests::foreign;

use super::{HOST, channel, start};

/// What OpenSSL's client says of a handshake.
fn s_client(mut openssl: Command, address: &str, ca: &str, arguments: &[&str]) -> (bool, String) {
    openssl.args(["s_client", "-connect", address, "-servername", HOST, "-CAfile", ca]);
    let output = openssl.args(arguments).stdin(Stdio::null()).output().expect("it was found");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn openssl_finds_the_versions_and_nothing_older() {
    if foreign::command("openssl").is_none() {
        return;
    }
    let (gateway, authority) = start(&channel(""));
    let ca = gateway.launch().folder().join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("a file");
    let ca = ca.display().to_string();
    let address = gateway.address("channel", "listen").to_string();
    let ask = |arguments: &[&str]| s_client(Command::new("openssl"), &address, &ca, arguments);
    let verified = ["-verify_return_error", "-verify_hostname", HOST];
    for (version, protocol) in [("-tls1_3", "TLSv1.3"), ("-tls1_2", "TLSv1.2")] {
        let (connected, said) = ask(&[&[version][..], &verified].concat());
        assert!(connected && said.contains(protocol), "{version}: {said}");
        assert!(said.contains("Verify return code: 0 (ok)"), "{version}: {said}");
        assert!(said.contains("Secure Renegotiation IS") || version == "-tls1_3", "{said}");
    }
    let (connected, said) = ask(&["-alpn", "h2,http/1.1"]);
    assert!(connected && said.contains("ALPN protocol: http/1.1"), "{said}");
    let weak = ["-cipher", "ALL:@SECLEVEL=0"];
    for version in ["-tls1_1", "-tls1"] {
        let (connected, said) = ask(&[&[version][..], &weak].concat());
        assert!(!connected, "{version}: {said}");
    }
    // Without forward secrecy, and without authenticated encryption.
    for cipher in ["AES128-GCM-SHA256", "ECDHE-RSA-AES128-SHA", "ECDHE-ECDSA-AES128-SHA"] {
        let (connected, said) = ask(&["-tls1_2", "-cipher", cipher]);
        assert!(!connected, "{cipher}: {said}");
    }
    let (connected, said) = ask(&["-verify_return_error", "-verify_hostname", "other.example"]);
    assert!(!connected && said.contains("ostname mismatch"), "{said}");
}

#[test]
fn openssl_resumes_a_session() {
    if foreign::command("openssl").is_none() {
        return;
    }
    let (gateway, authority) = start(&channel(""));
    let folder = gateway.launch().folder();
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("a file");
    let session = folder.join("session").display().to_string();
    let address = gateway.address("channel", "listen").to_string();
    let ask = |option: &str| {
        let arguments = ["-tls1_2", option, &session];
        s_client(Command::new("openssl"), &address, &ca.display().to_string(), &arguments).1
    };
    let first = ask("-sess_out");
    assert!(first.contains("New, TLSv1.2"), "{first}");
    let second = ask("-sess_in");
    assert!(second.contains("Reused, TLSv1.2"), "{second}");
}

#[test]
fn curl_trusts_the_ca_and_no_other() {
    if foreign::command("curl").is_none() {
        return;
    }
    let (gateway, authority) = start(&channel(""));
    let ca = gateway.launch().folder().join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("a file");
    let address = gateway.address("channel", "listen");
    let curl = || {
        let mut curl = Command::new("curl");
        curl.args(["-sS", "-o", "/dev/null", "-w", "%{http_code} %{http_version}"]);
        curl.args(["--resolve", &format!("{HOST}:{}:127.0.0.1", address.port())]);
        curl.arg(format!("https://{HOST}:{}/nowhere", address.port()));
        curl
    };
    assert_eq!(foreign::run(curl().arg("--cacert").arg(&ca)), "404 1.1");
    let refused = curl().output().expect("it was found");
    assert_eq!(refused.status.code(), Some(60), "{refused:?}");
}
