//! IRC over real sockets: a small client, and the clients that people use.

use std::path::Path;

use gateway_tests::irc::{Account, Irssi, Weechat};
use gateway_tests::{Authority, Channel, Gateway, Http, Irc, Launch, Ourchat, Raw, Talk};
use serde_json::{Value, json};

const ALL: &str = "
    [frontends.chatroom]
    [frontends.ourchat]
    tcp_listen = \"127.0.0.1:0\"
    [frontends.channel]
    [frontends.irc]
    listen = \"127.0.0.1:0\"
";

/// These tests are in the program twice, as those of the matrix are.
fn gateway() -> Gateway {
    if module_path!().contains("::loaded::") {
        Launch::loaded(ALL).start()
    } else {
        Launch::of(ALL).start()
    }
}

/// The next message in a chatroom: who said what.
#[track_caller]
fn heard(talk: &mut Talk) -> (String, String) {
    let packet = talk.receive_until(|packet| packet["type"] == "msg");
    let text = |value: &Value| value.as_str().expect("it is a string").to_owned();
    (text(&packet["data"]["user"]["user_name"]), text(&packet["data"]["msg"]))
}

/// The next so many users that join a chatroom, in alphabetical order.
#[track_caller]
fn joined(talk: &mut Talk, count: usize) -> Vec<String> {
    let mut names = Vec::new();
    while names.len() < count {
        let packet = talk.receive_until(|packet| packet["data"]["msg"] == "join");
        names.push(packet["data"]["user"]["user_name"].as_str().expect("a name").to_owned());
    }
    names.sort();
    names
}

fn said(who: &str, what: &str) -> (String, String) {
    (who.into(), what.into())
}

/// Irssi as bob and WeeChat as wendy, if both are installed. Both sign in and join. WeeChat has
/// server-time, so it receives the earlier messages.
fn clients(gateway: &Gateway, carl: &mut Channel) -> Option<(Irssi, Weechat)> {
    clients_over(gateway, carl, None)
}

/// The same, by TLS where they get the certificate of a CA.
fn clients_over(
    gateway: &Gateway,
    carl: &mut Channel,
    authority: Option<&Path>,
) -> Option<(Irssi, Weechat)> {
    let (password, channel) = ("tea: for two", "#tea");
    let account = |handle| Account { handle, password, channel, authority };
    for handle in ["bob", "wendy"] {
        carl.register(handle, "tea: for two");
    }
    let address = gateway.address("irc", "listen");
    Some((Irssi::start(address, account("bob"))?, Weechat::start(address, account("wendy"))?))
}

