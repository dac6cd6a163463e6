//! Commands and queries in few words. Users and rooms go by handle and room name unless a test
//! is about something else.

use std::sync::atomic::{AtomicU64, Ordering};

use core_model::{
    Claim, Command, ConversationRef, Credential, Delivery, Detail, Grant, MessageId, NewRoom,
    NewUser, PostRight, ProfileChanges, Query, RoomChanges, RoomFilter, RoomId, RoomRef, SeatKind,
    Timestamp, TokenHash, TokenShape, Uid, UserRef,
};

pub(crate) fn a_no_op() -> Command {
    Command::RefreshToken { token: token("unknown") }
}

/// A start of the only gateway, each by another process.
pub(crate) fn start() -> Command {
    static BOOTS: AtomicU64 = AtomicU64::new(1);
    let boot = BOOTS.fetch_add(1, Ordering::Relaxed);
    Command::Start { node: String::new(), boot, speaks: 1 }
}

// Names.

pub(crate) fn user(handle: &str) -> UserRef {
    UserRef::Handle(handle.into())
}

pub(crate) fn uid(uid: u64) -> UserRef {
    UserRef::Id(Uid(uid))
}

pub(crate) fn identity(identity: &str) -> UserRef {
    UserRef::Identity(identity.into())
}

pub(crate) fn token(text: &str) -> TokenHash {
    TokenHash::of("test", text)
}

pub(crate) fn by_token(text: &str) -> UserRef {
    UserRef::Token(token(text))
}

/// A name without proof.
pub(crate) fn claim(name: &str) -> Claim {
    Claim { name: name.into(), token: None, address: None, address_left_min_ms: 0, guests: true }
}

pub(crate) fn guest(name: &str) -> UserRef {
    UserRef::Claim(claim(name))
}

pub(crate) fn room(name: &str) -> RoomRef {
    RoomRef::Name(name.into())
}

pub(crate) fn room_id(id: u32) -> RoomRef {
    RoomRef::Id(RoomId(id))
}

// Accounts.

pub(crate) fn named(handle: &str) -> NewUser {
    NewUser { handle: Some(handle.into()), ..NewUser::default() }
}

pub(crate) fn identified(identity: &str) -> NewUser {
    NewUser { identities: vec![identity.into()], ..NewUser::default() }
}

pub(crate) fn register(handle: &str) -> Command {
    Command::Register { user: NewUser { insist: true, ..named(handle) } }
}

/// Signs in without a session.
pub(crate) fn vouch(user: UserRef) -> Command {
    Command::SignIn {
        user,
        credential: Credential::Vouched,
        create: None,
        changes: ProfileChanges::default(),
        session: false,
        delivery: None,
        token: None,
        address: None,
    }
}

pub(crate) fn sign_in(user: UserRef) -> Command {
    let mut command = vouch(user);
    let Command::SignIn { session, .. } = &mut command else { unreachable!() };
    *session = true;
    command
}

/// Signs in with a session that delivers the backlog and new messages.
pub(crate) fn sign_in_for_messages(user: UserRef, backlog_max: u32) -> Command {
    let mut command = sign_in(user);
    let Command::SignIn { delivery, .. } = &mut command else { unreachable!() };
    *delivery = Some(Delivery { backlog_max, ..Delivery::default() });
    command
}

pub(crate) fn deliver(of: (u32, &str, bool)) -> Delivery {
    let (backlog_max, device, direct_only) = of;
    Delivery { backlog_max, device: device.into(), direct_only }
}

pub(crate) fn mark_read(of: (UserRef, ConversationRef, u64)) -> Command {
    let (user, conversation, at) = of;
    Command::MarkRead { user, conversation, at: Timestamp(at) }
}

pub(crate) fn grant(text: &str, ttl_ms: u64) -> Grant {
    Grant {
        purpose: "test".into(),
        shape: TokenShape::Text,
        ttl_ms,
        sliding: false,
        hash: Some(token(text)),
    }
}

pub(crate) fn sliding(text: &str, ttl_ms: u64) -> Grant {
    Grant { sliding: true, ..grant(text, ttl_ms) }
}

pub(crate) fn issue(user: UserRef, grant: Grant) -> Command {
    Command::IssueToken { user, grant }
}

// Rooms.

pub(crate) fn titled(name: &str) -> NewRoom {
    NewRoom { name: Some(name.into()), ..NewRoom::default() }
}

pub(crate) fn closed(name: &str) -> NewRoom {
    NewRoom { closed: true, ..titled(name) }
}

pub(crate) fn seating(name: &str, capacity: u32) -> NewRoom {
    NewRoom { capacity: Some(capacity), ..titled(name) }
}

pub(crate) fn create(room: NewRoom, owner: Option<UserRef>) -> Command {
    Command::CreateRoom { room, owner, members: None }
}

