//! No secret of any transcript is in what operators see of its frames: the tap, the transcript that it
//! saves, and the trace, which all come from the same [`Masker`].

use std::collections::BTreeSet;

use data_encoding::{BASE64, HEXLOWER};
use dragoman::tap::{
    Direction, FrameKind, Masker, Reassembly, Shown, TapFrame, Transcript, outcome_json,
};
use frontend_api::{Frame, Frontend, Input, Output};
use frontend_testkit::{Passed, play_watched};
use plugin_testkit::{Script, scripts_of};
use serde_json::Value;

/// What each secret begins with, once it is replaced.
const CANARY: &str = "Canary7";

/// The same in base64, as SASL sends it, at each of its three places.
const ENCODED_CANARY: [&str; 3] = ["Q2FuYXJ5N", "DYW5hcnk3", "NhbmFyeT"];

/// A byte that no transcript has, for secrets that are too short for a canary.
const CANARY_CHAR: char = '\u{a7}';

/// The names under which commands, queries and outcomes have secrets.
const SECRET_FIELDS: [&str; 8] =
    ["plain", "sha256", "hashed", "token", "password", "secret", "credential", "key"];

/// What a text of the engine says that is a secret: an openid, with its provider.
fn openid(text: &str) -> Option<&str> {
    text.strip_prefix("openid:")?.split_once('/').map(|(_, openid)| openid)
}

