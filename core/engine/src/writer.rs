//! The writer: the one thread that changes the store.
//!
//! A command whose rule panics, or that meets a damaged row, is refused by itself: the transaction
//! is aborted and the batch carried out again without it, so that other commands pay nothing for
//! it. After any other failure of the store the writer closes it, opens it again and goes on. A
//! store that follows a log stops instead: see `follow`.

mod follow;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use core_model::Refusal;

use crate::cache::room_list;
use crate::cache::writer::WriterCache;
use crate::clock::Moment;
use crate::digest::{Checkpoint, Claims};
use crate::entry::Fate;
use crate::envelope::{Answer, Done, Envelope};
use crate::error::{StoreError, panic_message};
use crate::log::{Equality, Log, LogEntry, Next};
use crate::lookup;
use crate::marks::Marks;
use crate::queue::Queue;
use crate::rows::Counters;
use crate::rules::{BatchContext, Finished};
use crate::state::Batch;
use crate::store::Store;

/// The pause before the second attempt to recover; each later one is twice as long, up to 32 times.
const PAUSE_MIN: Duration = Duration::from_millis(100);

/// Called with each batch that leaves the queue: the engine has no clock to time it with.
pub(crate) type OnBatch = Box<dyn FnMut() + Send>;

/// Carries out one command; [`BatchContext::apply`] but for tests.
type Apply = fn(&mut BatchContext<'_>, &Envelope) -> Result<Answer, StoreError>;

pub(crate) struct Writer<'a, T, L, P> {
    store: &'a Store,
    queue: &'a Queue<T>,
    log: L,
    on_batch: OnBatch,
    publish: P,
    apply: Apply,
    cache: WriterCache,
    /// The times of the last command.
    last: Option<Moment>,
    /// Where the store stands in the log that it follows.
    following: Option<Following>,
    /// What the other stores of the cluster are.
    equality: Equality,
    /// Failures since the last batch that was committed.
    failures: u32,
}

/// How a store follows a log.
pub(crate) struct Following {
    pub(crate) marks: Marks,
    /// The latest version of the rules that entries may be of.
    pub(crate) speaks: u32,
    /// What gateways say of their stores.
    pub(crate) claims: Claims,
    /// A rule that a later version changes: for tests.
    pub(crate) changed_rule: ChangedRule,
}

/// What becomes of a command under the rules of this version.
pub(crate) type ChangedRule = fn(u32, &Envelope) -> Option<Envelope>;

/// What one transaction carries out.
enum Work<'w, T> {
    Commands(&'w [(Envelope, T)]),
    Entries {
        entries: &'w mut [LogEntry],
        durable: bool,
        /// Why commands are refused, by their place.
        refused: &'w BTreeMap<usize, String>,
    },
}

/// What came of it.
#[derive(Default)]
struct Applied {
    answers: Vec<Answer>,
    /// Of each entry. Fewer than there are: this version cannot go on after the last of them.
    fates: Vec<Fate>,
    checkpoints: Vec<Checkpoint>,
    claims: Vec<follow::Claim>,
}

/// Why a batch was not committed.
enum Aborted {
    /// The command at `at`, or one after it. If `at` is 0 the first command is to be refused, else
    /// those before `at` are to be tried by themselves.
    Command {
        at: usize,
        why: String,
        /// Whether its rule panicked, instead of finding a damaged row.
        panicked: bool,
    },
    Store {
        why: String,
        unknown: Option<Box<Unknown>>,
    },
}

/// A failed commit that may be durable nevertheless.
struct Unknown {
    answers: Vec<Answer>,
    before: Counters,
    after: Counters,
}

impl Unknown {
    /// Whether the commit was durable, if the counters found after it tell.
    fn shows(&self, found: &Counters) -> Option<bool> {
        match (found == &self.before, found == &self.after) {
            (false, true) => Some(true),
            (true, false) => Some(false),
            _ => None,
        }
    }
}

