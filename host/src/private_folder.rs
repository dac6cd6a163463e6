//! Folders that hold secrets.

use std::io;
use std::path::Path;

/// Makes a folder, and those above it, for their owner only. Folders that exist stay as they are.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}
