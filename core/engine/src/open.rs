//! Opening, making and compacting store files.

use std::fs::File;
use std::io;
use std::os::unix::fs::OpenOptionsExt as _;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::error::{StoreError, panic_message};
use crate::log::Followed;
use crate::marks::{self, Marks};
use crate::migrate::{FORMAT, found_format, prepare};
pub use crate::open_error::OpenError;
use crate::store_file::{has_store, open_regular, store_target};

/// The mode of new store files: they hold messages and password hashes.
const OWNER_ONLY: u32 = 0o600;

/// Which file is open: its path may come to name another one.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct FileId {
    pub device: u64,
    pub inode: u64,
}

impl FileId {
    /// The file that a path names now.
    pub fn of(path: &Path) -> io::Result<Self> {
        path.metadata().map(|metadata| Self::from(&metadata))
    }
}

impl From<&std::fs::Metadata> for FileId {
    fn from(metadata: &std::fs::Metadata) -> Self {
        use std::os::unix::fs::MetadataExt as _;
        Self { device: metadata.dev(), inode: metadata.ino() }
    }
}

/// A database, and its file where it has one.
pub(crate) struct Opened {
    pub(crate) database: Database,
    pub(crate) file: Option<FileId>,
}

/// Where a store is, to open it and to open it again.
pub(crate) struct Opener {
    path: PathBuf,
    cache_bytes: usize,
    /// Opens the database on something other than the file at `path`.
    backend: Option<Box<OpenBackend>>,
}

type OpenBackend = dyn Fn(&Builder) -> Result<Database, DatabaseError> + Send + Sync;

impl Opener {
    /// A store in a file.
    pub(crate) fn file(path: &Path, cache_bytes: usize) -> Self {
        Self { path: path.into(), cache_bytes, backend: None }
    }

