//! Two people of two dialects, and a gateway that is killed between.

use std::time::{SystemTime, UNIX_EPOCH};

use gateway_tests::{Channel, Chatroom, Gateway, Talk};
use serde_json::{Value, json};

const TOML: &str = "
    [[rooms]]
    name = \"TEST\"
    [frontends.chatroom]
    [frontends.channel]
    timezone = \"UTC\"
";

#[test]
fn ann_and_bob_meet_across_dialects_and_a_kill_takes_nothing_from_them() {
    let mut gateway = Gateway::start(TOML);
    let began = datetime(SystemTime::now());

    let mut http = Chatroom::connect(gateway.address("chatroom", "listen"));
    http.register("15550001", "ann", "123456");
    http.login("15550001", "123456");
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    assert_eq!(ann.join("TEST", "ann"), "create");

    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    bob.send("TEST", "hello ann");
    assert_eq!(ann.receive(), user("bob", "join"));
    assert_eq!(ann.receive(), message("bob", "hello ann"));

    ann.say("TEST", "ann", "hello bob");
    let data = bob.done("/channel/receive", &json!({"name": "TEST"}));
    let ended = datetime(SystemTime::now());
    check_talk(&data, &began, &ended);
    let cursor = data["cursor"].as_u64().expect("it is a number");

    gateway.kill();
    gateway.restart();

    let mut bob = bob.reconnect(gateway.address("channel", "listen"));
    let again = bob.done("/channel/receive", &json!({"name": "TEST", "after": 0}));
    assert_eq!(again, data, "what was received is received again, as it was");
    let (nothing, _) = bob.receive_after("TEST", cursor);
    assert_eq!(nothing, [] as [Value; 0]);
    let users = bob.done("/channel/list_users", &json!({"name": "TEST"}));
    assert_eq!(users, json!({"users": [{"name": "bob"}]}));
    bob.login("bob", "tea for two");

    let mut http = Chatroom::connect(gateway.address("chatroom", "listen"));
    let shown = http.get("/auth/user_data", &[("user_name", "ann")]);
    assert_eq!(
        shown["data"]["user"],
        json!({"user_tel": 15550001, "user_name": "ann", "user_avatar_url": ""})
    );
    let rooms = http.get("/chatroom/list", &[]);
    assert_eq!(rooms["rooms"], json!([{"name": "TEST", "population": 1}]), "no ghost of ann's");
    http.login("15550001", "123456");
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    assert_eq!(ann.join("TEST", "ann"), "join", "the first join ever was before");
    bob.send("TEST", "still here?");
    assert_eq!(ann.receive(), message("bob", "still here?"));
}

#[test]
fn a_request_repeated_after_a_kill_is_done_once() {
    let mut gateway = Gateway::start(TOML);
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    let body = json!({"name": "TEST", "message": "once"});
    let send = |bob: &mut Channel| {
        let sent = bob.try_call("/channel/send", &body, &[("Idempotency-Key", "1")]);
        sent.expect("it is answered").to_string()
    };
    let first = send(&mut bob);
    gateway.kill();
    gateway.restart();
    let mut bob = bob.reconnect(gateway.address("channel", "listen"));
    assert_eq!(send(&mut bob), first);
    assert_eq!(bob.history("TEST"), [("bob".into(), "once".into())]);
}

fn check_talk(data: &Value, began: &str, ended: &str) {
    let messages = data["messages"].as_array().expect("it is a list");
    let said = |message: &Value| {
        let datetime = message["datetime"].as_str().expect("it is a string").to_owned();
        assert!(*began <= *datetime && *datetime <= *ended, "{began} {datetime} {ended}");
        (message["name"].clone(), message["msg"].clone())
    };
    let said: Vec<_> = messages.iter().map(said).collect();
    assert_eq!(
        said,
        [(json!("bob"), json!("hello ann")), (json!("ann"), json!("hello bob"))],
        "{messages:?}"
    );
}

fn user(name: &str, msg: &str) -> Value {
    json!({"type": "user", "data": data(name, msg)})
}

fn message(name: &str, msg: &str) -> Value {
    json!({"type": "msg", "data": data(name, msg)})
}

fn data(name: &str, msg: &str) -> Value {
    let user = json!({"user_name": name, "user_avatar": ""});
    json!({"user": user, "room_name": "TEST", "msg": msg})
}

/// `YYYY.MM.DD:HH:MM:SS` in UTC. As text these are in the order of time.
fn datetime(time: SystemTime) -> String {
    let secs = time.duration_since(UNIX_EPOCH).expect("it is later").as_secs();
    let days = secs / 86_400;
    let secs = secs % 86_400;
    // Howard Hinnant's days_from_civil, backwards.
    let shifted = days + 719_468;
    let era = shifted / 146_097;
    let day_of_era = shifted % 146_097;
    let year_of_era =
        (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let shifted_month = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * shifted_month + 2) / 5 + 1;
    let month = if shifted_month < 10 { shifted_month + 3 } else { shifted_month - 9 };
    let year = year_of_era + era * 400 + u64::from(month <= 2);
    let hour = secs / 3_600;
    let minute = secs / 60 % 60;
    let second = secs % 60;
    format!("{year:04}.{month:02}.{day:02}:{hour:02}:{minute:02}:{second:02}")
}

#[test]
fn a_moment_is_written_as_the_dialect_writes_it() {
    let at = |secs| datetime(UNIX_EPOCH + std::time::Duration::from_secs(secs));
    assert_eq!(at(0), "1970.01.01:00:00:00");
    assert_eq!(at(1_583_410_320), "2020.03.05:12:12:00");
    assert_eq!(at(1_709_251_199), "2024.02.29:23:59:59");
}
