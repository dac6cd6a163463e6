//! No client acts as another user: one test for each way of trying.

use std::net::{IpAddr, Ipv4Addr};

use gateway_tests::dialect::ROWS;
use gateway_tests::token::{CREATE_ROOM, Fields, Frame};
use gateway_tests::{Channel, Chatroom, Http, Talk, WebSocket, connect_from};
use serde_json::{Value, json};

use super::site::{Character, Site, now_ms};

/// Another address of this machine than the one from which people sign in.
const ELSEWHERE: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

const E_TOKEN_INVALID: u16 = 4;

fn talk_from_elsewhere(site: &Site) -> Talk {
    let address = site.gateway.address("chatroom", "websocket_listen");
    Talk { websocket: WebSocket::over(connect_from(ELSEWHERE, address), address) }
}

fn chatroom_from_elsewhere(site: &Site) -> Chatroom {
    let address = site.gateway.address("chatroom", "listen");
    Chatroom { http: Http::over(connect_from(ELSEWHERE, address), address) }
}

fn talk_with(site: &Site, cookie: &str) -> Talk {
    let address = site.gateway.address("chatroom", "websocket_listen");
    Talk { websocket: WebSocket::connect_with(address, "/", &[("cookie", cookie)]) }
}

/// What the gateway says to a packet: the `msg` of an error, else the type.
fn said_to(talk: &mut Talk, kind: &str, room: &str, name: &str) -> String {
    talk.send(kind, room, name, "it is me");
    let reply = talk.receive();
    let key = if reply["type"] == "error" { &reply["data"]["msg"] } else { &reply["type"] };
    key.as_str().expect("it is a string").to_owned()
}

fn seat(http: &mut Chatroom, name: &str, status: &str) -> String {
    let fields = [("room_name", "TEST"), ("user_name", name), ("status", status)];
    http.res("/chatroom/room", &fields)
}

/// All that have accounts.
fn owners_of_handles(cast: Vec<Character>) -> Vec<Character> {
    cast.into_iter().filter(|one| one.row.has_account()).collect()
}

/// The attempt reached no client: the next message in the room is the next post.
#[track_caller]
fn assert_no_client_received(site: &Site, cast: &mut [Character]) {
    let room = site.test();
    let text = "was there anything?";
    cast[0].client.post(&room, text);
    for one in cast {
        assert_eq!(one.client.receive(&room).text, text, "{}", one.row.title);
    }
}

#[test]
fn a_guest_named_like_a_user_of_any_dialect_is_not_signed_in() {
    let site = Site::open();
    let mut cast = owners_of_handles(site.cast(""));
    let mut near = site.talk();
    let (mut far, mut http) = (talk_from_elsewhere(&site), chatroom_from_elsewhere(&site));
    for one in &cast {
        let name = one.user.handle.as_str();
        let title = one.row.title;
        assert_eq!(said_to(&mut far, "join", "TEST", name), "not signed in", "{title}");
        assert_eq!(said_to(&mut far, "msg", "TEST", name), "user not exist", "{title}");
        assert_eq!(said_to(&mut far, "leave", "TEST", name), "user not exist", "{title}");
        for status in ["1", "0"] {
            assert_eq!(seat(&mut http, name, status), "not signed in", "{title}");
        }
        // At the address of a sign-in, too: it was good for the join of the user that signed in.
        assert_eq!(said_to(&mut near, "join", "TEST", name), "not signed in", "{title}");
    }
    for name in ["@n0", "guest:n0", "n\n0"] {
        assert_eq!(said_to(&mut far, "join", "TEST", name), "illegal data");
        assert_eq!(seat(&mut http, name, "1"), "invalid user_name");
    }
    assert_no_client_received(&site, &mut cast);
}

#[test]
fn a_name_in_another_spelling_is_still_the_name() {
    let site = Site::open();
    site.channel().register("\u{e9}ric", "secret");
    let mut talk = site.talk();
    assert_eq!(said_to(&mut talk, "join", "TEST", "e\u{301}ric"), "not signed in");
    assert_eq!(seat(&mut site.chatroom(), "e\u{301}ric", "1"), "not signed in");
    // A guest whose name differs in case or in look-alike letters could be taken for the account.
    assert_eq!(said_to(&mut talk, "join", "TEST", "\u{c9}ric"), "not signed in");
    assert_eq!(said_to(&mut talk, "join", "TEST", "\u{e9}r\u{456}c"), "not signed in");
    assert_eq!(said_to(&mut talk, "join", "TEST", "\u{e9}rica"), "user");
}

