//! Clients of irc get what they missed, and nothing that is acknowledged is lost on the way.

use std::net::Shutdown;
use std::time::Duration;

use gateway_tests::{Channel, Gateway, Irc, Ourchat, Tunnel};
use serde_json::json;
use socket2::SockRef;

const TOML: &str = "
    [server.log]
    format = \"json\"
    [frontends.ourchat]
    tcp_listen = \"127.0.0.1:0\"
    messages_per_s = 0
    bytes_per_s = 0
    requests_per_s = 0
    [frontends.channel]
    messages_per_s = 0
    requests_per_s = 0
    [frontends.irc]
    messages_per_s = 0
    bytes_per_s = 0
    requests_per_s = 0
";

const BOB: (&str, &str) = ("bob", "pw");

/// Ann writes to bob, by ourchat.
struct Scene {
    gateway: Gateway,
    ann: Ourchat,
    ann_ocid: u64,
    bob_ocid: u64,
}

impl Scene {
    fn open() -> Self {
        Self::within(TOML)
    }

    fn within(toml: &str) -> Self {
        let gateway = Gateway::start(toml);
        let lines = gateway.address("ourchat", "tcp_listen");
        let bob_ocid = Ourchat::lines(lines).enroll("bob");
        let mut ann = Ourchat::lines(lines);
        let ann_ocid = ann.enroll("ann");
        Self { gateway, ann, ann_ocid, bob_ocid }
    }

    fn irc(&self) -> std::net::SocketAddr {
        self.gateway.address("irc", "listen")
    }

    fn restart(&mut self) {
        self.gateway.restart();
        self.ann = Ourchat::lines(self.gateway.address("ourchat", "tcp_listen"));
        self.ann.login("ann@example.org", "pw");
        // What it has sent before may come again.
        self.ann.send(&json!({"code": 12}));
        while self.ann.receive()["code"] != 12 {}
    }

    /// Sends these to bob, and waits until each is acknowledged.
    #[track_caller]
    fn send(&mut self, numbers: std::ops::Range<u64>) {
        let sender = json!({"ocid": self.ann_ocid, "private_id": self.bob_ocid});
        for number in numbers.clone() {
            self.ann.send(&json!({"code": 0, "sender": sender, "msg": text(number)}));
        }
        for number in numbers {
            assert_eq!(self.ann.receive()["msg"], text(number));
        }
    }

    /// The numbers of the messages that bob gets on signing on.
    #[track_caller]
    fn delivered(&self, device: &str) -> (Irc, Vec<u64>) {
        let mut bob = Irc::sign_on_from(self.irc(), BOB, device, "message-tags");
        let lines = bob.drain();
        (bob, numbers(&lines))
    }
}

fn text(number: u64) -> String {
    format!("message {number}")
}

/// The numbers of the messages in lines.
fn numbers(lines: &[String]) -> Vec<u64> {
    let number = |line: &String| line.rsplit_once(":message ")?.1.parse().ok();
    lines.iter().filter_map(number).collect()
}

/// Has the connection reset.
fn reset(mut irc: Irc) {
    let stream = &*irc.stream();
    SockRef::from(stream).set_linger(Some(Duration::ZERO)).expect("it is open");
}

/// Ends the connection in order, and waits until the gateway has noticed.
pub(super) fn leave(mut irc: Irc) {
    let stream = irc.stream();
    stream.shutdown(Shutdown::Write).expect("it is open");
    drop(std::io::copy(stream, &mut std::io::sink()));
}

fn all(numbers: std::ops::Range<u64>) -> Vec<u64> {
    numbers.collect()
}

#[test]
fn a_pong_acknowledges_what_its_ping_followed_and_nothing_else_does() {
    let mut scene = Scene::open();
    scene.send(0..100);
    for _ in 0..2 {
        let (bob, delivered) = scene.delivered("");
        assert_eq!(delivered, all(0..100));
        reset(bob);
    }
    let mut bob = Irc::sign_on_from(scene.irc(), BOB, "", "message-tags");
    bob.receive_until(":message 99");
    let ping = bob.receive();
    let token = ping.strip_prefix("PING :m").unwrap_or_else(|| panic!("{ping}"));
    // In one packet, so that nothing else shows that the client lives.
    bob.send(&format!("PONG :m{token}\r\nPING :1"));
    bob.receive_until(" PONG ");
    scene.send(100..103);
    for number in 100..103 {
        bob.receive_until(&text(number));
    }
    reset(bob);
    assert_eq!(scene.delivered("").1, all(100..103));
}

