//! How the gateway is packaged, supervised and reached by its operators.

mod container;
mod debian;
mod elsewhere;
mod supervisor;
mod terminal;
mod unit;
