//! From a configuration to a gateway that listens: the store, the rooms that must exist, the
//! addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};

use core_engine::{Engine, Envelope, Options, Origin};
use core_model::{Command, ConnectionId, NewRoom, Outcome, Reply};
use frontend_api::{Listener, Transport};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::task::JoinHandle;

use super::ServeError;
use super::bounds::HEAVY_QUERIES_A_THREAD;
use super::clock::Clock;
use super::distribute::{Distributor, Ticket};
use super::door::{Door, Entrance, Held};
use super::hub::Hub;
use super::metrics::Totals;
use super::passwords::Passwords;
use super::served::Served;
use super::shared::{Phase, Shared};
use super::skipped::SkippedLog;
use crate::config::{Config, FrontendConfig};

/// Opens the store, and starts the hub and the engine.
pub(super) async fn open(config: &Config) -> Result<(Arc<Shared>, JoinHandle<()>), ServeError> {
    let frontends: Vec<_> = (0..).zip(&config.frontends).map(|(i, f)| Served::new(i, f)).collect();
    let frontends: Vec<_> = frontends.into_iter().map(Arc::new).collect();
    frontends.iter().for_each(Served::observe);
    let (hub, totals) = (Arc::<Hub>::default(), Arc::<Totals>::default());
    let engine = Arc::new(open_engine(config, hub.clone()).await?);
    let task = hub.clone().run(Distributor::new(frontends.clone(), totals.clone()));
    let shared = Shared {
        engine,
        store: config.store.path.clone(),
        hub,
        clock: Clock::start(),
        passwords: Passwords::new(config.server.password_threads),
        frontends,
        doors: OnceLock::new(),
        totals,
        phase: watch::Sender::new(Phase::Serving),
        heavy: Semaphore::new(config.server.threads.max(1) * HEAVY_QUERIES_A_THREAD),
        trusted_proxies: config.server.trusted_proxies.clone(),
        well_known: config.server.well_known,
        skipped: SkippedLog::default(),
        connections: 0.into(),
    };
    Ok((Arc::new(shared), task))
}

async fn open_engine(config: &Config, hub: Arc<Hub>) -> Result<Engine<Ticket>, ServeError> {
    let path = config.store.path.clone();
    let options =
        Options { queue_max: config.store.queue_max, cache_bytes: config.store.cache_bytes };
    let open = move || {
        if let Some(folder) = path.parent() {
            std::fs::create_dir_all(folder)
                .map_err(|error| ServeError::Folder { path: folder.into(), error })?;
        }
        Ok(Engine::open(&path, options, move |batch| hub.publish(batch))?)
    };
    tokio::task::spawn_blocking(open).await.expect("opening a store does not panic")
}

/// Tells the engine that a new run begins, and makes the rooms that must exist.
pub(super) async fn prepare(shared: &Shared, rooms: &[NewRoom]) -> Result<(), ServeError> {
    by_the_gateway(shared, Command::Start).await.map_err(ServeError::Start)?;
    for room in rooms {
        let name = room.name.clone().unwrap_or_default();
        let declared = by_the_gateway(shared, Command::DeclareRoom { room: room.clone() }).await;
        let refused = |why| ServeError::Room { name: name.clone(), why };
        if let Reply::RoomCreated { room: found } = declared.map_err(refused)? {
            warn_of_differences(room, &found);
        }
    }
    Ok(())
}

/// A command of nobody's but the gateway's own.
pub(super) async fn by_the_gateway(shared: &Shared, command: Command) -> Outcome {
    let (sender, answer) = oneshot::channel();
    let origin = Arc::new(Origin { room_capacity: ROOM_CAPACITY, ..Origin::default() });
    let (at, connection) = (shared.clock.now(), ConnectionId(0));
    let envelope = Envelope { at, connection, origin, key: None, command };
    let submitted = shared.engine.submit_always(envelope, Ticket::Once(sender));
    submitted.map_err(|(_, refusal)| refusal)?;
    answer.await.unwrap_or_else(|_| {
        let why = "the engine stopped before the answer".into();
        Err(core_model::Refusal::Internal { why })
    })
}

