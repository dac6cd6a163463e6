//! A plugin in Rust under a newer or a broken host: the tests call the functions of its table
//! directly.

#![allow(unsafe_code, reason = "the functions of a C ABI are called")]

mod bare;
mod newer_host;
