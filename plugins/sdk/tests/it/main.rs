//! What a plugin in Rust makes of a host that is newer than it, or broken: the functions of its
//! table are called bare.

#![allow(unsafe_code, reason = "the functions of a C ABI are called")]

mod bare;
mod newer_host;
