//! A secret that was typed or sent in any of the ways that clients and people know is in no frame of any
//! dialect that an operator sees.

use std::sync::Arc;

use dragoman::dialects::{DIALECTS, Dialect};
use dragoman::tap::{Direction, FrameKind, Masker, Shown};
use frontend_api::http::{Request, Response};
use frontend_api::{Frontend, Peer};
use frontend_testkit::play_watched;
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use proptest::prelude::*;
use serde_json::json;

use crate::secrets::{Tap, everything, posted, tap_of};

/// What carries a secret, with `{}` in its place.
const CARRIERS: [&str; 44] = [
    "my password: {}",
    "Password = {}",
    "PASS={}",
    "password：{}",
    "pass\u{200b}word: {}",
    "ｐａｓｓｗｏｒｄ: {}",
    "密码：{}",
    "密码是{}",
    "我的密码 {}",
    "пароль: {}",
    "the password is {}",
    "api_key={}, I think",
    "\"token\": \"{}\"",
    "see {\\\"password\\\":\\\"{}\\\"}",
    "{\"a\":{\"password\":\"{}\"}}",
    "<password>{}</password>",
    "a\npassword = {}",
    "a%26password%3D{}",
    "a%2526password%253D{}",
    "Authorization: Bearer {}",
    "it sends Bearer {} and more",
    "Cookie: sid={}; path=/",
    "curl --password {} https://example.org/",
    "curl -u ann:{} https://example.org/",
    "http://ann:{}@example.org/",
    "see https://{}@example.org/a",
    "clone ann:{}@example.org",
    "https://example.org/a?b=1&token={}",
    "GET /password/{}",
    "https://example.org/token/{}/x",
    "ns identify {}",
    "nickserv identify {}",
    "/ns identify {}",
    "try /msg NickServ IDENTIFY ann {} now",
    "PRIVMSG NickServ:identify {}",
    "NickServ: identify {}",
    "PASS ann:{}",
    "USER ann/net:{} 0 * :x",
    "/identify {}",
    ":PASS {}",
    "set password {}",
    "AUTHENTICATE {}",
    "I typed IDENTIFY {} again",
    "login ann {}",
];

/// Texts that have the words and no secret.
const ORDINARY: [&str; 14] = [
    "hello, all",
    "the password policy changed",
    "I forgot my password",
    "is the password wrong?",
    "please identify yourself",
    "a token of appreciation",
    "pass me the milk, please",
    "note: tea at 12:30",
    "write to ann@example.org",
    "see https://example.org/a?b=c#d",
    "the user bob: hello",
    "bearer of bad news",
    "密码策略已更改",
    "src/main.rs:12 has it",
];

/// Another user's message with the text, as each session gets it, and as the engine has it.
fn pushed((frontend, tap): &mut (Arc<dyn Frontend>, Tap), text: &str) -> Vec<Shown> {
    let event = posted(text);
    play_watched(&**frontend, &Peer::default(), &format!("* {event}\n"), &mut |passed| {
        tap.see(&passed);
    });
    tap.shown.push(tap.masker.engine(FrameKind::Event, &event));
    std::mem::take(&mut tap.shown)
}

/// Each dialect, with a tap of it.
fn tapped(dialect: &Dialect) -> (Arc<dyn Frontend>, Tap) {
    let frontend = dialect.configure(serde_json::Map::new()).expect("its defaults");
    let tap = tap_of(dialect, &*frontend);
    (frontend, tap)
}

/// The text in each place of the frames of a client.
fn sent(masker: &Masker, text: &str) -> Vec<Shown> {
    let encoded = utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
    let one_line = text.replace('\n', " ");
    let fields = ["text", "msg", "message", "name", "description", "data"];
    let frames = fields.map(|field| json!({ "type": "msg", field: text }).to_string());
    let mut shown: Vec<Shown> = frames
        .iter()
        .flat_map(|frame| {
            let body = frame.clone().into_bytes();
            let request =
                Request { method: "POST".into(), path: "/x".into(), body, ..Request::default() };
            [
                masker.text(Direction::In, frame),
                masker.text(Direction::Out, frame),
                masker.binary(Direction::In, frame.as_bytes()),
                masker.request(&request),
            ]
        })
        .collect();
    let form = |field: &str| format!("{field}={encoded}");
    for form in fields.map(form) {
        let (query, body) = (form.clone(), form.into_bytes());
        let path = format!("/{one_line}");
        let headers = vec![("user-agent".to_owned(), one_line.clone())];
        let request = Request { method: "POST".into(), path, query, headers, body };
        shown.push(masker.request(&request));
        shown.push(masker.peer(&Peer { upgrade: Some(request), ..Peer::default() }));
    }
    let headers = vec![("content-type".to_owned(), "text/plain".to_owned())];
    shown.push(masker.response(&Response { status: 400, headers, body: text.into() }));
    let lines =
        ["PRIVMSG #tea :", "TOPIC #tea :", "QUIT :", "SETNAME :", ":ann!a@h PRIVMSG #tea :", ""];
    for line in lines.map(|before| format!("{before}{one_line}")) {
        shown.push(masker.text(Direction::In, &line));
        if line.starts_with(':') {
            shown.push(masker.text(Direction::Out, &line));
        }
    }
    shown
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 4, failure_persistence: None, ..Default::default() })]

    #[test]
    fn a_secret_in_any_carrier_is_in_no_frame_of_any_dialect(
        secret in prop_oneof!["[a-z]{7,16}", "[A-Za-z0-9]{8,24}", "[A-Za-z][A-Za-z0-9_!$-]{8,12}[a-z0-9]"],
    ) {
        for dialect in DIALECTS {
            let mut tapped = tapped(dialect);
            for carrier in CARRIERS {
                let text = carrier.replace("{}", &secret);
                let pushed = pushed(&mut tapped, &text);
                for frame in pushed.into_iter().chain(sent(&tapped.1.masker, &text)) {
                    let shown = everything(&frame);
                    prop_assert!(!shown.contains(&secret), "{}: {carrier}: {shown}", dialect.name);
                }
            }
        }
    }
}

#[test]
fn ordinary_texts_stay_readable_in_every_dialect() {
    for dialect in DIALECTS {
        let mut tapped = tapped(dialect);
        for text in ORDINARY {
            let shown: String = pushed(&mut tapped, text).iter().map(everything).collect();
            assert!(shown.contains(text), "{}: {text}: {shown}", dialect.name);
        }
    }
}