#[test]
fn irssi_and_weechat_talk_to_each_other_and_to_chatroom_and_channel_users() {
    let gateway = gateway();
    let mut ann = Talk::connect(gateway.address("chatroom", "websocket_listen"));
    let mut carl = Channel::enroll(gateway.address("channel", "listen"), "carl");
    carl.send("tea", "any tea left?");
    ann.join("tea", "ann");
    let Some((mut irssi, mut weechat)) = clients(&gateway, &mut carl) else { return };
    let in_irssi = irssi.window("#tea");
    let in_weechat = weechat.window("#tea");
    assert_eq!(joined(&mut ann, 2), ["bob", "wendy"]);
    in_weechat.wait_for(&["carl\tany tea left?"]);

    irssi.enter("/msg #tea from irssi");
    assert_eq!(heard(&mut ann), said("bob", "from irssi"));
    weechat.enter("#tea", "from WeeChat: 茶");
    assert_eq!(heard(&mut ann), said("wendy", "from WeeChat: 茶"));
    ann.say("tea", "ann", "from chatroom");
    carl.send("tea", "from channel,\nin two lines");
    weechat.enter("#tea", "/me pours");
    ann.receive_until(|packet| packet["data"]["msg"] == "/me pours");

    for line in ["wendy> from WeeChat: 茶", "ann> from chatroom", "carl> from channel,"] {
        in_irssi.wait_for(&[line]);
    }
    in_irssi.wait_for(&["carl> in two lines"]);
    in_irssi.wait_for(&["* wendy pours"]);
    for line in ["bob\tfrom irssi", "ann\tfrom chatroom", "carl\tfrom channel,"] {
        in_weechat.wait_for(&[line]);
    }
    in_weechat.wait_for(&["carl\tin two lines"]);
    let said = [
        said("carl", "any tea left?"),
        said("bob", "from irssi"),
        said("wendy", "from WeeChat: 茶"),
        said("guest:ann", "from chatroom"),
        said("carl", "from channel,\nin two lines"),
        said("wendy", "/me pours"),
    ];
    assert_eq!(carl.history("tea"), said);

    // In private: the message in the channel after it shows that it was sent.
    irssi.enter("/msg carl psst");
    irssi.enter("/msg wendy psst");
    irssi.enter("/msg #tea well?");
    assert_eq!(heard(&mut ann), ("bob".into(), "well?".into()));
    assert_eq!(carl.done("/receive", &json!({}))["messages"], json!({"bob": ["psst"]}));
    weechat.window("bob").wait_for(&["bob\tpsst"]);
    carl.done("/send", &json!({"name": "bob", "msg": "what?"}));
    irssi.window("carl").wait_for(&["carl> what?"]);

    irssi.enter("/quit");
    let left = ann.receive_until(|packet| packet["data"]["msg"] == "leave");
    assert_eq!(left["data"]["user"]["user_name"], "bob");
    in_weechat.wait_for(&["bob", "has quit"]);
}

/// Both check the certificate.
#[test]
fn irssi_and_weechat_talk_over_tls() {
    let tls = "tls = { cert = \"main.pem\", key = \"main.key\" }\n";
    let launch = Launch::of(&format!("{ALL}{tls}"));
    let authority = Authority::new();
    authority.server(&["127.0.0.1", "localhost"]).write(launch.folder(), "main");
    let ca = launch.folder().join("ca.pem");
    std::fs::write(&ca, &authority.pem).expect("it is writable");
    let gateway = launch.start();
    let mut carl = Channel::enroll(gateway.address("channel", "listen"), "carl");
    carl.send("tea", "any tea left?");
    let Some((mut irssi, mut weechat)) = clients_over(&gateway, &mut carl, Some(&ca)) else {
        return;
    };
    let in_irssi = irssi.window("#tea");
    let in_weechat = weechat.window("#tea");
    in_weechat.wait_for(&["carl\tany tea left?"]);
    in_irssi.wait_for(&["wendy"]);
    irssi.enter("/msg #tea from irssi");
    in_weechat.wait_for(&["bob\tfrom irssi"]);
    weechat.enter("#tea", "from WeeChat: 茶");
    in_irssi.wait_for(&["wendy> from WeeChat: 茶"]);
    let metrics = Http::connect(gateway.address("admin", "listen")).get("/metrics");
    let none = "dragoman_refused_total{frontend=\"irc\",limit=\"handshakes\"} 0\n";
    assert!(metrics.text().contains(none), "no client came without TLS");
}

#[test]
fn guests_write_to_each_other_and_see_each_other_come_and_go() {
    let gateway = gateway();
    let address = gateway.address("irc", "listen");
    let mut zed = Irc::sign_on(address, "zed", None);
    zed.send("MONITOR + yan");
    assert_eq!(zed.receive(), ":irc.localhost 731 zed :yan");
    let mut yan = Irc::sign_on(address, "yan", None);
    assert_eq!(zed.receive(), ":irc.localhost 730 zed :yan!guest@irc.localhost");
    yan.send("PRIVMSG zed :hello");
    assert_eq!(zed.receive(), ":yan!guest@irc.localhost PRIVMSG zed :hello");
    zed.send("PRIVMSG yan :hello yourself");
    assert_eq!(yan.receive(), ":zed!guest@irc.localhost PRIVMSG yan :hello yourself");
    // Without a QUIT, and with one.
    drop(yan);
    assert_eq!(zed.receive(), ":irc.localhost 731 zed :yan");
    let mut yan = Irc::sign_on(address, "yan", None);
    assert_eq!(zed.receive(), ":irc.localhost 730 zed :yan!guest@irc.localhost");
    yan.send("QUIT");
    assert_eq!(zed.receive(), ":irc.localhost 731 zed :yan");
}

