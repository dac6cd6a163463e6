//! Distributions, in fixed buckets: an observation is two relaxed additions.

use crate::counter::Counter;

/// The buckets of a histogram, and the unit of what it observes.
#[derive(Debug)]
pub struct Buckets {
    /// The largest value of each bucket, ascending; larger ones have a bucket of their own.
    bounds: &'static [u64],
    /// What one of the unit that is shown is worth: 1 000 000 000 where nanoseconds are observed and
    /// seconds are shown.
    scale: u64,
}

/// Durations of 100 µs to 10 s, observed in nanoseconds, shown in seconds.
pub static LATENCY: Buckets = Buckets {
    bounds: &[
        100_000,
        250_000,
        500_000,
        1_000_000,
        2_500_000,
        5_000_000,
        10_000_000,
        25_000_000,
        50_000_000,
        100_000_000,
        250_000_000,
        500_000_000,
        1_000_000_000,
        2_500_000_000,
        5_000_000_000,
        10_000_000_000,
    ],
    scale: 1_000_000_000,
};

/// Durations of 1 ms to 60 s, observed in milliseconds, shown in seconds.
pub static DELAY: Buckets = Buckets {
    bounds: &[1, 2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000],
    scale: 1_000,
};

/// Commands of a batch. The engine takes at most 1,024.
pub static BATCH: Buckets =
    Buckets { bounds: &[1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 1_024], scale: 1 };

/// How often values of each bucket were observed, and the sum of all.
#[derive(Debug)]
pub struct Histogram {
    buckets: &'static Buckets,
    /// One for each bound, and one for what is larger.
    counts: Box<[Counter]>,
    sum: Counter,
}

impl Histogram {
    pub fn new(buckets: &'static Buckets) -> Self {
        let counts = (0..=buckets.bounds.len()).map(|_| Counter::default()).collect();
        Self { buckets, counts, sum: Counter::default() }
    }

    pub fn observe(&self, value: u64) {
        self.observe_many(value, 1);
    }

    /// The same value so many times.
    pub fn observe_many(&self, value: u64, times: u64) {
        let at = self.buckets.bounds.partition_point(|bound| *bound < value);
        self.counts[at].add(times);
        self.sum.add(value.saturating_mul(times));
    }

    /// The upper bound of each bucket in the unit that is shown, with the number of values up to it.
    /// Ascending; the last bound is infinite, and its number is that of all values.
    pub fn cumulative(&self) -> Vec<(f64, u64)> {
        let bounds = self.buckets.bounds.iter().map(|bound| self.shown(*bound));
        let mut so_far = 0;
        let counts = self.counts.iter().map(|count| {
            so_far += count.count();
            so_far
        });
        bounds.chain([f64::INFINITY]).zip(counts).collect()
    }

    /// The sum of all values, in the unit that is shown.
    pub fn sum(&self) -> f64 {
        self.shown(self.sum.count())
    }

    /// The number of values.
    pub fn count(&self) -> u64 {
        self.counts.iter().map(Counter::count).sum()
    }

    #[expect(clippy::cast_precision_loss, reason = "53 bits of nanoseconds are 100 days")]
    fn shown(&self, value: u64) -> f64 {
        value as f64 / self.buckets.scale as f64
    }
}

/// The value that this share of what was observed between two readings of
/// [`cumulative`](Histogram::cumulative) does not exceed, as if values were spread evenly over each
/// bucket. An empty earlier reading has nothing. `None`: nothing was observed.
pub fn quantile(now: &[(f64, u64)], then: &[(f64, u64)], share: f64) -> Option<f64> {
    let then = then.iter().map(|(_, count)| *count).chain(std::iter::repeat(0));
    let counts = now.iter().zip(then);
    let counts = counts.map(|((bound, now), then)| (*bound, float(now.saturating_sub(then))));
    let counts: Vec<(f64, f64)> = counts.collect();
    let (_, all) = counts.last().copied().filter(|(_, all)| *all > 0.0)?;
    let wanted = all * share;
    let mut lower = (0.0, 0.0);
    for (bound, count) in counts {
        // Of what exceeds the largest bound nothing more is known.
        let bound = if bound.is_finite() { bound } else { lower.0 };
        if count >= wanted && count > lower.1 {
            let part = (wanted - lower.1) / (count - lower.1);
            return Some(lower.0 + (bound - lower.0) * part);
        }
        lower = (bound, count);
    }
    Some(lower.0)
}

#[expect(clippy::cast_precision_loss, reason = "what is counted is shown well enough in 53 bits")]
fn float(count: u64) -> f64 {
    count as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_counts_in_every_bucket_whose_bound_it_does_not_exceed() {
        let histogram = Histogram::new(&DELAY);
        for value in [0, 1, 2, 3, 60_000, 60_001, u64::MAX / 2] {
            histogram.observe(value);
        }
        histogram.observe_many(10, 5);
        let cumulative = histogram.cumulative();
        let up_to = |bound: f64| {
            let found = cumulative.iter().find(|(found, _)| (found - bound).abs() < 1e-9);
            found.map(|(_, count)| *count)
        };
        assert_eq!([0.001, 0.002, 0.005, 0.01].map(up_to), [2, 3, 4, 9].map(Some));
        assert_eq!([30.0, 60.0].map(up_to), [9, 10].map(Some));
        assert_eq!(cumulative.last(), Some(&(f64::INFINITY, 12)));
        assert_eq!(histogram.count(), 12);
    }

    #[test]
    fn what_is_shown_is_in_base_units() {
        let histogram = Histogram::new(&LATENCY);
        histogram.observe_many(250_000_000, 2);
        assert!((histogram.sum() - 0.5).abs() < 1e-12);
        for buckets in [&LATENCY, &DELAY, &BATCH] {
            assert!(buckets.bounds.is_sorted());
        }
    }

    #[test]
    fn a_quantile_is_of_what_came_between_two_readings() {
        let histogram = Histogram::new(&LATENCY);
        let none = histogram.cumulative();
        assert_eq!(quantile(&none, &none, 0.5), None);
        histogram.observe_many(9_000_000_000, 1000);
        let before = histogram.cumulative();
        histogram.observe_many(700_000, 90);
        histogram.observe_many(20_000_000, 9);
        histogram.observe(3_600_000_000_000);
        let after = histogram.cumulative();
        let at = |share| quantile(&after, &before, share).unwrap();
        // Between 0.5 and 1 ms, and between 10 and 25 ms.
        assert!((at(0.5) - 0.000_777_7).abs() < 1e-5, "{}", at(0.5));
        assert!((at(0.99) - 0.025).abs() < 1e-9, "{}", at(0.99));
        assert!((at(1.0) - 10.0).abs() < 1e-9, "{}", at(1.0));
        assert_eq!(quantile(&after, &after, 0.5), None);
    }
}
