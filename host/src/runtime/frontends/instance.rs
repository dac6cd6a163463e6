//! A front end that runs.
//!
//! What a reload of the configuration changes in place (limits, guard, CORS) is in
//! [`FrontendHandle`]: every connection keeps the one it began with. What all connections share
//! across such reloads is in [`FrontendInstance`], and ends with the last of them.

use std::collections::HashMap;
use std::net::IpAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use core_engine::FrontendSettings;
use core_model::ConnectionId;
use frontend_api::fidelity::Losses;
use frontend_api::http::{HttpError, Response};
use frontend_api::schema::{Document, Server};
use frontend_api::{Ending, Frontend};
use gateway_fanout::{Account, ConnectionHandle};
use parking_lot::Mutex;
use serde_json::Value;
use tokio::sync::{Notify, watch};

use crate::config::{FrontendConfig, Limits, UpstreamConfig};
use crate::dialects::DIALECTS;
use crate::plugin::Loaded;
use crate::runtime::frontends::api_keys::ApiKeys;
use crate::runtime::frontends::cors::Cors;
use crate::runtime::frontends::guarded::{GuardedFrontend, Panicked};
use crate::runtime::frontends::log_throttle::LogThrottle;
use crate::runtime::frontends::plugin::calls::PluginFrontend;
use crate::runtime::frontends::plugin::fault_breaker::{FAULTS_MAX, FAULTS_WINDOW, FaultBreaker};
use crate::runtime::frontends::stream_activity::{OpenStream, StreamActivity};
use crate::runtime::limits::{ConnectionLimiter, ConnectionsFull, KeyedRateLimiter};
use crate::runtime::metrics::{FaultKind, FrontendMetrics, Limit};

/// How long a kind of plugin fault, once logged, is not logged again.
const FAULT_QUIET: Duration = Duration::from_secs(60);

/// More than there are kinds of fault times functions of a plugin.
const FAULT_KEYS_MAX: usize = 64;

/// The function of a plugin that encodes events.
const ENCODING_FUNCTION: &str = "frontend_broadcast";

/// How long a refused site, once logged, is not logged again; and how many are remembered.
const SITE_QUIET: Duration = Duration::from_secs(3600);
const SITE_KEYS_MAX: usize = 64;

/// A front end as one section of gateway.toml configures it.
pub(crate) struct FrontendHandle {
    pub(crate) name: String,
    pub(crate) frontend: GuardedFrontend,
    pub(crate) limits: Limits,
    pub(crate) settings: Arc<FrontendSettings>,
    pub(crate) api_keys: ApiKeys,
    pub(crate) cors: Cors,
    /// Names that HTTP clients may call this host by, beside those of private networks.
    pub(crate) hosts: Vec<String>,
    /// The servers that its sessions ask.
    pub(crate) upstreams: Vec<UpstreamConfig>,
    pub(crate) metrics: Arc<FrontendMetrics>,
    pub(crate) connections: Arc<ConnectionLimiter>,
    pub(crate) request_rates: Arc<KeyedRateLimiter>,
    /// Its own keys.
    options: Value,
    /// The identities whose tokens count like an API key.
    pub(crate) token_identities: Vec<String>,
    allow: Vec<ipnet::IpNet>,
    /// The documents that describe it, with the servers that they name.
    served_documents: Mutex<Option<ServedDocuments>>,
    instance: Arc<InstanceRef>,
}

/// The documents that name these servers.
type ServedDocuments = (Vec<Server>, Arc<[Document]>);

/// Held by every [`FrontendHandle`] of an instance; dropping the last signals that it is gone.
struct InstanceRef(Arc<FrontendInstance>);

impl Drop for InstanceRef {
    fn drop(&mut self) {
        self.0.gone.notify_one();
    }
}

