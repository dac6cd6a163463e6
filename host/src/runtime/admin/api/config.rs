//! The configuration: where it is, what a reload would do, and reloading it.

use std::path::Path;

use super::{Context, OnGateway, Routes};
use crate::admin::types::{ConfigChoice, ConfigPlan, ConfigState, Nothing};
use crate::admin::{ApplyConfig, PlanConfig, Problem, ShowConfig};
use crate::runtime::net::state::{ConfigAction, ConfigSource, GatewayState};

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes.on_gateway::<ShowConfig>().on_gateway::<PlanConfig>().on_gateway::<ApplyConfig>()
}

impl OnGateway for ShowConfig {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<ConfigState, Problem> {
        let source = source(&cx.state)?;
        let registry = cx.state.registry();
        let admin = registry.admin.iter().chain(&registry.admin_tls);
        let bound = registry.listeners.iter().chain(admin).filter_map(|listener| listener.bound());
        Ok(ConfigState {
            file: std::path::absolute(&source.file).unwrap_or(source.file).display().to_string(),
            store: absolute(&cx.state.services.store),
            listening: bound.map(|address| address.to_string()).collect(),
            restart: registry.restart.iter().map(|key| (*key).to_owned()).collect(),
        })
    }
}

impl OnGateway for PlanConfig {
    async fn run(cx: Context, choice: ConfigChoice, _: Nothing) -> Result<ConfigPlan, Problem> {
        ask(&cx.state, choice, ConfigAction::Plan).await
    }
}

impl OnGateway for ApplyConfig {
    async fn run(cx: Context, _: Nothing, choice: ConfigChoice) -> Result<ConfigPlan, Problem> {
        ask(&cx.state, choice, ConfigAction::Apply).await
    }
}

/// Has the task of the gateway do it, which reads the configuration at SIGHUP too.
async fn ask(
    state: &GatewayState,
    ConfigChoice { file }: ConfigChoice,
    action: ConfigAction,
) -> Result<ConfigPlan, Problem> {
    if let Some(name) = &file {
        check_name(name)?;
    }
    let asked = source(state)?.ask(action, file).await;
    asked.unwrap_or_else(|| Err(Problem::new(503, "draining", "the gateway is shutting down")))
}

/// Only who may write to the folder of gateway.toml may have another configuration read.
fn check_name(name: &str) -> Result<(), Problem> {
    let is_plain = !name.contains(['/', '\0']) && !name.starts_with("..");
    if is_plain && name.ends_with(".toml") {
        return Ok(());
    }
    Err(Problem::invalid(format!(
        "{name:?} is no file in the folder of gateway.toml; give the name of one that ends in .toml, \
         without a folder"
    )))
}

fn source(state: &GatewayState) -> Result<ConfigSource, Problem> {
    state.config_source().ok_or_else(|| {
        Problem::new(409, "conflict", "this gateway was started without a configuration file")
    })
}

/// The path without symbolic links, as far as it is there.
fn absolute(path: &Path) -> String {
    let path = path.canonicalize().or_else(|_| std::path::absolute(path));
    path.map(|path| path.display().to_string()).unwrap_or_default()
}
