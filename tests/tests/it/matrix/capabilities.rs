//! `dragoman dialects` says what each dialect can do. What it says to be there is there, and what
//! it says to be absent is not.

use std::collections::{BTreeMap, BTreeSet};
use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};

use gateway_tests::dialect::{News, Presence, ROWS, Row, tel_of};
use gateway_tests::token::{LOGIN, json as info, string};
use gateway_tests::{Channel, Http, Irc, WebSocket, program};
use serde_json::{Value, json};

use super::site::{Character, Doorkeeper, Site, row_of};

/// Whether a dialect has a capability, found out by trying.
type Probe = fn(&Site, &'static Row) -> bool;

/// A probe for each row of the program's table.
const PROBES: [(&str, Probe); 8] = [
    ("post", posts),
    ("receive by push", is_pushed_messages),
    ("receive by polling", polls_messages),
    ("direct messages", has_direct_messages),
    ("presence", has_presence),
    ("history", has_history),
    ("search", searches),
    ("credentials", asks_for_credentials),
];

#[test]
fn the_table_of_capabilities_does_not_lie() {
    let table = table();
    let mut dialects: Vec<&str> = ROWS.iter().map(|row| row.dialect.name).collect();
    dialects.dedup();
    let site = Site::open();
    for (capability, probe) in PROBES {
        let said = &table[capability];
        let known: Vec<&str> = said.keys().map(String::as_str).collect();
        let in_rows: BTreeSet<&str> = dialects.iter().copied().collect();
        assert!(known.iter().eq(&in_rows), "of {known:?}, dialect.rs has rows for {in_rows:?}");
        for dialect in &dialects {
            let said = said[*dialect].as_str();
            assert!(["exact", "emulated", "-"].contains(&said), "{capability}: {said}");
            assert_eq!(probe(&site, row_of(dialect)), said != "-", "{dialect}, {capability}");
        }
    }
    assert_eq!(table.len(), PROBES.len(), "every row has a probe: {table:?}");
}

/// What the program says: capability, then dialect, then `exact`, `emulated` or `-`.
fn table() -> BTreeMap<String, BTreeMap<String, String>> {
    let output = Command::new(program::path())
        .arg("dialects")
        .current_dir(program::workspace())
        .output()
        .expect("the program was built");
    let output = String::from_utf8(output.stdout).expect("it is UTF-8");
    let blocks: Vec<&str> = output.split("\n\n").collect();
    let [_, table, _] = blocks[..] else { panic!("{output}") };
    let mut lines = table.lines();
    let dialects: Vec<&str> = lines.next().expect("a head").split_whitespace().collect();
    let row = |line: &str| {
        let (capability, cells) = line.split_once("  ").expect("columns are apart");
        let cells = cells.split_whitespace().map(str::to_owned);
        let cells = dialects.iter().map(|dialect| (*dialect).to_owned()).zip(cells);
        (capability.to_owned(), cells.collect())
    };
    lines.map(row).collect()
}

/// A new name.
fn new_name(row: &Row) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{}-{}", row.dialect.name, NEXT.fetch_add(1, Ordering::Relaxed))
}

/// A user in TEST.
fn new_user(site: &Site, row: &'static Row) -> Character {
    let name = new_name(row);
    Doorkeeper::at(site, &site.test(), &name).admit(site, row, &name)
}

fn channel_client(site: &Site) -> Channel {
    Channel::enroll(site.gateway.address("channel", "listen"), &new_name(row_of("channel")))
}

fn posts(site: &Site, row: &'static Row) -> bool {
    let room = site.test();
    let mut one = new_user(site, row);
    let mut other = new_user(site, row_of("token"));
    one.client.post(&room, "posted");
    other.client.receive(&room).text == "posted"
}

/// The dialects without pushes are those that only serve HTTP requests.
fn is_pushed_messages(site: &Site, row: &'static Row) -> bool {
    match row.dialect.name {
        "usr_room" | "channel" => {
            let address = site.gateway.address(row.dialect.name, "listen");
            WebSocket::try_connect(address, "/", &[]).is_ok()
        }
        _ => {
            let room = site.test();
            let mut one = new_user(site, row);
            let mut other = new_user(site, row_of("channel"));
            other.client.post(&room, "pushed");
            // Earlier messages may come first.
            while one.client.receive(&room).text != "pushed" {}
            true
        }
    }
}

