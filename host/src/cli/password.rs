//! Reads a password: on a terminal twice and without echo, otherwise the first line of standard
//! input.

use std::error::Error;
use std::io::{self, BufRead as _, ErrorKind, IsTerminal as _, Read as _, Write as _};

use super::terminal::NoEcho;
use crate::users::PASSWORD_BYTES_MAX;

/// The byte order mark that some editors and shells put before a text in UTF-8.
const BOM: &[u8] = b"\xef\xbb\xbf";

/// The longest line that is read, in bytes: a byte order mark, the longest password and a line end.
const LINE_BYTES_MAX: u64 = BOM.len() as u64 + PASSWORD_BYTES_MAX as u64 + 2;

/// Reads the new password of the user `whose`.
pub(super) fn read(whose: &str) -> Result<String, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Ok(line()?);
    }
    let _no_echo = NoEcho::begin()?;
    let password = prompt(&format!("new password of {whose}: "))?;
    if prompt("once more: ")? != password {
        return Err("the passwords differ; nothing was changed".into());
    }
    Ok(password)
}

/// Reads the new key of a room.
pub(super) fn read_key(room: &str) -> Result<String, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Ok(line()?);
    }
    let _no_echo = NoEcho::begin()?;
    Ok(prompt(&format!("new key of the room {room}: "))?)
}

/// Prompts on standard error: standard output is for the account.
fn prompt(words: &str) -> io::Result<String> {
    io::stderr().write_all(words.as_bytes())?;
    let line = line()?;
    io::stderr().write_all(b"\n")?;
    Ok(line)
}

/// A line, without its end and a byte order mark.
fn line() -> io::Result<String> {
    let mut line = Vec::new();
    // One byte more, to tell a line that is too long.
    io::stdin().lock().take(LINE_BYTES_MAX + 1).read_until(b'\n', &mut line)?;
    while line.pop_if(|byte| matches!(byte, b'\r' | b'\n')).is_some() {}
    if line.starts_with(BOM) {
        line.drain(..BOM.len());
    }
    let invalid = |why: String| io::Error::new(ErrorKind::InvalidData, why);
    if line.len() > PASSWORD_BYTES_MAX {
        return Err(invalid(format!(
            "a password has at most {PASSWORD_BYTES_MAX} bytes; nothing was changed"
        )));
    }
    String::from_utf8(line).map_err(|_| invalid("a password is UTF-8; nothing was changed".into()))
}
