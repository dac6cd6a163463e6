//! Webhooks: the log of events that they wait for, and how far each has come.

use core_model::{
    DeadLetter, Event, Recorded, Reply, Timestamp, WebhookNeed, WebhookProgress, bounds,
};
use redb::{ReadableTable, ReadableTableMetadata};

use super::context::{BatchContext, CommandContext, Made};
use crate::error::{Error, StoreError};
use crate::event_log::{
    self, DeadLetterRow, Happened, LOG_KEY, LogRow, WebhookRow, is_logged, pack_event, webhook_rows,
};
use crate::lookup::{self, Request};
use crate::rows::{pack, unpack};
use crate::tables::Tables;

/// Events other than messages that wait for webhooks; of more, the oldest are dropped.
const EVENTS_MAX: u64 = 100_000;

/// Delivered events that one command removes from the log.
const SWEEP_MAX: usize = 512;

/// Dead letters of a webhook; of more, the oldest are dropped.
const DEAD_LETTERS_MAX: u32 = 10_000;

/// Why an attempt failed, in characters.
const WHY_CHARS_MAX: usize = 300;

impl BatchContext<'_> {
    /// Keeps the events of a command, and what it made, for the webhooks that wait for them.
    pub(super) fn log_events(
        &mut self,
        request: Request,
        recorded: &[Recorded],
        made: &[(usize, Made)],
    ) -> Result<(), StoreError> {
        let is_of_interest = |recorded: &Recorded| is_logged(&recorded.event);
        if made.is_empty() && !recorded.iter().any(is_of_interest) || !self.logs_events()? {
            return Ok(());
        }
        let is_message = |recorded: &Recorded| matches!(recorded.event, Event::Posted { .. });
        let messages = recorded.iter().filter(|recorded| is_message(recorded)).count() as u64;
        let mut newest = self.counters.next_message - 1 - messages;
        let mut made = made.iter().peekable();
        for nth in 0..=recorded.len() {
            while let Some((_, made)) = made.next_if(|(before, _)| *before <= nth) {
                let happened = self.made(*made)?;
                self.log_event(request, newest, happened)?;
            }
            match recorded.get(nth) {
                Some(recorded) if is_message(recorded) => newest += 1,
                Some(recorded) if is_of_interest(recorded) => {
                    self.log_event(request, newest, Happened::Event(recorded.event.clone()))?;
                }
                _ => (),
            }
        }
        Ok(())
    }

    fn made(&self, made: Made) -> Result<Happened, StoreError> {
        Ok(match made {
            Made::User(uid) => Happened::UserCreated { user: lookup::person(&self.batch, uid)? },
            Made::Room(id) => {
                let row = lookup::known_room(&self.batch, id)?;
                let owner = row.owner.map(|uid| lookup::person(&self.batch, uid)).transpose()?;
                Happened::RoomCreated { room: row.tag(id), owner }
            }
        })
    }

    fn log_event(
        &mut self,
        request: Request,
        newest: u64,
        happened: Happened,
    ) -> Result<(), StoreError> {
        let mut log = event_log::counters(&self.batch)?;
        let row = pack_event(&LogRow { at: Timestamp(request.now), happened });
        self.batch.event_log_mut()?.insert((newest, log.next), row.as_slice())?;
        log.next += 1;
        if self.batch.event_log()?.len()? > EVENTS_MAX {
            let dropped = self.batch.event_log_mut()?.pop_first()?;
            log.dropped = dropped.map_or(log.dropped, |(key, _)| key.value());
        }
        self.batch.counters_mut()?.insert(LOG_KEY, pack(&log).as_slice())?;
        Ok(())
    }

    /// Whether a webhook waits for events other than messages.
    fn logs_events(&self) -> Result<bool, StoreError> {
        Ok(webhook_rows(&self.batch)?.iter().any(|(_, row)| row.events))
    }

    fn write_webhook(&mut self, name: &str, row: &WebhookRow) -> Result<(), StoreError> {
        self.batch.webhooks_mut()?.insert(name, pack(row).as_slice())?;
        Ok(())
    }

    pub(super) fn declare_webhooks(&mut self, needs: &[WebhookNeed]) -> Result<Reply, Error> {
        let former = webhook_rows(&self.batch)?;
        let next = event_log::counters(&self.batch)?.next;
        for (name, _) in &former {
            if !needs.iter().any(|need| need.name == *name) {
                self.batch.webhooks_mut()?.remove(name.as_str())?;
                let own = (name.as_str(), 0, 0)..=(name.as_str(), u64::MAX, u64::MAX);
                self.batch.dead_letters_mut()?.retain_in(own, |_, _| false)?;
            }
        }
        for WebhookNeed { name, events } in needs {
            let known = former.iter().find(|(known, _)| known == name).map(|(_, row)| row.clone());
            let row = match known {
                Some(row) => WebhookRow { events: *events, ..row },
                None => WebhookRow {
                    message: self.counters.next_message - 1,
                    seq: next - 1,
                    events: *events,
                    ..WebhookRow::default()
                },
            };
            if !former.iter().any(|(known, former)| known == name && *former == row) {
                self.write_webhook(name, &row)?;
            }
        }
        self.sweep_events()?;
        Ok(Reply::Done)
    }

    pub(super) fn advance_webhook(
        &mut self,
        cx: &CommandContext<'_>,
        name: &str,
        progress: &WebhookProgress,
    ) -> Result<Reply, Error> {
        let row = self.batch.webhooks()?.get(name)?;
        let row = row.map(|row| unpack::<WebhookRow>("webhooks", row.value())).transpose()?;
        let Some(former) = row else { return Ok(Reply::Done) };
        let mut row = former.clone();
        for dead in &progress.dead {
            self.add_dead_letter(cx, name, &mut row, dead)?;
        }
        for position in &progress.settled {
            let (message, seq) = event_log::key(*position);
            let removed = self.batch.dead_letters_mut()?.remove((name, message, seq))?.is_some();
            row.dead_letters -= u32::from(removed);
        }
        // A webhook never comes further than the order of events does.
        let newest = event_log::newest_of(&self.batch, &self.counters)?;
        if let Some(up_to) = progress.up_to.map(|up_to| up_to.min(newest)) {
            (row.message, row.seq) = event_log::key(up_to.max(former.position()));
            row.seq = row.seq.min(newest.seq.0);
        }
        if let Some(gone) = progress.gone {
            row.gone_since = gone.then_some(former.gone_since.unwrap_or(cx.request.now));
        }
        if row != former {
            self.write_webhook(name, &row)?;
        }
        self.sweep_events()?;
        Ok(Reply::Done)
    }

    fn add_dead_letter(
        &mut self,
        cx: &CommandContext<'_>,
        name: &str,
        row: &mut WebhookRow,
        dead: &DeadLetter,
    ) -> Result<(), StoreError> {
        let (message, seq) = event_log::key(dead.position);
        let event = match self.batch.event_log()?.get((message, seq))? {
            Some(event) => event.value().to_vec(),
            None if seq == 0 => Vec::new(),
            // It is dropped, so that there is nothing to deliver later.
            None => return Ok(()),
        };
        let letter = DeadLetterRow {
            at: cx.request.now,
            attempts: dead.attempts,
            why: bounds::cut(&dead.why, WHY_CHARS_MAX).to_owned(),
            event,
        };
        let letter = pack(&letter);
        let key = (name, message, seq);
        let former = self.batch.dead_letters_mut()?.insert(key, letter.as_slice())?.is_some();
        row.dead_letters += u32::from(!former);
        while row.dead_letters > DEAD_LETTERS_MAX {
            let own = (name, 0, 0)..=(name, u64::MAX, u64::MAX);
            let oldest = self.batch.dead_letters()?.range(own)?.next().transpose()?;
            let Some((_, message, seq)) = oldest.as_ref().map(|(key, _)| key.value()) else {
                break;
            };
            drop(oldest);
            self.batch.dead_letters_mut()?.remove((name, message, seq))?;
            row.dead_letters -= 1;
        }
        Ok(())
    }

    /// Removes logged events that no webhook waits for any more; the next command or expiry goes on.
    pub(super) fn sweep_events(&mut self) -> Result<(), StoreError> {
        let up_to = event_log::delivered_up_to(&self.batch)?;
        let mut delivered = Vec::new();
        for row in self.batch.event_log()?.range(..=up_to)?.take(SWEEP_MAX) {
            delivered.push(row?.0.value());
        }
        for key in delivered {
            self.batch.event_log_mut()?.remove(key)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::sync::Arc;

    use core_model::Person;
    use redb::{Database, backends::InMemoryBackend};

    use super::*;
    use crate::event_log::{Logged, Wanted};
    use crate::migrate::prepare;
    use crate::state::{Batch, Snapshot, SnapshotCaches};

    #[test]
    fn of_too_many_events_that_wait_the_oldest_are_dropped_and_readers_learn_of_it() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        prepare(&database).unwrap();
        let transaction = database.begin_write().unwrap();
        let batch = Batch::new(&transaction, RefCell::default());
        let counters = lookup::counters(&batch).unwrap();
        let mut context = BatchContext::new(batch, counters, None);
        let request = Request { now: 1, steady: 1, connection: 0 };
        for _ in 0..EVENTS_MAX + 7 {
            let user = Arc::<Person>::default();
            context.log_event(request, 0, Happened::UserCreated { user }).unwrap();
        }
        assert_eq!(context.batch.event_log().unwrap().len().unwrap(), EVENTS_MAX);
        let log = event_log::counters(&context.batch).unwrap();
        assert_eq!((log.dropped, log.next), ((0, 7), EVENTS_MAX + 8));
        drop(context.finish().unwrap());
        transaction.commit().unwrap();
        // A reader that had not come so far learns of it, once.
        let caches = SnapshotCaches { store: 1, room_lists: None };
        let snapshot = Snapshot::begin(&database, caches).unwrap();
        let read = |after| {
            let wanted = Wanted { messages: false, events: true };
            let page = event_log::after(&snapshot, event_log::position((0, after)), wanted, 2);
            let events = page.unwrap().events.into_iter();
            events.map(|event| (event.position.seq.0, event.what == Logged::EventsGone)).collect()
        };
        let [first, second]: [Vec<(u64, bool)>; 2] = [read(0), read(7)];
        assert_eq!(first, [(7, true), (8, false), (9, false)]);
        assert_eq!(second, [(8, false), (9, false)]);
    }
}
