//! The files of certificates and keys.

use std::fs::File;
use std::io::Read as _;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

/// The longest file: a chain of a dozen certificates has some 20 KiB, a bundle of all public CAs
/// some 250.
const FILE_BYTES_MAX: u64 = 1 << 20;

/// What tells one state of a file from another.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Stamp {
    device: u64,
    inode: u64,
    bytes: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// `None`: the file cannot be looked at.
    pub(crate) fn of(path: &Path) -> Option<Self> {
        let metadata = path.metadata().ok()?;
        Some(Self {
            device: metadata.dev(),
            inode: metadata.ino(),
            bytes: metadata.len(),
            modified: (metadata.mtime(), metadata.mtime_nsec()),
        })
    }
}

/// The content of a file, or why it cannot be one with certificates.
pub(super) fn read(path: &Path) -> Result<Vec<u8>, String> {
    let shown = path.display();
    let cannot_read = |error| format!("cannot read {shown}: {error}");
    // Opening a pipe would wait for its other end.
    let metadata = path.metadata().map_err(cannot_read)?;
    if !metadata.is_file() {
        return Err(format!("{shown} is not a file"));
    }
    let mut content = Vec::new();
    let file = File::open(path).map_err(cannot_read)?;
    file.take(FILE_BYTES_MAX + 1).read_to_end(&mut content).map_err(cannot_read)?;
    if content.len() as u64 > FILE_BYTES_MAX {
        return Err(format!("{shown} is longer than {FILE_BYTES_MAX} bytes, so it is no PEM file"));
    }
    // What is behind it would not be seen to be a line of PEM.
    if matches!(&content[..], [0xef, 0xbb, 0xbf, ..] | [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) {
        return Err(format!(
            "{shown} begins with a byte order mark (BOM), which PEM has not; save it as ASCII, or as \
             UTF-8 without BOM"
        ));
    }
    Ok(content)
}
