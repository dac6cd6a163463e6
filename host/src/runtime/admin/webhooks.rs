//! The part of the admin listener by which `dragoman webhook` reaches a running gateway.

use hyper::StatusCode;

use crate::runtime::net::state::GatewayState;
use crate::webhooks::wire::{Begun, Webhooks, Which};

/// A status and a sentence.
type Refused = (StatusCode, String);

/// What a request asks for.
pub(super) enum WebhookAction {
    List,
    Replay(Which),
    Resume(Which),
}

pub(super) fn carry_out(
    state: &GatewayState,
    action: &WebhookAction,
) -> Result<serde_json::Value, Refused> {
    let webhooks = &state.webhooks;
    let begun = match action {
        WebhookAction::List => {
            let reports = webhooks
                .reports(&state.services)
                .map_err(|refusal| (StatusCode::SERVICE_UNAVAILABLE, refusal.to_string()))?;
            return Ok(plain(&Webhooks { webhooks: reports }));
        }
        WebhookAction::Replay(Which { name }) => webhooks.replay(name),
        WebhookAction::Resume(Which { name }) => webhooks.resume(name),
    };
    let dead_letters = begun.map_err(|why| (StatusCode::CONFLICT, why))?;
    Ok(plain(&Begun { dead_letters }))
}

fn plain(report: &impl serde::Serialize) -> serde_json::Value {
    serde_json::to_value(report).expect("a report is plain data")
}
