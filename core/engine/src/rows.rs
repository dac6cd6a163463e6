//! What the tables hold. Every value begins with the version of its layout.
//!
//! Rows that are written with every message are laid out by hand; the others are postcard.

use core_model::{AdminRole, Person, Role, Roles, RoomTag, RoomView, Timestamp, Uid};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::error::StoreError;
use crate::policy_row::PolicyRow;

/// The version of every layout so far. A changed layout gets the next number, and readers a branch
/// for it.
const VERSION: u8 = 1;

/// A row as bytes.
pub(crate) fn pack<T: Serialize>(row: &T) -> Vec<u8> {
    postcard::to_extend(row, vec![VERSION]).expect("a row is plain data")
}

/// Bytes as a row of `table`.
pub(crate) fn unpack<T: DeserializeOwned>(
    table: &'static str,
    bytes: &[u8],
) -> Result<T, StoreError> {
    match bytes.split_first() {
        Some((&VERSION, row)) => {
            postcard::from_bytes(row).map_err(|_| StoreError::Corrupt { table })
        }
        _ => Err(StoreError::Corrupt { table }),
    }
}

/// Everything that counts up, and the engine's time.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct Counters {
    pub(crate) next_uid: u64,
    pub(crate) next_room: u32,
    pub(crate) next_message: u64,
    pub(crate) next_seat: u64,
    pub(crate) next_place: u64,
    pub(crate) next_seq: u64,
    /// The time of the newest command, ms.
    pub(crate) now: u64,
    /// The time of the newest visible change, ms; 0 before any.
    pub(crate) last_change: u64,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            next_uid: 10_000,
            next_room: 1,
            next_message: 1,
            next_seat: 1,
            next_place: 1,
            next_seq: 1,
            now: 0,
            last_change: 0,
        }
    }
}

/// A jump of the clock that retention and expiry follow slowly.
#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct ClockRow {
    /// The time before the jump, ms.
    pub(crate) trusted: u64,
    /// The steady time at which it was noted, ms.
    pub(crate) steady: u64,
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct UserRow {
    pub(crate) handle: String,
    /// The display name; "" where none was given.
    pub(crate) name: String,
    pub(crate) avatar: String,
    pub(crate) sex: String,
    pub(crate) preferences: Vec<String>,
    pub(crate) identities: Vec<String>,
    pub(crate) info: String,
    pub(crate) created: u64,
    /// A PHC string, after `sha256:` if it is of a password's digest; "" for an account without a
    /// password.
    pub(crate) password: String,
}

impl UserRow {
    pub(crate) fn person(&self, uid: u64) -> Person {
        let name = if self.name.is_empty() { &self.handle } else { &self.name };
        Person {
            uid: Some(Uid(uid)),
            handle: self.handle.clone(),
            name: name.clone(),
            avatar: self.avatar.clone(),
            identities: self.identities.clone(),
        }
    }
}

#[derive(Clone, Debug, Default, Deserialize, Serialize)]
pub(crate) struct RoomRow {
    pub(crate) name: String,
    pub(crate) title: String,
    pub(crate) section: String,
    pub(crate) description: String,
    pub(crate) owner: Option<u64>,
    pub(crate) created: u64,
    pub(crate) capacity: u32,
    /// Durable members.
    pub(crate) members: u32,
    pub(crate) active: bool,
    pub(crate) closed: bool,
    /// Whether a user has entered with `opens`.
    pub(crate) opened: bool,
    pub(crate) app_code: Option<u16>,
    pub(crate) info: String,
    /// What holds beyond that. See [`RoomRow::pack`].
    #[serde(skip)]
    pub(crate) policy: PolicyRow,
}

/// The version of a room with a policy: the policy, and the layout of one without.
const ROOM_WITH_POLICY: u8 = 2;

impl RoomRow {
    /// Few rooms have a policy; the others keep the layout that they had before there was any.
    pub(crate) fn pack(&self) -> Vec<u8> {
        if self.policy == PolicyRow::default() {
            return pack(self);
        }
        let head = postcard::to_extend(&self.policy, vec![ROOM_WITH_POLICY]);
        postcard::to_extend(self, head.expect("a row is plain data")).expect("a row is plain data")
    }

