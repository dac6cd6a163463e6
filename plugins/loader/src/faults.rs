//! Counts and describes the faults of a plugin.

use std::fmt;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};

/// How many faults a plugin committed. Each cost at most one session.
#[derive(Debug, Default)]
pub struct Faults {
    panicked: AtomicU64,
    malformed: AtomicU64,
}

impl Faults {
    /// How many calls failed inside the plugin, mostly by a panic.
    pub fn panicked(&self) -> u64 {
        self.panicked.load(Ordering::Relaxed)
    }

    /// How many calls broke the contract: with malformed or too much output.
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

/// One fault, for the log.
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

/// The kinds that [`Faults`] counts.
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
