//! The running gateway: the only place with sockets, tasks, the clock and randomness.
//!
//! Six floors, each above those that it uses: [`admin`], [`net`], [`webhooks`], [`session`],
//! [`frontends`], and below them limits, metrics and the clock. A stream connection is one task
//! ([`net::connection`]) with a [`session::stream`]; an HTTP request is a [`session::exchange`].
//! Commands go to the engine; what it committed comes back through the hub, which fills the
//! mailbox of each connection it concerns.

#[cfg(feature = "acme")]
mod acme;
mod admin;
mod api_key_files;
mod backups;
mod certificates;
mod clock;
mod cluster;
mod command_timer;
mod free_space;
mod frontends;
mod housekeeping;
mod indexing;
mod limits;
mod metrics;
mod net;
mod orphans;
mod reconciler;
mod reload;
mod renewal;
mod sampler;
mod serve_error;
mod session;
mod signals;
mod start;
mod watchdog;
mod webhooks;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};

use core_model::RoomId;
use frontend_api::Transport;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::config::{
    Config, Draft, ListenAddress, OnStoreFailure, Problems, ShownConfig, WhichConfig,
};
use crate::supervisor;
use housekeeping::Retention;
use net::accept::retry_bind;
use net::state::{ConfigSource, GatewayState};
use reload::StartupKeys;
use renewal::Former;
use signals::{SignalRequest, Signals};

pub(crate) use net::bind::{bind_tcp, is_stale};

pub use admin::{IS_DOWN, IS_KEPT};
pub use frontends::plugin::stall_watchdog::StallWatchdog;
pub use serve_error::ServeError;

/// How long tasks may take to end after they were told to stop at once.
const STOP_TIMEOUT: Duration = Duration::from_secs(2);

/// Between two looks for a failure of the store, where that ends the process.
const FAILURE_CHECK_PERIOD: Duration = Duration::from_secs(1);

/// What a supervisor shows of a gateway that serves.
const SERVING: &str = "serving";

/// The same after a reload that was refused, or carried out in part.
const NOT_RELOADED: &str = "serving; the last reload was not carried out in full, see the log";

/// Where a front end listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Its name in gateway.toml.
    pub frontend: String,
    /// The key of the listener: `listen`.
    pub listener: String,
    pub transport: Transport,
    pub address: ListenAddress,
}

/// A running gateway. Dropped without [`shutdown`](Self::shutdown), it closes all connections.
pub struct Gateway {
    state: Arc<GatewayState>,
    hub: Option<JoinHandle<()>>,
    /// In effect now.
    config: Config,
    /// What its layers say, where it is from a file.
    shown: Arc<ShownConfig>,
    /// What was in effect before the last change.
    former: Option<Former>,
    at_start: StartupKeys,
}

/// Reads the configuration again, or another one.
pub type Reread = dyn Fn(&WhichConfig) -> Result<Draft, Problems> + Send + Sync;

/// Runs the gateway until SIGTERM or SIGINT, then drains it. A second signal ends the process at
/// once, with exit code 128 plus the signal's number. At SIGHUP, and when the admin API is asked to,
/// the configuration is read again from `file` with `reread` and applied.
pub async fn serve(draft: Draft, file: PathBuf, reread: Arc<Reread>) -> Result<(), ServeError> {
    let mut signals = Signals::install().map_err(ServeError::Signals)?;
    supervisor::starting("opening the store");
    let started = Instant::now();
    let mut gateway = tokio::select! {
        gateway = Gateway::start(draft.config.clone()) => gateway?,
        _ = signals.shutdown() => return Ok(()),
    };
    let (requests, mut asked) = mpsc::channel(1);
    gateway.show(ShownConfig::of(&draft).into());
    gateway.state.set_config_source(ConfigSource { file, requests });
    gateway.log_ready(started.elapsed());
    gateway.begin_duties();
    supervisor::ready(SERVING);
    let exits = gateway.config.server.on_store_failure == OnStoreFailure::Exit;
    let mut fatal = pin!(fatal(gateway.state.clone(), exits));
    let signal = loop {
        let request = tokio::select! {
            signal = signals.next() => match signal {
                SignalRequest::Shutdown(signal) => break signal,
                SignalRequest::Reload => None,
            },
            Some(request) = asked.recv() => Some(request),
            error = &mut fatal => return Err(error),
        };
        let is_reload = request.as_ref().is_none_or(|one| one.action.is_change());
        if is_reload {
            supervisor::reloading();
        }
        let which = request.as_ref().map_or(WhichConfig::Own, |one| one.which.clone());
        let reread = reread.clone();
        let read = tokio::task::spawn_blocking(move || reread(&which));
        tokio::select! {
            read = read => {
                let complete = gateway.renew_from(read, request).await;
                if is_reload {
                    supervisor::ready(if complete { SERVING } else { NOT_RELOADED });
                }
            }
            signal = signals.shutdown() => break signal,
        }
    };
    // Requests of the admin API are refused from now on.
    drop(asked);
    // Before the log line, so that it is true for whatever waits for it.
    gateway.state.shutdown.drain();
    supervisor::stopping();
    tracing::info!(signal = signal.name, "draining; a second signal ends at once");
    tokio::select! {
        () = gateway.shutdown() => {
            tracing::info!(served_s = started.elapsed().as_secs(), "stopped");
            Ok(())
        }
        signal = signals.shutdown() => {
            tracing::warn!(signal = signal.name, "ended before draining was complete");
            crate::logging::flush();
            std::process::exit(128 + signal.number)
        }
    }
}

