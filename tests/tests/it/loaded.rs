//! The same tests, with every front end loaded from a shared library instead of linked in.

#[path = "irc.rs"]
mod irc;
#[path = "matrix/mod.rs"]
mod matrix;
