//! Moves the admin listener.

use std::sync::Arc;

use crate::config::{ListenAddress, is_in_the_way};
use crate::runtime::admin;
use crate::runtime::net::accept::retry_bind;
use crate::runtime::net::listener::BoundListener;
use crate::runtime::net::state::GatewayState;

/// False: the new listener could not be opened; the former stays, or the new one is retried.
pub(super) async fn apply(
    state: &Arc<GatewayState>,
    former: &Option<ListenAddress>,
    new: &Option<ListenAddress>,
) -> bool {
    if former == new {
        return true;
    }
    let before = close_if_in_the_way(state.registry().admin.clone(), new.as_ref()).await;
    let Some(address) = new else {
        state.change_registry(|registry| registry.admin = None);
        tracing::info!(key = "admin.listen", "the admin listener is closed");
        return true;
    };
    let listener = admin::listener(address.clone(), state);
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
    state.change_registry(|registry| registry.admin = Some(listener));
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
