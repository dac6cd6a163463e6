//! From a configuration to a gateway that listens: the store, the rooms, the addresses.

use std::collections::BTreeMap;
use std::sync::Arc;

use core_engine::{Done, Engine, Options, RULES};
use core_model::{Command, NewRoom, Refusal, Reply, RoomView};
use frontend_api::Listener;
use gateway_fanout::{EventEncoder, Fanout, Hub, OnDelivered, Ticket};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::cluster::{self, Joining, Node};
use crate::config::{Config, Endpoint, EndpointOptions, FrontendConfig, ListenAddress};
use crate::runtime::clock::Clock;
use crate::runtime::command_timer::CommandTimer;
use crate::runtime::frontends::hub_encoder::HubEncoder;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::metrics::GatewayMetrics;
use crate::runtime::net::accept;
use crate::runtime::net::listener::{BoundListener, ListenerBinding, ListenerKey};
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;
use crate::runtime::serve_error::{ServeError, not_opened};
use crate::runtime::session::recent::RecentMessages;
use crate::runtime::session::services::{Membership, Services};
#[cfg(feature = "otel")]
use crate::runtime::session::traces::Traces;
use crate::store_preview::{quietly, room_conflict};

/// Opens the store, and starts the hub and the engine. Returns the hub's task too.
pub(crate) async fn open(
    config: &Config,
) -> Result<(Arc<GatewayState>, JoinHandle<()>), ServeError> {
    let hub = Arc::<Hub>::default();
    let metrics = Arc::<GatewayMetrics>::default();
    let frontends = (0..).zip(&config.frontends).map(|(index, config)| {
        let frontend = Arc::new(FrontendHandle::new(index, config, None));
        hub.add_frontend(index, encoder(&frontend));
        frontend
    });
    let registry = FrontendRegistry::new(config, frontends.collect());
    let committed = watch::Sender::default();
    let clock = Arc::new(Clock::start());
    let timer = CommandTimer::new(clock.clone(), metrics.fanout.clone());
    let recent = Arc::new(RecentMessages::new(clock.clone(), config.admin.trace));
    #[cfg(feature = "otel")]
    let traces = traces(&clock).await;
    if let Some(cluster) = &config.cluster {
        let prepared = cluster::prepare(cluster, &config.store).await;
        prepared.map_err(|error| ServeError::NotJoined(error.to_string()))?;
    }
    let (node, member) = membership(config, &hub);
    let engine = open_engine(
        config,
        node.clone(),
        hub.clone(),
        committed.clone(),
        timer,
        recent.clone(),
        #[cfg(feature = "otel")]
        traces.clone(),
    );
    let (engine, joining) = engine.await?;
    let engine = Arc::new(engine);
    let task = hub.clone().run(Fanout::new(metrics.fanout.clone()));
    if let (Some(joining), Some(cluster)) = (joining, &config.cluster) {
        joining.open(cluster).await.map_err(|error| ServeError::Cluster(error.to_string()))?;
    }
    let services = Services::new(engine, hub, metrics, committed, clock, recent, config);
    let services = services.with_cluster(member);
    #[cfg(feature = "otel")]
    let services = services.with_traces(traces);
    Ok((Arc::new(GatewayState::new(Arc::new(services), registry, config)), task))
}

/// Where the environment asks for traces; a fault is logged, and then there are none.
#[cfg(feature = "otel")]
async fn traces(clock: &Arc<Clock>) -> Option<Arc<Traces>> {
    let clock = clock.clone();
    let made = tokio::task::spawn_blocking(move || Traces::from_environment(clock)).await;
    made.expect("making them does not panic").unwrap_or_else(|why| {
        tracing::error!("there are no traces: {why}");
        None
    })
}

/// What the hub needs from a front end.
pub(crate) fn encoder(frontend: &FrontendHandle) -> Arc<dyn EventEncoder> {
    Arc::new(HubEncoder::new(frontend))
}