#[test]
fn what_was_read_in_ourchat_is_still_delivered_on_irc_and_the_other_way_around() {
    let mut scene = Scene::open();
    scene.send(0..5);
    let mut ourchat = Ourchat::websocket(scene.gateway.address("ourchat", "listen"));
    ourchat.login("bob@example.org", "pw");
    for number in 0..5 {
        assert_eq!(ourchat.receive()["msg"], text(number));
    }
    ourchat.show_life();
    drop(ourchat);
    let mut bob = Irc::sign_on_from(scene.irc(), BOB, "", "message-tags");
    assert_eq!(numbers(&bob.acknowledge()), all(0..5));
    scene.send(5..7);
    assert_eq!(numbers(&bob.acknowledge()), all(5..7));
    reset(bob);
    assert_eq!(scene.delivered("").1, all(7..7));
    let mut ourchat = Ourchat::lines(scene.gateway.address("ourchat", "tcp_listen"));
    ourchat.login("bob@example.org", "pw");
    for number in 5..7 {
        assert_eq!(ourchat.receive()["msg"], text(number));
    }
}

#[test]
fn each_device_gets_everything_over_restarts_and_resets() {
    let mut scene = Scene::open();
    scene.send(0..3);
    let mut phone = Irc::sign_on_from(scene.irc(), BOB, "phone", "message-tags");
    assert_eq!(numbers(&phone.acknowledge()), all(0..3));
    scene.send(3..50);
    for number in 3..50 {
        phone.receive_until(&text(number));
    }
    leave(phone);
    // What the phone has acknowledged is stored when this is answered: commands are in order.
    Channel::enroll(scene.gateway.address("channel", "listen"), "cyd");
    scene.restart();
    let mut desk = Irc::sign_on_from(scene.irc(), BOB, "desk", "message-tags");
    assert_eq!(numbers(&desk.acknowledge()), all(0..50));
    let (phone, delivered) = scene.delivered("phone");
    assert_eq!(delivered, all(3..50));
    reset(phone);
    scene.send(50..52);
    reset(desk);
    assert_eq!(scene.delivered("phone").1, all(3..52));
    assert_eq!(scene.delivered("desk").1, all(50..52));
}

#[test]
fn irc_loses_nothing_when_an_app_hangs_the_gateway_is_killed_or_the_network_is_gone() {
    let mut scene = Scene::open();
    scene.send(0..1);
    // An app that does not read is reset.
    let (hung, _) = scene.delivered("");
    scene.send(1..300);
    reset(hung);
    let (bob, delivered) = scene.delivered("");
    assert_eq!(delivered, all(0..300));
    // The gateway is killed.
    scene.restart();
    drop(bob);
    let (bob, delivered) = scene.delivered("");
    assert_eq!(delivered, all(0..300));
    reset(bob);
    // The network is gone, and the client comes back beside its dead connection.
    let tunnel = Tunnel::to(scene.irc());
    let mut bob = Irc::sign_on_from(tunnel.address(), BOB, "", "message-tags");
    assert_eq!(numbers(&bob.acknowledge()), all(0..300));
    tunnel.cut();
    scene.send(300..400);
    let mut back = Irc::sign_on_from(scene.irc(), BOB, "", "message-tags");
    assert_eq!(numbers(&back.acknowledge()), all(300..400));
}

