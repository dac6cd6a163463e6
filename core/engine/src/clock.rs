//! The engine's time, which the host's clock gives and may give wrongly.
//!
//! Message ids keep the order of messages, and their times follow the clock: a step back of up to
//! [`HOLD_MS`] is waited out, a longer one is followed. Leases count steady time, which no step of
//! the clock changes.
//!
//! A jump ahead by more than [`JUMP_MS`] is not trusted with deleting: what retention and expiry
//! remove then follows slowly, [`CATCH_UP`] times as fast as steady time. A clock that was ten years
//! ahead for an hour costs two and a half days' worth of messages instead of all. A gateway that was
//! off for three days looks the same, and has caught up after an hour and a quarter.

use redb::ReadableTable;

use crate::error::StoreError;
use crate::lookup::Request;
use crate::rows::{ClockRow, unpack};
use crate::tables::Tables;

/// The longest step back that is waited out.
const HOLD_MS: u64 = 5_000;

/// The longest step ahead that is trusted at once: a day.
pub(crate) const JUMP_MS: u64 = 24 * 60 * 60 * 1_000;

/// How many times as fast as steady time the trusted time follows a jump.
const CATCH_UP: u64 = 60;

/// The key of the row in `counters` that notes a jump.
pub(crate) const CLOCK_KEY: u8 = 1;

/// The time of a command, if that of the newest one before is `newest`.
pub(crate) fn engine_time(newest: u64, at: u64) -> u64 {
    if is_back(newest, at) { at } else { at.max(newest) }
}

/// The newest time that was not doubted, and the steady time then.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Moment {
    pub(crate) now: u64,
    pub(crate) steady: u64,
}

impl Moment {
    /// The time that it must be at a later steady time.
    pub(crate) fn after(self, steady: u64) -> u64 {
        self.now.saturating_add(steady.saturating_sub(self.steady))
    }
}

/// Whether the clock, which says `now` at a time that must be `expected`, has jumped ahead.
pub(crate) fn is_jump(expected: u64, now: u64) -> bool {
    expected > 0 && now.saturating_sub(expected) > JUMP_MS
}

/// Whether the clock has gone back further than is waited out.
pub(crate) fn is_back(expected: u64, now: u64) -> bool {
    expected.saturating_sub(now) > HOLD_MS
}

/// The time up to which things may be deleted for their age.
pub(crate) fn trusted(tables: &impl Tables, request: Request) -> Result<u64, StoreError> {
    let Some(row) = noted(tables)? else { return Ok(request.now) };
    let followed = request.steady.saturating_sub(row.steady).saturating_mul(CATCH_UP);
    Ok(row.trusted.saturating_add(followed).min(request.now))
}

/// The jump that is being followed.
pub(crate) fn noted(tables: &impl Tables) -> Result<Option<ClockRow>, StoreError> {
    let row = tables.counters()?.get(CLOCK_KEY)?;
    row.map(|row| unpack("counters", row.value())).transpose()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_short_step_back_is_waited_out_and_a_long_one_followed() {
        for (newest, at, time) in [
            (0, 7, 7),
            (10_000, 10_001, 10_001),
            (10_000, 5_000, 10_000),
            (10_000, 4_999, 4_999),
            (u64::MAX, 1, 1),
        ] {
            assert_eq!(engine_time(newest, at), time, "{at} after {newest}");
        }
    }
}
