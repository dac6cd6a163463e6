//! `[auth.jwt]`: tokens in place of passwords, in every dialect.

use gateway_tests::{Channel, Chatroom, Gateway, Http, Irc, Launch, Ourchat};
use serde_json::{Value, json};

use super::hook::{link, log_in};
use super::issuer::{AUDIENCE, ISSUER, Key, jwks};
use super::stand_in::{Answer, StandIn, status};

/// Every dialect with credentials, and an issuer whose keys are here.
fn toml(keys: &str, more: &str) -> String {
    format!(
        "[server.log]\nfilter = \"info,dragoman=trace\"\n\
         [auth.jwt]\n{keys}\nissuer = \"{ISSUER}\"\naudience = [\"{AUDIENCE}\"]\n{more}\n\
         [frontends.channel]\n[frontends.chatroom]\n[frontends.irc]\n\
         [frontends.ourchat]\ntcp_listen = \"127.0.0.1:0\"\n"
    )
}

/// A gateway that knows the keys from a file.
fn start(keys: &[&Key], more: &str) -> Gateway {
    let launch = Launch::of(&toml("jwks_file = \"keys.json\"", more));
    std::fs::write(launch.folder().join("keys.json"), jwks(keys).to_string()).expect("a file");
    launch.start()
}

fn try_log_in(gateway: &Gateway, name: &str, token: &str) -> (u16, Value) {
    let mut channel = Channel::connect(gateway.address("channel", "listen"));
    let body = json!({ "name": name, "password": token });
    let response = channel.try_call("/login", &body, &[]).expect("an answer");
    (response.status, response.json()["code"].clone())
}

#[test]
fn a_token_signs_in_where_a_dialect_takes_a_password() {
    let key = Key::new("k1");
    let gateway = start(&[&key], "");
    let token = key.token(
        "id-1",
        json!({
            "preferred_username": "ann", "name": "Ann A.",
            "email": "Ann@Example.org", "phone_number": "+5551234",
        }),
    );
    let mut channel = Channel::connect(gateway.address("channel", "listen"));
    channel.login("ann", &token);
    channel.send("tearoom", "from channel");

    let mut chatroom = Chatroom::connect(gateway.address("chatroom", "listen"));
    let fields = [("user_tel", "5551234"), ("user_password", token.as_str())];
    let reply = chatroom.get("/auth/login", &fields);
    assert_eq!(reply["data"]["user_name"], "ann", "{reply}");

    let mut ourchat = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
    assert_eq!(ourchat.call(&log_in("ann@example.org", &token))["state"], 0);

    let mut irc = Irc::sign_on(gateway.address("irc", "listen"), "ann", Some(&token));
    assert!(irc.receive_until(" JOIN ").starts_with(":ann!"), "the same account");
    irc.send("WHOIS ann");
    assert!(irc.receive_until(" 311 ").ends_with(" :Ann A."));
    assert!(!gateway.log().text().contains(&token), "no token is in the log");
}

#[test]
fn an_irc_client_may_show_it_as_a_bearer() {
    let key = Key::new("k1");
    let gateway = start(&[&key], "");
    let sasl = |token: &str| {
        let mut irc = Irc::connect(gateway.address("irc", "listen"));
        irc.send("CAP LS 302");
        assert!(irc.receive().contains(" sasl=PLAIN,OAUTHBEARER "));
        for line in ["CAP REQ :sasl", "NICK x", "USER x 0 * :x", "AUTHENTICATE OAUTHBEARER"] {
            irc.send(line);
        }
        irc.receive_until("AUTHENTICATE +");
        let response = format!("n,,\u{1}auth=Bearer {token}\u{1}\u{1}");
        let response = data_encoding::BASE64.encode(response.as_bytes());
        for part in response.as_bytes().chunks(400) {
            irc.send(&format!("AUTHENTICATE {}", std::str::from_utf8(part).expect("ASCII")));
        }
        if response.len().is_multiple_of(400) {
            irc.send("AUTHENTICATE +");
        }
        irc.receive_until(" 90")
    };
    let signed_in = sasl(&key.token("ann", json!({})));
    assert!(signed_in.contains(" 900 ") && signed_in.ends_with("as ann"), "{signed_in}");
    let refused = sasl(&Key::new("k1").token("ann", json!({})));
    assert!(refused.contains(" 904 "), "{refused}");
}

