//! SIGTERM, SIGINT and SIGHUP.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

pub(crate) struct Signals {
    terminate: Signal,
    interrupt: Signal,
    hangup: Signal,
}

/// What a signal asks of the gateway.
pub(crate) enum Asked {
    ToEnd(End),
    /// However often it came since it was last looked.
    ToReload,
}

/// A signal that asks the gateway to end.
pub(crate) struct End {
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

    pub(crate) async fn next(&mut self) -> Asked {
        let Self { terminate, interrupt, hangup } = self;
        tokio::select! {
            biased;
            end = end(terminate, interrupt) => Asked::ToEnd(end),
            _ = hangup.recv() => Asked::ToReload,
        }
    }

    /// The next that asks the gateway to end. Others wait.
    pub(crate) async fn end(&mut self) -> End {
        end(&mut self.terminate, &mut self.interrupt).await
    }
}

async fn end(terminate: &mut Signal, interrupt: &mut Signal) -> End {
    tokio::select! {
        _ = terminate.recv() => {
            End { name: "SIGTERM", number: SignalKind::terminate().as_raw_value() }
        }
        _ = interrupt.recv() => {
            End { name: "SIGINT", number: SignalKind::interrupt().as_raw_value() }
        }
    }
}
