//! From the configuration in effect to another one, while the gateway runs.
//!
//! A front end whose own keys and code are unchanged goes on, with new settings for new
//! connections. One that must be made anew takes over the listeners of its predecessor, which stay
//! open; the predecessor is drained like a front end that was removed.

mod admin;
mod changes;
mod frontends;
mod plan;
mod preview;

use std::sync::Arc;

use core_model::NewRoom;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::config::Config;
use crate::logging;
use crate::runtime::net::state::GatewayState;
use crate::runtime::start;
use crate::webhooks::WebhookConfig;
use changes::changed_of_gateway;

pub(crate) use changes::StartupKeys;
pub(crate) use preview::preview;

/// Replaces `running` by `new`. Returns what did not work; it is logged, and as before or retried,
/// and `running` is what is in effect.
pub(crate) async fn apply(
    state: &Arc<GatewayState>,
    running: &mut Config,
    at_start: &StartupKeys,
    mut new: Config,
) -> Vec<String> {
    let restart = at_start.differences(&StartupKeys::of(&new));
    state.services.metrics.set_restart_pending(!restart.is_empty());
    for key in &restart {
        tracing::warn!(key, "changed, and takes effect at the next start");
    }
    state.change_registry(|registry| registry.restart = restart);
    apply_to_gateway(state, running, &new);
    warn_of_plugins_on_one_thread(running, &new);
    let mut failures = declare_rooms(state, &running.rooms, &new.rooms).await;
    for why in start::closed_auto_joins(&state.services.engine, &new) {
        tracing::error!("{why}; the next start will fail");
        failures.push(why);
    }
    let (effective, unopened) = frontends::apply(state, &running.frontends, &new).await;
    new.frontends = effective;
    failures.extend(unopened);
    failures.extend(admin::apply(state, &running.admin, &mut new.admin).await);
    failures.extend(apply_webhooks(state, &new.webhooks).await);
    *running = new;
    failures
}

/// Returns why one cannot run, which is logged.
async fn apply_webhooks(state: &GatewayState, webhooks: &[WebhookConfig]) -> Option<String> {
    match state.webhooks.apply(&state.services, webhooks).await {
        Ok(true) => None,
        Ok(false) => Some("a webhook cannot run; the log says why".into()),
        Err(why) => {
            let what = format!("the store refuses the webhooks, so none is changed: {why}");
            tracing::error!("{what}");
            Some(what)
        }
    }
}

/// A gateway that started without a plugin and with one thread has no thread to hand other tasks
/// to.
fn warn_of_plugins_on_one_thread(running: &Config, new: &Config) {
    let is_single = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    let has_plugin = |config: &Config| config.frontends.iter().any(|one| one.plugin.is_some());
    if is_single && has_plugin(new) && !has_plugin(running) {
        tracing::warn!(
            "a plugin is loaded while there is one network thread: until the next start, a call \
             that blocks stops all connections"
        );
    }
}

/// What all front ends share.
fn apply_to_gateway(state: &GatewayState, running: &Config, new: &Config) {
    let former = &running.server;
    let server = &new.server;
    if former.log.filter != server.log.filter {
        logging::refilter(&server.log.filter);
    }
    for key in changed_of_gateway(running, new) {
        tracing::info!(key, "changed");
    }
    state.services.renew_external_auth(&new.auth);
    state.services.recent.set_capacity(new.admin.trace);
    if !new.admin.playground {
        state.players.close_all();
    }
    state.change_registry(|registry| {
        registry.drain_timeout = server.drain_timeout;
        registry.trusted_proxies.clone_from(&server.trusted_proxies);
        registry.well_known = server.well_known;
        registry.api_page = new.admin.api_page;
        registry.playground = new.admin.playground;
        registry.console = new.admin.console;
        registry.admin_hosts = new.admin.hosts.as_slice().into();
    });
}

/// Makes the rooms that are newly configured. Returns why one cannot be made.
async fn declare_rooms(state: &GatewayState, former: &[NewRoom], rooms: &[NewRoom]) -> Vec<String> {
    let mut failures = Vec::new();
    for room in rooms.iter().filter(|room| !former.contains(room)) {
        if let Err(error) = start::declare(&state.services, room).await {
            tracing::error!("{error}");
            failures.push(error.to_string());
        }
    }
    failures
}
