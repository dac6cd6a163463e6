//! Identifiers and time. Every one is a newtype: a room id is not a user id.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

macro_rules! number_type {
    ($(#[$doc:meta])* $name:ident($inner:ty)) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, Default, Deserialize, Eq, Hash, JsonSchema, Ord, PartialEq,
            PartialOrd, Serialize,
        )]
        #[serde(transparent)]
        pub struct $name(pub $inner);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

number_type!(
    /// A user, for the life of the gateway. From 10000 up, below 2^53.
    Uid(u64)
);
number_type!(
    /// A room, for the life of the gateway. From 1 up; the id of a deleted room is not used again.
    RoomId(u32)
);
number_type!(
    /// A message, for the life of the gateway: unique over all rooms and direct messages,
    /// increasing in the order of posting. From 1 up, below 2^53.
    MessageId(u64)
);
number_type!(
    /// The position of an event among all events since the gateway started.
    Seq(u64)
);
number_type!(
    /// Milliseconds since 1970-01-01T00:00:00Z, always supplied by the host.
    Timestamp(u64)
);
number_type!(
    /// One connection, or one HTTP exchange, for one run of the gateway. Given by the host; 0 is
    /// the gateway itself.
    ConnectionId(u64)
);

impl ConnectionId {
    /// The bits of an id that count the connections of a run; those above have the run's number.
    const COUNT_BITS: u32 = 40;

    /// The highest number of a run: ids stay below 2^53, which every reader of JSON can hold.
    pub const RUN_MAX: u64 = (1 << (53 - Self::COUNT_BITS)) - 1;

    /// The id before the first of a run. A run has some 10^12.
    pub const fn before_run(run: u64) -> Self {
        Self(run << Self::COUNT_BITS)
    }

    /// The number of its run: 0 for the gateway itself, and for connections of versions that
    /// numbered no runs.
    pub const fn run(self) -> u64 {
        self.0 >> Self::COUNT_BITS
    }
}

impl Timestamp {
    /// The moment `ms` milliseconds later.
    #[must_use]
    pub fn plus_ms(self, ms: u64) -> Self {
        Self(self.0.saturating_add(ms))
    }
}

/// The hash of a token, stored in its place.
///
/// The hash covers the token's purpose, so that a token issued for one purpose is not valid for
/// another. In JSON: 64 hexadecimal digits.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// SHA-256 of `purpose`, a zero byte and `token`.
    pub fn of(purpose: &str, token: &str) -> Self {
        let digest = Sha256::new()
            .chain_update(purpose.as_bytes())
            .chain_update([0])
            .chain_update(token.as_bytes());
        Self(digest.finalize().into())
    }
}

impl Serialize for TokenHash {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let text: String = self.0.iter().map(|byte| format!("{byte:02x}")).collect();
        serializer.serialize_str(&text)
    }
}

impl<'de> Deserialize<'de> for TokenHash {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let wrong = || serde::de::Error::custom("a token hash is 64 hexadecimal digits");
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(wrong());
        }
        let mut bytes = [0; 32];
        for (byte, digits) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let digits = std::str::from_utf8(digits).map_err(|_| wrong())?;
            *byte = u8::from_str_radix(digits, 16).map_err(|_| wrong())?;
        }
        Ok(Self(bytes))
    }
}

impl JsonSchema for TokenHash {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "TokenHash".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": "^[0-9a-f]{64}$",
            "description": "SHA-256 of the token's purpose, a zero byte and the token.",
        })
    }
}
