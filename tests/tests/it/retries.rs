//! A request whose reply was lost is sent again, also after a kill: it has one effect, and one reply.

use gateway_tests::{Gateway, Http};
use serde_json::{Value, json};

const TOML: &str = "
    [[rooms]]
    name = \"TEST\"
    [frontends.channel]
    [frontends.chatroom]
    user_data = \"all\"
    [frontends.usr_room]
";

/// A request of a front end: its path and body.
type Call = (&'static str, &'static str, Value);

/// A request that is repeated.
struct Row {
    /// What is done before.
    given: Option<Call>,
    repeated: Call,
    /// What another client does between the first attempt and the second.
    between: Option<Call>,
    /// Shows a second effect.
    probe: Call,
    /// Whether the effect ends with the gateway, so that the repetition after a kill has it again.
    is_of_the_run: bool,
}

fn row(repeated: Call, between: Option<Call>, probe: Call) -> Row {
    Row { given: None, repeated, between, probe, is_of_the_run: false }
}

const TEL: u64 = 15_550_009;
const CHANNEL: &str = "channel";
const CHATROOM: &str = "chatroom";
const USR_ROOM: &str = "usr_room";

/// The token of a user of channel in a request.
fn by(token: &Value, mut body: Value) -> Value {
    body["token"] = token.clone();
    body
}

fn of_channel([ann, bob]: &[Value; 2]) -> Vec<Row> {
    let said = || (CHANNEL, "/channel/receive", by(bob, json!({"name": "TEST", "after": 0})));
    let say = |token, text: &str| {
        (CHANNEL, "/channel/send", by(token, json!({"name": "TEST", "message": text})))
    };
    let whisper = |text: &str| (CHANNEL, "/send", by(ann, json!({"name": "bob", "msg": text})));
    vec![
        row(
            (CHANNEL, "/register", json!({"name": "cyd", "password": "p", "password_repete": "p"})),
            None,
            (CHANNEL, "/user/info", by(ann, json!({"name": "cyd"}))),
        ),
        row(
            whisper("once"),
            Some(whisper("other")),
            (CHANNEL, "/receive", by(bob, json!({"after": 0}))),
        ),
        row(say(ann, "once"), Some(say(bob, "other")), said()),
        Row {
            given: Some(say(ann, "unread")),
            ..row((CHANNEL, "/channel/receive", by(bob, json!({"name": "TEST"}))), None, said())
        },
        Row {
            given: Some(whisper("unread")),
            ..row(
                (CHANNEL, "/receive", by(bob, json!({}))),
                None,
                (CHANNEL, "/receive", by(bob, json!({"after": 0}))),
            )
        },
    ]
}

fn of_usr_room() -> Vec<Row> {
    let user = |openid: &str, sex: &str| json!({"openid": openid, "sex": sex});
    let member = |openid: &str| json!({"room_id": 1, "openid": openid});
    let joined = || (USR_ROOM, "/usr/roomlist2", json!({"openid": "o-bob"}));
    let [join, kick] = ["/usr/join", "/room/kick"].map(|path| (USR_ROOM, path, member("o-bob")));
    let say = |text: &str| {
        let body = json!({"room_id": 1, "openid": "o-ann", "message": text});
        (USR_ROOM, "/room/send_message", body)
    };
    let owned = || (USR_ROOM, "/usr/roomlist1", json!({"openid": "o-ann"}));
    let add = || json!({"room_owner_id": "o-ann", "name": "den"});
    vec![
        row(
            (USR_ROOM, "/usr/complete", user("o-new", "1")),
            Some((USR_ROOM, "/usr/complete", user("o-new", "2"))),
            (USR_ROOM, "/usr/info", json!({"openid": "o-new"})),
        ),
        row((USR_ROOM, "/room/add", add()), None, owned()),
        row(join.clone(), Some(kick.clone()), joined()),
        row(join.clone(), None, joined()),
        row(kick.clone(), Some(join), joined()),
        row(
            say("once"),
            Some(say("other")),
            (USR_ROOM, "/room/get_message", json!({"room_id": 1, "after": 0})),
        ),
        row(
            (USR_ROOM, "/room/delete", json!({"room_id": 2, "openid": "o-ann"})),
            Some((USR_ROOM, "/room/add", add())),
            owned(),
        ),
    ]
}

fn of_chatroom() -> Vec<Row> {
    let user = json!({"user_tel": TEL, "user_name": "dan", "user_password": "123456"});
    let visit = |name: &str, status: u8| {
        let body = json!({"user_name": name, "room_name": "TEST", "status": status});
        (CHATROOM, "/chatroom/room", body)
    };
    let rooms = || (CHATROOM, "/chatroom/list", json!({}));
    vec![
        row(
            (CHATROOM, "/auth/register", user),
            None,
            (CHATROOM, "/auth/user_data", json!({"user_tel": TEL})),
        ),
        row((CHATROOM, "/chatroom/create", json!({"room_name": "lounge"})), None, rooms()),
        Row { is_of_the_run: true, ..row(visit("gus", 1), Some(visit("hal", 1)), rooms()) },
        Row {
            given: Some(visit("gus", 1)),
            ..row(visit("gus", 0), Some(visit("gus", 1)), rooms())
        },
    ]
}