#[test]
fn a_guest_loses_its_name_when_any_dialect_registers_it() {
    let site = Site::open();
    let mut http = site.chatroom();
    let fields = [("room_name", "another")];
    assert_eq!(http.res("/chatroom/create", &fields), "chatroom create successfully");
    for (nth, row) in ROWS.iter().enumerate() {
        let name = format!("gus-{nth}");
        let takes_names = row.has_account() && row.dialect.name != "usr_room";
        if !takes_names {
            continue;
        }
        let mut guest = site.talk();
        guest.join("TEST", &name);
        assert_eq!(seat(&mut http, &format!("{name}-http"), "1"), "join chatroom");
        guest.say("TEST", &name, "I am here first");

        let owner = (row.enroll)(&site.gateway, &name);
        let _also = (row.enroll)(&site.gateway, &format!("{name}-http"));
        if row.dialect.name == "ourchat" {
            // Both have joined TEST, which the guest hears.
            drop((guest.receive(), guest.receive()));
        }
        // The owner of a chatroom account has signed in from here; a guest elsewhere has not.
        if row.dialect.name != "chatroom" {
            assert_eq!(said_to(&mut guest, "msg", "TEST", &name), "not signed in", "{}", row.title);
            assert_eq!(said_to(&mut guest, "join", "another", &name), "not signed in");
            let seated = seat(&mut http, &format!("{name}-http"), "0");
            assert_eq!(seated, "not signed in", "{}", row.title);
        }
        // It may still leave.
        guest.send("leave", "TEST", &name, "");
        let left = guest.receive();
        assert_eq!((&left["type"], &left["data"]["msg"]), (&json!("user"), &json!("leave")));
        drop(owner);
    }
}

#[test]
fn a_guest_loses_its_name_elsewhere_when_chatroom_registers_it() {
    let site = Site::open();
    let mut guest = talk_from_elsewhere(&site);
    guest.join("TEST", "gus");
    let cookie = {
        let mut http = site.chatroom();
        http.register("100", "gus", "secret");
        http.sign_in("100", "secret")
    };
    assert_eq!(said_to(&mut guest, "msg", "TEST", "gus"), "not signed in");
    let mut owner = talk_with(&site, &cookie);
    owner.join("TEST", "gus");
    owner.say("TEST", "gus", "it is me");
    assert_eq!(guest.receive()["data"]["msg"], "join");
    assert_eq!(guest.receive()["data"]["msg"], "it is me");
}

#[test]
fn where_guests_are_off_a_name_without_an_account_is_not_signed_in() {
    let site = Site::with("chatroom", "guests = false");
    assert_eq!(said_to(&mut site.talk(), "join", "TEST", "gus"), "not signed in");
    assert_eq!(seat(&mut site.chatroom(), "gus", "1"), "not signed in");
}

#[test]
fn usr_room_does_not_take_a_handle_for_an_openid_of_the_caller() {
    for flavor in ["document", "miniprogram"] {
        let site = Site::with("usr_room", &format!("flavor = \"{flavor}\""));
        let mut app = site.usr_room();
        app.done("/usr/complete", &json!({"openid": "o-una"}));
        let made = app.done("/room/add", &json!({"name": "una's", "room_owner_id": "o-una"}));
        let room_id = &made["room_id"];
        let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "carl");
        channel.send("una's", "I am a member");
        let before = channel.done("/channel/receive", &json!({"name": "una's"}));

        for user in ["@carl", "@guest:carl", "@user-10000"] {
            for (path, body) in [
                ("/usr/complete", json!({"openid": user, "sex": "1"})),
                ("/usr/roomlist1", json!({"openid": user})),
                ("/usr/roomlist2", json!({"openid": user})),
                ("/usr/join", json!({"openid": user, "room_id": room_id})),
                ("/room/add", json!({"name": "carl's", "room_owner_id": user})),
                ("/room/delete", json!({"openid": user, "room_id": room_id})),
                (
                    "/room/send_message",
                    json!({"openid": user, "room_id": room_id, "message": "I am carl"}),
                ),
                ("/room/get_message", json!({"openid": user, "room_id": room_id})),
                ("/recommend", json!({"openid": user})),
                ("/room/clear_message", json!({"openid": user, "room_id": room_id})),
            ] {
                let response = app.http.post_json(path, &body);
                let only_mini = ["/recommend", "/room/clear_message"].contains(&path);
                if only_mini && flavor == "document" {
                    assert_eq!(response.status, 404, "{path}");
                    continue;
                }
                // An unknown user has no rooms, for the mini-program.
                let listed = path.starts_with("/usr/roomlist") && flavor == "miniprogram";
                let expected = if listed { json!({"response_code": 1}) } else { json!(0) };
                let reply = response.json();
                let reply = if listed { reply } else { reply["response_code"].clone() };
                assert_eq!(reply, expected, "{flavor} {path} as {user}: {response}");
            }
        }
        let after = channel.done("/channel/receive", &json!({"name": "una's"}));
        assert_eq!((&after["messages"], &after["cursor"]), (&json!([]), &before["cursor"]));
    }
}