/// What all connections of a front end share. An instance that replaces another of its name counts
/// into the same metrics and limits.
pub(crate) struct FrontendInstance {
    /// Its index among all that run, draining ones included.
    pub(crate) index: u16,
    pub(crate) name: String,
    /// The dialect's own name.
    dialect: String,
    pub(crate) metrics: Arc<FrontendMetrics>,
    /// What its readers do not see of messages.
    pub(crate) losses: Arc<Losses>,
    pub(crate) connections: Arc<ConnectionLimiter>,
    request_rates: Arc<KeyedRateLimiter>,
    /// The library it was loaded from, if any.
    plugin: Option<Loaded>,
    breaker: FaultBreaker,
    fault_log: LogThrottle<(FaultKind, &'static str)>,
    /// The documents that describe it, once they were asked for.
    documents: Mutex<Option<Arc<[Document]>>>,
    /// Why requests of web pages were refused.
    pub(crate) site_log: LogThrottle<String>,
    /// Why requests to the servers that it asks failed.
    pub(crate) upstream_log: LogThrottle<String>,
    /// The answer once it is taken down, in its own dialect: encoded while it still worked.
    down_response: Response,
    /// Why it was taken down, if it was.
    down: watch::Sender<Option<Arc<str>>>,
    streams: Mutex<Streams>,
    gone: Notify,
}

/// What is answered for a front end that was taken down.
pub(crate) fn is_down_error() -> HttpError {
    HttpError::new(503, "this part of the gateway is out of order")
}

/// The open stream connections.
#[derive(Default)]
struct Streams {
    open: HashMap<ConnectionId, OpenStream>,
    /// A stream that opens later is drained at once.
    draining: bool,
}

impl FrontendHandle {
    /// A new instance, which replaces `former` if given.
    pub(crate) fn new(
        index: u16,
        config: &FrontendConfig,
        former: Option<&FrontendInstance>,
    ) -> Self {
        let frontend: Arc<dyn Frontend> = match &config.plugin {
            Some(loaded) => Arc::new(PluginFrontend(loaded.frontend.clone())),
            None => config.frontend.clone(),
        };
        let instance = Arc::new(FrontendInstance::new(index, config, former));
        instance.observe_faults();
        let (metrics, losses) = (instance.metrics.clone(), instance.losses.clone());
        let frontend = GuardedFrontend::new(config.name.clone(), frontend, metrics, losses);
        Self::with(frontend, config, Arc::new(InstanceRef(instance)))
    }

    /// The same instance under another section.
    pub(crate) fn reconfigured(&self, config: &FrontendConfig) -> Self {
        Self::with(self.frontend.clone(), config, self.instance.clone())
    }

    fn with(
        frontend: GuardedFrontend,
        config: &FrontendConfig,
        instance: Arc<InstanceRef>,
    ) -> Self {
        let settings = FrontendSettings {
            frontend: config.name.clone(),
            room_capacity: config.room_capacity,
            auto_join: config.auto_join.clone(),
            quotas: config.limits.quotas.clone(),
        };
        Self {
            name: config.name.clone(),
            frontend,
            limits: config.limits.clone(),
            settings: Arc::new(settings),
            api_keys: ApiKeys::new(&config.guard),
            cors: Cors::new(&config.cors_origins),
            hosts: config.hosts.clone(),
            upstreams: config.upstreams.clone(),
            metrics: instance.0.metrics.clone(),
            connections: instance.0.connections.clone(),
            request_rates: instance.0.request_rates.clone(),
            options: config.options.clone(),
            token_identities: token_identities(&config.guard.jwt_subjects),
            allow: config.guard.allow.clone(),
            served_documents: Mutex::default(),
            instance,
        }
    }

    pub(crate) fn instance(&self) -> &Arc<FrontendInstance> {
        &self.instance.0
    }

    /// Another front end with the same options, which shares nothing with the connections of this
    /// one and counts nothing. `None`: there is none, as of a front end that a test has made.
    pub(crate) fn copy(&self) -> Option<GuardedFrontend> {
        let options = self.options.as_object().cloned().unwrap_or_default();
        let copy = match &self.instance().plugin {
            Some(plugin) => plugin.again(&options)?,
            None => {
                let dialect = &self.frontend.manifest().dialect;
                let dialect = DIALECTS.iter().find(|row| row.name == dialect)?;
                dialect.configure(options).ok()?
            }
        };
        Some(self.frontend.around(copy))
    }

    /// Its index among all that run.
    pub(crate) fn index(&self) -> u16 {
        self.instance().index
    }

    /// Whether an address may use this front end. One that is unknown may where all may.
    pub(crate) fn allows(&self, address: Option<IpAddr>) -> bool {
        let contains = |address: IpAddr| {
            let address = address.to_canonical();
            self.allow.iter().any(|network| network.contains(&address))
        };
        self.allow.is_empty() || address.is_some_and(contains)
    }

    /// Whether an HTTP client must send an API key, or a token in its place.
    pub(crate) fn has_api_keys(&self) -> bool {
        !self.api_keys.is_empty() || !self.token_identities.is_empty()
    }

