//! Which front end behind a listener gets a request.

use std::sync::Arc;

use crate::runtime::frontends::documents::document_name;
use crate::runtime::net::listener::ListenerBinding;

pub(super) struct Route<'a> {
    pub(super) binding: &'a Arc<ListenerBinding>,
    /// The document of its front end at this path; empty for the list of documents.
    pub(super) document: Option<&'a str>,
}

/// The front end whose documents are at this path, else the one with this path, else one that
/// takes every path, else the first. WebSocket listeners get upgrades, HTTP listeners the rest; but
/// an HTTP listener also gets the upgrades of its paths for them.
pub(super) fn route<'a>(
    bindings: &'a [Arc<ListenerBinding>],
    path: &'a str,
    upgrade: bool,
) -> Route<'a> {
    if !upgrade {
        for binding in bindings {
            if let Some(name) = document_name(&binding.frontend, path) {
                return Route { binding, document: Some(name) };
            }
        }
    }
    if upgrade
        && let Some(binding) =
            bindings.iter().find(|one| !one.is_websocket() && one.is_websocket_at(path))
    {
        return Route { binding, document: None };
    }
    let upgrade = upgrade && bindings.iter().any(|binding| binding.is_websocket());
    let fitting = || bindings.iter().filter(|binding| binding.is_websocket() == upgrade);
    let found = fitting()
        .find(|binding| binding.has_path(path))
        .or_else(|| fitting().find(|binding| binding.listener.routes.is_empty()))
        .or_else(|| fitting().next());
    Route { binding: found.unwrap_or(&bindings[0]), document: None }
}
