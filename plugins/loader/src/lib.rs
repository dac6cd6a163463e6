//! Loads a front end from a shared library, as a [`Frontend`](frontend_api::Frontend) like any
//! other.
//!
//! A library is never unmapped: its thread-locals and statics may outlive every session. The loader
//! checks every output. If the plugin panics or breaks the contract in a call for a session, that
//! session is closed and [`Faults`] counts it; other sessions are not affected.
//!
//! A plugin runs in the gateway's process with all its rights: an operator who names one in
//! gateway.toml trusts it as much as the gateway itself.

#![allow(unsafe_code, reason = "this is the host's side of a C ABI")]

mod call;
mod check;
mod deadline;
mod elf;
mod encode;
mod error;
mod faults;
mod frontend;
mod inspect;
mod instance;
mod library;
mod outputs;
mod plugin;
mod session;
mod table;

pub use call::{OUTPUT_BYTES_MAX, OUTPUTS_MAX};
pub use deadline::START_TIMEOUT;
pub use error::LoadError;
pub use faults::{FaultKind, Faults, PluginFault};
pub use frontend::LoadedFrontend;
pub use inspect::{Inspection, inspect};
pub use plugin::Plugin;
pub use session::LoadedSession;