async fn open_engine(
    config: &Config,
    node: Option<Arc<Node<Ticket>>>,
    hub: Arc<Hub>,
    committed: watch::Sender<()>,
    timer: CommandTimer,
    recent: Arc<RecentMessages>,
    #[cfg(feature = "otel")] traces: Option<Arc<Traces>>,
) -> Result<(Engine<Ticket>, Option<Joining<Ticket>>), ServeError> {
    let path = config.store.path.clone();
    let sync = config.cluster.as_ref().map(|cluster| cluster.sync).unwrap_or_default();
    let options =
        Options { queue_max: config.store.queue_max, cache_bytes: config.store.cache_bytes };
    let is_member = config.cluster.is_some();
    let open = move || {
        if let Some(folder) = path.parent() {
            crate::private_folder::make(folder)
                .map_err(|error| ServeError::Folder { path: folder.into(), error })?;
        }
        let begun = timer.begun();
        let publish = move |batch: Vec<Done<Ticket>>| {
            timer.note_committed(&batch);
            let kept = recent.is_on().then(|| recent.note_committed(&batch, timer.times()));
            #[cfg(feature = "otel")]
            let traced = traces.as_ref().and_then(|to| to.on_delivered(&batch, timer.times()));
            #[cfg(not(feature = "otel"))]
            let traced = None;
            hub.publish_then(batch, both(kept.flatten(), traced));
            committed.send_replace(());
        };
        let opened = quietly(|| match node {
            None => Ok((Engine::open_timed(&path, options, begun, publish)?, None)),
            Some(node) => {
                let to = (&*path, options);
                cluster::follow(to, (node, sync), begun, publish)
                    .map(|(engine, joining)| (engine, Some(joining)))
            }
        });
        opened.map_err(|error| not_opened(error, is_member))
    };
    tokio::task::spawn_blocking(open).await.expect("opening a store does not panic")
}

/// What the gateway is in its cluster, if it is in one.
fn membership(config: &Config, hub: &Arc<Hub>) -> (Option<Arc<Node<Ticket>>>, Option<Membership>) {
    let Some(cluster) = &config.cluster else { return (None, None) };
    let hub = hub.clone();
    let node = Arc::new(Node::new(&cluster.node, move |refused| hub.publish(refused)));
    (Some(node.clone()), Some(Membership::new(node, cluster.reads)))
}

/// What is to be called when a batch is delivered: one after the other.
fn both(one: Option<OnDelivered>, other: Option<OnDelivered>) -> Option<OnDelivered> {
    match (one, other) {
        (Some(one), Some(other)) => Some(Box::new(|| {
            one();
            other();
        })),
        (one, other) => one.or(other),
    }
}

/// Tells the engine that a new run begins, and makes the configured rooms.
pub(crate) async fn prepare(services: &Services, config: &Config) -> Result<(), ServeError> {
    if let Some(warning) = services.engine.clock_warning(services.clock.now()) {
        tracing::warn!("{warning}");
    }
    begin_run(services).await.map_err(ServeError::Start)?;
    let bans = services.network_bans.read(&services.engine, services.clock.now());
    bans.map_err(ServeError::Start)?;
    for room in &config.rooms {
        declare(services, room).await?;
    }
    let mut frontends = config.frontends.iter();
    frontends.try_for_each(|frontend| check_auto_join(&services.engine, frontend))
}

/// Has the engine end what is left of earlier runs, in steps, and numbers the connections of this
/// one.
pub(crate) async fn begin_run(services: &Services) -> Result<(), Refusal> {
    let mut boot = [0; 8];
    getrandom::fill(&mut boot)
        .map_err(|error| Refusal::Internal { why: format!("no random numbers: {error}") })?;
    let boot = u64::from_ne_bytes(boot);
    let node = services.cluster.as_ref().map_or_else(String::new, |of| of.node.name().to_owned());
    loop {
        let start = Command::Start { node: node.clone(), boot, speaks: RULES };
        match services.submit_start(start).await? {
            Reply::Started { run, is_done } => {
                if let Some(cluster) = services.cluster.as_ref().filter(|of| of.node.run() != run) {
                    cluster.node.begin(run);
                }
                if is_done {
                    services.begin_run(run);
                    return Ok(());
                }
            }
            reply => return Err(Refusal::Internal { why: format!("a start is no {reply:?}") }),
        }
    }
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

/// Why users would not join closed groups in `auto_join`, which a start refuses.
pub(crate) fn closed_auto_joins(engine: &Engine<Ticket>, config: &Config) -> Vec<String> {
    let refused = config.frontends.iter().filter_map(|one| check_auto_join(engine, one).err());
    refused.map(|error| error.to_string()).collect()
}

/// Refuses a configured room that is a user's.
pub(crate) fn check_room(engine: &Engine<Ticket>, room: &NewRoom) -> Result<(), ServeError> {
    let name = room.name.clone().unwrap_or_default();
    let found = engine.room_named(&name).map_err(ServeError::Start)?;
    match found.and_then(|room| room_conflict(&room)) {
        Some(why) => Err(ServeError::RoomConflict { key: "[[rooms]]".into(), name, why }),
        None => Ok(()),
    }
}

/// Makes a configured room, unless it exists.
pub(crate) async fn declare(services: &Services, room: &NewRoom) -> Result<(), ServeError> {
    check_room(&services.engine, room)?;
    let name = room.name.clone().unwrap_or_default();
    let declared = services.submit_internal(Command::DeclareRoom { room: room.clone() }).await;
    if let Reply::RoomCreated { room: found } =
        declared.map_err(|why| ServeError::Room { name, why })?
    {
        warn_of_differences(room, &found);
    }
    Ok(())
}

fn warn_of_differences(declared: &NewRoom, found: &RoomView) {
    let room = &found.name;
    let warn = |key: &str, declared: &str, found: &str| {
        if declared != found {
            tracing::warn!(
                room,
                key,
                declared,
                found,
                "room already exists with other settings; keeping them"
            );
        }
    };
    warn("section", &declared.section, &found.section);
    warn("description", &declared.description, &found.description);
    if let Some(capacity) = declared.capacity {
        warn("capacity", &capacity.to_string(), &found.capacity.to_string());
    }
}

/// A front end, and its listener with the address and its options.
pub(crate) type Behind<'a, T> = (&'a T, &'a Listener, &'a Endpoint);

