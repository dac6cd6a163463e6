//! A storm: the gateway is killed, connections are reset or fall silent, and clients of six dialects
//! go on. What was acknowledged reaches each reader, in order, and comes twice only with the same id.
//!
//! `STORM_KILLS` and `STORM_BREAKS` make it larger.

mod audit;
pub(crate) mod network;
pub(crate) mod posters;
mod readers;
mod wire;

use std::collections::BTreeSet;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread::scope;

use gateway_tests::{Channel, Gateway, Ourchat, PATIENCE, UsrRoom};
use serde_json::json;

use audit::Totals;
use network::{Listener, Network};
use posters::POSTERS;
use readers::READERS;

pub(crate) const TOKEN: Listener = ("token", "listen");
pub(crate) const USR_ROOM: Listener = ("usr_room", "listen");
pub(crate) const CHATROOM: Listener = ("chatroom", "websocket_listen");
pub(crate) const OURCHAT: Listener = ("ourchat", "listen");
pub(crate) const CHANNEL: Listener = ("channel", "listen");
pub(crate) const IRC: Listener = ("irc", "listen");

const ROOM: &str = "TEST";
const ROOM_ID: u32 = 1;
const PASSWORD: &str = "pw";

/// Without limits that a storm would reach.
pub(crate) fn toml() -> String {
    let mut toml = format!("[[rooms]]\nname = \"{ROOM}\"\ncapacity = 1000000\n");
    for (frontend, own) in [
        ("token", ""),
        ("usr_room", "history = 1000\n"),
        ("chatroom", ""),
        ("ourchat", "auto_join = [\"TEST\"]\nbacklog = 1000000\n"),
        ("channel", ""),
        ("irc", ""),
    ] {
        toml += &format!(
            "[frontends.{frontend}]\nrequests_per_s = 0\nmessages_per_s = 0\nbytes_per_s = 0\n\
            connections_per_address_max = 0\nkeys_per_address_max = 0\n{own}"
        );
    }
    toml
}

/// How often the gateway is killed, and how many connections are broken.
struct Plan {
    kills: usize,
    breaks: usize,
}

impl Plan {
    fn of_environment() -> Self {
        let number = |name: &str, otherwise: usize| {
            std::env::var(name).map_or(otherwise, |text| text.parse().expect("it is a number"))
        };
        Self { kills: number("STORM_KILLS", 4), breaks: number("STORM_BREAKS", 40) }
    }
}

#[test]
fn what_is_acknowledged_reaches_every_reader_through_a_storm() {
    let plan = Plan::of_environment();
    let mut gateway = Gateway::start(&toml());
    let network = Network::between(&[TOKEN, USR_ROOM, CHATROOM, OURCHAT, CHANNEL, IRC]);
    network.lead_to(&gateway);
    enroll_all(&gateway);
    let stop = AtomicBool::new(false);
    let wanted = OnceLock::new();
    let (sender, news) = channel();
    let (posted, truth, had) = scope(|scope| {
        let (network, wanted, stop) = (&network, &wanted, &stop);
        let readers = READERS
            .map(|(name, open)| (name, scope.spawn(move || readers::run(network, open, wanted))));
        let posters = POSTERS.map(|poster| {
            let sender = sender.clone();
            scope.spawn(move || posters::run(network, poster, stop, &sender))
        });
        rage(&mut gateway, network, &plan, &news);
        stop.store(true, Ordering::SeqCst);
        let posted = posters.map(|poster| poster.join().expect("it ends"));
        let truth = history(&gateway);
        wanted.set(truth.iter().cloned().collect::<BTreeSet<_>>()).expect("once");
        let had = readers.map(|(name, reader)| (name, reader.join().expect("it ends")));
        (posted, truth, had)
    });
    audit::check_store(&truth, &posted);
    let mut totals = Totals::of(&posted);
    for (name, had) in &had {
        audit::check(name, had, &truth, &mut totals);
    }
    println!("{} kills, {} connections broken: {totals:?}", plan.kills, plan.breaks);
}

/// Breaks connections and kills the gateway, each time after some more was acknowledged.
fn rage(gateway: &mut Gateway, network: &Network, plan: &Plan, news: &Receiver<()>) {
    let await_news = |count: usize| {
        for _ in 0..count {
            news.recv_timeout(PATIENCE).expect("something is acknowledged");
        }
        // What came meanwhile is no news.
        while news.try_recv().is_ok() {}
    };
    let mut broken = 0;
    for kill in 0..plan.kills {
        let until = plan.breaks * (kill + 1) / plan.kills;
        while broken < until {
            await_news(2);
            // Two thirds resets; each time a few, so that readers and posters are among them.
            let count = (until - broken).min(3);
            broken += if broken % 9 < 6 { network.reset(count) } else { network.silence(count) };
        }
        await_news(20);
        network.lead_nowhere();
        gateway.restart();
        network.lead_to(gateway);
    }
    await_news(20);
}

/// Accounts and memberships, over connections that last.
fn enroll_all(gateway: &Gateway) {
    for name in ["ourchat", "our-reader", "channel", "channel-reader", "usr_room"] {
        enroll(gateway, name, name);
    }
}

/// The account and the membership that a client of a dialect needs: `name` begins with the dialect.
pub(crate) fn enroll(gateway: &Gateway, name: &str, who: &str) {
    match name.split('-').next() {
        Some("our" | "ourchat") => {
            Ourchat::websocket(gateway.address("ourchat", "listen")).enroll(who);
        }
        Some("channel") => {
            let mut channel = Channel::connect(gateway.address("channel", "listen"));
            channel.register(who, PASSWORD);
        }
        Some("usr_room") => {
            let mut usr_room = UsrRoom::connect(gateway.address("usr_room", "listen"));
            usr_room.done("/usr/complete", &json!({"openid": who, "name": who}));
            usr_room.done("/usr/join", &json!({"room_id": ROOM_ID, "openid": who}));
        }
        _ => (),
    }
}

/// The texts of the room in the order of the store.
fn history(gateway: &Gateway) -> Vec<String> {
    let mut usr_room = UsrRoom::connect(gateway.address("usr_room", "listen"));
    let text = |message: &serde_json::Value| message["message"].as_str().unwrap_or("").to_owned();
    usr_room.history(ROOM_ID.into()).iter().map(text).collect()
}
