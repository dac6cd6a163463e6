//! The engine from outside: what it answers, what it tells, and what it keeps.

mod build;
mod concurrency;
mod determinism;
mod failure;
mod format;
mod gateway;
mod generate;
mod memory;
mod model;
mod reference;
mod rules;
mod say;