#[test]
fn what_is_not_a_token_for_here_and_now_is_a_wrong_password_and_a_sentence_in_the_log() {
    let key = Key::new("k1");
    let gateway = start(&[&key], "");
    let unsigned = |alg: &str| {
        let token = key.signed(&json!({ "alg": alg, "kid": "k1" }), "ann", json!({}));
        format!("{}.", token.rsplit_once('.').expect("three parts").0)
    };
    for (token, why) in [
        (unsigned("none"), "the token's algorithm \\\"none\\\" is not among algorithms"),
        (unsigned("HS256"), "the token's algorithm \\\"HS256\\\" is not among algorithms"),
        (key.token("ann", json!({ "exp": 1_000_000_000 })), "the token has expired"),
        (key.token("ann", json!({ "exp": "x" })), "auth.jwt: the token"),
        (key.token("ann", json!({ "aud": "other" })), "the token is for another audience"),
        (key.token("ann", json!({ "iss": "other" })), "the token has another issuer"),
        (Key::new("k1").token("ann", json!({})), "signature is not one of its key"),
        (Key::new("k2").token("ann", json!({})), "the token's key is not one of the issuer's"),
        (key.token("bob", json!({})), "a token is not one of the user that it came with"),
        (key.token("", json!({})), "a token has no claim \\\"sub\\\" that is a text"),
    ] {
        // Else the account would be slowed down.
        assert_eq!(try_log_in(&gateway, "ann", &key.token("ann", json!({}))), (200, json!(0)));
        assert_eq!(try_log_in(&gateway, "ann", &token), (200, json!(3)), "{why}");
        gateway
            .log()
            .wait_for(why, |lines| lines.iter().any(|line| line.contains(why)).then_some(()));
    }
}

#[test]
fn a_token_of_a_new_user_takes_over_no_account() {
    let key = Key::new("k1");
    let gateway = start(&[&key], "");
    let mut local = Channel::enroll(gateway.address("channel", "listen"), "ann");
    let mut other = Channel::connect(gateway.address("channel", "listen"));
    other.login("ann", &key.token("ann", json!({})));
    other.send("tearoom", "by the other");
    local.send("tearoom", "by the local one");
    let history = local.history("tearoom");
    assert!(history[0].0.starts_with("ann-"), "{history:?}");
    assert_eq!(history[1].0, "ann");
    // Linked, it is the local one's.
    link(&gateway, "ann", "jwt/ann-2");
    other.login("ann", &key.token("ann-2", json!({})));
    other.send("tearoom", "by the local one, with a token");
    assert_eq!(local.history("tearoom")[2].0, "ann");
}

#[test]
fn channel_takes_a_token_as_its_own() {
    let key = Key::new("k1");
    let gateway = start(&[&key], "");
    let token = key.token("ann", json!({}));
    let mut http = Channel::connect(gateway.address("channel", "listen"));
    http.token = Some(token.clone());
    let body = json!({ "name": "tearoom", "message": "hello" });
    let reply = http.call("/channel/send", &body);
    assert_eq!(reply["code"], 6, "no account yet: {reply}");
    http.token = None;
    http.login("ann", &token);
    http.token = Some(token);
    http.send("tearoom", "hello");
    http.token = Some(Key::new("k1").token("ann", json!({})));
    assert_eq!(http.call("/channel/send", &body)["code"], 2, "not signed in");
}

