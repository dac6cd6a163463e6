//! Looks into a store file without changing it: everything that opening the store writes goes to
//! memory.

use std::collections::HashMap;
use std::fs::{File, TryLockError};
use std::io::{self, ErrorKind};
use std::os::unix::fs::FileExt as _;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use core_engine::{
    Engine, Log, Next, OpenError, Options, RULES, has_store, open_regular, store_target,
};
use core_model::RoomView;

/// The most that opening the store may write to memory: a migration of a large one writes more.
const OVERLAY_BYTES_MAX: usize = 256 << 20;

const PAGE_BYTES: usize = 4096;

/// The page cache while looking.
const CACHE_BYTES: usize = 16 << 20;

/// An open store file, or what it would be after the next start.
pub struct StorePreview {
    engine: Engine<()>,
    /// Whether it follows the log of a cluster.
    pub follows: bool,
}

/// A log with nothing in it.
struct Nothing;

impl Log<()> for Nothing {
    fn next(&mut self) -> Next<()> {
        Next::Stop
    }
}

impl StorePreview {
    /// Opens an existing file. `None` if there is nothing in it yet, or too much to look into it.
    ///
    /// # Errors
    ///
    /// Why a gateway could not open the file, as the end of a sentence about it.
    pub fn open(path: &Path) -> Result<Option<Self>, String> {
        let file = open_regular(path).map_err(|error| match error {
            OpenError::Open { source, .. } => format!("cannot be read and written: {source}"),
            OpenError::Denied { .. } => "cannot be read and written by this user".into(),
            other => sentence(other),
        })?;
        if let Err(TryLockError::WouldBlock) = file.try_lock() {
            return Err("another process has it open (is a gateway already running?)".into());
        }
        if !has_store(path, &file).map_err(sentence)? {
            return Ok(None);
        }
        let overlay = Overlay::new(file).map_err(|error| format!("cannot be read: {error}"))?;
        let options = Options { cache_bytes: CACHE_BYTES, ..Options::default() };
        let opened = quietly(|| {
            let alone = Engine::open_with_backend(overlay.clone(), options, |_| ());
            let Err(OpenError::FollowsLog { .. }) = alone else {
                return alone.map(|it| (it, false));
            };
            let store = (overlay.clone(), RULES);
            let following = Engine::follow_with_backend(store, options, |_| (), |_, _| Nothing);
            following.map(|it| (it, true))
        });
        match opened {
            Ok((engine, follows)) => Ok(Some(Self { engine, follows })),
            Err(_) if overlay.is_full() => Ok(None),
            Err(error) => Err(sentence(error)),
        }
    }

    /// The engine, which answers queries and takes no command if it follows a log.
    pub(crate) fn into_engine(self) -> Engine<()> {
        self.engine
    }

    /// The room of this name, a closed one too.
    pub fn room(&self, name: &str) -> Option<RoomView> {
        self.engine.room_named(name).ok().flatten()
    }
}

/// Refuses a path at which there is no store, for what makes none. `missing` ends the sentence about a
/// file that is not there.
pub fn check_filled(path: &Path, missing: &str) -> Result<(), Box<dyn std::error::Error>> {
    // A link to a missing file leads to a disk that is not mounted, rather than to no store.
    if !store_target(path)?.exists() {
        return Err(format!("there is no store {} {missing}", path.display()).into());
    }
    if has_store(path, &open_regular(path)?)? {
        return Ok(());
    }
    let why = "is empty: a gateway fills it at its first start; start one, or restore a backup";
    Err(format!("the store {} {why}", path.display()).into())
}

/// Why a room cannot be one that the configuration names: a user could read what is meant for all,
/// or keep users out. The end of a sentence about the room.
pub fn room_conflict(room: &RoomView) -> Option<String> {
    let owner = room.owner.as_ref().map(|owner| match owner.uid {
        Some(uid) => format!("{:?} (uid {uid})", owner.handle),
        None => format!("{:?}", owner.handle),
    });
    conflict_of(room.closed, owner)
}

/// The same of a room that may be closed and may have an owner.
pub fn conflict_of(closed: bool, owner: Option<String>) -> Option<String> {
    let kind = if closed { "a closed group" } else { "a room" };
    if owner.is_none() && !closed {
        return None;
    }
    let owner = owner.unwrap_or_else(|| "a user".to_owned());
    let cure = if closed { "" } else { ", or release it with `dragoman room release`" };
    Some(format!("in the store it is {kind} of {owner}; choose another name{cure}"))
}

/// Runs `open` without the messages of panics, which the engine catches and reports as damage.
pub(crate) fn quietly<R>(open: impl FnOnce() -> R) -> R {
    let hook = std::panic::take_hook();
    std::panic::set_hook(Box::new(|_| ()));
    let opened = open();
    std::panic::set_hook(hook);
    opened
}

