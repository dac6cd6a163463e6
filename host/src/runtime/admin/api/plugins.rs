//! The plugins that are loaded.

use super::frontend_detail::kinds;
use super::{Context, OnGateway, Routes};
use crate::admin::types::{Nothing, Page, PluginState, ServingState};
use crate::admin::{ListPlugins, Problem};
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::metrics::FaultKind;
use crate::runtime::net::registry::FrontendRegistry;

pub(super) fn route(routes: Routes<'_>) -> Routes<'_> {
    routes.on_gateway::<ListPlugins>()
}

impl OnGateway for ListPlugins {
    async fn run(cx: Context, _: Nothing, _: Nothing) -> Result<Page<PluginState>, Problem> {
        let registry = cx.state.registry();
        let plugins = registry.frontends.iter().filter_map(|one| plugin(&registry, one));
        Ok(Page { items: plugins.collect(), next: None })
    }
}

fn plugin(registry: &FrontendRegistry, frontend: &FrontendHandle) -> Option<PluginState> {
    let instance = frontend.instance();
    let path = instance.plugin_path()?.display().to_string();
    let (manifest, metrics) = (frontend.frontend.manifest(), &frontend.metrics);
    let kind = |(kind, word): (FaultKind, &'static str)| (word, metrics.plugin_faults(kind));
    let down = frontend.down().map(|why| why.to_string());
    Some(PluginState {
        frontend: frontend.name.clone(),
        path,
        dialect: manifest.dialect.clone(),
        title: manifest.title.clone(),
        version: manifest.version.clone(),
        state: match &down {
            Some(_) => ServingState::Down,
            None if registry.is_listening(frontend) => ServingState::Serving,
            None => ServingState::NotListening,
        },
        down,
        newer: instance.is_newer(),
        faults: metrics.panics.count(),
        faults_by_kind: kinds(FaultKind::ALL.into_iter().map(kind)),
        encoding_faults: metrics.encoding_faults.count(),
        connections: frontend.connections.count(),
    })
}
