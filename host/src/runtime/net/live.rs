//! The rings of the console: what the gateway did each second of the last quarter of an hour, and
//! each ten seconds of the last day.

use std::collections::VecDeque;
use std::sync::Arc;

use hyper::body::Bytes;
use parking_lot::Mutex;
use tokio::sync::{Semaphore, watch};

use crate::admin::types::Sample;

/// Samples of a second: a quarter of an hour, some hundred bytes each and as much for each front end.
pub(crate) const FINE_MAX: usize = 900;

/// Samples of ten seconds: a day, some 250 bytes each.
pub(crate) const COARSE_MAX: usize = 8_640;

/// Streams that are open at once.
const STREAMS_MAX: usize = 16;

/// Samples, the oldest first.
#[derive(Clone, Default)]
pub(crate) struct Rings {
    pub(crate) fine: VecDeque<Arc<Sample>>,
    pub(crate) coarse: VecDeque<Arc<Sample>>,
}

pub(crate) struct Live {
    rings: Mutex<Rings>,
    /// The newest sample as JSON, encoded once for all streams. `None`: the streams are to end.
    newest: watch::Sender<Option<Bytes>>,
    /// The permits of streams.
    pub(crate) streams: Arc<Semaphore>,
}

impl Default for Live {
    fn default() -> Self {
        Self {
            rings: Mutex::default(),
            newest: watch::Sender::default(),
            streams: Arc::new(Semaphore::new(STREAMS_MAX)),
        }
    }
}

impl Live {
    pub(crate) fn push_fine(&self, sample: Sample) {
        let sample = Arc::new(sample);
        let mut rings = self.rings.lock();
        push(&mut rings.fine, sample.clone(), FINE_MAX);
        if self.newest.receiver_count() > 0 {
            let json = serde_json::to_vec(&*sample).expect("a sample is plain data");
            self.newest.send_replace(Some(json.into()));
        }
    }

    pub(crate) fn push_coarse(&self, sample: Sample) {
        let sample = Sample { frontends: Vec::new(), flow: Vec::new(), ..sample };
        push(&mut self.rings.lock().coarse, Arc::new(sample), COARSE_MAX);
    }

    /// What was, and each sample from now on. A stream that is slow misses samples.
    pub(crate) fn subscribe(&self) -> (Rings, watch::Receiver<Option<Bytes>>) {
        // Together, so that no sample is in neither or in both.
        let rings = self.rings.lock();
        (rings.clone(), self.newest.subscribe())
    }

    /// Frees the rings and ends the streams.
    pub(crate) fn clear(&self) {
        let mut rings = self.rings.lock();
        *rings = Rings::default();
        self.newest.send_replace(None);
    }
}

fn push(ring: &mut VecDeque<Arc<Sample>>, sample: Arc<Sample>, max: usize) {
    if ring.len() >= max {
        ring.pop_front();
    }
    ring.push_back(sample);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::types::{FlowSample, FrontendSample, ServingState};

    /// As many front ends as there are dialects, and messages between all of them.
    fn busy(at_ms: u64) -> Sample {
        let name = |nth: usize| Arc::from(format!("front end {nth}"));
        let frontends = (0..6).map(|nth| FrontendSample {
            name: name(nth),
            dialect: "chatroom".into(),
            state: ServingState::Serving,
            connections: 10_000,
            messages_per_s: 123.45,
            deliveries_per_s: 123_456.7,
            reads_per_s: 1.0,
            refused_per_s: 0.5,
        });
        let pairs =
            (0..36).map(|nth| FlowSample { from: name(nth / 6), to: name(nth % 6), per_s: 12.5 });
        let (engine, store) = ("ok".into(), "ok".into());
        let (frontends, flow) = (frontends.collect(), pairs.collect());
        Sample { at_ms, frontends, flow, engine, store, ..Sample::default() }
    }

    #[test]
    fn the_rings_are_bounded_and_take_a_few_megabytes() {
        let live = Live::default();
        for at in 0..10_000 {
            live.push_fine(busy(at));
            live.push_coarse(busy(at));
        }
        let (rings, _) = live.subscribe();
        assert_eq!((rings.fine.len(), rings.coarse.len()), (FINE_MAX, COARSE_MAX));
        let ends = [rings.fine.front(), rings.fine.back()].map(|one| one.unwrap().at_ms);
        assert_eq!(ends, [9_100, 9_999]);
        assert!(rings.coarse[0].frontends.is_empty() && rings.coarse[0].flow.is_empty());
        let each = |sample: &Arc<Sample>| {
            size_of::<Sample>()
                + sample.frontends.capacity() * size_of::<FrontendSample>()
                + sample.flow.capacity() * size_of::<FlowSample>()
        };
        let bytes: usize = rings.fine.iter().chain(&rings.coarse).map(each).sum();
        assert!(bytes < 5 << 20, "{bytes}");
        live.clear();
        assert!(live.subscribe().0.coarse.is_empty());
    }

    #[test]
    fn a_sample_is_encoded_only_while_there_is_a_stream() {
        let live = Live::default();
        live.push_fine(busy(1));
        let (rings, mut newest) = live.subscribe();
        assert_eq!(rings.fine.len(), 1);
        assert!(!newest.has_changed().unwrap() && newest.borrow_and_update().is_none());
        live.push_fine(busy(2));
        let json = newest.borrow_and_update().clone().expect("there is one");
        assert_eq!(serde_json::from_slice::<Sample>(&json).unwrap(), busy(2));
        live.clear();
        assert!(newest.has_changed().unwrap() && newest.borrow().is_none());
    }
}
