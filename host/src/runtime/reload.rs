//! From the configuration in effect to another one, while the gateway runs.
//!
//! A front end whose own keys and code are the same goes on, at most on other terms for those who
//! come from now on. One that is made anew takes the place of the former at its doors, which stay
//! open; the former, as one that is no longer wanted, is drained and then gone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use core_model::NewRoom;
use tokio::net::TcpListener;
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::time::{sleep, timeout};

use crate::config::{Config, FrontendConfig, LogFormat, StoreConfig, collide, is_in_the_way};
use crate::logging;
use crate::plugin::Loaded;
use crate::runtime::frontends::instance::{Served, Standing};
use crate::runtime::net::listener::{Door, Entrance, Held, Loosely, Place};
use crate::runtime::net::registry::Roster;
use crate::runtime::session::services::Phase;
use crate::runtime::start;

/// What of a configuration stays until the next start.
#[derive(Clone)]
pub(crate) struct Fixed {
    threads: usize,
    password_threads: usize,
    format: LogFormat,
    store: StoreConfig,
}

impl Fixed {
    pub(crate) fn of(config: &Config) -> Self {
        Self {
            threads: config.server.threads,
            password_threads: config.server.password_threads,
            format: config.server.log.format,
            store: config.store.clone(),
        }
    }

    /// The keys that say something else there.
    fn differs(&self, other: &Self) -> Vec<&'static str> {
        let (store, other_store) = (&self.store, &other.store);
        let per_room = (store.keep_messages_per_room, other_store.keep_messages_per_room);
        changed([
            ("server.threads", self.threads != other.threads),
            ("server.password_threads", self.password_threads != other.password_threads),
            ("server.log.format", self.format != other.format),
            ("store.path", store.path != other_store.path),
            ("store.cache_bytes", store.cache_bytes != other_store.cache_bytes),
            ("store.queue_max", store.queue_max != other_store.queue_max),
            ("store.keep_days", store.keep_days != other_store.keep_days),
            ("store.keep_messages_per_room", per_room.0 != per_room.1),
        ])
    }
}

/// What becomes of a front end that the configuration has.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    New,
    Same,
    /// It goes on, and those who come from now on are served on other terms.
    OtherTerms,
    /// Another takes its place.
    Replaced,
}

/// Puts `new` in the place of `running`. False: something of it did not work, is in the log, and
/// is as it was or tried again; `running` says what is in effect.
pub(crate) async fn apply(
    held: &Held,
    running: &mut Config,
    fixed: &Fixed,
    mut new: Config,
) -> bool {
    for key in fixed.differs(&Fixed::of(&new)) {
        tracing::warn!(key, "it was changed, and takes effect at the next start");
    }
    apply_to_the_gateway(held, running, &new);
    warn_of_plugins_on_one_thread(running, &new);
    let rooms = declare(held, &running.rooms, &new.rooms).await;
    let (frontends, all) = apply_to_frontends(held, &running.frontends, &new).await;
    new.frontends = frontends;
    let admin = apply_to_admin(held, running.admin.listen, new.admin.listen).await;
    if !admin {
        new.admin.listen = running.admin.listen;
    }
    *running = new;
    rooms && all && admin
}

/// A gateway that starts without a plugin and with one thread has none to hand its other tasks to.
fn warn_of_plugins_on_one_thread(running: &Config, new: &Config) {
    let is_single = Handle::current().runtime_flavor() == RuntimeFlavor::CurrentThread;
    let has_plugin = |config: &Config| config.frontends.iter().any(|one| one.plugin.is_some());
    if is_single && has_plugin(new) && !has_plugin(running) {
        tracing::warn!(
            "a plugin is loaded while there is one thread: until the next start, everybody waits \
             when it blocks"
        );
    }
}

/// What is the same for all front ends.
fn apply_to_the_gateway(held: &Held, running: &Config, new: &Config) {
    let (former, server) = (&running.server, &new.server);
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
    held.shared.change_roster(|roster| {
        roster.drain_timeout = server.drain_timeout;
        roster.trusted_proxies.clone_from(&server.trusted_proxies);
        roster.well_known = server.well_known;
        roster.api_page = new.admin.api_page;
    });
}

/// Makes the rooms that must exist now and did not have to. False: one cannot be made.
async fn declare(held: &Held, former: &[NewRoom], rooms: &[NewRoom]) -> bool {
    let mut all = true;
    for room in rooms.iter().filter(|room| !former.contains(room)) {
        if let Err(error) = start::declare(&held.shared, room).await {
            tracing::error!("{error}");
            all = false;
        }
    }
    all
}

