//! Reads `api_keys_file` again when it changes.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::spawn_blocking;

use crate::runtime::net::state::GatewayState;

/// Between two looks at the files.
const LOOK_PERIOD: Duration = Duration::from_secs(1);

/// Looks at the files of all front ends until the gateway drains.
pub(crate) async fn watch(state: Arc<GatewayState>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(LOOK_PERIOD) => (),
            () = state.shutdown.draining() => return,
        }
        let registry = state.registry();
        let frontends = registry.frontends.iter().filter(|one| one.api_keys.has_file());
        let frontends: Vec<_> = frontends.cloned().collect();
        drop(registry);
        if frontends.is_empty() {
            continue;
        }
        let looking = spawn_blocking(move || {
            frontends.iter().for_each(|frontend| frontend.api_keys.look_at_file(&frontend.name));
        });
        // A panic is in the log; the files are looked at again.
        let _ = looking.await;
    }
}
