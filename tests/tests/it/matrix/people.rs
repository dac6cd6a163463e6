//! One person has one account, whichever dialects it is used in.

use gateway_tests::dialect::{Room, tel_of};
use gateway_tests::{Chatroom, WebSocket};
use serde_json::json;

use super::site::{Character, Site, number, row_of};

const PASSWORD: &str = "one for all";

/// Registers in one dialect, under a handle.
type Register = fn(&Site, &str);

/// Dialects that make accounts with a password, and what such an account has at first.
const REGISTERED_IN: [(&str, Register, &str); 3] = [
    ("chatroom", in_chatroom, "tel/"),
    ("ourchat", in_ourchat, "email/"),
    ("channel", in_channel, ""),
];

fn in_chatroom(site: &Site, name: &str) {
    site.chatroom().register(&tel_of(name), name, PASSWORD);
}

fn in_ourchat(site: &Site, name: &str) {
    let email = format!("{name}@example.org");
    let register = json!({"code": 4, "email": email, "password": PASSWORD, "name": name});
    assert_eq!(site.ourchat().call(&register)["state"], 0);
}

fn in_channel(site: &Site, name: &str) {
    site.channel().register(name, PASSWORD);
}

fn login_of_chatroom(http: &mut Chatroom, name: &str, password: &str) -> String {
    let fields = [("user_tel", tel_of(name)), ("user_password", password.into())];
    let fields = fields.each_ref().map(|(key, value)| (*key, value.as_str()));
    http.res("/auth/login", &fields)
}

fn state_of_ourchat(site: &Site, login_type: u8, account: &str, password: &str) -> u64 {
    let login = json!({
        "code": 6, "login_type": login_type, "account": account, "password": password,
    });
    site.ourchat().call(&login)["state"].as_u64().expect("it is a number")
}

#[test]
fn an_account_signs_in_to_exactly_the_dialects_whose_identity_it_has() {
    let site = Site::open();
    for (dialect, register, realm) in REGISTERED_IN {
        let name = format!("of-{dialect}");
        register(&site, &name);
        let uid = site.uid(&name).to_string();
        let email = format!("{name}@example.org");
        let identities = site.operate(&["show", &name])["identities"].clone();
        let has = |realm: &str| identities.to_string().contains(realm);
        assert!(has(realm), "{dialect}: {identities}");
        let mut chatroom = site.chatroom();

        // By handle and by ocid: every account has both.
        site.channel().login(&name, PASSWORD);
        assert_eq!(state_of_ourchat(&site, 1, &uid, PASSWORD), 0, "{dialect}");
        // By email and tel: where there is one.
        let by_email = if has("email/") { 0 } else { 1 };
        assert_eq!(state_of_ourchat(&site, 0, &email, PASSWORD), by_email, "{dialect}");
        let by_tel = if has("tel/") { "login successfully" } else { "user not exist" };
        assert_eq!(login_of_chatroom(&mut chatroom, &name, PASSWORD), by_tel, "{dialect}");

        // Nowhere with another's password, nor without.
        let wrong = json!({"name": name, "password": "another"});
        assert_eq!(site.channel().call("/login", &wrong)["code"], 3, "{dialect}");
        assert_eq!(state_of_ourchat(&site, 1, &uid, "another"), 1, "{dialect}");
        assert_eq!(state_of_ourchat(&site, 0, &email, "another"), 1, "{dialect}");
        let wrong = login_of_chatroom(&mut chatroom, &name, "another");
        assert_eq!(wrong, if has("tel/") { "password wrong" } else { "user not exist" });

        // An operator says what else is its.
        for realm in ["tel/", "email/"] {
            if !has(realm) {
                let subject = if realm == "tel/" { tel_of(&name) } else { email.clone() };
                site.operate(&["link", &name, &format!("{realm}{subject}")]);
            }
        }
        assert_eq!(state_of_ourchat(&site, 0, &email, PASSWORD), 0, "{dialect}");
        let by_tel = login_of_chatroom(&mut chatroom, &name, PASSWORD);
        assert_eq!(by_tel, "login successfully", "{dialect}");
        assert_eq!(state_of_ourchat(&site, 0, &email, "another"), 1, "{dialect}");
    }
}

#[test]
fn an_account_without_a_password_signs_in_nowhere_by_one() {
    let site = Site::open();
    let uid = site.token().login("o-tom");
    site.operate(&["link", "o-tom", "tel/155"]);
    site.operate(&["link", "o-tom", "email/tom@example.org"]);
    for password in ["", " ", "o-tom"] {
        let login = json!({"name": "o-tom", "password": password});
        let code = if password.is_empty() { 1 } else { 3 };
        assert_eq!(site.channel().call("/login", &login)["code"], code);
        assert_eq!(state_of_ourchat(&site, 1, &uid.to_string(), password), 1);
        assert_eq!(state_of_ourchat(&site, 0, "tom@example.org", password), 1);
        let fields = [("user_tel", "155"), ("user_password", password)];
        let res = site.chatroom().res("/auth/login", &fields);
        let expected = if password.is_empty() { "missing parameters" } else { "password wrong" };
        assert_eq!(res, expected);
    }
}

