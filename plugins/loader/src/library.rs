//! Maps a shared library, for good.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::SystemTime;

use plugin_abi::{GW_ENTRY_NAME, GwEntry, GwPlugin};

use crate::{LoadError, elf};

/// Distinguishes a file from another that had the same path.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Identity {
    /// Device and inode, where the system has them.
    place: (u64, u64),
    bytes: u64,
    modified: Option<SystemTime>,
}

/// Every mapped file, by its path, in the order of mapping.
static MAPPED: Mutex<BTreeMap<PathBuf, Vec<Identity>>> = Mutex::new(BTreeMap::new());

/// Maps the library, unless it is mapped, and calls its entry for the table.
pub(crate) fn table_of(path: &Path) -> Result<*const GwPlugin, LoadError> {
    let unreadable = |error: std::io::Error| match error.kind() {
        std::io::ErrorKind::NotFound => LoadError::Missing { path: path.into() },
        _ => LoadError::Unreadable { path: path.into(), why: error.to_string() },
    };
    // The system would search its own folders for a name without a slash.
    let whole = path.canonicalize().map_err(unreadable)?;
    let bytes = std::fs::read(&whole).map_err(unreadable)?;
    elf::check(path, &bytes)?;
    let identity = identity(&whole).map_err(unreadable)?;
    let mut mapped = MAPPED.lock().unwrap_or_else(PoisonError::into_inner);
    let known = mapped.entry(whole.clone()).or_default();
    let found = known.iter().position(|known| *known == identity);
    if found.is_none() && known.iter().any(|known| known.place == identity.place) {
        return Err(LoadError::Overwritten { path: path.into() });
    }
    let library = map(&spelled(&whole, found.unwrap_or(known.len())))
        .map_err(|error| LoadError::Refused { path: path.into(), why: in_full(&error) })?;
    if found.is_none() {
        known.push(identity);
    }
    // The entry is the plugin's own code and may hang; other libraries can be loaded meanwhile.
    drop(mapped);
    // SAFETY: a library that exports this name exports it with this type; the ABI takes that on
    // trust.
    let entry = unsafe { library.get::<GwEntry>(GW_ENTRY_NAME) }
        .map(|entry| *entry)
        .map_err(|_| LoadError::NoEntry { path: path.into() });
    // Never unmapped: see the crate's documentation.
    std::mem::forget(library);
    // SAFETY: the function takes nothing, and the library stays.
    Ok(unsafe { entry?() })
}

/// The system's own message is the error's source.
fn in_full(error: &libloading::Error) -> String {
    let source = std::error::Error::source(error);
    source.map_or_else(|| error.to_string(), ToString::to_string)
}

/// `dlopen` returns a mapped library again for the same path, even after another file replaced it.
/// So the nth file at a path is opened with n redundant `/.` in its path.
fn spelled(path: &Path, nth: usize) -> PathBuf {
    match (path.parent(), path.file_name()) {
        (Some(folder), Some(name)) => {
            let mut words = folder.as_os_str().to_owned();
            (0..nth).for_each(|_| words.push("/."));
            words.push("/");
            words.push(name);
            words.into()
        }
        _ => path.into(),
    }
}

#[cfg(unix)]
fn identity(path: &Path) -> std::io::Result<Identity> {
    use std::os::unix::fs::MetadataExt;
    let data = path.metadata()?;
    let place = (data.dev(), data.ino());
    Ok(Identity { place, bytes: data.len(), modified: data.modified().ok() })
}

#[cfg(not(unix))]
fn identity(path: &Path) -> std::io::Result<Identity> {
    let data = path.metadata()?;
    Ok(Identity { place: (0, 0), bytes: data.len(), modified: data.modified().ok() })
}

/// Resolves every symbol now: a missing one would otherwise end the process at its first use.
#[cfg(unix)]
fn map(path: &Path) -> Result<libloading::Library, libloading::Error> {
    use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
    // SAFETY: the library's initializers run; the operator declared it trusted.
    unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map(Into::into)
}

#[cfg(not(unix))]
fn map(path: &Path) -> Result<libloading::Library, libloading::Error> {
    // SAFETY: as above.
    unsafe { libloading::Library::new(path) }
}
