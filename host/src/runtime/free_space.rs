//! Watches the free space of the store's file system. Below a floor messages are refused, so that
//! the engine does not fail in the middle of a write.

use std::sync::Arc;
use std::time::Duration;

use crate::disk_space::free_bytes;
use crate::runtime::net::state::GatewayState;

/// Between two looks.
const PERIOD: Duration = Duration::from_secs(1);

/// Notes whether there is too little space, and logs a change.
pub(crate) fn check(state: &GatewayState, min: u64) {
    let services = &state.services;
    // A file system that cannot be asked is no reason to refuse messages.
    let store = services.store.display();
    let free = free_bytes(&services.store);
    let was_unknown = services.set_unknown_space(free.is_err());
    let free = match free {
        Ok(free) => free,
        Err(error) => {
            if !was_unknown {
                tracing::warn!(
                    %store,
                    "cannot tell the free space of the store's file system, so [store] \
                     free_space_min has no effect: {error}"
                );
            }
            return;
        }
    };
    let is_low = free < min;
    if services.set_low_space(is_low) == is_low {
        return;
    }
    if is_low {
        tracing::error!(
            %store,
            free,
            min,
            "too little space for the store; messages are refused until there is more than \
             [store] free_space_min"
        );
    } else {
        tracing::info!(%store, free, min, "there is space for the store again; messages are accepted");
    }
}

/// Checks until the gateway drains.
pub(crate) async fn watch(state: Arc<GatewayState>, min: u64) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(PERIOD) => check(&state, min),
            () = state.shutdown.draining() => return,
        }
    }
}
