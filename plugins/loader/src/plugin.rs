//! A library that is mapped, before it is configured.

use std::path::Path;
use std::sync::Arc;

use plugin_abi::GwPlugin;

use crate::table::Table;
use crate::{LoadError, library};

/// A mapped library, of which any number of front ends can be made.
#[derive(Clone)]
pub struct Plugin {
    pub(crate) path: Arc<Path>,
    pub(crate) table: Table,
}

impl Plugin {
    /// Maps the library at `path` for good, and checks its table. Runs its initializers: a plugin
    /// is trusted as much as what is linked in.
    ///
    /// A file that replaced another at the same path is mapped beside it; one that is mapped
    /// already is not mapped again.
    pub fn open(path: &Path) -> Result<Self, LoadError> {
        let table = library::table_of(path)?;
        // SAFETY: the library says that it keeps to the contract, and it is never unmapped.
        unsafe { Self::from_table(path, table) }
    }

    /// A plugin that is part of this program. `path` is only a name for it.
    ///
    /// # Safety
    /// `table` is null or points to a table that says its own size, whose functions keep to the
    /// contract (see `plugin_abi`) for the rest of the process's life.
    pub unsafe fn from_table(path: &Path, table: *const GwPlugin) -> Result<Self, LoadError> {
        // SAFETY: the caller's promise, above.
        let table = unsafe { Table::read(path, table) }?;
        Ok(Self { path: path.into(), table })
    }

    /// Whether it was built for a later gateway, and has functions that this one does not call.
    pub fn is_newer(&self) -> bool {
        self.table.is_newer()
    }

    /// Whether both are one mapped library, and not one that replaced the other.
    pub fn is_same_library(&self, other: &Self) -> bool {
        std::ptr::fn_addr_eq(self.table.frontend_new, other.table.frontend_new)
    }
}
