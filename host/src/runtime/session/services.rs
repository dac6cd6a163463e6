//! What every session needs from the gateway: the engine, the hub, the clock, the password pool.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use core_engine::{Engine, Envelope, FrontendSettings, Owed, ROOM_CAPACITY_DEFAULT};
use core_model::{Command, ConnectionId, Outcome, Refusal, TokenHash};
use gateway_fanout::{Hub, Ticket};
use tokio::sync::{Semaphore, oneshot, watch};
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::admin::audit::AuditLog;
use crate::cluster::Node;
use crate::config::{AuthConfig, Config, Reads};
use crate::runtime::clock::Clock;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::KeyedRateLimiter;
use crate::runtime::limits::low_priority::LowPriorityThreads;
use crate::runtime::limits::memory_budget::MemoryBudget;
use crate::runtime::metrics::{GatewayMetrics, Limit};
use crate::runtime::session::acknowledgements::Acknowledgements;
use crate::runtime::session::auth::ExternalAuth;
use crate::runtime::session::auto_join_log::AutoJoinLog;
use crate::runtime::session::fetch::Fetcher;
use crate::runtime::session::network_bans::NetworkBans;
use crate::runtime::session::passwords::Passwords;
use crate::runtime::session::peer_log::PeerLog;
use crate::runtime::session::recent::RecentMessages;
use crate::runtime::session::sign_in_guard::SignInGuard;
use crate::runtime::session::taps::Taps;
#[cfg(feature = "otel")]
use crate::runtime::session::traces::Traces;

/// Commands that may wait for the engine's writer or the hub before a peer with an unanswered post
/// must slow down: some 20 ms' work, and eight times what one peer may have unanswered.
pub(crate) const BACKLOG_COMMANDS_MAX: usize = 512;

/// Heavy queries that run at once, per network thread: they read from memory or disk, so a few
/// more than there are cores.
const HEAVY_QUERIES_PER_THREAD: usize = 4;

/// How long a caller that waits for an answer does, where a log that other machines keep decides when it
/// comes. A stream has its answer whenever that is.
const UNSETTLED_AFTER: Duration = Duration::from_secs(10);

/// Envelopes have milliseconds.
const NS_PER_MS: u64 = 1_000_000;

pub(crate) struct Services {
    pub(crate) engine: Arc<Engine<Ticket>>,
    /// The place in a cluster of a gateway whose store follows a log.
    pub(crate) cluster: Option<Membership>,
    /// Changes after each commit.
    pub(crate) committed: watch::Sender<()>,
    /// The engine's file.
    pub(crate) store: PathBuf,
    pub(crate) hub: Arc<Hub>,
    pub(crate) clock: Arc<Clock>,
    pub(crate) passwords: Passwords,
    pub(crate) sign_in_guard: SignInGuard,
    /// The bytes that each address has others sent, through all front ends together: a room has
    /// members of several.
    pub(crate) byte_rates: KeyedRateLimiter,
    pub(crate) metrics: Arc<GatewayMetrics>,
    pub(crate) auto_join_log: AutoJoinLog,
    /// What peers do wrong.
    pub(crate) peer_log: PeerLog,
    pub(crate) fetcher: Fetcher,
    pub(crate) acknowledgements: Acknowledgements,
    pub(crate) network_bans: NetworkBans,
    /// The log of operators' changes.
    pub(crate) audit: AuditLog,
    /// Operators that watch frames.
    pub(crate) taps: Arc<Taps>,
    pub(crate) recent: Arc<RecentMessages>,
    /// Memory for messages that peers have begun to send.
    pub(crate) memory_budget: Arc<MemoryBudget>,
    /// Memory for replies that peers have not read.
    pub(crate) unread_budget: Arc<MemoryBudget>,
    /// Cancelled when the gateway drops what is left.
    pub(crate) stopping: CancellationToken,
    #[cfg(feature = "otel")]
    pub(crate) traces: Option<Arc<Traces>>,
    external_auth: ArcSwap<ExternalAuth>,
    pub(super) heavy_queries: Arc<Semaphore>,
    pub(super) heavy_threads: LowPriorityThreads,
    /// Bounds the answers encoded at once that take milliseconds each.
    pub(super) long_answers: Arc<Semaphore>,
    connections: AtomicU64,
    /// Whether messages are refused for lack of space.
    is_space_low: AtomicBool,
    /// Whether the file system does not say how much space it has.
    is_space_unknown: AtomicBool,
}

