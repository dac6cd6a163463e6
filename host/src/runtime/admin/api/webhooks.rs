//! Webhooks: what waits for their receivers, and sending it again.

use super::{Context, OnGateway, Routes};
use crate::admin::types::{Nothing, Page};
use crate::admin::{ListWebhooks, Problem, ReplayWebhook, ResumeWebhook};
use crate::webhooks::wire::{Begun, WebhookReport};

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes.on_gateway::<ListWebhooks>().on_gateway::<ReplayWebhook>().on_gateway::<ResumeWebhook>()
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
        begun(cx.state.webhooks.replay(&cx.path[0]))
    }
}

impl OnGateway for ResumeWebhook {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Begun, Problem> {
        begun(cx.state.webhooks.resume(&cx.path[0]))
    }
}
