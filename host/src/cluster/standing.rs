//! What a gateway's store is, as it tells the others: the rules in force, its checkpoints, and whether
//! the stores of the cluster are equal.

use std::collections::VecDeque;

use core_engine::{Checkpoint, EntryBuilder, Equality, Progress, RULES};
use parking_lot::Mutex;

/// The most checkpoints to claim: a gateway that catches up reaches many, and the newest cover the others.
const UNTOLD_MAX: usize = 4;

/// How a store stands among the others.
#[derive(Debug)]
pub(super) struct Standing(Mutex<State>);

#[derive(Debug)]
struct State {
    rules: u32,
    /// Oldest first.
    untold: VecDeque<Checkpoint>,
    last: Option<Checkpoint>,
    equality: Equality,
    /// Whether a store was found to differ: a snapshot may have been made of it.
    doubts_snapshots: bool,
}

impl Standing {
    pub(super) fn new() -> Self {
        Self(Mutex::new(State {
            rules: RULES,
            untold: VecDeque::new(),
            last: None,
            equality: Equality::Unknown,
            doubts_snapshots: false,
        }))
    }

    /// Where the store stands before the gateway reads on.
    pub(super) fn begin(&self, rules: u32) {
        self.0.lock().rules = rules;
    }

    /// The store has come so far.
    pub(super) fn progressed(&self, progress: &Progress) {
        let mut state = self.0.lock();
        if state.rules != progress.rules {
            tracing::info!(rules = progress.rules, "all gateways of the cluster speak new rules");
        }
        state.rules = progress.rules;
        for checkpoint in &progress.checkpoints {
            if state.untold.len() == UNTOLD_MAX {
                state.untold.pop_front();
            }
            state.untold.push_back(*checkpoint);
            state.last = Some(*checkpoint);
        }
        // Digests go on changing: what matters is who differs.
        let is_new =
            std::mem::discriminant(&state.equality) != std::mem::discriminant(&progress.equality);
        if is_new {
            report(&progress.equality);
        }
        state.doubts_snapshots |= matches!(progress.equality, Equality::Minority(_));
        state.equality = progress.equality.clone();
    }

    /// Whether a store was found to differ since this was last asked.
    pub(super) fn take_doubt(&self) -> bool {
        std::mem::take(&mut self.0.lock().doubts_snapshots)
    }

    /// Adds to an entry what was not told yet, and returns the rules in force.
    pub(super) fn tell(&self, builder: &mut EntryBuilder) -> u32 {
        let mut state = self.0.lock();
        while let Some(checkpoint) = state.untold.pop_front() {
            builder.claim(checkpoint);
        }
        state.rules
    }

    pub(super) fn rules(&self) -> u32 {
        self.0.lock().rules
    }

    /// The position and the digest of the last checkpoint.
    pub(super) fn checkpoint(&self) -> Option<(u64, u64)> {
        self.0.lock().last.map(|checkpoint| (checkpoint.at, checkpoint.digest))
    }

    pub(super) fn equality(&self) -> Equality {
        self.0.lock().equality.clone()
    }
}

fn report(equality: &Equality) {
    match equality {
        Equality::Unknown | Equality::Equal => {
            tracing::info!("the stores of the cluster are equal");
        }
        Equality::Minority(nodes) => tracing::warn!(
            nodes,
            "these gateways have stores that differ from most; they stop, and are to be started from the newest snapshot with `dragoman cluster join`"
        ),
        Equality::Split(digests) => tracing::error!(
            digests,
            "the stores of the cluster differ, and none is that of more than half of the gateways: stop the one whose store is wrong, and start it from a snapshot of the other (docs/cluster.md, \"Stores that differ\")"
        ),
    }
}
