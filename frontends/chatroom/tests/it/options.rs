//! What the options change, and which of them make no sense.

use core_model::{Claim, Command, SeatKind, Timestamp, UserRef};
use frontend_api::http::Request;
use frontend_api::{Configure, Frontend, Input, Outbox, Output, Peer};
use frontend_chatroom::{ChatroomFrontend, Options};

fn configure(options: serde_json::Value) -> ChatroomFrontend {
    let options: Options = serde_json::from_value(options).unwrap();
    ChatroomFrontend::configure(options).map_err(|fault| fault.why).unwrap()
}

fn command(frontend: &ChatroomFrontend, peer: &Peer, target: &str) -> Command {
    let (path, query) = target.split_once('?').unwrap();
    let request = Request {
        method: "GET".into(),
        path: path.into(),
        query: query.into(),
        ..Request::default()
    };
    let (mut session, mut out) = (frontend.open(peer), Outbox::default());
    session.handle(Timestamp(0), Input::Request(&request), &mut out);
    let Some(Output::Submit { command, .. }) = out.drain().next() else { panic!("no command") };
    *command
}

fn enter(frontend: &ChatroomFrontend, peer: &Peer) -> (Claim, SeatKind) {
    let target = "/chatroom/room?room_name=TEST&user_name=ann&status=1";
    match command(frontend, peer, target) {
        Command::Enter { user: UserRef::Claim(claim), seat, .. } => (claim, seat),
        other => panic!("not an entrance by a claimed name: {other:?}"),
    }
}

#[test]
fn the_operator_decides_whether_an_address_counts_but_a_proxys_never_does() {
    let peer = |proxied, private_listener| Peer {
        address: "192.0.2.7".into(),
        proxied,
        private_listener,
        ..Peer::default()
    };
    for (option, proxied, private_listener, counts) in [
        (None, false, true, true),
        (None, false, false, false),
        (None, true, true, false),
        (Some(true), false, false, true),
        (Some(true), true, true, false),
        (Some(false), false, true, false),
    ] {
        let frontend = configure(serde_json::json!({ "sign_in_by_address": option }));
        let (claim, _) = enter(&frontend, &peer(proxied, private_listener));
        let expected = counts.then(|| "192.0.2.7".to_owned());
        assert_eq!(claim.address, expected, "{option:?} {proxied} {private_listener}");
    }
}

#[test]
fn a_login_that_counts_once_is_fresh_for_a_seat_but_not_for_giving_it_back() {
    let options = serde_json::json!({ "sign_in_by_address": "once", "sign_in_ttl": "1h" });
    let frontend = configure(options);
    let peer = Peer { address: "192.0.2.7".into(), ..Peer::default() };
    let (claim, _) = enter(&frontend, &peer);
    assert_eq!(claim.address_left_min_ms, 3_600_000 - 60_000);
    let target = "/chatroom/room?room_name=TEST&user_name=ann&status=0";
    let Command::Exit { user: UserRef::Claim(claim), .. } = command(&frontend, &peer, target)
    else {
        panic!("not an exit by a claimed name")
    };
    assert_eq!((claim.address.as_deref(), claim.address_left_min_ms), (Some("192.0.2.7"), 0));
}

#[test]
fn on_a_private_listener_a_login_counts_once_unless_the_operator_says_otherwise() {
    let peer = Peer { address: "127.0.0.1".into(), private_listener: true, ..Peer::default() };
    for (options, left_min_ms) in [
        (serde_json::json!({ "sign_in_ttl": "1h" }), 3_600_000 - 60_000),
        (serde_json::json!({ "sign_in_ttl": "30s" }), 1),
        (serde_json::json!({ "sign_in_by_address": true }), 0),
    ] {
        let (claim, _) = enter(&configure(options.clone()), &peer);
        assert_eq!(claim.address_left_min_ms, left_min_ms, "{options}");
    }
}

#[test]
fn the_cookie_reaches_pages_of_other_sites_only_where_the_operator_says_so() {
    for (options, expected) in [
        (serde_json::json!({}), "HttpOnly; SameSite=Lax"),
        (serde_json::json!({ "cookie_same_site": "lax" }), "HttpOnly; SameSite=Lax"),
        (serde_json::json!({ "cookie_same_site": "none" }), "HttpOnly; SameSite=None; Secure"),
    ] {
        let script = concat!(
            "> GET /auth/login?user_tel=1&user_password=p\n",
            r#"= {"Ok":{"did":"signed_in","user":{"person":{"uid":10000,"handle":"ann","name":"ann"},"created":0,"online":false},"token":"t0kEn"}}"#,
            "\n"
        );
        let played = frontend_testkit::play(&configure(options), script);
        assert!(played.contains(&format!("Path=/; {expected}\n")), "{played}");
    }
}

#[test]
fn guests_and_the_length_of_a_seat_are_options() {
    let options = serde_json::json!({ "guests": false, "seat_ttl": "3s", "seat_grace": "0s" });
    let (claim, seat) = enter(&configure(options), &Peer::default());
    assert!(!claim.guests);
    assert_eq!(seat, SeatKind::Lease { ttl_ms: 3_000, grace_ms: 0 });
}

#[test]
fn a_login_counts_as_long_as_the_options_say() {
    let frontend = configure(serde_json::json!({ "sign_in_ttl": "2h" }));
    let peer = Peer { private_listener: true, ..Peer::default() };
    let login = command(&frontend, &peer, "/auth/login?user_tel=1&user_password=p");
    let Command::SignIn { token: Some(token), address: Some(address), .. } = login else {
        panic!("not a sign-in by token and address: {login:?}");
    };
    assert_eq!((token.ttl_ms, address.ttl_ms), (7_200_000, 7_200_000));
}

#[test]
fn options_that_make_no_sense_are_named() {
    for (key, value) in [
        ("sign_in_ttl", serde_json::json!("0s")),
        ("seat_ttl", serde_json::json!("0ms")),
        ("list_max", serde_json::json!(0)),
        ("sign_in_once_ttl", serde_json::json!("12h")),
    ] {
        let options = serde_json::json!({ "sign_in_by_address": "once", key: value });
        let options = serde_json::from_value(options).unwrap();
        let fault = ChatroomFrontend::configure(options).err().expect(key);
        assert_eq!(fault.key, key);
    }
}

#[test]
fn the_options_survive_being_written_and_read() {
    let written = serde_json::to_value(Options::default()).unwrap();
    let expected = serde_json::json!({
        "guests": true, "sign_in_once_ttl": "1m", "cookie_same_site": "lax", "user_data": "own", "sign_in_ttl": "12h", "seat_ttl": "10m", "seat_grace": "1m", "list_max": 10000,
        "charset": "utf-8", "page": false,
    });
    assert_eq!(written, expected);
    assert_eq!(serde_json::from_value::<Options>(written).unwrap(), Options::default());
    assert!(serde_json::from_value::<Options>(serde_json::json!({ "guest": true })).is_err());
}

#[test]
fn the_manifest_says_where_it_listens_and_what_it_answers() {
    let mut manifest = ChatroomFrontend::default().manifest().clone();
    manifest.version = "…".into();
    insta::assert_snapshot!(serde_json::to_string_pretty(&manifest).unwrap());
}
