//! What a gateway of a cluster owes to the others: to show that it is there, to tick for all of them
//! where it is its turn, to begin a new run when they have ended its own, and to end it when it leaves.

use std::sync::Arc;
use std::time::Duration;

use core_engine::{Equality, RunView};
use core_model::{Command, ConnectionId, Refusal};
use frontend_api::Ending;
use tokio::time::{MissedTickBehavior, interval, sleep, timeout};

use crate::cluster;
use crate::config::Config;
use crate::runtime::limits::Pace;
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::services::{Membership, Services};
use crate::runtime::start;

/// Between two signs of life. A run without one for five ticks is ended by the others.
const BEAT_PERIOD: Duration = Duration::from_millis(500);

/// Between two ticks; the engine counts none that comes sooner than 900 ms after another.
const TICK_PERIOD: Duration = Duration::from_millis(950);

/// How long the gateway with the lowest run may leave the ticks out before the next one ticks.
const TICK_PATIENCE: Duration = Duration::from_secs(2);

/// How much later each further gateway does.
const TICK_STEP: Duration = Duration::from_secs(1);

/// Between two attempts to begin a run.
const START_PAUSE: Duration = Duration::from_secs(1);

/// How often the gateway looks whether a snapshot is due.
const SNAPSHOT_CHECK_PERIOD: Duration = Duration::from_secs(5 * 60);

/// How long a gateway that leaves waits for the end of its run, and then for its last entries.
const LEAVE_TIMEOUT: Duration = Duration::from_secs(3);

/// Shows the others that this gateway is there, and closes its streams where they do better
/// elsewhere; until the gateway stops.
pub(crate) async fn beat(state: Arc<GatewayState>) {
    let services = &state.services;
    let Some(cluster) = &services.cluster else { return };
    let mut period = interval(BEAT_PERIOD);
    period.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let (mut was_gone, mut bans) = (false, 0);
    loop {
        tokio::select! {
            _ = period.tick() => beat_once(services, cluster),
            () = state.shutdown.stopping() => return,
        }
        let changes = cluster.node.ban_changes();
        if changes != bans {
            // Another gateway may have been told.
            read_bans(services);
            bans = changes;
        }
        let is_gone = cluster.node.is_gone();
        if is_gone && !was_gone {
            tracing::error!(
                "no server of the log can be reached; closing the connections of clients"
            );
            state.registry().instances().for_each(|instance| instance.abort());
        }
        was_gone = is_gone;
    }
}

fn read_bans(services: &Services) {
    if let Err(why) = services.network_bans.read(&services.engine, services.clock.now()) {
        tracing::error!("the banned networks cannot be read again: {why}");
    }
}

fn beat_once(services: &Services, cluster: &Membership) {
    let node = &cluster.node;
    let runs = services.engine.runs().unwrap_or_default();
    let rank = rank(&runs, node.run());
    cluster.set_steward(rank == Some(0));
    let patience = match rank {
        Some(0) => TICK_PERIOD,
        Some(rank) => TICK_PATIENCE + TICK_STEP * rank,
        None => Duration::MAX,
    };
    if node.tick_age() < patience {
        return node.beat(&[]);
    }
    let commands = [Command::Tick, Command::Expire];
    node.beat(&commands.map(|command| services.internal(ConnectionId(0), command)));
}

/// How many live runs are lower. `None`: this one is not live.
fn rank(runs: &[RunView], own: u64) -> Option<u32> {
    let mut live = runs.iter().filter(|run| run.is_live);
    live.position(|run| run.run == own).and_then(|rank| u32::try_from(rank).ok())
}

/// Sends the events of webhooks while that is this gateway's turn, until the gateway stops.
pub(crate) async fn take_turns(state: Arc<GatewayState>) {
    let Some(cluster) = &state.services.cluster else { return };
    let mut stewardship = cluster.stewardship();
    let take = async {
        while stewardship.changed().await.is_ok() {
            let is_steward = *stewardship.borrow_and_update();
            tracing::info!(
                is_steward,
                "whether this gateway does what one of the cluster does for all"
            );
            if let Err(why) = state.webhooks.take_turn(&state.services).await {
                tracing::error!("cannot send events to webhooks: {why}");
            }
        }
    };
    tokio::select! {
        () = take => (),
        () = state.shutdown.draining() => (),
    }
}

