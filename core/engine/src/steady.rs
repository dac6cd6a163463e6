//! Writing a large file beside the store without holding up its commits.

use std::fs::File;
use std::io::{self, Write};

/// Bytes that wait for the disk at most. A commit of the store waits for what the disk has in hand, and
/// a kernel that is left to itself gathers seconds of it: posts' p99 beside a backup was 6.5 times that
/// without one, and is 1.1 times as much with this bound (`gateway-bench backup`).
const UNSYNCED_BYTES_MAX: usize = 256 << 10;

/// Has what is written to a file put on the disk every so often, and not in bursts.
#[derive(Debug)]
pub struct SteadyWriter<'a> {
    file: &'a File,
    unsynced_bytes: usize,
}

impl<'a> SteadyWriter<'a> {
    #[must_use]
    pub fn new(file: &'a File) -> Self {
        Self { file, unsynced_bytes: 0 }
    }
}

impl Write for SteadyWriter<'_> {
    /// Writes up to [`UNSYNCED_BYTES_MAX`], and waits for the disk when there are as many.
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let room = UNSYNCED_BYTES_MAX - self.unsynced_bytes;
        let written = self.file.write(&bytes[..bytes.len().min(room)])?;
        self.unsynced_bytes += written;
        if self.unsynced_bytes == UNSYNCED_BYTES_MAX {
            self.file.sync_data()?;
            self.unsynced_bytes = 0;
        }
        Ok(written)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.file.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_length_are_written_whole() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut writer = SteadyWriter::new(file.as_file());
        let mut wanted = Vec::new();
        for length in [1, 300 << 10, 0, UNSYNCED_BYTES_MAX, 3, 1 << 20] {
            let piece: Vec<u8> = (0..length).map(|at: usize| (at % 251) as u8).collect();
            writer.write_all(&piece).unwrap();
            wanted.extend(piece);
            assert!(writer.unsynced_bytes < UNSYNCED_BYTES_MAX);
        }
        assert!(std::fs::read(file.path()).unwrap() == wanted);
    }
}