fn polls_messages(site: &Site, row: &'static Row) -> bool {
    match row.dialect.name {
        "usr_room" | "channel" => {
            let room = site.test();
            let mut one = new_user(site, row);
            one.client.post(&room, "polled");
            // Whatever was said before may come first.
            while one.client.receive(&room).text != "polled" {}
            true
        }
        "chatroom" => has_path(site, "/room/get_message") || has_path(site, "/channel/receive"),
        "token" | "ourchat" => has_more_commands(site, row),
        "irc" => knows_verb(site, &["RECEIVE", "POLL"]),
        other => panic!("{other} is new: how does it poll?"),
    }
}

/// Whether chatroom's HTTP has this path.
fn has_path(site: &Site, path: &str) -> bool {
    let mut http = Http::connect(site.gateway.address("chatroom", "listen"));
    http.get(path).status != 404
}

/// Whether irc knows one of these commands.
fn knows_verb(site: &Site, verbs: &[&str]) -> bool {
    let mut irc = Irc::sign_on(site.gateway.address("irc", "listen"), "asker", None);
    verbs.iter().any(|verb| {
        irc.send(&format!("{verb} #TEST"));
        !irc.receive_until(&format!(" {verb} ")).contains(" 421 ")
    })
}

/// Whether a dialect of numbered commands knows others than those that are accounted for: making
/// and using accounts, rooms and messages, and asking whether all is well.
fn has_more_commands(site: &Site, row: &'static Row) -> bool {
    const E_COMMAND: u16 = 10;
    let mut token = site.token();
    let mut ourchat = site.ourchat();
    let mut is_known = |number: u16| match row.dialect.name {
        "token" => token.call(number, b"").result != Some(E_COMMAND),
        _ => {
            let reply = ourchat.call(&json!({ "code": number }));
            let details = reply["details"].as_str().unwrap_or_default();
            let unknown = ["unknown code", "not made yet", "only sent by the server"];
            !unknown.iter().any(|why| details.contains(why))
        }
    };
    let accounted_for: &[u16] = match row.dialect.name {
        // 11 to 13 are for a client that comes back: catching up, posting and making rooms once.
        "token" => &[1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13],
        // 17 acknowledges what was pushed.
        _ => &[0, 4, 6, 8, 10, 12, 14, 17],
    };
    assert!(accounted_for.iter().all(|number| is_known(*number)));
    (0..100).filter(|number| !accounted_for.contains(number)).any(is_known)
}

fn has_direct_messages(site: &Site, row: &'static Row) -> bool {
    let room = site.test();
    let mut one = new_user(site, row);
    let mut other = new_user(site, row_of("channel"));
    let other_user = other.user.clone();
    let sender = other.client.direct().expect("channel has them");
    assert_eq!(sender.send(&one.user, "between us"), row.has_account(), "{}", row.title);
    if let Some(direct) = one.client.direct() {
        assert_eq!(direct.receive().text, "between us");
        assert!(direct.send(&other_user, "and back"));
        return other.client.direct().expect("channel has them").receive().text == "and back";
    }
    // Nothing of it comes before the next message of the room.
    one.client.post(&room, "for all");
    let mut texts = std::iter::repeat_with(|| one.client.receive(&room).text);
    texts.find(|text| ["between us", "for all"].contains(&text.as_str())) != Some("for all".into())
}

/// Told of comings, or told when asked.
fn has_presence(site: &Site, row: &'static Row) -> bool {
    let mut one = new_user(site, row);
    match row.dialect.name {
        "token" | "chatroom" | "irc" => {
            let comer = new_user(site, row_of("token"));
            let shown = (row.dialect.user)(&comer.user);
            one.client.presence().is_some_and(|presence| tells_of(presence, &shown))
        }
        "ourchat" => {
            let mut asker = site.ourchat();
            asker.enroll(&new_name(row));
            let offline = new_user(site, row_of("usr_room"));
            let mut is_online = |uid: u64| {
                let ask = json!({"code": 10, "ocid": uid, "request_values": ["status"]});
                asker.call(&ask)["data"]["status"] == 1
            };
            is_online(one.user.uid) && !is_online(offline.user.uid)
        }
        // Members are listed, whether they are there or not; others are not.
        "usr_room" | "channel" => lists_visitors(site),
        other => panic!("{other} is new: does it have presence?"),
    }
}

