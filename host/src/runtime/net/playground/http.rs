//! A session of the playground over HTTP: each request is an exchange of its own, and what others post
//! is asked for now and then.

use std::sync::{Arc, Weak};
use std::time::Duration;

use frontend_api::Peer;
use frontend_api::http::{Request, Response};
use tokio::time::sleep;

use super::{ADDRESS, Failure, dialects};
use crate::runtime::net::players::Player;
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::exchange::exchange;

/// How often messages are asked for.
const POLL_PERIOD: Duration = Duration::from_millis(500);

/// Sends a request; what passes is shown.
pub(super) async fn ask(
    state: &Arc<GatewayState>,
    player: &Player,
    request: &Request,
) -> Result<Response, Failure> {
    let now = || state.services.clock.now();
    player.log.push(now(), vec![player.masker.request(request)]);
    let response = ask_unseen(state, player, request).await?;
    player.log.push(now(), vec![player.masker.response(&response)]);
    Ok(response)
}

async fn ask_unseen(
    state: &Arc<GatewayState>,
    player: &Player,
    request: &Request,
) -> Result<Response, Failure> {
    let frontend = state.registry().named(&player.frontend).cloned();
    let frontend = frontend.filter(|frontend| frontend.down().is_none());
    let frontend = frontend.ok_or_else(|| format!("{} serves no more", player.frontend))?;
    let listener = dialects::listener(&frontend).map(|listener| listener.key);
    let peer = Peer {
        address: ADDRESS.to_string(),
        private_listener: true,
        listener: listener.unwrap_or_default(),
        ..Peer::default()
    };
    match exchange(&state.services, &frontend, ADDRESS, &peer, request).await {
        Ok(response) => Ok(response),
        Err(error) => {
            frontend.frontend.error_response(&error).map_err(|_| "the front end failed".to_owned())
        }
    }
}

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
