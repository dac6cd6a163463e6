//! A log that several gateways have written to, as a network and a log may leave it.

use std::sync::Arc;

use core_engine::{Entry, EntryBuilder, EntryId, Envelope, Fate, LogEntry, RULES, Unloggable};
use core_model::{Command, ConnectionId, Timestamp};

use super::oracle::Oracle;
use crate::generate::{self, Step};

/// Gateways that write to the log.
const GATEWAYS: usize = 3;

/// Writes what none of them wrote.
const NO_GATEWAY: usize = usize::MAX - 1;

pub(super) struct Rng(pub(super) u64);

impl Rng {
    /// One of these numbers is never rolled: 0.
    pub(super) fn never() -> Self {
        Self(0)
    }

    pub(super) fn below(&mut self, bound: u64) -> u64 {
        if self.0 == 0 {
            return bound - 1;
        }
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % bound
    }

    pub(super) fn one_in(&mut self, count: u64) -> bool {
        self.below(count) == 0
    }
}

/// An entry as the log has it.
#[derive(Clone)]
pub(super) struct Written {
    pub(super) id: EntryId,
    /// Which gateway wrote it.
    pub(super) gateway: usize,
    at: u64,
    /// Steady time there.
    steady: u64,
    pub(super) commands: Vec<Envelope>,
    /// The rules that are in force after it.
    pub(super) rules_after: u32,
    bytes: Vec<u8>,
    /// What is to become of it.
    pub(super) fate: Fate,
}

impl Written {
    /// As the writer is given it.
    pub(super) fn read(&self, position: u64) -> LogEntry {
        let entry = Entry::decode(&self.bytes).expect("what was encoded can be read");
        LogEntry { position, at: Timestamp(self.at), entry }
    }

    /// Its commands at the time of the log.
    pub(super) fn timed(&self) -> Vec<Envelope> {
        let timed = |envelope: &Envelope| Envelope {
            at: Timestamp(self.at),
            steady_ms: self.steady,
            ..envelope.clone()
        };
        self.commands.iter().map(timed).collect()
    }
}

pub(super) struct SharedLog {
    pub(super) entries: Vec<Written>,
    pub(super) oracle: Oracle,
    /// The `boot` of each gateway.
    boots: [u64; GATEWAYS],
    /// The latest rules that each gateway speaks.
    speaks: [u32; GATEWAYS],
    now: u64,
}

impl SharedLog {
    pub(super) fn generate(steps: &[Step], ticks: bool, rng: &mut Rng) -> Self {
        let mut log = Self {
            entries: Vec::new(),
            oracle: Oracle::new(),
            boots: [1, 2, 3],
            speaks: [RULES; GATEWAYS],
            now: 1_000,
        };
        let envelopes = generate::envelopes(steps);
        let mut rest = envelopes.as_slice();
        while let Some(first) = rest.first() {
            let gateway = rng.below(GATEWAYS as u64) as usize;
            if first.is_none() {
                log.boots[gateway] += GATEWAYS as u64;
                rest = &rest[1..];
            }
            log.misbehave(gateway, ticks, rng);
            if ticks && rng.one_in(6) {
                log.upgrade(gateway);
            }
            let until = rest.iter().position(Option::is_none).unwrap_or(rest.len());
            let (chunk, later) = rest.split_at((rng.below(7) as usize).min(until));
            rest = later;
            log.now += chunk
                .first()
                .into_iter()
                .flatten()
                .map(|it| it.at.0)
                .max()
                .map_or(0, |at| at.saturating_sub(log.now));
            log.submit(gateway, chunk.iter().flatten(), rng);
        }
        log
    }

