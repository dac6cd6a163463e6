//! Webhooks: what waits for their receivers, and sending it again.

use super::{Context, OnGateway, Routes};
use crate::admin::types::{Nothing, Page};
use crate::admin::{ListWebhooks, Problem, ReplayWebhook, ResumeWebhook};
use crate::nearest::did_you_mean;
use crate::webhooks::wire::{Begun, WebhookReport};

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes.on_gateway::<ListWebhooks>().on_gateway::<ReplayWebhook>().on_gateway::<ResumeWebhook>()
}

/// Refuses the name of a webhook that there is not.
fn known(cx: &Context) -> Result<(), Problem> {
    let (wanted, names) = (&cx.path[0], cx.state.webhooks.names());
    if names.contains(wanted) {
        return Ok(());
    }
    let near = did_you_mean(wanted, names.iter().map(String::as_str));
    let there = match names.as_slice() {
        [] => "there are no [[webhooks]] in the configuration".to_owned(),
        names => format!("there are {}", names.join(", ")),
    };
    let detail = format!("there is no webhook {wanted:?}{near}; {there}");
    Err(Problem::new(404, "unknown", detail).about(&["webhook"]))
}

fn begun(dead_letters: Result<u32, String>) -> Result<Begun, Problem> {
    let dead_letters = dead_letters.map_err(|why| Problem::new(409, "conflict", why))?;
    Ok(Begun { dead_letters })
}

impl OnGateway for ListWebhooks {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Page<WebhookReport>, Problem> {
        let reports = cx.state.webhooks.reports(&cx.state.services);
        let failed = |refusal: core_model::Refusal| Problem::new(503, "store", refusal.to_string());
        Ok(Page { items: reports.map_err(failed)?, next: None })
    }
}

impl OnGateway for ReplayWebhook {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Begun, Problem> {
        known(&cx)?;
        begun(cx.state.webhooks.replay(&cx.path[0]))
    }
}

impl OnGateway for ResumeWebhook {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Begun, Problem> {
        known(&cx)?;
        begun(cx.state.webhooks.resume(&cx.path[0]))
    }
}
