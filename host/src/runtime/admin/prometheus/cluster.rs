//! The metrics of a gateway's place in its cluster. One without a cluster has none of them.

use std::fmt::Write as _;

use super::{head, sample};
use crate::runtime::session::services::Services;

pub(super) fn render(text: &mut String, services: &Services) {
    let Some(cluster) = &services.cluster else { return };
    let node = &cluster.node;
    let mut one = |name: &str, kind: &str, help: &str, value: u64| {
        head(text, name, kind, help);
        writeln!(text, "dragoman_{name} {value}").expect("it fits in memory");
    };
    let (applied, last) = node.positions().unwrap_or_default();
    one("cluster_run", "gauge", "The number of this gateway's run, 0 for none.", node.run());
    one("cluster_position", "gauge", "The last entry of the log that is applied.", applied);
    one("cluster_lag_entries", "gauge", "Entries of the log to be applied.", last - applied);
    let help = "Time since something of the log was applied; entries come each second.";
    one("cluster_log_age_seconds", "gauge", help, node.age().as_secs());
    let help = "Whether commands are refused, as the log cannot be reached.";
    one("cluster_cut_off", "gauge", help, node.is_cut_off().into());
    let help = "Whether this gateway does what one of the cluster does for all.";
    one("cluster_steward", "gauge", help, services.is_steward().into());
    let help = "Entries that were sent to the log again.";
    one("cluster_resent_total", "counter", help, node.resent());
    let counts = node.counts();
    one("cluster_own_entries_total", "counter", "Applied entries of this gateway.", counts.own);
    let name = "cluster_entries_total";
    head(text, name, "counter", "Entries of the log that were read, by what became of them.");
    for (fate, value) in [
        ("applied", counts.applied),
        ("repeated", counts.repeated),
        ("early", counts.early),
        ("ended", counts.ended),
    ] {
        sample(text, name, &format!("fate=\"{fate}\""), value);
    }
}