/// Ends when the gateway has to.
async fn fatal(state: Arc<GatewayState>, exits: bool) -> ServeError {
    let is_member = state.services.cluster.is_some();
    tokio::select! {
        why = store_failure(state.clone()), if exits || is_member => match is_member {
            true => ServeError::FollowerFailed(why),
            false => ServeError::StoreFailed(why),
        },
        why = cluster_end(state.clone()) => ServeError::Cluster(why),
    }
}

/// Ends with the reason once the store has failed.
async fn store_failure(state: Arc<GatewayState>) -> String {
    let engine = &state.services.engine;
    while engine.failures() == 0 {
        tokio::time::sleep(FAILURE_CHECK_PERIOD).await;
    }
    engine.failure().unwrap_or_else(|| "it was opened again since".into())
}

/// Ends with the reason once the log of the cluster cannot be followed.
async fn cluster_end(state: Arc<GatewayState>) -> String {
    match &state.services.cluster {
        Some(cluster) => cluster.node.ended().await.to_string(),
        None => std::future::pending().await,
    }
}

/// Begins a run, and makes the rooms of the configuration. A store that follows a log may stop for good at
/// what it reads before the gateway has begun.
async fn begin(state: &Arc<GatewayState>, config: &Config) -> Result<(), ServeError> {
    let services = &state.services;
    tokio::select! {
        prepared = start::prepare(services, config) => prepared,
        why = cluster_end(state.clone()) => Err(ServeError::Cluster(why)),
        why = store_failure(state.clone()), if services.cluster.is_some() => {
            Err(ServeError::FollowerFailed(why))
        }
    }
}

impl Gateway {
    /// Opens the store and starts listening. Needs a tokio runtime with time and I/O.
    pub async fn start(config: Config) -> Result<Self, ServeError> {
        let (state, hub) = start::open(&config).await?;
        let at_start = StartupKeys::of(&config);
        let gateway = Self {
            state: state.clone(),
            hub: Some(hub),
            config,
            shown: Arc::default(),
            former: None,
            at_start,
        };
        let services = &state.services;
        begin(&state, &gateway.config).await?;
        state.spawn_background(cluster::beat(state.clone()));
        state.spawn_background(cluster::renew_runs(state.clone()));
        state.spawn_background(cluster::take_turns(state.clone()));
        state.spawn_background(cluster::keep_snapshots(state.clone(), gateway.config.clone()));
        if let Some(retention) = Retention::of(&gateway.config.store) {
            // The first step before there are connections.
            let next = match services.is_steward() {
                true => retention.step(services, RoomId(0)).await,
                false => None,
            };
            state.spawn(retention.run(state.clone(), next));
        }
        let free_space_min = gateway.config.store.free_space_min;
        if free_space_min > 0 {
            free_space::check(&state, free_space_min);
            state.spawn(free_space::watch(state.clone(), free_space_min));
        }
        state
            .webhooks
            .apply(services, &gateway.config.webhooks)
            .await
            .map_err(ServeError::Start)?;
        gateway.listen()?;
        if let Some(backup) = gateway.config.store.backup.clone() {
            state.spawn_background(backups::run(state.clone(), backup));
        }
        let passwords = services.passwords.clone();
        tokio::spawn(async move { passwords.warm_up().await });
        state.spawn(housekeeping::expire(state.clone()));
        if gateway.config.store.search {
            state.spawn(indexing::run(state.clone()));
        }
        state.spawn(certificates::watch(state.clone()));
        #[cfg(feature = "acme")]
        state.spawn(acme::run(state.clone()));
        state.spawn(api_key_files::watch(state.clone()));
        state.spawn_background(reconciler::run(state.clone()));
        state.spawn_background(housekeeping::store_acknowledgements(state.clone()));
        state.spawn_background(housekeeping::count_owed(state.clone()));
        state.spawn_background(housekeeping::summarize_peers(state.clone()));
        state.spawn_background(sampler::run(state.clone()));
        Ok(gateway)
    }

