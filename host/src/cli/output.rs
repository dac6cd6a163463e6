//! Standard output and standard error of the subcommands. A closed pipe is no error: its reader has
//! seen enough, and the action goes on.

use std::fmt::Display;
use std::io::{self, ErrorKind, Write as _};

/// Prints a line on standard output.
pub(super) fn line(text: impl Display) -> io::Result<()> {
    raw(format!("{text}\n").as_bytes())
}

/// Prints bytes on standard output.
pub(super) fn raw(bytes: &[u8]) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    match stdout.write_all(bytes).and_then(|()| stdout.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => {
            Err(io::Error::new(error.kind(), format!("cannot write to standard output: {error}")))
        }
        _ => Ok(()),
    }
}

/// Prints a line on standard error; there is no other place to report that this failed.
pub(super) fn note(text: impl Display) {
    drop(io::stderr().write_all(format!("{text}\n").as_bytes()));
}
