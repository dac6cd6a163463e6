//! A session of the playground over HTTP: each request is an exchange of its own.

use std::sync::Arc;

use frontend_api::Peer;
use frontend_api::http::{Request, Response};

use super::{ADDRESS, Failure};
use crate::runtime::net::players::Player;
use crate::runtime::net::state::GatewayState;
use crate::runtime::session::exchange::exchange;

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

pub(super) async fn ask_unseen(
    state: &Arc<GatewayState>,
    player: &Player,
    request: &Request,
) -> Result<Response, Failure> {
    let frontend = state.registry().named(&player.frontend).cloned();
    let frontend = frontend.filter(|frontend| frontend.down().is_none());
    let frontend = frontend.ok_or_else(|| format!("{} serves no more", player.frontend))?;
    let peer = Peer {
        address: ADDRESS.to_string(),
        private_listener: true,
        listener: player.listener.clone(),
        ..Peer::default()
    };
    match exchange(&state.services, &frontend, ADDRESS, &peer, request).await {
        Ok(answer) => Ok(answer.response),
        Err(error) => {
            frontend.frontend.error_response(&error).map_err(|_| "the front end failed".to_owned())
        }
    }
}
