//! What is kept of the store in memory, decoded.

pub(crate) mod messages;
pub(crate) mod room_list;
pub(crate) mod rows;
pub(crate) mod writer;
