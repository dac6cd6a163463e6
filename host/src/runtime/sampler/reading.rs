//! What the counters say at one time, and the sample that two such readings make.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Instant;

use gateway_fanout::{DeliveryOutcome, RoomClass, quantile};

use crate::admin::types::{FlowSample, FrontendSample, Sample, ServingState};
use crate::disk_space::free_bytes;
use crate::process_stat;
use crate::runtime::metrics::{FrontendMetrics, Limit};
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;

const OK: Cow<'static, str> = Cow::Borrowed("ok");

#[derive(Clone)]
pub(super) struct Reading {
    at: Instant,
    cpu_seconds: Option<f64>,
    commits: u64,
    commands: u64,
    /// Cumulative, as [`Histogram::cumulative`](gateway_fanout::Histogram::cumulative) has it.
    committed: Vec<(f64, u64)>,
    frontends: Vec<FrontendReading>,
    /// By the places of two front ends: messages from one to the other.
    flow: Vec<u64>,
    /// What needs no former reading.
    now: Sample,
}

#[derive(Clone)]
struct FrontendReading {
    name: Arc<str>,
    dialect: Arc<str>,
    state: ServingState,
    connections: u32,
    counts: Counts,
}

/// What only grows.
#[derive(Clone, Copy, Default)]
struct Counts {
    posted: u64,
    delivered: u64,
    read: u64,
    refused: u64,
}

impl Reading {
    pub(super) fn take(state: &GatewayState) -> Self {
        let services = &state.services;
        let (fanout, engine) = (&services.metrics.fanout, &services.engine);
        let registry = state.registry();
        let frontends = frontends(&registry);
        let failure = engine.failure();
        let store = engine.problem().map(Cow::Owned).or_else(|| {
            let low = "little space is left: messages are refused";
            services.is_low_on_space().then_some(Cow::Borrowed(low))
        });
        let now = Sample {
            at_ms: services.clock.now().0,
            resident_bytes: process_stat::resident_bytes(&process_stat::own("status"))
                .map(|bytes| bytes as u64),
            disk_free_bytes: free_bytes(&services.store).ok(),
            store_bytes: engine.store_bytes(),
            connections: frontends.iter().map(|one| one.connections).sum(),
            rooms_in_use: u32::try_from(fanout.rooms_in_use()).unwrap_or(u32::MAX),
            queue_depth: u32::try_from(engine.waiting()).unwrap_or(u32::MAX),
            engine: failure.map_or(OK, Cow::Owned),
            store: store.unwrap_or(OK),
            ..Sample::default()
        };
        Self {
            at: Instant::now(),
            cpu_seconds: process_stat::cpu_seconds(&process_stat::own("stat")),
            commits: fanout.commits.count(),
            commands: fanout.commands.count(),
            committed: fanout.committed.cumulative(),
            flow: flow(state, &registry, &frontends),
            frontends,
            now,
        }
    }

    /// The sample of the time since a former reading.
    pub(super) fn since(&self, former: &Self) -> Sample {
        let secs = self.at.duration_since(former.at).as_secs_f64();
        let rate = |now: u64, then: u64| per_second(now.saturating_sub(then), secs);
        let frontends: Vec<FrontendSample> =
            self.frontends.iter().map(|one| one.since(former, secs)).collect();
        let sum = |of: fn(&FrontendSample) -> f32| {
            short(frontends.iter().map(|one| f64::from(of(one))).sum())
        };
        let cpu = self.cpu_seconds.zip(former.cpu_seconds);
        let cpu = cpu.filter(|_| secs > 0.0).map(|(now, then)| (now - then) / secs * 100.0);
        let commits = self.commits.saturating_sub(former.commits);
        let commands = self.commands.saturating_sub(former.commands);
        let quantile = |share: f64| {
            let secs = quantile(&self.committed, &former.committed, share)?;
            Some(short(secs * 1000.0))
        };
        Sample {
            cpu_percent: cpu.map(short),
            messages_per_s: sum(|one| one.messages_per_s),
            deliveries_per_s: sum(|one| one.deliveries_per_s),
            refused_per_s: sum(|one| one.refused_per_s),
            commits_per_s: rate(self.commits, former.commits),
            commit_p50_ms: quantile(0.5),
            commit_p99_ms: quantile(0.99),
            batch_mean: (commits > 0).then(|| short(float(commands) / float(commits))),
            flow: self.flow_since(former, secs),
            frontends,
            ..self.now.clone()
        }
    }

