//! What one client cannot take from the others.

use std::net::{IpAddr, Ipv4Addr};

use gateway_tests::token::{ENTER_ROOM, LOGIN, POST_MESSAGE, ROOM_LIST, post_body};
use gateway_tests::{
    Channel, Chatroom, Gateway, Http, Ourchat, Raw, Talk, Token, UsrRoom, connect_from,
    connect_narrow,
};
use serde_json::{Value, json};

/// An address of this machine that is not the one clients come from otherwise.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// A rate so low that it gives little within a test, after the burst.
const RATES: &str = "
    requests_per_s = 1
    requests_burst = 3
";

/// A heartbeat of the token dialect.
const HEARTBEAT: &[u8] = b"\0\0\0\x06\0\x09\0\0\0\x01";

/// One line of /metrics.
#[track_caller]
fn metric(gateway: &Gateway, name: &str) -> u64 {
    let metrics = Http::connect(gateway.address("admin", "listen")).get("/metrics");
    let text = metrics.text();
    let value = text.lines().find_map(|line| line.strip_prefix(name)?.trim().parse().ok());
    value.unwrap_or_else(|| panic!("no {name} in {text}"))
}

#[test]
fn over_the_rate_of_requests_http_says_429_and_when_to_come_back() {
    let gateway = Gateway::start(&format!(
        "[frontends.usr_room]{RATES}[frontends.chatroom]{RATES}[frontends.channel]{RATES}"
    ));
    let cases = [
        ("usr_room", r#"{"response_code":0,"error":"too many requests"}"#),
        ("chatroom", r#"{"res":"too many requests"}"#),
        ("channel", r#"{"code":10,"msg":"too many requests"}"#),
    ];
    for (frontend, body) in cases {
        let address = gateway.address(frontend, "listen");
        let mut http = Http::connect(address);
        let requests = "GET /nowhere HTTP/1.1\r\nHost: t\r\n\r\n".repeat(50);
        http.send_bytes(requests.as_bytes()).expect("it is taken");
        let responses: Vec<_> =
            (0..50).map(|_| http.receive(false).expect("each is answered")).collect();
        assert!(responses[..3].iter().all(|response| response.status == 404), "the burst");
        assert!(responses.iter().all(|response| matches!(response.status, 404 | 429)));
        let refused: Vec<_> = responses.iter().filter(|response| response.status == 429).collect();
        let first = refused.first().expect("50 are more than the burst");
        assert_eq!((first.text(), first.header("retry-after")), (body, Some("1")));
        let counter =
            format!("dragoman_refused_total{{frontend=\"{frontend}\",limit=\"requests\"}}");
        assert_eq!(metric(&gateway, &counter), refused.len() as u64);

        // Another client has a rate of its own.
        let mut other = Http::over(connect_from(ELSEWHERE, address), address);
        assert_eq!(other.get("/nowhere").status, 404);
    }
}

#[test]
fn over_the_rate_of_requests_a_stream_says_so_in_its_dialect_and_stays() {
    let gateway = Gateway::start(&format!(
        "[frontends.token]{RATES}[frontends.ourchat]{RATES}tcp_listen = \"127.0.0.1:0\""
    ));
    let mut token = Token::connect(gateway.address("token", "listen"));
    let results: Vec<_> =
        (0..20).map(|_| token.call(ROOM_LIST, &0_u32.to_be_bytes()).result).collect();
    assert_eq!(results[..3], [Some(0); 3]);
    assert!(results.contains(&Some(11)), "{results:?}");
    let mut other = Token::connect(gateway.address("token", "listen"));
    other.done(ROOM_LIST, &0_u32.to_be_bytes());

    let mut ourchat = Ourchat::lines(gateway.address("ourchat", "tcp_listen"));
    // Registering signs in: the store is asked twice.
    let made = ourchat
        .call(&json!({"code": 4, "email": "dan@example.org", "password": "pw", "name": "dan"}));
    let dan = made["ocid"].as_u64().expect("it is a number");
    let ask = json!({"code": 10, "ocid": dan, "request_values": ["nickname"]});
    let codes: Vec<_> = (0..20).map(|_| ourchat.call(&ask)["code"].as_u64()).collect();
    assert_eq!(codes[0], Some(11), "the third request of the burst");
    assert!(codes.contains(&Some(18)), "{codes:?}");
}

#[test]
fn over_the_rate_of_messages_each_dialect_refuses_and_nothing_is_posted() {
    let rate = "
        messages_per_s = 1
        messages_burst = 2
    ";
    let gateway = Gateway::start(&format!(
        "[[rooms]]\nname = \"TEST\"\n[frontends.token]{rate}[frontends.usr_room]{rate}\
         [frontends.chatroom]{rate}[frontends.channel]{rate}"
    ));
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    let mut usr = UsrRoom::connect(gateway.address("usr_room", "listen"));
    let found = usr.done("/search", &json!({"key": "TEST"}));
    let room_id = found["rooms"][0]["room_id"].as_u64().expect("TEST is declared");
    usr.done("/usr/complete", &json!({"openid": "o-uma"}));
    usr.done("/usr/join", &json!({"openid": "o-uma", "room_id": room_id}));
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("TEST", "ann");
    let mut tom = Token::connect(gateway.address("token", "listen"));
    let tom_room = u32::try_from(room_id).expect("an id of a room");
    tom.login("o-tom");
    tom.enter(tom_room);

    let mut posted = 0;
    for n in 0..20 {
        let text = format!("{n}");
        let body = json!({"name": "TEST", "message": text});
        let sent = bob.try_call("/channel/send", &body, &[]).expect("it is answered");
        match sent.status {
            200 => posted += 1,
            _ => assert_eq!((sent.status, &sent.json()["code"]), (429, &json!(10)), "{sent}"),
        }
        let body = json!({"room_id": room_id, "openid": "o-uma", "message": text});
        let sent = usr.http.post_json("/room/send_message", &body);
        match sent.status {
            200 => posted += 1,
            _ => assert_eq!((sent.status, sent.header("retry-after")), (429, Some("1")), "{sent}"),
        }
        match tom.call(POST_MESSAGE, &post_body(tom_room, &text)).result {
            Some(0) => posted += 1,
            refused => assert_eq!(refused, Some(11)),
        }
        ann.send("msg", "TEST", "ann", &text);
        let answer = ann.receive_until(|packet| {
            packet["type"] == "error" || packet["data"]["user"]["user_name"] == "ann"
        });
        match answer["type"].as_str() {
            Some("msg") => posted += 1,
            _ => assert_eq!(answer["data"]["msg"], "slow down", "{answer}"),
        }
    }
    assert!((8..80).contains(&posted), "four bursts of two, and not all: {posted}");
    assert_eq!(bob.history("TEST").len(), posted);
}

#[test]
fn connections_over_the_limit_are_refused_until_one_ends() {
    let max = "\nconnections_max = 2\n";
    let gateway = Gateway::start(&format!(
        "[frontends.token]{max}[frontends.chatroom]{max}[frontends.ourchat]{max}\
         [frontends.channel]{max}"
    ));
    for frontend in ["channel", "ourchat", "chatroom", "token"] {
        let address = gateway.address(frontend, "listen");
        let request = match frontend {
            "token" => HEARTBEAT,
            _ => b"GET /nowhere HTTP/1.1\r\nHost: t\r\n\r\n",
        };
        let try_it = || {
            let end = Raw::connect(address).send(request).end().receive_end();
            assert!(frontend == "token" || !end.reset, "the words may be lost: {end:?}");
            String::from_utf8_lossy(&end.bytes).into_owned()
        };
        // Both are answered, and so let in.
        let two = [(); 2].map(|()| {
            let mut raw = Raw::connect(address);
            raw.send(request).receive(12);
            raw
        });
        let turned_away = try_it();
        match frontend {
            "token" => assert_eq!(turned_away, ""),
            _ => {
                assert!(turned_away.starts_with("HTTP/1.1 503 "), "{frontend}: {turned_away}");
                assert!(turned_away.to_lowercase().contains("\r\nretry-after: "), "{turned_away}");
            }
        }
        // A client that sees the end of its connection may connect again at once.
        for mut raw in two {
            raw.end().receive_end();
            let answer = try_it();
            let is_let_in = !answer.is_empty() && !answer.contains(" 503 ");
            assert!(is_let_in, "{frontend}: {answer:?}");
        }
    }
}

#[test]
fn one_address_cannot_take_the_connections_of_all() {
    let gateway = Gateway::start("[frontends.ourchat]\nconnections_per_address_max = 2");
    let address = gateway.address("ourchat", "listen");
    let two = [(); 2].map(|()| {
        let mut ourchat = Ourchat::websocket(address);
        ourchat.call(&json!({"code": 12}));
        ourchat
    });
    assert_eq!(Http::connect(address).get("/").status, 503);
    let mut elsewhere = Http::over(connect_from(ELSEWHERE, address), address);
    assert_eq!(elsewhere.get("/").status, 426, "it is let in, and told to speak WebSocket");
    drop(two);
}

#[test]
fn a_client_that_does_not_read_is_disconnected_and_the_others_do_not_wait() {
    let gateway = Gateway::start(
        "[[rooms]]\nname = \"TEST\"\n\
         [frontends.chatroom]\nmailbox_max = 16\nmessages_per_s = 0\nbytes_per_s = 0\n\
         [frontends.token]\nmailbox_bytes_max = 65536\nmessages = true",
    );
    let websocket = gateway.address("chatroom", "websocket_listen");
    let mut ann = Talk::connect(websocket);
    ann.join("TEST", "ann");
    let mut bob = Talk::connect(websocket);
    bob.join("TEST", "bob");
    let mut slow = Talk::over(connect_narrow(websocket, 4096), websocket);
    slow.join("TEST", "slow");
    let mut tom = Token::over(connect_narrow(gateway.address("token", "listen"), 4096));
    tom.login("tom");
    tom.enter(1);

    let mut gone = (false, false);
    for n in 0..10_000 {
        if gone == (true, true) {
            break;
        }
        let text = format!("{n:10000}");
        ann.send("msg", "TEST", "ann", &text);
        // Each of the others is served at every step.
        bob.receive_until(|packet| packet["data"]["msg"] == text);
        ann.receive_until(|packet| {
            gone.0 |= has_left(packet, "slow");
            gone.1 |= has_left(packet, "tom");
            packet["data"]["msg"] == text
        });
    }
    assert_eq!(gone, (true, true), "they do not read, and they are still there");
    for frontend in ["chatroom", "token"] {
        let cut_off = format!("dragoman_cut_off_total{{frontend=\"{frontend}\"}}");
        assert_eq!(metric(&gateway, &cut_off), 1);
    }
    for (frontend, reason) in [("chatroom", "items"), ("token", "bytes")] {
        let labels = format!("{{frontend=\"{frontend}\",reason=\"{reason}\"}}");
        assert_eq!(metric(&gateway, &format!("dragoman_mailbox_overflows_total{labels}")), 1);
    }
    while slow.try_receive().is_ok() {}
    while tom.try_receive().is_ok() {}
    let mut http = Chatroom::connect(gateway.address("chatroom", "listen"));
    let rooms = http.get("/chatroom/list", &[]);
    assert_eq!(rooms["rooms"], json!([{"name": "TEST", "population": 2}]));
}

fn has_left(packet: &Value, user: &str) -> bool {
    let data = &packet["data"];
    packet["type"] == "user" && data["msg"] == "leave" && data["user"]["user_name"] == user
}

#[test]
fn a_guard_admits_only_allowed_clients() {
    let gateway = Gateway::start(
        "[frontends.usr_room]\napi_keys = [\"sesame\"]\n\
         [frontends.chatroom]\nallow = [\"127.0.0.2/32\"]\n\
         [frontends.token]\nallow = [\"127.0.0.2/32\"]",
    );
    let mut usr = Http::connect(gateway.address("usr_room", "listen"));
    let refused = usr.get("/time");
    assert_eq!((refused.status, refused.header("www-authenticate")), (401, Some("Bearer")));
    for wrong in [("X-Api-Key", "sesam"), ("Authorization", "Basic sesame")] {
        assert_eq!(usr.request("GET", "/time", &[wrong], b"").status, 401);
    }
    for right in [("X-Api-Key", "sesame"), ("Authorization", "Bearer sesame")] {
        assert_eq!(usr.request("GET", "/time", &[right], b"").status, 200);
    }

    let address = gateway.address("chatroom", "listen");
    assert_eq!(Http::connect(address).get("/chatroom/list").status, 403);
    let mut allowed = Http::over(connect_from(ELSEWHERE, address), address);
    assert_eq!(allowed.get("/chatroom/list").status, 200);
    let address = gateway.address("chatroom", "websocket_listen");
    assert_eq!(Http::connect(address).get("/").status, 403);
    let address = gateway.address("token", "listen");
    assert_eq!(Raw::connect(address).send(HEARTBEAT).receive_end().bytes, b"");
    let mut allowed = Token::over(connect_from(ELSEWHERE, address));
    assert_eq!(allowed.call(LOGIN, b"").result, Some(8), "it is spoken to");
    assert_eq!(allowed.call(ENTER_ROOM, &1_u32.to_be_bytes()).result, Some(3));
}
