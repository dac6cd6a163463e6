//! What clients of irc get of what they missed in a channel: any number, on two devices, over
//! restarts, and over retention, which leaves a gap of a known size.

use gateway_tests::{Gateway, Irc, Ourchat, Token};
use serde_json::json;

use super::catch_up::{ROOM, post, text, token};
use super::irc_history::leave;

const TOML: &str = "
    [[rooms]]
    name = \"TEST\"
    [store]
    keep_messages_per_room = 60
    [frontends.token]
    messages_per_s = 0
    requests_per_s = 0
    bytes_per_s = 0
    [frontends.ourchat]
    auto_join = [\"TEST\"]
    tcp_listen = \"127.0.0.1:0\"
    [frontends.irc]
    requests_per_s = 0
    backlog = 10000
";

const BOB: (&str, &str) = ("bob", "pw");
const CAPS: &str = "batch server-time message-tags";
const DEVICES: [&str; 2] = ["phone", "desk"];

/// Bob's devices, which have the first message of the room: its id.
fn scene(toml: &str) -> (Gateway, Token, u64) {
    let gateway = Gateway::start(toml);
    let lines = gateway.address("ourchat", "tcp_listen");
    let bob_ocid = Ourchat::lines(lines).enroll("bob");
    let mut cyd = Ourchat::lines(lines);
    let cyd_ocid = cyd.enroll("cyd");
    let mut ann = token(&gateway, "ann");
    ann.enter(ROOM);
    let first = ann.post(ROOM, &text(0));
    // A direct message is asked for at once, and with it what came before.
    let sender = json!({"ocid": cyd_ocid, "private_id": bob_ocid});
    assert_eq!(cyd.call(&json!({"code": 0, "sender": sender, "msg": "psst"}))["code"], 0);
    for device in DEVICES {
        let mut bob = Irc::sign_on_from(gateway.address("irc", "listen"), BOB, device, CAPS);
        let lines = bob.acknowledge();
        assert_eq!(texts(&lines), [text(0)], "{lines:#?}");
        leave(bob);
    }
    (gateway, ann, first)
}

/// The texts of the channel in lines.
fn texts(lines: &[String]) -> Vec<String> {
    let said = |line: &String| Some(line.rsplit_once(" PRIVMSG #TEST :")?.1.to_owned());
    lines.iter().filter_map(said).collect()
}

fn numbers(numbers: std::ops::Range<u64>) -> Vec<String> {
    numbers.map(text).collect()
}

/// What a device gets on signing on, which joins it to the room. It acknowledges nothing.
fn missed(gateway: &Gateway, device: &str) -> Vec<String> {
    Irc::sign_on_from(gateway.address("irc", "listen"), BOB, device, CAPS).drain()
}

/// Everything in the room after a message, page by page.
fn pages(gateway: &Gateway, device: &str, first: u64) -> Vec<String> {
    let caps = format!("{CAPS} draft/chathistory");
    let mut bob = Irc::sign_on_from(gateway.address("irc", "listen"), BOB, device, &caps);
    bob.drain();
    let (mut all, mut after) = (Vec::new(), first.to_string());
    loop {
        bob.send(&format!("CHATHISTORY AFTER #TEST msgid={after} 100"));
        let lines = bob.drain();
        let said: Vec<_> = lines.into_iter().filter(|line| !line.contains(" BATCH ")).collect();
        let Some(last) = said.last() else { return all };
        let id = last.split_once("msgid=").expect("it has an id").1;
        after = id.split([';', ' ']).next().expect("an id").to_owned();
        all.extend(said);
    }
}

#[test]
fn irc_clients_catch_up_with_any_number_on_each_device_over_a_restart() {
    let (mut gateway, mut ann, first) = scene(&TOML.replace("keep_messages_per_room = 60", ""));
    for end in [51, 5_001] {
        let begin = if end == 51 { 1 } else { 51 };
        post(&mut ann, begin..end);
        gateway.restart();
        for device in DEVICES {
            assert_eq!(texts(&missed(&gateway, device)), numbers(1..end), "{device}");
        }
        assert_eq!(texts(&pages(&gateway, "phone", first)), numbers(1..end));
        ann = token(&gateway, "ann");
        ann.enter(ROOM);
    }
}

#[test]
fn irc_clients_learn_how_many_retention_has_removed() {
    let (mut gateway, mut ann, first) = scene(TOML);
    post(&mut ann, 1..110);
    gateway.restart();
    for device in DEVICES {
        let lines = missed(&gateway, device);
        assert_eq!(texts(&lines), numbers(50..110), "{device}");
        let notice = lines.iter().find(|line| line.contains(" NOTICE #TEST :"));
        let notice = notice.unwrap_or_else(|| panic!("{lines:#?}"));
        assert!(notice.contains(":49 messages that you missed are not shown: "), "{notice}");
    }
    let lines = pages(&gateway, "phone", first);
    assert_eq!(texts(&lines), numbers(50..110));
    let part =
        format!(" NOTICE #TEST :49 messages that you missed are not shown: after msgid {first},");
    assert!(lines[0].contains(&part), "{lines:#?}");
    assert!(lines[1..].iter().all(|line| !line.contains(" NOTICE ")), "once");
}
