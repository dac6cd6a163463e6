//! What has passed between a session of the playground and its front end.

use std::collections::VecDeque;

use core_model::Timestamp;
use parking_lot::Mutex;
use tokio::sync::watch;

use crate::tap::Shown;

/// Frames that are kept for a client that comes later.
const FRAMES_MAX: usize = 1000;

/// Frames, each with its number.
#[derive(Default)]
pub(crate) struct FrameLog {
    frames: Mutex<VecDeque<(u64, Timestamp, Shown)>>,
    /// The number of the newest frame, or that there will be none.
    newest: watch::Sender<Newest>,
}

#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Newest {
    pub(crate) number: u64,
    pub(crate) has_ended: bool,
}

impl FrameLog {
    pub(crate) fn push(&self, at: Timestamp, frames: Vec<Shown>) {
        if frames.is_empty() {
            return;
        }
        let mut kept = self.frames.lock();
        let mut number = self.newest.borrow().number;
        for shown in frames {
            number += 1;
            kept.push_back((number, at, shown));
            if kept.len() > FRAMES_MAX {
                kept.pop_front();
            }
        }
        self.newest.send_modify(|newest| newest.number = number);
    }

    pub(crate) fn end(&self) {
        self.newest.send_modify(|newest| newest.has_ended = true);
    }

    pub(crate) fn watch(&self) -> watch::Receiver<Newest> {
        self.newest.subscribe()
    }

    pub(crate) fn newest(&self) -> u64 {
        self.newest.borrow().number
    }

    /// The frames after this number that are still kept.
    pub(crate) fn after(&self, number: u64) -> Vec<(u64, Timestamp, Shown)> {
        let kept = self.frames.lock();
        kept.iter().filter(|(own, ..)| *own > number).cloned().collect()
    }
}
