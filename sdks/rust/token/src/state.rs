//! What callers and the reading side share.

use std::collections::{BTreeSet, VecDeque};
use std::net::TcpStream;
use std::sync::mpsc::SyncSender;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crate::events::Events;
use crate::options::Options;
use crate::resume::Resume;
use crate::{Error, LoginRequest, Reply};

pub(crate) struct Shared {
    pub(crate) address: String,
    pub(crate) options: Options,
    pub(crate) events: Events,
    pub(crate) memory: Mutex<Memory>,
    pub(crate) resume: Resume,
    /// Never held while something is read, so that reading goes on while a write waits for it.
    pub(crate) line: Mutex<Line>,
    /// The line was opened or closed.
    pub(crate) changed: Condvar,
    /// Callers that wait for a reply, in the order of the requests.
    pub(crate) waiting: Mutex<VecDeque<Waiting>>,
}

/// What a new connection is given back.
#[derive(Default)]
pub(crate) struct Memory {
    pub(crate) login: Option<LoginRequest>,
    pub(crate) rooms: BTreeSet<u32>,
}

/// The writing side.
#[derive(Default)]
pub(crate) struct Line {
    pub(crate) stream: Option<TcpStream>,
    pub(crate) sequence: u32,
    /// When something was last written.
    pub(crate) written: Option<Instant>,
    pub(crate) closed: bool,
}

pub(crate) struct Waiting {
    pub(crate) sequence: u32,
    /// None for a heartbeat of the keeper's.
    pub(crate) answer: Option<SyncSender<Result<Reply, Error>>>,
}

/// Nothing here is left half-changed by a panic.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
