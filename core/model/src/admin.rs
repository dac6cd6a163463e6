//! Commands of operators: what no client can ask for.
//!
//! They are not part of the interface of front ends, so [`Command::Admin`](crate::Command::Admin) is
//! not serialized, and the engine accepts them from the gateway itself only. Their JSON is that of the
//! log which several gateways share ([`Loggable`](crate::Loggable)).

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{MessageId, RoomId, Timestamp, TokenHash, Uid};
use crate::policy::PolicyChange;
use crate::user_ref::{RoomRef, UserRef};

/// A command of an operator.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum AdminCommand {
    /// Adds a token of the admin API.
    AddToken(AdminToken),
    /// Removes a token of the admin API; refused with
    /// [`Refusal::TokenInvalid`](crate::Refusal::TokenInvalid) if there is none.
    RemoveToken { hash: TokenHash },
    /// Refuses a target until the ban ends or is lifted. Replaces an earlier ban of the same.
    Ban { target: BanTarget, reason: String, until: Option<Timestamp> },
    /// Lifts a ban; does nothing if there is none. A deleted user stays banned and is refused with
    /// [`Refusal::UnknownUser`](crate::Refusal::UnknownUser).
    LiftBan { target: BanTarget },
    /// Ends every sign-in of a user by token or address.
    RevokeSignIns { user: UserRef },
    /// Ends one sign-in of a user; refused with
    /// [`Refusal::TokenInvalid`](crate::Refusal::TokenInvalid) if the user has none such.
    RevokeSignIn { user: UserRef, sign_in: SignInKey },
    /// Stores another hash of the password that a user has, if it still has the former hash.
    RenewPassword { user: Uid, former: String, renewed: String },
    /// Deletes a user for good. The number stays taken; so does the handle, unless it is made
    /// anonymous. Rooms that the user owns get no owner, closed ones the oldest other member; a
    /// closed room without another member is deleted.
    DeleteUser { user: UserRef, anonymize: bool },
    /// Changes the given fields of a room, closed or not.
    ChangeRoom {
        room: RoomRef,
        title: Option<String>,
        section: Option<String>,
        description: Option<String>,
    },
    /// Changes what holds in a room, closed or not: all of the changes, or none if one is refused.
    /// There may be as many seats as wanted, and [`PolicyChange::Invited`] is refused with
    /// [`Refusal::NotAllowed`](crate::Refusal::NotAllowed).
    ChangePolicy { room: RoomRef, changes: Vec<PolicyChange> },
    /// Deletes a room, closed or not, and its messages.
    DeleteRoom { room: RoomRef },
    /// Removes a user from a room, closed or not; does nothing if the user is not there.
    Kick { room: RoomRef, user: UserRef, reason: String },
    /// Refuses a user's messages in a room until the mute ends or is lifted.
    Mute { room: RoomRef, user: UserRef, until: Option<Timestamp> },
    /// Does nothing if the user is not muted.
    Unmute { room: RoomRef, user: UserRef },
    /// Removes messages, at most [`DELETED_MESSAGES_MAX`]; those that do not exist are passed over.
    DeleteMessages { messages: Vec<MessageId> },
    /// Stores what searches for messages look at: the signatures of the blocks of messages in
    /// `from..to`, for those that have one. Does nothing unless `from` is the first without.
    StoreSignatures {
        from: u64,
        to: u64,
        #[serde(with = "hex_rows")]
        #[schemars(with = "Vec<(u64, String)>")]
        signatures: Vec<(u64, Vec<u8>)>,
    },
    /// Posts a notice to a room under a name that no account has.
    Announce { room: RoomRef, name: String, text: String },
    /// Posts it to the next [`ANNOUNCED_ROOMS_MAX`] rooms with a greater id. The answer is
    /// [`Reply::Pruned`](crate::Reply::Pruned): how many those were, and the last one if there may be
    /// more.
    AnnounceToNext { after: RoomId, name: String, text: String },
    /// Gives up the next [`SHED_MAX`] rooms, memberships and mutes of a user, as
    /// [`DeleteUser`](Self::DeleteUser) does with all of them. The answer is
    /// [`Reply::Pruned`](crate::Reply::Pruned) with how many those were.
    Shed { user: Uid },
}

/// Rooms that one command posts a notice to: some milliseconds' work.
pub const ANNOUNCED_ROOMS_MAX: usize = 64;

/// Rooms, memberships and mutes that one command gives up: some milliseconds' work.
pub const SHED_MAX: usize = 32;

/// Messages that one command removes: some milliseconds' work.
pub const DELETED_MESSAGES_MAX: usize = 256;

/// Tokens of the admin API.
pub const ADMIN_TOKENS_MAX: usize = 256;

/// Bans at one time.
pub const BANS_MAX: usize = 100_000;

/// Muted members at one time, over all rooms.
pub const MUTES_MAX: usize = 100_000;

