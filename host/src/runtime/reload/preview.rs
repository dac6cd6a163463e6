//! What a reload would do, told without doing it.

use std::sync::Arc;

use crate::admin::types::{ConfigPlan, FrontendFate, FrontendPlan, ListenerFate, ListenerPlan};
use crate::config::{Config, EndpointOptions, FrontendConfig, ListenAddress, is_in_the_way};
use crate::runtime::net::bind::bind;
use crate::runtime::net::listener::BoundListener;
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;
use crate::runtime::reload::changes::{Changes, Fate, StartupKeys, changed_of_gateway};
use crate::runtime::reload::plan::Plan;
use crate::runtime::start::{self, WantedListener};

/// Tells what [`apply`](super::apply) would do. New addresses are bound for a moment.
pub(crate) fn preview(
    state: &GatewayState,
    running: &Config,
    at_start: &StartupKeys,
    new: &Config,
) -> ConfigPlan {
    let registry = state.registry();
    let plan = Plan::of(&registry, &running.frontends, new);
    let mut listeners = listeners(&registry, &plan.wanted);
    let failed = plan.failed.iter().map(|(name, why)| (name, why));
    let failed = plan.kept.iter().chain(failed);
    let mut problems: Vec<String> =
        failed.map(|(name, why)| format!("frontends.{name}: {why}")).collect();
    problems.extend(admin(&registry, running, new, &mut listeners));
    let new_rooms = new.rooms.iter().filter(|room| !running.rooms.contains(room));
    let refused =
        new_rooms.filter_map(|room| start::check_room(&state.services.engine, room).err());
    problems.extend(refused.map(|error| error.to_string()));
    problems.extend(start::closed_auto_joins(&state.services.engine, new));
    let removed = running.frontends.iter().filter(|before| !is_in(before, &new.frontends));
    let frontends = new.frontends.iter().map(|wanted| frontend(&registry, running, &plan, wanted));
    let frontends = frontends.chain(removed.map(|before| removed_frontend(&registry, before)));
    let restart = at_start.differences(&StartupKeys::of(new));
    ConfigPlan {
        frontends: frontends.collect(),
        listeners,
        changed: others_changed(running, new),
        restart: restart.into_iter().map(str::to_owned).collect(),
        problems,
        warnings: Vec::new(),
    }
}

fn is_in(frontend: &FrontendConfig, all: &[FrontendConfig]) -> bool {
    all.iter().any(|one| one.name == frontend.name)
}

fn others_changed(running: &Config, new: &Config) -> Vec<String> {
    let mut keys = changed_of_gateway(running, new);
    let has_new_rooms = new.rooms.iter().any(|room| !running.rooms.contains(room));
    keys.extend(has_new_rooms.then_some("rooms"));
    keys.extend((running.webhooks != new.webhooks).then_some("webhooks"));
    let tls = |config: &Config| config.admin.tls_listen.as_ref().map(|(_, tls)| tls.clone());
    keys.extend((tls(running) != tls(new)).then_some("admin.tls"));
    keys.into_iter().map(str::to_owned).collect()
}

fn frontend(
    registry: &FrontendRegistry,
    running: &Config,
    plan: &Plan,
    wanted: &FrontendConfig,
) -> FrontendPlan {
    let before = running.frontends.iter().find(|before| before.name == wanted.name);
    let current = before.zip(registry.named(&wanted.name));
    let kept = plan.kept.get(&wanted.name);
    let failed = plan.failed.iter().find(|(name, _)| *name == wanted.name).map(|(_, why)| why);
    let fate = match Fate::of(current, wanted) {
        _ if kept.is_some() => FrontendFate::Kept,
        _ if failed.is_some() => FrontendFate::CannotListen,
        Fate::New => FrontendFate::Added,
        Fate::Unchanged => FrontendFate::Untouched,
        Fate::Reconfigured => FrontendFate::NewSettings,
        Fate::Replaced => FrontendFate::Replaced,
    };
    let is_replaced = fate == FrontendFate::Replaced;
    let replaced = current.map(|(_, frontend)| frontend.instance()).filter(|_| is_replaced);
    FrontendPlan {
        name: wanted.name.clone(),
        dialect: wanted.dialect().to_owned(),
        fate,
        keys: before.map(|before| Changes::of(before, wanted).keys).unwrap_or_default(),
        drops: replaced.map_or(0, |instance| count(instance.stream_count())),
        why: kept.or(failed).cloned(),
    }
}

