//! A mapped library, before it is configured.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use plugin_abi::{GW_ENTRY, GwPlugin};

use crate::deadline::{START_TIMEOUT, within};
use crate::table::Table;
use crate::{LoadError, library};

/// A mapped library, which can make any number of front ends.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) path: Arc<Path>,
    pub(crate) table: Table,
}

/// A table that a library returned on another thread.
struct TablePointer(*const GwPlugin);

// SAFETY: the contract has the table valid and unchanged from any thread.
unsafe impl Send for TablePointer {}

impl Plugin {
    /// Maps the library at `path`, never to unmap it, and checks its table. Runs its initializers:
    /// a plugin is trusted as much as linked code.
    ///
    /// A file that replaced another at the same path is mapped beside it; a mapped file is not
    /// mapped again.
    ///
    /// The error is [`LoadError::TimedOut`] if that has not ended within [`START_TIMEOUT`].
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        Self::open_within(START_TIMEOUT, path)
    }

    /// As [`Plugin::open`], with another timeout.
    pub fn open_within(timeout: Duration, path: &Path) -> Result<Self, LoadError> {
        let file = path.to_path_buf();
        let table =
            within(timeout, path, GW_ENTRY, move || library::table_of(&file).map(TablePointer))?;
        // SAFETY: the library declares that it keeps to the contract, and is never unmapped.
        unsafe { Self::from_table(path, table.0) }
    }

    /// A plugin that is part of this program. `path` is only a name for it.
    ///
    /// # Safety
    /// `table` is null or points to a table of at least its own `size`, whose functions keep to the
    /// contract (see `plugin_abi`) for the rest of the process's life.
    pub unsafe fn from_table(path: &Path, table: *const GwPlugin) -> Result<Self, LoadError> {
        // SAFETY: the caller's promise, above.
        let table = unsafe { Table::read(path, table) }?;
        Ok(Self { path: path.into(), table })
    }

    /// Whether it was built for a later gateway: it has functions that this one does not know.
    pub fn is_newer(&self) -> bool {
        self.table.is_newer()
    }

    /// Whether both are the same mapped library, not one that replaced the other.
    pub fn is_same_library(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.table.frontend_new, other.table.frontend_new)
    }
}
