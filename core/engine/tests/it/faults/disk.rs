//! A disk in memory that fails on demand, and records its writes for power failures.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use redb::StorageBackend;

const SECTOR: usize = 512;

/// Clones share the contents.
#[derive(Clone, Debug)]
pub(super) struct Disk(Arc<Mutex<State>>);

#[derive(Debug)]
struct State {
    bytes: Vec<u8>,
    /// Operations since the last [`Disk::arm`].
    operations: u64,
    fault: Option<Fault>,
    journal: Option<Vec<Entry>>,
}

/// What happens instead of the operation of this number.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fault {
    pub(super) at: u64,
    pub(super) kind: Kind,
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// It fails without effect.
    Fails,
    /// Half of its sectors are written, then it fails.
    Torn,
    /// It takes effect, and fails all the same.
    Late,
}

/// What has happened to a disk that records.
#[derive(Clone, Debug)]
pub(super) enum Entry {
    Write {
        offset: usize,
        data: Vec<u8>,
    },
    SetLen(usize),
    Sync,
    /// The message with this text was acknowledged.
    Acknowledged(String),
}

impl Disk {
    pub(super) fn new(bytes: Vec<u8>) -> Self {
        let state = State { bytes, operations: 0, fault: None, journal: None };
        Self(Arc::new(Mutex::new(state)))
    }

    /// Counts operations from here on, the one of the fault among them.
    pub(super) fn arm(&self, fault: Option<Fault>) {
        let mut state = self.state();
        state.operations = 0;
        state.fault = fault;
    }

    /// Operations since it was armed, and whether the fault has happened.
    pub(super) fn disarm(&self) -> (u64, bool) {
        let mut state = self.state();
        let fired = state.fault.take().is_some_and(|fault| fault.at < state.operations);
        (state.operations, fired)
    }

    pub(super) fn bytes(&self) -> Vec<u8> {
        self.state().bytes.clone()
    }

    /// Records from here on.
    pub(super) fn record(&self) {
        self.state().journal = Some(Vec::new());
    }

    pub(super) fn recorded(&self) -> Vec<Entry> {
        self.state().journal.take().expect("it records")
    }

    pub(super) fn note(&self, text: String) {
        if let Some(journal) = &mut self.state().journal {
            journal.push(Entry::Acknowledged(text));
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Does an operation, whole or as its fault has it.
    fn operate(&self, whole: Entry) -> io::Result<()> {
        let mut state = self.state();
        let number = state.operations;
        state.operations += 1;
        let fault = state.fault.filter(|fault| fault.at == number);
        let done = match (fault.map(|fault| fault.kind), whole) {
            (None | Some(Kind::Late), whole) => Some(whole),
            (Some(Kind::Torn), Entry::Write { offset, mut data }) => {
                data.truncate(data.len() / SECTOR / 2 * SECTOR);
                Some(Entry::Write { offset, data })
            }
            (Some(Kind::Fails | Kind::Torn), _) => None,
        };
        if let Some(done) = done {
            apply(&mut state.bytes, &done);
            if let Some(journal) = &mut state.journal {
                journal.push(done);
            }
        }
        if fault.is_some() { Err(io::Error::other("a fault of this test")) } else { Ok(()) }
    }
}

fn apply(bytes: &mut Vec<u8>, entry: &Entry) {
    match entry {
        Entry::Write { offset, data } => {
            if bytes.len() < offset + data.len() {
                bytes.resize(offset + data.len(), 0);
            }
            bytes[*offset..offset + data.len()].copy_from_slice(data);
        }
        Entry::SetLen(len) => bytes.resize(*len, 0),
        Entry::Sync | Entry::Acknowledged(_) => (),
    }
}

impl StorageBackend for Disk {
    fn len(&self) -> io::Result<u64> {
        Ok(self.state().bytes.len() as u64)
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        let mut state = self.state();
        let number = state.operations;
        state.operations += 1;
        if state.fault.is_some_and(|fault| fault.at == number) {
            return Err(io::Error::other("a fault of this test"));
        }
        let start = offset as usize;
        let range = start..start + out.len();
        let found = state.bytes.get(range).ok_or(io::ErrorKind::UnexpectedEof)?;
        out.copy_from_slice(found);
        Ok(())
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.operate(Entry::SetLen(len as usize))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.operate(Entry::Sync)
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.operate(Entry::Write { offset: offset as usize, data: data.to_vec() })
    }
}

/// Random numbers that are the same in every run (splitmix64).
pub(super) struct Random(pub(super) u64);

impl Random {
    pub(super) fn below(&mut self, limit: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (z ^ (z >> 31)) % limit
    }
}

/// Power failures while a disk recorded: after the last sync anything may be there or not.
pub(super) struct PowerFailures<'a> {
    journal: &'a [Entry],
    /// The contents at the last sync before `next`.
    synced: Vec<u8>,
    since: usize,
    next: usize,
    acknowledged: Vec<String>,
    random: Random,
}

impl<'a> PowerFailures<'a> {
    pub(super) fn new(before: Vec<u8>, journal: &'a [Entry], seed: u64) -> Self {
        let acknowledged = Vec::new();
        Self { journal, synced: before, since: 0, next: 0, acknowledged, random: Random(seed) }
    }

    /// Goes on to the next operation. Returns what was acknowledged before it.
    pub(super) fn advance(&mut self) -> Option<&[String]> {
        let entry = self.journal.get(self.next)?;
        self.next += 1;
        match entry {
            Entry::Sync => {
                for entry in &self.journal[self.since..self.next] {
                    apply(&mut self.synced, entry);
                }
                self.since = self.next;
            }
            Entry::Acknowledged(text) => self.acknowledged.push(text.clone()),
            Entry::Write { .. } | Entry::SetLen(_) => (),
        }
        Some(&self.acknowledged)
    }

    /// The contents that a failure now leaves: every sector written since the last sync, or not.
    pub(super) fn fail(&mut self) -> Vec<u8> {
        let mut bytes = self.synced.clone();
        for entry in &self.journal[self.since..self.next] {
            match (entry, self.random.below(4)) {
                (_, 0) => (),
                (Entry::Write { offset, data }, 1) => {
                    for (number, sector) in data.chunks(SECTOR).enumerate() {
                        if self.random.below(2) == 0 {
                            let offset = offset + number * SECTOR;
                            apply(&mut bytes, &Entry::Write { offset, data: sector.to_vec() });
                        }
                    }
                }
                (entry, _) => apply(&mut bytes, entry),
            }
        }
        bytes
    }
}
