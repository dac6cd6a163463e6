//! Turns a front end written in Rust into a shared library, with one line: [`export_frontend!`] in
//! a package whose crate type is `cdylib`.
//!
//! Every entry catches panics and reports them to the host, so do not build the package with
//! `panic = "abort"`.

#![allow(unsafe_code, reason = "this is the Rust side of a C ABI")]

mod entries;
mod host;
mod input;

use std::mem::size_of;

use frontend_api::Configure;
pub use plugin_abi as abi;
use plugin_abi::{GW_ABI, GwPlugin};

/// Exports `$frontend`, which must implement [`Configure`], under the name that the gateway loads.
#[macro_export]
macro_rules! export_frontend {
    ($frontend:ty) => {
        #[allow(unsafe_code, reason = "the symbol is the ABI's")]
        // SAFETY: nothing else in a plugin has this name.
        #[unsafe(no_mangle)]
        pub extern "C" fn gw_plugin_v1() -> *const $crate::abi::GwPlugin {
            static TABLE: $crate::abi::GwPlugin = $crate::table::<$frontend>();
            &TABLE
        }
    };
}

/// The table of functions for `F`.
pub const fn table<F: Configure>() -> GwPlugin {
    GwPlugin {
        abi: GW_ABI,
        size: size_of::<GwPlugin>() as u32,
        frontend_new: Some(entries::frontend_new::<F>),
        frontend_manifest: Some(entries::frontend_manifest::<F>),
        frontend_free: Some(entries::frontend_free::<F>),
        session_open: Some(entries::session_open::<F>),
        session_handle: Some(entries::session_handle),
        session_free: Some(entries::session_free),
        frontend_broadcast: Some(entries::frontend_broadcast::<F>),
        frontend_fault: Some(entries::frontend_fault::<F>),
        frontend_schemas: Some(entries::frontend_schemas::<F>),
        frontend_account_made: Some(entries::frontend_account_made::<F>),
    }
}