/// The front ends that are in effect then, and whether they are all as they are wanted.
async fn apply_to_frontends(
    held: &Held,
    former: &[FrontendConfig],
    new: &Config,
) -> (Vec<FrontendConfig>, bool) {
    let shared = &held.shared;
    let roster = shared.roster();
    let admin = roster.admin.as_ref();
    let admin_moves = admin.filter(|admin| Some(admin.place.address) != new.admin.listen);
    let plan = Plan::make(&roster, former, new.frontends.clone(), admin_moves);
    let Plan { wanted, kept, mut bound } = plan;
    let mut taken: BTreeSet<u16> = roster.everyone().map(|standing| standing.index).collect();
    let (mut effective, mut frontends, mut to_announce) = (Vec::new(), Vec::new(), Vec::new());
    for config in wanted {
        let before = former.iter().find(|before| before.name == config.name);
        let before = before.zip(roster.named(&config.name));
        let fate = fate(before, &config);
        log(&config.name, fate, before.map(|(before, _)| before), &config);
        let (config, served) = match (fate, before) {
            (Fate::Same, Some((before, served))) => (before.clone(), served.clone()),
            (Fate::OtherTerms, Some((before, served))) => {
                let (frontend, plugin) = (before.frontend.clone(), before.plugin.clone());
                let config = FrontendConfig { frontend, plugin, ..config };
                let served = Arc::new(served.on_terms_of(&config));
                (config, served)
            }
            _ => {
                let index = free_index(&mut taken);
                let before = before.map(|(_, served)| served.standing());
                // One that is not gone yet counts for it too.
                let leaving = || roster.leaving.iter().find(|one| one.name == config.name);
                let before = before.or_else(leaving);
                let served = Arc::new(Served::new(index, &config, before.map(|one| &**one)));
                shared.hub.introduce(index, served.voice());
                (config, served)
            }
        };
        let moves = before_listeners(former, &config.name) != Some(addresses(&config));
        if matches!(fate, Fate::New | Fate::Replaced) || moves {
            to_announce.push(served.clone());
        }
        effective.push(config);
        frontends.push(served);
    }

    let places = start::places(frontends.iter().zip(&effective));
    let (mut doors, mut unopened) = (Vec::new(), Vec::new());
    for (place, behind) in places {
        let entrances = start::entrances(&behind);
        let door = roster.doors.iter().find(|door| door.place == place && door.is_of_use());
        if let Some(door) = door {
            if !leads_to_the_same(&door.entrances(), &entrances) {
                door.lead_to(entrances);
            }
            doors.push(door.clone());
            continue;
        }
        let door = Arc::new(Door::new(place, entrances));
        let listener = bound.remove(&door.place);
        if listener.is_none_or(|listener| door.open_with(listener, held).is_err()) {
            unopened.push(door.clone());
        }
        doors.push(door);
    }
    let is_kept = |door: &&Arc<Door>| doors.iter().any(|kept| Arc::ptr_eq(kept, door));
    let closing: Vec<_> = roster.doors.iter().filter(|door| !is_kept(door)).cloned().collect();
    let stays = |standing: &Arc<Standing>| {
        frontends.iter().any(|served| Arc::ptr_eq(served.standing(), standing))
    };
    let before = roster.frontends.iter().map(|served| served.standing().clone());
    let leaving: Vec<_> = before.filter(|standing| !stays(standing)).collect();
    for standing in &leaving {
        if !effective.iter().any(|config| config.name == standing.name) {
            let frontend = &standing.name;
            tracing::info!(frontend, "disabled; those who are connected are drained");
        }
    }
    let (drain_timeout, all) = (roster.drain_timeout, kept.is_empty());
    drop(roster);
    shared.change_roster(|roster| {
        roster.frontends = frontends;
        roster.doors.clone_from(&doors);
        roster.leaving.extend(leaving.iter().cloned());
        roster.kept = kept;
    });
    close(held, closing, drain_timeout).await;
    let all = open(held, unopened) && all;
    start::announce(&to_announce, &doors);
    for standing in leaving {
        standing.drain();
        tokio::spawn(see_off(held.loosely(), standing, drain_timeout));
    }
    (effective, all)
}

/// Opens what could not be opened before others were closed. What cannot be opened now either is
/// tried again, as at the start.
fn open(held: &Held, doors: Vec<Arc<Door>>) -> bool {
    let mut all = true;
    for door in doors {
        if let Err(error) = door.open(held) {
            door.complain(&error);
            tokio::spawn(door.keep_trying(held.clone()));
            all = false;
        }
    }
    all
}

/// Closes doors, and ends the HTTP connections that came in by them, in time.
async fn close(held: &Held, doors: Vec<Arc<Door>>, drain_timeout: Duration) {
    doors.iter().for_each(|door| door.close());
    for door in &doors {
        door.until_closed().await;
    }
    if !doors.is_empty() {
        let loosely = held.loosely();
        // Those behind a door are gone when nobody who came in by it is there.
        let doors: Vec<_> = doors.iter().map(Arc::downgrade).collect();
        tokio::spawn(async move {
            let mut phase = loosely.shared.phase.subscribe();
            tokio::select! {
                () = sleep(drain_timeout) => {
                    doors.iter().filter_map(Weak::upgrade).for_each(|door| door.give_up());
                }
                _ = phase.wait_for(|phase| *phase == Phase::Over) => (),
            }
        });
    }
}

