//! A terminal that does not echo while a secret is typed, and is as it was afterwards, also after a
//! signal that ends or stops the process.

use std::io::{self, Write as _};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;

use parking_lot::Mutex;
use rustix::process::{Signal, getpid, kill_process};
use rustix::termios::{LocalModes, OptionalActions, Termios, tcgetattr, tcsetattr};
use tokio::signal::unix::{SignalKind, signal};

/// Signals that end a process, and so the typing: the keys Ctrl-C and Ctrl-\, a terminal that is
/// closed, and `kill`.
const ENDING: [fn() -> SignalKind; 4] =
    [SignalKind::interrupt, SignalKind::quit, SignalKind::hangup, SignalKind::terminate];

/// Turns the terminal's echo off until it is dropped.
pub(super) struct NoEcho(Arc<Mutex<Modes>>);

struct Modes {
    before: Termios,
    silent: Termios,
    is_silent: bool,
}

impl Modes {
    fn silence(&mut self) -> io::Result<()> {
        self.is_silent = true;
        Ok(tcsetattr(io::stdin(), OptionalActions::Flush, &self.silent)?)
    }

    /// Also drops what was typed and not read, which the shell would echo and take for a command.
    fn restore(&mut self) {
        if std::mem::take(&mut self.is_silent) {
            // A terminal that has gone away has no echo to restore.
            let _ = tcsetattr(io::stdin(), OptionalActions::Flush, &self.before);
        }
    }
}

impl NoEcho {
    pub(super) fn begin() -> io::Result<Self> {
        let before = tcgetattr(io::stdin())?;
        let mut silent = before.clone();
        silent.local_modes.remove(LocalModes::ECHO);
        let modes = Arc::new(Mutex::new(Modes { before, silent, is_silent: false }));
        watch_signals(modes.clone())?;
        modes.lock().silence()?;
        Ok(Self(modes))
    }
}

impl Drop for NoEcho {
    fn drop(&mut self) {
        self.0.lock().restore();
    }
}

/// Has a thread handle the signals from now on, to the end of the process: the default actions are
/// lost, and nothing brings them back.
fn watch_signals(modes: Arc<Mutex<Modes>>) -> io::Result<()> {
    let (installed, is_installed) = mpsc::channel();
    thread::Builder::new().name("terminal".into()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_io().build() {
            Ok(runtime) => runtime,
            Err(error) => return drop(installed.send(Err(error))),
        };
        runtime.block_on(async {
            let outcome = install(modes);
            let is_ok = outcome.is_ok();
            // The prompt waits for this.
            drop(installed.send(outcome));
            if is_ok {
                std::future::pending::<()>().await;
            }
        });
    })?;
    is_installed.recv().map_err(io::Error::other)?
}

/// Starts a task for each signal.
fn install(modes: Arc<Mutex<Modes>>) -> io::Result<()> {
    for kind in ENDING {
        let (number, mut signal) = (kind().as_raw_value(), signal(kind())?);
        let modes = modes.clone();
        tokio::spawn(async move {
            if signal.recv().await.is_some() {
                end(&modes, number);
            }
        });
    }
    // Ctrl-Z.
    let mut stop = signal(SignalKind::from_raw(Signal::TSTP.as_raw()))?;
    tokio::spawn(async move {
        while stop.recv().await.is_some() {
            suspend(&modes);
        }
    });
    Ok(())
}

/// Ends the process as the signal would have, as far as a shell can tell.
fn end(modes: &Mutex<Modes>, number: i32) {
    let mut modes = modes.lock();
    if modes.is_silent {
        modes.restore();
        // The line of the prompt has not ended.
        drop(io::stderr().write_all(b"\n"));
    }
    std::process::exit(128 + number)
}

/// Stops the process until it is continued, with the terminal as it was meanwhile.
fn suspend(modes: &Mutex<Modes>) {
    let mut modes = modes.lock();
    let was_silent = modes.is_silent;
    modes.restore();
    // Goes on here after SIGCONT.
    let _ = kill_process(getpid(), Signal::STOP);
    if was_silent {
        let _ = modes.silence();
    }
}