#[test]
fn a_user_of_ourchat_posts_only_as_itself() {
    let site = Site::open();
    let room = site.test();
    let mut cast = owners_of_handles(site.cast(""));
    let mut mallory = site.ourchat();
    let own = mallory.enroll("mallory");
    for one in &cast {
        let victim = one.user.uid;
        for ocid in [json!(victim), json!(victim.to_string()), json!(0), json!(-1), json!(null)] {
            for to in [json!({"group_id": room.id}), json!({"private_id": cast[0].user.uid})] {
                let mut sender = to;
                sender["ocid"] = ocid.clone();
                let said = mallory.call(&json!({"code": 0, "sender": sender, "msg": "it is me"}));
                assert_eq!(said["code"], 18, "{sender}: {said}");
            }
        }
    }
    // Nor before a login, as any user.
    let sender = json!({"ocid": own, "group_id": room.id});
    let said = site.ourchat().call(&json!({"code": 0, "sender": sender, "msg": "it is me"}));
    assert_eq!((&said["code"], &said["details"]), (&json!(18), &json!("not logged in")));
    // A login that fails leaves the former one.
    let login = json!({"code": 6, "login_type": 1, "account": cast[0].user.uid, "password": "pw?"});
    assert_eq!(mallory.call(&login)["state"], 1);
    mallory.send(&json!({"code": 0, "sender": sender, "msg": "it is mallory"}));
    assert_eq!(mallory.receive()["sender"]["ocid"], own);
    for one in &mut cast {
        assert_eq!(one.client.receive(&room).text, "it is mallory", "{}", one.row.title);
    }
}

#[test]
fn a_user_of_channel_reads_only_its_own_messages() {
    let site = Site::open();
    let cast = owners_of_handles(site.cast(""));
    let mut friend = Channel::enroll(site.gateway.address("channel", "listen"), "friend");
    let mut mallory = Channel::enroll(site.gateway.address("channel", "listen"), "mallory");
    for one in &cast {
        friend.done("/send", &json!({"name": one.user.handle, "msg": "between us"}));
        let asked = mallory.call("/receive", &json!({"name": one.user.handle, "after": 0}));
        assert_eq!(asked, json!({"code": 8, "msg": "not allowed"}), "{}", one.row.title);
    }
    let own = mallory.done("/receive", &json!({"name": "mallory", "after": 0}));
    assert_eq!(own["messages"], json!({}));
    assert_eq!(mallory.done("/receive", &json!({"after": 0}))["messages"], json!({}));
}

/// Every path of channel that needs a sign-in.
fn codes_of_channel(channel: &mut Channel) -> Vec<Value> {
    let all = json!({"name": "TEST", "message": "it is me", "msg": "it is me"});
    let paths = [
        "/user/info",
        "/send",
        "/receive",
        "/channel/send",
        "/channel/receive",
        "/channel/list_users",
    ];
    paths.map(|path| channel.call(path, &all)["code"].take()).into()
}

