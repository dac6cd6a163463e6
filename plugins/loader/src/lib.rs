//! Makes a front end in a shared library look like any other [`Frontend`](frontend_api::Frontend).
//!
//! A library is never unmapped: its thread-locals and statics may outlive every session. What it
//! says is checked; a session for which it panics or breaks the contract is closed, the others go
//! on, and [`Faults`] counts.
//!
//! A plugin runs in the gateway's process with all its rights: the operator who names one in
//! gateway.toml trusts it as much as the gateway itself.

#![allow(unsafe_code, reason = "this is the host's side of a C ABI")]

mod call;
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
pub use error::LoadError;
pub use faults::{FaultKind, Faults, PluginFault};
pub use frontend::LoadedFrontend;
pub use inspect::{Inspection, inspect};
pub use plugin::Plugin;
pub use session::LoadedSession;
