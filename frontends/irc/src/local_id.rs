//! Ids of what the engine does not know.

use std::fmt;

use core_model::Timestamp;

/// The id of a message that the engine does not know: its time, and a number that no other has. No id
/// of the engine begins with a letter.
#[derive(Clone, Copy, Debug)]
pub(crate) struct LocalId(pub(crate) Timestamp, pub(crate) u64);

impl fmt::Display for LocalId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "t{}-{}", self.0.0, self.1)
    }
}
