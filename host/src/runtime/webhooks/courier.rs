//! The task of a webhook: reads events from the store, sends them, and notes in the store how far it
//! has come.
//!
//! Nothing that posts waits for it or fills anything of it: after each commit it only learns that
//! there is more to read.

use std::collections::HashMap;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use core_engine::{EventPage, Logged, LoggedEvent, Wanted};
use core_model::{Command, DeadLetter, EventPosition, Outcome, Recipient, WebhookProgress};
use tokio::sync::{mpsc, watch};
use tokio::task::{Id, JoinError, JoinSet, spawn_blocking};

use super::replay::Replay;
use super::shared::{Ending, Shared};
use super::window::{Failed, Job, Lane, Pacing, Window};
use crate::runtime::frontends::log_throttle::LogThrottle;
use crate::webhooks::{
    AttemptFailure, EventName, FailureKind, Received, WebhookConfig, at, body_of, post,
};

/// Messages that are read at once, and as many other events.
const PAGE: usize = 64;

/// How long deliveries may go unnoted, unless there are many: they are repeated if the gateway is
/// killed meanwhile.
const SAVE_PERIOD_MS: u64 = 1_000;

/// Deliveries that may go unnoted.
const UNSAVED_MAX: u32 = 64;

/// The pause after a failure of the store.
const STORE_PAUSE_MS: u64 = 1_000;

/// One log line for each reason in this time.
const LOG_QUIET: Duration = Duration::from_secs(60);

/// Reasons within that time.
const LOG_REASONS_MAX: usize = 16;

/// What an operator wants of a running webhook.
pub(super) enum Control {
    /// Go on with a receiver that was gone.
    Resume,
    /// Send the dead letters again.
    Replay,
}

pub(super) struct Courier {
    shared: Arc<Shared>,
    window: Window,
    log: LogThrottle<String>,
    committed: watch::Receiver<()>,
    attempts: JoinSet<Result<Received, AttemptFailure>>,
    /// The event of each attempt.
    sent: HashMap<Id, Job>,
    replays: JoinSet<Option<u64>>,
    /// Whether there may be something to read.
    more: bool,
    /// Nothing is read or noted before, in steady ms: the store has failed.
    store_due: u64,
    /// Up to where the store knows.
    saved: EventPosition,
    saved_at: u64,
    unsaved: u32,
    /// What the store does not know yet, besides how far it has come.
    news: WebhookProgress,
    saving: Option<Saving>,
}

/// A command that is under way, and what it notes.
struct Saving {
    answer: Pin<Box<dyn Future<Output = Outcome> + Send>>,
    progress: WebhookProgress,
}

impl Courier {
    pub(super) fn new(shared: Arc<Shared>, begin: EventPosition) -> Self {
        let webhook = &shared.webhook;
        let pause_ms_max = u64::try_from(webhook.retry_max.as_millis()).unwrap_or(u64::MAX);
        let pacing = Pacing { concurrency: webhook.concurrency as usize, pause_ms_max };
        Self {
            window: Window::new(pacing, begin),
            log: LogThrottle::new(LOG_QUIET, LOG_REASONS_MAX),
            committed: shared.services.committed.subscribe(),
            attempts: JoinSet::new(),
            sent: HashMap::new(),
            replays: JoinSet::new(),
            more: true,
            store_due: 0,
            saved: begin,
            saved_at: 0,
            unsaved: 0,
            news: WebhookProgress::default(),
            saving: None,
            shared,
        }
    }

    pub(super) async fn run(mut self, mut controls: mpsc::Receiver<Control>, ending: Ending) {
        let stopping = self.shared.services.stopping.clone();
        loop {
            self.read().await;
            self.send();
            self.save();
            self.show();
            let now = self.now();
            let pause = self.due().map(|due| Duration::from_millis(due.saturating_sub(now)));
            tokio::select! {
                biased;
                () = ending.drain.cancelled() => break,
                () = ending.abort.cancelled() => break,
                () = stopping.cancelled() => break,
                Some(control) = controls.recv() => self.control(&control, &ending),
                Some(done) = self.attempts.join_next_with_id() => self.note(done),
                outcome = saved(&mut self.saving) => self.note_saved(outcome),
                Some(replayed) = self.replays.join_next() => self.note_replayed(replayed),
                changed = self.committed.changed(), if !self.more => {
                    if changed.is_err() {
                        break;
                    }
                    self.more = true;
                }
                () = sleep(pause) => (),
            }
        }
        self.finish(&ending).await;
    }

    fn now(&self) -> u64 {
        self.shared.services.clock.steady_ms()
    }

    fn is_reading(&self) -> bool {
        self.more && !self.window.is_full()
    }

    /// When there is something to do, without anything that happens before.
    fn due(&self) -> Option<u64> {
        let is_gone = self.shared.stats.is_gone();
        let send = self.window.due().filter(|_| !is_gone && !self.window.is_sending());
        let retry = self.window.due().filter(|due| !is_gone && *due > self.now());
        let read = self.is_reading().then_some(self.store_due);
        let has_news = self.has_news() && self.saving.is_none();
        let save = has_news.then_some((self.saved_at + SAVE_PERIOD_MS).max(self.store_due));
        [send, retry, read, save].into_iter().flatten().min()
    }

