//! What is installed and how full it is: the program, its front ends, its queues, its store.

use super::{escaped, head, line, sample};
use crate::disk_space::free_bytes;
use crate::runtime::net::state::GatewayState;
use crate::version::{COMMIT, TARGET, VERSION};

pub(super) fn render(text: &mut String, state: &GatewayState) {
    let services = &state.services;
    let name = "build_info";
    head(text, name, "gauge", "The version of the program, and what it was built for.");
    let commit = COMMIT.unwrap_or_default();
    let labels = format!("version=\"{VERSION}\",commit=\"{commit}\",target=\"{TARGET}\"");
    sample(text, name, &labels, 1);
    let name = "frontend_info";
    head(text, name, "gauge", "The dialect of each front end.");
    for frontend in &state.registry().frontends {
        let dialect = escaped(&frontend.frontend.manifest().dialect);
        let is_plugin = frontend.instance().is_plugin();
        let frontend = &frontend.name;
        let labels =
            format!("frontend=\"{frontend}\",dialect=\"{dialect}\",plugin=\"{is_plugin}\"");
        sample(text, name, &labels, 1);
    }
    let mut gauge = |name: &str, help: &str, value: u64| {
        head(text, name, "gauge", help);
        line(text, format_args!("dragoman_{name} {value}"));
    };
    gauge(
        "restart_pending",
        "Whether keys were changed that take effect at the next start.",
        services.metrics.is_restart_pending().into(),
    );
    let waiting = services.engine.waiting() as u64;
    gauge("queue_commands", "Commands that wait for the engine.", waiting);
    let undelivered = services.hub.undelivered() as u64;
    let help = "Commands that are durable and not delivered yet.";
    gauge("undelivered_commands", help, undelivered);
    if let Ok(metadata) = std::fs::metadata(&services.store) {
        gauge("store_bytes", "Size of the file of the store.", metadata.len());
    }
    if let Ok(free) = free_bytes(&services.store) {
        gauge("store_free_bytes", "Free space of the file system of the store.", free);
    }
}
