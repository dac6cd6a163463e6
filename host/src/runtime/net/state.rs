//! What every task of the gateway shares.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption, Guard};
use parking_lot::Mutex;
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio_util::task::TaskTracker;

use crate::admin::Problem;
use crate::admin::types::ConfigPlan;
use crate::config::{Config, ShownConfig, StoreConfig, WhichConfig};
use crate::runtime::frontends::log_throttle::LogThrottle;
use crate::runtime::limits::open_files::FileBudget;
use crate::runtime::net::challenges::Challenges;
use crate::runtime::net::console::Console;
use crate::runtime::net::handshake::HandshakeWork;
use crate::runtime::net::players::Players;
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::shutdown::Shutdown;
use crate::runtime::session::services::Services;
use crate::runtime::webhooks::Webhooks;

/// Connections over a limit that are answered 503 and lingered on at once; beyond it they are
/// closed without an answer. Each is a file descriptor.
const REJECTIONS_MAX: usize = 256;

/// Between two lines of the log about a listener that cannot accept: it tries several times a second.
const ACCEPT_LOG_QUIET: Duration = Duration::from_secs(60);

/// More than anyone configures.
const ACCEPT_LOG_KEYS_MAX: usize = 256;

/// What is to be done with a configuration.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum ConfigAction {
    Plan,
    /// A plan that also has what is wrong with a configuration that cannot be applied.
    Check,
    Apply,
    /// Applies what was in effect before the last change.
    RollBack,
}

impl ConfigAction {
    pub(crate) fn is_change(self) -> bool {
        matches!(self, Self::Apply | Self::RollBack)
    }
}

/// A request of the admin API to the task of the gateway.
pub(crate) struct ConfigRequest {
    pub(crate) action: ConfigAction,
    pub(crate) which: WhichConfig,
    pub(crate) reply: oneshot::Sender<Result<ConfigPlan, Problem>>,
}

/// Where the configuration is from.
#[derive(Clone)]
pub(crate) struct ConfigSource {
    pub(crate) file: PathBuf,
    pub(crate) requests: mpsc::Sender<ConfigRequest>,
}

impl ConfigSource {
    /// `None`: the gateway is shutting down.
    pub(crate) async fn ask(
        &self,
        action: ConfigAction,
        which: WhichConfig,
    ) -> Option<Result<ConfigPlan, Problem>> {
        let (reply, answer) = oneshot::channel();
        self.requests.send(ConfigRequest { action, which, reply }).await.ok()?;
        answer.await.ok()
    }
}

pub(crate) struct GatewayState {
    pub(crate) services: Arc<Services>,
    pub(crate) webhooks: Webhooks,
    pub(crate) players: Players,
    pub(crate) shutdown: Shutdown,
    pub(crate) handshakes: HandshakeWork,
    pub(crate) challenges: Arc<Challenges>,
    /// Notified after each reload.
    pub(crate) reloaded: Notify,
    /// Permits for connections that are answered 503.
    pub(crate) rejections: Arc<Semaphore>,
    /// The descriptors that connections of front ends may have.
    pub(crate) files: FileBudget,
    /// Of listeners, by address, that could not accept.
    pub(crate) accept_log: LogThrottle<String>,
    /// The permit of the one backup that may be under way.
    pub(crate) backup_turn: Arc<Semaphore>,
    pub(crate) console: Console,
    /// Each request reads it, and no lock or count of references is shared by all of them.
    registry: ArcSwap<FrontendRegistry>,
    /// Held while the registry changes.
    registry_change: Mutex<()>,
    config_source: OnceLock<ConfigSource>,
    /// What the layers of the configuration in effect say, where it is from a file.
    pub(crate) effective: ArcSwapOption<ShownConfig>,
    /// As it was at the start: changes of it take effect at the next one.
    pub(crate) store: StoreConfig,
    /// The tasks that draining waits for.
    drained: TaskTracker,
    /// All tasks.
    tasks: TaskTracker,
}

impl GatewayState {
    pub(crate) fn new(
        services: Arc<Services>,
        registry: FrontendRegistry,
        config: &Config,
    ) -> Self {
        Self {
            shutdown: Shutdown::new(services.stopping.clone()),
            services,
            webhooks: Webhooks::default(),
            players: Players::default(),
            handshakes: HandshakeWork::new(config.server.threads),
            challenges: Arc::default(),
            reloaded: Notify::new(),
            rejections: Arc::new(Semaphore::new(REJECTIONS_MAX)),
            files: FileBudget::of_process(),
            accept_log: LogThrottle::new(ACCEPT_LOG_QUIET, ACCEPT_LOG_KEYS_MAX),
            backup_turn: Arc::new(Semaphore::new(1)),
            console: Console::default(),
            registry: ArcSwap::from_pointee(registry),
            registry_change: Mutex::default(),
            config_source: OnceLock::new(),
            effective: ArcSwapOption::empty(),
            store: config.store.clone(),
            drained: TaskTracker::new(),
            tasks: TaskTracker::new(),
        }
    }

    /// The active front ends. Do not store the `Arc`: a removed front end is freed only when every
    /// reference is dropped.
    pub(crate) fn registry(&self) -> Arc<FrontendRegistry> {
        self.registry.load_full()
    }

    /// The same for a look at it, which counts no reference.
    pub(crate) fn peek_registry(&self) -> Guard<Arc<FrontendRegistry>> {
        self.registry.load()
    }

    /// Where the configuration is from, if it is from a file.
    pub(crate) fn config_source(&self) -> Option<ConfigSource> {
        self.config_source.get().cloned()
    }

    /// Says once where the configuration is from.
    pub(crate) fn set_config_source(&self, source: ConfigSource) {
        drop(self.config_source.set(source));
    }

    pub(crate) fn change_registry(&self, change: impl FnOnce(&mut FrontendRegistry)) {
        let _changing = self.registry_change.lock();
        let mut registry = (*self.registry()).clone();
        change(&mut registry);
        self.registry.store(Arc::new(registry));
    }

    /// Spawns a task that draining waits for.
    pub(crate) fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(self.drained.track_future(task));
    }

    /// Spawns a task that draining does not wait for. It must end when the gateway stops.
    pub(crate) fn spawn_background(&self, task: impl Future<Output = ()> + Send + 'static) {
        self.tasks.spawn(task);
    }

    /// Waits until every task of [`spawn`](Self::spawn) has ended, after shutdown began.
    pub(crate) async fn wait_until_drained(&self) {
        self.drained.close();
        self.drained.wait().await;
    }

    pub(crate) fn has_drained(&self) -> bool {
        self.drained.is_closed() && self.drained.is_empty()
    }

    /// Waits until every task has ended, after shutdown began.
    pub(crate) async fn wait_until_stopped(&self) {
        self.tasks.close();
        self.tasks.wait().await;
    }
}
