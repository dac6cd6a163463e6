//! The version of the rules.

/// The version of the rules: of everything that decides what a command does to the state, and what
/// its outcome and events are. Two builds with the same version come to the same state, byte for
/// byte, from the same commands.
///
/// It is raised with whatever changes an outcome: a rule, a constant of one (a lifetime, a bound of
/// a text, what a search finds), the JSON of a command or an outcome that an idempotency key keeps,
/// and the tables of Unicode that names and searches go by.
pub const RULES: u32 = 1;