#[test]
fn what_is_too_much_or_removed_is_announced() {
    let toml = TOML.replace("[frontends.irc]", "[frontends.irc]\nbacklog = 2\nhistory = 3\n");
    let mut scene = Scene::within(&toml);
    let caps = "batch server-time message-tags";
    let mut carl = Channel::enroll(scene.gateway.address("channel", "listen"), "carl");
    carl.send("tea", "message 0");
    scene.send(1..2);
    let mut bob = Irc::sign_on_from(scene.irc(), BOB, "", caps);
    assert_eq!(numbers(&bob.acknowledge()), [1]);
    bob.join("#tea");
    assert_eq!(numbers(&bob.drain()), [0]);
    reset(bob);
    scene.send(2..7);
    for number in 10..20 {
        carl.send("tea", &text(number));
    }
    let mut bob = Irc::sign_on_from(scene.irc(), BOB, "", caps);
    let lines = bob.drain();
    assert_eq!(numbers(&lines), [5, 6]);
    assert!(lines[0].contains(" NOTICE bob :3 messages that you missed "), "{lines:#?}");
    bob.join("#tea");
    let lines = bob.drain();
    assert_eq!(numbers(&lines), all(15..20), "two more than the newest three");
    assert!(
        lines[0].contains(" BATCH +") && lines.last().is_some_and(|it| it.contains(" BATCH -"))
    );
    assert!(lines[1].contains(" NOTICE #tea :5 messages that you missed "), "{lines:#?}");
    // A client that knows nothing of it sees none of it.
    let mut legacy = Irc::sign_on(scene.irc(), "bob", Some("pw"));
    legacy.join("#tea");
    assert!(legacy.drain().iter().all(|line| !line.contains("NOTICE") && !line.starts_with('@')));
}

/// The ids and texts in a history.
#[track_caller]
fn history(irc: &mut Irc, request: &str) -> Vec<(u64, String)> {
    irc.send(&format!("CHATHISTORY {request}"));
    let start = irc.receive();
    assert!(start.contains(" BATCH +"), "{start}");
    let mut found = Vec::new();
    loop {
        let line = irc.receive();
        if line.contains(" BATCH -") {
            return found;
        }
        let (tags, said) = line.split_once(' ').expect("tags come first");
        let id = tags.rsplit_once("msgid=").map_or(0, |(_, id)| {
            id.split(';').next().and_then(|id| id.parse().ok()).expect("an id")
        });
        found.push((id, said.rsplit(' ').next().expect("words").to_owned()));
    }
}

#[test]
fn a_client_pages_through_a_conversation_by_ids_and_times() {
    let mut scene = Scene::open();
    let caps = "batch server-time message-tags echo-message draft/chathistory";
    let mut bob = Irc::sign_on_from(scene.irc(), BOB, "", caps);
    scene.send(0..10);
    bob.send("PRIVMSG ann :message 10");
    // The PING stays without an answer, so that no other comes between what follows.
    bob.drain();
    let texts = |found: &[(u64, String)]| -> Vec<u64> {
        found.iter().filter_map(|(_, number)| number.parse().ok()).collect()
    };
    let newest = history(&mut bob, "LATEST ann * 4");
    assert_eq!(texts(&newest), all(7..11));
    let first = newest[0].0;
    assert_eq!(texts(&history(&mut bob, &format!("BEFORE ann msgid={first} 3"))), all(4..7));
    assert_eq!(texts(&history(&mut bob, &format!("AFTER ann msgid={first} 2"))), all(8..10));
    assert_eq!(texts(&history(&mut bob, &format!("AROUND ann msgid={first} 3"))), all(6..9));
    let (from, to) = (newest[0].0, newest[3].0);
    let between = format!("BETWEEN ann msgid={to} msgid={from} 9");
    assert_eq!(texts(&history(&mut bob, &between)), all(8..10));
    let begin = "timestamp=2020-01-01T00:00:00.000Z";
    let end = "timestamp=2262-01-01T00:00:00.000Z";
    assert_eq!(texts(&history(&mut bob, &format!("AFTER ann {begin} 3"))), all(0..3));
    assert_eq!(texts(&history(&mut bob, &format!("LATEST ann {end} 3"))), all(0..0));
    bob.send(&format!("CHATHISTORY TARGETS {end} {begin} 9"));
    assert!(bob.receive().ends_with(" draft/chathistory-targets"));
    let target = bob.receive();
    assert!(target.contains(" :irc.localhost CHATHISTORY TARGETS ann 2"), "{target}");
    assert!(bob.receive().contains(" BATCH -"));
    // The conversation is bob's and ann's only.
    let mut carl = Channel::enroll(scene.gateway.address("channel", "listen"), "carl");
    carl.register("dan", "pw");
    let mut dan = Irc::sign_on_from(scene.irc(), ("dan", "pw"), "", caps);
    assert_eq!(history(&mut dan, "LATEST ann * 4"), []);
    assert_eq!(history(&mut dan, "LATEST bob * 4"), []);
    dan.send("CHATHISTORY LATEST nemo * 4");
    assert!(dan.receive().contains(" FAIL CHATHISTORY INVALID_TARGET LATEST nemo :"));
}