/// An address to listen on, and the listeners of front ends behind it.
pub(crate) struct WantedListener<'a, T> {
    pub(crate) key: ListenerKey,
    pub(crate) options: EndpointOptions,
    pub(crate) behind: Vec<Behind<'a, T>>,
}

/// The listeners that the front ends want: HTTP and WebSocket listeners of one address share a
/// listener. With port 0 nothing is shared.
pub(crate) fn wanted_listeners<'a, T>(
    frontends: impl IntoIterator<Item = (&'a T, &'a FrontendConfig)>,
) -> Vec<WantedListener<'a, T>>
where
    T: 'a,
{
    let mut index: BTreeMap<ListenerKey, usize> = BTreeMap::new();
    let mut wanted: Vec<WantedListener<'a, T>> = Vec::new();
    for (frontend, config) in frontends {
        for (nth, (listener, endpoint)) in config.listeners.iter().enumerate() {
            let address = endpoint.address.clone();
            let owner = || (config.name.clone(), listener.key.clone(), nth);
            let owner = address.has_any_port().then(owner);
            let key = ListenerKey { address, only_v6: endpoint.options.only_v6, owner };
            match index.get(&key) {
                Some(at) => wanted[*at].behind.push((frontend, listener, endpoint)),
                None => {
                    index.insert(key.clone(), wanted.len());
                    let options = endpoint.options.clone();
                    wanted.push(WantedListener {
                        key,
                        options,
                        behind: vec![(frontend, listener, endpoint)],
                    });
                }
            }
        }
    }
    wanted
}

/// The listeners of all front ends, not open yet.
pub(crate) fn listeners(
    state: &GatewayState,
    frontends: &[Arc<FrontendHandle>],
    configs: &[FrontendConfig],
) -> Vec<Arc<BoundListener>> {
    let wanted = wanted_listeners(frontends.iter().zip(configs)).into_iter();
    let listener = |WantedListener { key, options, behind }| {
        Arc::new(BoundListener::new(key, options, bindings(&behind), state.shutdown.child()))
    };
    wanted.map(listener).collect()
}

pub(crate) fn bindings(behind: &[Behind<'_, Arc<FrontendHandle>>]) -> Vec<Arc<ListenerBinding>> {
    let binding = |(frontend, listener, endpoint): &Behind<'_, Arc<FrontendHandle>>| {
        let (frontend, listener) = ((*frontend).clone(), (*listener).clone());
        Arc::new(ListenerBinding::new(frontend, listener, endpoint.public_url.clone()))
    };
    behind.iter().map(binding).collect()
}

/// Opens every listener. One that fails is retried later, unless a front end behind it is required
/// or all fail.
pub(crate) fn listen(
    state: &Arc<GatewayState>,
    listeners: &[Arc<BoundListener>],
    config: &Config,
) -> Result<(), ServeError> {
    let is_required =
        |name: &str| config.frontends.iter().any(|one| one.required && one.name == name);
    let mut failed = Vec::new();
    for listener in listeners {
        let Err(error) = accept::open(listener, state) else { continue };
        listener.log_bind_error(&error);
        let bindings = listener.bindings();
        let mut names = bindings.iter().map(|binding| &binding.frontend.name);
        if let Some(frontend) = names.find(|name| is_required(name)) {
            let frontend = frontend.clone();
            return Err(ServeError::Required {
                frontend,
                address: listener.key.address.clone(),
                error,
            });
        }
        failed.push(listener);
    }
    if failed.len() == listeners.len() {
        return Err(ServeError::Deaf);
    }
    for listener in failed {
        state.spawn(accept::retry_bind(listener.clone(), state.clone(), accept::open));
    }
    Ok(())
}