#[test]
fn a_channel_token_that_is_guessed_cut_or_another_dialects_is_none() {
    let site = Site::open();
    let mut cast = site.cast("");
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "carl");
    let token = channel.token.take().expect("carl is signed in");
    site.chatroom().register("100", "ann", "secret");
    let cookie = site.chatroom().sign_in("100", "secret");
    let (_, cookie) = cookie.split_once('=').expect("it is a cookie");
    let mut tom = site.token();
    tom.login("o-tom");
    let number = tom.apply().to_string();
    let cut = &token[..token.len() - 1];
    let swapped: String = token.chars().rev().collect();
    let lower = token.to_lowercase();
    let guesses = ["0", "carl", "secret", cookie, &number, cut, &swapped, &lower];

    assert_eq!(codes_of_channel(&mut channel), vec![json!(2); 6], "without any");
    for guess in guesses {
        channel.token = Some(guess.to_owned());
        assert_eq!(codes_of_channel(&mut channel), vec![json!(2); 6], "{guess}");
    }
    channel.token = Some(token);
    assert_eq!(channel.call("/user/info", &json!({"name": "carl"}))["code"], 0);
    assert_no_client_received(&site, &mut cast);
}

/// What making a room with this token gives.
fn make_room(token: &mut gateway_tests::Token, number: u64) -> Frame {
    let body = [7_u16.to_be_bytes().to_vec(), number.to_be_bytes().to_vec(), vec![0; 4]].concat();
    token.call(CREATE_ROOM, &body)
}

#[test]
fn a_number_that_was_not_given_makes_no_room() {
    let site = Site::open();
    let mut tom = site.token();
    tom.login("o-tom");
    let number = tom.apply();
    for guess in [0, 1, 10_000, number.wrapping_add(1), number ^ 1 << 63, u64::MAX] {
        assert_eq!(make_room(&mut tom, guess).result, Some(E_TOKEN_INVALID), "{guess}");
    }
    // A token belongs to the user that requested it, on any connection; it needs no login.
    let made = make_room(&mut site.token(), number);
    assert_eq!(made.result, Some(0));
    let id = Fields::of(&made).u32();
    let found = site.usr_room().done("/search", &json!({ "key": id }));
    assert_eq!(found["rooms"][0]["room_owner_id"], "o-tom");
}

/// Waits until the clock of this machine has gone on by more than the shortest time to live.
fn let_it_expire() {
    let begun = now_ms();
    while now_ms() <= begun + 1 {
        std::hint::spin_loop();
    }
}

#[test]
fn credentials_expire_after_their_time() {
    let mut config = super::site::config();
    for (frontend, key) in
        [("token", "token_ttl"), ("chatroom", "sign_in_ttl"), ("channel", "token_ttl")]
    {
        let section = config["frontends"][frontend].as_table_mut().expect("it is a section");
        section.insert(key.into(), "1ms".into());
    }
    let site = Site::of(&config);
    let mut tom = site.token();
    tom.login("o-tom");
    let number = tom.apply();
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "carl");
    let mut http = site.chatroom();
    http.register("100", "ann", "secret");
    let cookie = http.sign_in("100", "secret");
    let_it_expire();

    assert_eq!(make_room(&mut tom, number).result, Some(E_TOKEN_INVALID));
    assert_eq!(codes_of_channel(&mut channel), vec![json!(2); 6]);
    // Neither the cookie nor the address shows it any more.
    assert_eq!(said_to(&mut talk_with(&site, &cookie), "join", "TEST", "ann"), "not signed in");
    assert_eq!(seat(&mut http, "ann", "1"), "not signed in");
}

#[test]
fn a_cookie_of_chatroom_is_bound_to_its_user_and_cannot_be_forged() {
    let site = Site::with("chatroom", "sign_in_by_address = false");
    let mut http = site.chatroom();
    http.register("100", "ann", "secret");
    http.register("200", "bob", "secret too");
    let ann = http.sign_in("100", "secret");
    let bob = http.sign_in("200", "secret too");
    let (name, value) = ann.split_once('=').expect("it is a cookie");
    let mut channel = Channel::enroll(site.gateway.address("channel", "listen"), "carl");
    let of_channel = channel.token.take().expect("carl is signed in");

    for made_up in [
        bob.clone(),
        format!("{name}=ann"),
        format!("{name}={}", &value[1..]),
        format!("{name}="),
        format!("other={value}"),
    ] {
        assert_eq!(
            said_to(&mut talk_with(&site, &made_up), "join", "TEST", "ann"),
            "not signed in",
            "{made_up}"
        );
    }
    let of_channel = format!("{name}={of_channel}");
    assert_eq!(
        said_to(&mut talk_with(&site, &of_channel), "join", "TEST", "carl"),
        "not signed in"
    );
    for (cookie, user) in [(&ann, "ann"), (&bob, "bob")] {
        assert_eq!(said_to(&mut talk_with(&site, cookie), "join", "TEST", user), "user");
    }
}

