//! Calls into a plugin, whose author may not have kept to it that nothing blocks: the thread that
//! makes the call hands its other tasks to another thread meanwhile.

use std::sync::Arc;

use core_model::{Recorded, Timestamp};
use frontend_api::http::{Fault, Response};
use frontend_api::{Broadcast, Frontend, Input, Manifest, Outbox, Peer, Session};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// A front end, called apart. Whoever hears of events waits for the one who encodes them, here as
/// elsewhere.
pub(super) struct Apart(pub(super) Arc<dyn Frontend>);

impl Frontend for Apart {
    fn manifest(&self) -> &Manifest {
        self.0.manifest()
    }

    fn open(&self, peer: &Peer) -> Box<dyn Session> {
        Box::new(ApartSession(Some(apart(|| self.0.open(peer)))))
    }

    fn broadcast(&self, event: &Recorded) -> Broadcast {
        apart(|| self.0.broadcast(event))
    }

    fn fault(&self, fault: &Fault) -> Response {
        apart(|| self.0.fault(fault))
    }
}

/// There until it is dropped.
struct ApartSession(Option<Box<dyn Session>>);

impl Session for ApartSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        if let Some(session) = &mut self.0 {
            apart(|| session.handle(now, input, out));
        }
    }
}

impl Drop for ApartSession {
    fn drop(&mut self) {
        apart(|| drop(self.0.take()));
    }
}

fn apart<T>(work: impl FnOnce() -> T) -> T {
    let flavor = Handle::try_current().map(|runtime| runtime.runtime_flavor());
    match flavor {
        Ok(RuntimeFlavor::MultiThread) => block_in_place(work),
        // There is no thread to hand anything to, or nothing to hand over.
        _ => work(),
    }
}
