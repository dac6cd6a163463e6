//! Commands: requests to change something.

use std::sync::Arc;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::admin::AdminCommand;
use crate::credential::{Credential, Secret};
use crate::id::{MessageId, RoomId, Timestamp, TokenHash, Uid};
use crate::policy::PolicyChange;
use crate::role::Role;
use crate::user_ref::{ConversationRef, RoomRef, UserRef};
use crate::webhook::{WebhookNeed, WebhookProgress};

/// A request for a change. Imperative: it may yet be refused.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(tag = "do", rename_all = "snake_case")]
#[expect(clippy::large_enum_variant, reason = "a front end boxes the whole command")]
pub enum Command {
    // Accounts.
    /// Creates an account. Refused if an identity is taken, or, with `insist`, the handle.
    Register { user: NewUser },
    /// Signs a user in: checks the credential and issues the requested grants.
    SignIn {
        user: UserRef,
        credential: Credential,
        /// Makes the account where the user is unknown.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        create: Option<NewUser>,
        /// Profile fields to change on this occasion.
        #[serde(default, skip_serializing_if = "ProfileChanges::is_empty")]
        changes: ProfileChanges,
        /// Whether this connection becomes a session of that user. An earlier session of the
        /// connection, and the seats taken in it, end.
        #[serde(default)]
        session: bool,
        /// Which messages to deliver of those that the user has not acknowledged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivery: Option<Delivery>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        token: Option<Grant>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<AddressGrant>,
    },
    /// Ends this connection's session and gives back every seat of this connection.
    SignOut {
        /// Why, in the words of the user; "" for no reason.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Changes the given fields of a user's profile. With `create`, an unknown user that an identity
    /// names is made.
    UpdateUser { user: UserRef, create: bool, changes: ProfileChanges },
    /// Attaches an identity to a user. For operators.
    LinkIdentity { user: UserRef, identity: String },
    /// Removes an identity from a user. For operators.
    UnlinkIdentity { user: UserRef, identity: String },
    /// Sets a user's password and revokes every token and address that signs the user in.
    /// Connections stay. For operators.
    SetPassword { user: UserRef, password: Secret },
    /// Issues a token to a user.
    IssueToken { user: UserRef, grant: Grant },
    /// Extends a sliding token from now.
    RefreshToken { token: TokenHash },

    // Rooms.
    /// Creates a room. The owner is its first durable member.
    CreateRoom {
        room: NewRoom,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<UserRef>,
        /// Further members; if given, at least one must be a user other than the owner.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        members: Option<Vec<UserRef>>,
    },
    /// Creates a room of exactly this name; changes nothing if it exists.
    DeclareRoom { room: NewRoom },
    /// Changes the given fields of a room. If `by` is given, it must be the owner; to change nothing
    /// but the description, it may be an operator by a seat of this connection, or any user inside
    /// where the [policy](crate::Policy::open_topic) says so.
    UpdateRoom {
        room: RoomRef,
        changes: RoomChanges,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
    },
    /// Gives a room another owner, or none; its members stay. A closed room keeps an
    /// owner. For operators.
    SetOwner {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        owner: Option<UserRef>,
    },
    /// Deletes a room and its messages. If `by` is given, it must be the owner.
    DeleteRoom {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
    },
    /// Removes a room's messages. If `by` is given, it must be the owner. A room without messages
    /// is answered [`Reply::Pruned`](crate::Reply::Pruned) with 0.
    ClearMessages {
        room: RoomRef,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
    },

    // Seats.
    /// Makes a user a durable member; changes nothing if it is one.
    Join { room: RoomRef, user: UserRef },
    /// Ends a user's membership and every seat it has in the room. Removing a user that has none,
    /// or does not exist, changes nothing and succeeds.
    Kick {
        room: RoomRef,
        user: UserRef,
        /// Who removes the user; where given, the owner, or an operator by a seat of this
        /// connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Takes a live seat. With [`SeatKind::Connection`], a lease of the same user that no
    /// connection uses is taken up instead of a further seat.
    Enter {
        room: RoomRef,
        user: UserRef,
        seat: SeatKind,
        /// The first entrance ever with this set opens the room, and its event says so.
        #[serde(default)]
        opens: bool,
        /// The avatar that others see, instead of the user's own.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        avatar: Option<String>,
        /// Whether to make the room if there is none of this name: an account then owns it, without
        /// being a member, and the seat of a guest is its operator's.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        create: bool,
    },
    /// Gives a user a role, or takes it, at each of its seats that a connection uses. A user
    /// without such a seat is refused with [`Refusal::NotInRoom`](crate::Refusal::NotInRoom), and
    /// to take the role of the owner with [`Refusal::OwnerStays`](crate::Refusal::OwnerStays).
    SetRole {
        room: RoomRef,
        user: UserRef,
        role: Role,
        held: bool,
        /// Who changes it; where given, the owner, or an operator by a seat of this connection.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
    },
    /// Changes what holds in a room beyond its members. If `by` is given, it must be the owner, or
    /// an operator by a seat of this connection; see also
    /// [`PolicyChange::Invited`](crate::PolicyChange::Invited). Changes nothing if it holds already.
    ChangePolicy {
        room: RoomRef,
        change: PolicyChange,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
    },
    /// Gives back a live seat. With [`SeatKind::Lease`], one that no connection uses, or else one
    /// in use, whose connection then leaves the room.
    Exit {
        room: RoomRef,
        user: UserRef,
        seat: SeatKind,
        /// Why, in the words of the user; "" for no reason.
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },

    // Messages.
    /// Posts to a room.
    Post {
        room: RoomRef,
        author: UserRef,
        text: String,
        standing: PostRight,
        /// Whether it is a notice: a message to which no program replies automatically.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        notice: bool,
    },
    /// Deletes a message of a room. If `by` is given, it must be its author, by an account, or the
    /// owner of the room, or an operator by a seat of this connection.
    DeleteMessage {
        room: RoomRef,
        message: MessageId,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        by: Option<UserRef>,
        #[serde(default, skip_serializing_if = "String::is_empty")]
        reason: String,
    },
    /// Posts to one user. A guest cannot read direct messages and is refused as unknown.
    PostDirect {
        author: UserRef,
        to: UserRef,
        text: String,
        /// Whether it is a notice: a message to which no program replies automatically.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        notice: bool,
        /// Whether the recipient may be the author: a note to oneself.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        allow_self: bool,
    },
    /// Returns the messages that a user has not received yet, and moves the user's cursor past
    /// them.
    Receive {
        user: UserRef,
        /// The handle that the user must have, else
        /// [`Refusal::NotAllowed`](crate::Refusal::NotAllowed). For dialects whose request names
        /// the receiver.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        expect: Option<String>,
        /// A room, which the user joins as a durable member if it is none yet. Absent: the direct
        /// messages sent to the user.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<RoomRef>,
        /// Reads from after this message instead of the cursor.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        after: Option<MessageId>,
        /// The most messages to return: the oldest.
        limit: u32,
        /// While the user has no cursor, all but this many of the newest count as received.
        first_limit: u32,
        /// Always the newest `first_limit`, whatever the cursor says.
        #[serde(default)]
        newest: bool,
    },

    /// Notes that a user has read a conversation up to a time, if that is later than what is noted.
    /// A time in the future counts as now. The engine keeps the marks of 1,000 conversations of a
    /// user, and forgets the earliest.
    MarkRead { user: UserRef, conversation: ConversationRef, at: Timestamp },

    // For the host.
    /// The peer of this connection has shown to have the messages up to this one, of those that
    /// were delivered to its session. Changes nothing unless the session is this user's.
    Acknowledge {
        user: Uid,
        message: MessageId,
        /// The device that they were delivered to: the connection may have signed in on another one
        /// since. Without it, that of the session, if it asked for delivery.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        device: Option<Arc<str>>,
    },
    /// The gateway starts: removes the sessions and seats of earlier connections.
    Start {
        /// The name of the node, whose earlier runs end. "": the gateway is the only one, and every
        /// earlier run ends.
        #[serde(skip)]
        node: String,
        /// Drawn by the process. The same one again is the same run, which goes on with its start
        /// where the step before has left off: see [`Reply::Started`](crate::Reply::Started).
        #[serde(skip)]
        boot: u64,
        /// The latest version of the engine's rules that the gateway speaks.
        #[serde(skip)]
        speaks: u32,
    },
    /// Ends a run of a gateway, with the sessions and seats of its connections. Changes nothing for
    /// one that has ended.
    #[serde(skip)]
    EndRun { run: u64 },
    /// A second has passed, says one of several gateways. Ends the runs that the fifth second in
    /// turn has brought nothing of.
    #[serde(skip)]
    Tick,
    /// This connection has ended: its session and seats with it.
    Disconnect {
        /// The newest message that its peer has acknowledged.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        delivered: Option<MessageId>,
    },
    /// Removes leases, tokens, addresses and idempotency keys that have expired.
    Expire,
    /// Removes messages that retention does not keep, at most `limit`. One step of a pass, which is
    /// over when the reply names no next room.
    Prune {
        /// Removes messages posted before this time.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        before: Option<Timestamp>,
        /// Removes all but this many of the newest messages of each room.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        keep_per_room: Option<u32>,
        /// The room that this step begins with; 0 for the first step of a pass.
        from: RoomId,
        limit: u32,
    },
    /// Says which webhooks there are. A new one begins with the next event; those that are not
    /// named are forgotten, with their dead letters.
    DeclareWebhooks { webhooks: Vec<WebhookNeed> },
    /// Notes how far a webhook has come. Changes nothing for an unknown one.
    AdvanceWebhook { webhook: String, progress: WebhookProgress },
    /// What only an operator can have done. Not part of the interface of front ends.
    #[serde(skip)]
    Admin(Box<AdminCommand>),
}

/// An account to create.
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

/// Changes to a user's profile. Absent: unchanged.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct ProfileChanges {
    /// The display name, cut to 256 characters.
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

/// A token to issue. The host draws it and fills in `hash`; only that is stored.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Grant {
    /// Its purpose: the first argument of [`TokenHash::of`].
    pub purpose: String,
    pub shape: TokenShape,
    pub ttl_ms: u64,
    /// Whether each use makes it last `ttl_ms` from then.
    #[serde(default)]
    pub sliding: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hash: Option<TokenHash>,
}

/// The form of a token.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenShape {
    /// 43 characters of URL-safe base64: 256 bits.
    Text,
    /// A u64 other than 0, in decimal digits.
    Number,
}

