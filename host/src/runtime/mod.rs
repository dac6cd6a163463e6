//! The gateway at work: the only place with sockets, tasks, the clock and randomness.
//!
//! A stream connection is one task ([`net::connection`]) with a [`session::driver`]; an HTTP request is an
//! exchange ([`net::http`]). Commands go to the engine, and what it committed comes back through the
//! [`fanout::task`], which owns who [watches](fanout::subscriptions) what and fills the [mailbox](fanout::mailbox) of each connection.

mod admin;
mod bounds;
mod clock;
mod fanout;
mod frontends;
mod housekeeping;
mod limits;
mod metrics;
mod net;
mod reload;
mod session;
mod signals;
mod start;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;

use core_model::{Command, Refusal, RoomId};
use frontend_api::Transport;
use tokio::sync::mpsc;
use tokio::task::{JoinError, JoinHandle};
use tokio::time::timeout;

use crate::config::{Config, Draft, Problem, Problems, ValueSource};
use bounds::{EXPIRY_PERIOD, GIVE_UP_TIMEOUT};
use housekeeping::Retention;
use metrics::Reloaded;
use net::listener::{Door, Held};
use reload::Fixed;
use session::services::{Phase, Shared};
use signals::{Asked, Signals};

pub use frontends::plugin::stall_watchdog::Sentry;

/// Why the gateway cannot serve.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot make the folder {} of the store: {error}", path.display())]
    Folder { path: PathBuf, error: io::Error },
    #[error(transparent)]
    Store(#[from] core_engine::OpenError),
    #[error("the engine did not start: {}", reason(.0))]
    Start(Refusal),
    #[error("the room {name:?} of [[rooms]] cannot be created: {}", reason(why))]
    Room { name: String, why: Refusal },
    #[error("{key} names the room {name:?}: {why}")]
    RoomConflict { key: String, name: String, why: String },
    #[error("the front end {frontend} is required and cannot listen on {address}: {error}")]
    Required { frontend: String, address: SocketAddr, error: io::Error },
    #[error("no front end could listen: enable one in gateway.toml, and give it a free address")]
    Deaf,
    #[error("cannot take signals: {0}")]
    Signals(io::Error),
}

/// A refusal in words for the operator: users are not told why the store failed.
fn reason(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Internal { why } => why.clone(),
        refusal => refusal.to_string(),
    }
}

pub use admin::{IS_DOWN, IS_KEPT};
pub(crate) use session::passwords::{hash, is_hash};

/// Where a front end listens.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// Its name in gateway.toml.
    pub frontend: String,
    /// The key of the listener: `listen`.
    pub listener: String,
    pub transport: Transport,
    pub address: SocketAddr,
}

/// A gateway that runs. Dropped without [`shutdown`](Self::shutdown), it hangs up on everyone.
pub struct Gateway {
    shared: Arc<Shared>,
    hub: Option<JoinHandle<()>>,
    /// Ends when everyone is served.
    busy: mpsc::Receiver<()>,
    /// Ends when no task is left.
    alive: mpsc::Receiver<()>,
    /// What every task of a connection is given; none when it shuts down.
    held: Option<Held>,
    /// What is in effect.
    config: Config,
    /// What of it stays until the next start.
    fixed: Fixed,
}

/// Runs the gateway until SIGTERM or SIGINT, then drains it. A second signal ends the process at
/// once, with 128 and the signal's number as exit code. At SIGHUP the configuration is read again
/// with `reread`, and what has changed is applied.
pub async fn serve(
    config: Config,
    reread: impl Fn() -> Result<Draft, Problems> + Send + Sync + 'static,
) -> Result<(), ServeError> {
    let mut signals = Signals::install().map_err(ServeError::Signals)?;
    let mut gateway = tokio::select! {
        gateway = Gateway::start(config) => gateway?,
        _ = signals.end() => return Ok(()),
    };
    let reread = Arc::new(reread);
    let signal = loop {
        match signals.next().await {
            Asked::ToEnd(signal) => break signal,
            Asked::ToReload => {
                let reread = reread.clone();
                let read = tokio::task::spawn_blocking(move || reread());
                tokio::select! {
                    read = read => gateway.reload_from(read).await,
                    signal = signals.end() => break signal,
                }
            }
        }
    };
    // Before it is said, so that it is true when it is heard.
    gateway.shared.phase.send_replace(Phase::Draining);
    tracing::info!(signal = signal.name, "draining; a second signal ends at once");
    tokio::select! {
        () = gateway.shutdown() => Ok(()),
        signal = signals.end() => {
            tracing::warn!(signal = signal.name, "ended before everyone was served");
            crate::logging::flush();
            std::process::exit(128 + signal.number)
        }
    }
}

impl Gateway {
    /// Opens the store and starts listening. Needs a tokio runtime with time and I/O.
    pub async fn start(config: Config) -> Result<Self, ServeError> {
        let (shared, hub) = start::open(&config).await?;
        let ((busy_sender, busy), (alive_sender, alive)) = (mpsc::channel(1), mpsc::channel(1));
        let held = Held::new(shared.clone(), busy_sender, alive_sender);
        let gateway = Self {
            shared,
            hub: Some(hub),
            busy,
            alive,
            held: Some(held.clone()),
            fixed: Fixed::of(&config),
            config,
        };
        start::prepare(&held.shared, &gateway.config).await?;
        if let Some(retention) = Retention::of(&gateway.config.store) {
            // The first step before anybody is there.
            let next = retention.step(&held.shared, RoomId(0)).await;
            tokio::spawn(retention.keep_to(held.clone(), next));
        }
        gateway.listen(&held)?;
        let passwords = held.shared.passwords.clone();
        tokio::spawn(async move { passwords.warm_up().await });
        tokio::spawn(expire(held));
        Ok(gateway)
    }

