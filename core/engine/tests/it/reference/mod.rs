//! A second, naive implementation of the rules to compare the engine with: lists searched from the
//! front, without tables, caches or batches, and a copy of the whole state before each command to
//! return to if it is refused.

mod accounts;
mod conversations;
mod keys;
mod messages;
mod policy;
mod quotas;
mod roles;
mod rooms;
mod seats;
mod views;

use std::collections::{BTreeMap, BTreeSet};

use core_engine::{Envelope, FrontendSettings};
use core_model::{
    Command, Event, Outcome, ProfileChanges, Recorded, Reply, Roles, SeatKind, Seq, Timestamp,
    TokenHash,
};

const KEY_WINDOW_MS: u64 = 24 * 60 * 60 * 1000;

#[derive(Clone, Debug, PartialEq)]
enum Who {
    User(u64),
    Guest(String),
}

#[derive(Clone, Debug)]
struct User {
    handle: String,
    name: String,
    avatar: String,
    sex: String,
    preferences: Vec<String>,
    identities: Vec<String>,
    info: String,
    created: u64,
}

#[derive(Clone, Debug)]
struct Room {
    name: String,
    title: String,
    section: String,
    description: String,
    owner: Option<u64>,
    created: u64,
    capacity: u32,
    active: bool,
    closed: bool,
    opened: bool,
    app_code: Option<u16>,
    info: String,
    rules: policy::Rules,
    /// In the order of joining; with each the newest message at the time.
    members: Vec<(u64, u64)>,
}

#[derive(Clone, Debug)]
struct Seat {
    number: u64,
    room: u32,
    who: Who,
    avatar: Option<String>,
    connection: Option<u64>,
    lease: Option<Lease>,
    address: Option<u128>,
    roles: Roles,
}

#[derive(Clone, Debug)]
struct Lease {
    ttl_ms: u64,
    grace_ms: u64,
    /// Holds while no connection uses the seat.
    ends: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Destination {
    Room(u32),
    Inbox(u64),
}

#[derive(Clone, Debug)]
struct StoredMessage {
    id: u64,
    at: u64,
    author: Who,
    to: Destination,
    text: String,
}

#[derive(Clone, Debug)]
struct Token {
    uid: u64,
    expires: u64,
    ttl_ms: u64,
    sliding: bool,
}

pub(crate) use conversations::Conversation;

/// The user of a connection, and the device to which messages are delivered, if they are.
type Session = (u64, Option<String>);

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    now: u64,
    steady: u64,
    /// Runs that have begun.
    runs: u64,
    next_uid: u64,
    next_room: u32,
    next_message: u64,
    next_seat: u64,
    next_seq: u64,
    last_change: u64,
    users: BTreeMap<u64, User>,
    rooms: BTreeMap<u32, Room>,
    seats: Vec<Seat>,
    sessions: BTreeMap<u64, Session>,
    messages: Vec<StoredMessage>,
    tokens: BTreeMap<TokenHash, Token>,
    addresses: BTreeMap<(String, u64), u64>,
    /// (User, room, or none for direct messages) → received up to.
    cursors: BTreeMap<(u64, Option<u32>), u64>,
    /// (Room, or none and an end of a direct message) → ids that were removed.
    removed: BTreeMap<(Option<u32>, u64), BTreeSet<u64>>,
    /// Recipient of direct messages → ids that were removed.
    removed_from_inbox: BTreeMap<u64, BTreeSet<u64>>,
    /// (User, device) → acknowledged up to.
    delivered: BTreeMap<(u64, String), u64>,
    /// (User, device) → sent up to when its last session ended.
    sent: BTreeMap<(u64, String), u64>,
    /// (User, conversation) → read up to.
    read: BTreeMap<(u64, Conversation), u64>,
    keys: BTreeMap<String, keys::Key>,
    /// (What is counted, address) → when the count ends, and the count.
    windows: BTreeMap<(u8, u128), (u64, u32)>,
    /// Room that a client made without an owner → when it is looked after.
    unowned: BTreeMap<u32, u64>,
    /// The current command: its connection, its front end, its events, and whether something
    /// changed that could be seen.
    connection: u64,
    address: Option<u128>,
    frontend: FrontendSettings,
    events: Vec<Event>,
    visible: bool,
}

