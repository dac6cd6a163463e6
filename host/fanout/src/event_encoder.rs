//! What the fan-out needs from a front end.

use std::sync::Arc;

use core_model::{ConnectionId, Person, Recorded};
use frontend_api::Broadcast;

use crate::ledger::Ledger;
use crate::mailbox::Overflow;

/// A front end, as the fan-out sees it.
pub trait EventEncoder: Send + Sync {
    /// Encodes an event in the front end's dialect; `None`: the front end failed. Must not panic: an
    /// implementation that calls foreign code catches its panics.
    fn encode(&self, event: &Recorded) -> Option<Broadcast>;

    /// An account has come into being. Called before the answer to the command that made it is
    /// delivered. Must not panic either.
    fn account_made(&self, account: &Person) {
        let _ = account;
    }

    /// A connection of this front end was cut off because its mailbox was full.
    fn note_cut_off(&self, connection: ConnectionId, why: Overflow);

    /// Where the deliveries to its connections are counted.
    fn ledger(&self) -> Arc<Ledger>;
}
