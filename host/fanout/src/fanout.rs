//! The hub without its task: for each committed command, first its answer, then its events, each
//! encoded once per front end.

use std::iter::Peekable;
use std::ops::AddAssign;
use std::sync::Arc;
use std::task::Waker;
use std::time::Duration;

use core_engine::Done;
use core_model::{ConnectionId, Outcome, Recorded, RoomId};

use crate::counts::Counts;
use crate::encoded::{Encoded, EncodedPostBatch, Part};
use crate::event_encoder::EventEncoder;
use crate::flow::FlowTally;
use crate::handle::ConnectionHandle;
use crate::mailbox::{MailboxItem, Pushed};
use crate::metrics::FanoutMetrics;
use crate::post_batch::{PostBatch, posts_to};
use crate::subscriptions::Subscriptions;
use crate::tally::Tally;
use crate::ticket::Ticket;

/// Commands that become one [`PostBatch`]: a quarter of the default mailbox, so that one item does
/// not overrun it.
pub(crate) const POSTS_PER_BATCH_MAX: usize = 256;

/// Text of one [`PostBatch`]: no more than leaves in one write.
const BATCH_TEXT_BYTES_MAX: usize = 64 * 1024;

/// Subscriptions, encoders, and the connections to wake.
pub struct Fanout {
    subscriptions: Subscriptions,
    encoders: Encoders,
    metrics: Arc<FanoutMetrics>,
    /// Of the connections that got items and wait.
    asleep: Vec<Waker>,
}

/// The front ends by index; `None` where none runs now.
#[derive(Default)]
struct Encoders {
    encoders: Vec<Option<Arc<dyn EventEncoder>>>,
    counts: Counts,
    flow: FlowTally,
}

/// How much was delivered.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Delivered {
    pub(crate) commands: usize,
    pub(crate) items: usize,
    /// At least the part of its mailbox that any one connection got, in thousandths.
    pub(crate) mailbox_share: usize,
}

impl AddAssign for Delivered {
    fn add_assign(&mut self, more: Self) {
        self.commands += more.commands;
        self.items += more.items;
        self.mailbox_share += more.mailbox_share;
    }
}

impl Fanout {
    pub fn new(metrics: Arc<FanoutMetrics>) -> Self {
        let subscriptions = Subscriptions::default();
        Self { subscriptions, encoders: Encoders::default(), metrics, asleep: Vec::new() }
    }

    /// Adds a front end at this index.
    pub(crate) fn add_frontend(&mut self, index: u16, encoder: Arc<dyn EventEncoder>) {
        let at = usize::from(index);
        let Encoders { encoders, counts, .. } = &mut self.encoders;
        counts.add_frontend(at, encoder.ledger());
        if encoders.len() <= at {
            encoders.resize_with(at + 1, || None);
        }
        encoders[at] = Some(encoder);
    }

    /// Removes the front end at this index, which has no connection any more.
    pub(crate) fn remove_frontend(&mut self, index: u16) {
        if let Some(encoder) = self.encoders.encoders.get_mut(usize::from(index)) {
            *encoder = None;
        }
    }

    /// Counts a batch that is delivered next.
    pub(crate) fn begin(&mut self, batch: &[Done<Ticket>]) {
        self.metrics.commits.add(1);
        self.metrics.commands.add(batch.len() as u64);
        self.metrics.batch.observe(batch.len() as u64);
    }

    /// Delivers the next command, or the next several if they post to the same room. Wakes no
    /// connection before [`wake`](Self::wake): what many commands of a batch tell one connection
    /// leaves in one write.
    pub(crate) fn deliver_next(
        &mut self,
        batch: &mut Peekable<impl Iterator<Item = Done<Ticket>>>,
    ) -> Option<Delivered> {
        let first = batch.next()?;
        self.encoders.flow.begin();
        self.encoders.note_posted(&first);
        self.encoders.announce_accounts(&first);
        let next = batch.peek().and_then(posts_to);
        let Some(room) = posts_to(&first).filter(|room| Some(*room) == next) else {
            let ticket = first.ticket.unwrap_or(Ticket::Discard);
            self.answer(ticket, first.outcome, !first.events.is_empty());
            let delivered = self.deliver_events(&first.events);
            return Some(Delivered { commands: 1, items: 1 + delivered.items, ..delivered });
        };
        let mut posts = PostBatch::default();
        let mut next = Some(first);
        let mut bytes = 0;
        while let Some(done) = next {
            bytes += posts.push(done);
            let fits = posts.posted.len() < POSTS_PER_BATCH_MAX && bytes < BATCH_TEXT_BYTES_MAX;
            next = batch.next_if(|done| fits && posts_to(done) == Some(room));
            if let Some(done) = &next {
                self.encoders.note_posted(done);
                self.encoders.announce_accounts(done);
            }
        }
        let commands = posts.posted.len();
        Some(Delivered { commands, ..self.deliver_posts(room, posts) })
    }

