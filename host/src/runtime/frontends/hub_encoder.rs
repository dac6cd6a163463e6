//! What the hub needs from a front end.

use std::sync::{Arc, Weak};

use core_model::{ConnectionId, Person, Recorded};
use frontend_api::Broadcast;
use gateway_fanout::{EventEncoder, Ledger, Overflow};

use crate::runtime::frontends::guarded::GuardedFrontend;
use crate::runtime::frontends::instance::{FrontendHandle, FrontendInstance};

/// A front end for the hub. It does not keep the instance from ending.
pub(crate) struct HubEncoder {
    frontend: GuardedFrontend,
    instance: Weak<FrontendInstance>,
}

impl HubEncoder {
    pub(crate) fn new(frontend: &FrontendHandle) -> Self {
        let instance = Arc::downgrade(frontend.instance());
        Self { frontend: frontend.frontend.clone(), instance }
    }
}

impl EventEncoder for HubEncoder {
    fn encode(&self, event: &Recorded) -> Option<Broadcast> {
        self.frontend.encode(event)
    }

    fn account_made(&self, account: &Person) {
        let Some(instance) = self.instance.upgrade() else { return };
        for connection in self.frontend.account_made(account) {
            instance.wake_stream(connection);
        }
    }

    fn note_cut_off(&self, connection: ConnectionId, why: Overflow) {
        self.frontend.note_cut_off(connection, why);
    }

    fn ledger(&self) -> Arc<Ledger> {
        self.frontend.ledger()
    }
}
