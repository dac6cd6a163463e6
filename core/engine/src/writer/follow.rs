//! Applying entries of a log that several gateways share.
//!
//! What the log has is done, on whatever gateway: a store that fails to apply it can answer neither
//! "done" nor "not done". So the writer drops the tickets and stops, and the gateway with it; opened
//! again, the store goes on from where its last commit left it.

use std::collections::BTreeMap;

use super::{Aborted, Applied, Following, Work, Writer};
use crate::entry::Fate;
use crate::envelope::{Answer, Done};
use crate::log::{Entries, Log, LogEntry};
use crate::rules_version;

impl<T, L: Log<T>, P: FnMut(Vec<Done<T>>)> Writer<'_, T, L, P> {
    /// Applies entries, in one transaction. Error: why the store cannot go on.
    pub(super) fn follow(&mut self, entries: Entries) -> Result<(), String> {
        let Entries { mut entries, durable } = entries;
        self.store.find_file()?;
        let following = self.following.as_ref().ok_or("the store follows no log")?;
        let usable = check(following, &entries);
        // Those before it are applied: a later version goes on from there.
        let stop = usable.as_ref().err().map(|(at, _)| *at);
        entries.truncate(stop.unwrap_or(entries.len()));
        if !entries.is_empty() {
            let applied = self.commit_entries(&mut entries, durable)?;
            self.store.release_snapshot();
            self.answer_entries(&entries, applied);
        }
        usable.map_err(|(_, why)| why)
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

    fn answer_entries(&mut self, entries: &[LogEntry], Applied { answers, fates }: Applied) {
        let mut done = Vec::with_capacity(answers.len());
        let mut answers = answers.into_iter();
        let mut own = 0;
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
        if !rules_version::is_spoken(entry.rules, following.speaks) {
            let (rules, speaks) = (entry.rules, following.speaks);
            let why = format!(
                "entry {position} of the log is of version {rules} of the rules, this gateway has version {speaks}; run a gateway with version {rules}, which goes on from here"
            );
            return Err((at, why));
        }
    }
    Ok(())
}