/// What a token of the admin API may do; each includes those before it.
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(rename_all = "snake_case")]
pub enum AdminRole {
    /// Reads.
    Monitor,
    /// Closes sessions, bans, mutes, and removes messages.
    Moderator,
    /// Everything.
    Operator,
}

impl AdminRole {
    pub fn word(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Moderator => "moderator",
            Self::Operator => "operator",
        }
    }
}

/// A token of the admin API, without the token.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct AdminToken {
    pub hash: TokenHash,
    /// What the operator calls it.
    pub label: String,
    pub role: AdminRole,
    pub created: Timestamp,
    /// `None`: it does not expire.
    pub expires: Option<Timestamp>,
}

/// What a user is signed in by.
#[derive(Clone, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SignInKey {
    Token(TokenHash),
    Address(String),
}

/// The target of a ban.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum BanTarget {
    User(UserRef),
    /// `realm/subject`, whether or not a user has it.
    Identity(String),
    /// The peers whose [network](crate::BanNetwork) is within this one.
    Network(BanNetwork),
}

/// A network: the first `prefix` bits of an IPv6 address, or of an IPv4 address as IPv6
/// (`::ffff:a.b.c.d`).
#[derive(
    Clone, Copy, Debug, Deserialize, Eq, JsonSchema, Ord, PartialEq, PartialOrd, Serialize,
)]
#[serde(deny_unknown_fields)]
pub struct BanNetwork {
    /// In JSON an IPv6 address.
    #[serde(with = "as_address")]
    #[schemars(with = "String")]
    pub bits: u128,
    /// 0 to 128.
    pub prefix: u8,
}

impl BanNetwork {
    /// Whether an address is in it.
    pub fn contains(self, address: u128) -> bool {
        let mask = u128::MAX.checked_shl(128 - u32::from(self.prefix)).unwrap_or(0);
        address & mask == self.bits & mask
    }
}

/// A ban, as the store has it.
#[derive(Clone, Debug, PartialEq)]
pub struct Ban {
    pub target: Banned,
    pub reason: String,
    pub created: Timestamp,
    /// `None`: until it is lifted.
    pub until: Option<Timestamp>,
    /// Whether the user was deleted, so that the ban cannot be lifted.
    pub deleted: bool,
}

/// The target of a ban, as the store has it.
#[derive(Clone, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Banned {
    User(Uid),
    Identity(String),
    Network(BanNetwork),
}

/// A number of 128 bits as the IPv6 address that it is.
mod as_address {
    use std::net::Ipv6Addr;

    use super::{Deserialize, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(bits: &u128, to: S) -> Result<S::Ok, S::Error> {
        Ipv6Addr::from(*bits).serialize(to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(from: D) -> Result<u128, D::Error> {
        Ipv6Addr::deserialize(from).map(u128::from)
    }
}

/// Bytes as hexadecimal digits.
mod hex_rows {
    use std::fmt::Write as _;

    use serde::de::Error as _;

    use super::{Deserialize, Serialize};

    pub(super) fn serialize<S: serde::Serializer>(
        rows: &[(u64, Vec<u8>)],
        to: S,
    ) -> Result<S::Ok, S::Error> {
        let hex = |bytes: &[u8]| {
            bytes.iter().fold(String::with_capacity(2 * bytes.len()), |mut hex, byte| {
                let _ = write!(hex, "{byte:02x}");
                hex
            })
        };
        let rows: Vec<(u64, String)> = rows.iter().map(|(key, row)| (*key, hex(row))).collect();
        rows.serialize(to)
    }

    pub(super) fn deserialize<'de, D: serde::Deserializer<'de>>(
        from: D,
    ) -> Result<Vec<(u64, Vec<u8>)>, D::Error> {
        let rows = Vec::<(u64, String)>::deserialize(from)?;
        let bytes = |hex: &str| -> Option<Vec<u8>> {
            let pairs = hex.as_bytes().chunks(2);
            pairs
                .map(|pair| match std::str::from_utf8(pair) {
                    Ok(pair) if pair.len() == 2 && !pair.starts_with('+') => {
                        u8::from_str_radix(pair, 16).ok()
                    }
                    _ => None,
                })
                .collect()
        };
        let wrong = || D::Error::custom("bytes are pairs of hexadecimal digits");
        rows.into_iter().map(|(key, hex)| Ok((key, bytes(&hex).ok_or_else(wrong)?))).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_contains_the_addresses_with_its_first_bits() {
        let all = BanNetwork { bits: 0, prefix: 0 };
        assert!(all.contains(0) && all.contains(u128::MAX));
        let one = BanNetwork { bits: 7, prefix: 128 };
        assert!(one.contains(7) && !one.contains(6));
        let half = BanNetwork { bits: 1 << 127, prefix: 1 };
        assert!(half.contains(u128::MAX) && !half.contains(1));
    }
}
