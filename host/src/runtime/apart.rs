//! Calls into a plugin, whose author may not have kept to it that nothing blocks: they never hold
//! all the threads of the network.
//!
//! A call can be made apart: its thread first hands its other tasks to another one. That takes
//! some microseconds, more than most calls do. So what a session is told in its daily work is
//! called as it is, as long as one of the threads would be left; everything else is called apart.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use core_model::{Recorded, Timestamp};
use frontend_api::http::{Fault, Response};
use frontend_api::schema::Document;
use frontend_api::{Broadcast, Frontend, Input, Manifest, Outbox, Peer, Session};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::block_in_place;

/// A front end that was loaded. Whoever waits for events waits for who encodes them, here as
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
        in_passing(|| self.0.broadcast(event))
    }

    fn schemas(&self) -> Vec<Document> {
        apart(|| self.0.schemas())
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
            in_passing(|| session.handle(now, input, out));
        }
    }

    fn has_failed(&self) -> bool {
        self.0.as_ref().is_some_and(|session| session.has_failed())
    }
}

impl Drop for ApartSession {
    fn drop(&mut self) {
        apart(|| drop(self.0.take()));
    }
}

/// How many calls are made as they are just now.
static IN_PASSING: AtomicUsize = AtomicUsize::new(0);

/// One of them.
struct Passing;

impl Passing {
    /// None: there are as many already.
    fn one_of(most: usize) -> Option<Self> {
        let passing = Self;
        let before = IN_PASSING.fetch_add(1, Ordering::Relaxed);
        (before < most).then_some(passing)
    }
}

impl Drop for Passing {
    fn drop(&mut self) {
        IN_PASSING.fetch_sub(1, Ordering::Relaxed);
    }
}

fn in_passing<T>(work: impl FnOnce() -> T) -> T {
    let threads = Handle::try_current().map_or(0, |runtime| runtime.metrics().num_workers());
    match Passing::one_of(threads.saturating_sub(1)) {
        Some(_passing) => work(),
        None => apart(work),
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