#[test]
fn without_sign_in_by_address_a_login_counts_for_its_cookie_alone() {
    let site = Site::with("chatroom", "sign_in_by_address = false");
    let mut http = site.chatroom();
    http.register("100", "ann", "secret");
    let cookie = http.sign_in("100", "secret");
    assert_eq!(said_to(&mut site.talk(), "join", "TEST", "ann"), "not signed in");
    assert_eq!(seat(&mut http, "ann", "1"), "not signed in");

    let target = "/chatroom/room?room_name=TEST&user_name=ann&status=1";
    let response = http.http.request("GET", target, &[("cookie", &cookie)], b"");
    assert_eq!(response.json(), json!({"res": "join chatroom"}));
    let mut talk = talk_with(&site, &cookie);
    assert_eq!(said_to(&mut talk, "join", "TEST", "ann"), "user");
    // A name that a packet brings along is no proof either.
    let user = json!({"user_name": "ann", "user_avatar": "", "cookie": cookie, "user_tel": 100});
    let other = json!({"type": "join", "data": {"user": user, "room_name": "TEST", "msg": ""}});
    let mut stranger = site.talk();
    stranger.websocket.send(&other.to_string());
    assert_eq!(stranger.receive()["data"]["msg"], "not signed in");
}

#[test]
fn a_login_from_an_address_counts_there_and_not_elsewhere() {
    let site = Site::open();
    let mut http = site.chatroom();
    http.register("100", "ann", "secret");
    // Registering does not sign in.
    assert_eq!(said_to(&mut site.talk(), "join", "TEST", "ann"), "not signed in");
    http.login("100", "secret");
    assert_eq!(said_to(&mut site.talk(), "join", "TEST", "ann"), "user");
    // It counts for one join: a proxy that adds no header would make others look like ann's client.
    assert_eq!(said_to(&mut site.talk(), "join", "TEST", "ann"), "not signed in");
    assert_eq!(said_to(&mut talk_from_elsewhere(&site), "join", "TEST", "ann"), "not signed in");
    assert_eq!(seat(&mut chatroom_from_elsewhere(&site), "ann", "1"), "not signed in");
}

/// SHA-256 of `tea for two`, which the client sends in its place.
const DIGEST: &str = "0544470d4cfe6e3aa5df0604566d5fbd0da5678c032a05582ce1b8f6fee1b753";

#[test]
fn a_password_that_ourchat_sends_as_a_digest_opens_the_account_elsewhere_as_it_is_typed() {
    let site = Site::open();
    let register =
        json!({"code": 4, "email": "ann@example.org", "password": DIGEST, "name": "ann"});
    let registered = site.ourchat().call(&register);
    assert_eq!(registered["state"], 0, "{registered}");
    let code = |password: &str| {
        let login = json!({"name": "ann", "password": password});
        site.channel().call("/login", &login)["code"].clone()
    };
    assert_eq!(code("tea for two"), 0);
    assert_eq!(code(DIGEST), 0);
    assert_eq!(code("tea for three"), 3);
    assert_eq!(code(&DIGEST.to_uppercase()), 3);
    site.ourchat().login("ann@example.org", DIGEST);
    // An account that was made with the password itself has no digest.
    site.channel().register("bob", "tea for two");
    let login = json!({"name": "bob", "password": DIGEST});
    assert_eq!(site.channel().call("/login", &login)["code"], 3);
}

#[test]
fn one_users_password_does_not_open_anothers_account() {
    let site = Site::open();
    // Each with the password of its dialect's other accounts.
    let cast = owners_of_handles(site.cast(""));
    let passwords = ["secret", "pw", "tea for two"];
    for one in &cast {
        let own = match one.dialect().name {
            "chatroom" => Some("secret"),
            "ourchat" => Some("pw"),
            "channel" | "irc" => Some("tea for two"),
            _ => None,
        };
        for password in passwords {
            let opens = own == Some(password);
            let login = json!({"name": one.user.handle, "password": password});
            let code = if opens { 0 } else { 3 };
            assert_eq!(site.channel().call("/login", &login)["code"], code, "{}", one.row.title);
            let login = json!({
                "code": 6, "login_type": 1, "account": one.user.uid, "password": password,
            });
            let state = site.ourchat().call(&login)["state"].clone();
            assert_eq!(state, u8::from(!opens), "{}", one.row.title);
        }
    }
}
