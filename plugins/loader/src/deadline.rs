//! Bounds the time that a plugin may take to start.

use std::panic::resume_unwind;
use std::path::Path;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::thread;
use std::time::Duration;

use crate::LoadError;

/// How long a library's initializers and entry, and then `frontend_new` with `frontend_manifest`,
/// may take. Plugins start in milliseconds; this allows for a busy machine.
pub const START_TIMEOUT: Duration = Duration::from_secs(10);

/// Runs `work` on a thread of its own and waits for it until the timeout.
///
/// Nothing can stop a thread: after the timeout it keeps running, or blocking, until the process
/// ends, and its late result is dropped.
pub(crate) fn within<T: Send + 'static>(
    timeout: Duration,
    path: &Path,
    function: &'static str,
    work: impl FnOnce() -> Result<T, LoadError> + Send + 'static,
) -> Result<T, LoadError> {
    let (sender, receiver) = mpsc::sync_channel(1);
    let thread = thread::Builder::new().name("plugin-start".into()).spawn(move || {
        // The receiver is gone after the timeout.
        let _ = sender.send(work());
    });
    let thread = thread.map_err(|error| LoadError::Unreadable {
        path: path.into(),
        why: format!("cannot start a thread for it: {error}"),
    })?;
    match receiver.recv_timeout(timeout) {
        Ok(result) => result,
        Err(RecvTimeoutError::Timeout) => {
            Err(LoadError::TimedOut { path: path.into(), function, timeout })
        }
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Err(panic) => resume_unwind(panic),
            Ok(()) => unreachable!("the thread ends after it has sent its result"),
        },
    }
}
