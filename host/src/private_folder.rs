//! Folders that hold secrets.

use std::io;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

/// Makes a folder, and those above it, for their owner only. Folders that exist stay as they are.
pub(crate) fn make(folder: &Path) -> io::Result<()> {
    use std::os::unix::fs::DirBuilderExt as _;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

/// Whether a file can be made, and the folders above it that are missing: the nearest existing folder
/// is writable. `Err`: a fragment with that folder.
pub(crate) fn creatable(path: &Path) -> Result<(), String> {
    let parents = path.ancestors().skip(1);
    let here = |parent: &Path| {
        if parent.as_os_str().is_empty() { PathBuf::from(".") } else { parent.to_owned() }
    };
    // A symbolic link to nothing is in the way.
    let folder = parents.map(here).find(|folder| folder.symlink_metadata().is_ok());
    let folder = folder.unwrap_or_else(|| "/".into());
    if !folder.is_dir() {
        return Err(format!("{} is not a folder", folder.display()));
    }
    access(&folder, Access::WRITE_OK | Access::EXEC_OK)
        .map_err(|error| format!("cannot write to the folder {}: {error}", folder.display()))
}
