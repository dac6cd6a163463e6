//! From a configuration to a gateway that listens: the store, the rooms that must exist, the
//! addresses.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;

use core_engine::{Engine, Envelope, FrontendSettings, Options, ROOM_CAPACITY_DEFAULT};
use core_model::{Command, ConnectionId, NewRoom, Outcome, Reply};
use frontend_api::{Listener, Transport};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;

use super::ServeError;
use crate::config::{Config, FrontendConfig};
use crate::runtime::fanout::fanout::{Distributor, Ticket};
use crate::runtime::fanout::task::Hub;
use crate::runtime::frontends::instance::Served;
use crate::runtime::metrics::Totals;
use crate::runtime::net::listener::{Door, Entrance, Held, Place};
use crate::runtime::net::registry::Roster;
use crate::runtime::session::services::Shared;
use crate::store_preview::room_conflict;

/// Opens the store, and starts the hub and the engine.
pub(crate) async fn open(config: &Config) -> Result<(Arc<Shared>, JoinHandle<()>), ServeError> {
    let (hub, totals) = (Arc::<Hub>::default(), Arc::<Totals>::default());
    let served = (0..).zip(&config.frontends).map(|(index, config)| {
        let served = Arc::new(Served::new(index, config, None));
        hub.introduce(index, served.voice());
        served
    });
    let roster = Roster::new(config, served.collect());
    let engine = Arc::new(open_engine(config, hub.clone()).await?);
    let task = hub.clone().run(Distributor::new(totals.clone()));
    Ok((Arc::new(Shared::new(engine, hub, totals, roster, config)), task))
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
pub(crate) async fn prepare(shared: &Shared, config: &Config) -> Result<(), ServeError> {
    by_the_gateway(shared, Command::Start).await.map_err(ServeError::Start)?;
    for room in &config.rooms {
        declare(shared, room).await?;
    }
    config.frontends.iter().try_for_each(|frontend| check_auto_join(&shared.engine, frontend))
}

/// Refuses closed groups in `auto_join`: their owners decide about members, and read along.
pub(crate) fn check_auto_join(
    engine: &Engine<Ticket>,
    frontend: &FrontendConfig,
) -> Result<(), ServeError> {
    for name in &frontend.auto_join {
        let found = engine.room_named(name).map_err(ServeError::Start)?;
        if let Some(why) = found.filter(|room| room.closed).and_then(|room| room_conflict(&room)) {
            let key = format!("frontends.{}.auto_join", frontend.name);
            return Err(ServeError::RoomConflict { key, name: name.clone(), why });
        }
    }
    Ok(())
}

/// Makes a room that must exist, if it does not.
pub(crate) async fn declare(shared: &Shared, room: &NewRoom) -> Result<(), ServeError> {
    let declared = by_the_gateway(shared, Command::DeclareRoom { room: room.clone() }).await;
    let name = room.name.clone().unwrap_or_default();
    if let Reply::RoomCreated { room: found } =
        declared.map_err(|why| ServeError::Room { name: name.clone(), why })?
    {
        if let Some(why) = room_conflict(&found) {
            return Err(ServeError::RoomConflict { key: "[[rooms]]".into(), name, why });
        }
        warn_of_differences(room, &found);
    }
    Ok(())
}

/// A command of nobody's but the gateway's own.
pub(crate) async fn by_the_gateway(shared: &Shared, command: Command) -> Outcome {
    let (sender, answer) = oneshot::channel();
    let frontend = Arc::new(FrontendSettings {
        room_capacity: ROOM_CAPACITY_DEFAULT,
        ..FrontendSettings::default()
    });
    let (at, connection) = (shared.clock.now(), ConnectionId(0));
    let envelope = Envelope {
        at,
        steady_ms: shared.clock.steady_ms(),
        connection,
        frontend,
        key: None,
        command,
    };
    let submitted = shared.engine.submit_always(envelope, Ticket::Once(sender));
    submitted.map_err(|(_, refusal)| refusal)?;
    answer.await.unwrap_or_else(|_| {
        let why = "the engine stopped before the answer".into();
        Err(core_model::Refusal::Internal { why })
    })
}

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

/// The places that the front ends want, and who is behind each: HTTP and WebSocket listeners of
/// one address are at one place. With port 0 every listener has a place of its own.
pub(crate) fn places<'a, T>(
    frontends: impl IntoIterator<Item = (&'a T, &'a FrontendConfig)>,
) -> Vec<(Place, Vec<(&'a T, &'a Listener)>)>
where
    T: 'a,
{
    let mut at: BTreeMap<Place, usize> = BTreeMap::new();
    let mut places: Vec<(Place, Vec<(&T, &Listener)>)> = Vec::new();
    for (served, config) in frontends {
        for (listener, address) in &config.listeners {
            let own = (address.port() == 0).then(|| (config.name.clone(), listener.key.clone()));
            let place = Place { address: *address, own };
            match at.get(&place) {
                Some(at) => places[*at].1.push((served, listener)),
                None => {
                    at.insert(place.clone(), places.len());
                    places.push((place, vec![(served, listener)]));
                }
            }
        }
    }
    places
}

