//! Calls into a plugin, whose author may not have kept to it that nothing blocks: they never hold
//! all the threads of the network for long.
//!
//! A call can be made apart: its thread first hands its other tasks to another one. That takes
//! some microseconds, more than most calls do. So calls are made as they are, and the [`stall_watchdog`]
//! sees to it that others go on where one takes long; then, for a while, all are made apart.

use std::sync::Arc;

use core_model::{Recorded, Timestamp};
use frontend_api::http::{HttpError, Response};
use frontend_api::schema::Document;
use frontend_api::{Broadcast, Frontend, Input, Manifest, Outbox, Peer, Session};
use plugin_loader::{LoadedFrontend, LoadedSession};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

use crate::runtime::frontends::plugin::stall_watchdog;

/// A front end that was loaded. Whoever waits for events waits for who encodes them, here as
/// elsewhere.
pub(crate) struct Apart(pub(crate) Arc<LoadedFrontend>);

impl Frontend for Apart {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        Box::new(ApartSession(Some(watched(|| self.0.session(peer)))))
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        watched(|| self.0.broadcast(event))
    }

    fn schemas(&self) -> Vec<Document> {
        apart(|| self.0.schemas())
    }

    fn fault(&self, fault: &HttpError) -> Response {
        watched(|| self.0.fault(fault))
    }
}

/// There until it is dropped.
struct ApartSession(Option<LoadedSession>);

impl Session for ApartSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        if let Some(session) = &mut self.0 {
            watched(|| session.handle(now, input, out));
        }
    }

    fn has_failed(&self) -> bool {
        self.0.as_ref().is_some_and(|session| session.has_failed())
    }
}

/// Apart at once: a thread that was about to go on with what the end of a connection has woken
/// could not be relieved of that.
impl Drop for ApartSession {
    fn drop(&mut self) {
        apart(|| drop(self.0.take()));
    }
}

fn watched<T>(work: impl FnOnce() -> T) -> T {
    stall_watchdog::watch(|all_apart| if all_apart { apart(work) } else { work() })
}

fn apart<T>(work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        // There is no thread to hand anything to, or nothing to hand over.
        _ => work(),
    }
}