#[test]
fn a_guest_leaves_nick_and_channels_to_the_account_that_another_dialect_makes() {
    let gateway = gateway();
    let address = gateway.address("irc", "listen");
    let (mut zed, mut yan) =
        (Irc::sign_on(address, "zed", None), Irc::sign_on(address, "yan", None));
    zed.join("#tea");
    yan.join("#tea");
    yan.send("MONITOR + zed");
    yan.receive_until(" 730 yan :zed!guest@");
    Channel::connect(gateway.address("channel", "listen")).register("zed", "tea for two");
    yan.send("USERHOST zed");
    assert_eq!(yan.receive_until(" 302 "), ":irc.localhost 302 yan :");
    let why = "Killed (gateway (An account has this name: sign in with SASL or PASS))";
    assert_eq!(zed.receive_until("ERROR"), format!("ERROR :Closing link: {why}"));
    let mut owner = Irc::sign_on(address, "zed", Some("tea for two"));
    owner.send("ISON zed");
    assert_eq!(owner.receive_until(" 303 "), ":irc.localhost 303 zed :zed");
}

#[test]
fn a_channel_is_the_same_in_either_case() {
    let gateway = gateway();
    let address = gateway.address("irc", "listen");
    let (mut zed, mut yan) =
        (Irc::sign_on(address, "zed", None), Irc::sign_on(address, "yan", None));
    zed.join("#Tea");
    yan.join("#tea");
    assert_eq!(zed.receive_until(" JOIN "), ":yan!guest@irc.localhost JOIN #Tea");
    yan.send("PRIVMSG #TEA :hello");
    assert_eq!(zed.receive(), ":yan!guest@irc.localhost PRIVMSG #Tea :hello");
}

#[test]
fn a_pipelined_conversation_is_answered_in_order() {
    let gateway = gateway();
    let mut raw = Raw::connect(gateway.address("irc", "listen"));
    raw.send(
        b"CAP LS 302\r\nNICK zed\nUSER zed 0 * :Zed\r\nCAP REQ :batch\r\nCAP END\r\n\
          JOIN #tea,#green\\20tea\r\nPRIVMSG #tea :hello\r\nNAMES #tea\r\nTOPIC #tea :hot\r\n\
          PRIVMSG nemo :hello\r\nPART #tea\r\nPRIVMSG #tea :hello\r\nLIST\r\nQUIT\r\nPING 1\r\n",
    );
    let end = raw.receive_end();
    assert!(!end.reset);
    let text = String::from_utf8(end.bytes).expect("it is UTF-8");
    assert_eq!(text.matches('\n').count(), text.matches("\r\n").count());
    // One snapshot for both.
    insta::with_settings!({ prepend_module_to_snapshot => false }, {
        insta::assert_snapshot!(text.replace('\r', ""));
    });
}

