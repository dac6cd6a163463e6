//! The token dialect.