    pub(crate) fn unpack(bytes: &[u8]) -> Result<Self, StoreError> {
        let [ROOM_WITH_POLICY, rest @ ..] = bytes else { return unpack("rooms", bytes) };
        let corrupt = |_| StoreError::Corrupt { table: "rooms" };
        let (policy, rest) = postcard::take_from_bytes(rest).map_err(corrupt)?;
        let row: Self = postcard::from_bytes(rest).map_err(corrupt)?;
        Ok(Self { policy, ..row })
    }

    /// Whether lists and searches have it.
    pub(crate) fn is_listed(&self) -> bool {
        !self.closed && !self.policy.secret
    }

    pub(crate) fn tag(&self, id: u32) -> RoomTag {
        let name = self.name.as_str().into();
        RoomTag { id: core_model::RoomId(id), name, closed: self.closed }
    }

    /// The view, without what other tables hold.
    pub(crate) fn view(&self, id: u32, population: u32) -> RoomView {
        RoomView {
            id: core_model::RoomId(id),
            name: self.name.clone(),
            title: self.title.clone(),
            section: self.section.clone(),
            description: self.description.clone(),
            owner: None,
            created: Timestamp(self.created),
            population,
            people: None,
            capacity: self.capacity,
            active: self.active,
            closed: self.closed,
            policy: self.policy.view(),
            app_code: self.app_code,
            info: self.info.clone(),
            members: Vec::new(),
            messages: Vec::new(),
            masks: Vec::new(),
        }
    }
}

/// A person: an account, or a guest by the name it chose.
#[derive(Clone, Debug, Deserialize, Eq, Ord, PartialEq, PartialOrd, Serialize)]
pub(crate) enum Who {
    User(u64),
    Guest(String),
}

impl Who {
    pub(crate) fn uid(&self) -> Option<u64> {
        match self {
            Self::User(uid) => Some(*uid),
            Self::Guest(_) => None,
        }
    }

    /// A key that no other person has.
    pub(crate) fn key(&self) -> String {
        match self {
            Self::User(uid) => format!("u{uid}"),
            Self::Guest(name) => format!("g{name}"),
        }
    }