    /// The cells that are not zero.
    fn flow_since(&self, former: &Self, secs: f64) -> Vec<FlowSample> {
        let place = |name: &Arc<str>| former.frontends.iter().position(|one| one.name == *name);
        let places: Vec<_> = self.frontends.iter().map(|one| place(&one.name)).collect();
        let (width, former_width) = (self.frontends.len(), former.frontends.len());
        let mut cells = Vec::new();
        for (at, count) in self.flow.iter().enumerate() {
            let (from, to) = (at / width, at % width);
            let then = places[from].zip(places[to]).map(|(from, to)| from * former_width + to);
            let Some(then) = then else { continue };
            let messages = count.saturating_sub(former.flow[then]);
            if messages > 0 {
                let [from, to] = [from, to].map(|place| self.frontends[place].name.clone());
                cells.push(FlowSample { from, to, per_s: per_second(messages, secs) });
            }
        }
        cells
    }
}

impl FrontendReading {
    fn since(&self, former: &Reading, secs: f64) -> FrontendSample {
        let found = former.frontends.iter().find(|one| one.name == self.name);
        // Of one that is new, nothing is known but that it is.
        let (now, then) = (self.counts, found.map_or(self.counts, |one| one.counts));
        let rate = |of: fn(&Counts) -> u64| per_second(of(&now).saturating_sub(of(&then)), secs);
        FrontendSample {
            name: self.name.clone(),
            dialect: self.dialect.clone(),
            state: self.state,
            connections: self.connections,
            messages_per_s: rate(|counts| counts.posted),
            deliveries_per_s: rate(|counts| counts.delivered),
            reads_per_s: rate(|counts| counts.read),
            refused_per_s: rate(|counts| counts.refused),
        }
    }
}

fn frontends(registry: &FrontendRegistry) -> Vec<FrontendReading> {
    let frontends = registry.frontends.iter().map(|frontend| {
        let state = match (frontend.down(), registry.is_listening(frontend)) {
            (Some(_), _) => ServingState::Down,
            (None, true) => ServingState::Serving,
            (None, false) => ServingState::NotListening,
        };
        FrontendReading {
            name: frontend.name.as_str().into(),
            dialect: frontend.frontend.manifest().dialect.as_str().into(),
            state,
            connections: frontend.connections.count(),
            counts: Counts::of(&frontend.metrics),
        }
    });
    frontends.collect()
}

impl Counts {
    fn of(metrics: &FrontendMetrics) -> Self {
        let ledger = &metrics.ledger;
        let of_all = |count: &dyn Fn(RoomClass) -> u64| -> u64 {
            RoomClass::ALL.into_iter().map(|(class, _)| count(class)).sum()
        };
        let delivered = [DeliveryOutcome::Written, DeliveryOutcome::Acknowledged].into_iter();
        Self {
            posted: of_all(&|class| ledger.posted(class)),
            delivered: delivered.map(|it| of_all(&|class| ledger.outcome(it, class))).sum(),
            read: of_all(&|class| ledger.read(class)),
            refused: Limit::ALL.into_iter().map(|(limit, _)| metrics.refused(limit)).sum(),
        }
    }
}

/// Messages between front ends, those of instances that drain included.
fn flow(
    state: &GatewayState,
    registry: &FrontendRegistry,
    frontends: &[FrontendReading],
) -> Vec<u64> {
    let flow = &state.services.metrics.fanout.flow;
    let place = |name: &str| frontends.iter().position(|one| *one.name == *name);
    let instances = registry.instances();
    let places: Vec<(u16, usize)> =
        instances.filter_map(|one| Some((one.index, place(&one.name)?))).collect();
    let mut cells = vec![0; frontends.len() * frontends.len()];
    for (from, from_place) in &places {
        for (to, to_place) in &places {
            cells[from_place * frontends.len() + to_place] += flow.count(*from, *to);
        }
    }
    cells
}

fn per_second(count: u64, secs: f64) -> f32 {
    if secs > 0.0 { short(float(count) / secs) } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "what is counted is shown well enough in 53 bits")]
fn float(count: u64) -> f64 {
    count as f64
}

/// With two digits after the point, for plots.
#[expect(clippy::cast_possible_truncation, reason = "plots have no more digits")]
fn short(value: f64) -> f32 {
    ((value * 100.0).round() / 100.0) as f32
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_have_two_digits_and_survive_no_time() {
        assert!((per_second(10, 3.0) - 3.33).abs() < 1e-6);
        assert!(per_second(10, 0.0).abs() < 1e-6);
    }
}
