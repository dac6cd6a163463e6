//! Stream connections: order, events, limits, ends.

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use super::client::{Lines, exchange, http, soon};
use super::stage::Stagecraft;

const REGISTER: &str =
    r#"call {"do":"register","user":{"handle":"ann","password":{"plain":"tea"}}}"#;
const ENTER: &str =
    r#"seat {"do":"enter","room":{"name":"tea"},"user":"session","seat":"connection"}"#;

fn sign_in(name: &str) -> String {
    let user = format!(r#"{{"identity":"openid:wechat/{name}"}}"#);
    let new = format!(r#"{{"handle":"{name}","identities":["openid:wechat/{name}"]}}"#);
    format!(
        r#"user {{"do":"sign_in","user":{user},"credential":"vouched","create":{new},"session":true}}"#
    )
}

/// The lines that sign a user in and have it enter the room.
pub(super) fn seat(name: &str) -> [String; 2] {
    [sign_in(name), ENTER.to_owned()]
}

pub(super) fn post(text: &str) -> String {
    format!(
        r#"call {{"do":"post","room":{{"name":"tea"}},"author":"session","text":"{text}","standing":"seated"}}"#
    )
}

/// The kind of a line: `= posted`, `* entered`, `! unknown_room`.
fn kind(line: &str) -> String {
    let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
    let value: serde_json::Value = serde_json::from_str(rest).unwrap_or_default();
    let word = ["did", "event", "refused"].iter().find_map(|key| value[*key].as_str());
    format!("{mark} {}", word.unwrap_or(rest))
}

pub(super) fn kinds(lines: &[String]) -> Vec<String> {
    lines.iter().map(|line| kind(line)).collect()
}

pub(super) async fn seated(stage: &Stagecraft, name: &str) -> Lines {
    let mut client = Lines::connect(stage.address("lines")).await;
    assert_eq!(kind(&client.ask(&sign_in(name)).await), "= signed_in");
    assert_eq!(kind(&client.ask(ENTER).await), "= entered");
    assert_eq!(kinds(&client.lines(2).await), ["* entered", "* population_changed"]);
    client
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_are_echoed_unchanged() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut stream = TcpStream::connect(stage.address("tcp")).await.unwrap();
    let sent: Vec<u8> = (0..200_000_u32).map(|n| n as u8).collect();
    let mut came = vec![0; sent.len()];
    let (mut read, mut write) = stream.split();
    let (written, read) =
        soon(async { tokio::join!(write.write_all(&sent), read.read_exact(&mut came)) }).await;
    written.unwrap();
    read.unwrap();
    assert!(came == sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn lines_end_either_way_and_the_last_needs_no_end() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut stream = TcpStream::connect(stage.address("lines")).await.unwrap();
    stream.write_all(b"say a\r\n\n  \nsay b\n\xff\nsay c").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut text = String::new();
    soon(stream.read_to_string(&mut text)).await.unwrap();
    assert_eq!(text, "a\nb\nbinary [255]\nc\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn answers_keep_the_order_of_requests() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut client = Lines::connect(stage.address("lines")).await;
    let asked = [
        r#"ask {"ask":"last_change"}"#,
        // Takes the password pool.
        REGISTER,
        // Sees the account that the command before it made.
        r#"ask {"ask":"user","user":{"handle":"ann"}}"#,
        r#"call {"do":"join","room":{"name":"nowhere"},"user":{"handle":"ann"}}"#,
        r#"ask {"ask":"search_rooms","text":"te","limit":10}"#,
        r#"user {"do":"sign_in","user":{"handle":"ann"},"credential":{"password":"tea"},"session":true}"#,
        r#"call {"do":"post","room":{"name":"tea"},"author":"session","text":"hi","standing":"seated"}"#,
    ];
    client.send(&asked.join("\n")).await;
    assert_eq!(
        kinds(&client.lines(7).await),
        [
            "= last_change",
            "= registered",
            "= user",
            "! unknown_room",
            "= rooms",
            "= signed_in",
            "! not_in_room"
        ]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn many_pipelined_calls_are_all_answered_in_order() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut client = seated(&stage, "ann").await;
    let lines: Vec<_> = (0..500).map(|n| post(&format!("n{n}"))).collect();
    client.send(&lines.join("\n")).await;
    let mut answers = Vec::new();
    let mut events = Vec::new();
    for line in client.lines(1000).await {
        let text = line.split(r#""text":""#).nth(1).unwrap().split('"').next().unwrap().to_owned();
        match &line[..1] {
            "=" => answers.push(text),
            "*" => events.push(text),
            other => panic!("not expected: {other}"),
        }
        assert!(events.len() <= answers.len(), "an event came before its answer");
    }
    let expected: Vec<_> = (0..500).map(|n| format!("n{n}")).collect();
    assert_eq!(answers, expected);
    assert_eq!(events, expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_answer_comes_first_and_then_the_events_to_everyone_in_the_room() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut ann = seated(&stage, "ann").await;
    let mut bob = seated(&stage, "bob").await;
    assert_eq!(kinds(&ann.lines(2).await), ["* entered", "* population_changed"]);
    bob.send(&post("hi")).await;
    assert_eq!(kinds(&bob.lines(2).await), ["= posted", "* posted"]);
    assert_eq!(kind(&ann.line().await.unwrap()), "* posted");
    drop(bob);
    assert_eq!(kinds(&ann.lines(2).await), ["* left", "* population_changed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_can_skip_its_cause_or_be_encoded_per_session() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut ann = seated(&stage, "ann").await;
    let mut bob = seated(&stage, "bob").await;
    ann.lines(2).await;
    for text in ["others", "ask"] {
        bob.send(&post(text)).await;
    }
    assert_eq!(kinds(&ann.lines(2).await), ["* posted", "? posted"]);
    assert_eq!(kinds(&bob.lines(3).await), ["= posted", "= posted", "? posted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_event_that_a_front_end_cannot_encode_is_lost_and_nothing_else() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut ann = seated(&stage, "ann").await;
    ann.send(&post("panic")).await;
    ann.send(&post("after")).await;
    let mut kinds = kinds(&ann.lines(3).await);
    kinds.sort();
    assert_eq!(kinds, ["* posted", "= posted", "= posted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_gets_only_events_that_pass_its_filter() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut ann = seated(&stage, "ann").await;
    ann.send(r#"interest {"messages":true,"presence":false,"population":false}"#).await;
    assert_eq!(ann.ask("say ready").await, "ready");
    let mut bob = seated(&stage, "bob").await;
    bob.send(&post("hi")).await;
    bob.lines(2).await;
    assert_eq!(kind(&ann.line().await.unwrap()), "* posted");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_session_gets_a_granted_token_that_proves_its_owner() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut client = Lines::connect(stage.address("lines")).await;
    client.ask(&sign_in("ann")).await;
    let issued = client
        .ask(r#"call {"do":"issue_token","user":"session","grant":{"purpose":"t","shape":"text","ttl_ms":100000}}"#)
        .await;
    let token = issued.split(r#""token":""#).nth(1).unwrap().trim_end_matches("\"}").to_owned();
    assert_eq!(token.len(), 43);
    let hash = serde_json::to_string(&core_model::TokenHash::of("t", &token)).unwrap();
    let found = client.ask(&format!(r#"ask {{"ask":"user","user":{{"token":{hash}}}}}"#)).await;
    assert!(found.contains(r#""handle":"ann""#), "{found}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_password_that_is_set_is_hashed_on_its_way_like_any_other() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut client = Lines::connect(stage.address("lines")).await;
    client.ask(REGISTER).await;
    let set = r#"call {"do":"set_password","user":{"handle":"ann"},"password":{"plain":"cocoa"}}"#;
    let answer = client.ask(set).await;
    assert!(answer.starts_with(r#"= {"did":"user""#), "{answer}");
    let sign_in = |password: &str| {
        format!(
            r#"call {{"do":"sign_in","user":{{"handle":"ann"}},"credential":{{"password":"{password}"}}}}"#
        )
    };
    let former = client.ask(&sign_in("tea")).await;
    assert!(former.contains("wrong_password"), "{former}");
    let signed_in = client.ask(&sign_in("cocoa")).await;
    assert!(signed_in.starts_with(r#"= {"did":"signed_in""#), "{signed_in}");
    // 1200 bytes in 600 characters.
    let answer = client.ask(&set.replace("cocoa", &"é".repeat(600))).await;
    let limit = r#"{"refused":"too_long","what":"password","limit":"1024 bytes"}"#;
    assert_eq!(answer, format!("! {limit}"));
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_passwords_and_unknown_accounts_differ_only_in_the_text() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut client = Lines::connect(stage.address("lines")).await;
    client.ask(REGISTER).await;
    client.ask(&sign_in("bob")).await;
    let attempt = |name: &str, password: &str| {
        format!(
            r#"call {{"do":"sign_in","user":{{"handle":"{name}"}},"credential":{{"password":"{password}"}}}}"#
        )
    };
    for (name, password, kind_of_answer) in [
        ("ann", "tea", "= signed_in"),
        ("ann", "coffee", "! wrong_password"),
        ("bob", "", "! wrong_password"),
        ("zoe", "tea", "! unknown_user"),
    ] {
        let answer = client.ask(&attempt(name, password)).await;
        assert_eq!(kind(&answer), kind_of_answer, "{name} {password}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn over_the_limits_commands_are_refused_in_order_and_the_connection_stays() {
    let stage = Stagecraft::start(|frontend| {
        frontend.limits.messages_per_s = 1;
        frontend.limits.messages_burst = 2;
        frontend.limits.text_chars_max = 5;
    })
    .await;
    let mut client = seated(&stage, "ann").await;
    let texts = ["123456", "äöüßé", "two", "three"];
    client.send(&texts.map(post).join("\n")).await;
    client.send(r#"ask {"ask":"last_change"}"#).await;
    let mut answers = Vec::new();
    while answers.len() < 5 {
        let line = client.line().await.unwrap();
        if !line.starts_with('*') {
            answers.push(kind(&line));
        }
    }
    assert_eq!(
        answers,
        ["! text_too_long", "= posted", "= posted", "! slow_down", "= last_change"]
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn requests_over_the_limit_get_a_retry_time() {
    let stage = Stagecraft::start(|frontend| {
        frontend.limits.requests_per_s = 1;
        frontend.limits.requests_burst = 2;
    })
    .await;
    let mut client = Lines::connect(stage.address("lines")).await;
    let ask = r#"ask {"ask":"rooms","filter":"open","after":0,"limit":10}"#;
    client.send(&[ask; 3].join("\n")).await;
    let lines = client.lines(3).await;
    assert_eq!(kinds(&lines), ["= rooms", "= rooms", "! slow_down"]);
    let refused: serde_json::Value = serde_json::from_str(&lines[2][2..]).unwrap();
    assert!((1..=1000).contains(&refused["retry_after_ms"].as_u64().unwrap()), "{refused}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_over_the_limit_ends_the_connection_after_last_words() {
    let stage = Stagecraft::start(|frontend| frontend.limits.message_bytes_max = 100).await;
    for line in [format!("say {}\n", "x".repeat(97)), "y".repeat(200)] {
        let said = exchange(stage.address("lines"), format!("say hi\n{line}").as_bytes()).await;
        assert_eq!(said, "hi\nbye \"overlong\"\n");
    }
    let longest = format!("say {}\nclose\n", "x".repeat(96));
    let said = exchange(stage.address("lines"), longest.as_bytes()).await;
    assert_eq!(said, format!("{}\nclosing\n", "x".repeat(96)));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_alarm_rings_once() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut client = Lines::connect(stage.address("lines")).await;
    client.send("wake 3600000").await;
    assert_eq!(client.ask("wake 1").await, "woken");
    assert_eq!(client.ask("say after").await, "after");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_panic_costs_the_session_and_no_other() {
    let stage = Stagecraft::start(|_| ()).await;
    let mut ann = seated(&stage, "ann").await;
    let mut bob = seated(&stage, "bob").await;
    ann.lines(2).await;
    bob.send("panic").await;
    assert_eq!(bob.line().await, None);
    assert_eq!(kinds(&ann.lines(2).await), ["* left", "* population_changed"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_does_not_read_is_disconnected_without_delaying_others() {
    let stage = Stagecraft::start(|frontend| frontend.limits.mailbox_bytes_max = 100_000).await;
    let mut ann = seated(&stage, "ann").await;
    let mut bob = seated(&stage, "bob").await;
    ann.lines(2).await;
    let text = "x".repeat(16_000);
    // More than the mailbox and all buffers of the system together.
    let mut left = false;
    for _ in 0..5_000 {
        ann.send(&post(&text)).await;
        let lines = ann.lines(2).await;
        if kinds(&lines).contains(&"* left".into()) {
            left = true;
            break;
        }
    }
    assert!(left, "the others see it go");
    while bob.line().await.is_some() {}
}

#[tokio::test(flavor = "multi_thread")]
async fn connections_over_the_limit_are_refused() {
    let stage = Stagecraft::start(|frontend| frontend.limits.connections_max = 1).await;
    let mut first = Lines::connect(stage.address("lines")).await;
    assert_eq!(first.ask("say hi").await, "hi");
    let mut second = Lines::connect(stage.address("lines")).await;
    assert_eq!(second.line().await, None);
    assert_eq!(first.ask("say still here").await, "still here");
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_that_are_not_allowed_are_refused() {
    let stage = Stagecraft::start(|frontend| {
        frontend.guard.allow = vec!["10.0.0.0/8".parse().unwrap()];
    })
    .await;
    let mut client = Lines::connect(stage.address("lines")).await;
    assert_eq!(client.line().await, None);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_engine_is_reported_as_a_refusal() {
    let stage = Stagecraft::start_all(|config| config.store.queue_max = 0).await;
    let mut client = Lines::connect(stage.address("lines")).await;
    let lines = [r#"call {"do":"sign_out"}"#, r#"ask {"ask":"last_change"}"#];
    client.send(&lines.join("\n")).await;
    assert_eq!(kinds(&client.lines(2).await), ["! overloaded", "= last_change"]);
    let called =
        http(stage.address("http"), &["POST /call HTTP/1.1"], r#"{"do":"sign_out"}"#).await;
    assert_eq!((called.status, called.header("retry-after")), (503, Some("1")));
    assert!(called.body.starts_with("stage: "), "in the dialect's words: {}", called.body);
}