impl<'a, T, L: Log<T>, P: FnMut(Vec<Done<T>>)> Writer<'a, T, L, P> {
    /// `on_batch` is called before each batch is carried out; `publish` gets its outcomes, in commit
    /// order. With `following`, the store follows the log.
    pub(crate) fn new(
        (store, queue): (&'a Store, &'a Queue<T>),
        log: L,
        following: Option<Following>,
        on_batch: OnBatch,
        publish: P,
    ) -> Self {
        let apply: Apply = |context, envelope| context.apply(envelope);
        Self {
            store,
            queue,
            log,
            on_batch,
            publish,
            apply,
            cache: WriterCache::default(),
            last: None,
            following,
            equality: Equality::default(),
            failures: 0,
        }
    }

    /// Carries out batch after batch until the log ends.
    pub(crate) fn run(mut self) {
        loop {
            match self.log.next() {
                Next::Commands(batch) => {
                    (self.on_batch)();
                    self.carry_out(batch);
                }
                Next::Entries(entries) => {
                    (self.on_batch)();
                    if let Err(why) = self.follow(entries) {
                        self.queue.fail(&why);
                        break;
                    }
                }
                Next::Recover => {
                    let why = self.queue.failure().unwrap_or_default();
                    self.recover(Vec::new(), &why, None);
                }
                Next::Stop => break,
            }
        }
        // Empty, unless the store has failed.
        let why = self.queue.failure().unwrap_or_default();
        let waiting = self.queue.take_all();
        self.refuse(waiting, &Refusal::Internal { why });
    }

    fn carry_out(&mut self, mut batch: Vec<(Envelope, T)>) {
        // One look at the path a commit, which takes some 300 times as long.
        if let Err(why) = self.store.find_file() {
            return self.refuse(batch, &Refusal::Internal { why });
        }
        let mut until = batch.len();
        while !batch.is_empty() {
            match self.commit(Work::Commands(&batch[..until])) {
                Ok(Applied { answers, .. }) => {
                    self.store.release_snapshot();
                    let rest = batch.split_off(until);
                    self.answer(batch, answers);
                    batch = rest;
                }
                Err(Aborted::Command { at: 0, why, .. }) => {
                    let rest = batch.split_off(1);
                    self.refuse(batch, &Refusal::Internal { why });
                    batch = rest;
                }
                Err(Aborted::Command { at, .. }) => {
                    until = at;
                    continue;
                }
                Err(Aborted::Store { why, unknown }) => {
                    let unknown = unknown.filter(|unknown| unknown.answers.len() == batch.len());
                    return self.recover(batch, &why, unknown);
                }
            }
            until = batch.len();
        }
    }

    fn answer(&mut self, batch: Vec<(Envelope, T)>, answers: Vec<Answer>) {
        self.queue.answering(batch.len());
        let tickets = batch.into_iter().map(|(_, ticket)| ticket);
        let done = tickets.zip(answers);
        let done = done.map(|(ticket, Answer { outcome, events, accounts })| Done {
            ticket: Some(ticket),
            outcome,
            events,
            accounts,
        });
        (self.publish)(done.collect());
    }

    fn refuse(&mut self, batch: Vec<(Envelope, T)>, refusal: &Refusal) {
        let refuse = |(_, ticket)| Done::of(ticket, Err(refusal.clone()));
        if !batch.is_empty() {
            (self.publish)(batch.into_iter().map(refuse).collect());
        }
    }

    /// Opens the store again, however often that takes. The batch that met the failure is answered
    /// after the first attempt.
    fn recover(&mut self, batch: Vec<(Envelope, T)>, why: &str, unknown: Option<Box<Unknown>>) {
        self.queue.fail(why);
        self.cache = WriterCache::default();
        let is_stopped = self.pause();
        let mut reopened = self.store.reopen();
        self.answer_failed(batch, why, unknown, reopened.is_ok());
        while let Err(why) = reopened {
            self.queue.fail(&why);
            if is_stopped || self.pause() {
                return;
            }
            reopened = self.store.reopen();
        }
        self.queue.recover();
    }