/// A door for each place.
pub(crate) fn doors(served: &[Arc<Served>], configs: &[FrontendConfig]) -> Vec<Arc<Door>> {
    let places = places(served.iter().zip(configs)).into_iter();
    places.map(|(place, behind)| Arc::new(Door::new(place, entrances(&behind)))).collect()
}

pub(crate) fn entrances(behind: &[(&Arc<Served>, &Listener)]) -> Vec<Arc<Entrance>> {
    let entrance = |(served, listener): &(&Arc<Served>, &Listener)| {
        Arc::new(Entrance { served: (*served).clone(), listener: (*listener).clone() })
    };
    behind.iter().map(entrance).collect()
}

/// Opens every door. One that does not open is tried again later, unless a front end behind it is
/// required, or not one opens.
pub(crate) fn listen(held: &Held, doors: &[Arc<Door>], config: &Config) -> Result<(), ServeError> {
    let mut closed = Vec::new();
    for door in doors {
        if let Err(error) = door.open(held) {
            door.complain(&error);
            let required = config.frontends.iter().filter(|frontend| frontend.required);
            let required: Vec<_> = required.map(|frontend| &frontend.name).collect();
            let entrances = door.entrances();
            let mut names = entrances.iter().map(|entrance| &entrance.served.name);
            if let Some(frontend) = names.find(|name| required.contains(name)) {
                let (frontend, address) = (frontend.clone(), door.place.address);
                return Err(ServeError::Required { frontend, address, error });
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
pub(crate) fn announce<'a>(served: impl IntoIterator<Item = &'a Arc<Served>>, doors: &[Arc<Door>]) {
    for served in served {
        let manifest = served.frontend.manifest();
        let (mut hint, mut places) = (manifest.hint.clone(), Vec::new());
        for (entrance, address) in addresses_of(served, doors) {
            let listener = &entrance.listener;
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
pub(crate) fn addresses_of(
    served: &Served,
    doors: &[Arc<Door>],
) -> Vec<(Arc<Entrance>, SocketAddr)> {
    let mut addresses = Vec::new();
    for door in doors {
        let Some(bound) = door.bound() else { continue };
        let entrances = door.entrances();
        let its = entrances.iter().filter(|entrance| entrance.served.index() == served.index());
        addresses.extend(its.map(|entrance| (entrance.clone(), bound)));
    }
    addresses
}

fn transport(listener: &Listener) -> &'static str {
    match listener.transport {
        Transport::Http => "HTTP",
        Transport::Tcp => "TCP",
        Transport::TcpLines => "TCP (lines)",
        Transport::WebSocket => "WebSocket",
    }
}
