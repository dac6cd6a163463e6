//! A copy of a plugin's table, checked to have every required function.

use std::mem::{offset_of, size_of};
use std::path::Path;

use plugin_abi::{GW_ABI, GW_SIZE_LEAST, GwBytes, GwEmit, GwFrontend, GwHost, GwPlugin, GwSession};

use crate::LoadError;

type New = unsafe extern "C" fn(GwBytes, *mut GwHost, GwEmit) -> *mut GwFrontend;
type Tell = unsafe extern "C" fn(*mut GwFrontend, *mut GwHost, GwEmit) -> i32;
type Translate = unsafe extern "C" fn(*mut GwFrontend, GwBytes, *mut GwHost, GwEmit) -> i32;
type Open = unsafe extern "C" fn(*mut GwFrontend, GwBytes, *mut GwHost, GwEmit) -> *mut GwSession;
type Handle =
    unsafe extern "C" fn(*mut GwSession, u64, u32, GwBytes, GwBytes, *mut GwHost, GwEmit) -> i32;

#[derive(Clone, Copy)]
pub(crate) struct Table {
    pub(crate) abi: u32,
    pub(crate) size: u32,
    pub(crate) frontend_new: New,
    pub(crate) frontend_manifest: Tell,
    pub(crate) frontend_free: unsafe extern "C" fn(*mut GwFrontend),
    pub(crate) session_open: Open,
    pub(crate) session_handle: Handle,
    pub(crate) session_free: unsafe extern "C" fn(*mut GwSession),
    pub(crate) frontend_broadcast: Option<Translate>,
    pub(crate) frontend_fault: Option<Translate>,
    pub(crate) frontend_schemas: Option<Tell>,
    pub(crate) frontend_account_made: Option<Translate>,
}

impl Table {
    /// # Safety
    /// `table` is null, or points to as many bytes as its `size`, at least to `abi` and `size`; its
    /// functions keep to the contract.
    pub(crate) unsafe fn read(path: &Path, table: *const GwPlugin) -> Result<Self, LoadError> {
        let path = || path.to_path_buf();
        if table.is_null() {
            return Err(LoadError::NoTable { path: path() });
        }
        // SAFETY: every version has these two.
        let (abi, size) =
            unsafe { ((&raw const (*table).abi).read(), (&raw const (*table).size).read()) };
        if abi != GW_ABI {
            return Err(LoadError::OtherAbi { path: path(), found: abi });
        }
        if size < GW_SIZE_LEAST {
            return Err(LoadError::TableTooSmall { path: path(), found: size });
        }
        // SAFETY: `known` is at most `size`, and zero is a valid value of every field.
        let copy = unsafe {
            let mut copy = std::mem::zeroed::<GwPlugin>();
            let known = whole_entries(size);
            table.cast::<u8>().copy_to_nonoverlapping((&raw mut copy).cast::<u8>(), known);
            copy
        };
        let absent = |function| LoadError::NoFunction { path: path(), function };
        Ok(Self {
            abi,
            size,
            frontend_new: copy.frontend_new.ok_or_else(|| absent("frontend_new"))?,
            frontend_manifest: copy.frontend_manifest.ok_or_else(|| absent("frontend_manifest"))?,
            frontend_free: copy.frontend_free.ok_or_else(|| absent("frontend_free"))?,
            session_open: copy.session_open.ok_or_else(|| absent("session_open"))?,
            session_handle: copy.session_handle.ok_or_else(|| absent("session_handle"))?,
            session_free: copy.session_free.ok_or_else(|| absent("session_free"))?,
            frontend_broadcast: copy.frontend_broadcast,
            frontend_fault: copy.frontend_fault,
            frontend_schemas: copy.frontend_schemas,
            frontend_account_made: copy.frontend_account_made,
        })
    }

    /// Whether it has functions that this gateway does not know.
    pub(crate) fn is_newer(&self) -> bool {
        self.size as usize > size_of::<GwPlugin>()
    }

    /// The optional functions that it leaves out.
    pub(crate) fn absent(&self) -> Vec<&'static str> {
        let optional = [
            ("frontend_broadcast", self.frontend_broadcast.is_none()),
            ("frontend_fault", self.frontend_fault.is_none()),
            ("frontend_schemas", self.frontend_schemas.is_none()),
            ("frontend_account_made", self.frontend_account_made.is_none()),
        ];
        optional.into_iter().filter_map(|(name, absent)| absent.then_some(name)).collect()
    }
}

/// The length of the known and complete entries in a table of `size` bytes.
fn whole_entries(size: u32) -> usize {
    let known = (size as usize).min(size_of::<GwPlugin>());
    let first = offset_of!(GwPlugin, frontend_new);
    known - (known - first) % size_of::<GwEmit>()
}
