//! The bridge: what is done in any dialect is seen in all, as each shows it. Driven by the table
//! of dialects, not by pairs of them.

mod direct;
mod messages;
mod presence;
mod site;