    /// Counts a connection that was refused.
    pub(crate) fn note_full(&self, full: ConnectionsFull) {
        self.metrics.note_refused(match full {
            ConnectionsFull::Total => Limit::Connections,
            ConnectionsFull::OfAddress => Limit::ConnectionsPerAddress,
        });
    }

    /// The documents that describe it. They are generated once: an instance never changes its
    /// options.
    fn documents(&self) -> Result<Arc<[Document]>, Panicked> {
        let mut documents = self.instance().documents.lock();
        if let Some(documents) = &*documents {
            return Ok(documents.clone());
        }
        let generated: Arc<[Document]> = self.frontend.schemas()?.into();
        *documents = Some(generated.clone());
        Ok(generated)
    }

    /// The documents, which name these servers.
    pub(crate) fn documents_at(&self, servers: Vec<Server>) -> Result<Arc<[Document]>, Panicked> {
        let mut served = self.served_documents.lock();
        match &*served {
            Some((named, documents)) if *named == servers => return Ok(documents.clone()),
            _ => (),
        }
        let documents = self.documents()?;
        let documents = documents.iter().map(|document| document.with_servers(&servers)).collect();
        let (_, documents) = served.insert((servers, documents));
        Ok(documents.clone())
    }

    /// Why it was taken down, if it was.
    pub(crate) fn down(&self) -> Option<Arc<str>> {
        self.instance().down()
    }

    /// The answer once it is taken down, in its own dialect.
    pub(crate) fn down_response(&self) -> Response {
        self.instance().down_response.clone()
    }

    /// Waits until it is taken down.
    pub(crate) async fn until_down(&self) {
        // Cannot fail: the sender lives as long as `self`.
        drop(self.instance().down.subscribe().wait_for(Option::is_some).await);
    }
}

/// What [`ExternalAuth`](crate::runtime::session::auth::ExternalAuth) calls these subjects.
fn token_identities(subjects: &[String]) -> Vec<String> {
    subjects.iter().map(|subject| format!("jwt/{subject}")).collect()
}

impl FrontendInstance {
    fn new(index: u16, config: &FrontendConfig, former: Option<&Self>) -> Self {
        let down_response = config.frontend.fault(&is_down_error());
        Self {
            index,
            name: config.name.clone(),
            dialect: config.dialect().to_owned(),
            metrics: former.map_or_else(Arc::default, |former| former.metrics.clone()),
            losses: Arc::new(Losses::of(config.frontend.manifest().fidelity.as_ref())),
            connections: former.map_or_else(Arc::default, |former| former.connections.clone()),
            request_rates: former.map_or_else(Arc::default, |former| former.request_rates.clone()),
            plugin: config.plugin.clone(),
            breaker: FaultBreaker::default(),
            fault_log: LogThrottle::new(FAULT_QUIET, FAULT_KEYS_MAX),
            documents: Mutex::default(),
            site_log: LogThrottle::new(SITE_QUIET, SITE_KEYS_MAX),
            upstream_log: LogThrottle::new(FAULT_QUIET, FAULT_KEYS_MAX),
            down_response,
            down: watch::Sender::new(None),
            streams: Mutex::default(),
            gone: Notify::new(),
        }
    }

    /// A stream connection has opened.
    pub(crate) fn add_stream(&self, handle: Arc<ConnectionHandle>, activity: Arc<StreamActivity>) {
        let mut streams = self.streams.lock();
        if streams.draining {
            handle.mailbox.end(Ending::Draining);
        }
        streams.open.insert(handle.id, OpenStream { handle, activity });
    }

    /// The open stream connections, in no order.
    pub(crate) fn streams(&self) -> Vec<OpenStream> {
        self.streams.lock().open.values().cloned().collect()
    }

    /// A stream connection is gone.
    pub(crate) fn remove_stream(&self, connection: ConnectionId) {
        self.streams.lock().open.remove(&connection);
    }

    /// Has the session of a stream connection woken, if it is still there.
    pub(crate) fn wake_stream(&self, connection: ConnectionId) {
        let stream = self.streams.lock().open.get(&connection).cloned();
        if let Some(stream) = stream {
            stream.handle.mailbox.wake_session();
        }
    }

    /// Passes on what each open stream connection is owed. No connection opens or ends meanwhile.
    pub(crate) fn each_account(&self, each: impl FnMut(Account)) {
        let streams = self.streams.lock();
        streams.open.values().map(|stream| stream.handle.mailbox.account()).for_each(each);
    }