    fn listen(&self, held: &Held) -> Result<(), ServeError> {
        let served = &self.shared.roster().frontends;
        let doors = start::doors(served, &self.config.frontends);
        start::listen(held, &doors, &self.config)?;
        start::announce(served, &doors);
        let admin = self.config.admin.listen.map(Door::of_the_operator).map(Arc::new);
        if let Some(admin) = &admin
            && let Err(error) = admin.open(held)
        {
            admin.complain(&error);
            tokio::spawn(admin.clone().keep_trying(held.clone()));
        }
        self.shared.change_roster(|roster| (roster.doors, roster.admin) = (doors, admin));
        Ok(())
    }

    /// Applies another configuration: what has not changed keeps its connections. Gives whether
    /// all of it is in effect, but for what stays until the next start; what is not is in the log.
    pub async fn reload(&mut self, config: Config) -> bool {
        let Some(held) = self.held.clone() else { return false };
        let complete = reload::apply(&held, &mut self.config, &self.fixed, config).await;
        let result = if complete { Reloaded::Applied } else { Reloaded::Incomplete };
        self.shared.totals.reloaded(result, self.shared.clock.now());
        // After all of it is in effect and counted, so that it is true when it is heard.
        tracing::info!(complete, "the configuration was read again");
        complete
    }

    /// The same with what was read, if it could be.
    async fn reload_from(&mut self, read: Result<Result<Draft, Problems>, JoinError>) {
        let draft = read.unwrap_or_else(|error| {
            let mut problems = Problems::default();
            problems
                .push(Problem::new(ValueSource::Default, format!("reading it failed: {error}")));
            Err(problems)
        });
        match draft {
            Ok(draft) => {
                draft.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
                self.reload(draft.config).await;
            }
            Err(problems) => {
                problems.iter().for_each(|problem| tracing::error!("{problem}"));
                self.shared.totals.reloaded(Reloaded::Refused, self.shared.clock.now());
                let problems = problems.len();
                tracing::error!(problems, "the configuration is wrong; nothing is changed");
            }
        }
    }

    /// Where each front end listens by now, port 0 replaced by the actual one.
    pub fn addresses(&self) -> Vec<Address> {
        let roster = self.shared.roster();
        let addresses = roster.frontends.iter().flat_map(|served| {
            let addresses = start::addresses_of(served, &roster.doors).into_iter();
            addresses.map(|(entrance, address)| Address {
                frontend: served.name.clone(),
                listener: entrance.listener.key.clone(),
                transport: entrance.listener.transport,
                address,
            })
        });
        addresses.collect()
    }

    /// Where a front end listens with the listener of this key.
    pub fn address(&self, frontend: &str, listener: &str) -> Option<SocketAddr> {
        let mut addresses = self.addresses().into_iter();
        let is_it = |found: &Address| found.frontend == frontend && found.listener == listener;
        addresses.find(is_it).map(|found| found.address)
    }

    /// Where /healthz, /readyz and /metrics are served.
    pub fn admin_address(&self) -> Option<SocketAddr> {
        self.shared.roster().admin.as_ref()?.bound()
    }

    /// Drains: lets nobody in, answers what was asked, says goodbye in each dialect, and closes
    /// the store. Whoever is not done within the drain timeout is hung up on.
    pub async fn shutdown(mut self) {
        self.shared.phase.send_replace(Phase::Draining);
        // Else it would wait for itself.
        self.held = None;
        let drain_timeout = {
            let roster = self.shared.roster();
            roster.everyone().for_each(|standing| standing.drain());
            roster.drain_timeout
        };
        if timeout(drain_timeout, self.busy.recv()).await.is_err() {
            let roster = self.shared.roster();
            let left: u32 = roster.by_name().iter().map(|standing| standing.census.count()).sum();
            tracing::warn!(connections = left, "hanging up on those who are not done");
        }
        self.give_up();
        // Who is left has nothing to wait for; the limit is for a front end that hangs.
        drop(timeout(GIVE_UP_TIMEOUT, self.alive.recv()).await);
        let shared = self.shared.clone();
        let stop = move || shared.engine.stop();
        drop(tokio::task::spawn_blocking(stop).await);
        self.shared.hub.stop();
        if let Some(hub) = self.hub.take() {
            // A hub that panicked has been heard of.
            drop(hub.await);
        }
    }

    fn give_up(&self) {
        self.shared.phase.send_replace(Phase::Over);
        self.shared.roster().everyone().for_each(|standing| standing.give_up());
    }
}

impl Drop for Gateway {
    fn drop(&mut self) {
        self.give_up();
        self.shared.hub.stop();
    }
}

/// Has the engine give back what has run out, and says so when the engine has stopped.
async fn expire(held: Held) {
    let shared = &held.shared;
    let mut phase = shared.phase.subscribe();
    let mut failed = false;
    loop {
        tokio::select! {
            () = tokio::time::sleep(EXPIRY_PERIOD) => (),
            _ = phase.wait_for(|phase| *phase >= Phase::Draining) => return,
        }
        if let Some(why) = shared.engine.failure() {
            if !failed {
                tracing::error!("the engine has stopped, and takes no more commands: {why}");
            }
            failed = true;
        } else if shared.engine.is_expiry_due(shared.clock.now(), shared.clock.steady_ms()) {
            // Waited for, so that one that takes long is not asked for twice.
            drop(start::by_the_gateway(shared, Command::Expire).await);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