/// The texts of a value that are secrets.
fn collect(value: &Value, is_secret: bool, secrets: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if is_secret => drop(secrets.insert(text.clone())),
        Value::String(text) => secrets.extend(openid(text).map(str::to_owned)),
        Value::Array(items) => items.iter().for_each(|item| collect(item, is_secret, secrets)),
        Value::Object(fields) => {
            for (name, field) in fields {
                collect(field, SECRET_FIELDS.contains(&&**name), secrets);
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => (),
    }
}

/// What the front end and the engine tell each other of secrets. They are found without any of the
/// rules of the masker: these see what the peer sends.
fn secrets_of(frontend: &dyn Frontend, script: &Script) -> BTreeSet<String> {
    let mut secrets = BTreeSet::new();
    let mut add = |value: Result<Value, _>| {
        collect(&value.expect("it is plain data"), false, &mut secrets);
    };
    play_watched(frontend, &script.peer, &script.text, &mut |passed| match passed {
        Passed::Output(Output::Submit { command, .. }) => add(serde_json::to_value(command)),
        Passed::Output(Output::Query { query }) => add(serde_json::to_value(query)),
        Passed::Output(Output::Authorize(ask)) => add(serde_json::to_value(ask)),
        Passed::Output(Output::Fetch(fetch)) => add(serde_json::to_value(fetch)),
        Passed::Input(Input::Answer(outcome)) => add(serde_json::to_value(outcome)),
        Passed::Event(event) => add(serde_json::to_value(event)),
        _ => (),
    });
    // A number that is a token in one place is an id in another.
    secrets.retain(|secret| secret.chars().any(|char| !char.is_ascii_digit()) && secret.len() > 1);
    // A credential that is none.
    secrets.remove("vouched");
    secrets
}

/// A text of as many bytes that no transcript has.
fn canary(secret: &str) -> String {
    let mut canary = String::new();
    if secret.len() > CANARY.len() {
        canary.push_str(CANARY);
    }
    while canary.len() + CANARY_CHAR.len_utf8() <= secret.len() {
        canary.push(CANARY_CHAR);
    }
    canary.push_str(&"_".repeat(secret.len() - canary.len()));
    canary
}

/// The script with a canary in the place of each secret.
fn with_canaries(script: &str, secrets: &BTreeSet<String>) -> String {
    // The longest first: one may be a part of another.
    let mut secrets: Vec<&String> = secrets.iter().collect();
    secrets.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    let spaced = |text: &str| {
        let pairs = text.bytes().map(|byte| HEXLOWER.encode(&[byte]));
        pairs.collect::<Vec<_>>().join(" ")
    };
    let json = |text: &str| serde_json::to_string(text).expect("a text is JSON");
    let within = |text: &str| json(text).trim_matches('"').to_owned();
    let line = |line: &str| {
        let mut line = line.to_owned();
        for secret in &secrets {
            let canary = canary(secret);
            if line.starts_with("<hex ") || line.starts_with("<binary ") {
                line = line.replace(&spaced(secret), &spaced(&canary));
            } else if let Some(encoded) = line.strip_prefix("< AUTHENTICATE ") {
                line = reencoded(encoded, secret, &canary).unwrap_or(line);
            } else if line.starts_with(['=', '*']) {
                // Words of the engine may be the same as a secret.
                for name in SECRET_FIELDS {
                    let field = |value: &str| format!("\"{name}\":{}", json(value));
                    line = line.replace(&field(secret), &field(&canary));
                }
                line = line.replace(&format!("/{}\"", within(secret)), &format!("/{canary}\""));
            } else {
                line = with_words(&line, &within(secret), &canary);
                line = with_words(&line, secret, &canary);
            }
        }
        line
    };
    script.lines().map(|one| line(one) + "\n").collect()
}

/// The text with another word in the place of one. A channel may be called like its key.
fn with_words(text: &str, word: &str, other: &str) -> String {
    let is_apart = |char: Option<char>| !char.is_some_and(|it| it.is_alphanumeric() || it == '#');
    let mut replaced = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(word) {
        let (before, behind) = (&rest[..at], &rest[at + word.len()..]);
        let is_word = is_apart(before.chars().next_back()) && is_apart(behind.chars().next());
        replaced.push_str(before);
        replaced.push_str(if is_word { other } else { word });
        rest = behind;
    }
    replaced + rest
}

fn reencoded(encoded: &str, secret: &str, canary: &str) -> Option<String> {
    let plain = String::from_utf8(BASE64.decode(encoded.as_bytes()).ok()?).ok()?;
    let changed = plain.replace(secret, canary);
    Some(format!("< AUTHENTICATE {}", BASE64.encode(changed.as_bytes())))
}

/// What a tap shows of a session, and the transcript that it saves.
pub(crate) struct Tap {
    pub(crate) masker: Masker,
    streams: [Reassembly; 2],
    dialect: &'static str,
    pub(crate) shown: Vec<Shown>,
    transcript: Transcript,
}

impl Tap {
    fn add(&mut self, shown: Vec<Shown>) {
        for shown in shown {
            self.transcript.add(&TapFrame {
                at_ms: 0,
                session: 1,
                frontend: self.dialect.into(),
                dialect: self.dialect.into(),
                peer: "127.0.0.1".into(),
                user: None,
                shown: shown.clone(),
            });
            self.shown.push(shown);
        }
    }

    fn bytes(&mut self, direction: Direction, bytes: &[u8]) {
        let stream = &mut self.streams[usize::from(direction == Direction::Out)];
        let shown = stream.push(&self.masker, direction, bytes);
        self.add(shown);
    }

    fn lines(&mut self, direction: Direction, text: &str) {
        let lines = text.split('\n').map(|line| line.trim_end_matches('\r'));
        let lines = lines.filter(|line| !line.is_empty());
        let shown = lines.map(|line| self.masker.text(direction, line)).collect();
        self.add(shown);
    }

    pub(crate) fn see(&mut self, passed: &Passed<'_>) {
        match passed {
            Passed::Opened(peer) => {
                self.streams = [Reassembly::from_the_start(), Reassembly::from_the_start()];
                self.add(vec![self.masker.peer(peer)]);
            }
            Passed::Input(Input::Bytes(bytes)) => self.bytes(Direction::In, bytes),
            Passed::Input(Input::Text(text)) => self.lines(Direction::In, text),
            Passed::Input(Input::Binary(bytes)) => {
                self.add(vec![self.masker.binary(Direction::In, bytes)]);
            }
            Passed::Input(Input::Request(request)) => {
                self.add(vec![self.masker.request(request)]);
            }
            Passed::Input(Input::Answer(outcome)) => {
                self.add(vec![self.masker.engine(FrameKind::Answer, &outcome_json(outcome))]);
            }
            Passed::Event(event) => {
                let event = serde_json::to_string(event).expect("it is plain data");
                self.add(vec![self.masker.engine(FrameKind::Event, &event)]);
            }
            Passed::Output(Output::SendBytes(bytes)) | Passed::Broadcast(Frame::Bytes(bytes)) => {
                self.bytes(Direction::Out, bytes);
            }
            Passed::Output(Output::SendText(text)) | Passed::Broadcast(Frame::Text(text)) => {
                self.lines(Direction::Out, text);
            }
            Passed::Output(Output::Respond(response)) => {
                self.add(vec![self.masker.response(response)]);
            }
            Passed::Input(_) | Passed::Output(_) => (),
        }
    }
}

/// Everything that a frame shows, its bytes too.
pub(crate) fn everything(shown: &Shown) -> String {
    let bytes = shown.base64.as_ref().map(|text| BASE64.decode(text.as_bytes()).expect("bytes"));
    let bytes = String::from_utf8_lossy(&bytes.unwrap_or_default()).into_owned();
    format!("{} {bytes}", serde_json::to_string(shown).expect("it is plain data"))
}

fn has_canary(text: &str) -> bool {
    let texts = [CANARY, "%C2%A7", "\\u00a7", "c2 a7"];
    text.contains(CANARY_CHAR)
        || texts.iter().chain(&ENCODED_CANARY).any(|canary| text.contains(canary))
}

/// What people type where others read it, by mistake: with a canary.
const TYPED: [&str; 14] = [
    "/identify Canary7",
    "/msg NickServ IDENTIFY Canary7",
    ":PASS Canary7",
    ":SET PASSWORD Canary7",
    ":AUTH ann Canary7",
    ":identify Canary7",
    "AUTHENTICATE Canary7",
    "identify ann Canary7",
    "login ann Canary7",
    "NickServ identify Canary7",
    "password: Canary7",
    "password=Canary7",
    "REGISTER Canary7 ann@example.org",
    "set password Canary7",
];

/// A post of another user, as the engine has it.
pub(crate) fn posted(text: &str) -> String {
    let message = serde_json::json!({
        "id": 5, "at": 1000, "text": text, "to": {"room": {"id": 1, "name": "TEST"}},
        "author": {"uid": 10000, "handle": "ann", "name": "ann"},
    });
    let event = serde_json::json!({"event": "posted", "message": message});
    serde_json::json!({"seq": 1, "at": 1000, "cause": 7, "event": event}).to_string()
}

pub(crate) fn tap_of(dialect: &dragoman::dialects::Dialect, frontend: &dyn Frontend) -> Tap {
    Tap {
        masker: Masker::new(dialect.name, &frontend.schemas()),
        streams: Default::default(),
        dialect: dialect.name,
        shown: Vec::new(),
        transcript: Transcript::default(),
    }
}

#[test]
fn what_is_typed_into_a_room_by_mistake_is_masked_in_every_dialect_and_other_texts_are_not() {
    for dialect in dragoman::dialects::DIALECTS {
        let options = serde_json::Map::new();
        let frontend = dialect.configure(options).expect("its defaults");
        let shown = |text: &str| {
            let mut tap = tap_of(dialect, &*frontend);
            let script = format!("* {}\n", posted(text));
            let peer = frontend_api::Peer::default();
            play_watched(&*frontend, &peer, &script, &mut |passed| tap.see(&passed));
            tap.shown.iter().map(everything).collect::<Vec<_>>().join("\n")
        };
        for text in TYPED {
            let shown = shown(text);
            assert!(!has_canary(&shown), "{}: {text}: {shown}", dialect.name);
        }
        for text in ["hello, all", "pass me the milk, please", "note: tea", "set the table"] {
            assert!(shown(text).contains(text), "{}: {text}", dialect.name);
        }
    }
}

#[test]
fn lines_of_irc_show_no_secret_wherever_it_is_typed() {
    let masker = Masker::new("irc", &[]);
    let shown = |line: &str| everything(&masker.text(Direction::In, line));
    for text in TYPED {
        for before in ["PRIVMSG #tea :", "NOTICE #tea :", "TOPIC #tea :", "PART #tea :", "QUIT :"] {
            let line = format!("{before}{text}");
            assert!(!has_canary(&shown(&line)), "{line}: {}", shown(&line));
        }
    }
    for line in [
        ":PASS Canary7",
        ":SET PASSWORD Canary7",
        "MODE #tea +K Canary7",
        "MODE #tea + k Canary7",
        "MODE #tea k Canary7",
        "MODE #tea +nk-k+b Canary7 Canary7",
        "TOPIC #tea identify Canary7",
    ] {
        assert!(!has_canary(&shown(line)), "{line}: {}", shown(line));
    }
}

#[test]
fn requests_in_odd_spellings_show_no_secret() {
    for dialect in dragoman::dialects::DIALECTS {
        let frontend = dialect.configure(serde_json::Map::new()).expect("its defaults");
        let masker = Masker::new(dialect.name, &frontend.schemas());
        let mut queries = vec!["password[]=Canary7", "password[0][x]=Canary7", "a=1?token=Canary7"];
        queries.extend(["?password=Canary7", "name=a%26password%3DCanary7", "Canary7", "=Canary7"]);
        queries.extend(["name=a%0Apassword%3DCanary7", "name=a%0D%0ACookie:%20Canary7"]);
        let bodies = [r#"{"password":{"Canary7":1}}"#, r#"{"password":[["Canary7"]]}"#];
        for (query, body) in
            queries.into_iter().map(|query| (query, "")).chain(bodies.map(|body| ("", body)))
        {
            let request = frontend_api::http::Request {
                method: "POST".into(),
                path: "/login".into(),
                query: query.into(),
                body: body.into(),
                ..Default::default()
            };
            let shown = everything(&masker.request(&request));
            assert!(!has_canary(&shown), "{}: {shown}", dialect.name);
        }
    }
}

#[test]
fn a_field_that_a_schema_has_without_a_mark_is_shown_and_what_stands_for_a_name_is_not() {
    let usr_room = dragoman::dialects::DIALECTS.iter().find(|row| row.name == "usr_room");
    let frontend = usr_room.expect("it is linked").configure(serde_json::Map::new());
    let masker = Masker::new("usr_room", &frontend.expect("its defaults").schemas());
    let shown = |body: &str| {
        let request = frontend_api::http::Request {
            method: "POST".into(),
            path: "/search".into(),
            body: body.into(),
            ..Default::default()
        };
        masker.request(&request).http.expect("it is a request").body
    };
    assert_eq!(shown(r#"{"key":"tea"}"#), r#"{"key":"tea"}"#);
    assert_eq!(shown(r#"{"Canary7":"tea","key":"1"}"#), r#"{"***":"***","key":"1"}"#);
}

#[test]
fn no_secret_of_any_transcript_is_shown() {
    let mut found = Vec::new();
    for dialect in dragoman::dialects::DIALECTS {
        let mut replaced = 0;
        for script in scripts_of(dialect) {
            let frontend = dialect.configure(script.options.clone()).expect("its options");
            let secrets = secrets_of(&*frontend, &script);
            let text = with_canaries(&script.text, &secrets);
            replaced += usize::from(text != script.text);
            let mut tap = tap_of(dialect, &*frontend);
            play_watched(&*frontend, &script.peer, &text, &mut |passed| tap.see(&passed));
            let shown = tap.shown.iter().map(everything);
            let saved = tap.transcript.text();
            let leaks = shown.chain(saved.lines().map(str::to_owned)).filter(|it| has_canary(it));
            let leaks = leaks.map(|leak| format!("{}: {leak}", script.file.display()));
            found.extend(leaks.take(3));
        }
        assert!(replaced > 2, "{}: {replaced} transcripts have secrets", dialect.name);
    }
    found.truncate(40);
    assert!(found.is_empty(), "{}", found.join("\n"));
}
