//! Webhooks, the events that they wait for, and their dead letters.

use std::collections::BTreeMap;

use redb::ReadableTable;

use super::Report;
use super::accounts::counters;
use crate::error::StoreError;
use crate::event_log::{self, DeadLetterRow, WebhookRow, unpack_event};
use crate::rows::unpack;
use crate::tables::Tables;

pub(super) fn check_webhooks(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let next_message = counters(tables)?.next_message;
    let next = event_log::counters(tables)?.next;
    let mut dead_letters: BTreeMap<String, u32> = BTreeMap::new();
    for row in tables.dead_letters()?.iter()? {
        let (key, row) = row?;
        unpack::<DeadLetterRow>("dead_letters", row.value())?;
        *dead_letters.entry(key.value().0.to_owned()).or_default() += 1;
    }
    for row in tables.webhooks()?.iter()? {
        let (name, row) = row?;
        let name = name.value();
        let row: WebhookRow = unpack("webhooks", row.value())?;
        report.expect(row.message < next_message && row.seq < next, || {
            format!("the webhook {name:?} is beyond the newest event")
        });
        let found = dead_letters.remove(name).unwrap_or(0);
        report.expect(found == row.dead_letters, || {
            format!("the webhook {name:?} has {found} dead letters instead of {}", row.dead_letters)
        });
    }
    for name in dead_letters.keys() {
        report.fault(format!("dead letters belong to the unknown webhook {name:?}"));
    }
    for row in tables.event_log()?.iter()? {
        let (key, row) = row?;
        let (message, seq) = key.value();
        unpack_event("event_log", row.value())?;
        let is_there = message < next_message && seq < next;
        report.expect(is_there, || format!("the logged event {message}/{seq} is out of order"));
    }
    Ok(())
}
