//! Periodic work of the engine: retention, expiry, and storing acknowledgements.

use std::sync::Arc;
use std::time::Duration;

use core_model::{Command, Reply, RoomId, Timestamp};

use crate::config::StoreConfig;
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::acknowledgements::STORE_PERIOD;
use crate::runtime::session::peer_log;
use crate::runtime::session::services::Services;

/// The resolution of leases.
const EXPIRY_PERIOD: Duration = Duration::from_secs(1);

/// Between two retention passes.
const PRUNE_PERIOD: Duration = Duration::from_secs(60);

/// Between two counts of what the store owes to readers: each reads the streams of all of them.
const COUNT_PERIOD: Duration = Duration::from_secs(60);

/// Between two steps of a pass. A step takes some milliseconds, during which posts wait; so most of
/// the time is left to them, and still more than twenty thousand messages a second are removed.
const PRUNE_PAUSE: Duration = Duration::from_millis(20);

/// Messages removed by one step.
const PRUNE_MESSAGES_MAX: u32 = 512;

const DAY_MS: u64 = 24 * 60 * 60 * 1000;

/// What the store keeps, unless it keeps everything.
#[derive(Clone, Copy)]
pub(crate) struct Retention {
    days: Option<u64>,
    messages_per_room: Option<u32>,
}

impl Retention {
    /// `None`: everything is kept.
    pub(crate) fn of(config: &StoreConfig) -> Option<Self> {
        let given = |max: u32| Some(max).filter(|max| *max > 0);
        let days = given(config.keep_days).map(u64::from);
        let messages_per_room = given(config.keep_messages_per_room);
        let is_any = days.is_some() || messages_per_room.is_some();
        is_any.then_some(Self { days, messages_per_room })
    }

    /// One step of a pass; returns where the next begins. `None`: the pass is over, or the engine
    /// has stopped.
    pub(crate) async fn step(self, services: &Services, from: RoomId) -> Option<RoomId> {
        let now = services.clock.now().0;
        let before = self.days.map(|days| Timestamp(now.saturating_sub(days * DAY_MS)));
        let keep_per_room = self.messages_per_room;
        let command = Command::Prune { before, keep_per_room, from, limit: PRUNE_MESSAGES_MAX };
        match services.submit_internal(command).await {
            Ok(Reply::Pruned { messages, expired, next }) => {
                services.metrics.pruned.add(messages.into());
                services.metrics.note_expired(expired);
                next
            }
            // The engine has logged why.
            _ => None,
        }
    }

    /// Runs passes until the gateway drains; the first goes on from `next`.
    pub(crate) async fn run(self, state: Arc<GatewayState>, mut next: Option<RoomId>) {
        loop {
            let pause = if next.is_some() { PRUNE_PAUSE } else { PRUNE_PERIOD };
            tokio::select! {
                () = tokio::time::sleep(pause) => (),
                () = state.shutdown.draining() => return,
            }
            next = match state.services.is_steward() {
                true => self.step(&state.services, next.unwrap_or(RoomId(0))).await,
                false => None,
            };
        }
    }
}

/// Has the engine release expired leases until the gateway drains; logs when the store fails and when
/// it has recovered.
pub(crate) async fn expire(state: Arc<GatewayState>) {
    let services = &state.services;
    let mut logged = None;
    let mut failures = 0;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EXPIRY_PERIOD) => (),
            () = state.shutdown.draining() => return,
        }
        let problem = services.engine.check_store();
        let has_failed = services.engine.failures() > failures;
        if problem != logged || has_failed {
            // A failure may have come and gone since the last look.
            let why = problem.clone().or_else(|| services.engine.last_failure());
            if let (true, Some(why)) = (has_failed || problem.is_some(), why) {
                tracing::error!("the store has failed: {why}");
            }
            if problem.is_none() {
                tracing::info!("the store is in order again");
            }
            failures = services.engine.failures();
            logged = problem;
        }
        // In a cluster leases end by the log's time, at its ticks.
        let is_alone = services.cluster.is_none();
        if is_alone && services.engine.failure().is_none() && is_expiry_due(services) {
            // Waits for the answer, so that a slow one is not requested twice.
            drop(services.submit_internal(Command::Expire).await);
        }
    }
}

/// Logs what peers did wrong, once a minute, until the gateway stops.
pub(crate) async fn summarize_peers(state: Arc<GatewayState>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(peer_log::PERIOD) => state.services.peer_log.summarize(),
            () = state.shutdown.stopping() => return,
        }
    }
}

/// Counts what the store owes to readers, now and then, until the gateway stops.
pub(crate) async fn count_owed(state: Arc<GatewayState>) {
    let services = &state.services;
    let count = async {
        loop {
            services.count_owed().await;
            tokio::time::sleep(COUNT_PERIOD).await;
        }
    };
    tokio::select! {
        () = count => (),
        () = state.shutdown.stopping() => (),
    }
}

/// Has the engine store what readers acknowledge, until the gateway stops: at once, unless it has just
/// stored some. What a session leaves when it ends is stored then.
pub(crate) async fn store_acknowledgements(state: Arc<GatewayState>) {
    let services = &state.services;
    let store = async {
        loop {
            services.acknowledgements.wait().await;
            services.store_acknowledgements();
            tokio::time::sleep(STORE_PERIOD).await;
        }
    };
    tokio::select! {
        () = store => (),
        () = state.shutdown.stopping() => (),
    }
}

fn is_expiry_due(services: &Services) -> bool {
    services.engine.is_expiry_due(services.clock.now(), services.clock.steady_ms())
}