    /// A store on `backend`, whose clones share their contents.
    pub(crate) fn backend(backend: impl StorageBackend + Clone, cache_bytes: usize) -> Self {
        let open = move |builder: &Builder| builder.create_with_backend(backend.clone());
        Self { path: "(a backend)".into(), cache_bytes, backend: Some(Box::new(open)) }
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// Opens the store, or creates it.
    pub(crate) fn open(&self) -> Result<Opened, OpenError> {
        self.guarded(|| match &self.backend {
            Some(open) => self.prepared(open(&self.builder()), None),
            None => match self.open_file(false) {
                Err(OpenError::Open { .. } | OpenError::Damaged { .. }) if self.is_unmade() => {
                    self.create()
                }
                opened => opened,
            },
        })
    }

    /// Opens a store to change it, or creates it. Refused: the store follows a log.
    pub(crate) fn open_alone(&self) -> Result<Opened, OpenError> {
        match self.open_marked()? {
            (opened, None) => Ok(opened),
            (opened, Some(_)) => {
                close(opened.database);
                Err(OpenError::FollowsLog { path: self.path.clone() })
            }
        }
    }

    /// Opens a store that follows a log, with the number of the log and the marks. Refused: it follows
    /// none.
    pub(crate) fn open_following(&self) -> Result<(Opened, u64, Marks), OpenError> {
        match self.open_marked()? {
            (opened, Some((log, marks))) => {
                if let Err(error) = self.check_divergence(&opened.database) {
                    close(opened.database);
                    return Err(error);
                }
                Ok((opened, log, marks))
            }
            (opened, None) => {
                close(opened.database);
                Err(OpenError::FollowsNoLog { path: self.path.clone() })
            }
        }
    }

    /// Refuses a store that was found to differ from the others.
    fn check_divergence(&self, database: &Database) -> Result<(), OpenError> {
        let find = || marks::divergence(database).map_err(|error| self.damaged(error));
        match self.guarded(find)? {
            None => Ok(()),
            Some(position) => Err(OpenError::Diverged { path: self.path.clone(), position }),
        }
    }

    fn open_marked(&self) -> Result<(Opened, Option<(u64, Marks)>), OpenError> {
        let opened = self.open()?;
        let read = || marks::read(&opened.database).map_err(|error| self.damaged(error));
        match self.guarded(read) {
            Ok(marks) => Ok((opened, marks)),
            Err(error) => {
                close(opened.database);
                Err(error)
            }
        }
    }

    /// Makes a store follow a log, of whose entries it has those up to `applied`. Refused: it follows
    /// one already.
    fn follow(&self, log: u64, applied: u64) -> Result<(), OpenError> {
        let Opened { database, .. } = self.open_alone()?;
        let begin = || marks::begin(&database, log, applied).map_err(|error| self.damaged(error));
        let begun = self.guarded(begin);
        close(database);
        begun
    }

    /// Opens the store again after a failure: a file that is gone is not created.
    pub(crate) fn reopen(&self) -> Result<Opened, OpenError> {
        self.guarded(|| match &self.backend {
            Some(open) => self.prepared(open(&self.builder()), None),
            None => self.open_file(true),
        })
    }

    fn builder(&self) -> Builder {
        let mut builder = Database::builder();
        builder.set_cache_size(self.cache_bytes);
        builder
    }

    fn open_file(&self, again: bool) -> Result<Opened, OpenError> {
        let file = open_regular(&self.path)?;
        let metadata = file.metadata().map_err(|error| self.error(error.into()))?;
        let id = FileId::from(&metadata);
        has_store(&self.path, &file)?;
        if again {
            // After a failed write the page cache may hold pages that never reached the disk.
            let _ = rustix::fs::fadvise(&file, 0, None, rustix::fs::Advice::DontNeed);
        }
        self.prepared(self.builder().create_file(file), Some(id))
    }

    /// Whether there is no store yet: no file, an empty one, or one whose making was cut short.
    fn is_unmade(&self) -> bool {
        match open_regular(&self.path) {
            Ok(file) => matches!(has_store(&self.path, &file), Ok(false)),
            Err(OpenError::Open { source, .. }) => {
                matches!(*source, redb::Error::Io(error) if error.kind() == io::ErrorKind::NotFound)
            }
            Err(_) => false,
        }
    }

    /// Makes the store under another name and renames it, so that a file of its own name is whole.
    fn create(&self) -> Result<Opened, OpenError> {
        let target = store_target(&self.path)?;
        let mut unfinished = target.clone().into_os_string();
        unfinished.push(".new");
        let unfinished = PathBuf::from(unfinished);
        let create = || -> Result<Opened, OpenError> {
            let mut options = File::options();
            options.read(true).write(true).create(true).truncate(false).mode(OWNER_ONLY);
            let file = options.open(&unfinished).map_err(|error| self.error(error.into()))?;
            let id = file.metadata().map_err(|error| self.error(error.into()))?;
            self.prepared(self.builder().create_file(file), Some(FileId::from(&id)))
        };
        let opened = match create() {
            Err(OpenError::Open { .. } | OpenError::Damaged { .. }) if unfinished.exists() => {
                // An earlier first start was cut short.
                std::fs::remove_file(&unfinished).map_err(|error| self.error(error.into()))?;
                create()
            }
            opened => opened,
        }?;
        let finish = || -> io::Result<()> {
            if Some(FileId::of(&unfinished)?) != opened.file {
                return Err(io::Error::other("another process is making the store"));
            }
            File::open(&unfinished)?.sync_all()?;
            std::fs::rename(&unfinished, &target)?;
            sync_folder(&target)
        };
        finish().map_err(|error| self.error(error.into()))?;
        Ok(opened)
    }

    /// Brings what was opened to the current format.
    fn prepared(
        &self,
        opened: Result<Database, DatabaseError>,
        file: Option<FileId>,
    ) -> Result<Opened, OpenError> {
        let database = opened.map_err(|error| self.error(error.into()))?;
        let found = self.guarded(|| prepare(&database).map_err(|error| self.damaged(error)));
        match found {
            Ok(..=FORMAT) => Ok(Opened { database, file }),
            refused => {
                close(database);
                let too_new = |found| OpenError::TooNew { path: self.path.clone(), found };
                Err(refused.map_or_else(|error| error, too_new))
            }
        }
    }

    fn damaged(&self, error: StoreError) -> OpenError {
        match error {
            StoreError::Redb(source) => self.error(*source),
            other => OpenError::Damaged { path: self.path.clone(), why: other.to_string() },
        }
    }

    fn error(&self, source: redb::Error) -> OpenError {
        let path = self.path.clone();
        match source {
            redb::Error::DatabaseAlreadyOpen => OpenError::Locked { path },
            redb::Error::Corrupted(why) => OpenError::Damaged { path, why },
            redb::Error::Io(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                OpenError::Damaged { path, why: "it ends too early".into() }
            }
            source => OpenError::Open { path, source: Box::new(source) },
        }
    }

    fn compact(&self, mut database: Database) -> Result<(), OpenError> {
        let compact = || database.compact().map_err(|error| self.compact_error(error.into()));
        let compacted = self.guarded(compact);
        // Closing writes as well, so the size is to be taken after it.
        close(database);
        compacted.map(|_| ())
    }

    fn compact_error(&self, source: redb::Error) -> OpenError {
        let path = self.path.clone();
        match source {
            redb::Error::Corrupted(why) => OpenError::Damaged { path, why },
            source => OpenError::Compact { path, source: Box::new(source) },
        }
    }

    /// redb panics on some damaged files.
    pub(crate) fn guarded<R>(
        &self,
        open: impl FnOnce() -> Result<R, OpenError>,
    ) -> Result<R, OpenError> {
        catch_unwind(AssertUnwindSafe(open)).unwrap_or_else(|panic| {
            Err(OpenError::Damaged { path: self.path.clone(), why: panic_message(&*panic) })
        })
    }
}

/// Closes a database. That writes, and redb may panic where the file is damaged.
pub(crate) fn close(database: Database) {
    let _ = catch_unwind(AssertUnwindSafe(|| drop(database)));
}

/// Makes a file that appears at `path` when `fill` has succeeded and its contents are on the disk.
/// An existing file stays, and is an error.
pub fn create_whole<R, E: From<io::Error>>(
    path: &Path,
    fill: impl FnOnce(File) -> Result<R, E>,
) -> Result<R, E> {
    let exists = || io::Error::new(io::ErrorKind::AlreadyExists, "there is such a file already");
    if path.symlink_metadata().is_ok() {
        return Err(exists().into());
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".unfinished");
    let unfinished = PathBuf::from(unfinished);
    // What an earlier attempt left.
    let _ = std::fs::remove_file(&unfinished);
    let mut options = File::options();
    let file =
        options.read(true).write(true).create_new(true).mode(OWNER_ONLY).open(&unfinished)?;
    let filled = fill(file).and_then(|filled| {
        File::open(&unfinished)?.sync_all()?;
        rename_new(&unfinished, path)?;
        Ok(filled)
    });
    let _ = std::fs::remove_file(&unfinished);
    let filled = filled?;
    sync_folder(path)?;
    Ok(filled)
}

/// Renames a file unless there is one of the new name.
pub fn rename_new(from: &Path, to: &Path) -> io::Result<()> {
    #[cfg(target_os = "linux")]
    {
        use rustix::fs::{CWD, RenameFlags, renameat_with};
        let renamed = renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE);
        let renamed = renamed.map_err(io::Error::from);
        match renamed.as_ref().map_err(io::Error::kind) {
            // Some file systems cannot, and some of these have no hard links either.
            Err(io::ErrorKind::InvalidInput | io::ErrorKind::Unsupported) => (),
            _ => return renamed,
        }
    }
    match std::fs::hard_link(from, to) {
        Ok(()) => std::fs::remove_file(from),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Err(error),
        Err(_) if to.symlink_metadata().is_ok() => Err(io::ErrorKind::AlreadyExists.into()),
        Err(_) => std::fs::rename(from, to),
    }
}