    /// Whose key it is.
    pub(crate) fn of_key(key: &str) -> Option<Self> {
        match key.strip_prefix('g') {
            Some(name) => Some(Self::Guest(name.to_owned())),
            None => Some(Self::User(key.strip_prefix('u')?.parse().ok()?)),
        }
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct SeatRow {
    pub(crate) room: u32,
    pub(crate) who: Who,
    pub(crate) avatar: Option<String>,
    /// The connection that uses it.
    pub(crate) connection: Option<u64>,
    pub(crate) lease: Option<LeaseRow>,
    /// The network of the peer that took the lease.
    pub(crate) address: Option<u128>,
    /// What its user may do, while a connection uses it. See [`SeatRow::pack`].
    #[serde(skip)]
    pub(crate) roles: Roles,
}

/// The version of a seat with roles: a byte of flags for them, and the layout of one without.
const SEAT_WITH_ROLES: u8 = 2;

const OPERATOR: u8 = 1;
const VOICE: u8 = 2;

impl SeatRow {
    /// Few seats have roles; the others keep the layout that they had before there were any.
    pub(crate) fn pack(&self) -> Vec<u8> {
        if self.roles.is_empty() {
            return pack(self);
        }
        let operator = if self.roles.operator { OPERATOR } else { 0 };
        let voice = if self.roles.voice { VOICE } else { 0 };
        let head = vec![SEAT_WITH_ROLES, operator | voice];
        postcard::to_extend(self, head).expect("a row is plain data")
    }

    pub(crate) fn unpack(bytes: &[u8]) -> Result<Self, StoreError> {
        let [SEAT_WITH_ROLES, flags @ (OPERATOR | VOICE | 3), row @ ..] = bytes else {
            return unpack("seats", bytes);
        };
        let seat: Self =
            postcard::from_bytes(row).map_err(|_| StoreError::Corrupt { table: "seats" })?;
        let roles = Roles { operator: flags & OPERATOR != 0, voice: flags & VOICE != 0 };
        Ok(Self { roles, ..seat })
    }

    pub(crate) fn with_role(&self, role: Role, held: bool) -> Self {
        Self { roles: self.roles.with(role, held), ..self.clone() }
    }
}

#[derive(Clone, Copy, Debug, Deserialize, Serialize)]
pub(crate) struct LeaseRow {
    pub(crate) ttl_ms: u64,
    pub(crate) grace_ms: u64,
    /// When it ends, in steady ms, while no connection uses the seat.
    pub(crate) ends: u64,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct SessionRow {
    pub(crate) uid: u64,
    /// Which cursor its acknowledgements move: 0 none, 1 the one that sessions without a device
    /// share, else the stream of a device. It was a flag once, which has the same bytes.
    pub(crate) delivery: u64,
}

#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct TokenRow {
    pub(crate) uid: u64,
    pub(crate) expires: u64,
    pub(crate) ttl_ms: u64,
    pub(crate) sliding: bool,
    /// None: it was issued before that was noted. See [`TokenRow::pack`].
    #[serde(skip)]
    pub(crate) origin: Option<TokenOrigin>,
}

/// When and where a token was issued.
#[derive(Clone, Debug, Deserialize, PartialEq, Serialize)]
pub(crate) struct TokenOrigin {
    pub(crate) created: u64,
    pub(crate) frontend: String,
    /// "" for none.
    pub(crate) device: String,
}

/// The version of a token with its origin: the origin, and the layout of one without.
const TOKEN_WITH_ORIGIN: u8 = 2;

impl TokenRow {
    pub(crate) fn pack(&self) -> Vec<u8> {
        let Some(origin) = &self.origin else { return pack(self) };
        let head = postcard::to_extend(origin, vec![TOKEN_WITH_ORIGIN]);
        postcard::to_extend(self, head.expect("a row is plain data")).expect("a row is plain data")
    }

    pub(crate) fn unpack(bytes: &[u8]) -> Result<Self, StoreError> {
        let [TOKEN_WITH_ORIGIN, rest @ ..] = bytes else { return unpack("tokens", bytes) };
        let corrupt = |_| StoreError::Corrupt { table: "tokens" };
        let (origin, rest) = postcard::take_from_bytes(rest).map_err(corrupt)?;
        let row: Self = postcard::from_bytes(rest).map_err(corrupt)?;
        Ok(Self { origin: Some(origin), ..row })
    }
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct AdminTokenRow {
    pub(crate) label: String,
    pub(crate) role: AdminRole,
    pub(crate) created: u64,
    /// When it expires, ms; `u64::MAX` for never.
    pub(crate) expires: u64,
}

#[derive(Clone, Debug, Default, Deserialize, PartialEq, Serialize)]
pub(crate) struct BanRow {
    pub(crate) reason: String,
    pub(crate) created: u64,
    /// When it ends, ms; `u64::MAX` until it is lifted.
    pub(crate) until: u64,
    /// Whether the user was deleted.
    pub(crate) deleted: bool,
}

#[derive(Clone, Debug, Deserialize, Serialize)]
pub(crate) struct KeyRow {
    /// SHA-256 of the command and its session's user.
    pub(crate) digest: [u8; 32],
    /// The outcome, as JSON.
    pub(crate) outcome: String,
}

/// Where a message was sent.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Destination {
    Room(u32),
    User(u64),
}

/// A message: version, flags, time, author, destination, text; integers little-endian.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) struct MessageRow {
    pub(crate) at: u64,
    pub(crate) author: Who,
    pub(crate) to: Destination,
    pub(crate) notice: bool,
    pub(crate) text: String,
}

const GUEST: u8 = 1;
const DIRECT: u8 = 2;
const NOTICE: u8 = 4;

impl MessageRow {
    pub(crate) fn pack(
        at: u64,
        author: &Who,
        to: Destination,
        notice: bool,
        text: &str,
        row: &mut Vec<u8>,
    ) {
        row.clear();
        let guest = if matches!(author, Who::Guest(_)) { GUEST } else { 0 };
        let direct = if matches!(to, Destination::User(_)) { DIRECT } else { 0 };
        let notice = if notice { NOTICE } else { 0 };
        row.extend([VERSION, guest | direct | notice]);
        row.extend(at.to_le_bytes());
        match author {
            Who::User(uid) => row.extend(uid.to_le_bytes()),
            Who::Guest(name) => {
                let length = u16::try_from(name.len()).expect("a name has 64 characters at most");
                row.extend(length.to_le_bytes());
                row.extend(name.as_bytes());
            }
        }
        match to {
            Destination::Room(room) => row.extend(room.to_le_bytes()),
            Destination::User(uid) => row.extend(uid.to_le_bytes()),
        }
        row.extend(text.as_bytes());
    }