#[test]
fn an_account_joins_its_rooms_and_receives_missed_messages_at_sign_on() {
    let gateway = gateway();
    let address = gateway.address("irc", "listen");
    let mut carl = Channel::enroll(gateway.address("channel", "listen"), "carl");
    carl.register("Ann Lee", "tea for two");
    let mut dan = Ourchat::websocket(gateway.address("ourchat", "listen"));
    let dan_id = dan.enroll("dan");

    // A name that is an account's is not for guests, and not for those with another password.
    let mut irc = Irc::connect(address);
    irc.send("NICK Ann\\20Lee");
    irc.send("USER x 0 * :x");
    irc.receive_until(" 433 * Ann\\20Lee ");
    let mut irc = Irc::connect(address);
    irc.send("PASS guess\r\nNICK Ann\\20Lee\r\nUSER x 0 * :x");
    irc.receive_until(" 464 * ");
    assert_eq!(irc.receive(), "ERROR :Closing link: wrong password");

    let mut ann = Irc::sign_on(address, "Ann\\20Lee", Some("tea for two"));
    assert_eq!(ann.join("#tea"), "@Ann\\20Lee");
    ann.send("TOPIC #tea :hot water");
    ann.receive_until(" TOPIC #tea :hot water");
    // Another user creates a closed group with this account as a member.
    let ann_id = dan_id - 1;
    let made = dan.call(&json!({"code": 8, "members": [ann_id], "name": "den"}));
    assert_eq!(made["success"], true, "{made}");
    let invited = ann.receive_until(" INVITE ");
    assert!(invited.contains(" INVITE Ann\\20Lee #den") && invited.starts_with(":dan!"));
    // A closed group takes no name that an open room can have.
    let den = invited.rsplit(' ').next().expect("a channel").to_owned();
    assert!(den.starts_with("#den#"), "{den}");
    drop(ann);

    // While it is away, it is written to.
    carl.done("/send", &json!({"name": "Ann Lee", "msg": "one"}));
    carl.done("/send", &json!({"name": "Ann Lee", "msg": "two"}));
    let mut ann = Irc::sign_on(address, "Ann\\20Lee", Some("tea for two"));
    assert!(ann.receive().ends_with(" PRIVMSG Ann\\20Lee :one"));
    assert!(ann.receive().ends_with(" PRIVMSG Ann\\20Lee :two"));
    // What its client has shown to have, by the answer to a PING, is not handed over again.
    let lines = ann.acknowledge();
    assert!(lines.iter().any(|line| line.ends_with(&format!(" JOIN {den}"))), "{lines:?}");
    ann.send("QUIT");
    ann.receive_until("ERROR ");
    let mut ann = Irc::sign_on(address, "Ann\\20Lee", Some("tea for two"));
    assert!(ann.receive().contains(" JOIN #"));

    // Others, who are no members, do not find the group.
    let mut zed = Irc::sign_on(address, "zed", None);
    zed.send(&format!("JOIN {den}"));
    zed.receive_until(&format!(" 403 zed {den} "));
    // The owner of a room is in it only while it has joined.
    assert_eq!(zed.join("#tea"), "zed");
}

#[test]
fn a_user_with_several_seats_joins_once_and_leaves_once() {
    let gateway = gateway();
    let address = gateway.address("irc", "listen");
    let mut carl = Channel::enroll(gateway.address("channel", "listen"), "carl");
    let mut zed = Irc::sign_on(address, "zed", None);
    zed.join("#tea");
    let mut first = Irc::sign_on(address, "carl", Some("tea for two"));
    first.join("#tea");
    assert!(zed.receive().starts_with(":carl!"));
    let mut second = Irc::sign_on(address, "carl", Some("tea for two"));
    assert_eq!(second.join("#tea"), "carl @zed");
    first.send("PRIVMSG #tea :hello");
    assert!(second.receive_until(" PRIVMSG ").starts_with(":carl!"));
    first.send("QUIT");
    first.receive_until("ERROR ");
    second.send("PRIVMSG #tea :still here");
    assert!(zed.receive().ends_with(" PRIVMSG #tea :hello"));
    assert!(zed.receive().ends_with(" PRIVMSG #tea :still here"));
    // A member stays when its last connection goes.
    carl.send("tea", "and here");
    second.send("QUIT");
    second.receive_until("ERROR ");
    zed.send("NAMES #tea");
    assert!(zed.receive().ends_with(" PRIVMSG #tea :and here"));
    assert!(zed.receive_until(" 353 ").ends_with(" :carl @zed"));
}

