//! The ourchat dialect.
