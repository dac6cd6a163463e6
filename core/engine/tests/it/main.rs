//! The engine from outside: what it answers, what it tells, and what it keeps.

mod build;
mod gateway;
mod memory;
mod rules;
mod say;
