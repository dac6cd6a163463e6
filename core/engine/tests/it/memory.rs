//! A store in memory that outlives the engine, can be told to fail, and can lose what was not
//! synced.

use std::collections::BTreeMap;
use std::io;
use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

/// The contents. Clones share them: the next engine finds what the last one wrote.
#[derive(Clone, Debug, Default)]
pub(crate) struct Memory(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    bytes: Vec<u8>,
    /// What the last sync left, if it is recorded.
    synced: Option<Synced>,
    full: bool,
    failing: Option<Failing>,
    /// So many reads from now on fail.
    unreadable: u32,
    /// The sync after so many fails, after it has made everything durable.
    late_failure: Option<u32>,
}

/// The contents at the last sync: those now, but for what was written since.
#[derive(Debug, Default)]
struct Synced {
    length: usize,
    /// By where they begin.
    pages: BTreeMap<usize, Vec<u8>>,
}

/// The bytes of a page of redb.
const PAGE: usize = 4_096;

impl Synced {
    /// Keeps what is about to be overwritten.
    fn keep(&mut self, bytes: &[u8], range: std::ops::Range<usize>) {
        let pages = (range.start / PAGE * PAGE..range.end.min(self.length)).step_by(PAGE);
        for start in pages {
            let end = (start + PAGE).min(self.length).min(bytes.len());
            self.pages.entry(start).or_insert_with(|| bytes[start..end].to_vec());
        }
    }
}

/// The first failure tells, and waits to go on.
#[derive(Debug)]
pub(crate) struct Failing {
    pub(crate) reached: Sender<()>,
    pub(crate) go_on: Receiver<()>,
}

impl Memory {
    /// A store that records its contents at each sync.
    pub(crate) fn that_may_lose_power() -> Self {
        let memory = Self::default();
        memory.state().synced = Some(Synced::default());
        memory
    }

    /// A store with these contents, which were synced.
    pub(crate) fn of(bytes: Vec<u8>) -> Self {
        let synced = Some(Synced { length: bytes.len(), pages: BTreeMap::new() });
        Self(Arc::new(Mutex::new(State { bytes, synced, ..State::default() })))
    }

    /// The contents.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// The store that a kill of the process leaves now: what was written.
    pub(crate) fn killed(&self) -> Self {
        Self::of(self.bytes())
    }

    /// From now on nothing can be written, as on a full disk.
    pub(crate) fn fill_up(&self, failing: Failing) {
        let mut state = self.state();
        (state.full, state.failing) = (true, Some(failing));
    }

    /// From now on there is space again.
    pub(crate) fn free_up(&self) {
        self.state().full = false;
    }

    /// The next `reads` reads fail.
    pub(crate) fn fail_reads(&self, reads: u32) {
        self.state().unreadable = reads;
    }

    /// The sync after so many makes everything durable and fails all the same.
    pub(crate) fn fail_after_sync(&self, syncs: u32) {
        self.state().late_failure = Some(syncs);
    }

    /// The store that a power failure leaves now: what was synced.
    pub(crate) fn without_power(&self) -> Self {
        let state = self.state();
        let Synced { length, pages } = state.synced.as_ref().expect("made to lose power");
        let mut bytes = state.bytes.clone();
        bytes.resize(*length, 0);
        for (start, page) in pages {
            bytes[*start..start + page.len()].copy_from_slice(page);
        }
        drop(state);
        Self::of(bytes)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The state to write to, unless it is full.
    fn writable(&self) -> io::Result<MutexGuard<'_, State>> {
        let mut state = self.state();
        if !state.full {
            return Ok(state);
        }
        let failing = state.failing.take();
        drop(state);
        if let Some(Failing { reached, go_on }) = failing {
            let _ = reached.send(());
            let _ = go_on.recv();
        }
        Err(io::Error::new(io::ErrorKind::StorageFull, "no space left on this test"))
    }
}

fn within(bytes: &[u8], offset: u64, length: usize) -> io::Result<std::ops::Range<usize>> {
    let start = usize::try_from(offset).map_err(io::Error::other)?;
    match start.checked_add(length) {
        Some(end) if end <= bytes.len() => Ok(start..end),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

impl StorageBackend for Memory {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        if state.unreadable > 0 {
            state.unreadable -= 1;
            return Err(io::Error::other("a read fails in this test"));
        }
        out.copy_from_slice(&state.bytes[within(&state.bytes, offset, out.len())?]);
        Ok(())
    }

    fn set_len(&self, length: u64) -> io::Result<()> {
        let length = usize::try_from(length).map_err(io::Error::other)?;
        let mut state = self.writable()?;
        let State { bytes, synced, .. } = &mut *state;
        if let Some(synced) = synced
            && length < bytes.len()
        {
            synced.keep(bytes, length..bytes.len());
        }
        bytes.resize(length, 0);
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        let mut state = self.writable()?;
        let State { bytes, synced, .. } = &mut *state;
        if let Some(synced) = synced {
            *synced = Synced { length: bytes.len(), pages: BTreeMap::new() };
        }
        state.late_failure = match state.late_failure {
            Some(0) => {
                state.late_failure = None;
                return Err(io::Error::other("a sync fails in this test"));
            }
            left => left.map(|left| left - 1),
        };
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        let mut state = self.writable()?;
        let range = within(&state.bytes, offset, data.len())?;
        let State { bytes, synced, .. } = &mut *state;
        if let Some(synced) = synced {
            synced.keep(bytes, range.clone());
        }
        bytes[range].copy_from_slice(data);
        Ok(())
    }
}
