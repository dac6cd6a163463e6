//! What systemd, or another supervisor that speaks its protocol (sd_notify(3)), learns of the gateway.
//! Without `NOTIFY_SOCKET` in the environment nothing is sent.

use std::io;
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::ffi::OsStrExt as _;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use sd_notify::{NotifyState, notify, watchdog_enabled};

/// The gateway serves, or has finished a reload. `status` is for `systemctl status`.
pub fn ready(status: &str) {
    send(&[NotifyState::Ready, NotifyState::Status(status)]);
}

/// What the gateway does before it is ready.
pub fn starting(status: &str) {
    send(&[NotifyState::Status(status)]);
}

/// A reload begins; [`ready`] ends it, whatever comes of it.
pub fn reloading() {
    let mut states = vec![NotifyState::Reloading, NotifyState::Status("reading the configuration")];
    // Without the time, systemd does not know which reload this is about, and fails the service.
    match NotifyState::monotonic_usec_now() {
        Ok(now) => states.insert(1, now),
        Err(error) => log_failure(&error),
    }
    send(&states);
}

/// The gateway drains, and will exit.
pub fn stopping() {
    send(&[NotifyState::Stopping, NotifyState::Status("closing connections in order")]);
}

/// The gateway makes progress.
pub fn alive() {
    send(&[NotifyState::Watchdog]);
}

/// How long the supervisor waits for [`alive`] before it kills the gateway (`WatchdogSec=`). `None`:
/// it does not.
pub fn watchdog_timeout() -> Option<Duration> {
    watchdog_enabled()
}

fn send(states: &[NotifyState<'_>]) {
    let socket = std::env::var_os("NOTIFY_SOCKET").unwrap_or_default();
    // sd-notify knows sockets in the file system only.
    let sent = match socket.as_bytes().strip_prefix(b"@") {
        Some(name) => send_to_abstract(name, states),
        None => notify(states),
    };
    if let Err(error) = sent {
        log_failure(&error);
    }
}

/// Sends to a socket outside of the file system (unix(7), abstract).
fn send_to_abstract(name: &[u8], states: &[NotifyState<'_>]) -> io::Result<()> {
    let address = SocketAddr::from_abstract_name(name)?;
    let message: String = states.iter().map(|state| format!("{state}\n")).collect();
    UnixDatagram::unbound()?.send_to_addr(message.as_bytes(), &address).map(drop)
}

/// Once: the watchdog would repeat it several times a minute.
fn log_failure(error: &io::Error) {
    static IS_LOGGED: AtomicBool = AtomicBool::new(false);
    if !IS_LOGGED.swap(true, Ordering::Relaxed) {
        tracing::warn!("cannot notify the supervisor at NOTIFY_SOCKET: {error}");
    }
}
