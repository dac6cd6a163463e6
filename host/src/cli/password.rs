//! Reads a password: on a terminal twice and without echo, otherwise the first line of standard
//! input.

use std::error::Error;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 4096;

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

/// Prompts on standard error: standard output is for the account.
fn prompt(words: &str) -> io::Result<String> {
    eprint!("{words}");
    io::stderr().flush()?;
    let line = line()?;
    eprintln!();
    Ok(line)
}

/// A line, without its end.
fn line() -> io::Result<String> {
    let mut line = String::new();
    io::stdin().lock().take(LINE_BYTES_MAX).read_line(&mut line)?;
    let end = line.trim_end_matches(['\r', '\n']).len();
    line.truncate(end);
    Ok(line)
}

/// Turns the terminal's echo off until it is dropped.
struct NoEcho(Termios);

impl NoEcho {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        // A terminal that has gone away has no echo to restore.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
