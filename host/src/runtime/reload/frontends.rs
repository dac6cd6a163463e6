//! Replaces the front ends and their listeners.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tokio::time::{Instant, sleep_until, timeout_at};

use crate::config::{Config, FrontendConfig};
use crate::runtime::frontends::instance::{FrontendHandle, FrontendInstance};
use crate::runtime::net::accept;
use crate::runtime::net::bind::ListenSocket;
use crate::runtime::net::listener::{BoundListener, ListenerBinding, ListenerKey};
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;
use crate::runtime::reload::changes::{Fate, addresses};
use crate::runtime::reload::plan::Plan;
use crate::runtime::start::{self, WantedListener};

/// The front ends after a reload.
#[derive(Default)]
struct Renewed {
    /// The sections in effect, one per front end.
    configs: Vec<FrontendConfig>,
    frontends: Vec<Arc<FrontendHandle>>,
    /// Those that are new or have new addresses.
    to_announce: Vec<Arc<FrontendHandle>>,
}

/// Returns the sections in effect, and what is not as configured.
pub(super) async fn apply(
    state: &Arc<GatewayState>,
    former: &[FrontendConfig],
    new: &Config,
) -> (Vec<FrontendConfig>, Vec<String>) {
    let registry = state.registry();
    let Plan { wanted, kept, bound, .. } = Plan::of(&registry, former, new);
    for (frontend, why) in &kept {
        tracing::error!(frontend, "keeping the previous configuration: {why}");
    }
    let renewed = renew(state, &registry, former, wanted);
    let mut failures: Vec<String> =
        kept.iter().map(|(frontend, why)| format!("frontends.{frontend}: {why}")).collect();
    let wanted = renew_listeners(state, &registry, &renewed, bound);
    let RenewedListeners { listeners, unopened, failed } = wanted;
    failures.extend(failed);
    let is_kept =
        |listener: &&Arc<BoundListener>| listeners.iter().any(|kept| Arc::ptr_eq(kept, listener));
    let closing = registry.listeners.iter().filter(|listener| !is_kept(listener));
    let closing: Vec<_> = closing.cloned().collect();
    let leaving = leaving(&registry, &renewed);
    let deadline = Instant::now() + registry.drain_timeout;
    // Held references keep removed front ends from being freed.
    drop(registry);
    state.change_registry(|registry| {
        registry.frontends = renewed.frontends;
        registry.listeners.clone_from(&listeners);
        registry.draining.extend(leaving.iter().cloned());
        registry.kept = kept;
    });
    close(state, closing, deadline).await;
    failures.extend(open(state, unopened));
    start::announce(&renewed.to_announce, &listeners);
    for instance in leaving {
        instance.drain();
        state.spawn_background(drain_instance(state.clone(), instance, deadline));
    }
    (renewed.configs, failures)
}

fn renew(
    state: &GatewayState,
    registry: &FrontendRegistry,
    former: &[FrontendConfig],
    wanted: Vec<FrontendConfig>,
) -> Renewed {
    let mut taken: BTreeSet<u16> = registry.instances().map(|one| one.index).collect();
    let mut renewed = Renewed::default();
    for config in wanted {
        let before = former.iter().find(|before| before.name == config.name);
        let current = before.zip(registry.named(&config.name));
        let fate = Fate::of(current, &config);
        fate.log(&config.name, current.map(|(before, _)| before), &config);
        let moves = before.map(addresses) != Some(addresses(&config));
        let (config, frontend) = match (fate, current) {
            (Fate::Unchanged, Some((before, frontend))) => (before.clone(), frontend.clone()),
            (Fate::Reconfigured, Some((before, frontend))) => {
                let code = (before.frontend.clone(), before.plugin.clone());
                let config = FrontendConfig { frontend: code.0, plugin: code.1, ..config };
                let frontend = Arc::new(frontend.reconfigured(&config));
                (config, frontend)
            }
            _ => {
                let frontend = new_instance(state, registry, free_index(&mut taken), &config);
                (config, frontend)
            }
        };
        if matches!(fate, Fate::New | Fate::Replaced) || moves {
            renewed.to_announce.push(frontend.clone());
        }
        renewed.configs.push(config);
        renewed.frontends.push(frontend);
    }
    renewed
}

fn new_instance(
    state: &GatewayState,
    registry: &FrontendRegistry,
    index: u16,
    config: &FrontendConfig,
) -> Arc<FrontendHandle> {
    let current = registry.named(&config.name).map(|frontend| frontend.instance());
    // One that still drains shares its metrics and limits too.
    let draining = || registry.draining.iter().find(|one| one.name == config.name);
    let former = current.or_else(draining).map(|instance| &**instance);
    let frontend = Arc::new(FrontendHandle::new(index, config, former));
    state.services.hub.add_frontend(index, start::encoder(&frontend));
    frontend
}

fn free_index(taken: &mut BTreeSet<u16>) -> u16 {
    let free = (0..=u16::MAX).find(|index| !taken.contains(index));
    let free = free.expect("there are fewer front ends than indices");
    taken.insert(free);
    free
}