    fn listen(&self) -> Result<(), ServeError> {
        let state = &self.state;
        let frontends = &state.registry().frontends;
        let listeners = start::listeners(state, frontends, &self.config.frontends);
        start::listen(state, &listeners, &self.config)?;
        start::announce(frontends, &listeners);
        let config = &self.config.admin;
        let admin = config.listen.clone().map(|address| admin::listener(address, state));
        let admin_tls = config.tls_listen.clone();
        let admin_tls = admin_tls.map(|(address, tls)| admin::tls_listener(address, &tls, state));
        for admin in admin.iter().chain(&admin_tls) {
            if let Err(error) = admin::open(admin, state) {
                admin.log_bind_error(&error);
                state.spawn(retry_bind(admin.clone(), state.clone(), admin::open));
            }
        }
        state.change_registry(|registry| {
            registry.listeners = listeners;
            registry.admin = admin;
            registry.admin_tls = admin_tls;
        });
        Ok(())
    }

    /// Logs where operators look at the gateway, and that it serves.
    fn log_ready(&self, took: Duration) {
        let registry = self.state.registry();
        let bound = registry.admin.as_ref().and_then(|listener| listener.bound());
        if let Some(address) = &bound {
            let pages = [
                (registry.console, "/console/", "the console"),
                (registry.api_page, "/api/", "the pages of the admin listener"),
            ];
            for (_, path, what) in pages.iter().filter(|(is_on, ..)| *is_on) {
                tracing::info!(url = format!("http://{address}{path}"), "{what}");
            }
        }
        let frontends = registry.frontends.iter();
        let listening = frontends.filter(|frontend| registry.is_listening(frontend)).count();
        let frontends = registry.frontends.len();
        let took_ms = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        tracing::info!(took_ms, frontends, listening, "ready");
    }

    /// Starts what a process owes to its supervisor, and process 1 to others.
    fn begin_duties(&self) {
        let state = &self.state;
        if let Some(timeout) = supervisor::watchdog_timeout() {
            state.spawn_background(watchdog::feed(state.clone(), timeout));
        }
        if orphans::are_inherited() {
            state.spawn_background(orphans::reap(state.clone()));
        }
    }

    /// The open listeners of all front ends; port 0 is replaced by the actual port.
    pub fn addresses(&self) -> Vec<Address> {
        let registry = self.state.registry();
        let addresses = registry.frontends.iter().flat_map(|frontend| {
            let addresses = start::addresses_of(frontend, &registry.listeners).into_iter();
            addresses.map(|(binding, address, _)| Address {
                frontend: frontend.name.clone(),
                listener: binding.listener.key.clone(),
                transport: binding.listener.transport,
                address,
            })
        });
        addresses.collect()
    }

    /// The address and port of the front end's listener with this key.
    pub fn address(&self, frontend: &str, listener: &str) -> Option<SocketAddr> {
        let mut addresses = self.addresses().into_iter();
        let is_it = |found: &Address| found.frontend == frontend && found.listener == listener;
        addresses.find(is_it)?.address.ip()
    }

    /// Waits until each listener has its address, as one that was in use gets it some time later.
    pub async fn until_listening(&self) {
        let listeners = self.state.registry().listeners.clone();
        for listener in listeners {
            listener.until_bound().await;
        }
    }

    /// The address of /healthz, /readyz and /metrics.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.state.registry().admin.as_ref()?.bound()?.ip()
    }

    /// Drains: accepts nothing new, answers what was asked, says goodbye in each dialect, and
    /// closes the store. Closes connections that are not done within the drain timeout.
    pub async fn shutdown(mut self) {
        let state = &self.state;
        state.shutdown.drain();
        let drain_timeout = {
            let registry = state.registry();
            registry.instances().for_each(|instance| instance.drain());
            registry.drain_timeout
        };
        let drained = async { tokio::join!(state.wait_until_drained(), state.webhooks.drain()) };
        if timeout(drain_timeout, drained).await.is_err() {
            let instances = state.registry().instances_by_name();
            let connections: u32 = instances.iter().map(|one| one.connections.count()).sum();
            tracing::warn!(connections, "drain timeout reached, closing remaining connections");
        }
        self.stop();
        // Nothing is left to wait for; the timeout is for a front end that hangs.
        drop(timeout(STOP_TIMEOUT, state.wait_until_stopped()).await);
        let services = state.services.clone();
        cluster::leave(&services).await;
        drop(tokio::task::spawn_blocking(move || services.engine.stop()).await);
        state.services.hub.stop();
        if let Some(hub) = self.hub.take() {
            // A panic of the hub is in the log.
            drop(hub.await);
        }
        #[cfg(feature = "otel")]
        if let Some(traces) = state.services.traces.clone() {
            drop(tokio::task::spawn_blocking(move || traces.shut_down()).await);
        }
        reconciler::close(&state.registry());
        state.services.peer_log.summarize();
    }

    /// Ends all connections and tasks at once.
    fn stop(&self) {
        self.state.shutdown.stop();
        self.state.registry().instances().for_each(|instance| instance.abort());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.stop();
        self.state.services.hub.stop();
    }
}
