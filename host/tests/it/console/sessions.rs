//! Signing in to the console.

use super::*;

/// Signs in with a token; the header with the cookie.
fn sign_in(gateway: &Gateway, token: &str) -> String {
    let body = serde_json::json!({ "token": token }).to_string();
    let answer = gateway.ask("POST /console/session", &[HEADER], &body);
    assert_eq!(answer.status, 204, "{}", answer.body);
    let cookie = &answer.headers["set-cookie"];
    let attributes: Vec<&str> = cookie.split("; ").skip(1).collect();
    assert_eq!(attributes, ["Path=/", "Max-Age=43200", "HttpOnly", "SameSite=Strict"]);
    assert!(!cookie.contains(token), "the cookie has the token");
    format!("cookie: other=1; {}", cookie.split(';').next().expect("a cookie"))
}

fn shown(gateway: &Gateway, headers: &[&str]) -> Value {
    gateway.ask("GET /console/session", &[&[HEADER], headers].concat(), "").json()
}

#[test]
fn a_browser_has_the_role_of_the_token_that_it_signed_in_with() {
    let gateway = Gateway::start(TOML);
    let local = shown(&gateway, &["accept-language: zh-CN"]);
    assert_eq!((&local["who"], &local["role"]), (&"local".into(), &"operator".into()));
    assert_eq!((&local["language"], &local["signed_in"]), (&"zh".into(), &false.into()));
    let token = gateway.token("monitor");
    let cookie = &*sign_in(&gateway, &token);
    let mine = shown(&gateway, &[cookie]);
    assert_eq!((&mine["role"], &mine["signed_in"]), (&"monitor".into(), &true.into()));
    assert!(mine["who"].as_str().is_some_and(|who| who.starts_with("token ")), "{mine}");
    let list = "GET /api/v1/frontends";
    let disable = "POST /api/v1/frontends/irc/disable";
    assert_eq!(gateway.ask(list, &[cookie, HEADER], "").status, 200);
    let refused = gateway.ask(disable, &[cookie, HEADER], "{}");
    assert_eq!(refused.status, 403);
    assert!(refused.body.contains("the token has the role monitor"), "{}", refused.body);
    let operator = gateway.token("operator");
    let other = &*sign_in(&gateway, &operator);
    assert_eq!(gateway.ask(disable, &[other, HEADER], "{}").status, 200);
    let audit = gateway.api("GET /api/v1/audit", "");
    let entries = audit["items"].as_array().expect("entries").iter();
    let entries = entries.filter(|entry| entry["operation"] == "disable_frontend");
    let who: Vec<_> = entries.map(|one| one["who"].as_str().unwrap_or_default()).collect();
    assert!(who.iter().all(|who| who.starts_with("token ")) && who[0] != who[1], "{who:?}");
    // Signed out, the cookie is worth nothing; on loopback, no token is needed.
    let out = gateway.ask("DELETE /console/session", &[cookie, HEADER], "");
    assert_eq!(out.status, 204);
    assert!(out.headers["set-cookie"].starts_with("dragoman_admin=; Path=/; Max-Age=0; "));
    assert_eq!(shown(&gateway, &[cookie])["who"], "local");
    gateway.end();
}

#[test]
fn a_revoked_token_ends_its_sessions() {
    let gateway = Gateway::start(TOML);
    let token = gateway.token("operator");
    let cookie = &*sign_in(&gateway, &token);
    let tokens = gateway.api("GET /api/v1/tokens", "");
    let id = tokens["items"][0]["id"].as_str().expect("an id").to_owned();
    assert_eq!(gateway.ask("GET /api/v1/rooms", &[cookie, HEADER], "").status, 200);
    gateway.api(&format!("DELETE /api/v1/tokens/{id}"), "");
    assert_eq!(gateway.ask("GET /api/v1/rooms", &[cookie, HEADER], "").status, 401);
    assert_eq!(shown(&gateway, &[cookie])["needs_token"], true);
    gateway.end();
}

#[test]
fn pages_of_other_origins_can_use_no_session_and_begin_none() {
    let gateway = Gateway::start(TOML);
    let admin = gateway.admin();
    let token = gateway.token("operator");
    let cookie = &*sign_in(&gateway, &token);
    let own = &*format!("origin: http://{admin}");
    let drain = "POST /api/v1/frontends/irc/drain";
    for (headers, status) in [
        (&[cookie, HEADER, own, "sec-fetch-site: same-origin"][..], 200),
        (&[cookie], 403),
        (&[cookie, own], 403),
        (&[cookie, HEADER, "origin: http://127.0.0.1:1"], 403),
        (&[cookie, HEADER, "origin: https://example.org"], 403),
        (&[cookie, HEADER, "origin: null"], 403),
        (&[cookie, HEADER, "sec-fetch-site: same-site"], 403),
        (&[cookie, HEADER, "sec-fetch-site: cross-site"], 403),
        (&[HEADER, "origin: https://example.org"], 403),
        (&[HEADER, "sec-fetch-site: cross-site"], 403),
        (&["cookie: dragoman_admin=x"], 403),
    ] {
        let answer = gateway.ask(drain, headers, "{}");
        assert_eq!(answer.status, status, "{headers:?}: {}", answer.body);
        assert!(!answer.headers.keys().any(|name| name.starts_with("access-control-")));
    }
    let body = serde_json::json!({ "token": token }).to_string();
    for (headers, body, status) in [
        (&[][..], &*body, 403),
        (&[HEADER, "sec-fetch-site: cross-site"], &body, 403),
        (&[HEADER], r#"{"token":"dgm_x"}"#, 401),
        (&[HEADER], "{}", 400),
        (&[HEADER], "dgm_x", 400),
    ] {
        let answer = gateway.ask("POST /console/session", headers, body);
        assert_eq!(answer.status, status, "{headers:?} {body}");
        assert!(!answer.headers.contains_key("set-cookie"), "{headers:?}");
    }
    let answer = gateway.ask("DELETE /console/session", &[cookie], "");
    assert_eq!(answer.status, 403, "{}", answer.body);
    assert_eq!(gateway.ask("PUT /console/session", &[HEADER], "").status, 405);
    gateway.end();
}