#[test]
fn a_read_marker_is_kept_and_shown_to_the_other_clients_of_the_user() {
    let mut scene = Scene::open();
    let sign_on = |scene: &Scene| {
        let mut bob = Irc::sign_on_from(scene.irc(), BOB, "", "draft/read-marker");
        bob.send("JOIN #tea");
        let marker = bob.receive_until(" MARKREAD ");
        bob.receive_until(" 366 ");
        bob.drain();
        (bob, marker)
    };
    let (mut phone, marker) = sign_on(&scene);
    assert_eq!(marker, ":irc.localhost MARKREAD #tea *");
    let (mut desk, _) = sign_on(&scene);
    let mut legacy = Irc::sign_on(scene.irc(), "bob", Some("pw"));
    legacy.join("#tea");
    let read = ":irc.localhost MARKREAD #tea timestamp=2023-11-14T22:13:20.000Z";
    phone.send("MARKREAD #tea timestamp=2023-11-14T22:13:20.000Z");
    assert_eq!(phone.receive_until(" MARKREAD "), read);
    assert_eq!(desk.receive_until(" MARKREAD "), read);
    desk.send("MARKREAD #tea timestamp=2022-11-14T22:13:20.000Z");
    assert_eq!(desk.receive_until(" MARKREAD "), read, "it only moves forward");
    desk.send("MARKREAD ann timestamp=2023-11-14T22:13:20.000Z");
    assert!(phone.receive_until(" MARKREAD ").contains(" ann timestamp=2023"));
    assert!(legacy.drain().iter().all(|line| !line.contains("MARKREAD")));
    scene.restart();
    let (mut phone, marker) = sign_on(&scene);
    assert_eq!(marker, read);
    phone.send("MARKREAD ann");
    assert!(phone.receive_until(" MARKREAD ").contains(" ann timestamp=2023"));
    let mut ann = Irc::sign_on_from(scene.irc(), ("ann", "pw"), "", "draft/read-marker");
    ann.send("MARKREAD bob");
    assert!(ann.receive_until(" MARKREAD ").ends_with(" bob *"), "markers are the user's own");
}

#[test]
fn a_message_with_a_clients_id_is_posted_once_though_the_gateway_is_killed() {
    let mut scene = Scene::open();
    let mut ids = Vec::new();
    for _ in 0..3 {
        let caps = "message-tags echo-message";
        let mut bob = Irc::sign_on_from(scene.irc(), BOB, "", caps);
        // Its own message comes again, too, while it is not acknowledged.
        bob.drain();
        bob.send("@+draft/client-msgid=7d1f PRIVMSG ann :once");
        let echo = bob.receive_until(" PRIVMSG ann :once");
        let (tags, _) = echo.split_once(' ').expect("tags");
        assert!(tags.starts_with("@+draft/client-msgid=7d1f;msgid="), "{tags}");
        ids.push(tags.to_owned());
        bob.send("@+draft/client-msgid=7d1f PRIVMSG ann :another");
        bob.receive_until(" 400 bob PRIVMSG ");
        scene.restart();
    }
    assert_eq!(ids, [ids[0].as_str(); 3]);
    let mut ann = Irc::sign_on_from(scene.irc(), ("ann", "pw"), "", "message-tags");
    assert_eq!(ann.drain().iter().filter(|line| line.ends_with(" :once")).count(), 1);
}
