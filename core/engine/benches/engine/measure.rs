//! Medians, percentiles, CPU time.

use std::time::Duration;

/// CPU time of this process so far, user and system.
pub(crate) fn cpu() -> Duration {
    let now = rustix::time::clock_gettime(rustix::time::ClockId::ProcessCPUTime);
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

pub(crate) fn median(values: impl IntoIterator<Item = f64>) -> f64 {
    percentile(&mut values.into_iter().collect::<Vec<_>>(), 0.5)
}

/// The value that this share of the values does not exceed.
pub(crate) fn percentile(values: &mut [f64], share: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let place = (values.len() as f64 * share) as usize;
    values.get(place.min(values.len().saturating_sub(1))).copied().unwrap_or_default()
}

/// Microseconds of each of many calls.
pub(crate) fn times(count: usize, mut call: impl FnMut()) -> Vec<f64> {
    (0..count)
        .map(|_| {
            let start = std::time::Instant::now();
            call();
            start.elapsed().as_secs_f64() * 1e6
        })
        .collect()
}