impl Reference {
    pub(crate) fn new() -> Self {
        Self {
            now: 0,
            steady: 0,
            runs: 0,
            next_uid: 10_000,
            next_room: 1,
            next_message: 1,
            next_seat: 1,
            next_seq: 1,
            last_change: 0,
            users: BTreeMap::new(),
            rooms: BTreeMap::new(),
            seats: Vec::new(),
            sessions: BTreeMap::new(),
            messages: Vec::new(),
            tokens: BTreeMap::new(),
            addresses: BTreeMap::new(),
            cursors: BTreeMap::new(),
            removed: BTreeMap::new(),
            removed_from_inbox: BTreeMap::new(),
            delivered: BTreeMap::new(),
            sent: BTreeMap::new(),
            read: BTreeMap::new(),
            keys: BTreeMap::new(),
            windows: BTreeMap::new(),
            unowned: BTreeMap::new(),
            connection: 0,
            address: None,
            frontend: FrontendSettings::default(),
            events: Vec::new(),
            visible: false,
        }
    }

    pub(crate) fn apply(&mut self, envelope: &Envelope) -> (Outcome, Vec<Recorded>) {
        let before = self.clone();
        // A step back of up to five seconds is waited out.
        let step_back = self.now.saturating_sub(envelope.at.0);
        self.now = if step_back <= 5_000 { self.now.max(envelope.at.0) } else { envelope.at.0 };
        self.steady = envelope.steady_ms;
        self.connection = envelope.connection.0;
        self.address = envelope.address;
        self.frontend = FrontendSettings::clone(&envelope.frontend);
        self.events.clear();
        self.visible = false;
        let outcome = self.keyed(envelope.key.as_deref(), &envelope.command);
        if outcome.is_err() {
            // A token that was used has been used.
            let tokens = std::mem::take(&mut self.tokens);
            *self = Self { tokens, ..before };
            return (outcome, Vec::new());
        }
        let mut events = std::mem::take(&mut self.events);
        let ends_connections = matches!(
            envelope.command,
            Command::SignOut { .. } | Command::Disconnect { .. } | Command::Start { .. }
        );
        if ends_connections {
            for event in &mut events {
                if let Event::Left { user, quit, .. } = event {
                    *quit = user.uid.is_none_or(|uid| self.is_gone(uid.0));
                }
            }
        }
        if self.visible || !events.is_empty() {
            self.last_change = self.now;
        }
        let recorded = events.into_iter().map(|event| {
            let seq = Seq(self.next_seq);
            self.next_seq += 1;
            Recorded { seq, at: Timestamp(self.now), cause: envelope.connection, event }
        });
        let recorded = recorded.collect();
        (outcome, recorded)
    }

