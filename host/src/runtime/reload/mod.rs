//! From the configuration in effect to another one, while the gateway runs.
//!
//! A front end whose own keys and code are unchanged goes on, with new settings for new
//! connections. One that must be made anew takes over the listeners of its predecessor, which stay
//! open; the predecessor is drained like a front end that was removed.

mod admin;
mod changes;
mod frontends;
mod plan;

use std::sync::Arc;

use core_model::NewRoom;
use tokio::runtime::{Handle, RuntimeFlavor};

use crate::config::Config;
use crate::logging;
use crate::runtime::net::state::GatewayState;
use crate::runtime::start;
use crate::webhooks::WebhookConfig;
use changes::changed;

pub(crate) use changes::StartupKeys;

/// Replaces `running` by `new`. False: a part did not work; it is logged, and as before or retried,
/// and `running` is what is in effect.
pub(crate) async fn apply(
    state: &Arc<GatewayState>,
    running: &mut Config,
    at_start: &StartupKeys,
    mut new: Config,
) -> bool {
    let pending = at_start.differences(&StartupKeys::of(&new));
    state.services.metrics.set_restart_pending(!pending.is_empty());
    for key in pending {
        tracing::warn!(key, "changed, and takes effect at the next start");
    }
    apply_to_gateway(state, running, &new);
    warn_of_plugins_on_one_thread(running, &new);
    let all_rooms = declare_rooms(state, &running.rooms, &new.rooms).await;
    let all_joinable = check_auto_joins(state, &new);
    let (effective, all_frontends) = frontends::apply(state, &running.frontends, &new).await;
    new.frontends = effective;
    let admin = admin::apply(state, &running.admin, &mut new.admin).await;
    let all_webhooks = apply_webhooks(state, &new.webhooks).await;
    *running = new;
    all_rooms && all_joinable && all_frontends && admin && all_webhooks
}

/// False: one cannot run, which is logged.
async fn apply_webhooks(state: &GatewayState, webhooks: &[WebhookConfig]) -> bool {
    state.webhooks.apply(&state.services, webhooks).await.unwrap_or_else(|why| {
        tracing::error!("the store refuses the webhooks, so none is changed: {why}");
        false
    })
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
    for key in changed([
        ("server.drain_timeout", former.drain_timeout != server.drain_timeout),
        ("server.log.filter", former.log.filter != server.log.filter),
        ("server.trusted_proxies", former.trusted_proxies != server.trusted_proxies),
        ("server.well_known", former.well_known != server.well_known),
        ("admin.api_page", running.admin.api_page != new.admin.api_page),
    ]) {
        tracing::info!(key, "changed");
    }
    if running.auth != new.auth {
        tracing::info!(key = "auth", "changed");
    }
    state.services.renew_external_auth(&new.auth);
    state.change_registry(|registry| {
        registry.drain_timeout = server.drain_timeout;
        registry.trusted_proxies.clone_from(&server.trusted_proxies);
        registry.well_known = server.well_known;
        registry.api_page = new.admin.api_page;
    });
}

/// Looks for closed groups in `auto_join`, which a start refuses. False: there is one; users do not
/// join it.
fn check_auto_joins(state: &GatewayState, new: &Config) -> bool {
    let mut all = true;
    for frontend in &new.frontends {
        if let Err(error) = start::check_auto_join(&state.services.engine, frontend) {
            tracing::error!("{error}; the next start will fail");
            all = false;
        }
    }
    all
}

/// Makes the rooms that are newly configured. False: one cannot be made.
async fn declare_rooms(state: &GatewayState, former: &[NewRoom], rooms: &[NewRoom]) -> bool {
    let mut all = true;
    for room in rooms.iter().filter(|room| !former.contains(room)) {
        if let Err(error) = start::declare(&state.services, room).await {
            tracing::error!("{error}");
            all = false;
        }
    }
    all
}
