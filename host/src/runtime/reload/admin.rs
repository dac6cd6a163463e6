//! Moves the admin listeners.

use std::sync::Arc;

use crate::config::{AdminConfig, ListenAddress, is_in_the_way};
use crate::runtime::admin;
use crate::runtime::net::accept::retry_bind;
use crate::runtime::net::listener::BoundListener;
use crate::runtime::net::registry::FrontendRegistry;
use crate::runtime::net::state::GatewayState;

/// One of the two listeners: where it is kept, and the key of its address.
struct Slot {
    key: &'static str,
    of: fn(&mut FrontendRegistry) -> &mut Option<Arc<BoundListener>>,
}

const PLAIN: Slot = Slot { key: "admin.listen", of: |registry| &mut registry.admin };
const TLS: Slot = Slot { key: "admin.tls_listen", of: |registry| &mut registry.admin_tls };

/// Returns why a new listener could not be opened; the former stays, or the new one is retried. `new`
/// is what is in effect then.
pub(super) async fn apply(
    state: &Arc<GatewayState>,
    former: &AdminConfig,
    new: &mut AdminConfig,
) -> Vec<String> {
    let listener = || new.listen.clone().map(|address| admin::listener(address, state));
    let plain =
        former.listen == new.listen || replace(state, PLAIN, new.listen.as_ref(), listener).await;
    let address = |config: &AdminConfig| config.tls_listen.clone().map(|(address, _)| address);
    let tls = if address(former) == address(new) {
        replace_certificate(state, new);
        true
    } else {
        let listener = || {
            let (address, tls) = new.tls_listen.clone()?;
            Some(admin::tls_listener(address, &tls, state))
        };
        replace(state, TLS, address(new).as_ref(), listener).await
    };
    if !plain {
        new.listen.clone_from(&former.listen);
    }
    if !tls {
        new.tls_listen.clone_from(&former.tls_listen);
    }
    let failed = [(PLAIN.key, plain), (TLS.key, tls)].into_iter().filter(|(_, done)| !done);
    failed.map(|(key, _)| format!("{key}: cannot listen there; the log says why")).collect()
}

/// Serves what `admin.tls` names now at the address that stays.
fn replace_certificate(state: &GatewayState, new: &AdminConfig) {
    let registry = state.registry();
    if let (Some(listener), Some((_, tls))) = (&registry.admin_tls, &new.tls_listen) {
        let set = listener.set_options(admin::tls_options(tls));
        debug_assert!(set.is_ok(), "it has no file");
    }
}

async fn replace(
    state: &Arc<GatewayState>,
    slot: Slot,
    new: Option<&ListenAddress>,
    listener: impl FnOnce() -> Option<Arc<BoundListener>>,
) -> bool {
    let mut registry = FrontendRegistry::clone(&state.registry());
    let before = close_if_in_the_way((slot.of)(&mut registry).take(), new).await;
    let Some(listener) = listener() else {
        state.change_registry(|registry| *(slot.of)(registry) = None);
        tracing::info!(key = slot.key, "the admin listener is closed");
        return true;
    };
    let opened = admin::open(&listener, state);
    if let Err(error) = &opened {
        listener.log_bind_error(error);
        if before.is_some() {
            return false;
        }
        state.spawn(retry_bind(listener.clone(), state.clone(), admin::open));
    } else if let Some(before) = before {
        before.close();
        before.until_closed().await;
    }
    state.change_registry(|registry| *(slot.of)(registry) = Some(listener));
    opened.is_ok()
}

/// Returns the former listener if it can stay open beside the new one.
async fn close_if_in_the_way(
    before: Option<Arc<BoundListener>>,
    new: Option<&ListenAddress>,
) -> Option<Arc<BoundListener>> {
    let before = before?;
    let fits =
        |new: &ListenAddress| !before.bound().is_some_and(|bound| is_in_the_way(&bound, new));
    if new.is_some_and(fits) {
        return Some(before);
    }
    before.close();
    before.until_closed().await;
    None
}