#[test]
fn a_user_of_all_dialects_at_once_is_one_member_with_one_name_and_uid() {
    let site = Site::open();
    in_channel(&site, "ann");
    let uid = site.uid("ann");
    for identity in ["tel/155", "email/ann@example.org", "openid:wechat/o-ann"] {
        site.operate(&["link", "ann", identity]);
    }
    let room = site.test();

    // Who listens.
    let mut eve = (row_of("token").enroll)(&site.gateway, "eve");
    eve.enter(&room);
    let mut eva = (row_of("chatroom").enroll)(&site.gateway, "eva");
    eva.enter(&room);

    let mut ourchat = site.ourchat();
    ourchat.login("ann@example.org", PASSWORD);
    let mut token = site.token();
    assert_eq!(token.login("o-ann"), uid);
    token.enter(room.id);
    let cookie = site.chatroom().sign_in("155", PASSWORD);
    let address = site.gateway.address("chatroom", "websocket_listen");
    let websocket = WebSocket::connect_with(address, "/", &[("cookie", &cookie)]);
    let mut talk = gateway_tests::Talk { websocket };
    talk.join("TEST", "ann");
    let mut channel = site.channel();
    channel.login("ann", PASSWORD);
    let mut app = site.usr_room();

    channel.send("TEST", "1");
    let own = json!({"openid": "o-ann", "room_id": room.id});
    app.done("/usr/join", &own);
    app.done("/room/send_message", &json!({"openid": "o-ann", "room_id": room.id, "message": "2"}));
    let sender = json!({"ocid": uid, "group_id": room.id});
    ourchat.send(&json!({"code": 0, "sender": sender, "msg": "3"}));
    while ourchat.receive()["msg"] != "3" {}
    token.post(room.id, "4");
    talk.say("TEST", "ann", "5");

    for nth in 1..=5 {
        let heard = eve.receive(&room);
        let seen = eva.receive(&room);
        assert_eq!((heard.text, heard.sender), (nth.to_string(), json!(uid)));
        assert_eq!((seen.text, seen.sender), (nth.to_string(), json!("ann")));
    }
    let members = channel.done("/channel/list_users", &json!({"name": "TEST"}));
    assert_eq!(members["users"], json!([{"name": "ann"}]));
    // The two listeners, one membership, two live entrances.
    let rooms = site.chatroom().get("/chatroom/list", &[]);
    assert_eq!(rooms["rooms"], json!([{"name": "TEST", "population": 5}]));

    // What was received by polling is received, whichever way it was sent.
    let received = channel.done("/channel/receive", &json!({"name": "TEST"}));
    let texts: Vec<_> = received["messages"].as_array().expect("a list").iter().collect();
    assert!(texts.iter().all(|message| message["name"] == "ann") && texts.len() == 5, "{received}");
}

#[test]
fn presence_in_any_dialect_is_being_online_in_ourchat() {
    let site = Site::open();
    let room = site.test();
    let mut asker = site.ourchat();
    asker.enroll("olga");
    let mut online = |uid: u64| -> u64 {
        let ask = json!({"code": 10, "ocid": uid, "request_values": ["status"]});
        loop {
            let told = asker.call(&ask);
            if told["code"] == 11 {
                return told["data"]["status"].as_u64().expect("it is a number");
            }
        }
    };

    let mut cast = site.cast("");
    for one in &cast {
        // HTTP requests alone do not count.
        let polls = ["usr_room", "channel"].contains(&one.dialect().name);
        if one.row.has_account() {
            assert_eq!(online(one.user.uid), u64::from(!polls), "{}", one.row.title);
        }
    }
    // A user is offline once its leave is announced.
    let mut watcher = (row_of("token").enroll)(&site.gateway, "watcher");
    watcher.enter(&room);
    let presence = watcher.presence().expect("token has it");
    drop((presence.next(), presence.next()));
    // The others stay, so that their leaves are not taken for these.
    let leaves = |one: &Character| !one.dialect().durable && one.row.has_account();
    let (leaving, _staying): (Vec<_>, Vec<_>) = cast.drain(..).partition(leaves);
    for one in leaving {
        let uid = one.user.uid;
        drop(one.client);
        drop((presence.next(), presence.next()));
        assert_eq!(online(uid), 0, "{}", one.row.title);
    }
}

#[test]
fn a_group_that_a_person_founds_in_ourchat_is_its_own_in_every_dialect() {
    let site = Site::open();
    in_ourchat(&site, "olga");
    site.operate(&["link", "olga", "openid:wechat/o-olga"]);
    let partner = site.ourchat().enroll("pat");
    let mut ourchat = site.ourchat();
    ourchat.login("olga@example.org", PASSWORD);
    let made = ourchat.call(&json!({"code": 8, "members": [partner], "name": "tea"}));
    let room = Room { id: number(&made["group_id"]), name: "tea".into() };

    let mut app = site.usr_room();
    let owned = app.done("/usr/roomlist1", &json!({"openid": "o-olga"}));
    let owned = &owned["rooms"][0];
    assert_eq!((&owned["room_id"], &owned["name"]), (&json!(room.id), &json!("tea")));
    assert_eq!(owned["room_owner_id"], "o-olga");
    assert_eq!(owned["users_id"], json!(["o-olga", "@pat"]));
    // Its owner may delete it there.
    app.done("/room/delete", &json!({"openid": "o-olga", "room_id": room.id}));
    let sender = json!({"ocid": site.uid("olga"), "group_id": room.id});
    let said = ourchat.call(&json!({"code": 0, "sender": sender, "msg": "anybody?"}));
    assert_eq!((&said["code"], &said["details"]), (&json!(18), &json!("no such group")));
}