/// The place of a gateway in a cluster.
pub(crate) struct Membership {
    pub(crate) node: Arc<Node<Ticket>>,
    reads: Reads,
    /// Whether this gateway does what one of them has to do for all.
    is_steward: watch::Sender<bool>,
}

impl Membership {
    pub(crate) fn new(node: Arc<Node<Ticket>>, reads: Reads) -> Self {
        Self { node, reads, is_steward: watch::Sender::new(false) }
    }

    pub(crate) fn set_steward(&self, is_steward: bool) {
        let has_changed = |was: &mut bool| std::mem::replace(was, is_steward) != is_steward;
        self.is_steward.send_if_modified(has_changed);
    }

    /// Whether it does, to be watched.
    pub(crate) fn stewardship(&self) -> watch::Receiver<bool> {
        self.is_steward.subscribe()
    }
}

/// Where a command comes from.
#[derive(Clone, Copy, Debug)]
pub(crate) struct CommandSource {
    pub(crate) connection: ConnectionId,
    /// The peer's network, for quotas.
    pub(crate) network: Option<u128>,
}

impl Services {
    pub(crate) fn new(
        engine: Arc<Engine<Ticket>>,
        hub: Arc<Hub>,
        metrics: Arc<GatewayMetrics>,
        committed: watch::Sender<()>,
        clock: Arc<Clock>,
        recent: Arc<RecentMessages>,
        config: &Config,
    ) -> Self {
        let heavy_queries = config.server.threads.max(1) * HEAVY_QUERIES_PER_THREAD;
        Self {
            engine,
            cluster: None,
            committed,
            store: config.store.path.clone(),
            hub,
            clock,
            passwords: Passwords::new(config.server.password_threads),
            sign_in_guard: SignInGuard::default(),
            byte_rates: KeyedRateLimiter::default(),
            metrics,
            auto_join_log: AutoJoinLog::default(),
            peer_log: PeerLog::default(),
            fetcher: Fetcher::default(),
            acknowledgements: Acknowledgements::default(),
            network_bans: NetworkBans::default(),
            audit: AuditLog::beside(&config.store.path),
            taps: Arc::default(),
            recent,
            memory_budget: Arc::new(MemoryBudget::of_input()),
            unread_budget: Arc::new(config.server.unread.budget()),
            stopping: CancellationToken::new(),
            #[cfg(feature = "otel")]
            traces: None,
            external_auth: ArcSwap::from_pointee(ExternalAuth::new(config.auth.clone())),
            heavy_queries: Arc::new(Semaphore::new(heavy_queries)),
            heavy_threads: LowPriorityThreads::new("queries", heavy_queries),
            long_answers: Arc::new(Semaphore::new(config.server.threads.max(1))),
            connections: 0.into(),
            is_space_low: false.into(),
            is_space_unknown: false.into(),
        }
    }

    pub(crate) fn with_cluster(self, cluster: Option<Membership>) -> Self {
        Self { cluster, ..self }
    }

    #[cfg(feature = "otel")]
    pub(crate) fn with_traces(self, traces: Option<Arc<Traces>>) -> Self {
        Self { traces, ..self }
    }

    /// What checks passwords beside those that are stored. A sign-in goes on with what it began
    /// with.
    pub(crate) fn external_auth(&self) -> Arc<ExternalAuth> {
        self.external_auth.load_full()
    }

    /// Whether tokens are accepted at present.
    pub(crate) fn accepts_tokens(&self) -> bool {
        self.external_auth.load().accepts_tokens()
    }

    /// After the configuration was read again.
    pub(crate) fn renew_external_auth(&self, config: &AuthConfig) {
        let renewed = ExternalAuth::renewed(&self.external_auth(), config.clone());
        self.external_auth.store(renewed);
    }

