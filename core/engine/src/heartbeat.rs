//! Whether the writer makes progress, for a supervisor that restarts a process which hangs.

/// What the writer had done at one moment.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Heartbeat {
    pub(crate) beats: u64,
    pub(crate) is_idle: bool,
}

impl Heartbeat {
    /// Whether the writer has done something since the earlier heartbeat, or has nothing to do. An
    /// attempt to open a store that has failed is progress; a write that does not return is none.
    pub fn is_progress_since(&self, earlier: &Self) -> bool {
        self.is_idle || self.beats != earlier.beats
    }
}