/// Treats requests from an address as signed in, for clients that cannot keep a token.
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct AddressGrant {
    pub address: String,
    pub ttl_ms: u64,
}

/// Which messages a new session is delivered, of those that the user, or one device of the user,
/// has not acknowledged.
///
/// A cursor says up to which message id they are acknowledged; [`Command::Acknowledge`] moves it.
/// Signing in does not: what a lost connection never read comes again, with the same ids.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct Delivery {
    /// The most messages to deliver: the newest.
    pub backlog_max: u32,
    /// The name of a device with a cursor of its own, at most 64 bytes; "" for the cursor that all
    /// sessions without a device share. A new device has acknowledged nothing. The engine keeps the
    /// cursors of 16 devices of a user, and forgets the one that is farthest behind.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub device: String,
    /// Whether to deliver direct messages only: for dialects whose clients get what they missed in a
    /// room when they enter it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub direct_only: bool,
}

/// A room to create.
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
    /// Whether the owner owns the room without being a member, and so without a seat in it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub owner_absent: bool,
    /// Seats; absent: the front end's `room_capacity`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u32>,
    /// Whether only members may see it.
    #[serde(default)]
    pub closed: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_code: Option<u16>,
    /// A JSON object, as text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub info: Option<String>,
}

/// Changes to a room. Absent: unchanged. A new name changes the display name; the room name stays.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema, PartialEq, Serialize)]
pub struct RoomChanges {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub section: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
}

/// What keeps a live seat.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum SeatKind {
    /// This connection; given back when it ends.
    Connection,
    /// Time: given back after `ttl_ms` without a connection that uses it, or `grace_ms` after that
    /// connection dropped.
    Lease { ttl_ms: u64, grace_ms: u64 },
}

/// The right by which an author posts to a room; without it the post is refused with
/// [`Refusal::NotInRoom`](crate::Refusal::NotInRoom).
#[derive(Clone, Debug, Deserialize, JsonSchema, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
#[schemars(rename = "Standing")]
pub enum PostRight {
    /// The author has a seat there by this connection.
    Seated,
    /// The author is a durable member.
    Member,
    /// The author becomes a durable member, if it is none yet. With `create`, an unknown room is
    /// made, with the author as its owner.
    Joining { create: bool },
}
