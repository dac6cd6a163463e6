//! How the things of a cluster are called on the servers, and where in the log one is.

use std::fmt;

/// A place in the log: the number of its last entry that counts. 0 is before the first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Position(pub u64);

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Tells a log from another of the same name: drawn when the log is made, and kept by every store
/// that follows it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct LogId(String);

impl LogId {
    pub(crate) fn draw() -> Self {
        let mut bytes = [0; 8];
        getrandom::fill(&mut bytes).expect("the system has random numbers");
        Self(format!("{:016x}", u64::from_be_bytes(bytes)))
    }

    /// An id as a store or a server has it: 16 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let is_digit = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
        (text.len() == 16 && text.bytes().all(is_digit)).then(|| Self(text.to_owned()))
    }

    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The only partition there is. It is in the names so that a second one needs no new ones.
const PARTITION: u32 = 0;

pub(crate) fn stream(cluster: &str) -> String {
    format!("dragoman-{cluster}-log-{PARTITION}")
}

pub(crate) fn subject(cluster: &str) -> String {
    format!("dragoman.{cluster}.log.{PARTITION}")
}

pub(crate) fn bucket(cluster: &str) -> String {
    format!("dragoman-{cluster}-snapshots")
}
