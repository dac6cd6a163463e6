//! Opening, making and compacting store files.

use std::path::{Path, PathBuf};

use redb::{Builder, Database, DatabaseError, StorageBackend};

use crate::error::StoreError;
use crate::migrate::{FORMAT, prepare};

/// Why a store cannot be opened. Each message says what to do.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    #[error("another process has the store {} open; stop it, or choose another [store] path", path.display())]
    Locked { path: PathBuf },
    #[error("cannot open the store {}: {source}", path.display())]
    Open {
        path: PathBuf,
        #[source]
        source: Box<redb::Error>,
    },
    #[error(
        "the store {} has format {found}, this version reads up to {FORMAT}; run the version that wrote it, or a later one",
        path.display()
    )]
    TooNew { path: PathBuf, found: u64 },
    #[error("cannot start the thread that writes the store: {0}")]
    Thread(std::io::Error),
    #[error("cannot compact the store {}: {source}; what is in it is as it was", path.display())]
    Compact {
        path: PathBuf,
        #[source]
        source: Box<redb::Error>,
    },
}

/// Opens the store file, or creates it.
pub(crate) fn open(path: &Path, cache_bytes: usize) -> Result<Database, OpenError> {
    open_with(path, cache_bytes, |builder| builder.create(path))
}

/// Opens or creates a store on `backend`.
pub(crate) fn open_backend(
    backend: impl StorageBackend,
    cache_bytes: usize,
) -> Result<Database, OpenError> {
    let path = Path::new("(a backend)");
    open_with(path, cache_bytes, |builder| builder.create_with_backend(backend))
}

/// Compacts a store file and returns its size in bytes before and after. No other process may have
/// it open. A missing store is created.
pub fn compact(path: &Path, cache_bytes: usize) -> Result<(u64, u64), OpenError> {
    let fail =
        |source: redb::Error| OpenError::Compact { path: path.into(), source: Box::new(source) };
    let bytes = || path.metadata().map(|file| file.len()).map_err(|error| fail(error.into()));
    let mut database = open(path, cache_bytes)?;
    let before = bytes()?;
    database.compact().map_err(|error| fail(error.into()))?;
    // Closing writes as well, so the size is taken after it.
    drop(database);
    Ok((before, bytes()?))
}

fn open_with(
    path: &Path,
    cache_bytes: usize,
    create: impl FnOnce(&Builder) -> Result<Database, DatabaseError>,
) -> Result<Database, OpenError> {
    let fail = |source: redb::Error| match source {
        redb::Error::DatabaseAlreadyOpen => OpenError::Locked { path: path.into() },
        source => OpenError::Open { path: path.into(), source: Box::new(source) },
    };
    let mut builder = Database::builder();
    builder.set_cache_size(cache_bytes);
    let database = create(&builder).map_err(|error| fail(error.into()))?;
    let found = prepare(&database).map_err(|error| match error {
        StoreError::Redb(source) => OpenError::Open { path: path.into(), source },
        StoreError::Corrupt { table } => {
            fail(redb::Error::Corrupted(format!("a row in {table:?} cannot be read")))
        }
    })?;
    if found > FORMAT {
        return Err(OpenError::TooNew { path: path.into(), found });
    }
    Ok(database)
}
