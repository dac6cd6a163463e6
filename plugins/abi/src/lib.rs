//! The C ABI between the gateway (the host) and a front end in a shared library (the plugin).
//!
//! The module `contract` defines all of it, and is the source of the C header
//! `include/gw_plugin.h`.

#![no_std]
#![allow(unsafe_code, reason = "the functions of the ABI take pointers")]

mod bytes;
mod contract;

pub use contract::*;

/// [`GW_ENTRY`] with the zero byte that C names end with.
pub const GW_ENTRY_NAME: &[u8] = b"gw_plugin_v1\0";

/// The smallest valid [`GwPlugin::size`]: everything up to and including `session_free`.
pub const GW_SIZE_LEAST: u32 = core::mem::offset_of!(GwPlugin, frontend_broadcast) as u32;
