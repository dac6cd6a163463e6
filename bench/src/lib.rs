//! Benchmarks of the gateway: a lean load client, the floors, and the jobs.
//!
//! [`load`] is the client; `dragoman bench` is its command line ([`command`]). `floor` and
//! `runner` need the feature `runner`: `cargo run --release -p gateway-bench -- all`.

pub mod command;
#[cfg(feature = "runner")]
pub mod floor;
pub mod load;
#[cfg(feature = "runner")]
pub mod runner;
