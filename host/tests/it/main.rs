//! Tests of the host as a library and as a program: one binary, many modules.

mod api_page;
mod browser;
mod check_store;
mod closed_output;
mod config;
mod config_keys;
mod console;
mod fidelity;
mod log;
mod odd_stores;
mod open_files;
#[cfg(feature = "otel")]
mod otel;
mod planted_secrets;
mod plugins;
mod program;
mod runtime;
mod schemas;
mod sdk;
mod secrets;
mod store_check;
mod store_failure;
mod user;
