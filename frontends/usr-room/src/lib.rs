//! The usr_room dialect.
