//! What is at the path of a store, before redb opens it.

use std::fs::{File, FileType};
use std::io::{self, Read as _};
use std::os::unix::fs::{FileTypeExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use crate::open_error::OpenError;

/// The first bytes of a store.
const MAGIC: &[u8] = b"redb\x1a\x0a\xa9\x0d\x0a";

/// The first bytes of an SQLite database, the most common other file of that kind.
const SQLITE_MAGIC: &[u8] = b"SQLite format 3\0";

/// Opens an existing file to read and write. A pipe, a device and the like are refused: reading one
/// may wait forever.
pub fn open_regular(path: &Path) -> Result<File, OpenError> {
    let regular = |file_type: FileType| match special(file_type) {
        Some(kind) => Err(OpenError::NotAStore { path: path.into(), kind }),
        None => Ok(()),
    };
    let fail = |error: io::Error| OpenError::io(path, error);
    regular(path.metadata().map_err(fail)?.file_type())?;
    // The path may name a pipe by now, and opening one must not wait either.
    let no_wait = rustix::fs::OFlags::NONBLOCK.bits().cast_signed();
    let opened = File::options().read(true).write(true).custom_flags(no_wait).open(path);
    let file = opened.map_err(fail)?;
    regular(file.metadata().map_err(fail)?.file_type())?;
    Ok(file)
}

/// What a file is that is not a regular one.
pub fn special(file_type: FileType) -> Option<&'static str> {
    let kinds = [
        (file_type.is_dir(), "a folder"),
        (file_type.is_fifo(), "a named pipe"),
        (file_type.is_socket(), "a socket"),
        (file_type.is_char_device() || file_type.is_block_device(), "a device"),
    ];
    kinds.into_iter().find_map(|(is, kind)| is.then_some(kind))
}

/// The most that the making of a store leaves in a file when it is cut short.
const UNMADE_BYTES_MAX: u64 = 2 << 20;

/// Whether there is a store in the file: not in an empty one, nor in a small one of zeros, as one whose
/// making was cut short. `Err` also for a file of another kind, and for a store whose beginning is
/// lost: nothing may take its place.
pub fn has_store(path: &Path, file: &File) -> Result<bool, OpenError> {
    let mut head = Vec::new();
    let fail = |error| OpenError::io(path, error);
    let mut reader = file.take(SQLITE_MAGIC.len() as u64);
    reader.read_to_end(&mut head).map_err(fail)?;
    if head.starts_with(MAGIC) {
        return Ok(true);
    }
    if head.iter().take(MAGIC.len()).all(|byte| *byte == 0) {
        let mut rest = Vec::new();
        let is_zero = |bytes: &[u8]| bytes.iter().all(|byte| *byte == 0);
        reader.set_limit(UNMADE_BYTES_MAX + 1);
        reader.read_to_end(&mut rest).map_err(fail)?;
        if is_zero(&head) && is_zero(&rest) && rest.len() as u64 <= UNMADE_BYTES_MAX {
            return Ok(false);
        }
        return Err(OpenError::Damaged { path: path.into(), why: "it begins with zeros".into() });
    }
    let is_sqlite = head == SQLITE_MAGIC;
    let kind = if is_sqlite { "an SQLite database" } else { "a file of another kind" };
    Err(OpenError::NotAStore { path: path.into(), kind })
}

/// Where the file of a store is or will be: where its path leads if it is a symbolic link, which
/// stays. A link to a missing file is refused, since its disk may not be mounted.
pub fn store_target(path: &Path) -> Result<PathBuf, OpenError> {
    let is_link = path.symlink_metadata().is_ok_and(|metadata| metadata.is_symlink());
    if !is_link {
        return Ok(path.into());
    }
    path.canonicalize().map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => {
            let target = path.read_link().unwrap_or_default();
            OpenError::DanglingLink { path: path.into(), target }
        }
        _ => OpenError::io(path, error),
    })
}