    /// Writes commands of a gateway, so that they count unless its run has ended.
    fn submit<'a>(
        &mut self,
        gateway: usize,
        commands: impl Iterator<Item = &'a Envelope>,
        rng: &mut Rng,
    ) {
        let run = self.run(gateway);
        let of_run = |envelope: &Envelope| {
            let connection = ConnectionId(ConnectionId::before_run(run).0 + envelope.connection.0);
            Envelope { connection, ..envelope.clone() }
        };
        let mut commands: Vec<Envelope> = commands.map(of_run).collect();
        let id = EntryId { run, number: self.oracle.next_of(run) };
        let next = EntryId { number: id.number + 1, ..id };
        match rng.below(8) {
            // The first of two entries was lost: both are written again.
            0 if commands.len() > 1 => {
                let later = commands.split_off(1 + rng.below(commands.len() as u64 - 1) as usize);
                self.write(gateway, next, later.clone());
                if rng.one_in(2) {
                    self.misbehave(gateway, false, rng);
                }
                self.write(gateway, id, commands);
                self.write(gateway, next, later);
            }
            // The answer of the log was lost: they are written again.
            1 => {
                self.write(gateway, id, commands.clone());
                self.write(gateway, next, Vec::new());
                self.write(gateway, id, commands);
                self.write(gateway, next, Vec::new());
            }
            _ => self.write(gateway, id, commands),
        }
    }

    /// What comes between.
    fn misbehave(&mut self, gateway: usize, ticks: bool, rng: &mut Rng) {
        match rng.below(24) {
            0..4 if !self.entries.is_empty() => {
                let old = self.entries[rng.below(self.entries.len() as u64) as usize].clone();
                self.write(old.gateway, old.id, old.commands);
            }
            4 => {
                let ends = rng.below(self.oracle.runs().last().map_or(1, |run| run + 2));
                self.host(gateway, &[Command::EndRun { run: ends }]);
            }
            5 => self.boots[gateway] += GATEWAYS as u64,
            // An entry of a run that is over, or not there.
            6 => {
                let (run, number) = (1 + rng.below(9), 1 + rng.below(4));
                if !self.oracle.runs().contains(&run) {
                    self.write(NO_GATEWAY, EntryId { run, number }, Vec::new());
                }
            }
            7 => self.now = self.now.saturating_sub(rng.below(9_000)),
            8..11 if ticks => {
                for _ in 0..rng.below(7) {
                    self.now += 300 + rng.below(1_000);
                    self.host(gateway, &[Command::Tick]);
                }
            }
            11 if ticks => {
                for _ in 0..7 {
                    self.now += 950;
                    self.host(gateway, &[Command::Tick, Command::Expire]);
                }
            }
            _ => (),
        }
    }

    /// Writes commands of the host of a gateway.
    fn host(&mut self, gateway: usize, commands: &[Command]) {
        let run = self.run(gateway);
        let id = EntryId { run, number: self.oracle.next_of(run) };
        self.write(gateway, id, commands.iter().cloned().map(of_host).collect());
    }

    /// The gateway is replaced by one of the next version.
    fn upgrade(&mut self, gateway: usize) {
        if self.speaks[gateway] == RULES {
            self.speaks[gateway] = RULES + 1;
            self.boots[gateway] += GATEWAYS as u64;
        }
    }

    /// The run of a gateway, which it begins if it has none.
    fn run(&mut self, gateway: usize) -> u64 {
        if self.oracle.run_of(self.boots[gateway]).is_none() {
            self.start(gateway);
        }
        let boot = self.boots[gateway];
        if self.oracle.run_of(boot).is_none() {
            // The cluster has gone on: it was refused.
            self.upgrade(gateway);
            self.start(gateway);
        }
        let boot = boot.max(self.boots[gateway]);
        self.oracle.run_of(boot).expect("it has begun")
    }

    fn start(&mut self, gateway: usize) {
        let (boot, speaks) = (self.boots[gateway], self.speaks[gateway]);
        let start = Command::Start { node: format!("node-{gateway}"), boot, speaks };
        self.write(gateway, EntryId { run: 0, number: boot }, vec![of_host(start)]);
    }

    fn write(&mut self, gateway: usize, id: EntryId, commands: Vec<Envelope>) {
        let mut builder = EntryBuilder::default();
        let is_logged = |envelope: &Envelope| match builder.push(envelope) {
            Ok(()) => true,
            Err(Unloggable::PlainPassword) => false,
            Err(why) => panic!("{why:?}: {envelope:?}"),
        };
        let commands: Vec<Envelope> = commands.into_iter().filter(is_logged).collect();
        // Its gateway has not seen that others are in force.
        let is_behind = self.entries.len() % 4 == 1;
        let (at, rules) = (self.now, if is_behind { RULES } else { self.oracle.rules });
        let bytes = builder.finish(id, rules);
        let fate = self.oracle.apply(id, at, &commands);
        let steady = self.oracle.steady;
        let rules_after = self.oracle.rules;
        let written = Written { id, gateway, at, steady, commands, rules_after, bytes, fate };
        let read = written.read(1).entry;
        assert_eq!((read.id, read.rules), (id, rules));
        assert_eq!(read.commands.len(), written.commands.len());
        for (read, written) in read.commands.iter().zip(&written.commands) {
            assert_eq!(facts(read), facts(written));
        }
        self.entries.push(written);
    }

    /// The version of the rules that a node has when it begins: it is replaced when it must be.
    pub(super) fn speaks_at_first(&self, gateway: usize, rng: &mut Rng) -> u32 {
        if gateway == 0 || rng.one_in(2) { RULES } else { RULES + 1 }
    }
}

/// A rule that is another one in the next version: what posts say.
pub(super) fn changed_rule(rules: u32, envelope: &Envelope) -> Option<Envelope> {
    let mut changed = envelope.clone();
    match &mut changed.command {
        Command::Post { text, .. } if rules > RULES => text.push('!'),
        _ => return None,
    }
    Some(changed)
}

/// All of a command but its time.
fn facts(
    envelope: &Envelope,
) -> (ConnectionId, Option<u128>, &Arc<core_engine::FrontendSettings>, &Option<String>, &Command) {
    let Envelope { connection, address, frontend, key, command, .. } = envelope;
    (*connection, *address, frontend, key, command)
}

fn of_host(command: Command) -> Envelope {
    Envelope {
        at: Timestamp(0),
        steady_ms: 0,
        connection: ConnectionId(0),
        address: None,
        frontend: Arc::default(),
        key: None,
        command,
    }
}
