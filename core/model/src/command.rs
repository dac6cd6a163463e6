//! What the engine may be asked to do.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::id::{MessageId, RoomId, Timestamp, TokenHash};
use crate::user_ref::{RoomRef, UserRef};

/// A request for a change. Imperative: it may yet be refused.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a front end boxes the whole command")]
pub enum Command {
    // Accounts.
    /// Makes an account. Refused where an identity is taken, or the handle if it is insisted on.
    Register { user: NewUser },
    /// Signs a user in: checks the credential and hands out what was asked for.
    SignIn {
        user: UserRef,
        credential: Credential,
        /// Makes the account where the user is unknown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        create: Option<NewUser>,
        /// What the user says of itself on this occasion.
        #[serde(default, skip_serializing_if = "ProfileChanges::is_empty")]
        changes: ProfileChanges,
        /// Whether this connection is from now on a session of that user. One that it was of
        /// another, and the seats taken in it, end.
        #[serde(default)]
        session: bool,
        /// What to hand over of the messages that arrived while the user had no session.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivery: Option<Delivery>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Grant>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<AddressGrant>,
    },
    /// Ends this connection's session and gives back every seat of this connection.
    SignOut,
    /// Changes what is given of a user's profile; makes the user where unknown, if `create`. The
    /// user is then named by an identity.
    UpdateUser { user: UserRef, create: bool, changes: ProfileChanges },
    /// Attaches an identity to a user: an operator's act.
    LinkIdentity { user: UserRef, identity: String },
    /// Takes an identity off a user: an operator's act.
    UnlinkIdentity { user: UserRef, identity: String },
    /// Gives a user a password in place of the one it has, if it has one, and takes every token
    /// and address away by which it is signed in: an operator's act. Connections stay.
    SetPassword { user: UserRef, password: Secret },
    /// Gives a user a token.
    IssueToken { user: UserRef, grant: Grant },
    /// Extends a sliding token from now.
    RefreshToken { token: TokenHash },

    // Rooms.
    /// Makes a room. The owner is its first durable member.
    CreateRoom {
        room: NewRoom,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<UserRef>,
        /// Further members; where the list is given, at least one must be somebody else.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        members: Option<Vec<UserRef>>,
    },
    /// Makes a room of this very name where there is none; changes nothing where there is.
    DeclareRoom { room: NewRoom },
    /// Changes what is given of a room; by its owner where `by` says who asks.
    UpdateRoom {
        room: RoomRef,
        changes: RoomChanges,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
    },
    /// Deletes a room with all that is in it; by its owner where `by` says who asks.
    DeleteRoom {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
    },
    /// Removes a room's messages; by its owner where `by` says who asks.
    ClearMessages {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
    },

    // Seats.
    /// Makes a user a durable member; changes nothing where it is one.
    Join { room: RoomRef, user: UserRef },
    /// Ends a user's membership and every seat it has in the room. Removing somebody who has
    /// none, or who does not exist, changes nothing and succeeds.
    Kick { room: RoomRef, user: UserRef },
    /// Takes a live seat. With [`SeatKind::Connection`], a lease of the same user that no
    /// connection uses is taken up instead of a further seat.
    Enter {
        room: RoomRef,
        user: UserRef,
        seat: SeatKind,
        /// The first entrance ever that says so opens the room; the event tells.
        #[serde(default)]
        opens: bool,
        /// What others see of the user, instead of its own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        avatar: Option<String>,
    },
    /// Gives back a live seat. With [`SeatKind::Lease`], one that no connection uses, else one
    /// that is used, whose connection then leaves.
    Exit { room: RoomRef, user: UserRef, seat: SeatKind },

    // Messages.
    /// Posts to a room.
    Post { room: RoomRef, author: UserRef, text: String, standing: PostRight },
    /// Posts to one user. Guests have no way to read it: no such user.
    PostDirect { author: UserRef, to: UserRef, text: String },
    /// Reads what a user has not received yet, and moves the user's cursor past it.
    Receive {
        user: UserRef,
        /// The handle that the user must have, else
        /// [`Refusal::NotAllowed`](crate::Refusal::NotAllowed): the caller said whose messages
        /// these are.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<String>,
        /// A room, of which the user becomes a durable member if it is none yet, or the user's
        /// direct messages (those sent to the user).
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomRef>,
        /// Reads from after this message instead of the cursor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MessageId>,
        /// At most so many, the oldest.
        limit: u32,
        /// Without a cursor yet: all but the newest so many count as received before.
        first_limit: u32,
        /// Always the newest `first_limit`, whatever the cursor says.
        #[serde(default)]
        newest: bool,
    },