/// Of a room that gateway.toml declares without saying how many seats it has.
const ROOM_CAPACITY: u32 = 500;

fn warn_of_differences(declared: &NewRoom, found: &core_model::RoomView) {
    let room = &found.name;
    let warn = |key: &str, declared: &str, found: &str| {
        if declared != found {
            tracing::warn!(room, key, declared, found, "the room exists and differs; it stays");
        }
    };
    warn("section", &declared.section, &found.section);
    warn("description", &declared.description, &found.description);
    if let Some(capacity) = declared.capacity {
        warn("capacity", &capacity.to_string(), &found.capacity.to_string());
    }
}

/// The doors that the front ends want: HTTP and WebSocket listeners of one address are one door.
/// With port 0 every listener gets an address of its own.
pub(super) fn doors(served: &[Arc<Served>], configs: &[FrontendConfig]) -> Vec<Arc<Door>> {
    let mut shared: BTreeMap<SocketAddr, usize> = BTreeMap::new();
    let mut doors: Vec<(SocketAddr, Vec<Entrance>)> = Vec::new();
    for (served, config) in served.iter().zip(configs) {
        for (listener, address) in &config.listeners {
            let entrance = Entrance { served: served.clone(), listener: listener.clone() };
            let shareable = entrance.is_http() && address.port() != 0;
            match shared.get(address).filter(|_| shareable) {
                Some(at) => doors[*at].1.push(entrance),
                None => {
                    if shareable {
                        shared.insert(*address, doors.len());
                    }
                    doors.push((*address, vec![entrance]));
                }
            }
        }
    }
    doors.into_iter().map(|(wanted, entrances)| Arc::new(Door::new(wanted, entrances))).collect()
}

/// Opens every door. One that does not open is tried again later, unless a front end behind it is
/// required, or not one opens.
pub(super) fn listen(held: &Held, doors: &[Arc<Door>], config: &Config) -> Result<(), ServeError> {
    let mut closed = Vec::new();
    for door in doors {
        if let Err(error) = door.open(held) {
            door.complain(&error);
            let is_required = |entrance: &&Entrance| {
                config.frontends[usize::from(entrance.served.index)].required
            };
            if let Some(entrance) = door.entrances.iter().find(is_required) {
                let frontend = entrance.served.name.clone();
                return Err(ServeError::Required { frontend, address: door.wanted, error });
            }
            closed.push(door);
        }
    }
    if closed.len() == doors.len() {
        return Err(ServeError::Deaf);
    }
    for door in closed {
        tokio::spawn(door.clone().keep_trying(held.clone()));
    }
    Ok(())
}

/// Says in the log who listens where, and how to try it.
pub(super) fn announce(served: &[Arc<Served>], doors: &[Arc<Door>]) {
    for served in served {
        let manifest = served.frontend.manifest();
        let (mut hint, mut places) = (manifest.hint.clone(), Vec::new());
        for (listener, address) in places_of(served, doors) {
            hint = hint.replace(&format!("{{{}}}", listener.key), &address.to_string());
            places.push(format!("{} on {address}", transport(listener)));
        }
        if !places.is_empty() {
            let (frontend, places) = (&served.name, places.join(", "));
            tracing::info!(frontend, "{}: {places}; try: {hint}", manifest.title);
        }
    }
}

/// Where a front end listens by now.
pub(super) fn places_of<'a>(
    served: &'a Served,
    doors: &'a [Arc<Door>],
) -> impl Iterator<Item = (&'a Listener, SocketAddr)> {
    let entrances = doors.iter().flat_map(|door| {
        let bound = door.bound();
        door.entrances.iter().filter_map(move |entrance| Some((entrance, bound?)))
    });
    let its = entrances.filter(|(entrance, _)| entrance.served.index == served.index);
    its.map(|(entrance, address)| (&entrance.listener, address))
}

fn transport(listener: &Listener) -> &'static str {
    match listener.transport {
        Transport::Http => "HTTP",
        Transport::Tcp => "TCP",
        Transport::TcpLines => "TCP (lines)",
        Transport::WebSocket => "WebSocket",
    }
}
