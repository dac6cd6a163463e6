//! SIGTERM, SIGINT and SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal requests.
pub(crate) enum SignalRequest {
    Shutdown(ShutdownSignal),
    /// Signals that came since the last one was handled count as one.
    Reload,
}

/// SIGTERM or SIGINT.
pub(crate) struct ShutdownSignal {
    pub(crate) name: &'static str,
    pub(crate) number: i32,
}

impl Signals {
    pub(crate) fn install() -> io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hangup: signal(SignalKind::hangup())?,
        })
    }

    pub(crate) async fn next(&mut self) -> SignalRequest {
        let Self { terminate, interrupt, hangup } = self;
        tokio::select! {
            biased;
            signal = shutdown(terminate, interrupt) => SignalRequest::Shutdown(signal),
            _ = hangup.recv() => SignalRequest::Reload,
        }
    }

    /// The next signal to shut down. A reload waits.
    pub(crate) async fn shutdown(&mut self) -> ShutdownSignal {
        shutdown(&mut self.terminate, &mut self.interrupt).await
    }
}

async fn shutdown(terminate: &mut Signal, interrupt: &mut Signal) -> ShutdownSignal {
    tokio::select! {
        _ = terminate.recv() => {
            ShutdownSignal { name: "SIGTERM", number: SignalKind::terminate().as_raw_value() }
        }
        _ = interrupt.recv() => {
            ShutdownSignal { name: "SIGINT", number: SignalKind::interrupt().as_raw_value() }
        }
    }
}