pub(crate) fn create_for(room: NewRoom, owner: UserRef, members: &[&str]) -> Command {
    let members = Some(members.iter().map(|handle| user(handle)).collect());
    Command::CreateRoom { room, owner: Some(owner), members }
}

pub(crate) fn rename(room: RoomRef, name: &str, by: Option<UserRef>) -> Command {
    let changes = RoomChanges { name: Some(name.into()), ..RoomChanges::default() };
    Command::UpdateRoom { room, changes, by }
}

pub(crate) fn delete(room: RoomRef, by: Option<UserRef>) -> Command {
    Command::DeleteRoom { room, by }
}

pub(crate) fn clear(room: RoomRef, by: Option<UserRef>) -> Command {
    Command::ClearMessages { room, by }
}

// Seats.

pub(crate) const TTL_MS: u64 = 600_000;
pub(crate) const GRACE_MS: u64 = 60_000;
pub(crate) const LEASE: SeatKind = SeatKind::Lease { ttl_ms: TTL_MS, grace_ms: GRACE_MS };

pub(crate) fn join(room: RoomRef, user: UserRef) -> Command {
    Command::Join { room, user }
}

pub(crate) fn kick(room: RoomRef, user: UserRef) -> Command {
    Command::Kick { room, user, by: None, reason: String::new() }
}

pub(crate) fn kick_by(room: RoomRef, user: UserRef, by: UserRef) -> Command {
    Command::Kick { room, user, by: Some(by), reason: String::new() }
}

pub(crate) fn enter(room: RoomRef, user: UserRef) -> Command {
    Command::Enter {
        room,
        user,
        seat: SeatKind::Connection,
        opens: false,
        avatar: None,
        create: false,
    }
}

pub(crate) fn enter_and_open(room: RoomRef, user: UserRef) -> Command {
    Command::Enter {
        room,
        user,
        seat: SeatKind::Connection,
        opens: true,
        avatar: None,
        create: false,
    }
}

pub(crate) fn lease(room: RoomRef, user: UserRef) -> Command {
    Command::Enter { room, user, seat: LEASE, opens: false, avatar: None, create: false }
}

pub(crate) fn exit(room: RoomRef, user: UserRef) -> Command {
    Command::Exit { room, user, seat: SeatKind::Connection, reason: String::new() }
}

pub(crate) fn end_lease(room: RoomRef, user: UserRef) -> Command {
    Command::Exit { room, user, seat: LEASE, reason: String::new() }
}

pub(crate) fn disconnect() -> Command {
    Command::Disconnect { delivered: None }
}

/// The end of a connection whose peer has acknowledged the messages up to this one.
pub(crate) fn disconnect_after(delivered: u64) -> Command {
    Command::Disconnect { delivered: Some(MessageId(delivered)) }
}

// Messages.

/// Posts as a durable member.
pub(crate) fn post(room: RoomRef, author: UserRef, text: &str) -> Command {
    Command::Post { room, author, text: text.into(), standing: PostRight::Member, notice: false }
}

/// Posts from a seat of this connection.
pub(crate) fn say(room: RoomRef, author: UserRef, text: &str) -> Command {
    Command::Post { room, author, text: text.into(), standing: PostRight::Seated, notice: false }
}

/// Posts and becomes a member.
pub(crate) fn post_joining(room: RoomRef, author: UserRef, text: &str, create: bool) -> Command {
    Command::Post {
        room,
        author,
        text: text.into(),
        standing: PostRight::Joining { create },
        notice: false,
    }
}

pub(crate) fn direct(author: UserRef, to: UserRef, text: &str) -> Command {
    Command::PostDirect { author, to, text: text.into(), notice: false, allow_self: false }
}

/// Reads everything not received yet.
pub(crate) fn receive(user: UserRef, room: Option<RoomRef>) -> Command {
    Command::Receive {
        user,
        expect: None,
        room,
        after: None,
        limit: u32::MAX,
        first_limit: u32::MAX,
        newest: false,
    }
}

// Queries.

pub(crate) fn history(room: RoomRef, limit: u32) -> Query {
    Query::History { room, caller: None, before: None, after: None, limit }
}

pub(crate) fn members(room: RoomRef) -> Query {
    Query::Members { room, caller: None }
}

pub(crate) fn about_room(room: RoomRef) -> Query {
    Query::Room { room, caller: None, detail: Detail::default() }
}

pub(crate) fn about_user(user: UserRef) -> Query {
    Query::User { user, caller: None }
}

pub(crate) fn listed(filter: RoomFilter) -> Query {
    Query::Rooms { filter, after: RoomId(0), limit: u32::MAX, detail: Detail::default() }
}

pub(crate) fn search(text: &str) -> Query {
    Query::SearchRooms {
        text: Some(text.into()),
        section: None,
        description: None,
        limit: 100,
        detail: Detail::default(),
    }
}
