//! The channel dialect.
