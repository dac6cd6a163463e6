//! The log on real servers. Without the program `nats-server` these tests say so and pass; in CI it
//! must be there. `.ci/run` installs it, NATS_SERVER names another.

mod check;
mod faults;
mod gone;
mod node;
mod order;
mod proxy;
mod refusals;
mod server;
mod snapshots;
mod tls;