    /// Numbers connections as those of this run. To be called before the first connection.
    pub(crate) fn begin_run(&self, run: u64) {
        self.connections.store(ConnectionId::before_run(run).0, Ordering::Relaxed);
    }

    /// Whether this gateway does what one of a cluster has to do for all: of those that remove old
    /// messages, one is enough.
    pub(crate) fn is_steward(&self) -> bool {
        let is_steward = |of: &Membership| *of.is_steward.borrow();
        self.cluster.as_ref().is_none_or(is_steward)
    }

    /// Whether commands are refused, as the log that the store follows cannot be reached.
    pub(crate) fn is_cut_off(&self) -> bool {
        self.cluster.as_ref().is_some_and(|cluster| cluster.node.is_cut_off())
    }

    /// Whether a query has to see what other gateways had answered before it.
    pub(super) fn reads_fresh(&self) -> Option<&Membership> {
        self.cluster.as_ref().filter(|cluster| cluster.reads == Reads::Fresh)
    }

    /// An id for a new stream connection or HTTP exchange. 0 is the gateway itself.
    pub(crate) fn next_connection(&self) -> ConnectionId {
        ConnectionId(self.connections.fetch_add(1, Ordering::Relaxed) + 1)
    }

    /// Whether so much waits that no peer should have several posts unanswered.
    pub(crate) fn is_behind(&self) -> bool {
        self.engine.waiting() + self.hub.undelivered() > BACKLOG_COMMANDS_MAX
    }

    /// Gives a command to the engine. `Err`: it was not accepted.
    pub(crate) fn submit(
        &self,
        frontend: &FrontendHandle,
        source: CommandSource,
        command: Command,
        key: Option<&str>,
        ticket: Ticket,
    ) -> Result<(), Refusal> {
        frontend.metrics.commands.add(1);
        let is_space_low = is_message(&command) && self.is_space_low.load(Ordering::Relaxed);
        if is_space_low || self.is_cut_off() {
            frontend.metrics.note_refused(Limit::Overloaded);
            return Err(Refusal::Overloaded);
        }
        let now_ns = self.clock.steady_ns();
        let envelope = self.envelope(frontend, source, command, key, now_ns);
        self.engine.submit(envelope, ticket.submitted_at(now_ns)).map_err(|(_, refusal)| {
            if refusal == Refusal::Overloaded {
                frontend.metrics.note_refused(Limit::Overloaded);
            }
            refusal
        })
    }

    /// Gives a command to the engine and waits for its answer.
    pub(crate) async fn submit_and_wait(
        &self,
        frontend: &FrontendHandle,
        source: CommandSource,
        command: Command,
        key: Option<&str>,
    ) -> Outcome {
        let (sender, answer) = oneshot::channel();
        let ticket = Ticket::once(sender, Some(frontend.metrics.ledger.clone()));
        self.submit(frontend, source, command, key, ticket)?;
        self.wait_for(answer).await
    }

    /// Returns whether space was low before.
    pub(crate) fn set_low_space(&self, is_low: bool) -> bool {
        self.is_space_low.swap(is_low, Ordering::Relaxed)
    }

    /// Whether messages are refused for lack of space.
    pub(crate) fn is_low_on_space(&self) -> bool {
        self.is_space_low.load(Ordering::Relaxed)
    }

    /// Returns whether the space was unknown before.
    pub(crate) fn set_unknown_space(&self, is_unknown: bool) -> bool {
        self.is_space_unknown.swap(is_unknown, Ordering::Relaxed)
    }

    /// Gives the engine a command that it must not refuse for being busy.
    pub(crate) fn submit_always(
        &self,
        frontend: &FrontendHandle,
        connection: ConnectionId,
        command: Command,
        ticket: Ticket,
    ) {
        let source = CommandSource { connection, network: None };
        let now_ns = self.clock.steady_ns();
        let envelope = self.envelope(frontend, source, command, None, now_ns);
        // Refused only by an engine that has stopped, and then there is nothing left to do.
        drop(self.engine.submit_always(envelope, ticket));
    }