#[test]
fn history_has_pages_with_messages_of_other_dialects() {
    let gateway = gateway();
    let mut carl = Channel::enroll(gateway.address("channel", "listen"), "carl");
    for nth in 1..=5 {
        carl.send("tea", &nth.to_string());
    }
    let mut zed = Irc::sign_on(gateway.address("irc", "listen"), "zed", None);
    zed.send("CAP REQ :batch message-tags");
    zed.join("#tea");
    let mut page = |request: &str| {
        zed.send(&format!("CHATHISTORY {request}"));
        zed.receive_until(" BATCH +");
        let mut texts = Vec::new();
        let mut id = String::new();
        loop {
            let line = zed.receive();
            if line.contains(" BATCH -") {
                return (texts.join(" "), id);
            }
            let (tags, said) = line.split_once(' ').expect("tags come first");
            id = tags.split_once("msgid=").expect("it has an id").1.to_owned();
            texts.push(said.rsplit_once(" :").expect("a text").1.to_owned());
        }
    };
    let (newest, last) = page("LATEST #tea * 2");
    assert_eq!(newest, "4 5");
    let (before, middle) = page(&format!("BEFORE #tea msgid={last} 2"));
    assert_eq!(before, "3 4");
    assert_eq!(page(&format!("AFTER #tea msgid={middle} 9")).0, "5");
    assert_eq!(page(&format!("BETWEEN #tea msgid=1 msgid={middle} 9")).0, "2 3");
}

/// The body that a browser sends for `fetch(url, {method: "POST", body})`, with its head.
fn posted_by_a_page(body: &str) -> Vec<u8> {
    let length = body.len();
    let head = format!(
        "POST / HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: text/plain\r\n\
         Origin: https://evil.example\r\nContent-Length: {length}\r\n\r\n"
    );
    format!("{head}{body}").into_bytes()
}

#[test]
fn a_web_page_cannot_make_a_browser_send_commands_to_a_stream_of_lines() {
    let gateway = gateway();
    let mut zed = Irc::sign_on(gateway.address("irc", "listen"), "zed", None);
    zed.join("#tea");
    let mut page = Raw::connect(gateway.address("irc", "listen"));
    page.send(&posted_by_a_page("NICK spam\r\nUSER s 0 * :s\r\nJOIN #tea\r\n"));
    assert_eq!(page.receive_end().bytes, b"");
    let mut page = Raw::connect(gateway.address("ourchat", "tcp_listen"));
    page.send(&posted_by_a_page("{\"code\":12}\r\n"));
    assert_eq!(page.receive_end().bytes, b"");
    zed.send("NAMES #tea");
    assert!(zed.receive().ends_with(" 353 zed = #tea :@zed"));
}

#[test]
fn a_byte_order_mark_before_the_first_line_is_skipped() {
    let gateway = gateway();
    let mut irc = Irc::connect(gateway.address("irc", "listen"));
    irc.send("\u{feff}NICK zed\r\nUSER zed 0 * :Zed");
    irc.receive_until(" 001 zed ");
    let mut ourchat = Raw::connect(gateway.address("ourchat", "tcp_listen"));
    ourchat.send("\u{feff}{\"code\":12}\n\u{feff}{\"code\":12}\n".as_bytes());
    ourchat.end();
    let text = String::from_utf8(ourchat.receive_end().bytes).expect("UTF-8");
    let codes: Vec<bool> = text.lines().map(|line| line.contains("\"code\":12")).collect();
    // The first line is answered; a mark elsewhere is no JSON.
    assert_eq!(codes, [true, false], "{text}");
}