fn removed_frontend(registry: &FrontendRegistry, before: &FrontendConfig) -> FrontendPlan {
    let running = registry.named(&before.name).map(|frontend| frontend.instance());
    FrontendPlan {
        name: before.name.clone(),
        dialect: before.dialect().to_owned(),
        fate: FrontendFate::Removed,
        keys: Vec::new(),
        drops: running.map_or(0, |instance| count(instance.stream_count())),
        why: None,
    }
}

fn count(connections: usize) -> u32 {
    u32::try_from(connections).unwrap_or(u32::MAX)
}

/// What becomes of the listeners of front ends.
fn listeners(registry: &FrontendRegistry, wanted: &[FrontendConfig]) -> Vec<ListenerPlan> {
    let mut plans = Vec::new();
    let mut staying: Vec<&Arc<BoundListener>> = Vec::new();
    let names = wanted.iter().map(|config| &config.name);
    for WantedListener { key, options, behind } in start::wanted_listeners(names.zip(wanted)) {
        let current = registry.listeners.iter().find(|one| one.key == key && one.is_usable());
        staying.extend(current);
        let fate = match current {
            None => ListenerFate::Opened,
            Some(open) if open.acceptance().options == options => ListenerFate::Untouched,
            Some(_) => ListenerFate::NewSettings,
        };
        let bound = current.and_then(|listener| listener.bound());
        plans.push(ListenerPlan {
            address: bound.unwrap_or(key.address).to_string(),
            frontends: behind.iter().map(|(name, ..)| (*name).clone()).collect(),
            fate,
            drops: 0,
        });
    }
    let stays = |one: &Arc<BoundListener>| staying.iter().any(|other| Arc::ptr_eq(one, other));
    plans.extend(registry.listeners.iter().filter(|one| !stays(one)).map(|one| closed(one)));
    plans
}

fn closed(listener: &BoundListener) -> ListenerPlan {
    let bindings = listener.bindings();
    let names = bindings.iter().map(|binding| binding.frontend.name.as_str());
    ListenerPlan {
        address: shown(listener),
        frontends: names.map(str::to_owned).collect(),
        fate: ListenerFate::Closed,
        drops: listener.http_connections(),
    }
}

/// Adds what becomes of the admin listeners. Returns why a new address cannot be bound.
fn admin(
    registry: &FrontendRegistry,
    running: &Config,
    new: &Config,
    listeners: &mut Vec<ListenerPlan>,
) -> Vec<String> {
    let tls =
        |config: &Config| config.admin.tls_listen.as_ref().map(|(address, _)| address.clone());
    let slots = [
        ("admin.listen", &registry.admin, running.admin.listen.clone(), new.admin.listen.clone()),
        ("admin.tls_listen", &registry.admin_tls, tls(running), tls(new)),
    ];
    // Their addresses are free before the new ones are bound.
    let is_closing = |one: &&Arc<BoundListener>| {
        let plan = listeners.iter().find(|plan| plan.address == shown(one));
        plan.is_some_and(|plan| plan.fate == ListenerFate::Closed)
    };
    let moving = slots.iter().filter(|(_, _, was, is)| was != is);
    let moving = moving.filter_map(|(_, open, ..)| open.as_ref());
    let closing = registry.listeners.iter().filter(is_closing).chain(moving);
    let closing: Vec<ListenAddress> = closing.filter_map(|listener| listener.bound()).collect();
    let mut problems = Vec::new();
    for (key, open, was, is) in slots {
        let mut note = |address: String, fate| {
            let frontends = vec!["admin".to_owned()];
            listeners.push(ListenerPlan { address, frontends, fate, drops: 0 });
        };
        if was == is {
            open.iter().for_each(|listener| note(shown(listener), ListenerFate::Untouched));
            continue;
        }
        open.iter().for_each(|listener| note(shown(listener), ListenerFate::Closed));
        let Some(address) = is else { continue };
        note(address.to_string(), ListenerFate::Opened);
        let waits = closing.iter().any(|closing| is_in_the_way(closing, &address));
        if !waits && let Err(error) = bind(&address, &EndpointOptions::default()) {
            problems.push(format!("{key}: cannot listen on {address}: {error}"));
        }
    }
    problems
}

fn shown(listener: &BoundListener) -> String {
    listener.bound().unwrap_or_else(|| listener.key.address.clone()).to_string()
}