/// The reply to a request.
#[track_caller]
fn ask(gateway: &Gateway, (frontend, path, body): &Call, key: Option<&str>) -> Value {
    let mut http = Http::connect(gateway.address(frontend, "listen"));
    let mut headers = vec![("Content-Type", "application/json")];
    headers.extend(key.map(|key| ("Idempotency-Key", key)));
    let response = http.request("POST", path, &headers, body.to_string().as_bytes());
    assert_eq!(response.status, 200, "{path} {body}: {response}");
    response.json()
}

/// The reply of a success.
#[track_caller]
fn done(gateway: &Gateway, call: &Call, key: Option<&str>) -> Value {
    let reply = ask(gateway, call, key);
    let is_done = match call.0 {
        CHANNEL => reply["code"] == 0,
        USR_ROOM => reply["response_code"] == 1,
        _ => reply["res"]
            .as_str()
            .is_some_and(|res| res.ends_with(" successfully") || res.ends_with(" chatroom")),
    };
    assert!(is_done, "{call:?}: {reply}");
    reply
}

/// The first page of a client that has no cursor yet.
#[test]
fn a_first_reply_that_was_lost_loses_no_message_under_its_key() {
    let gateway = Gateway::start(TOML);
    let [ann, bob] = ["ann", "bob"].map(|name| {
        let account = json!({"name": name, "password": "p", "password_repete": "p"});
        done(&gateway, &(CHANNEL, "/register", account), None);
        let login = (CHANNEL, "/login", json!({"name": name, "password": "p"}));
        done(&gateway, &login, None)["data"]["token"].take()
    });
    let say = |text: &str| {
        let said = by(&ann, json!({"name": "TEST", "message": text}));
        done(&gateway, &(CHANNEL, "/channel/send", said), None);
    };
    let receive = (CHANNEL, "/channel/receive", by(&bob, json!({"name": "TEST"})));
    let texts = |key: Option<&str>| -> Vec<String> {
        let reply = done(&gateway, &receive, key);
        let messages = reply["data"]["messages"].as_array().expect("a list").iter();
        messages.map(|one| one["msg"].as_str().expect("a text").to_owned()).collect()
    };
    say("one");
    say("two");
    assert_eq!(texts(Some("first")), ["one", "two"]);
    say("three");
    assert_eq!(texts(Some("first")), ["one", "two", "three"], "and what came meanwhile");
    assert_eq!(texts(Some("second")).len(), 0);
    say("four");
    assert_eq!(texts(None), ["four"]);
    for text in ["an empty key", "is none"] {
        let said = by(&ann, json!({"name": "TEST", "message": text}));
        done(&gateway, &(CHANNEL, "/channel/send", said), Some(""));
    }
    assert_eq!(texts(None), ["an empty key", "is none"]);
    assert_eq!(texts(None).len(), 0, "without a key, what was in a reply is received");
}

#[test]
fn a_request_whose_reply_was_lost_is_repeated_once_in_every_dialect_with_requests() {
    let mut gateway = Gateway::start(TOML);
    let tokens = ["ann", "bob"].map(|name| {
        let account = json!({"name": name, "password": "p", "password_repete": "p"});
        done(&gateway, &(CHANNEL, "/register", account), None);
        let login = (CHANNEL, "/login", json!({"name": name, "password": "p"}));
        done(&gateway, &login, None)["data"]["token"].take()
    });
    for openid in ["o-ann", "o-bob"] {
        done(&gateway, &(USR_ROOM, "/usr/complete", json!({"openid": openid})), None);
    }
    let join = json!({"room_id": 1, "openid": "o-ann"});
    done(&gateway, &(USR_ROOM, "/usr/join", join), None);
    let rows = of_channel(&tokens).into_iter().chain(of_usr_room()).chain(of_chatroom());
    for (number, Row { given, repeated, between, probe, is_of_the_run }) in rows.enumerate() {
        let key = format!("key {number}");
        if let Some(given) = &given {
            done(&gateway, given, None);
        }
        let first = done(&gateway, &repeated, Some(&key));
        for is_killed in [false, true] {
            if is_killed {
                gateway.restart();
            } else if let Some(between) = &between {
                done(&gateway, between, None);
            }
            if is_of_the_run && is_killed {
                // No seat outlives the run: the first reply would promise one that is not there.
                let without = ask(&gateway, &probe, None);
                assert_eq!(done(&gateway, &repeated, Some(&key)), first, "{repeated:?}");
                assert_ne!(ask(&gateway, &probe, None), without, "{repeated:?}");
            }
            let before = ask(&gateway, &probe, None);
            assert_eq!(done(&gateway, &repeated, Some(&key)), first, "{repeated:?}");
            assert_eq!(ask(&gateway, &probe, None), before, "{repeated:?}, killed: {is_killed}");
        }
    }
}