    /// Reads a page, if there is room for one.
    async fn read(&mut self) {
        if !self.is_reading() || self.now() < self.store_due {
            return;
        }
        // Before the read: what is committed after it is seen by the next one.
        self.committed.mark_unchanged();
        let services = self.shared.services.clone();
        let after = self.window.read_up_to();
        let wanted = wanted(&self.shared.webhook);
        let read = move || services.engine.events_after(after, wanted, PAGE);
        match spawn_blocking(read).await {
            Ok(Ok(EventPage { events, end, more })) => {
                let jobs = events.iter().filter_map(|event| self.job(event)).collect();
                self.window.add(jobs, end);
                self.more = more;
            }
            Ok(Err(refusal)) => self.note_store_failure(&refusal.to_string()),
            Err(error) => self.note_store_failure(&error.to_string()),
        }
    }

    /// `None`: the webhook does not select it.
    fn job(&self, logged: &LoggedEvent) -> Option<Job> {
        let Shared { webhook, services, .. } = &*self.shared;
        let lane = match EventName::of(&logged.what) {
            None => Lane::All,
            Some((name, room)) => {
                let is_of_room = |name: &str| webhook.rooms.contains(name);
                let is_wanted =
                    webhook.rooms.is_empty() || room.is_some_and(|room| is_of_room(&room.name));
                if !webhook.events.contains(&name) || !is_wanted {
                    return None;
                }
                lane(&logged.what, room.map(|room| room.id.0))
            }
        };
        let now = services.clock.now();
        let at_ms = at(&logged.what).unwrap_or(now).0;
        let body = body_of(logged, now)?;
        Some(Job { position: logged.position, lane, body, at_ms })
    }

    fn send(&mut self) {
        let now = self.now();
        while !self.shared.stats.is_gone()
            && let Some(job) = self.window.next(now)
        {
            let shared = self.shared.clone();
            let body = job.body.clone();
            let attempt = self.attempts.spawn(async move {
                let now = shared.services.clock.now();
                post(&shared.client, &shared.webhook, &body, now).await
            });
            self.sent.insert(attempt.id(), job);
        }
    }

    /// Notes how an attempt ended. One that panicked has failed.
    fn note(&mut self, done: Result<(Id, Result<Received, AttemptFailure>), JoinError>) {
        let (id, received) = done.unwrap_or_else(|error| {
            let why = format!("the attempt failed: {error}");
            let kind = FailureKind::Response;
            (error.id(), Err(AttemptFailure { kind, why, retry_after: None }))
        });
        let Some(job) = self.sent.remove(&id) else { return };
        let Shared { webhook, services, stats, .. } = &*self.shared;
        let at = services.clock.now();
        let failure = match received {
            Ok(received) => received.failure(at),
            Err(failure) => Some(failure),
        };
        let Some(failure) = failure else {
            stats.note_delivered();
            self.unsaved += 1;
            self.window.succeed(job.position);
            return;
        };
        stats.note_failure(failure.kind, &failure.why);
        let name = &webhook.name;
        if self.log.admit(failure.why.clone(), Instant::now()) {
            tracing::warn!(webhook = name, event = job.body.id, "not delivered: {}", failure.why);
        }
        let is_gone = failure.kind == FailureKind::Gone;
        if is_gone && !stats.is_gone.swap(true, Ordering::Relaxed) {
            self.news.gone = Some(true);
            tracing::error!(
                webhook = name,
                "the receiver has answered 410, so nothing more is sent to it; events wait until: \
                 dragoman webhook resume {name}"
            );
        }
        let age = Duration::from_millis(at.0.saturating_sub(job.at_ms));
        let failed = Failed {
            now: services.clock.steady_ms(),
            retry_after_ms: failure.retry_after.map(|after| after.as_millis() as u64),
            dice: getrandom::u32().unwrap_or_default(),
            is_old: !is_gone && age >= webhook.dead_letter_after,
        };
        if let Some(attempts) = self.window.fail(job.position, failed) {
            stats.given_up.add(1);
            tracing::error!(
                webhook = name,
                event = job.body.id,
                attempts,
                "given up, now a dead letter: {}",
                failure.why
            );
            let why = failure.why;
            self.news.dead.push(DeadLetter { position: job.position, attempts, why });
        }
    }

    fn has_news(&self) -> bool {
        self.window.done_up_to() > self.saved
            || !self.news.dead.is_empty()
            || self.news.gone.is_some()
    }

    /// Has the store note what it does not know, if that is due.
    fn save(&mut self) {
        let now = self.now();
        let is_due = now >= self.saved_at + SAVE_PERIOD_MS
            || self.unsaved >= UNSAVED_MAX
            || self.news != WebhookProgress::default();
        if self.saving.is_some() || !self.has_news() || !is_due || now < self.store_due {
            return;
        }
        self.saved_at = now;
        self.unsaved = 0;
        let progress = self.take_progress();
        let answer = self.submit(progress.clone());
        self.saving = Some(Saving { answer, progress });
    }