    pub(super) fn carry_out(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Register { user } => {
                let uid = self.make_user(user)?;
                let skipped = self.auto_join(uid);
                Ok(Reply::Registered { user: self.user_view(uid), skipped })
            }
            Command::SignIn { .. } => self.sign_in(command),
            Command::SignOut { .. } => {
                self.end_session();
                Ok(Reply::Done)
            }
            Command::UpdateUser { user, create, changes } => {
                self.update_user(user, *create, changes)
            }
            Command::LinkIdentity { user, identity } => self.link_identity(user, identity),
            Command::UnlinkIdentity { user, identity } => self.unlink_identity(user, identity),
            Command::SetPassword { user, password } => self.set_password(user, password),
            Command::IssueToken { user, grant } => {
                let uid = self.account(user)?;
                self.store_token(uid, grant);
                Ok(Reply::TokenIssued { token: String::new() })
            }
            Command::RefreshToken { token } => {
                self.slide(token);
                Ok(Reply::Done)
            }
            _ => self.carry_out_in_room(command),
        }
    }

    /// The commands about rooms, seats and messages.
    fn carry_out_in_room(&mut self, command: &Command) -> Outcome {
        match command {
            Command::CreateRoom { room, owner, members } => {
                self.create_room(room, owner.as_ref(), members.as_deref())
            }
            Command::DeclareRoom { room } => self.declare_room(room),
            Command::UpdateRoom { room, changes, by } => {
                self.update_room(room, changes, by.as_ref())
            }
            Command::SetOwner { room, owner } => self.set_owner(room, owner.as_ref()),
            Command::DeleteRoom { room, by } => {
                let id = self.owned(room, by.as_ref())?;
                self.delete_room(id);
                Ok(Reply::Done)
            }
            Command::ClearMessages { room, by } => self.clear_messages(room, by.as_ref()),
            Command::Join { room, user } => {
                let uid = self.account(user)?;
                let id = self.room(room, Some(uid))?;
                self.join(id, uid)?;
                Ok(Reply::Joined { room: self.tag(id) })
            }
            Command::Kick { room, user, by, .. } => self.kick(room, user, by.as_ref()),
            Command::Enter { .. } => self.enter(command),
            Command::SetRole { .. } => self.set_role(command),
            Command::ChangePolicy { .. } => self.change_policy(command),
            Command::DeleteMessage { .. } => self.delete_message(command),
            Command::Exit { room, user, seat: SeatKind::Connection, .. } => self.exit(room, user),
            Command::Exit { room, user, seat: SeatKind::Lease { .. }, .. } => {
                self.end_lease(room, user)
            }
            Command::Post { room, author, text, standing, .. } => {
                self.post(room, author, text, standing)
            }
            Command::PostDirect { author, to, text, allow_self, .. } => {
                self.post_direct(author, to, text, *allow_self)
            }
            Command::Receive { .. } => self.receive(command),
            Command::MarkRead { user, conversation, at } => self.mark_read(user, conversation, *at),
            _ => self.carry_out_for_host(command),
        }
    }

    /// The commands of the host.
    fn carry_out_for_host(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Start { .. } => Ok(self.start()),
            Command::Acknowledge { user, message, device } => {
                let session = self.sessions.get(&self.connection).cloned();
                if let Some((uid, own)) = session.filter(|(uid, _)| *uid == user.0) {
                    let device = device.as_deref().map(str::to_owned).or(own);
                    self.acknowledge(&(uid, device), message.0);
                }
                Ok(Reply::Done)
            }
            Command::Disconnect { delivered } => {
                if let (Some(session), Some(delivered)) = (self.end_session(), delivered) {
                    self.acknowledge(&session, delivered.0);
                }
                Ok(Reply::Done)
            }
            Command::Expire => {
                self.expire();
                Ok(Reply::Done)
            }
            Command::Prune { before, keep_per_room, .. } => {
                Ok(self
                    .prune(before.map(|before| before.0), keep_per_room.map(|keep| keep as usize)))
            }
            Command::DeclareWebhooks { .. } | Command::AdvanceWebhook { .. } => Ok(Reply::Done),
            _ => unreachable!("a command of `carry_out`"),
        }
    }
}

/// Whether a command has one of the texts that [`generate`](crate::generate) makes too long.
fn is_too_long(command: &Command) -> bool {
    let too_long = |description: &str| description.chars().count() > 500;
    let profile = |changes: &ProfileChanges| {
        changes.avatar.as_ref().is_some_and(|avatar| avatar.len() > 2_048)
    };
    match command {
        Command::CreateRoom { room, .. } | Command::DeclareRoom { room } => {
            too_long(&room.description)
        }
        Command::UpdateRoom { changes, .. } => {
            changes.description.as_ref().is_some_and(|description| too_long(description))
        }
        Command::Register { user } => profile(&user.profile),
        Command::SignIn { create, changes, .. } => {
            profile(changes) || create.as_ref().is_some_and(|new| profile(&new.profile))
        }
        Command::UpdateUser { changes, .. } => profile(changes),
        _ => false,
    }
}
