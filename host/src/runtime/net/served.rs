//! The documents of a front end, which name the servers at which it is served now.

use std::sync::Arc;

use frontend_api::schema::{Document, Server};

use crate::config::server;
use crate::runtime::frontends::guarded::Panicked;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::net::registry::FrontendRegistry;

pub(crate) fn documents(
    registry: &FrontendRegistry,
    frontend: &FrontendHandle,
) -> Result<Arc<[Document]>, Panicked> {
    frontend.documents_at(servers(registry, frontend))
}

/// Where clients reach the open listeners of a front end.
fn servers(registry: &FrontendRegistry, frontend: &FrontendHandle) -> Vec<Server> {
    let mut servers = Vec::new();
    for listener in &registry.listeners {
        let Some(bound) = listener.bound() else { continue };
        let is_encrypted = listener.acceptance().tls.is_some();
        let bindings = listener.bindings();
        for binding in bindings.iter().filter(|one| one.frontend.index() == frontend.index()) {
            let url = binding.public_url.as_ref();
            let server = server(&binding.listener, &bound, is_encrypted, url);
            servers.extend(server.filter(|server| !servers.contains(server)));
        }
    }
    servers
}
