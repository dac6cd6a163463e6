//! Applying entries of a log that several gateways share.
//!
//! What the log has is done, on whatever gateway: a store that fails to apply it can answer neither
//! "done" nor "not done". So the writer drops the tickets and stops, and the gateway with it; opened
//! again, the store goes on from where its last commit left it.

use std::collections::BTreeMap;

use super::{Aborted, Applied, Following, Work, Writer, failed};
use crate::digest::{Checkpoint, LiveRuns, Verdict};
use crate::entry::Fate;
use crate::envelope::{Answer, Done};
use crate::log::{Entries, Equality, Log, LogEntry, Progress};
use crate::marks::Marks;
use crate::rules::BatchContext;
use crate::rules_version::{self, RULES};

/// What the gateway of a run says of its store.
pub(super) struct Claim {
    run: u64,
    checkpoint: Checkpoint,
    live: LiveRuns,
}

impl<T, L: Log<T>, P: FnMut(Vec<Done<T>>)> Writer<'_, T, L, P> {
    /// Applies entries, in one transaction. Error: why the store cannot go on.
    pub(super) fn follow(&mut self, entries: Entries) -> Result<(), String> {
        let Entries { mut entries, durable } = entries;
        self.store.find_file()?;
        let following = self.following.as_ref().ok_or("the store follows no log")?;
        let Marks { applied, rules, .. } = following.marks;
        if !self.speaks(rules) {
            return Err(unspoken(applied, rules, Some(following)));
        }
        let usable = check(following, &entries);
        // Those before it are applied: a later version goes on from there.
        let stop = usable.as_ref().err().map(|(at, _)| *at);
        entries.truncate(stop.unwrap_or(entries.len()));
        if !entries.is_empty() {
            let mut applied = self.commit_entries(&mut entries, durable)?;
            self.store.release_snapshot();
            let progress = self.progress(&mut applied)?;
            self.log.progressed(&progress);
            self.answer_entries(&entries, applied);
            if !self.speaks(progress.rules) {
                return Err(unspoken(progress.applied, progress.rules, self.following.as_ref()));
            }
        }
        usable.map_err(|(_, why)| why)
    }

    /// What was applied, as others learn of it. Error: most of the other stores differ from this one.
    fn progress(&mut self, applied: &mut Applied) -> Result<Progress, String> {
        let following = self.following.as_mut().ok_or("the store follows no log")?;
        let checkpoints = std::mem::take(&mut applied.checkpoints);
        checkpoints.iter().for_each(|checkpoint| following.claims.reached(*checkpoint));
        let mut equality = self.equality.clone();
        for Claim { run, checkpoint, live } in applied.claims.drain(..) {
            equality = match following.claims.claim(run, checkpoint, &live) {
                Verdict::Open => continue,
                Verdict::Equal => Equality::Equal,
                Verdict::Others(nodes) => Equality::Minority(nodes),
                Verdict::Split(digests) => Equality::Split(digests),
                Verdict::Differs(nodes) => {
                    self.store.note_divergence(checkpoint.at).map_err(|error| error.to_string())?;
                    return Err(diverged(checkpoint.at, &nodes));
                }
            };
        }
        self.equality = equality.clone();
        let (applied, rules) = (following.marks.applied, following.marks.rules);
        Ok(Progress { applied, rules, checkpoints, equality })
    }

    /// A rule that panics does so on each gateway, at the same command: it is refused, and the others
    /// are carried out. A damaged row is this store's own.
    fn commit_entries(
        &mut self,
        entries: &mut [LogEntry],
        durable: bool,
    ) -> Result<Applied, String> {
        let mut refused = BTreeMap::new();
        loop {
            let work = Work::Entries { entries: &mut *entries, durable, refused: &refused };
            match self.commit(work) {
                Ok(applied) => return Ok(applied),
                Err(Aborted::Command { at, why, panicked: true }) => refused.insert(at, why),
                Err(Aborted::Command { why, .. } | Aborted::Store { why, .. }) => return Err(why),
            };
        }
    }

    pub(super) fn apply_entry(
        &self,
        context: &mut BatchContext<'_>,
        entry: &mut LogEntry,
        refused: &BTreeMap<usize, String>,
        applied: &mut Applied,
    ) -> Result<(), Aborted> {
        let fate = context.begin_entry(entry).map_err(failed)?;
        applied.fates.push(fate);
        if fate == Fate::Applied {
            for envelope in &entry.entry.commands {
                let at = applied.answers.len();
                let changed = self
                    .following
                    .as_ref()
                    .and_then(|following| (following.changed_rule)(context.rules(), envelope));
                applied.answers.push(match refused.get(&at) {
                    Some(why) => Answer::refused(why),
                    None => self.apply_one(context, at, changed.as_ref().unwrap_or(envelope))?,
                });
            }
            for checkpoint in entry.entry.checkpoints.iter().copied() {
                let (run, live) = (entry.entry.id.run, context.live_runs().map_err(failed)?);
                applied.claims.push(Claim { run, checkpoint, live });
            }
        }
        applied.checkpoints.extend(context.end_entry().map_err(failed)?);
        Ok(())
    }

    pub(super) fn speaks(&self, rules: u32) -> bool {
        let following = self.following.as_ref();
        following.is_none_or(|following| rules_version::is_spoken(rules, following.speaks))
    }

    fn answer_entries(&mut self, entries: &[LogEntry], Applied { answers, fates, .. }: Applied) {
        let mut done = Vec::with_capacity(answers.len());
        let mut answers = answers.into_iter();
        let mut own = 0;
        // Those after the last fate were not applied.
        for (entry, fate) in entries.iter().zip(fates) {
            let tickets = self.log.settled(entry.entry.id, fate);
            if fate != Fate::Applied {
                continue;
            }
            own += tickets.len();
            let mut tickets = tickets.into_iter();
            let answers = answers.by_ref().take(entry.entry.commands.len());
            done.extend(answers.map(|Answer { outcome, events, accounts }| Done {
                ticket: tickets.next(),
                outcome,
                events,
                accounts,
            }));
        }
        if own > 0 {
            self.queue.answering(own);
        } else {
            self.queue.beat();
        }
        if !done.is_empty() {
            (self.publish)(done);
        }
    }
}

/// Whether entries are the next ones, of rules that this version has. Error: the first that is not, and
/// why.
fn check(following: &Following, entries: &[LogEntry]) -> Result<(), (usize, String)> {
    for (at, entry) in entries.iter().enumerate() {
        let LogEntry { position, entry, .. } = entry;
        let expected = following.marks.applied + 1 + at as u64;
        if *position != expected {
            let why = format!(
                "the log goes on at entry {position}, and the store needs entry {expected}; restore a newer backup of a node that has it"
            );
            return Err((at, why));
        }
        // Before it stands what has brought these rules into force, unless the store is of another log.
        if !rules_version::is_spoken(entry.rules, following.speaks) {
            return Err((at, unspoken(*position, entry.rules, Some(following))));
        }
    }
    Ok(())
}

fn unspoken(position: u64, rules: u32, following: Option<&Following>) -> String {
    let speaks = following.map_or(RULES, |following| following.speaks);
    format!(
        "entry {position} of the log is of version {rules} of the rules, this gateway has version {speaks}; run a gateway with version {rules}, which goes on from here"
    )
}

/// The sentence for a store that most of the others differ from.
pub(crate) fn diverged(position: u64, nodes: &str) -> String {
    format!(
        "this store is not what the log has made of the others: at entry {position} it differs from those of {nodes}, which are equal; look for a failing disk or memory, move the store away, and start from the newest snapshot with `dragoman cluster join`"
    )
}
