//! The files of the console.

use super::*;

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; \
    img-src 'self' data:; font-src 'self'; base-uri 'none'; form-action 'none'; \
    frame-ancestors 'none'";

#[test]
fn its_files_allow_nothing_but_themselves_and_are_revalidated() {
    let gateway = Gateway::start(TOML);
    for path in ["/", "/console"] {
        let answer = gateway.ask(&format!("GET {path}"), &[], "");
        assert_eq!((answer.status, answer.headers["location"].as_str()), (302, "/console/"));
    }
    let page = gateway.ask("GET /console/", &[], "");
    assert_eq!(page.status, 200);
    assert_eq!(page.headers["content-type"], "text/html; charset=utf-8");
    assert_eq!(page.headers["content-security-policy"], POLICY);
    assert_eq!(page.headers["x-content-type-options"], "nosniff");
    assert_eq!(page.headers["referrer-policy"], "no-referrer");
    assert!(page.body.starts_with("<!doctype html>"), "{}", page.body);
    let tag = &page.headers["etag"];
    for (known, status) in [
        (tag.clone(), 304),
        (format!("\"x\", W/{tag}"), 304),
        ("*".into(), 304),
        ("\"x\"".into(), 200),
    ] {
        let header = format!("if-none-match: {known}");
        let answer = gateway.ask("GET /console/index.html", &[&header], "");
        assert_eq!(answer.status, status, "{known}");
        assert_eq!(answer.body.is_empty(), status == 304, "{known}");
        assert_eq!(answer.headers["etag"], *tag);
    }
    let head = gateway.ask("HEAD /console/", &[], "");
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    assert_eq!(gateway.ask("GET /console/../Cargo.toml", &[], "").status, 404);
    assert_eq!(gateway.ask("GET /console/none.js", &[], "").status, 404);
    assert_eq!(gateway.ask("POST /console/", &[HEADER], "").status, 405);
    gateway.end();
}

#[test]
fn switched_off_it_has_no_path_and_a_reload_switches_it_on() {
    let off = TOML.replace("[admin]\n", "[admin]\nconsole = false\n");
    let gateway = Gateway::start(&off);
    for line in ["GET /console", "GET /console/", "GET /console/session"] {
        assert_eq!(gateway.ask(line, &[HEADER], "").status, 404, "{line}");
    }
    assert_eq!(gateway.ask("GET /", &[], "").headers["location"], "/api/");
    std::fs::write(gateway.folder.path().join("gateway.toml"), TOML).expect("it is writable");
    let plan = gateway.api("POST /api/v1/config/apply", "{}");
    assert_eq!(plan["changed"], serde_json::json!(["admin.console"]));
    assert_eq!(gateway.ask("GET /console/", &[], "").status, 200);
    gateway.end();
}
