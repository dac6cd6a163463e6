//! What a file system has left.

use std::path::Path;

/// Bytes that the process may still write to the file system of a file.
pub(crate) fn free_bytes(file: &Path) -> std::io::Result<u64> {
    let stat = rustix::fs::statvfs(file)?;
    Ok(stat.f_bavail.saturating_mul(stat.f_frsize))
}
