//! Keeps the index that searches for messages use: a step reads full blocks of messages on a thread
//! that may block, and has the engine store their signatures.

use std::sync::Arc;
use std::time::Duration;

use core_model::Command;

use crate::runtime::net::state::GatewayState;
use crate::runtime::session::services::Services;

/// Between two looks when everything is indexed: what is newer is searched message by message.
const PERIOD: Duration = Duration::from_secs(5);

/// Between two steps while there is more. A step reads four thousand messages in some ten
/// milliseconds, so that an index of a large store is made at a fifth of a core.
const PAUSE: Duration = Duration::from_millis(50);

/// Makes the index and keeps it until the gateway drains.
pub(crate) async fn run(state: Arc<GatewayState>) {
    let mut pause = PAUSE;
    loop {
        tokio::select! {
            () = tokio::time::sleep(pause) => (),
            () = state.shutdown.draining() => return,
        }
        pause = if step(&state.services).await { PAUSE } else { PERIOD };
    }
}

/// One step. Whether there may be more to do at once.
async fn step(services: &Arc<Services>) -> bool {
    // Posts come first.
    let is_other = !services.is_steward() || services.is_cut_off();
    if is_other || services.engine.failure().is_some() || services.is_behind() {
        return false;
    }
    let engine = services.engine.clone();
    let made = tokio::task::spawn_blocking(move || engine.next_signatures()).await;
    match made {
        Ok(Ok(Some(command))) => {
            services.submit_internal(Command::Admin(Box::new(command))).await.is_ok()
        }
        Ok(Ok(None)) => false,
        // The engine has noted the failure.
        Ok(Err(_)) => false,
        Err(error) => {
            tracing::warn!("messages are not indexed now: {error}");
            false
        }
    }
}
