//! Asks for what others post, where it is not pushed.

use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::sleep;

use super::dialects;
use super::http::ask_unseen;
use crate::runtime::net::players::Player;
use crate::runtime::net::state::GatewayState;

/// How often messages are asked for.
const POLL_PERIOD: Duration = Duration::from_millis(500);

/// Asks for messages while the session lasts, and shows the answers that have something new.
pub(super) fn follow(state: &Arc<GatewayState>, player: &Arc<Player>) {
    let (gateway, player) = (state.clone(), Arc::downgrade(player));
    state.spawn_background(async move {
        tokio::select! {
            () = gateway.shutdown.draining() => (),
            () = poll(&gateway, player) => (),
        }
    });
}

async fn poll(state: &Arc<GatewayState>, player: Weak<Player>) {
    let mut shown = Vec::new();
    loop {
        sleep(POLL_PERIOD).await;
        let Some(player) = player.upgrade() else { return };
        let Some(request) = dialects::poll(&player) else { continue };
        let Ok(response) = ask_unseen(state, &player, &request).await else { continue };
        if dialects::has_messages(&response) && response.body != shown {
            let now = state.services.clock.now();
            let frames = vec![player.masker.request(&request), player.masker.response(&response)];
            player.log.push(now, frames);
            shown = response.body;
        }
    }
}
