//! Cursors and limits of pages.

use std::str::FromStr;

use core_model::{Refusal, Timestamp, bounds};

use crate::users::Failure;

/// The most items of a page.
pub const LIMIT_MAX: u32 = 1000;

const LIMIT_DEFAULT: u32 = 100;

/// The number of items to return.
pub fn limit(limit: Option<u32>) -> Result<usize, Failure> {
    match limit.unwrap_or(LIMIT_DEFAULT) {
        0 => Err(Failure::Invalid(format!("limit: {}", no_items("0", LIMIT_MAX)))),
        limit @ 1..=LIMIT_MAX => Ok(limit as usize),
        limit => Err(Failure::Invalid(format!(
            "limit: {limit} is more than {LIMIT_MAX}; read further pages with `next`"
        ))),
    }
}

/// The fault of a number of items that no page can have: a list of none says nothing.
pub fn no_items(text: &str, max: u32) -> String {
    let most = if max == u32::MAX { "or more".into() } else { format!("to {max}") };
    format!("{text:?} is no number of items; expected 1 {most}")
}

/// The number that a cursor stands for; `first` without one.
pub fn cursor<T: FromStr>(name: &str, cursor: Option<&str>, first: T) -> Result<T, Failure> {
    let Some(cursor) = cursor else { return Ok(first) };
    cursor.parse().map_err(|_| no_cursor(name, cursor))
}

pub(super) fn no_cursor(name: &str, cursor: &str) -> Failure {
    Failure::Invalid(format!("{name}: {cursor:?} is not a `next` of another page"))
}

/// Refuses a reason that is longer than what the store keeps, also where it keeps none.
pub fn check_reason(reason: &str) -> Result<(), Failure> {
    if bounds::cut(reason, bounds::REASON_CHARS_MAX).len() == reason.len() {
        return Ok(());
    }
    let limit = format!("{} characters", bounds::REASON_CHARS_MAX);
    Err(Failure::of(Refusal::TooLong { what: "reason".into(), limit }))
}

/// When something ends that begins now and lasts for so many seconds.
pub(super) fn until(now: Timestamp, ttl_s: Option<u64>) -> Result<Option<Timestamp>, Failure> {
    match ttl_s {
        None => Ok(None),
        Some(0) => Err(Failure::Invalid("ttl_s: expected at least one second".into())),
        Some(secs) => Ok(Some(now.plus_ms(secs.saturating_mul(1000).min(u64::MAX / 2)))),
    }
}
