//! What operators see of frames: decoded, in the form of their dialect, with the secrets masked.

mod credentials;
mod expression;
mod fields;
mod http;
mod irc;
mod json;
mod layout;
mod names;
mod phrases;
mod shown;
mod stream;
mod transcript;

pub use fields::FrameField;
pub use http::HttpFrame;
pub use shown::{Direction, FrameKind, Masker, Shown, TapFrame, TapQuery, TapStream, outcome_json};
pub use stream::Reassembly;
pub use transcript::Transcript;

/// What stands for a secret.
pub const MASK: &str = "***";
