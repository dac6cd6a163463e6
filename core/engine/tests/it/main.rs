//! The engine through its handle: outcomes, events, and the stored state.

mod backup;
mod build;
mod check;
mod concurrency;
mod conversations;
mod coverage;
mod determinism;
mod failure;
mod faults;
mod format;
mod gateway;
mod generate;
mod generate_changes;
mod heartbeat;
mod marks;
mod memory;
mod model;
mod moving;
mod reference;
mod replica;
mod retries;
mod rules;
mod say;
mod store_file;
