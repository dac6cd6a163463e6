//! Several front ends of one dialect.

use gateway_tests::{Chatroom, Gateway, Http, Irc, Talk, UsrRoom};
use serde_json::{Value, json};

const TWO_APPS: &str = "[frontends.usr_room]\n\
    [frontends.usr_room_qq]\ndialect = \"usr_room\"\nopenid_type = \"qq\"\nflavor = \"miniprogram\"\n";

fn metrics(gateway: &Gateway) -> String {
    let mut admin = Http::connect(gateway.address("admin", "listen"));
    admin.get("/metrics").text().to_owned()
}

fn document(gateway: &Gateway, frontend: &str, key: &str, name: &str) -> Value {
    let mut http = Http::connect(gateway.address(frontend, key));
    let response = http.get(&format!("/.well-known/dragoman/{frontend}/{name}"));
    assert_eq!(response.status, 200, "{response}");
    response.json()
}

#[test]
fn openids_of_two_apps_are_two_users_in_the_same_rooms() {
    let gateway = Gateway::start(TWO_APPS);
    let mut wechat = UsrRoom::connect(gateway.address("usr_room", "listen"));
    let mut qq = UsrRoom::connect(gateway.address("usr_room_qq", "listen"));
    for app in [&mut wechat, &mut qq] {
        app.done("/usr/complete", &json!({ "openid": "o-1" }));
    }
    let added = wechat.done("/room/add", &json!({ "name": "tea", "room_owner_id": "o-1" }));
    let room = added["room_id"].clone();
    for app in [&mut wechat, &mut qq] {
        app.call("/usr/join", &json!({ "openid": "o-1", "room_id": room }));
    }
    wechat
        .done("/room/send_message", &json!({ "openid": "o-1", "room_id": room, "message": "one" }));
    qq.done("/room/send_message", &json!({ "openid": "o-1", "room_id": room, "message": "two" }));

    let read = json!({ "openid": "o-1", "room_id": room, "after": 0 });
    let document = wechat.done("/room/get_message", &read);
    let texts = |messages: &Value, key: &str| {
        let messages = messages.as_array().expect("a list").iter();
        messages.map(|one| one[key].as_str().expect("a text").to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(texts(&document["messages"], "message"), ["one", "two"]);
    // The other flavor has an array around both parts.
    let miniprogram = qq.call("/room/get_message", &read);
    assert_eq!(miniprogram[0]["response_code"], 1, "{miniprogram}");
    assert_eq!(texts(&miniprogram[1], "content"), ["one", "two"]);

    let (users, _, code) = gateway.dragoman(&["user", "list", "--json"]);
    assert_eq!(code, 0);
    for identity in ["openid:wechat/o-1", "openid:qq/o-1"] {
        assert_eq!(users.lines().filter(|line| line.contains(identity)).count(), 1, "{users}");
    }
}

#[test]
fn each_front_end_has_its_own_name_wherever_it_is_named() {
    let toml = format!("{TWO_APPS}[frontends.irc]\n[frontends.irc_inside]\ndialect = \"irc\"\n");
    let gateway = Gateway::start(&toml);
    let mut ann = Irc::sign_on(gateway.address("irc", "listen"), "ann", None);
    let mut bob = Irc::sign_on(gateway.address("irc_inside", "listen"), "bob", None);
    ann.join("#tea");
    bob.join("#tea");
    ann.send("PRIVMSG #tea :good morning");
    assert!(bob.receive_until("good morning").starts_with(":ann!"));

    let (sessions, ..) = gateway.dragoman(&["session", "list", "--json"]);
    let of = |name: &str| sessions.matches(&format!("\"frontend\":\"{name}\"")).count();
    assert_eq!((of("irc"), of("irc_inside")), (1, 1), "{sessions}");
    let (frontends, ..) = gateway.dragoman(&["frontend", "list", "--json"]);
    assert!(frontends.contains("\"name\":\"irc_inside\",\"dialect\":\"irc\""), "{frontends}");
    let metrics = metrics(&gateway);
    for name in ["irc", "irc_inside"] {
        let line = format!("dragoman_connections{{frontend=\"{name}\"}} 1");
        assert!(metrics.contains(&line), "{line}\n{metrics}");
    }
    // Each describes itself: the other flavor has a schema of its own.
    let plain = document(&gateway, "usr_room", "listen", "schema.json");
    let flavored = document(&gateway, "usr_room_qq", "listen", "schema.json");
    assert_ne!(plain, flavored);
    let other = Http::connect(gateway.address("usr_room", "listen"))
        .get("/.well-known/dragoman/usr_room_qq/schema.json");
    assert_eq!(other.status, 404, "{other}");

    let (_, said, code) = gateway.dragoman(&["frontend", "disable", "irc_inside"]);
    assert_eq!(code, 0, "{said}");
    bob.receive_until("ERROR");
    ann.send("PRIVMSG #tea :still here");
    ann.send("PING x");
    ann.receive_until("PONG");
    let (table, ..) = gateway.dragoman(&["dialects"]);
    assert!(table.contains("irc_inside is irc"), "{table}");
}

#[test]
fn a_reload_can_add_and_remove_one_of_two_front_ends_of_a_dialect() {
    let chatroom = "[[rooms]]\nname = \"tea\"\n[frontends.chatroom]\n";
    let both = format!("{chatroom}[frontends.lounge]\ndialect = \"chatroom\"\n");
    let mut gateway = Gateway::start(chatroom);
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    ann.join("tea", "ann");
    gateway.reload(&both);
    let mut bob = Talk::connect(gateway.wait_for_listener("lounge", "websocket_listen"));
    bob.join("tea", "bob");
    bob.say("tea", "bob", "from the lounge");
    ann.receive_until(|packet| packet["data"]["msg"] == "from the lounge");
    // An account of one signs in at the other.
    let lounge = gateway.wait_for_listener("lounge", "listen");
    Chatroom::connect(lounge).register("5551234", "carl", "cocoa");
    Chatroom::connect(gateway.address("chatroom", "listen")).login("5551234", "cocoa");
    gateway.reload(chatroom);
    bob.websocket.receive_close();
    ann.say("tea", "ann", "alone");
    // The same name can become another dialect, on the same open listener.
    gateway.reload(&both);
    let lounge = gateway.wait_for_listener("lounge", "websocket_listen");
    let bob = Talk::connect(lounge);
    gateway.reload(&format!("{chatroom}[frontends.lounge]\ndialect = \"irc\"\n"));
    bob.websocket.receive_close();
    gateway.log().wait_for_line(&["changed; draining its connections", "dialect", "\"lounge\""]);
    let mut dora = Irc::sign_on(gateway.wait_for_listener("lounge", "listen"), "dora", None);
    dora.join("#tea");
    dora.send("PRIVMSG #tea :as irc");
    ann.receive_until(|packet| packet["data"]["msg"] == "as irc");
}

#[test]
fn documents_name_the_address_that_is_served() {
    let lounge = "[frontends.lounge]\ndialect = \"chatroom\"\n";
    let public = format!("{lounge}public_url = \"https://chat.example.org/lounge/\"\n");
    let chatroom = "[[rooms]]\nname = \"tea\"\n[frontends.chatroom]\n";
    let mut gateway = Gateway::start(&format!("{chatroom}{public}"));
    let openapi = document(&gateway, "chatroom", "listen", "openapi.json");
    let own = format!("http://{}", gateway.address("chatroom", "listen"));
    assert_eq!(openapi["servers"][0]["url"], own);
    let asyncapi = document(&gateway, "chatroom", "listen", "asyncapi.json");
    let own = gateway.address("chatroom", "websocket_listen").to_string();
    assert_eq!(asyncapi["servers"]["websocket_listen"]["host"], own);
    assert_eq!(asyncapi["servers"]["websocket_listen"]["protocol"], "ws");

    let openapi = document(&gateway, "lounge", "listen", "openapi.json");
    assert_eq!(openapi["servers"][0]["url"], "https://chat.example.org/lounge");
    let asyncapi = document(&gateway, "lounge", "listen", "asyncapi.json");
    let server = &asyncapi["servers"]["websocket_listen"];
    assert_eq!(server["host"], "chat.example.org", "{server}");
    assert_eq!((&server["protocol"], &server["pathname"]), (&json!("wss"), &json!("/lounge")));

    // It is a setting for documents only: connections stay.
    let mut ann = Talk::connect(gateway.address("lounge", "websocket_listen"));
    ann.join("tea", "ann");
    gateway.reload(&format!("{chatroom}{}", public.replace("/lounge/", "")));
    ann.say("tea", "ann", "still here");
    let openapi = document(&gateway, "lounge", "listen", "openapi.json");
    assert_eq!(openapi["servers"][0]["url"], "https://chat.example.org");
    let mut admin = Http::connect(gateway.address("admin", "listen"));
    let page: Value = admin.get("/api/lounge/openapi.json").json();
    assert_eq!(page["servers"], openapi["servers"]);
}

#[test]
fn exported_documents_and_packages_name_the_public_address() {
    let toml = "[frontends.channel]\npublic_url = \"https://chat.example.org/channel\"\n";
    let gateway = Gateway::start(toml);
    let (_, said, code) = gateway.dragoman(&["schema", "export", "--dialect", "channel"]);
    assert_eq!(code, 0, "{said}");
    let folder = gateway.launch().folder();
    let exported = std::fs::read_to_string(folder.join("schemas/channel/openapi.json"));
    assert!(exported.expect("exported").contains("\"https://chat.example.org/channel\""));
    let arguments = ["sdk", "--dialect", "channel", "--lang", "python", "--out", "sdk", "--print"];
    let (_, said, code) = gateway.dragoman(&arguments);
    assert_eq!(code, 0, "{said}");
    let example = std::fs::read_to_string(folder.join("sdk/example.py")).expect("written");
    assert!(example.contains("\"https://chat.example.org/channel\""), "{example}");
    assert!(!example.contains("127.0.0.1:5004"), "{example}");
}
