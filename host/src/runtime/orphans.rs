//! The duty of process 1, which the gateway is in a container: it inherits processes whose parent has
//! ended, as those of `docker exec`, and they stay as zombies until it waits for them.

use std::sync::Arc;

use rustix::process::{WaitOptions, getpid, wait};
use tokio::signal::unix::{SignalKind, signal};

use crate::runtime::net::state::GatewayState;

/// Whether this process inherits those of others.
pub(crate) fn are_inherited() -> bool {
    getpid().is_init()
}

/// Waits for orphans until the gateway stops. The gateway itself starts no process.
pub(crate) async fn reap(state: Arc<GatewayState>) {
    let mut ended = match signal(SignalKind::child()) {
        Ok(ended) => ended,
        Err(error) => return tracing::warn!("cannot wait for orphaned processes: {error}"),
    };
    loop {
        // Some may have ended before the signal was watched, and one signal may stand for several.
        while let Ok(Some((pid, _))) = wait(WaitOptions::NOHANG) {
            tracing::debug!(pid = pid.as_raw_nonzero().get(), "an orphaned process has ended");
        }
        tokio::select! {
            _ = ended.recv() => (),
            () = state.shutdown.stopping() => return,
        }
    }
}
