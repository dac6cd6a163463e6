//! SIGTERM and SIGINT.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

/// A signal that asks the gateway to end.
pub(super) struct Asked {
    pub(super) name: &'static str,
    pub(super) number: i32,
}

impl Signals {
    pub(super) fn install() -> io::Result<Self> {
        let terminate = signal(SignalKind::terminate())?;
        Ok(Self { terminate, interrupt: signal(SignalKind::interrupt())? })
    }

    pub(super) async fn next(&mut self) -> Asked {
        tokio::select! {
            _ = self.terminate.recv() => {
                Asked { name: "SIGTERM", number: SignalKind::terminate().as_raw_value() }
            }
            _ = self.interrupt.recv() => {
                Asked { name: "SIGINT", number: SignalKind::interrupt().as_raw_value() }
            }
        }
    }
}