fn tells_of(presence: &mut dyn Presence, comer: &Value) -> bool {
    loop {
        if let News::Came { user, .. } = presence.next()
            && user == *comer
        {
            return true;
        }
    }
}

/// Whether a list of usr_room or channel contains a user that is not a member.
fn lists_visitors(site: &Site) -> bool {
    let visitor = "a visitor";
    let mut talk = site.talk();
    talk.join("TEST", visitor);
    let listed = site.usr_room().done("/search", &json!({"key": "TEST"}));
    let members = channel_client(site).done("/channel/list_users", &json!({"name": "TEST"}));
    listed.to_string().contains(visitor) || members.to_string().contains(visitor)
}

/// Whether a client that enters later receives earlier messages.
fn has_history(site: &Site, row: &'static Row) -> bool {
    let room = site.test();
    let mut speaker = new_user(site, row_of("token"));
    if row.dialect.name == "ourchat" {
        let name = new_name(row);
        site.ourchat().enroll(&name);
        speaker.client.post(&room, "said before");
        let mut ourchat = site.ourchat();
        ourchat.login(&format!("{name}@example.org"), "pw");
        return std::iter::repeat_with(|| ourchat.receive())
            .any(|told| told["msg"] == "said before");
    }
    speaker.client.post(&room, "said before");
    let mut late = new_user(site, row);
    speaker.client.post(&room, "said after");
    late.client.receive(&room).text != "said after"
}

fn searches(site: &Site, row: &'static Row) -> bool {
    match row.dialect.name {
        "usr_room" => {
            let found = site.usr_room().done("/search", &json!({"key": "tes"}));
            found["rooms"][0]["name"] == "TEST"
        }
        "chatroom" => has_path(site, "/search") || has_path(site, "/chatroom/search"),
        "channel" => {
            let mut channel = channel_client(site);
            let body = json!({"key": "TEST", "name": "TES"});
            let mut has = |path: &str| {
                let response = channel.try_call(path, &body, &[]).expect("it answers");
                response.status != 404
            };
            has("/search") || has("/channel/search") || has("/channel/list")
        }
        "token" | "ourchat" => has_more_commands(site, row),
        "irc" => knows_verb(site, &["SEARCH", "FIND"]),
        other => panic!("{other} is new: does it search?"),
    }
}

/// Whether signing in as a user needs more than its public names.
fn asks_for_credentials(site: &Site, row: &'static Row) -> bool {
    let one = new_user(site, row);
    let name = one.user.handle.as_str();
    match row.dialect.name {
        "token" => {
            let no_create = 0_i32.to_be_bytes().to_vec();
            let body = [string(&format!("o-{name}")), string("game"), no_create, info("")].concat();
            site.token().done(LOGIN, &body).u64() != one.user.uid
        }
        "usr_room" => {
            let room_id = site.test().id;
            let said =
                json!({"openid": one.user.openid, "room_id": room_id, "message": "it is me"});
            site.usr_room().call("/room/send_message", &said)["response_code"] != 1
        }
        "chatroom" => {
            let fields = [("user_tel", &*tel_of(name)), ("user_password", "a guess")];
            site.chatroom().res("/auth/login", &fields) == "password wrong"
        }
        "ourchat" => {
            let account = one.user.uid;
            let guess =
                json!({"login_type": 1, "account": account, "password": "a guess", "code": 6});
            site.ourchat().call(&guess)["state"] == 1
        }
        "irc" => {
            let mut irc = Irc::connect(site.gateway.address("irc", "listen"));
            irc.send(&format!("PASS :a guess\r\nNICK {name}\r\nUSER x 0 * :x"));
            irc.receive_until(" 464 ");
            true
        }
        "channel" => {
            let guess = json!({"name": name, "password": "a guess"});
            site.channel().call("/login", &guess)["code"] == 3
        }
        other => panic!("{other} is new: does it ask for credentials?"),
    }
}
