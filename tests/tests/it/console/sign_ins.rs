//! The sign-ins of one user: in the admin API, on the command line and in the console.

use gateway_tests::browser::Browser;
use gateway_tests::{Channel, Chatroom, Gateway, Talk};
use serde_json::{Value, json};

use super::{ROWS, TOML, open, visit};

/// A user with a sign-in at chatroom and two at channel: the cookie and the clients.
fn signed_in(gateway: &Gateway) -> (String, [Channel; 2]) {
    let mut chatroom = Chatroom::connect(gateway.address("chatroom", "listen"));
    chatroom.register("5550001", "bob", "tea for two");
    let cookie = chatroom.sign_in("5550001", "tea for two");
    let channels = [(); 2].map(|()| {
        let mut channel = Channel::connect(gateway.address("channel", "listen"));
        channel.login("bob", "tea for two");
        channel
    });
    (cookie, channels)
}

fn listed(gateway: &Gateway) -> Vec<Value> {
    let (said, why, code) = gateway.dragoman(&["user", "sign-ins", "bob", "--json"]);
    assert_eq!(code, 0, "{why}");
    said.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

/// The ids of those that a front end has issued.
fn ids(listed: &[Value], frontend: &str) -> Vec<String> {
    let of = |one: &&Value| one["frontend"] == frontend;
    let id = |one: &Value| one["id"].as_str().expect("an id").to_owned();
    listed.iter().filter(of).map(id).collect()
}

/// What a client's request is answered.
fn code(channel: &mut Channel) -> Value {
    channel.call("/channel/receive", &json!({"name": "tea", "after": 0}))["code"].clone()
}

#[test]
fn one_sign_in_is_revoked_with_its_sessions_and_the_others_go_on() {
    let gateway = Gateway::start(TOML);
    let (cookie, mut channels) = signed_in(&gateway);
    let websocket = gateway.address("chatroom", "websocket_listen");
    let talk = |cookie: &str| {
        let headers = [("Cookie", cookie)];
        let websocket = gateway_tests::websocket::WebSocket::connect_with(websocket, "/", &headers);
        let mut talk = Talk { websocket };
        talk.join("tea", "bob");
        talk
    };
    let mut talk = talk(&cookie);
    let before = listed(&gateway);
    let [of_chatroom, of_channel] = ["chatroom", "channel"].map(|name| ids(&before, name));
    assert_eq!((of_chatroom.len(), of_channel.len()), (1, 2), "{before:?}");
    for one in &before {
        assert!(one["created"].is_string() || one["kind"] == "address", "{one}");
        for secret in channels
            .iter()
            .filter_map(|it| it.token.as_deref())
            .chain(cookie.split_once('=').map(|(_, value)| value))
        {
            assert!(!one.to_string().contains(secret), "{one}");
        }
    }
    let revoke = |id: &str| gateway.dragoman(&["user", "revoke", "bob", "--sign-in", id]);
    let (said, why, status) = revoke(&of_channel[0]);
    assert_eq!((&*said, status), (&*format!("revoked {}\n", of_channel[0]), 0), "{why}");
    let codes: Vec<Value> = channels.iter_mut().map(code).collect();
    assert_eq!(codes.iter().filter(|code| **code == 0).count(), 1, "{codes:?}");
    talk.say("tea", "bob", "still here");
    let (_, why, status) = revoke(&of_channel[0]);
    assert_eq!(status, 1);
    assert!(why.contains("has no sign-in"), "{why}");
    assert_eq!(revoke(&of_chatroom[0]).2, 0);
    while talk.try_receive().is_ok() {}
    assert_eq!(ids(&listed(&gateway), "channel"), of_channel[1..]);
}

#[test]
fn a_sign_in_is_revoked_in_the_console() {
    let Some(browser) = Browser::start() else { return };
    let gateway = Gateway::start(TOML);
    let (_, mut channels) = signed_in(&gateway);
    let page = open(&browser, &gateway, "overview");
    visit(&page, "users/bob?tab=sign-ins", ROWS);
    let before = listed(&gateway);
    for id in ids(&before, "channel") {
        page.until_shown("main tbody", &id);
        page.click(&format!("button[aria-label*='{id}']"));
        page.until_shown("dialog h2", &id);
        page.click("dialog button.danger");
        page.until(&format!("!document.querySelector(\"button[aria-label*='{id}']\")"));
    }
    assert!(channels.iter_mut().all(|channel| code(channel) != 0));
    assert_eq!(ids(&listed(&gateway), "chatroom"), ids(&before, "chatroom"));
    assert_eq!(page.complaints(), [""; 0]);
}
