//! `[auth.http]` where the server is slow, fails and lies: no user signs in, and no password
//! is called wrong.

use gateway_tests::{Channel, Chatroom, Gateway, Irc, Ourchat};
use serde_json::{Value, json};

use super::hook::{check, log_in, toml};
use super::stand_in::{Answer, Asked, StandIn, status};

const UNAVAILABLE: &str = "signing in is not possible now, try again later";

/// Fails in the way that the user is called.
fn fail(asked: &Asked) -> Answer {
    let bytes = |body: &str| {
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
        Answer::Bytes((head + body).into_bytes())
    };
    match asked.body["user"].as_str().expect("a text") {
        "slow" => Answer::Silence,
        "huge" => Answer::Endless,
        "broken" => status("500 Internal Server Error"),
        "forbidden" => status("403 Forbidden"),
        "redirect" => status("302 Found\r\nLocation: /allow"),
        "html" => bytes("<html>"),
        "neither" => bytes(r#"{"result":"maybe"}"#),
        "empty" => bytes("{}"),
        "numeric" => bytes(r#"{"result":"allow","identity":7}"#),
        "nameless" => bytes(r#"{"result":"allow","identity":""}"#),
        "long" => Answer::Json(json!({ "result": "allow", "identity": "x".repeat(256) })),
        "cut" => Answer::Bytes(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n{".to_vec()),
        _ => check(asked),
    }
}

fn log_in_by_channel(gateway: &Gateway, name: &str) -> (u16, Value) {
    let mut channel = Channel::connect(gateway.address("channel", "listen"));
    let body = json!({ "name": name, "password": "tea" });
    let response = channel.try_call("/login", &body, &[]).expect("an answer");
    (response.status, response.json())
}

#[test]
fn whatever_is_no_answer_lets_no_user_in_and_the_log_says_why() {
    let server = StandIn::start(fail);
    let gateway = Gateway::start(&toml(server.address, "timeout = \"500ms\""));
    let unavailable = (503, json!({ "code": 11, "msg": UNAVAILABLE }));
    for (user, why) in [
        ("broken", "it answered with status 500 instead of 200"),
        ("forbidden", "it answered with status 403 instead of 200"),
        ("redirect", "it answered with status 302, and redirects are not followed"),
        ("html", "its answer is not JSON"),
        ("neither", "its answer has no \\\"result\\\" that is"),
        ("empty", "its answer has no \\\"result\\\" that is"),
        ("numeric", "its answer has no \\\"result\\\" that is"),
        ("nameless", "its answer has an identity that is empty"),
        ("long", "longer than 255 bytes"),
        ("slow", "no answer within 500 ms"),
        ("huge", "the answer is longer than 16384 bytes"),
        ("cut", "auth.http: "),
    ] {
        // Five failures in a row would have the next one not asked.
        assert_eq!(log_in_by_channel(&gateway, "ann").0, 200, "before {user}");
        assert_eq!(log_in_by_channel(&gateway, user), unavailable, "{user}");
        gateway
            .log()
            .wait_for(why, |lines| lines.iter().any(|line| line.contains(why)).then_some(()));
    }
    assert!(!gateway.log().text().contains("maybe"), "nothing of the answer is in the log");
}

#[test]
fn each_dialect_says_that_it_is_not_possible_now() {
    let server = StandIn::start(|_| status("500 Internal Server Error"));
    let gateway = Gateway::start(&toml(server.address, ""));
    let mut chatroom = Chatroom::connect(gateway.address("chatroom", "listen"));
    let response = chatroom.http.get("/auth/login?user_tel=5551234&user_password=tea");
    assert_eq!((response.status, &response.json()["res"]), (503, &json!("server busy")));
    let mut ourchat = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
    let reply = ourchat.call(&log_in("ann@example.org", "tea"));
    assert_eq!(reply["state"], 2, "{reply}");
    let mut irc = Irc::connect(gateway.address("irc", "listen"));
    for line in ["CAP REQ :sasl", "NICK ann", "USER ann 0 * :ann", "AUTHENTICATE PLAIN"] {
        irc.send(line);
    }
    irc.receive_until("AUTHENTICATE +");
    // NUL ann NUL tea
    irc.send("AUTHENTICATE AGFubgB0ZWE=");
    let refused = irc.receive_until(" 904 ");
    assert!(refused.ends_with(" :Signing in is not possible now, try again later"), "{refused}");
    let metrics = gateway_tests::Http::connect(gateway.address("admin", "listen")).get("/metrics");
    let metrics = String::from_utf8(metrics.body).expect("text");
    assert!(metrics.contains("dragoman_auth_hook_total{result=\"failed\"} 3\n"), "{metrics}");
    let counted = "dragoman_sign_ins_total{frontend=\"irc\",result=\"unavailable\"} 1\n";
    assert!(metrics.contains(counted), "{metrics}");
}

#[test]
fn a_server_that_fails_five_times_is_left_alone_and_others_are_not_held_up() {
    let server = StandIn::start(fail);
    let gateway = Gateway::start(&toml(server.address, "timeout = \"30s\""));
    let mut local = Channel::enroll(gateway.address("channel", "listen"), "bob");
    for _ in 0..5 {
        assert_eq!(log_in_by_channel(&gateway, "broken").0, 503);
    }
    assert_eq!(log_in_by_channel(&gateway, "ann").0, 503);
    assert_eq!(server.pending(), 5, "the sixth is not asked");
    // Local accounts sign in and post meanwhile.
    local.login("bob", "tea for two");
    local.send("tearoom", "still here");
}

#[test]
fn what_a_server_says_of_one_user_keeps_no_other_out() {
    let server = StandIn::start(fail);
    let gateway = Gateway::start(&toml(server.address, ""));
    for user in ["forbidden", "html", "nameless", "redirect", "long", "numeric", "empty"] {
        assert_eq!(log_in_by_channel(&gateway, user).0, 503, "{user}");
    }
    assert_eq!(log_in_by_channel(&gateway, "ann").0, 200);
    // These would be other users' default identities, or no names at all: not asked.
    assert_eq!(server.pending(), 8);
    for user in ["tel:5551234", "email:ann@example.org"] {
        let (_, reply) = log_in_by_channel(&gateway, user);
        assert_eq!(reply["code"], 3, "{user}: {reply}");
    }
    assert_eq!(server.pending(), 0);
}

#[test]
fn a_server_that_hangs_holds_up_its_own_sign_ins_only() {
    let server = StandIn::start(fail);
    let gateway = Gateway::start(&toml(server.address, "timeout = \"30s\""));
    let address = gateway.address("channel", "listen");
    let mut local = Channel::enroll(address, "bob");
    let body = json!({ "name": "slow", "password": "tea" }).to_string();
    let headers = [("Content-Type", "application/json")];
    let mut waiting = Vec::new();
    // More than may be under way: the rest is refused at once, as overload.
    for _ in 0..60 {
        let mut http = gateway_tests::Http::connect(address);
        http.send("POST", "/login", &headers, body.as_bytes()).expect("the gateway takes it");
        waiting.push(http);
    }
    for _ in 0..10 {
        server.next();
    }
    local.send("tearoom", "still here");
    local.login("bob", "tea for two");
}