/// The format of a store file that no process has open, which stays as it is.
pub fn store_format(path: &Path, cache_bytes: usize) -> Result<u64, OpenError> {
    let opener = Opener::file(path, cache_bytes);
    opener.guarded(|| {
        let file = open_regular(path)?;
        has_store(path, &file)?;
        let database = opener.builder().create_file(file);
        let database = database.map_err(|error| opener.error(error.into()))?;
        let found = found_format(&database)
            .map_err(|error| OpenError::Damaged { path: path.into(), why: error.to_string() });
        close(database);
        found
    })
}

/// Makes a store follow the log of this number, of whose entries it has those up to `applied`: the
/// first of a cluster. A missing store is created.
pub fn follow_log(path: &Path, log: u64, applied: u64) -> Result<(), OpenError> {
    Opener::file(path, 1 << 20).follow(log, applied)
}

/// Where a store stands in the log that it follows, if it follows one. No other process may have it
/// open, and it has to be there. Refused: it was found to differ from the others.
pub fn followed(path: &Path, cache_bytes: usize) -> Result<Option<Followed>, OpenError> {
    let opener = Opener::file(path, cache_bytes);
    let database = opener.reopen()?.database;
    let read = || marks::read(&database).map_err(|error| opener.damaged(error));
    let found =
        opener.guarded(read).and_then(|found| opener.check_divergence(&database).map(|()| found));
    close(database);
    let followed =
        |(log, marks): (u64, Marks)| Followed { log, applied: marks.applied, rules: marks.rules };
    Ok(found?.map(followed))
}

/// Has a store that follows a log follow the one that replaces it, which goes on from where the store
/// stands.
pub fn replace_log(path: &Path, cache_bytes: usize, log: u64) -> Result<(), OpenError> {
    let opener = Opener::file(path, cache_bytes);
    let (Opened { database, .. }, _, _) = opener.open_following()?;
    let replace = || marks::replace_log(&database, log).map_err(|error| opener.damaged(error));
    let replaced = opener.guarded(replace);
    close(database);
    replaced
}

/// As [`follow_log`], on a backend other than a file: for tests.
#[doc(hidden)]
pub fn follow_log_backend(
    backend: impl StorageBackend + Clone,
    log: u64,
    applied: u64,
) -> Result<(), OpenError> {
    Opener::backend(backend, 1 << 20).follow(log, applied)
}

/// Makes a rename in the folder of `path` durable.
pub fn sync_folder(path: &Path) -> io::Result<()> {
    let folder = match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    };
    File::open(folder)?.sync_all()
}

/// Compacts a store file and returns its size in bytes before and after. No other process may have
/// it open. A missing store is created.
pub fn compact(path: &Path, cache_bytes: usize) -> Result<(u64, u64), OpenError> {
    let opener = Opener::file(path, cache_bytes);
    let fail = |error: io::Error| opener.compact_error(error.into());
    let bytes = || path.metadata().map(|file| file.len()).map_err(fail);
    let database = opener.open()?.database;
    let before = bytes()?;
    opener.compact(database)?;
    File::open(path).and_then(|file| file.sync_all()).map_err(fail)?;
    Ok((before, bytes()?))
}

/// As [`compact`], on a backend other than a file: for tests.
#[doc(hidden)]
pub fn compact_backend(backend: impl StorageBackend + Clone) -> Result<(), OpenError> {
    let opener = Opener::backend(backend, 1 << 20);
    let database = opener.open()?.database;
    opener.compact(database)
}
