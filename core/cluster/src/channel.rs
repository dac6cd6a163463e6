//! From the reader's task to the thread that applies: what waits is bounded in bytes.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use bytes::Bytes;
use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use crate::error::Error;
use crate::names::Position;

/// The task waits for the thread when this much waits, or this many.
const WAITING_BYTES_MAX: usize = 16 << 20;
const WAITING_MAX: usize = 16 << 10;
/// One batch has at most this much, and one entry more than it.
const BATCH_BYTES_MAX: usize = 4 << 20;
const BATCH_ENTRIES_MAX: usize = 1024;

/// What a message costs beside its bytes.
const OVERHEAD: usize = 64;

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    pub position: Position,
    /// When the log took it, in milliseconds since 1970, by the clock of the stream's leader. It may
    /// go back when another server leads.
    pub at: u64,
    /// Empty: a place that counts, and has nothing to apply, as a barrier's or what another program
    /// wrote.
    pub bytes: Bytes,
}

/// Entries in the order of the log, as many as wait.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Batch {
    /// One for each place of the log; at least one.
    pub entries: Vec<Entry>,
    /// Where the log is read to with this batch.
    pub position: Position,
}

/// A place of the log as it was read.
#[derive(Debug)]
pub(crate) struct Received {
    pub(crate) position: u64,
    pub(crate) at: u64,
    /// Nothing for a place that counts, and has nothing to apply.
    pub(crate) bytes: Option<Bytes>,
}

impl Received {
    fn cost(&self) -> usize {
        OVERHEAD + self.bytes.as_ref().map_or(0, Bytes::len)
    }
}

#[derive(Debug, Default)]
pub(crate) struct Channel {
    state: Mutex<State>,
    filled: Condvar,
    emptied: Notify,
}

#[derive(Debug, Default)]
struct State {
    waiting: VecDeque<Received>,
    bytes: usize,
    end: Option<Error>,
}

impl Channel {
    /// Waits for room. Returns whether the other end is there.
    pub(crate) async fn push(&self, received: Received) -> bool {
        loop {
            let emptied = self.emptied.notified();
            {
                let mut state = self.state.lock();
                if state.end.is_some() {
                    return false;
                }
                if state.bytes < WAITING_BYTES_MAX && state.waiting.len() < WAITING_MAX {
                    state.bytes += received.cost();
                    state.waiting.push_back(received);
                    self.filled.notify_one();
                    return true;
                }
            }
            emptied.await;
        }
    }

    /// What waits is still taken; then `next` says why there is no more.
    pub(crate) fn close(&self, why: Error) {
        self.state.lock().end.get_or_insert(why);
        self.filled.notify_all();
        // A permit stays for a task that is about to wait.
        self.emptied.notify_one();
    }

    /// Blocks until something waits, for `patience` at most.
    pub(crate) fn next(&self, patience: Option<Duration>) -> Result<Option<Batch>, Error> {
        let until = patience.map(|patience| Instant::now() + patience);
        let mut state = self.state.lock();
        while state.waiting.is_empty() {
            if let Some(why) = &state.end {
                return Err(why.clone());
            }
            match until {
                None => self.filled.wait(&mut state),
                Some(until) => {
                    if self.filled.wait_until(&mut state, until).timed_out()
                        && state.waiting.is_empty()
                    {
                        return state.end.clone().map_or(Ok(None), Err);
                    }
                }
            }
        }
        let batch = state.take();
        drop(state);
        self.emptied.notify_one();
        Ok(Some(batch))
    }
}

impl State {
    fn take(&mut self) -> Batch {
        let mut batch = Batch { entries: Vec::new(), position: Position(0) };
        let mut bytes = 0;
        while bytes < BATCH_BYTES_MAX
            && batch.entries.len() < BATCH_ENTRIES_MAX
            && let Some(received) = self.waiting.pop_front()
        {
            bytes += received.cost();
            self.bytes -= received.cost();
            batch.position = Position(received.position);
            let bytes = received.bytes.unwrap_or_default();
            batch.entries.push(Entry { position: batch.position, at: received.at, bytes });
        }
        batch
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    fn received(position: u64, bytes: Option<usize>) -> Received {
        let bytes = bytes.map(|len| Bytes::from(vec![7; len]));
        Received { position, at: 1_000 + position, bytes }
    }

    fn block<T>(future: impl Future<Output = T>) -> T {
        tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
    }

    #[test]
    fn a_batch_has_all_that_waits_and_the_place_behind_it() {
        let channel = Channel::default();
        block(async {
            for (position, bytes) in [(4, Some(1)), (5, None), (6, Some(3)), (7, None)] {
                assert!(channel.push(received(position, bytes)).await);
            }
        });
        let batch = channel.next(None).unwrap().unwrap();
        let positions: Vec<u64> = batch.entries.iter().map(|entry| entry.position.0).collect();
        assert_eq!((positions, batch.position), (vec![4, 5, 6, 7], Position(7)));
        let empty = batch.entries.iter().filter(|entry| entry.bytes.is_empty());
        assert_eq!(empty.count(), 2);
        assert_eq!(channel.next(Some(Duration::ZERO)), Ok(None));
    }

    #[test]
    fn what_waits_is_bounded_and_the_task_goes_on_when_it_is_taken() {
        let channel = Arc::new(Channel::default());
        let reader = channel.clone();
        let read_all = move || {
            let mut last = 0;
            while let Ok(Some(batch)) = reader.next(None) {
                assert!(reader.state.lock().bytes <= WAITING_BYTES_MAX + (1 << 20) + OVERHEAD);
                assert!(batch.entries.len() <= 5);
                last = batch.position.0;
            }
            last
        };
        let last = block(async {
            let reading = tokio::task::spawn_blocking(read_all);
            for position in 1..=100 {
                assert!(channel.push(received(position, Some(1 << 20))).await);
            }
            channel.close(Error::Closed);
            reading.await.unwrap()
        });
        assert_eq!(last, 100);
    }

    #[test]
    fn the_end_comes_after_what_waits() {
        let channel = Channel::default();
        assert!(block(channel.push(received(1, Some(1)))));
        channel.close(Error::Closed);
        assert!(channel.next(None).unwrap().is_some());
        assert_eq!(channel.next(None), Err(Error::Closed));
        assert!(!block(channel.push(received(2, Some(1)))));
    }
}