/// An error as the end of a sentence about the store.
pub(crate) fn sentence(error: OpenError) -> String {
    match error {
        OpenError::Open { source, .. } => format!("cannot be opened: {source}"),
        OpenError::NotAStore { kind, .. } => {
            format!("is {kind}, not a store; move it away, or choose another [store] path")
        }
        OpenError::DanglingLink { target, .. } => format!(
            "is a symbolic link to {}, which does not exist; mount its disk or create it (an empty \
             file will do), or choose another [store] path",
            target.display()
        ),
        OpenError::Damaged { why, .. } => format!("is damaged: {why}; restore a backup"),
        // The path in the others is that of the overlay.
        other => other.to_string().replace("the store (a backend)", "the store"),
    }
}

/// A file whose writes stay in memory.
#[derive(Clone, Debug)]
struct Overlay(Arc<Mutex<Contents>>);

#[derive(Debug)]
struct Contents {
    file: File,
    /// Bytes of the file that count: it may be cut and extended again.
    file_bytes: u64,
    bytes: u64,
    pages: HashMap<u64, Box<[u8; PAGE_BYTES]>>,
    is_full: bool,
}

impl Overlay {
    fn new(file: File) -> io::Result<Self> {
        let bytes = file.metadata()?.len();
        let contents =
            Contents { file, file_bytes: bytes, bytes, pages: HashMap::new(), is_full: false };
        Ok(Self(Arc::new(Mutex::new(contents))))
    }

    fn with<R>(&self, f: impl FnOnce(&mut Contents) -> R) -> R {
        f(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Whether a write was refused.
    fn is_full(&self) -> bool {
        self.with(|contents| contents.is_full)
    }
}

impl Contents {
    /// A page as it is now.
    fn page(&self, number: u64) -> io::Result<Box<[u8; PAGE_BYTES]>> {
        if let Some(page) = self.pages.get(&number) {
            return Ok(page.clone());
        }
        let mut page = Box::new([0; PAGE_BYTES]);
        let start = number * PAGE_BYTES as u64;
        let there = self.file_bytes.saturating_sub(start).min(PAGE_BYTES as u64);
        self.file.read_exact_at(&mut page[..there as usize], start)?;
        Ok(page)
    }

    /// Calls `f` with each page that the range touches, the part of it, and the part of the range.
    fn for_each_page(
        offset: u64,
        bytes: usize,
        mut f: impl FnMut(u64, std::ops::Range<usize>, std::ops::Range<usize>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut done = 0;
        while done < bytes {
            let at = offset + done as u64;
            let start = (at % PAGE_BYTES as u64) as usize;
            let part = (PAGE_BYTES - start).min(bytes - done);
            f(at / PAGE_BYTES as u64, start..start + part, done..done + part)?;
            done += part;
        }
        Ok(())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        if offset + out.len() as u64 > self.bytes {
            return Err(ErrorKind::UnexpectedEof.into());
        }
        Self::for_each_page(offset, out.len(), |number, within, part| {
            out[part].copy_from_slice(&self.page(number)?[within]);
            Ok(())
        })
    }

    fn write(&mut self, offset: u64, data: &[u8]) -> io::Result<()> {
        Self::for_each_page(offset, data.len(), |number, within, part| {
            if self.pages.len() >= OVERLAY_BYTES_MAX / PAGE_BYTES {
                self.is_full = true;
                return Err(ErrorKind::StorageFull.into());
            }
            let mut page = self.page(number)?;
            page[within].copy_from_slice(&data[part]);
            self.pages.insert(number, page);
            Ok(())
        })
    }

    fn set_len(&mut self, bytes: u64) {
        if bytes < self.bytes {
            // What is cut off is zero if it comes back.
            self.file_bytes = self.file_bytes.min(bytes);
            let kept = bytes / PAGE_BYTES as u64;
            self.pages.retain(|number, _| *number <= kept);
            if let Some(page) = self.pages.get_mut(&kept) {
                page[(bytes % PAGE_BYTES as u64) as usize..].fill(0);
            }
        }
        self.bytes = bytes;
    }
}

impl redb::StorageBackend for Overlay {
    fn len(&self) -> io::Result<u64> {
        Ok(self.with(|contents| contents.bytes))
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.with(|contents| contents.read(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.with(|contents| contents.set_len(len));
        Ok(())
    }

    fn sync_data(&self) -> io::Result<()> {
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.with(|contents| contents.write(offset, data))
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    #[test]
    fn writes_stay_in_memory_and_reads_see_them() {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(&[1; 10_000]).unwrap();
        let overlay = Overlay::new(file.try_clone().unwrap()).unwrap();
        overlay.with(|contents| {
            contents.write(4090, &[2; 12]).unwrap();
            let mut read = [0; 14];
            contents.read(4089, &mut read).unwrap();
            assert_eq!(read, [1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 1]);
            contents.set_len(4092);
            contents.set_len(12_000);
            let mut read = [9; 4];
            contents.read(4090, &mut read).unwrap();
            assert_eq!(read, [2, 2, 0, 0]);
            contents.read(9_998, &mut read).unwrap();
            assert_eq!(read, [0; 4]);
            assert!(contents.read(11_999, &mut read).is_err());
        });
        let mut bytes = vec![0; 10_000];
        file.read_exact_at(&mut bytes, 0).unwrap();
        assert!(bytes.iter().all(|byte| *byte == 1));
        assert_eq!(file.metadata().unwrap().len(), 10_000);
    }
}