    /// Submits a command of the gateway itself and waits for its answer.
    pub(crate) async fn submit_internal(&self, command: Command) -> Outcome {
        let (sender, answer) = oneshot::channel();
        let envelope = self.internal(ConnectionId(0), command);
        let ticket = Ticket::once(sender, None);
        let submitted = self.engine.submit_always(envelope, ticket);
        submitted.map_err(|(_, refusal)| refusal)?;
        self.wait_for(answer).await
    }

    /// The same of a command of an operator, which is refused where it would wait for the log of the
    /// cluster, and take effect long after the operator has given up.
    pub(crate) async fn submit_of_operator(&self, command: Command) -> Outcome {
        if self.is_cut_off() {
            return Err(Refusal::Overloaded);
        }
        self.submit_internal(command).await
    }

    async fn wait_for(&self, answer: oneshot::Receiver<Outcome>) -> Outcome {
        let answered = match &self.cluster {
            None => answer.await,
            Some(_) => timeout(UNSETTLED_AFTER, answer).await.map_err(|_| Refusal::Unsettled)?,
        };
        answered.unwrap_or_else(|_| Err(stopped()))
    }

    /// Submits the start of a run and waits for its answer, however long that takes.
    pub(crate) async fn submit_start(&self, start: Command) -> Outcome {
        let Some(cluster) = &self.cluster else { return self.submit_internal(start).await };
        let (sender, answer) = oneshot::channel();
        cluster.node.start(&self.internal(ConnectionId(0), start), Ticket::once(sender, None));
        answer.await.unwrap_or_else(|_| Err(stopped()))
    }

    /// Has the engine store what readers have acknowledged.
    pub(crate) fn store_acknowledgements(&self) {
        // They stay, so that no more of them waits than there are readers.
        if self.is_cut_off() {
            return;
        }
        self.acknowledgements.store(|connection, command| {
            let envelope = self.internal(connection, command);
            drop(self.engine.submit_always(envelope, Ticket::Discard));
        });
    }

    /// A command of the gateway itself about a connection, or about none.
    pub(crate) fn internal(&self, connection: ConnectionId, command: Command) -> Envelope {
        let frontend = Arc::new(FrontendSettings {
            room_capacity: ROOM_CAPACITY_DEFAULT,
            ..FrontendSettings::default()
        });
        Envelope {
            at: self.clock.now(),
            steady_ms: self.clock.steady_ms(),
            connection,
            address: None,
            frontend,
            key: None,
            command,
        }
    }

    /// Counts what the store owes to readers, for the metrics too. None: it cannot be read.
    pub(crate) async fn count_owed(&self) -> Option<Owed> {
        let engine = self.engine.clone();
        let owed = tokio::task::spawn_blocking(move || engine.owed()).await.ok()?.ok()?;
        self.metrics.set_owed(owed);
        Some(owed)
    }

    pub(super) fn refresh(&self, frontend: &FrontendHandle, token: Option<TokenHash>) {
        let Some(token) = token else { return };
        let command = Command::RefreshToken { token };
        // A refresh that is refused is repeated at the next use of the token.
        let source = CommandSource { connection: ConnectionId(0), network: None };
        drop(self.submit(frontend, source, command, None, Ticket::Discard));
    }

    fn envelope(
        &self,
        frontend: &FrontendHandle,
        source: CommandSource,
        command: Command,
        key: Option<&str>,
        now_ns: u64,
    ) -> Envelope {
        let key = key.map(|key| format!("{}/{key}", frontend.name));
        let frontend = frontend.settings.clone();
        let steady_ms = now_ns / NS_PER_MS;
        let CommandSource { connection, network: address } = source;
        Envelope { at: self.clock.now(), steady_ms, connection, address, frontend, key, command }
    }
}

/// Whether a command posts: only posts are refused for lack of space.
fn is_message(command: &Command) -> bool {
    matches!(command, Command::Post { .. } | Command::PostDirect { .. })
}

fn stopped() -> Refusal {
    Refusal::outcome_unknown("the gateway stopped before the answer")
}
