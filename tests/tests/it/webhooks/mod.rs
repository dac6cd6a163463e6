//! Webhooks: events reach their receiver signed, in order and at least once, whatever it answers and
//! whichever side is killed.

mod commands;
mod failures;
mod kills;
mod page;
mod receiver;
mod selection;

use gateway_tests::{Channel, Gateway, Http};

use receiver::{Receiver, SECRET};

/// A gateway with one webhook to this receiver, and these further keys in its section.
fn toml(receiver: &Receiver, keys: &str) -> String {
    let address = receiver.address;
    format!(
        "[frontends.channel]\nrequests_per_s = 0\nmessages_per_s = 0\nbytes_per_s = 0\n\
         [[webhooks]]\nname = \"hook\"\nurl = \"http://{address}/events?a=b\"\n\
         secret = \"{SECRET}\"\nallow_private = [\"127.0.0.0/8\"]\n{keys}\n"
    )
}

fn ann(gateway: &Gateway) -> Channel {
    Channel::enroll(gateway.address("channel", "listen"), "ann")
}

/// A metric of the webhook, by its name and further labels.
#[track_caller]
fn metric(gateway: &Gateway, name: &str, labels: &str) -> u64 {
    let metrics = Http::connect(gateway.address("admin", "listen")).get("/metrics").body;
    let metrics = String::from_utf8(metrics).expect("it is text");
    let begin = format!("dragoman_{name}{{webhook=\"hook\"{labels}}} ");
    let value = metrics.lines().find_map(|line| line.strip_prefix(&begin));
    value.unwrap_or_else(|| panic!("no {begin}in {metrics}")).parse().expect("a number")
}