    /// Waits before an attempt to recover, unless it is the first since a commit. Returns whether
    /// the queue was stopped.
    fn pause(&mut self) -> bool {
        let doublings = self.failures.min(6);
        self.failures += 1;
        let pause =
            if doublings == 0 { Duration::ZERO } else { PAUSE_MIN * (1 << (doublings - 1)) };
        self.queue.pause(pause)
    }

    /// Answers a batch that met a failure, truthfully where the store, opened again, shows what
    /// became of it; and refuses the commands that wait.
    fn answer_failed(
        &mut self,
        batch: Vec<(Envelope, T)>,
        why: &str,
        unknown: Option<Box<Unknown>>,
        is_open: bool,
    ) {
        let not_stored = Refusal::Internal { why: why.to_owned() };
        let found = if is_open { self.counters() } else { None };
        match (unknown, found) {
            (None, _) => {
                let refused = self.queue.keep(batch);
                self.refuse(refused, &not_stored);
            }
            (Some(unknown), Some(found)) if unknown.shows(&found) == Some(true) => {
                self.answer(batch, unknown.answers);
            }
            (Some(unknown), Some(found)) if unknown.shows(&found) == Some(false) => {
                let refused = self.queue.keep(batch);
                self.refuse(refused, &not_stored);
            }
            (Some(_), _) => {
                let refused = self.queue.keep(batch);
                self.refuse(refused, &Refusal::outcome_unknown(why));
            }
        }
        let waiting = self.queue.take_refused();
        self.refuse(waiting, &not_stored);
    }

    fn counters(&self) -> Option<Counters> {
        let read = || lookup::counters(&*self.store.snapshot()?);
        catch_unwind(AssertUnwindSafe(read)).ok()?.ok()
    }

    /// Carries out a batch in one transaction, and makes it durable if it changed anything.
    fn commit(&mut self, work: Work<'_, T>) -> Result<Applied, Aborted> {
        // Whatever is not caught at its command happened in redb.
        catch_unwind(AssertUnwindSafe(|| self.try_commit(work))).unwrap_or_else(|panic| {
            let what = panic_message(&*panic);
            let why = format!(
                "its file is damaged ({what}); stop the gateway, look with `dragoman store check`, and restore a backup"
            );
            Err(Aborted::Store { why, unknown: None })
        })
    }

    fn try_commit(&mut self, work: Work<'_, T>) -> Result<Applied, Aborted> {
        let mut transaction = self.store.begin_write().map_err(failed)?;
        if let Work::Entries { durable: false, .. } = &work {
            let set = transaction.set_durability(redb::Durability::None);
            set.map_err(|error| failed(error.into()))?;
        }
        // Opening after a kill then takes milliseconds instead of a scan of the file.
        transaction.set_quick_repair(true);
        let tables = Batch::new(&transaction, RefCell::new(std::mem::take(&mut self.cache)));
        let before = lookup::counters(&tables).map_err(failed)?;
        let mut context = BatchContext::new(tables, before.clone(), self.last);
        if let Some(following) = &self.following {
            context = context.following(following.marks.clone());
        }
        let applied = self.apply_all(&mut context, work)?;
        // Commands that were refused, or only read, need no commit: polling does not wear the disk.
        let has_changed = context.has_changed();
        let Finished { batch: tables, counters: after, last, marks } =
            context.finish().map_err(|error| {
                // Which command touched the damaged row is found by halving the batch.
                if error.is_damage() {
                    let (at, why) = (applied.answers.len() / 2, error.to_string());
                    Aborted::Command { at, why, panicked: false }
                } else {
                    failed(error)
                }
            })?;
        let changes_room_lists = tables.has_written(room_list::SOURCES);
        self.cache = tables.into_attached().into_inner();
        self.last = last;
        if has_changed && let Some(marks) = &marks {
            marks.write(&transaction).map_err(failed)?;
        }
        self.following.iter_mut().zip(marks).for_each(|(following, marks)| following.marks = marks);
        if !has_changed {
            transaction.abort().map_err(|error| failed(error.into()))?;
            return Ok(applied);
        }
        if changes_room_lists {
            self.store.invalidate_room_lists();
        }
        match transaction.commit() {
            Ok(()) => {
                self.failures = 0;
                Ok(applied)
            }
            Err(error) => Err(Aborted::Store {
                why: StoreError::from(error).to_string(),
                unknown: Some(Box::new(Unknown { answers: applied.answers, before, after })),
            }),
        }
    }

