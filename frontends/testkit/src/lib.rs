//! Runs a front end without sockets, an engine or a clock.
//!
//! A script has one input per line, see [`play`]. The transcript shows each input and, indented,
//! the session's output.

mod described;
mod order;
mod play;
mod properties;

pub use described::{Described, acceptor};
pub use order::{
    Engine, NOW, Said, Talk, assert_missed_messages_come_first, assert_nothing_overtakes,
};
pub use play::{Passed, frontend_for, play, play_as, play_watched};
pub use properties::{
    assert_cut_invariant, assert_noise_is_harmless, assert_noise_is_harmless_as, outputs_of_noise,
};