/// Waits until a front end that drains has no connection any more, and takes it off the roster.
async fn see_off(loosely: Loosely, standing: Arc<Standing>, drain_timeout: Duration) {
    let shared = &loosely.shared;
    let frontend = &standing.name;
    let mut phase = shared.phase.subscribe();
    let gone = async {
        if timeout(drain_timeout, standing.until_gone()).await.is_err() {
            let connections = standing.connections();
            tracing::warn!(frontend, connections, "hanging up on those who are not done");
            standing.give_up();
            standing.until_gone().await;
        }
    };
    tokio::select! {
        () = gone => (),
        _ = phase.wait_for(|phase| *phase == Phase::Over) => return,
    }
    shared.hub.retire(standing.index);
    let is_it = |other: &Arc<Standing>| Arc::ptr_eq(other, &standing);
    shared.change_roster(|roster| roster.leaving.retain(|leaving| !is_it(leaving)));
    tracing::info!(frontend, "drained");
}

/// The admin listener. False: it could not be opened, and is as it was or tried again.
async fn apply_to_admin(held: &Held, former: Option<SocketAddr>, new: Option<SocketAddr>) -> bool {
    if former == new {
        return true;
    }
    let shared = &held.shared;
    let before = shared.roster().admin.clone();
    let in_the_way =
        |door: &Arc<Door>, address| door.bound().is_some_and(|bound| is_in_the_way(bound, address));
    // Where both cannot be at once, the former is given up first.
    let before = match (before, new) {
        (Some(before), Some(address)) if !in_the_way(&before, address) => Some(before),
        (Some(before), _) => {
            before.close();
            before.until_closed().await;
            None
        }
        (None, _) => None,
    };
    let Some(address) = new else {
        shared.change_roster(|roster| roster.admin = None);
        tracing::info!(key = "admin.listen", "the admin listener is closed");
        return true;
    };
    let door = Arc::new(Door::of_the_operator(address));
    let opened = door.open(held);
    match (&opened, before) {
        (Ok(()), Some(before)) => {
            before.close();
            before.until_closed().await;
        }
        (Ok(()), None) => (),
        (Err(error), Some(_)) => {
            door.complain(error);
            return false;
        }
        (Err(error), None) => {
            door.complain(error);
            tokio::spawn(door.clone().keep_trying(held.clone()));
        }
    }
    shared.change_roster(|roster| roster.admin = Some(door));
    opened.is_ok()
}

/// What is to be done, as far as it can be.
struct Plan {
    wanted: Vec<FrontendConfig>,
    /// Which front ends are to stay as they are because the other addresses cannot be listened on.
    kept: BTreeMap<String, String>,
    /// The addresses that are new, as far as they can be taken while the former are listened on.
    bound: BTreeMap<Place, TcpListener>,
}

impl Plan {
    /// Takes the addresses that are new. A front end whose new address cannot be taken stays as it
    /// was, if that is in nobody's way.
    fn make(
        roster: &Roster,
        former: &[FrontendConfig],
        wanted: Vec<FrontendConfig>,
        admin_moves: Option<&Arc<Door>>,
    ) -> Self {
        let (kept, bound) = (BTreeMap::new(), BTreeMap::new());
        let mut plan = Self { wanted, kept, bound };
        loop {
            let failed = plan.bind(roster, admin_moves);
            let mut settled = true;
            for (frontend, why) in failed {
                settled &= !plan.keep(roster, former, &frontend, why);
            }
            if settled {
                return plan;
            }
        }
    }

    /// Takes what is not taken. Gives the front ends that cannot have what they want, and why.
    fn bind(&mut self, roster: &Roster, admin_moves: Option<&Arc<Door>>) -> Vec<(String, String)> {
        let names = self.wanted.iter().map(|config| &config.name);
        let places = start::places(names.zip(&self.wanted));
        let is_wanted = |place: &Place| places.iter().any(|(wanted, _)| wanted == place);
        let has_door = |place: &Place| {
            roster.doors.iter().any(|door| door.place == *place && door.is_of_use())
        };
        let closing = roster.doors.iter().filter(|door| !is_wanted(&door.place));
        let closing = closing.chain(admin_moves).filter_map(|door| door.bound());
        let closing: Vec<SocketAddr> = closing.collect();
        self.bound.retain(|place, _| is_wanted(place));
        let mut failed = Vec::new();
        for (place, behind) in &places {
            let waits = closing.iter().any(|closing| is_in_the_way(*closing, place.address));
            if has_door(place) || waits || self.bound.contains_key(place) {
                continue;
            }
            match Door::bind(place) {
                Ok(listener) => drop(self.bound.insert(place.clone(), listener)),
                Err(error) => {
                    let why = format!("cannot listen on {}: {error}", place.address);
                    failed.extend(behind.iter().map(|(name, _)| ((*name).clone(), why.clone())));
                }
            }
        }
        failed
    }