    fn apply_all(
        &self,
        context: &mut BatchContext<'_>,
        work: Work<'_, T>,
    ) -> Result<Applied, Aborted> {
        let mut applied = Applied::default();
        match work {
            Work::Commands(batch) => {
                applied.answers.reserve_exact(batch.len());
                for (at, (envelope, _)) in batch.iter().enumerate() {
                    applied.answers.push(self.apply_one(context, at, envelope)?);
                }
            }
            Work::Entries { entries, refused, .. } => {
                for entry in entries {
                    self.apply_entry(context, entry, refused, &mut applied)?;
                    if !self.speaks(context.rules()) {
                        break;
                    }
                }
            }
        }
        Ok(applied)
    }

    fn apply_one(
        &self,
        context: &mut BatchContext<'_>,
        at: usize,
        envelope: &Envelope,
    ) -> Result<Answer, Aborted> {
        match catch_unwind(AssertUnwindSafe(|| (self.apply)(context, envelope))) {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(error)) if error.is_damage() => {
                Err(Aborted::Command { at, why: error.to_string(), panicked: false })
            }
            Ok(Err(error)) => Err(failed(error)),
            Err(panic) => {
                let why = format!("the command panicked: {}", panic_message(&*panic));
                Err(Aborted::Command { at, why, panicked: true })
            }
        }
    }
}

fn failed(error: StoreError) -> Aborted {
    Aborted::Store { why: error.to_string(), unknown: None }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, mpsc};

    use core_model::{Command, ConnectionId, NewUser, Timestamp};

    use super::*;
    use crate::open::Opener;

    fn register(handle: &str) -> Envelope {
        let user = NewUser { handle: Some(handle.into()), ..NewUser::default() };
        Envelope {
            at: Timestamp(1),
            steady_ms: 1,
            connection: ConnectionId(1),
            address: None,
            frontend: Arc::default(),
            key: None,
            command: Command::Register { user },
        }
    }

    /// Panics once it has registered a user that is called so.
    fn panicking(
        context: &mut BatchContext<'_>,
        envelope: &Envelope,
    ) -> Result<Answer, StoreError> {
        let answer = context.apply(envelope)?;
        let panics = |user: &NewUser| user.handle.as_deref() == Some("panic");
        assert!(
            !matches!(&envelope.command, Command::Register { user } if panics(user)),
            "on purpose"
        );
        Ok(answer)
    }

    #[test]
    fn a_panic_refuses_its_command_and_no_other() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(Opener::file(&folder.path().join("store"), 1 << 20)).unwrap();
        let queue = Arc::new(Queue::new(9));
        let (publish, published) = mpsc::channel();
        let publish = move |done: Vec<Done<usize>>| {
            done.into_iter().for_each(|done| publish.send(done).unwrap())
        };
        let log = Arc::clone(&queue);
        let mut writer = Writer::new((&store, &queue), log, None, Box::new(|| ()), publish);
        writer.apply = panicking;
        let batch = ["ann", "panic", "bob", "panic", "panic", "cyd"];
        writer.carry_out(batch.into_iter().map(register).zip(0..).collect());
        drop(writer);
        for (place, (handle, done)) in batch.into_iter().zip(published).enumerate() {
            assert_eq!(done.ticket, Some(place));
            match done.outcome {
                Ok(_) => assert_ne!(handle, "panic"),
                Err(Refusal::Internal { why }) => {
                    assert!(handle == "panic" && why.contains("on purpose"), "{handle}: {why}");
                }
                Err(other) => panic!("{other:?}"),
            }
        }
        assert_eq!(queue.failure(), None);
        // What the commands that panicked had written is gone.
        let snapshot = store.snapshot().unwrap();
        assert_eq!(lookup::counters(&*snapshot).unwrap().next_uid, 10_003);
    }
}
