//! Pushed events in order, until they are read.

use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crate::{Notification, TokenError};

/// What happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The gateway told of something.
    Notified(Notification),
    /// Messages of a room that were missed and are not there any more, because they were removed:
    /// those after the message `after` and before `before`. `count`: how many, where that is known.
    Gap { room_id: u32, after: u64, before: u64, count: Option<u64> },
    /// The connection ended, and why. The client connects again by itself; the messages of the
    /// meantime come then.
    Disconnected(String),
    /// The connection is there again, with its login and in its rooms, but for those that the events
    /// before this one name.
    Reconnected,
    /// On a new connection the login was refused.
    LoginLost(TokenError),
    /// On a new connection a room could not be entered.
    RoomLost { room_id: u32, refused: TokenError },
    /// The number of events dropped here because they were not read in time.
    Missed(u64),
}

/// A queue that drops its oldest where it would grow over a limit.
pub(crate) struct Events {
    queue: Mutex<Queue>,
    changed: Condvar,
    max: usize,
}

#[derive(Default)]
struct Queue {
    events: VecDeque<Event>,
    missed: u64,
    ended: bool,
}

impl Events {
    pub(crate) fn new(max: usize) -> Self {
        Self { queue: Mutex::default(), changed: Condvar::new(), max: max.max(1) }
    }

    pub(crate) fn push(&self, event: Event) {
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        if queue.events.len() == self.max {
            queue.events.pop_front();
            queue.missed += 1;
        }
        queue.events.push_back(event);
        self.changed.notify_all();
    }

    /// Nothing more will come.
    pub(crate) fn end(&self) {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner).ended = true;
        self.changed.notify_all();
    }

    /// The next one; none after the end, or when the time is over.
    pub(crate) fn next(&self, timeout: Option<Duration>) -> Option<Event> {
        let until = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        let mut queue = self.queue.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if queue.missed > 0 {
                return Some(Event::Missed(std::mem::take(&mut queue.missed)));
            }
            if let Some(event) = queue.events.pop_front() {
                return Some(event);
            }
            if queue.ended {
                return None;
            }
            queue = match until {
                None => self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner),
                Some(until) => {
                    let left = until.checked_duration_since(Instant::now())?;
                    let waited = self.changed.wait_timeout(queue, left);
                    waited.unwrap_or_else(PoisonError::into_inner).0
                }
            };
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_oldest_are_dropped_and_counted() {
        let events = Events::new(2);
        for why in ["1", "2", "3"] {
            events.push(Event::Disconnected(why.into()));
        }
        events.end();
        let taken: Vec<Event> = std::iter::from_fn(|| events.next(None)).collect();
        let disconnected = |why: &str| Event::Disconnected(why.into());
        assert_eq!(taken, [Event::Missed(1), disconnected("2"), disconnected("3")]);
    }

    #[test]
    fn waiting_ends_with_the_time() {
        assert_eq!(Events::new(2).next(Some(Duration::ZERO)), None);
    }
}
