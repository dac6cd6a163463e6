//! Asks for a password: on a terminal twice and without showing it, else in the first line of what
//! comes.

use std::error::Error;
use std::io::{self, BufRead as _, IsTerminal as _, Read as _, Write as _};

use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};

/// The longest line that is read, in bytes.
const LINE_BYTES_MAX: u64 = 4096;

/// The password that somebody is to have.
pub(super) fn ask(whose: &str) -> Result<String, Box<dyn Error>> {
    if !io::stdin().is_terminal() {
        return Ok(line()?);
    }
    let _silence = Silence::begin()?;
    let password = prompt(&format!("new password of {whose}: "))?;
    if prompt("once more: ")? != password {
        return Err("these are two different passwords; nothing is changed".into());
    }
    Ok(password)
}

/// Asks on standard error: standard output is for the account.
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

/// A terminal that does not show what is typed, until this is dropped.
struct Silence(Termios);

impl Silence {
    fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        tcsetattr(io::stdin(), OptionalActions::Flush, &silent)?;
        Ok(Self(before))
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        // A terminal that is gone shows nothing anyway.
        let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.0);
    }
}
