//! How `dragoman user` reaches the gateway, and which requests the gateway refuses.

use super::*;
use crate::program::run;

#[test]
fn an_unreachable_gateway_is_an_error_that_says_what_to_do() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    for (listen, why) in [
        ("127.0.0.1:0".to_owned(), "[admin] listen has port 0"),
        ("192.0.2.1:5090".to_owned(), "over a loopback address only"),
        ("127.0.0.1:1".to_owned(), "no gateway answers at 127.0.0.1:1 "),
        (gateway.address("channel").to_string(), "is not a gateway of this version"),
    ] {
        let listen = format!("admin.listen={listen}");
        let said = run(folder.path(), &["--set", &listen, "user", "link", "bob", "tel/1"]);
        assert!(said.contains(why), "{said}");
        assert!(said.ends_with("exit 1"), "{said}");
    }
    let said = run(folder.path(), &["--set", "admin.listen=127.0.0.1:1", "ledger"]);
    assert!(said.contains("no gateway answers at 127.0.0.1:1 ([admin] listen): "), "{said}");
    let listen = format!("admin.listen={}", gateway.address("channel"));
    let said = run(folder.path(), &["--set", &listen, "ledger"]);
    assert!(said.contains("is not a gateway of this version"), "{said}");
    std::fs::write(
        folder.path().join("without.toml"),
        TOML.replace("[admin]\nlisten = \"127.0.0.1:0\"\n", ""),
    )
    .expect("it is writable");
    let said = run(folder.path(), &["--config", "without.toml", "user", "link", "bob", "tel/1"]);
    insta::assert_snapshot!(said, @r#"
    $ dragoman --config without.toml user link bob tel/1
    stderr: another process has the store data/dragoman.redb open, and [admin] listen is not set, so the gateway cannot be reached; set it, for example to "127.0.0.1:5090", and restart the gateway; or stop the gateway first
    exit 1
    "#);
    let said = gateway.user(folder.path(), &["show", "bob"]);
    assert!(!said.contains("identity"), "{said}");
    gateway.end();
}

#[test]
fn a_gateway_with_another_store_refuses() {
    let mine = populated();
    let other = populated();
    let running = Gateway::start(mine.path());
    let gateway = Gateway::start(other.path());
    let said = gateway.user(mine.path(), &["link", "bob", "tel/1"]);
    assert!(said.contains("the gateway that listens here has another store open: "), "{said}");
    assert!(said.ends_with("exit 1"), "{said}");
    let said = gateway.user(other.path(), &["show", "bob"]);
    assert!(!said.contains("identity"), "{said}");
    gateway.end();
    running.end();
}

#[test]
fn the_admin_listener_refuses_requests_of_web_pages() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let change = r#"{"identity":"tel/1"}"#;
    let link = "POST /api/v1/users/bob/identities HTTP/1.1";
    let own = format!("host: {admin}");
    let header = "x-dragoman-admin: 1";
    let form = [link, &own, "content-type: text/plain", "origin: https://example.org"];
    for (lines, status, body, says) in [
        // A form of another origin.
        (&form[..], 403, change, "X-Dragoman-Admin"),
        // The preflight of a script of another origin.
        (
            &[
                "OPTIONS /api/v1/users/bob HTTP/1.1",
                &own,
                "origin: https://example.org",
                "access-control-request-headers: x-dragoman-admin",
            ],
            405,
            "",
            "not a method",
        ),
        // A page whose own name was made to point here.
        (&[link, "host: example.org:5090", header], 403, change, "[admin] hosts"),
        (
            &["GET /api/v1/users/bob HTTP/1.1", "host: example.org", header],
            403,
            "",
            "[admin] hosts",
        ),
        (&["GET /api/v1/users/bob HTTP/1.1", &own], 403, "", "X-Dragoman-Admin"),
        (&[link, &own, header, "x-dragoman-store: 0-0"], 421, change, "another store"),
        (&["PUT /api/v1/users/bob HTTP/1.1", &own, header], 405, change, "PUT is not a method"),
        (&["GET /api/v1/users?who=bob HTTP/1.1", &own, header], 400, "", "unknown parameter `who`"),
        (&["GET /api/v1/users?after=x HTTP/1.1", &own, header], 400, "", "`next` of another page"),
        (&["GET /api/v1/users?limit=0 HTTP/1.1", &own, header], 400, "", "from 1 to 1000"),
        (&["GET /api/v1/users?limit=1001 HTTP/1.1", &own, header], 400, "", "from 1 to 1000"),
        (&["GET /api/v1/users/%FF HTTP/1.1", &own, header], 400, "", "in the path is not UTF-8"),
        (&["GET /api/v1/users/zed HTTP/1.1", &own, header], 404, "", "no user with the handle"),
        (&[link, &own, header], 400, "{}", "missing field `identity`"),
        (&[link, &own, header], 400, "[", "the body is not what it should be"),
        // Without what is in the body: it may be a password.
        (&[link, &own, header], 400, r#"{"identity":7}"#, "`identity`: expected"),
        (&[link, &own, header], 400, r#"{"identity":"phone/1"}"#, "realm"),
        (&[link, &own, header], 413, &"x".repeat(70_000), "larger than 65536 bytes"),
    ] {
        let (got, head, said) = http(admin, &lines.join("\r\n"), body);
        assert_eq!(got, status, "{lines:?}: {said}");
        assert!(said.contains(says), "{lines:?}: {said}");
        assert!(head.to_lowercase().contains("application/problem+json"), "{head}");
        assert!(!head.to_lowercase().contains("access-control-allow"), "{head}");
    }
    let shown = gateway.user(folder.path(), &["show", "bob"]);
    assert!(!shown.contains("identity"), "{shown}");
    gateway.end();
}

#[test]
fn the_admin_listener_accepts_requests_with_its_header() {
    let folder = populated();
    let gateway = Gateway::start(folder.path());
    let admin = gateway.address("admin");
    let change = r#"{"identity":"tel/1"}"#;
    let link = "POST /api/v1/users/bob/identities HTTP/1.1";
    let own = format!("host: {admin}");
    let header = "x-dragoman-admin: 1";
    let (status, _, said) = http(admin, &[link, &own, header].join("\r\n"), change);
    assert_eq!(status, 200);
    assert!(said.contains(r#""identities":["tel/1"]"#), "{said}");
    let (status, _, said) =
        http(admin, &format!("GET /api/v1/users/tel%2F1 HTTP/1.1\r\n{own}\r\n{header}"), "");
    assert_eq!(status, 200);
    assert!(said.contains(r#""handle":"bob""#), "{said}");
    let (status, head, _) =
        http(admin, &format!("PUT /api/v1/users/bob/identities HTTP/1.1\r\n{own}\r\n{header}"), "");
    assert_eq!(status, 405);
    assert!(head.to_lowercase().contains("\r\nallow: "), "{head}");
    gateway.end();
}
