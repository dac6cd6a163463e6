//! The nouns that every dialect shares, and the four kinds of value that carry them: a [`Command`]
//! asks for a change, a [`Query`] reads, a [`Reply`] answers either, and an [`Event`] informs other
//! sessions.
//!
//! This crate has no I/O, no clock and no randomness, so a front end that depends
//! on nothing else can be compiled into the gateway or loaded from a shared library.

mod admin;
pub mod bounds;
mod command;
mod credential;
mod event;
mod id;
mod loggable;
mod mask;
mod moving;
mod name;
mod policy;
mod query;
mod refusal;
mod reply;
mod role;
mod user_ref;
mod view;
mod webhook;

pub use admin::{
    ADMIN_TOKENS_MAX, ANNOUNCED_ROOMS_MAX, AdminCommand, AdminRole, AdminToken, BANS_MAX, Ban,
    BanNetwork, BanTarget, Banned, DELETED_MESSAGES_MAX, MUTES_MAX, SHED_MAX, SignInKey,
};
pub use command::{
    AddressGrant, Command, Delivery, Grant, NewRoom, NewUser, PostRight, ProfileChanges,
    RoomChanges, SeatKind, TokenShape,
};
pub use credential::{Credential, Secret};
pub use event::{Event, Recorded};
pub use id::{ConnectionId, MessageId, RoomId, Seq, Timestamp, TokenHash, Uid};
pub use loggable::{Loggable, PlainPassword};
pub use mask::{
    MASK_BYTES_MAX, MaskFault, MaskPart, check_mask, mask_parts, matches_mask, push_literal,
};
pub use moving::{
    CursorOf, EXPORT_VERSION, ExportEnd, ExportHeader, ExportRecord, ExportedBan, ExportedCursor,
    ExportedInvitation, ExportedMask, ExportedMember, ExportedMessage, ExportedMute,
    ExportedPolicy, ExportedReadMark, ExportedRoom, ExportedUser, FieldFault,
};
pub use name::{
    GUEST_PREFIX, NAME_CHARS_MAX, NameFault, check_existing_handle, check_existing_name,
    check_handle, check_room_name, is_invisible, normalize,
};
pub use policy::{
    INVITATIONS_MAX, MASKS_MAX, MaskList, MaskView, Policy, PolicyChange, ROOM_KEY_BYTES_MAX,
};
pub use query::{Detail, Part, Position, Query, RoomFilter};
pub use refusal::{Barrier, Refusal};
pub use reply::{AutoJoinFailure, Expired, Outcome, Reply};
pub use role::{Role, Roles};
pub use user_ref::{Claim, ConversationRef, RoomRef, UserRef};
pub use view::{ConversationView, Gap, Message, Person, Recipient, RoomTag, RoomView, UserView};
pub use webhook::{DeadLetter, EventPosition, WebhookNeed, WebhookProgress};

#[deprecated = "use `PostRight`"]
pub type Standing = PostRight;

#[deprecated = "use `AutoJoinFailure`"]
pub type Skipped = AutoJoinFailure;
