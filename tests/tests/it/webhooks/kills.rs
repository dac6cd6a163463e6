//! Both sides are killed again and again, while messages are posted.

use std::collections::{BTreeMap, BTreeSet};
use std::thread::scope;

use gateway_tests::{Channel, Gateway};

use super::receiver::{Delivery, Receiver, is_signed};
use super::toml;

const ROOMS: [&str; 4] = ["black", "green", "oolong", "white"];

/// Each ends with a kill of the gateway and has one of the receiver.
const ROUNDS: usize = 5;

/// Messages of a round in each room.
const MESSAGES: usize = 500;

#[test]
fn every_event_is_delivered_in_order_though_both_sides_are_killed() {
    let mut receiver = Receiver::start();
    let keys = "retry_max = \"20ms\"\nconcurrency = 3";
    let mut gateway = Gateway::start(&toml(&receiver, keys));
    let address = gateway.address("channel", "listen");
    let mut users = ROOMS.map(|room| Channel::enroll(address, room));
    let mut deliveries = Vec::new();
    for round in 0..ROUNDS {
        let address = gateway.address("channel", "listen");
        scope(|scope| {
            for (room, user) in ROOMS.iter().zip(&mut users) {
                *user = user.reconnect(address);
                scope.spawn(move || {
                    (0..MESSAGES).for_each(|nth| user.send(room, &format!("{round}/{nth}")));
                });
            }
            // Before a quarter of the round is delivered, at the latest.
            deliveries.extend(receiver.nexts(MESSAGES / 2));
            receiver.restart();
        });
        gateway.restart();
    }
    let mut seen = BTreeSet::new();
    let mut delivered: BTreeMap<String, Vec<(u64, String)>> = BTreeMap::new();
    let mut note = |delivery: &Delivery| {
        assert!(is_signed(delivery), "{delivery:?}");
        if seen.insert(delivery.id().to_owned()) {
            let data = &delivery.json()["data"];
            let room = data["to"]["room"]["name"].as_str().expect("a room").to_owned();
            let id = data["id"].as_u64().expect("an id");
            delivered.entry(room).or_default().push((id, delivery.text()));
        }
        seen.len()
    };
    for delivery in &deliveries {
        note(delivery);
    }
    while note(&receiver.next()) < ROOMS.len() * ROUNDS * MESSAGES {}
    let address = gateway.address("channel", "listen");
    for (room, user) in ROOMS.iter().zip(&users) {
        let delivered = &delivered[*room];
        assert!(delivered.is_sorted(), "{room}: {delivered:?}");
        let texts: Vec<&String> = delivered.iter().map(|(_, text)| text).collect();
        let history = user.reconnect(address).history(room);
        let posted: Vec<&String> = history.iter().map(|(_, text)| text).collect();
        assert_eq!(texts, posted, "{room}");
    }
}
