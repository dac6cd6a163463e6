//! What the engine and the floor have in common: messages in, counts of durable ones out.

use std::sync::mpsc::Receiver;

/// Bytes of a message's text.
pub(crate) const TEXT_BYTES: usize = 120;

/// Takes messages, and reports batch by batch how many are durable, in the order posted.
pub(crate) trait Posts {
    fn post(&self, room: u32);
    fn answered(&self) -> &Receiver<usize>;
}
