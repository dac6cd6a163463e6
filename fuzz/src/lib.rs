//! Fuzz targets for everything that decodes input from outside.
//!
//! Each function takes the bytes of one test case and panics where a property is violated. The
//! files in `fuzz_targets/` only hand libFuzzer's bytes to them.

mod border;
#[cfg(feature = "config")]
mod config;
mod dialects;
mod json;
mod params;
#[cfg(feature = "config")]
mod proxy_header;

pub use border::{plugin_inputs, plugin_outputs};
#[cfg(feature = "config")]
pub use config::config;
pub use core_engine::fuzzing::store_rows;
pub use dialects::{channel, chatroom, irc, ourchat, token, usr_room};
pub use json::json;
pub use params::http_params;
#[cfg(feature = "config")]
pub use proxy_header::proxy_header;
