//! The configuration: where it is, what a reload would do, and reloading it.

use std::path::Path;

use super::{Context, OnGateway, Routes};
use crate::admin::types::{
    ConfigChoice, ConfigLayer, ConfigPlan, ConfigState, ConfigText, EffectiveKey, Nothing, Page,
};
use crate::admin::{
    ApplyConfig, CheckConfig, ListConfig, PlanConfig, Problem, RollBackConfig, ShowConfig,
};
use crate::config::{Pasted, ShownKey, ValueSource, WhichConfig};
use crate::runtime::net::state::{ConfigAction, ConfigSource, GatewayState};

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes
        .on_gateway::<ShowConfig>()
        .on_gateway::<ListConfig>()
        .on_gateway::<PlanConfig>()
        .on_gateway::<CheckConfig>()
        .on_gateway::<ApplyConfig>()
        .on_gateway::<RollBackConfig>()
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
        ask(&cx.state, which(choice)?, ConfigAction::Plan).await
    }
}

impl OnGateway for ApplyConfig {
    async fn run(cx: Context, _: Nothing, choice: ConfigChoice) -> Result<ConfigPlan, Problem> {
        ask(&cx.state, which(choice)?, ConfigAction::Apply).await
    }
}

impl OnGateway for CheckConfig {
    async fn run(cx: Context, _: Nothing, body: ConfigText) -> Result<ConfigPlan, Problem> {
        let registry = cx.state.registry();
        let frontends = registry.frontends.iter();
        let plugins = frontends.filter_map(|one| one.instance().plugin_path().map(Path::to_owned));
        let pasted = Pasted { text: body.text, plugins: plugins.collect() };
        ask(&cx.state, WhichConfig::Pasted(pasted), ConfigAction::Check).await
    }
}

impl OnGateway for RollBackConfig {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<ConfigPlan, Problem> {
        ask(&cx.state, WhichConfig::Own, ConfigAction::RollBack).await
    }
}

impl OnGateway for ListConfig {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Page<EffectiveKey>, Problem> {
        let shown = cx.state.effective.load_full().ok_or_else(no_file)?;
        Ok(Page { items: shown.keys.iter().map(effective).collect(), next: None })
    }
}

fn effective(shown: &ShownKey) -> EffectiveKey {
    EffectiveKey {
        key: shown.key.clone(),
        value: shown.value.clone(),
        layer: match shown.source {
            ValueSource::Default => ConfigLayer::Default,
            ValueSource::File { .. } => ConfigLayer::File,
            ValueSource::Environment(_) => ConfigLayer::Environment,
            ValueSource::Set => ConfigLayer::CommandLine,
        },
        from: shown.source.to_string(),
        secret: shown.is_secret,
    }
}

/// Has the task of the gateway do it, which reads the configuration at SIGHUP too.
async fn ask(
    state: &GatewayState,
    which: WhichConfig,
    action: ConfigAction,
) -> Result<ConfigPlan, Problem> {
    let asked = source(state)?.ask(action, which).await;
    asked.unwrap_or_else(|| Err(Problem::new(503, "draining", "the gateway is shutting down")))
}

fn which(ConfigChoice { file }: ConfigChoice) -> Result<WhichConfig, Problem> {
    match file {
        Some(name) => check_name(&name).map(|()| WhichConfig::Beside(name)),
        None => Ok(WhichConfig::Own),
    }
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
    ))
    .about(&["file"]))
}

fn source(state: &GatewayState) -> Result<ConfigSource, Problem> {
    state.config_source().ok_or_else(no_file)
}

fn no_file() -> Problem {
    Problem::new(409, "conflict", "this gateway was started without a configuration file")
}

/// The path without symbolic links, as far as it is there.
fn absolute(path: &Path) -> String {
    let path = path.canonicalize().or_else(|_| std::path::absolute(path));
    path.map(|path| path.display().to_string()).unwrap_or_default()
}