    fn take_progress(&mut self) -> WebhookProgress {
        let up_to = Some(self.window.done_up_to());
        WebhookProgress { up_to, ..std::mem::take(&mut self.news) }
    }

    fn submit(&self, progress: WebhookProgress) -> Pin<Box<dyn Future<Output = Outcome> + Send>> {
        let services = self.shared.services.clone();
        let webhook = self.shared.webhook.name.clone();
        let command = Command::AdvanceWebhook { webhook, progress };
        Box::pin(async move { services.submit_internal(command).await })
    }

    fn note_saved(&mut self, outcome: Outcome) {
        let Some(Saving { progress, .. }) = self.saving.take() else { return };
        match outcome {
            Ok(_) => {
                self.saved = progress.up_to.unwrap_or(self.saved);
                self.shared.show_dead_letters();
            }
            Err(refusal) => {
                self.news.dead.splice(0..0, progress.dead);
                self.news.gone = self.news.gone.or(progress.gone);
                self.note_store_failure(&refusal.to_string());
            }
        }
    }

    fn note_store_failure(&mut self, why: &str) {
        self.store_due = self.now() + STORE_PAUSE_MS;
        if self.log.admit(why.to_owned(), Instant::now()) {
            let webhook = &self.shared.webhook.name;
            tracing::warn!(webhook, "the store does not answer: {why}");
        }
    }

    /// Updates what metrics and `dragoman webhook list` show.
    fn show(&self) {
        let stats = &self.shared.stats;
        stats.done_up_to.store(self.window.done_up_to().message.0, Ordering::Relaxed);
        stats.oldest_ms.store(self.window.oldest_ms().unwrap_or(0), Ordering::Relaxed);
        stats.is_failing.store(self.window.is_failing(), Ordering::Relaxed);
    }

    /// A receiver that has taken all dead letters works again.
    fn note_replayed(&mut self, replayed: Result<Option<u64>, JoinError>) {
        let Ok(Some(delivered)) = replayed else { return };
        if delivered > 0 {
            self.window.recover();
            self.show();
        }
        let webhook = &self.shared.webhook.name;
        tracing::info!(webhook, delivered, "all dead letters are delivered");
    }

    fn control(&mut self, control: &Control, ending: &Ending) {
        match control {
            Control::Resume => {
                self.shared.stats.is_gone.store(false, Ordering::Relaxed);
                self.news.gone = Some(false);
            }
            // One at a time.
            Control::Replay => {
                while let Some(replayed) = self.replays.try_join_next() {
                    self.note_replayed(replayed);
                }
                if self.replays.is_empty() {
                    let replay = Replay { shared: self.shared.clone(), ending: ending.clone() };
                    self.replays.spawn(replay.run());
                }
            }
        }
    }

    /// Waits for answers, if there is time, and has the store note what came of them.
    async fn finish(mut self, ending: &Ending) {
        let stopping = self.shared.services.stopping.clone();
        while self.window.is_sending() {
            tokio::select! {
                biased;
                () = ending.abort.cancelled() => break,
                () = stopping.cancelled() => break,
                done = self.attempts.join_next_with_id() => match done {
                    Some(done) => self.note(done),
                    None => break,
                },
            }
        }
        self.attempts.abort_all();
        if self.saving.is_some() {
            let outcome = saved(&mut self.saving).await;
            self.note_saved(outcome);
        }
        if self.has_news() {
            let progress = self.take_progress();
            if let Err(refusal) = self.submit(progress).await {
                self.note_store_failure(&refusal.to_string());
            }
        }
        self.show();
        while let Some(replayed) = self.replays.join_next().await {
            self.note_replayed(replayed);
        }
    }
}

fn wanted(webhook: &WebhookConfig) -> Wanted {
    Wanted {
        messages: webhook.events.iter().any(|event| event.is_message()),
        events: webhook.events.iter().any(|event| !event.is_message()),
    }
}

fn lane(what: &Logged, room: Option<u32>) -> Lane {
    match (room, what) {
        (Some(room), _) => Lane::Room(room),
        (None, Logged::Message(message)) => {
            let uid = |person: &core_model::Person| person.uid.map_or(0, |uid| uid.0);
            match &message.to {
                Recipient::User(to) => Lane::Users(uid(&message.author), uid(to)),
                Recipient::Room(room) => Lane::Room(room.id.0),
            }
        }
        _ => Lane::All,
    }
}

/// The answer to the command that is under way; forever, without one.
async fn saved(saving: &mut Option<Saving>) -> Outcome {
    match saving {
        Some(saving) => saving.answer.as_mut().await,
        None => std::future::pending().await,
    }
}

async fn sleep(pause: Option<Duration>) {
    match pause {
        Some(pause) => tokio::time::sleep(pause).await,
        None => std::future::pending().await,
    }
}
