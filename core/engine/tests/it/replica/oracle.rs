//! Which entries count, by the rules of runs in their shortest form.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use core_engine::{EntryId, Envelope, Fate, RULES};
use core_model::Command;

#[derive(Clone, Debug)]
pub(super) struct Oracle {
    /// The version of the rules that is in force.
    pub(super) rules: u32,
    at: u64,
    pub(super) steady: u64,
    ticked: u64,
    newest: u64,
    live: BTreeMap<u64, Run>,
}

#[derive(Clone, Debug)]
struct Run {
    node: String,
    boot: u64,
    next: u64,
    next_at_tick: u64,
    missed: u32,
    speaks: u32,
}

impl Oracle {
    pub(super) fn new() -> Self {
        let live = BTreeMap::new();
        Self { rules: RULES, at: 0, steady: 0, ticked: 0, newest: 0, live }
    }

    /// The runs that have not ended.
    pub(super) fn runs(&self) -> Vec<u64> {
        self.live.keys().copied().collect()
    }

    /// The run of a process, if it has not ended.
    pub(super) fn run_of(&self, boot: u64) -> Option<u64> {
        self.live.iter().find(|(_, run)| run.boot == boot).map(|(number, _)| *number)
    }

    /// The number of the next entry of a run.
    pub(super) fn next_of(&self, run: u64) -> u64 {
        self.live.get(&run).map_or(1, |run| run.next)
    }

    pub(super) fn apply(&mut self, id: EntryId, at: u64, commands: &[Envelope]) -> Fate {
        self.steady += at.saturating_sub(self.at).min(5_000);
        self.at = at;
        let fate = match self.live.get_mut(&id.run) {
            _ if id.run == 0 => Fate::Applied,
            None => Fate::Ended,
            Some(run) => match id.number.cmp(&run.next) {
                Ordering::Less => Fate::Repeated,
                Ordering::Greater => Fate::Early,
                Ordering::Equal => {
                    run.next += 1;
                    Fate::Applied
                }
            },
        };
        if fate == Fate::Applied {
            let ticked = self.ticked;
            commands.iter().for_each(|envelope| self.carry_out(&envelope.command));
            let has_tick = commands.iter().any(|it| it.command == Command::Tick);
            if has_tick && self.ticked != ticked {
                let spoken = self.live.values().map(|run| run.speaks).min();
                self.rules = self.rules.max(spoken.unwrap_or_default());
            }
        }
        fate
    }

    fn carry_out(&mut self, command: &Command) {
        match command {
            Command::Start { boot, .. } if self.run_of(*boot).is_some() => (),
            Command::Start { speaks, .. } if *speaks < self.rules => (),
            Command::Start { node, boot, speaks } => {
                self.live.retain(|_, run| run.node != *node);
                if self.live.is_empty() {
                    self.ticked = self.steady;
                }
                self.newest += 1;
                let (node, boot) = (node.clone(), *boot);
                let speaks = *speaks;
                let run = Run { node, boot, next: 1, next_at_tick: 0, missed: 0, speaks };
                self.live.insert(self.newest, run);
            }
            Command::EndRun { run } => drop(self.live.remove(run)),
            Command::Tick if self.steady >= self.ticked + 900 => {
                self.ticked = self.steady;
                self.live.retain(|_, run| {
                    run.missed = if run.next == run.next_at_tick { run.missed + 1 } else { 0 };
                    run.next_at_tick = run.next;
                    run.missed < 5
                });
            }
            _ => (),
        }
    }
}