/// Begins a new run, and closes the streams of the one before, whenever the others have ended it; until
/// the gateway stops.
pub(crate) async fn renew_runs(state: Arc<GatewayState>) {
    let Some(cluster) = &state.services.cluster else { return };
    let mut lost = cluster.node.lost_runs();
    let renew = async {
        while lost.changed().await.is_ok() {
            let run = *lost.borrow_and_update();
            tracing::warn!(
                run,
                "the cluster has ended the run of this gateway, which it did not hear of for some \
                 seconds; closing the connections of clients"
            );
            renew(&state).await;
        }
    };
    tokio::select! {
        () = renew => (),
        () = state.shutdown.stopping() => (),
    }
}

async fn renew(state: &GatewayState) {
    while let Err(refusal) = start::begin_run(&state.services).await {
        tracing::error!("cannot begin a run: {refusal}");
        sleep(START_PAUSE).await;
    }
    let run = state.services.cluster.as_ref().map_or(0, |cluster| cluster.node.run());
    for instance in state.registry().instances() {
        let of_others = |id: ConnectionId| id.run() != run;
        for stream in instance.streams().iter().filter(|it| of_others(it.handle.id)) {
            stream.handle.mailbox.end(Ending::Draining);
        }
    }
}

/// Puts a snapshot whenever one is due and it is this gateway's turn, until the gateway drains.
pub(crate) async fn keep_snapshots(state: Arc<GatewayState>, config: Config) {
    let (Some(config), store) = (config.cluster, config.store) else { return };
    let mut is_in_doubt = false;
    loop {
        tokio::select! {
            () = sleep(SNAPSHOT_CHECK_PERIOD) => (),
            () = state.shutdown.draining() => return,
        }
        let Some(member) = &state.services.cluster else { return };
        // Of stores that differ, it is not known which is right.
        let is_split = matches!(member.node.equality(), Equality::Split(_));
        if is_split || !state.services.is_steward() {
            continue;
        }
        // As with backups, one at a time.
        let Ok(_turn) = state.backup_turn.clone().acquire_owned().await else { return };
        let ending = state.clone();
        let mut pace = Pace::begin(move || ending.shutdown.is_draining());
        is_in_doubt |= member.node.take_doubt();
        let of = (state.services.engine.clone(), is_in_doubt);
        match cluster::keep(&config, &store, of, move |bytes| pace.spend(bytes)).await {
            Ok(None) => (),
            Ok(Some(position)) => {
                is_in_doubt = false;
                tracing::info!(position, "put a snapshot of the store");
            }
            Err(error) => tracing::error!(
                "no snapshot for new gateways: {error}; the gateway tries again in five minutes"
            ),
        }
    }
}

/// Ends the run, after all that was submitted.
pub(crate) async fn leave(services: &Services) {
    let Some(cluster) = &services.cluster else { return };
    let run = cluster.node.run();
    if run != 0 {
        let ended = services.submit_internal(Command::EndRun { run });
        match timeout(LEAVE_TIMEOUT, ended).await {
            Ok(Ok(_)) => (),
            Ok(Err(Refusal::Internal { why })) => tracing::warn!("the run is not ended: {why}"),
            Ok(Err(refusal)) => tracing::warn!("the run is not ended: {refusal}"),
            Err(_) => tracing::warn!("the run is not ended: the log does not answer"),
        }
    }
    cluster.node.leave_within(LEAVE_TIMEOUT);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_lowest_live_run_is_the_first() {
        let run = |run, is_live| RunView {
            run,
            node: String::new(),
            boot: 0,
            speaks: 1,
            missed: 0,
            is_live,
        };
        let runs = [run(2, false), run(3, true), run(7, true)];
        assert_eq!([2, 3, 7, 9].map(|own| rank(&runs, own)), [None, Some(0), Some(1), None]);
    }
}