/// The instances that are removed or replaced.
fn leaving(registry: &FrontendRegistry, renewed: &Renewed) -> Vec<Arc<FrontendInstance>> {
    let stays = |instance: &Arc<FrontendInstance>| {
        renewed.frontends.iter().any(|one| Arc::ptr_eq(one.instance(), instance))
    };
    let before = registry.frontends.iter().map(|frontend| frontend.instance().clone());
    let leaving: Vec<_> = before.filter(|instance| !stays(instance)).collect();
    for instance in &leaving {
        if !renewed.configs.iter().any(|config| config.name == instance.name) {
            let frontend = &instance.name;
            tracing::info!(frontend, "disabled; draining its connections");
        }
    }
    leaving
}

/// The listeners after a reload.
#[derive(Default)]
struct RenewedListeners {
    listeners: Vec<Arc<BoundListener>>,
    /// Those that are not open yet.
    unopened: Vec<Arc<BoundListener>>,
    /// What could not be changed.
    failed: Vec<String>,
}

fn renew_listeners(
    state: &Arc<GatewayState>,
    registry: &FrontendRegistry,
    renewed: &Renewed,
    mut bound: BTreeMap<ListenerKey, ListenSocket>,
) -> RenewedListeners {
    let mut after = RenewedListeners::default();
    let wanted = start::wanted_listeners(renewed.frontends.iter().zip(&renewed.configs));
    for WantedListener { key, options, behind } in wanted {
        let bindings = start::bindings(&behind);
        let current = registry.listeners.iter().find(|one| one.key == key && one.is_usable());
        if let Some(listener) = current {
            after.failed.extend(listener.set_options(options).err());
            if !are_same(&listener.bindings(), &bindings) {
                listener.rebind(bindings);
            }
            after.listeners.push(listener.clone());
            continue;
        }
        let listener = Arc::new(BoundListener::new(key, options, bindings, state.shutdown.child()));
        let socket = bound.remove(&listener.key);
        let open = |socket| accept::open_with(&listener, socket, state);
        if socket.is_none_or(|socket| open(socket).is_err()) {
            after.unopened.push(listener.clone());
        }
        after.listeners.push(listener);
    }
    after
}

fn are_same(before: &[Arc<ListenerBinding>], wanted: &[Arc<ListenerBinding>]) -> bool {
    let is_same = |(before, wanted): (&Arc<ListenerBinding>, &Arc<ListenerBinding>)| {
        Arc::ptr_eq(&before.frontend, &wanted.frontend)
            && before.listener.key == wanted.listener.key
    };
    before.len() == wanted.len() && before.iter().zip(wanted).all(is_same)
}

/// Opens the listeners that could not be opened before others were closed. One that fails is
/// retried, as at the start. Returns why.
fn open(state: &Arc<GatewayState>, listeners: Vec<Arc<BoundListener>>) -> Vec<String> {
    let mut failures = Vec::new();
    for listener in listeners {
        if let Err(error) = accept::open(&listener, state) {
            listener.log_bind_error(&error);
            failures.push(format!("cannot listen on {}: {error}", listener.key.address));
            state.spawn(accept::retry_bind(listener, state.clone(), accept::open));
        }
    }
    failures
}

/// Closes listeners, and later the HTTP connections that they accepted.
async fn close(state: &GatewayState, listeners: Vec<Arc<BoundListener>>, deadline: Instant) {
    listeners.iter().for_each(|listener| listener.close());
    for listener in &listeners {
        listener.until_closed().await;
    }
    if listeners.is_empty() {
        return;
    }
    // Not the listeners themselves: their bindings keep front ends from being freed.
    let shutdowns: Vec<_> = listeners.iter().map(|listener| listener.shutdown.clone()).collect();
    let gateway = state.shutdown.clone();
    state.spawn_background(async move {
        tokio::select! {
            () = sleep_until(deadline) => shutdowns.iter().for_each(|shutdown| shutdown.stop()),
            () = gateway.stopping() => (),
        }
    });
}

/// Waits until a draining instance has no connections, and removes it from the registry.
async fn drain_instance(
    state: Arc<GatewayState>,
    instance: Arc<FrontendInstance>,
    deadline: Instant,
) {
    let frontend = &instance.name;
    let gone = async {
        let is_gone = timeout_at(deadline, instance.until_gone()).await.is_ok();
        // At the deadline HTTP connections are closed too, and may be gone before this task knows.
        if !is_gone || Instant::now() >= deadline {
            let connections = instance.stream_count();
            tracing::warn!(
                frontend,
                connections,
                "drain timeout reached, closing remaining connections"
            );
        }
        if !is_gone {
            instance.abort();
            instance.until_gone().await;
        }
    };
    tokio::select! {
        () = gone => (),
        () = state.shutdown.stopping() => return,
    }
    state.services.hub.remove_frontend(instance.index);
    state.change_registry(|registry| {
        registry.draining.retain(|draining| !Arc::ptr_eq(draining, &instance));
    });
    tracing::info!(frontend, "drained");
}
