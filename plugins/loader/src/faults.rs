//! What a plugin did wrong, counted and told.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// How often a plugin did something wrong. Each time cost at most one session.
#[derive(Debug, Default)]
pub struct Faults {
    panicked: AtomicU64,
    malformed: AtomicU64,
}

impl Faults {
    /// How often it said that something went wrong inside.
    pub fn panicked(&self) -> u64 {
        self.panicked.load(Ordering::Relaxed)
    }

    /// How often it broke the contract: gave what cannot be read, or too much.
    pub fn malformed(&self) -> u64 {
        self.malformed.load(Ordering::Relaxed)
    }

    pub(crate) fn count(&self, kind: FaultKind) {
        let counter = match kind {
            FaultKind::Panicked => &self.panicked,
            FaultKind::Malformed => &self.malformed,
        };
        counter.fetch_add(1, Ordering::Relaxed);
    }
}

/// One time that a plugin did something wrong, for the log.
#[derive(Clone, Copy, Debug)]
pub struct PluginFault<'a> {
    /// The dialect.
    pub plugin: &'a str,
    pub path: &'a Path,
    /// The function of the ABI that failed: `session_handle`.
    pub function: &'static str,
    pub kind: FaultKind,
    pub why: &'a str,
}

/// Which of the [`Faults`] it is.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum FaultKind {
    Panicked,
    Malformed,
}

impl fmt::Display for PluginFault<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { plugin, path, function, kind, why } = self;
        let did = match kind {
            FaultKind::Panicked => "failed",
            FaultKind::Malformed => "broke the contract",
        };
        write!(f, "plugin {plugin} ({}) {did} in {function}: {why}", path.display())
    }
}