#[test]
fn new_keys_are_read_when_a_token_names_them_and_not_more_often_than_now_and_then() {
    let old = Key::new("old");
    let new = Key::new("new");
    let keys = std::sync::Arc::new(std::sync::Mutex::new(jwks(&[&old])));
    let served = keys.clone();
    let server = StandIn::start(move |_| Answer::Json(served.lock().expect("a lock").clone()));
    let toml = toml(&format!("jwks_url = \"http://{}/jwks\"", server.address), "");
    let mut gateway = Gateway::start(&toml);
    assert_eq!(server.pending(), 0, "nothing is asked before the first token");
    assert_eq!(try_log_in(&gateway, "ann", &old.token("ann", json!({}))), (200, json!(0)));
    assert_eq!(server.pending(), 1);
    // Keys were read just now, so unknown ones do not have them read again.
    for _ in 0..3 {
        assert_eq!(try_log_in(&gateway, "bob", &new.token("bob", json!({}))), (200, json!(3)));
    }
    assert_eq!(server.pending(), 0);
    assert_eq!(try_log_in(&gateway, "ann", &old.token("ann", json!({}))), (200, json!(0)));
    // A reload with another configuration reads them.
    *keys.lock().expect("a lock") = jwks(&[&new]);
    gateway.reload(&toml.replace("issuer =", "leeway = \"1m\"\nissuer ="));
    assert_eq!(try_log_in(&gateway, "bob", &new.token("bob", json!({}))), (200, json!(0)));
    assert_eq!(try_log_in(&gateway, "ann", &old.token("ann", json!({}))), (200, json!(3)));
}

#[test]
fn without_keys_no_user_signs_in_and_no_password_is_called_wrong() {
    let server = StandIn::start(|_| status("500 Internal Server Error"));
    let url = format!("jwks_url = \"http://{}/jwks\"", server.address);
    let gateway = Gateway::start(&toml(&url, ""));
    let token = Key::new("k1").token("ann", json!({}));
    assert_eq!(try_log_in(&gateway, "ann", &token), (503, json!(11)));
    gateway.log().wait_for("the cause", |lines| {
        let why = "cannot read the issuer's keys: the answer has status 500";
        lines.iter().any(|line| line.contains(why)).then_some(())
    });
    assert_eq!(try_log_in(&gateway, "ann", &token), (503, json!(11)));
    assert_eq!(server.pending(), 1, "it is asked now and then only");
}

#[test]
fn a_named_subject_is_a_guard_like_an_api_key() {
    let key = Key::new("k1");
    let toml = toml("jwks_file = \"keys.json\"", "")
        + "[frontends.usr_room]\nlisten = \"0.0.0.0:0\"\njwt_subjects = [\"backend\"]\n";
    let launch = Launch::of(&toml);
    std::fs::write(launch.folder().join("keys.json"), jwks(&[&key]).to_string()).expect("a file");
    let gateway = launch.start();
    let mut address = gateway.address("usr_room", "listen");
    address.set_ip([127, 0, 0, 1].into());
    let get = |token: Option<String>| {
        let header = token.map(|token| format!("Bearer {token}"));
        let headers: Vec<_> = header.iter().map(|it| ("Authorization", it.as_str())).collect();
        Http::connect(address).request("GET", "/time", &headers, b"").status
    };
    assert_eq!(get(None), 401);
    assert_eq!(get(Some(key.token("backend", json!({})))), 200);
    assert_eq!(get(Some(key.token("ann", json!({})))), 401, "a user of the issuer is no backend");
    assert_eq!(get(Some(Key::new("k1").token("backend", json!({})))), 401);
    // Guessing is slowed down.
    let other = key.token("backend", json!({ "aud": "other" }));
    let statuses: Vec<u16> = (0..15).map(|_| get(Some(other.clone()))).collect();
    assert_eq!(statuses[..10], [401; 10]);
    assert!(statuses[10..].contains(&429), "{statuses:?}");
}