    pub(crate) fn unpack(bytes: &[u8]) -> Result<Self, StoreError> {
        Self::read(bytes).ok_or(StoreError::Corrupt { table: "messages" })
    }

    /// When a message was posted, without the rest of its row.
    pub(crate) fn time(mut bytes: &[u8]) -> Result<u64, StoreError> {
        let head = take(&mut bytes).filter(|[version, _]| *version == VERSION);
        let time = head.and_then(|[_, _]| take(&mut bytes));
        time.map(u64::from_le_bytes).ok_or(StoreError::Corrupt { table: "messages" })
    }

    fn read(mut bytes: &[u8]) -> Option<Self> {
        let [version, flags] = take(&mut bytes)?;
        if version != VERSION {
            return None;
        }
        let at = u64::from_le_bytes(take(&mut bytes)?);
        let author = if flags & GUEST == 0 {
            Who::User(u64::from_le_bytes(take(&mut bytes)?))
        } else {
            let length = u16::from_le_bytes(take(&mut bytes)?);
            let (name, rest) = bytes.split_at_checked(usize::from(length))?;
            bytes = rest;
            Who::Guest(str::from_utf8(name).ok()?.to_owned())
        };
        let to = if flags & DIRECT == 0 {
            Destination::Room(u32::from_le_bytes(take(&mut bytes)?))
        } else {
            Destination::User(u64::from_le_bytes(take(&mut bytes)?))
        };
        let notice = flags & NOTICE != 0;
        Some(Self { at, author, to, notice, text: str::from_utf8(bytes).ok()?.to_owned() })
    }
}

fn take<const N: usize>(bytes: &mut &[u8]) -> Option<[u8; N]> {
    let (head, rest) = bytes.split_first_chunk()?;
    *bytes = rest;
    Some(*head)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_without_roles_has_the_bytes_that_it_had_before_there_were_roles() {
        let seat = SeatRow {
            room: 7,
            who: Who::Guest("zed".into()),
            avatar: None,
            connection: Some(5),
            lease: None,
            address: None,
            roles: Roles::default(),
        };
        assert_eq!(seat.pack(), b"\x01\x07\x01\x03zed\x00\x01\x05\x00\x00");
        for roles in [(false, false), (true, false), (false, true), (true, true)] {
            let (operator, voice) = roles;
            let seat = SeatRow { roles: Roles { operator, voice }, ..seat.clone() };
            let read = SeatRow::unpack(&seat.pack()).unwrap();
            assert_eq!((read.roles, read.connection), (seat.roles, seat.connection));
        }
        for head in [[2, 0], [2, 4], [3, 1]] {
            let bytes: Vec<u8> = head.into_iter().chain(seat.pack().split_off(1)).collect();
            assert!(SeatRow::unpack(&bytes).is_err(), "{head:?}");
        }
    }

    #[test]
    fn a_message_reads_back_as_it_was_written() {
        let mut bytes = Vec::new();
        for author in [Who::User(10_000), Who::Guest("小茶".into())] {
            for to in [Destination::Room(7), Destination::User(10_001)] {
                let (text, notice) = ("hé\0llo".to_owned(), to == Destination::Room(7));
                MessageRow::pack(5, &author, to, notice, &text, &mut bytes);
                let row = MessageRow { at: 5, author: author.clone(), to, notice, text };
                assert_eq!(MessageRow::unpack(&bytes).unwrap(), row);
                assert_eq!(MessageRow::time(&bytes).unwrap(), 5);
                for cut in 0..bytes.len() - 7 {
                    assert!(MessageRow::unpack(&bytes[..cut]).is_err(), "cut at {cut}");
                }
            }
        }
    }
}
