//! What Linux says of the process in /proc/self.

use std::fs;

/// The unit of times in /proc: fixed for programs, whatever the kernel counts in.
pub(crate) const TICKS_PER_SECOND: f64 = 100.0;

/// The text of `/proc/self/…`; empty where there is none.
pub(crate) fn own(file: &str) -> String {
    fs::read_to_string(format!("/proc/self/{file}")).unwrap_or_default()
}

/// The time of the CPU that /proc/self/stat has, in seconds.
pub(crate) fn cpu_seconds(stat: &str) -> Option<f64> {
    let ticks = nth(stat, 14)? + nth(stat, 15)?;
    Some(ticks / TICKS_PER_SECOND)
}

/// The memory in RAM that /proc/self/status has.
pub(crate) fn resident_bytes(status: &str) -> Option<f64> {
    Some(field(status, "VmRSS:")? * 1024.0)
}

/// The value of a line that begins with this word.
pub(crate) fn field(text: &str, key: &str) -> Option<f64> {
    let mut lines = text.lines();
    let value = lines.find_map(|line| line.strip_prefix(key))?;
    value.split_ascii_whitespace().next()?.parse().ok()
}

/// The field of /proc/self/stat with this number, counted from 1, after the name of the program,
/// which may have spaces and parentheses.
pub(crate) fn nth(stat: &str, number: usize) -> Option<f64> {
    let (_, rest) = stat.rsplit_once(") ")?;
    rest.split_ascii_whitespace().nth(number - 3)?.parse().ok()
}
