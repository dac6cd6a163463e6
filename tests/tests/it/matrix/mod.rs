//! The bridge: what is done in any dialect is seen in all, as each shows it. Driven by the table
//! of dialects, not by pairs of them.

mod capabilities;
mod claims;
mod closed;
mod direct;
mod enabled;
mod encrypted;
mod fidelity;
mod irc_operators;
mod messages;
mod moderation;
mod names;
mod operators;
mod order;
mod people;
mod pipelining;
mod presence;
mod seats;
mod site;
