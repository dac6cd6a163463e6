//! The chatroom dialect.
