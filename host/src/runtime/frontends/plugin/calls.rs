//! Calls into a plugin, which may block although the contract forbids it: it must never hold all
//! network threads for long.
//!
//! tokio's `block_in_place` hands a thread's other tasks to another thread first, at some
//! microseconds, more than most calls take. So calls are made directly, and the
//! [`stall_watchdog`] lets other tasks go on when one takes long; for a while afterwards, all
//! calls are made in `block_in_place`.

use std::sync::Arc;

use core_model::{ConnectionId, Person, Recorded, Timestamp};
use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use frontend_api::{Broadcast, Frontend, Input, Manifest, Outbox, Peer, Session};
use plugin_loader::{LoadedFrontend, LoadedSession};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::runtime::frontends::plugin::stall_watchdog;

/// A front end that was loaded from a plugin.
pub(crate) struct PluginFrontend(pub(crate) Arc<LoadedFrontend>);

impl Frontend for PluginFrontend {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        Box::new(PluginSession(Some(watched(|| self.0.session(peer)))))
    }

    /// Called by the hub: while it blocks, all connections wait for their events.
    fn broadcast(&self, event: &Recorded) -> Broadcast {
        watched(|| self.0.broadcast(event))
    }

    /// Called by the hub too.
    fn account_made(&self, account: &Person) -> Vec<ConnectionId> {
        watched(|| self.0.account_made(account))
    }

    fn schemas(&self) -> Vec<Document> {
        blocking(|| self.0.schemas())
    }

    fn fault(&self, fault: &HttpError) -> Response {
        watched(|| self.0.fault(fault))
    }
}

/// Always `Some`, until `drop` takes the session out to end it in `block_in_place`.
struct PluginSession(Option<LoadedSession>);

impl Session for PluginSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        if let Some(session) = &mut self.0 {
            watched(|| session.handle(now, input, out));
        }
    }

    fn has_failed(&self) -> bool {
        self.0.as_ref().is_some_and(|session| session.has_failed())
    }
}

/// Always runs in `block_in_place`: closing a session wakes the hub, and a task in tokio's LIFO
/// slot cannot be stolen by another worker.
impl Drop for PluginSession {
    fn drop(&mut self) {
        blocking(|| drop(self.0.take()));
    }
}

fn watched<T>(call: impl FnOnce() -> T) -> T {
    stall_watchdog::watch(|in_place| if in_place { blocking(call) } else { call() })
}

fn blocking<T>(call: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(call),
        // A single thread has no other to hand its tasks to.
        _ => call(),
    }
}