    // The host's own.
    /// The gateway starts: whatever was tied to connections of an earlier run is gone.
    Start,
    /// This connection has ended: its session and seats with it.
    Disconnect {
        /// The newest message that was handed to it.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivered: Option<MessageId>,
    },
    /// Time has passed: leases, tokens and keys that have run out are given back.
    Expire,
    /// Forgets messages of which no more need be kept, at most `limit` at once: one step of a
    /// pass, which is over when the reply names no room to go on from.
    Prune {
        /// Messages of before then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Timestamp>,
        /// Of each room all but the newest so many.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_per_room: Option<u32>,
        /// The room that this step begins with; 0 at the beginning of a pass.
        from: RoomId,
        limit: u32,
    },
}

/// An account to be made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct NewUser {
    /// The wanted handle. Where it is absent, taken or not acceptable, the user gets
    /// `<wanted>-<uid>` or `user-<uid>`, unless it is insisted on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub handle: Option<String>,
    /// Refuse rather than give another handle.
    #[serde(default)]
    pub insist: bool,
    /// `realm/subject` each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub identities: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    #[serde(default)]
    pub profile: ProfileChanges,
}

/// What a user tells of itself. Absent: leave as it is.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ProfileChanges {
    /// The display name; what is over 256 characters is cut off.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avatar: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sex: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub preferences: Option<Vec<String>>,
    /// A JSON object, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
}

impl ProfileChanges {
    /// Whether nothing is given.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// A password on its way into the store.
///
/// A front end gives it as the client did; the host replaces it by its hash before the engine
/// sees it.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Secret {
    Plain(String),
    /// A PHC string, `$argon2id$…`.
    Hashed(String),
}

impl std::fmt::Debug for Secret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Secret(…)")
    }
}

/// What proves that the caller is the user it names.
#[derive(Clone, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Credential {
    /// The front end vouches: in its dialect the name is the proof, or the proof was checked.
    Vouched,
    /// The account's password, as the client gave it. The host checks it before the engine sees
    /// the command; refused with [`Refusal::UnknownUser`](crate::Refusal::UnknownUser) or
    /// [`Refusal::WrongPassword`](crate::Refusal::WrongPassword), both in the same time.
    Password(String),
}

impl std::fmt::Debug for Credential {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Vouched => "Vouched",
            Self::Password(_) => "Password(…)",
        })
    }
}

/// A token to hand out. The host draws it and fills in `hash`; only that is stored.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Grant {
    /// What it is for: the first argument of [`TokenHash::of`].
    pub purpose: String,
    pub shape: TokenShape,
    pub ttl_ms: u64,
    /// Whether each use extends it by `ttl_ms` from then.
    #[serde(default)]
    pub sliding: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<TokenHash>,
}

/// How a token looks to the client.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenShape {
    /// 43 characters of URL-safe base64: 256 bits.
    Text,
    /// A u64 other than 0, in decimal digits.
    Number,
}

/// Lets an address count as signed in, for clients that can keep no token.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AddressGrant {
    pub address: String,
    pub ttl_ms: u64,
}

/// Which messages a new session is handed, of those that arrived while the user had none that
/// asks for delivery.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Delivery {
    /// At most so many, the newest.
    pub backlog_max: u32,
}

/// A room to be made.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct NewRoom {
    /// The display name, and the room name if that is free.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Refuse rather than give another room name.
    #[serde(default)]
    pub insist: bool,
    #[serde(default)]
    pub section: String,
    #[serde(default)]
    pub description: String,
    /// Seats; absent: the front end's `room_capacity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Whether only members may know of it.
    #[serde(default)]
    pub closed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_code: Option<u16>,
    /// A JSON object, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
}

/// Absent: leave as it is. A new name changes the display name; the room name stays.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct RoomChanges {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What holds a live seat.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatKind {
    /// This connection; given back when it ends.
    Connection,
    /// Nothing but time: given back after `ttl_ms` without a connection that uses it, and
    /// `grace_ms` after such a connection dropped.
    Lease { ttl_ms: u64, grace_ms: u64 },
}

/// By what right somebody posts to a room; lacking it is
/// [`Refusal::NotInRoom`](crate::Refusal::NotInRoom).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Standing")]
pub enum PostRight {
    /// The author has a seat there by this connection.
    Seated,
    /// The author is a durable member.
    Member,
    /// The author becomes a durable member, if it is none yet; where `create`, an unknown room is
    /// made, with the author as owner.
    Joining { create: bool },
}