    /// How many stream connections are open.
    pub(crate) fn stream_count(&self) -> usize {
        self.streams.lock().open.len()
    }

    /// Ends every stream connection after its requests are answered.
    pub(crate) fn drain(&self) {
        self.streams.lock().draining = true;
        self.close_streams();
    }

    /// Ends the stream connections that are open now after their requests are answered.
    pub(crate) fn close_streams(&self) {
        for stream in self.streams.lock().open.values() {
            stream.handle.mailbox.end(Ending::Draining);
        }
    }

    /// Ends every stream connection at once.
    pub(crate) fn abort(&self) {
        for stream in self.streams.lock().open.values() {
            stream.handle.mailbox.abort();
        }
    }

    /// Waits, once, until every [`FrontendHandle`] of this instance is dropped.
    pub(crate) async fn until_gone(&self) {
        self.gone.notified().await;
    }

    pub(crate) fn is_plugin(&self) -> bool {
        self.plugin.is_some()
    }

    /// The library that it was loaded from, if it is a plugin.
    pub(crate) fn plugin_path(&self) -> Option<&Path> {
        self.plugin.as_ref().map(|plugin| &*plugin.path)
    }

    /// Whether it is a plugin that was built for a later gateway.
    pub(crate) fn is_newer(&self) -> bool {
        self.plugin.as_ref().is_some_and(Loaded::is_newer)
    }

    fn observe_faults(self: &Arc<Self>) {
        let Some(plugin) = &self.plugin else { return };
        let instance = Arc::downgrade(self);
        plugin.observe(move |fault| {
            let Some(instance) = instance.upgrade() else { return };
            let kind = match fault.kind {
                plugin_loader::FaultKind::Panicked => FaultKind::Panicked,
                plugin_loader::FaultKind::Malformed => FaultKind::Malformed,
            };
            instance.note_fault(kind, fault.function, &fault.to_string());
        });
    }

    /// A request was left without a response. `closed`: the session has closed, as it does after a
    /// fault that is counted already.
    pub(crate) fn note_unanswered(&self, closed: bool) {
        let what = "a request was left without a response";
        match &self.plugin {
            None => tracing::error!(frontend = self.name, "{what}"),
            Some(_) if closed => (),
            Some(plugin) => {
                let what = format!("plugin {} ({}): {what}", self.dialect, plugin.path.display());
                self.note_fault(FaultKind::Silent, "session_handle", &what);
            }
        }
    }

    /// Counts and logs a fault of the plugin; takes the front end down after too many.
    fn note_fault(&self, kind: FaultKind, function: &'static str, what: &str) {
        self.metrics.note_plugin_fault(kind);
        if function == ENCODING_FUNCTION {
            self.metrics.encoding_faults.add(1);
        }
        let now = Instant::now();
        if self.fault_log.admit((kind, function), now) {
            tracing::error!(frontend = self.name, "{what}");
        } else {
            tracing::debug!(frontend = self.name, "{what}");
        }
        if self.breaker.note(now) {
            let secs = FAULTS_WINDOW.as_secs();
            self.take_down(&format!(
                "more than {FAULTS_MAX} faults within {secs} s, the last: {what}"
            ));
        }
    }

    fn take_down(&self, why: &str) {
        if self.set_down(why) {
            tracing::error!(
                frontend = self.name,
                "taken down until its section or its plugin changes, an operator enables it, or \
                 the gateway restarts: {why}"
            );
        }
    }

    /// Takes it down for an operator.
    pub(crate) fn disable(&self, why: &str) {
        if self.set_down(why) {
            tracing::warn!(frontend = self.name, "disabled: {why}");
        }
    }

    /// Serves again. The caller opens its listeners.
    pub(crate) fn enable(&self) {
        self.streams.lock().draining = false;
        if self.down.send_replace(None).is_some() {
            tracing::info!(frontend = self.name, "enabled");
        }
    }

    /// Accepts no more connections, and drains those that are open. False: it was down before.
    fn set_down(&self, why: &str) -> bool {
        let is_first = self.down.send_if_modified(|down| {
            let is_up = down.is_none();
            if is_up {
                *down = Some(why.into());
            }
            is_up
        });
        if is_first {
            self.drain();
        }
        is_first
    }

    /// Why it was taken down, if it was.
    pub(crate) fn down(&self) -> Option<Arc<str>> {
        self.down.borrow().clone()
    }
}
