//! Open files that connections of front ends leave for everything else.

use std::os::fd::RawFd;

use rustix::process::{Resource, getrlimit};

/// Files for the admin listener, the store, a reload and backups, when clients have opened all the
/// others.
const RESERVED_FILES: u64 = 32;

/// Which descriptors connections of front ends may have.
#[derive(Clone, Copy, Debug)]
pub(crate) struct FileBudget {
    /// The first that they may not have.
    end: u64,
}

impl FileBudget {
    /// By the limit of the process; at most a quarter of it is reserved.
    pub(crate) fn of_process() -> Self {
        Self::within(getrlimit(Resource::Nofile).current)
    }

    /// `None`: no limit.
    fn within(limit: Option<u64>) -> Self {
        Self { end: limit.map_or(u64::MAX, |limit| limit - RESERVED_FILES.min(limit / 4)) }
    }

    /// Whether a connection may keep its descriptor. The system gives the lowest that is free: all
    /// below it are in use.
    pub(crate) fn admits(self, descriptor: RawFd) -> bool {
        u64::try_from(descriptor).is_ok_and(|descriptor| descriptor < self.end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_descriptors_are_not_for_connections() {
        let budget = FileBudget::within(Some(1024));
        assert!(budget.admits(991) && !budget.admits(992));
        let small = FileBudget::within(Some(40));
        assert!(small.admits(29) && !small.admits(30));
        assert!(FileBudget::within(None).admits(RawFd::MAX));
    }
}
