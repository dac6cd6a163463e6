//! Which events a webhook is sent.

use gateway_tests::{Channel, Gateway};
use serde_json::Value;

use super::receiver::{Delivery, Receiver, SECRET};
use super::{ann, toml};

fn kinds(deliveries: &[Delivery]) -> Vec<String> {
    deliveries.iter().map(Delivery::kind).collect()
}

#[test]
fn events_of_rooms_and_members_come_in_the_order_of_the_engine() {
    let receiver = Receiver::start();
    let keys = "events = [\"room.created\", \"member.joined\", \"member.left\", \
                \"message.created\", \"room.deleted\"]";
    let mut gateway = Gateway::start(&toml(&receiver, keys));
    let mut ann = ann(&gateway);
    let mut bob = Channel::enroll(gateway.address("channel", "listen"), "bob");
    ann.send("tea", "one");
    let mut begin = kinds(&receiver.nexts(3));
    assert_eq!(begin.pop().as_deref(), Some("message.created"));
    begin.sort();
    assert_eq!(begin, ["member.joined", "room.created"]);
    bob.send("tea", "two");
    let joined = receiver.next();
    assert_eq!(joined.kind(), "member.joined");
    let data: &Value = &joined.json()["data"];
    assert_eq!(data["room"]["name"], "tea");
    assert_eq!((&data["user"]["handle"], &data["durable"]), (&"bob".into(), &true.into()));
    assert_eq!(receiver.next().text(), "two");
    // Killed, it sends what it has not noted, with the same id, and goes on.
    gateway.restart();
    let mut bob = bob.reconnect(gateway.address("channel", "listen"));
    bob.send("tea", "three");
    let mut next = receiver.next();
    while next.text() != "three" {
        next = receiver.next();
    }
}

#[test]
fn a_webhook_for_some_rooms_is_sent_no_others_and_none_between_users() {
    let receiver = Receiver::start();
    let gateway = Gateway::start(&toml(&receiver, "rooms = [\"tea\"]"));
    let mut ann = ann(&gateway);
    ann.send("coffee", "one");
    ann.send("tea", "two");
    ann.send("coffee", "three");
    ann.send("tea", "four");
    let texts: Vec<String> = receiver.nexts(2).iter().map(Delivery::text).collect();
    assert_eq!(texts, ["two", "four"]);
    let message = receiver.so_far();
    assert_eq!(message, []);
}

#[test]
fn a_reload_adds_changes_and_removes_webhooks_and_keeps_their_places() {
    let receiver = Receiver::start();
    let mut gateway = Gateway::start(&toml(&receiver, ""));
    let mut ann = ann(&gateway);
    ann.send("tea", "one");
    assert_eq!(receiver.next().text(), "one");
    gateway.reload(&toml(&receiver, "enabled = false"));
    ann.send("tea", "two");
    // One of another name begins with the next event.
    let second = Receiver::start();
    let address = second.address;
    let both = toml(&receiver, "")
        + &format!(
            "[[webhooks]]\nname = \"second\"\nurl = \"http://{address}/\"\nallow_private = true\n\
             secret = [\"whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA\", \"{SECRET}\"]\n"
        );
    gateway.reload(&both);
    let mut next = receiver.next();
    if next.text() == "one" {
        // The answer to it may have been lost with the reload.
        next = receiver.next();
    }
    assert_eq!(next.text(), "two");
    ann.send("tea", "three");
    assert_eq!(receiver.next().text(), "three");
    let first_of_second = second.next();
    assert_eq!(first_of_second.text(), "three");
    // Signed by both secrets while they are changed.
    assert!(first_of_second.is_signed_with(&[0; 24]));
    assert!(super::receiver::is_signed(&first_of_second));
    gateway.reload("[frontends.channel]");
    ann.send("tea", "four");
    gateway.reload(&toml(&receiver, ""));
    ann.send("tea", "five");
    assert_eq!(receiver.next().text(), "five", "one that was taken out begins anew");
}