    /// Wakes every connection that got items, and counts them.
    pub(crate) fn wake(&mut self) {
        self.encoders.counts.flush();
        self.encoders.flow.flush(&self.metrics.flow);
        self.metrics.set_rooms_in_use(self.subscriptions.rooms_in_use());
        self.asleep.drain(..).for_each(Waker::wake);
    }

    /// So many commands were delivered, and their connections woken, this long after the commit.
    pub(crate) fn note_delivered(&self, commands: usize, since_commit: Duration) {
        let ns = u64::try_from(since_commit.as_nanos()).unwrap_or(u64::MAX);
        self.metrics.delivered.observe_many(ns, commands as u64);
    }

    pub(crate) fn forget(&mut self, connection: ConnectionId) {
        self.subscriptions.forget(connection);
        self.metrics.set_rooms_in_use(self.subscriptions.rooms_in_use());
    }

    /// Marks, in a connection's mailbox, that everything before is delivered.
    pub(crate) fn fence(&mut self, connection: &ConnectionHandle) {
        let (waker, _) = connection.mailbox.push(MailboxItem::Fence);
        self.asleep.extend(waker);
    }

    fn answer(&mut self, ticket: Ticket, outcome: Outcome, has_events: bool) {
        match ticket {
            // The connection is gone and forgotten; its answer must not subscribe it again.
            Ticket::Connection { connection, .. } if connection.mailbox.is_closed() => (),
            Ticket::Connection { connection, change, .. } => {
                if let Ok(reply) = &outcome {
                    self.subscriptions.apply(&connection, change, reply);
                }
                let item = MailboxItem::Answer { outcome: Box::new(outcome), has_events };
                self.asleep.extend(self.encoders.put(&connection, item));
            }
            // Fails when an HTTP client did not wait for its answer.
            Ticket::Once { sender, .. } => drop(sender.send(outcome)),
            Ticket::Discard => (),
        }
    }

    fn deliver_events(&mut self, events: &[Recorded]) -> Delivered {
        let Self { subscriptions, encoders, metrics, asleep } = self;
        metrics.events.add(events.len() as u64);
        let mut delivered = Delivered::default();
        subscriptions.deliver(events, |recorded, audience| {
            let mut share = 0;
            let owed = Tally::of_event(&recorded.event);
            let mut encoded: Vec<Option<Encoded>> = Vec::new();
            for to in audience {
                encoders.counts.owe(to.frontend, owed);
                let encoded =
                    encoders.once(&mut encoded, to, |encoder| Encoded::new(encoder, recorded));
                match encoded.item(recorded, to) {
                    Ok(item) => {
                        share = share.max(to.mailbox.share(&item));
                        asleep.extend(encoders.put(to, item));
                        delivered.items += 1;
                    }
                    Err(why) => encoders.counts.settle(to.frontend, why, owed),
                }
            }
            delivered.mailbox_share += share;
            if !owed.is_empty() {
                encoders.flow.note_readers(&encoded);
            }
        });
        delivered
    }

    /// Gives the posters each message by itself, interleaved with their answers, and everyone else
    /// all of them as one item.
    fn deliver_posts(&mut self, room: RoomId, posts: PostBatch) -> Delivered {
        let PostBatch { posted, mut answers } = posts;
        self.metrics.events.add(posted.len() as u64);
        let Some(first) = posted.first() else { return Delivered::default() };
        // Stable: the answers of one connection stay in order.
        answers.sort_by_key(|(_, connection, _)| connection.id);
        let posters: Vec<ConnectionId> = answers.iter().map(|(_, of, _)| of.id).collect();
        let mut encoded: Vec<Option<EncodedPostBatch>> = Vec::new();
        let mut delivered = self.deliver_to_posters(room, &posted, answers, &mut encoded);
        let Self { subscriptions, encoders, asleep, .. } = self;
        let owed = Tally::of_event(&first.event);
        for to in subscriptions.audience(&first.event) {
            if posters.binary_search(&to.id).is_err() {
                let encoded = encoders
                    .once(&mut encoded, to, |encoder| EncodedPostBatch::new(encoder, &posted));
                let mut share = 0;
                encoders.counts.owe(to.frontend, owed.times(posted.len()));
                encoded.parts(&posted, to, |part| match part {
                    Part::Item(item) => {
                        share += to.mailbox.share(&item);
                        asleep.extend(encoders.put(to, item));
                        delivered.items += 1;
                    }
                    Part::Withheld(count, why) => {
                        encoders.counts.settle(to.frontend, why, owed.times(count as usize));
                    }
                });
                delivered.mailbox_share = delivered.mailbox_share.max(share);
            }
        }
        encoders.flow.note_readers(&encoded);
        delivered
    }

