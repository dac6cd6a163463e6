//! Requests that a client of HTTP sends without waiting for the answers, over one connection that is
//! kept, are carried out and answered in their order: RFC 9112, section 9.3.2.

use gateway_tests::Http;
use gateway_tests::http::Response;
use serde_json::{Value, json};

use super::site::{Site, unlimited};

/// A request: the method, the path and the JSON object.
type Request = (&'static str, String, Value);

/// Requests in one pipeline: more than a connection may have unanswered.
const REQUESTS: usize = 120;

/// How much of them is written at once.
const PIECE_BYTES: usize = 1_009;

#[test]
fn pipelined_requests_of_channel_are_answered_in_their_order() {
    let register = json!({"name": "ann", "password": "pw", "password_repete": "pw"});
    let first = [
        ("POST", "/register".to_owned(), register),
        ("POST", "/login".to_owned(), json!({"name": "ann", "password": "pw"})),
    ];
    assert_order("channel", &first, |nth, word, replies| {
        let token = replies[1]["data"]["token"].clone();
        let (path, body) = match nth % 7 {
            0 | 4 => ("/channel/send", json!({"name": "tea", "message": word})),
            1 => ("/channel/receive", json!({"name": "tea"})),
            2 => ("/send", json!({"name": "ann", "msg": word})),
            3 => ("/receive", json!({})),
            5 => ("/channel/send", json!({"name": "tea"})),
            _ => ("/user/info", json!({"name": word})),
        };
        let mut body = body;
        body["token"] = token;
        ("POST", path.to_owned(), body)
    });
}

#[test]
fn pipelined_requests_of_usr_room_are_answered_in_their_order() {
    let first = [
        ("POST", "/usr/complete".to_owned(), json!({"openid": "o1", "sex": "none"})),
        ("POST", "/room/add".to_owned(), json!({"name": "tea", "room_owner_id": "o1"})),
    ];
    assert_order("usr_room", &first, |nth, word, replies| {
        let room = replies[1]["room_id"].clone();
        let (path, body) = match nth % 6 {
            0 => ("/room/send_message", json!({"room_id": room, "openid": "o1", "message": word})),
            1 => ("/room/get_message", json!({"room_id": room, "openid": "o1"})),
            2 => ("/usr/complete", json!({"openid": "o1", "sex": word})),
            3 => ("/usr/info", json!({"openid": "o1"})),
            4 => ("/usr/info", json!({"openid": word})),
            _ => ("/nowhere", json!({})),
        };
        ("POST", path.to_owned(), body)
    });
}

#[test]
fn pipelined_requests_of_chatroom_are_answered_in_their_order() {
    assert_order("chatroom", &[], |nth, of_nth, _| match nth % 5 {
        0 => ("POST", "/chatroom/create".into(), json!({"room_name": of_nth})),
        1 => ("GET", "/chatroom/list".into(), Value::Null),
        2 => ("POST", "/auth/user_data".into(), json!({"user_name": of_nth})),
        // It is there already, if they are in order.
        3 => ("POST", "/chatroom/create".into(), json!({"room_name": word(nth - 3)})),
        _ => ("POST", "/chatroom/create".into(), json!({})),
    });
}

/// The same requests to two fresh gateways, one after the other to the first and all at once to the
/// second, get the same answers, in the same order.
fn assert_order(
    dialect: &str,
    first: &[Request],
    request: impl Fn(usize, &str, &[Value]) -> Request,
) {
    let answers = [false, true].map(|pipelined| {
        let site = Site::of(&unlimited());
        let mut http = Http::connect(site.gateway.address(dialect, "listen"));
        let replies: Vec<Value> = first.iter().map(|one| ask(&mut http, one)).collect();
        let requests = (0..REQUESTS).map(|nth| request(nth, &word(nth), &replies));
        let requests: Vec<Request> = requests.collect();
        if pipelined {
            send_all(&mut http, &site, dialect, &requests)
        } else {
            requests.iter().map(|one| redacted(&ask(&mut http, one))).collect()
        }
    });
    let [one_by_one, at_once] = answers;
    assert_eq!(at_once, one_by_one, "{dialect}");
    let distinct: std::collections::BTreeSet<&String> = at_once.iter().collect();
    assert!(distinct.len() > REQUESTS / 6, "the answers say little of their order");
}

/// Letters that no other number has, between marks that nothing else has.
fn word(nth: usize) -> String {
    let letter = |nth: usize| char::from(b'a' + u8::try_from(nth % 26).expect("below 26"));
    ["word", &letter(nth / 26).to_string(), &letter(nth).to_string()].concat()
}

fn ask(http: &mut Http, (method, path, body): &Request) -> Value {
    let body = text_of(body);
    let headers = [("Content-Type", "application/json")];
    let response = http.request(method, path, &headers, body.as_bytes());
    answer_of(&response)
}

/// The object; the status of an answer that is none.
fn answer_of(response: &Response) -> Value {
    let status = json!({"status": response.status});
    serde_json::from_slice(&response.body).unwrap_or(status)
}

/// All requests in one write or a few, cut anywhere, while the answers are read.
fn send_all(http: &mut Http, site: &Site, dialect: &str, requests: &[Request]) -> Vec<String> {
    let host = site.gateway.address(dialect, "listen");
    let bytes: String = requests
        .iter()
        .map(|(method, path, body)| {
            let body = text_of(body);
            format!(
                "{method} {path} HTTP/1.1\r\nHost: {host}\r\nContent-Type: application/json\r\n\
                 Content-Length: {}\r\n\r\n{body}",
                body.len()
            )
        })
        .collect();
    for piece in bytes.as_bytes().chunks(PIECE_BYTES) {
        http.send_bytes(piece).expect("the gateway takes it");
    }
    let answer = |_: &Request| {
        let response = http.receive(false).expect("an answer to each");
        redacted(&answer_of(&response))
    };
    requests.iter().map(answer).collect()
}

fn text_of(body: &Value) -> String {
    if body.is_null() { String::new() } else { body.to_string() }
}

/// Without times and ids.
fn redacted(answer: &Value) -> String {
    answer.to_string().chars().filter(|char| !char.is_ascii_digit()).collect()
}
