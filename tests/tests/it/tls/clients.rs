//! Programs that others wrote, over TLS.

use std::io::Write as _;
use std::process::{Child, Command, Stdio};

use gateway_tests::encrypted::Signed;
use gateway_tests::{Authority, Encryption, Gateway, Launch, Talk, foreign};
use rcgen::date_time_ymd;
use serde_json::Value;

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

/// A page in a browser opens a WebSocket, and posts and hears messages on it. The page is a file, so
/// its origin is `null`.
#[test]
fn chromium_opens_a_wss_of_a_certificate_that_it_trusts() {
    let Some(mut chromium) = foreign::command("chromium") else { return };
    let launch = Launch::of(
        "[[rooms]]\nname = \"TEST\"\n[frontends.chatroom]\ncors_origins = [\"null\"]\n\
         tls = { cert = \"main.pem\", key = \"main.key\" }\n",
    );
    let authority = Authority::new();
    let signed = authority.server(&["localhost"]);
    signed.write(launch.folder(), "main");
    let folder = launch.folder().to_owned();
    let gateway = launch.start();
    let address = gateway.address("chatroom", "websocket_listen");
    let page = folder.join("page.html");
    let url = format!("wss://localhost:{}/", address.port());
    std::fs::write(&page, PAGE.replace("URL", &url)).expect("it is writable");
    let mut ann = Talk::connect(Encryption::trusting(&authority.pem, "localhost").to(address));
    ann.join("TEST", "ann");
    // A browser takes CAs from a store of its own; this is the way to give it a key.
    let trusted = format!("--ignore-certificate-errors-spki-list={}", signed.key_digest());
    let profile = format!("--user-data-dir={}", folder.join("profile").display());
    let arguments = ["--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"];
    chromium.args(arguments).args([&trusted, &profile]).arg("--remote-debugging-port=0");
    chromium.arg("--host-resolver-rules=MAP localhost 127.0.0.1");
    chromium.arg(page).stdout(Stdio::null()).stderr(Stdio::null());
    let mut child = Ended(chromium.spawn().expect("it was found"));
    let said = |packet: &Value| packet["data"]["msg"].as_str().unwrap_or_default().to_owned();
    assert_eq!(said(&ann.receive_until(|packet| packet["type"] == "msg")), "from a page");
    ann.say("TEST", "ann", "hello, page");
    assert_eq!(said(&ann.receive_until(|packet| packet["type"] == "msg")), "heard: hello, page");
    assert!(child.0.try_wait().expect("it is ours").is_none(), "it is the page that spoke");
}

/// A child that ends with the test.
struct Ended(Child);

impl Drop for Ended {
    fn drop(&mut self) {
        drop(self.0.kill());
        drop(self.0.wait());
    }
}

const PAGE: &str = r#"<!doctype html><script>
const socket = new WebSocket("URL");
const user = { user_name: "page", user_avatar: "" };
const send = (type, msg) => socket.send(JSON.stringify({ type, data: { room_name: "TEST", user, msg } }));
socket.onopen = () => { send("join", ""); send("msg", "from a page"); };
socket.onmessage = ({ data }) => {
  const packet = JSON.parse(data);
  if (packet.type === "msg" && packet.data.user.user_name === "ann") send("msg", "heard: " + packet.data.msg);
};
</script>"#;

/// OpenSSL's client, and what it is to be given.
fn openssl(gateway: &Gateway, authority: &str, arguments: &[&str], input: &str) -> (bool, String) {
    let folder = gateway.launch().folder();
    let ca = folder.join("ca.pem");
    std::fs::write(&ca, authority).expect("a file");
    let address = gateway.address("channel", "listen").to_string();
    let mut openssl = Command::new("openssl");
    openssl.args(["s_client", "-connect", &address, "-servername", HOST, "-CAfile"]).arg(ca);
    openssl.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = openssl.current_dir(folder).spawn().expect("it was found");
    child.stdin.take().expect("it is piped").write_all(input.as_bytes()).expect("it reads");
    let output = child.wait_with_output().expect("it is ours");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8_lossy(&said).into_owned())
}

#[test]
fn openssl_refuses_what_is_expired_or_signed_by_itself() {
    if foreign::command("openssl").is_none() {
        return;
    }
    let authority = Authority::new();
    let launch = Launch::of(&channel(""));
    let expired = authority.sign(&[HOST], |params| {
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(2020, 2, 1);
    });
    expired.write(launch.folder(), "main");
    let gateway = launch.start();
    let (trusted, said) = openssl(&gateway, &authority.pem, &["-verify_return_error"], "");
    assert!(!trusted && said.contains("certificate has expired"), "{said}");

    let launch = Launch::of(&channel(""));
    Signed::by_itself(HOST).write(launch.folder(), "main");
    let gateway = launch.start();
    let (trusted, said) = openssl(&gateway, &authority.pem, &["-verify_return_error"], "");
    assert!(!trusted && said.contains("signed certificate"), "{said}");
}

/// In TLS 1.2 the handshake fails; in 1.3 the client has finished when the gateway refuses it.
#[test]
fn openssl_gets_in_with_a_certificate_only_where_it_is_required() {
    if foreign::command("openssl").is_none() {
        return;
    }
    let authority = Authority::new();
    let launch = Launch::of(&channel(", client_ca = \"main.ca\""));
    authority.server(&[HOST]).write(launch.folder(), "main");
    authority.client("app").write(launch.folder(), "app");
    std::fs::write(launch.folder().join("main.ca"), &authority.pem).expect("a file");
    let gateway = launch.start();
    let own = ["-cert", "app.pem", "-key", "app.key"];
    for version in ["-tls1_2", "-tls1_3"] {
        let ask = |own: &[&str]| {
            let arguments = [&[version, "-ign_eof"][..], own].concat();
            let request = "GET /nowhere HTTP/1.0\r\n\r\n";
            openssl(&gateway, &authority.pem, &arguments, request).1
        };
        let said = ask(&own);
        assert!(
            said.contains("HTTP/1.1 404") || said.contains("HTTP/1.0 404"),
            "{version}: {said}"
        );
        let said = ask(&[]);
        assert!(said.contains("alert certificate required"), "{version}: {said}");
        assert!(!said.contains("HTTP/1"), "{version}: {said}");
    }
}

/// Asked for by the client, in the middle of a connection of TLS 1.2 (there is none in 1.3).
#[test]
fn renegotiation_is_refused() {
    if foreign::command("openssl").is_none() {
        return;
    }
    let (gateway, authority) = start(&channel(""));
    let (done, said) = openssl(&gateway, &authority.pem, &["-tls1_2"], "R\n");
    assert!(said.contains("RENEGOTIATING") && said.contains("no renegotiation"), "{said}");
    assert!(!done, "{said}");
}
