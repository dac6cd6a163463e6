//! The admin API for other machines: over TLS, and with a token only.

use std::net::SocketAddr;
use std::process::Command;

use gateway_tests::{Authority, Encryption, Gateway, Http, program};
use serde_json::Value;

use super::{HOST, refused, start};

const TOML: &str = "[admin]\ntls_listen = \"127.0.0.1:0\"\ntls = { cert = \"main.pem\", key = \"main.key\" }\n\
                    [frontends.channel]\n";

/// A token of this role, by the command line on loopback.
fn token(gateway: &Gateway, role: &str) -> String {
    let admin = gateway.address("admin", "listen");
    let output = Command::new(program::path())
        .args(["admin", "token", "create", "--role", role, "--json"])
        .args(["--set", &format!("admin.listen={admin}"), "--config", "gateway.toml"])
        .current_dir(gateway.launch().folder())
        .output()
        .expect("the program was built");
    assert!(output.status.success(), "{output:?}");
    let created: Value = serde_json::from_slice(&output.stdout).expect("it is JSON");
    created["token"].as_str().expect("it is a text").to_owned()
}

fn status(encrypted: SocketAddr, path: &str, headers: &[(&str, &str)]) -> u16 {
    Http::connect(encrypted).request("GET", path, headers, b"").status
}

#[test]
fn over_tls_every_path_but_those_of_watchdogs_needs_a_token() {
    let (mut gateway, authority) = start(TOML);
    let address = gateway.wait_for_listener("admin", "tls_listen");
    let encrypted = Encryption::trusting(&authority.pem, HOST).to(address);
    for path in ["/healthz", "/readyz"] {
        assert_eq!(status(encrypted, path, &[]), 200, "{path}");
    }
    let local = ("x-dragoman-admin", "1");
    for path in ["/metrics", "/ledger", "/api/", "/api/v1/users"] {
        assert_eq!(status(encrypted, path, &[]), 401, "{path}");
        // What suffices on the plain listener.
        assert_eq!(status(encrypted, path, &[local]), 401, "{path}");
    }
    let bearer = format!("Bearer {}", token(&gateway, "monitor"));
    let headers = [("authorization", bearer.as_str())];
    for path in ["/metrics", "/ledger", "/api/", "/api/v1/users", "/api/v1/sessions"] {
        assert_eq!(status(encrypted, path, &headers), 200, "{path}");
    }
    assert_eq!(status(encrypted, "/api/v1/audit", &headers), 403);
    // What is not TLS is not answered.
    assert!(Http::connect(address).try_request("GET", "/healthz", &[], b"").is_err());
    refused(&Authority::new().pem, HOST, address);
}

#[test]
fn over_tls_a_browser_signs_in_to_the_console_with_a_token() {
    let (mut gateway, authority) = start(TOML);
    let address = gateway.wait_for_listener("admin", "tls_listen");
    let encrypted = Encryption::trusting(&authority.pem, HOST).to(address);
    let ask = |method: &str, path: &str, headers: &[(&str, &str)], body: &str| {
        Http::connect(encrypted).request(method, path, headers, body.as_bytes())
    };
    // Its files say nothing of the gateway, and have the form to sign in with.
    assert_eq!(ask("GET", "/console/", &[], "").status, 200);
    let header = ("x-dragoman-admin", "1");
    let shown: Value = ask("GET", "/console/session", &[header], "").json();
    assert_eq!((&shown["needs_token"], &shown["who"]), (&true.into(), &Value::Null));
    let body = serde_json::json!({ "token": token(&gateway, "monitor") }).to_string();
    let signed_in = ask("POST", "/console/session", &[header], &body);
    assert_eq!(signed_in.status, 204);
    let cookie = signed_in.header("set-cookie").expect("a cookie").to_owned();
    assert!(cookie.ends_with("; HttpOnly; SameSite=Strict; Secure"), "{cookie}");
    let cookie = ("cookie", cookie.split(';').next().expect("its name and value"));
    assert_eq!(status(encrypted, "/api/v1/users", &[cookie, header]), 200);
    assert_eq!(status(encrypted, "/api/v1/users", &[cookie]), 403);
    assert_eq!(status(encrypted, "/api/v1/audit", &[cookie, header]), 403);
    // A link that is followed has no header, and only shows.
    assert_eq!(status(encrypted, "/api/", &[cookie]), 200);
    assert_eq!(ask("DELETE", "/console/session", &[cookie, header], "").status, 204);
    assert_eq!(status(encrypted, "/api/v1/users", &[cookie, header]), 401);
}

#[test]
fn a_reload_moves_and_closes_the_encrypted_listener() {
    let (mut gateway, authority) = start(TOML);
    let first = gateway.wait_for_listener("admin", "tls_listen");
    let encryption = Encryption::trusting(&authority.pem, HOST);
    assert!(encryption.try_handshake(first).is_ok());
    gateway.reload("[frontends.channel]\n");
    assert!(encryption.try_handshake(first).is_err());
    gateway.reload(TOML);
    let again = gateway.wait_for_listener("admin", "tls_listen");
    assert!(encryption.try_handshake(again).is_ok());
}