    fn deliver_to_posters(
        &mut self,
        room: RoomId,
        posted: &[Recorded],
        answers: Vec<(usize, Arc<ConnectionHandle>, Outcome)>,
        encoded: &mut Vec<Option<EncodedPostBatch>>,
    ) -> Delivered {
        let Self { subscriptions, encoders, asleep, .. } = self;
        let Some(first) = posted.first() else { return Delivered::default() };
        let owed = Tally::of_event(&first.event);
        let mut delivered = Delivered { items: answers.len(), ..Delivered::default() };
        let mut answers = answers.into_iter().peekable();
        while let Some((_, to, _)) = answers.peek() {
            let to = to.clone();
            let mut share = 0;
            let receives = subscriptions.receives(&to, room, &first.event);
            if receives {
                encoders.counts.owe(to.frontend, owed.times(posted.len()));
            }
            for (at, recorded) in posted.iter().enumerate() {
                while let Some((.., outcome)) =
                    answers.next_if(|(before, of, _)| *before == at && of.id == to.id)
                {
                    let outcome = Box::new(outcome);
                    let item = MailboxItem::Answer { outcome, has_events: true };
                    asleep.extend(encoders.put(&to, item));
                }
                if !receives {
                    continue;
                }
                let encoded =
                    encoders.once(encoded, &to, |encoder| EncodedPostBatch::new(encoder, posted));
                match encoded.each[at].item(recorded, &to) {
                    Ok(item) => {
                        share += to.mailbox.share(&item);
                        asleep.extend(encoders.put(&to, item));
                        delivered.items += 1;
                    }
                    Err(why) => encoders.counts.settle(to.frontend, why, owed),
                }
            }
            delivered.mailbox_share = delivered.mailbox_share.max(share);
        }
        delivered
    }
}

impl Encoders {
    /// Before the answer to the command, so that no client learns of the account before.
    fn announce_accounts(&self, done: &Done<Ticket>) {
        for account in &done.accounts {
            self.encoders.iter().flatten().for_each(|encoder| encoder.account_made(account));
        }
    }

    /// Counts the message that a command posted, if it did, for the front end it came through.
    fn note_posted(&mut self, done: &Done<Ticket>) {
        let Some(ticket) = &done.ticket else { return };
        let Some(ledger) = ticket.ledger() else { return };
        let mut posted = Tally::default();
        done.events.iter().for_each(|recorded| posted += Tally::of_event(&recorded.event));
        if !posted.is_empty() {
            ledger.note_posted(posted);
            self.counts.origin(ticket).into_iter().for_each(|it| self.flow.note_origin(it));
        }
    }

    fn of(&self, connection: &ConnectionHandle) -> &dyn EventEncoder {
        let encoder = self.encoders[usize::from(connection.frontend)].as_deref();
        encoder.expect("a front end is removed after the last of its connections")
    }

    /// What the front end of a connection made of something, made on first use.
    fn once<'a, T>(
        &self,
        made: &'a mut Vec<Option<T>>,
        connection: &ConnectionHandle,
        make: impl FnOnce(&dyn EventEncoder) -> T,
    ) -> &'a mut T {
        let at = usize::from(connection.frontend);
        if made.len() <= at {
            made.resize_with(self.encoders.len(), || None);
        }
        made[at].get_or_insert_with(|| make(self.of(connection)))
    }

    /// Puts an item into a mailbox; returns the waker of a task that waits for it.
    fn put(&mut self, connection: &ConnectionHandle, item: MailboxItem) -> Option<Waker> {
        let owed = item.owed();
        let (waker, pushed) = connection.mailbox.push(item);
        self.counts.note_pushed(connection.frontend, pushed, owed);
        if let Pushed::CutOff { why, .. } = pushed {
            self.of(connection).note_cut_off(connection.id, why);
        }
        waker
    }
}

#[cfg(test)]
mod tests;