    /// Has a front end stay as it was, if it was, works, and is in nobody's way there.
    fn keep(
        &mut self,
        roster: &Roster,
        former: &[FrontendConfig],
        frontend: &str,
        why: String,
    ) -> bool {
        let before = former.iter().find(|before| before.name == frontend);
        let works = roster.named(frontend).is_some_and(|served| served.down().is_none());
        let Some(before) = before.filter(|_| works && !self.kept.contains_key(frontend)) else {
            return false;
        };
        let mut wanted = self.wanted.clone();
        let Some(config) = wanted.iter_mut().find(|config| config.name == frontend) else {
            return false;
        };
        *config = before.clone();
        if collide(&wanted) {
            return false;
        }
        tracing::error!(frontend, "it stays as it was: {why}");
        self.wanted = wanted;
        self.kept.insert(frontend.to_owned(), why);
        true
    }
}

fn fate(before: Option<(&FrontendConfig, &Arc<Served>)>, wanted: &FrontendConfig) -> Fate {
    let Some((before, served)) = before else { return Fate::New };
    let changes = changes(before, wanted);
    let own = ["its own keys", "plugin"];
    match changes.as_slice() {
        [] => Fate::Same,
        changes if served.down().is_some() || changes.iter().any(|key| own.contains(key)) => {
            Fate::Replaced
        }
        _ => Fate::OtherTerms,
    }
}

/// The keys in which two sections of a front end differ; its own count as one.
fn changes(before: &FrontendConfig, wanted: &FrontendConfig) -> Vec<&'static str> {
    let same_plugin = match (&before.plugin, &wanted.plugin) {
        (None, None) => true,
        (Some(before), Some(wanted)) => Loaded::is_same(before, wanted),
        (None, Some(_)) | (Some(_), None) => false,
    };
    changed([
        ("plugin", !same_plugin),
        ("its own keys", before.options != wanted.options),
        ("its addresses", addresses(before) != addresses(wanted)),
        ("its limits", before.limits != wanted.limits),
        ("allow", before.guard.allow != wanted.guard.allow),
        ("api_keys", before.guard.api_keys != wanted.guard.api_keys),
        ("cors_origins", before.cors_origins != wanted.cors_origins),
        ("room_capacity", before.room_capacity != wanted.room_capacity),
        ("auto_join", before.auto_join != wanted.auto_join),
        ("required", before.required != wanted.required),
    ])
}

fn changed<const N: usize>(keys: [(&'static str, bool); N]) -> Vec<&'static str> {
    keys.into_iter().filter_map(|(key, changed)| changed.then_some(key)).collect()
}

fn addresses(config: &FrontendConfig) -> Vec<(&str, SocketAddr)> {
    let listeners = config.listeners.iter();
    listeners.map(|(listener, address)| (listener.key.as_str(), *address)).collect()
}

fn before_listeners<'a>(
    former: &'a [FrontendConfig],
    name: &str,
) -> Option<Vec<(&'a str, SocketAddr)>> {
    former.iter().find(|before| before.name == name).map(addresses)
}

fn log(frontend: &str, fate: Fate, before: Option<&FrontendConfig>, wanted: &FrontendConfig) {
    let changes = || before.map(|before| changes(before, wanted).join(", ")).unwrap_or_default();
    match fate {
        Fate::Same => (),
        Fate::New => tracing::info!(frontend, "enabled"),
        Fate::OtherTerms => {
            tracing::info!(frontend, "changed for those who come from now on: {}", changes());
        }
        Fate::Replaced => {
            tracing::info!(frontend, "changed; those who are connected are drained: {}", changes());
        }
    }
}

fn free_index(taken: &mut BTreeSet<u16>) -> u16 {
    let free = (0..=u16::MAX).find(|index| !taken.contains(index));
    let free = free.expect("there are fewer front ends than places");
    taken.insert(free);
    free
}

/// Whether those behind a door are the ones that should be.
fn leads_to_the_same(before: &[Arc<Entrance>], wanted: &[Arc<Entrance>]) -> bool {
    let same = |(before, wanted): (&Arc<Entrance>, &Arc<Entrance>)| {
        Arc::ptr_eq(&before.served, &wanted.served) && before.listener.key == wanted.listener.key
    };
    before.len() == wanted.len() && before.iter().zip(wanted).all(same)
}