/// Logs how to try each front end. Where it listens is in a line for each listener.
pub(crate) fn announce<'a>(
    frontends: impl IntoIterator<Item = &'a Arc<FrontendHandle>>,
    listeners: &[Arc<BoundListener>],
) {
    for frontend in frontends {
        let manifest = frontend.frontend.manifest();
        let mut hint = Some(manifest.hint.clone());
        let addresses = addresses_of(frontend, listeners);
        for (binding, address, is_encrypted) in &addresses {
            let (key, address) = (&binding.listener.key, address.to_string());
            hint = hint.and_then(|it| hinted(&it, key, &address, *is_encrypted));
        }
        if let Some(hint) = hint.filter(|hint| !hint.is_empty() && !addresses.is_empty()) {
            let frontend = &frontend.name;
            tracing::info!(frontend, "{}; try: {hint}", manifest.title);
        }
    }
}

/// A hint with an address in the place of a listener's key. `None`: its program cannot reach the
/// listener, as curl's telnet cannot one that is encrypted.
fn hinted(hint: &str, key: &str, address: &str, is_encrypted: bool) -> Option<String> {
    let place = format!("{{{key}}}");
    let mut hint = hint.to_owned();
    if is_encrypted {
        for (plain, encrypted) in [("http", "https"), ("ws", "wss")] {
            hint = hint.replace(&format!("{plain}://{place}"), &format!("{encrypted}://{place}"));
        }
    }
    if let Some(path) = address.strip_prefix("unix:") {
        for scheme in ["http", "https"] {
            let on_socket = format!("--unix-socket {path} {scheme}://localhost");
            hint = hint.replace(&format!("{scheme}://{place}"), &on_socket);
        }
        return (!hint.contains(&place)).then_some(hint);
    }
    let is_out_of_reach = is_encrypted && hint.contains(&format!("telnet://{place}"));
    (!is_out_of_reach).then(|| hint.replace(&place, address))
}

/// The open listeners of a front end, and whether their connections are encrypted.
pub(crate) fn addresses_of(
    frontend: &FrontendHandle,
    listeners: &[Arc<BoundListener>],
) -> Vec<(Arc<ListenerBinding>, ListenAddress, bool)> {
    let mut addresses = Vec::new();
    for listener in listeners {
        let Some(bound) = listener.bound() else { continue };
        let bindings = listener.bindings();
        let own = bindings.iter().filter(|one| one.frontend.index() == frontend.index());
        let is_encrypted = listener.acceptance().tls.is_some();
        addresses.extend(own.map(|binding| (binding.clone(), bound.clone(), is_encrypted)));
    }
    addresses
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hint_speaks_the_language_of_the_listener() {
        let hint = "curl http://{listen}/x; websocat ws://{websocket_listen}; nc {listen}";
        let encrypted = hinted(hint, "listen", "127.0.0.1:1", true).unwrap();
        let said = "curl https://127.0.0.1:1/x; websocat ws://{websocket_listen}; nc 127.0.0.1:1";
        assert_eq!(encrypted, said);
        let both = hinted(&encrypted, "websocket_listen", "127.0.0.1:2", true).unwrap();
        assert!(both.contains("wss://127.0.0.1:2"), "{both}");
        let plain = hinted(hint, "listen", "127.0.0.1:1", false).unwrap();
        assert!(plain.contains("http://127.0.0.1:1/x"));
    }

    #[test]
    fn a_hint_whose_program_cannot_reach_the_listener_is_left_out() {
        let lines = "curl telnet://{listen}";
        assert_eq!(hinted(lines, "listen", "127.0.0.1:1", true), None);
        assert_eq!(hinted(lines, "listen", "unix:/run/x", false), None);
        let http = hinted("curl http://{listen}/time", "listen", "unix:/run/x", false);
        assert_eq!(http.as_deref(), Some("curl --unix-socket /run/x http://localhost/time"));
    }

    #[test]
    fn errors_at_start_carry_the_reason() {
        let why = || Refusal::Internal { why: "the disk is full".into() };
        assert_eq!(
            ServeError::Start(why()).to_string(),
            "the engine did not start: the disk is full"
        );
        let error = ServeError::Room { name: "TEST".into(), why: why() };
        let said = "the room \"TEST\" of [[rooms]] cannot be created: the disk is full";
        assert_eq!(error.to_string(), said);
        let error = ServeError::Room { name: "TEST".into(), why: Refusal::RoomNameTaken };
        assert!(!error.to_string().contains("disk"));
    }
}