#[test]
fn a_notice_a_topic_a_kick_and_a_quit_look_to_others_as_they_were_made() {
    let gateway = gateway();
    let address = gateway.address("irc", "listen");
    Channel::connect(gateway.address("channel", "listen")).register("ann", "tea for two");
    let mut ann = Irc::sign_on(address, "ann", Some("tea for two"));
    ann.join("#tea");
    let mut zed = Irc::sign_on(address, "zed", None);
    zed.join("#tea");
    let mut yan = Irc::sign_on(address, "yan", None);
    yan.join("#tea");
    zed.receive_until(":yan!guest@irc.localhost JOIN #tea");

    ann.send("NOTICE #tea :beware");
    assert!(zed.receive().ends_with(" NOTICE #tea :beware"));
    ann.send("TOPIC #tea :hot water");
    assert!(zed.receive().ends_with("@irc.localhost TOPIC #tea :hot water"));
    ann.receive_until(" TOPIC #tea :hot water");
    ann.send("KICK #tea yan :spam");
    let kicked = zed.receive();
    assert!(kicked.starts_with(":ann!") && kicked.ends_with(" KICK #tea yan :spam"), "{kicked}");
    assert_eq!(yan.receive_until(" KICK "), kicked);
    yan.join("#tea");
    zed.receive_until(" JOIN ");
    yan.send("PART #tea :tired");
    assert_eq!(zed.receive(), ":yan!guest@irc.localhost PART #tea :tired");
    yan.join("#tea");
    assert_eq!(zed.receive(), ":yan!guest@irc.localhost JOIN #tea");
    yan.join("#hall");
    zed.join("#hall");
    yan.send("QUIT :good night");
    assert_eq!(zed.receive(), ":yan!guest@irc.localhost QUIT :Quit: good night");
    // The nick is free again, and the owner is still there.
    let mut yan = Irc::sign_on(address, "yan", None);
    assert_eq!(yan.join("#tea"), "@ann yan zed");
    // Without a word.
    drop(yan);
    assert_eq!(zed.receive(), ":yan!guest@irc.localhost JOIN #tea");
    assert_eq!(zed.receive(), ":yan!guest@irc.localhost QUIT :Connection closed");
}

#[test]
fn two_guests_cannot_have_one_nick_nor_one_that_resembles_an_account() {
    let gateway = gateway();
    let address = gateway.address("irc", "listen");
    Channel::connect(gateway.address("channel", "listen")).register("Boss", "tea for two");
    let _zed = Irc::sign_on(address, "zed", None);
    let mut other = Irc::connect(address);
    other.send("NICK Zed\r\nUSER x 0 * :x");
    other.receive_until(" 433 * Zed ");
    other.send("NICK boss");
    other.receive_until(" 433 * boss ");
    other.send("NICK foo\\bar");
    other.receive_until(" 001 foo\\5cbar ");
    other.send("ISON zed Boss nemo");
    other.receive_until(" 303 foo\\5cbar :zed");
}

#[test]
fn a_guest_runs_the_channel_that_it_makes_until_it_leaves() {
    let gateway = gateway();
    let address = gateway.address("irc", "listen");
    let mut zed = Irc::sign_on(address, "zed", None);
    assert_eq!(zed.join("#den"), "@zed");
    let mut yan = Irc::sign_on(address, "yan", None);
    assert_eq!(yan.join("#den"), "yan @zed");
    yan.send("KICK #den zed");
    yan.receive_until(" 482 yan #den ");
    zed.send("TOPIC #den :dark");
    assert_eq!(yan.receive_until(" TOPIC "), ":zed!guest@irc.localhost TOPIC #den :dark");
    zed.send("MODE #den +o yan");
    assert_eq!(yan.receive_until(" MODE "), ":zed!guest@irc.localhost MODE #den +o yan");
    yan.send("MODE #den -o zed");
    assert_eq!(zed.receive_until(" -o "), ":yan!guest@irc.localhost MODE #den -o zed");
    zed.send("TOPIC #den :light");
    zed.receive_until(" 482 zed #den ");
    yan.send("KICK #den zed :bye");
    assert_eq!(zed.receive_until(" KICK "), ":yan!guest@irc.localhost KICK #den zed :bye");
    // The role ends with the seat.
    yan.send("PART #den");
    yan.receive_until(" PART #den");
    assert_eq!(yan.join("#den"), "yan");
}
