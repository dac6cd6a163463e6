//! A histogram of durations, in buckets that are 1.6 % wide: always 30 KiB.

use serde::Serialize;

/// Buckets per power of two.
const STEPS: u64 = 64;
const STEP_BITS: u32 = STEPS.trailing_zeros();

/// Counts of durations in ns.
#[derive(Clone)]
pub(super) struct Histogram {
    buckets: Vec<u64>,
    count: u64,
    max_ns: u64,
}

/// Quantiles in milliseconds.
#[derive(Clone, Copy, Debug, Default, Serialize)]
pub struct Quantiles {
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub p999_ms: f64,
    pub max_ms: f64,
}

impl Default for Histogram {
    fn default() -> Self {
        let buckets = vec![0; bucket(u64::MAX) + 1];
        Self { buckets, count: 0, max_ns: 0 }
    }
}

impl Histogram {
    pub(super) fn record(&mut self, ns: u64) {
        self.buckets[bucket(ns)] += 1;
        self.count += 1;
        self.max_ns = self.max_ns.max(ns);
    }

    pub(super) fn quantiles(&self) -> Quantiles {
        Quantiles {
            p50_ms: self.quantile_ms(0.5),
            p99_ms: self.quantile_ms(0.99),
            p999_ms: self.quantile_ms(0.999),
            max_ms: self.max_ns as f64 / 1e6,
        }
    }

    /// The upper end of the bucket with the quantile.
    fn quantile_ms(&self, quantile: f64) -> f64 {
        let wanted = (self.count as f64 * quantile).ceil() as u64;
        let mut seen = 0;
        for (at, count) in self.buckets.iter().enumerate() {
            seen += count;
            if seen >= wanted && *count > 0 {
                return (end(at) as f64).min(self.max_ns as f64) / 1e6;
            }
        }
        0.0
    }
}

/// The bucket of a duration: its highest bits.
fn bucket(ns: u64) -> usize {
    let power = (u64::BITS - ns.leading_zeros()).saturating_sub(STEP_BITS + 1);
    (u64::from(power) * STEPS + (ns >> power)) as usize
}

/// The longest duration of a bucket.
fn end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let power = (bucket / STEPS).saturating_sub(1);
    let step = bucket - power * STEPS;
    // Saturating: the last bucket ends at u64::MAX.
    (u128::from(step + 1) << power).min(1 << 64).saturating_sub(1) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_ends_at_what_it_holds_and_at_most_a_64th_above() {
        let powers = (0..64).map(|power| 1u64 << power);
        for ns in powers.flat_map(|power| [power, power - 1, power + power / 3]).chain([u64::MAX]) {
            let end = end(bucket(ns));
            assert!(end >= ns && end - ns <= ns / 64, "{ns} is counted as {end}");
        }
    }

    #[test]
    fn quantiles_are_where_they_belong() {
        let mut histogram = Histogram::default();
        for ms in 1..=1000 {
            histogram.record(ms * 1_000_000);
        }
        let Quantiles { p50_ms, p99_ms, p999_ms, max_ms } = histogram.quantiles();
        for (is, should) in [(p50_ms, 500.0), (p99_ms, 990.0), (p999_ms, 999.0)] {
            assert!(is >= should && is < should * 1.016, "{is} is not {should}");
        }
        assert_eq!(max_ms, 1000.0);
        assert_eq!(Histogram::default().quantiles().p99_ms, 0.0);
    }
}
