//! The front ends: which serve, and having them stop and go on.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::timeout;

use super::{Context, OnGateway, Routes};
use crate::admin::types::{FrontendState, Nothing, Page, Reason};
use crate::admin::{
    DisableFrontend, DrainFrontend, EnableFrontend, ListFrontends, Problem, check_reason,
};
use crate::nearest::did_you_mean;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::accept;
use crate::runtime::net::listener::BoundListener;
use crate::runtime::net::state::GatewayState;

/// How long the listeners of a disabled front end may take to close.
const CLOSE_TIMEOUT: Duration = Duration::from_secs(2);

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes
        .on_gateway::<ListFrontends>()
        .on_gateway::<DisableFrontend>()
        .on_gateway::<EnableFrontend>()
        .on_gateway::<DrainFrontend>()
}

fn report(state: &GatewayState, frontend: &FrontendHandle) -> FrontendState {
    let registry = state.registry();
    let own = listeners(state, frontend).into_iter();
    let bound = own.filter_map(|listener| listener.bound());
    FrontendState {
        name: frontend.name.clone(),
        dialect: frontend.frontend.manifest().dialect.clone(),
        serving: registry.is_listening(frontend),
        down: frontend.down().map(|why| why.to_string()),
        connections: frontend.connections.count(),
        listening: bound.map(|address| address.to_string()).collect(),
    }
}

pub(super) fn named(cx: &Context) -> Result<Arc<FrontendHandle>, Problem> {
    find(&cx.state, &cx.path[0])
}

/// The front end with this name.
pub(super) fn find(state: &GatewayState, name: &str) -> Result<Arc<FrontendHandle>, Problem> {
    let registry = state.registry();
    let found = registry.named(name).cloned();
    found.ok_or_else(|| {
        let names = registry.frontends.iter().map(|one| one.name.as_str());
        let near = did_you_mean(name, names.clone());
        let names = names.collect::<Vec<_>>().join(", ");
        let detail = format!("there is no front end {name:?}{near}; there are {names}");
        Problem::new(404, "unknown", detail).about(&["frontend"])
    })
}

pub(super) fn listeners(
    state: &GatewayState,
    frontend: &FrontendHandle,
) -> Vec<Arc<BoundListener>> {
    let registry = state.registry();
    let leads_to = |listener: &&Arc<BoundListener>| listener.leads_to(frontend);
    registry.listeners.iter().filter(leads_to).cloned().collect()
}

impl OnGateway for ListFrontends {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Page<FrontendState>, Problem> {
        let registry = cx.state.registry();
        let items = registry.frontends.iter().map(|frontend| report(&cx.state, frontend));
        Ok(Page { items: items.collect(), next: None })
    }
}

impl OnGateway for DisableFrontend {
    async fn run(
        cx: Context,
        _: Nothing,
        Reason { reason }: Reason,
    ) -> Result<FrontendState, Problem> {
        let frontend = named(&cx)?;
        check_reason(&reason)?;
        let because = if reason.is_empty() { String::new() } else { format!(": {reason}") };
        frontend.instance().disable(&format!("an operator has disabled it{because}"));
        for listener in listeners(&cx.state, &frontend) {
            // A listener that another front end shares stays open.
            if listener.bindings().iter().all(|binding| binding.frontend.down().is_some()) {
                drop(timeout(CLOSE_TIMEOUT, listener.until_closed()).await);
            }
        }
        Ok(report(&cx.state, &frontend))
    }
}

impl OnGateway for EnableFrontend {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<FrontendState, Problem> {
        let frontend = named(&cx)?;
        frontend.instance().enable();
        for listener in listeners(&cx.state, &frontend) {
            if listener.bound().is_some() {
                continue;
            }
            if let Err(error) = accept::open(&listener, &cx.state) {
                listener.log_bind_error(&error);
                let retry = accept::retry_bind(listener, cx.state.clone(), accept::open);
                cx.state.spawn(retry);
            }
        }
        Ok(report(&cx.state, &frontend))
    }
}

impl OnGateway for DrainFrontend {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<FrontendState, Problem> {
        let frontend = named(&cx)?;
        frontend.instance().close_streams();
        Ok(report(&cx.state, &frontend))
    }
}
