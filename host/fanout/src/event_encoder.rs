//! What the fan-out needs from a front end.

use core_model::{ConnectionId, Recorded};
use frontend_api::Broadcast;

/// A front end, as the fan-out sees it.
pub trait EventEncoder: Send + Sync {
    /// Encodes an event in the front end's dialect. Must not panic: an implementation that calls
    /// foreign code catches its panics and returns [`Broadcast::Nothing`].
    fn encode(&self, event: &Recorded) -> Broadcast;

    /// A connection of this front end was cut off because its mailbox was full.
    fn note_cut_off(&self, connection: ConnectionId);
}
