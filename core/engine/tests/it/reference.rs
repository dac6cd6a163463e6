//! What the engine should do, written down once more without tables, caches or batches: lists
//! that are searched from the front, and a copy of everything before each command, to go back to
//! where it is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use core_engine::{Envelope, FrontendSettings};
use core_model::{
    AutoJoinFailure, Claim, Command, ConnectionId, Credential, Event, GUEST_PREFIX, Grant, Message,
    MessageId, NewRoom, NewUser, Outcome, Person, PostRight, ProfileChanges, Recipient, Recorded,
    Refusal, Reply, RoomId, RoomRef, RoomTag, RoomView, SeatKind, Secret, Seq, Timestamp,
    TokenHash, Uid, UserRef, UserView, check_handle, check_room_name, normalize,
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
}

#[derive(Clone, Debug)]
struct Lease {
    ttl_ms: u64,
    grace_ms: u64,
    /// Holds while no connection uses the seat.
    ends: u64,
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Place {
    Room(u32),
    Inbox(u64),
}

#[derive(Clone, Debug)]
struct Kept {
    id: u64,
    at: u64,
    author: Who,
    to: Place,
    text: String,
}

#[derive(Clone, Debug)]
struct Token {
    uid: u64,
    expires: u64,
    ttl_ms: u64,
    sliding: bool,
}

#[derive(Clone, Debug)]
struct Key {
    session: Option<u64>,
    command: Command,
    reply: Reply,
    ends: u64,
}

#[derive(Clone, Debug)]
pub(crate) struct Reference {
    now: u64,
    next_uid: u64,
    next_room: u32,
    next_message: u64,
    next_seat: u64,
    next_seq: u64,
    last_change: u64,
    users: BTreeMap<u64, User>,
    rooms: BTreeMap<u32, Room>,
    seats: Vec<Seat>,
    /// Connection → user, and whether what it is handed counts as delivered.
    sessions: BTreeMap<u64, (u64, bool)>,
    messages: Vec<Kept>,
    tokens: BTreeMap<TokenHash, Token>,
    addresses: BTreeMap<(String, u64), u64>,
    /// (User, room, or none for direct messages) → received up to.
    cursors: BTreeMap<(u64, Option<u32>), u64>,
    delivered: BTreeMap<u64, u64>,
    keys: BTreeMap<String, Key>,
    /// The command at hand: its connection, its front end, what it tells, and whether something
    /// changed that could be seen.
    connection: u64,
    frontend: FrontendSettings,
    told: Vec<Event>,
    visible: bool,
}

impl Reference {
    pub(crate) fn new() -> Self {
        Self {
            now: 0,
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
            delivered: BTreeMap::new(),
            keys: BTreeMap::new(),
            connection: 0,
            frontend: FrontendSettings::default(),
            told: Vec::new(),
            visible: false,
        }
    }

    pub(crate) fn apply(&mut self, envelope: &Envelope) -> (Outcome, Vec<Recorded>) {
        let before = self.clone();
        self.now = self.now.max(envelope.at.0);
        self.connection = envelope.connection.0;
        self.frontend = FrontendSettings::clone(&envelope.frontend);
        self.told.clear();
        self.visible = false;
        let outcome = self.keyed(envelope.key.as_deref(), &envelope.command);
        if outcome.is_err() {
            // A token that was used has been used.
            let tokens = std::mem::take(&mut self.tokens);
            *self = Self { tokens, ..before };
            return (outcome, Vec::new());
        }
        let told = std::mem::take(&mut self.told);
        if self.visible || !told.is_empty() {
            self.last_change = self.now;
        }
        let recorded = told.into_iter().map(|event| {
            let seq = Seq(self.next_seq);
            self.next_seq += 1;
            Recorded { seq, at: Timestamp(self.now), cause: envelope.connection, event }
        });
        let recorded = recorded.collect();
        (outcome, recorded)
    }

    fn keyed(&mut self, key: Option<&str>, command: &Command) -> Outcome {
        let repeatable = matches!(
            command,
            Command::Post { .. }
                | Command::PostDirect { .. }
                | Command::CreateRoom { .. }
                | Command::Join { .. }
        );
        let Some(key) = key.filter(|_| repeatable) else { return self.carry_out(command) };
        let session = self.sessions.get(&self.connection).map(|(uid, _)| *uid);
        if let Some(used) = self.keys.get(key) {
            return match used.command == *command && used.session == session {
                true => Ok(used.reply.clone()),
                false => Err(Refusal::KeyReused),
            };
        }
        let reply = self.carry_out(command)?;
        let (command, ends) = (command.clone(), self.now + KEY_WINDOW_MS);
        self.keys.insert(key.into(), Key { session, command, reply: reply.clone(), ends });
        Ok(reply)
    }

    fn carry_out(&mut self, command: &Command) -> Outcome {
        match command {
            Command::Register { user } => {
                let uid = self.make_user(user)?;
                let skipped = self.auto_join(uid);
                Ok(Reply::Registered { user: self.user_view(uid), skipped })
            }
            Command::SignIn { .. } => self.sign_in(command),
            Command::SignOut => {
                self.end_session(Some(self.newest()));
                Ok(Reply::Done)
            }
            Command::UpdateUser { user, create, changes } => {
                let uid = match (self.account(user), user) {
                    (Err(Refusal::UnknownUser), UserRef::Identity(identity)) if *create => {
                        let uid = self.make_user(&NewUser {
                            handle: changes.name.clone(),
                            identities: vec![identity.clone()],
                            ..NewUser::default()
                        })?;
                        self.auto_join(uid);
                        uid
                    }
                    (found, _) => found?,
                };
                self.change_profile(uid, changes);
                Ok(Reply::User { user: self.user_view(uid) })
            }
            Command::LinkIdentity { user, identity } => {
                let uid = self.account(user)?;
                if !self.users[&uid].identities.contains(identity) {
                    self.check_identity(identity)?;
                    self.user(uid).identities.push(identity.clone());
                    self.visible = true;
                }
                Ok(Reply::User { user: self.user_view(uid) })
            }
            Command::UnlinkIdentity { user, identity } => {
                let uid = self.account(user)?;
                if !self.users[&uid].identities.contains(identity) {
                    return Err(Refusal::InvalidIdentity { why: String::new() });
                }
                self.user(uid).identities.retain(|linked| linked != identity);
                self.visible = true;
                Ok(Reply::User { user: self.user_view(uid) })
            }
            Command::SetPassword { user, password } => {
                let uid = self.account(user)?;
                if matches!(password, Secret::Plain(_)) {
                    return Err(Refusal::Internal { why: String::new() });
                }
                self.tokens.retain(|_, token| token.uid != uid);
                self.addresses.retain(|(_, of), _| *of != uid);
                Ok(Reply::User { user: self.user_view(uid) })
            }
            Command::IssueToken { user, grant } => {
                let uid = self.account(user)?;
                self.store_token(uid, grant);
                Ok(Reply::TokenIssued { token: String::new() })
            }
            Command::RefreshToken { token } => {
                self.slide(token);
                Ok(Reply::Done)
            }
            Command::CreateRoom { room, owner, members } => {
                self.create_room(room, owner.as_ref(), members.as_deref())
            }
            Command::DeclareRoom { room } => {
                let name = normalize(room.name.as_deref().unwrap_or_default());
                let id = match self.room_of_name(&name) {
                    Some(id) => id,
                    None => self.make_room(&NewRoom { insist: true, ..room.clone() }, None, 0)?,
                };
                Ok(Reply::RoomCreated { room: self.room_view(id) })
            }
            Command::UpdateRoom { room, changes, by } => {
                let id = self.owned(room, by.as_ref())?;
                let room = self.rooms.get_mut(&id).unwrap();
                if let Some(name) = &changes.name {
                    room.title.clone_from(name);
                }
                if let Some(section) = &changes.section {
                    room.section.clone_from(section);
                }
                if let Some(description) = &changes.description {
                    room.description.clone_from(description);
                }
                self.visible = true;
                Ok(Reply::Room { room: Arc::new(self.room_view(id)) })
            }
            Command::DeleteRoom { room, by } => {
                let id = self.owned(room, by.as_ref())?;
                self.delete_room(id);
                Ok(Reply::Done)
            }
            Command::ClearMessages { room, by } => {
                let id = self.owned(room, by.as_ref())?;
                self.messages.retain(|message| message.to != Place::Room(id));
                self.visible = true;
                Ok(Reply::Done)
            }
            Command::Join { room, user } => {
                let uid = self.account(user)?;
                let id = self.room(room, Some(uid))?;
                self.join(id, uid)?;
                Ok(Reply::Joined { room: self.tag(id) })
            }
            Command::Kick { room, user } => self.kick(room, user),
            Command::Enter { room, user, seat, opens, avatar } => {
                self.enter(room, user, *seat, *opens, avatar.as_ref())
            }
            Command::Exit { room, user, seat: SeatKind::Connection } => self.exit(room, user),
            Command::Exit { room, user, seat: SeatKind::Lease { .. } } => {
                self.end_lease(room, user)
            }
            Command::Post { room, author, text, standing } => {
                self.post(room, author, text, standing)
            }
            Command::PostDirect { author, to, text } => self.post_direct(author, to, text),
            Command::Receive { .. } => self.receive(command),
            Command::Start => {
                self.seats.clear();
                self.sessions.clear();
                Ok(Reply::Done)
            }
            Command::Disconnect { delivered } => {
                self.end_session(delivered.map(|delivered| delivered.0));
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
        }
    }

    // Users.

    fn user(&mut self, uid: u64) -> &mut User {
        self.users.get_mut(&uid).unwrap()
    }

    fn uid_of_handle(&self, handle: &str) -> Option<u64> {
        self.users.iter().find(|(_, user)| user.handle == handle).map(|(uid, _)| *uid)
    }

    fn anyone(&mut self, user: &UserRef) -> Result<Who, Refusal> {
        let uid = match user {
            UserRef::Id(uid) => self.users.contains_key(&uid.0).then_some(uid.0),
            UserRef::Handle(handle) => match handle.strip_prefix(GUEST_PREFIX) {
                Some(name) => return Ok(Who::Guest(normalize(name))),
                None => self.uid_of_handle(&normalize(handle)),
            },
            UserRef::Identity(identity) => {
                let mut users = self.users.iter();
                users.find(|(_, user)| user.identities.contains(identity)).map(|(uid, _)| *uid)
            }
            UserRef::Token(hash) => {
                let uid = self.uid_of_token(hash).ok_or(Refusal::TokenInvalid)?;
                self.slide(hash);
                Some(uid)
            }
            UserRef::Session => {
                let session = self.sessions.get(&self.connection).ok_or(Refusal::NotSignedIn)?;
                Some(session.0)
            }
            UserRef::Claim(claim) => return self.claimed(claim),
        };
        uid.map(Who::User).ok_or(Refusal::UnknownUser)
    }

    fn claimed(&self, claim: &Claim) -> Result<Who, Refusal> {
        let name =
            check_handle(&claim.name).map_err(|_| Refusal::InvalidHandle { why: String::new() })?;
        match self.uid_of_handle(&name) {
            None if claim.guests => Ok(Who::Guest(name)),
            None => Err(Refusal::NotSignedIn),
            Some(uid) => {
                let token = claim.token.as_ref().and_then(|hash| self.uid_of_token(hash));
                let address = claim.address.clone();
                let until = address.and_then(|address| self.addresses.get(&(address, uid)));
                let proven = token == Some(uid) || until.is_some_and(|until| *until > self.now);
                if proven { Ok(Who::User(uid)) } else { Err(Refusal::NotSignedIn) }
            }
        }
    }

    fn account(&mut self, user: &UserRef) -> Result<u64, Refusal> {
        match (self.anyone(user)?, user) {
            (Who::User(uid), _) => Ok(uid),
            (Who::Guest(_), UserRef::Claim(_)) => Err(Refusal::NotSignedIn),
            (Who::Guest(_), _) => Err(Refusal::UnknownUser),
        }
    }

    fn check_identity(&self, identity: &str) -> Result<(), Refusal> {
        let formed = identity.split_once('/').is_some_and(|(realm, subject)| {
            !realm.is_empty() && !subject.is_empty() && identity.len() <= 640
        });
        if !formed {
            return Err(Refusal::InvalidIdentity { why: String::new() });
        }
        let mut users = self.users.values();
        match users.any(|user| user.identities.iter().any(|taken| taken == identity)) {
            true => Err(Refusal::IdentityTaken),
            false => Ok(()),
        }
    }

    fn make_user(&mut self, new: &NewUser) -> Result<u64, Refusal> {
        for identity in &new.identities {
            self.check_identity(identity)?;
        }
        let uid = self.next_uid;
        let free = |handle: &str| self.uid_of_handle(handle).is_none();
        let handle = match new.handle.as_deref().map(check_handle) {
            Some(Ok(handle)) if free(&handle) => handle,
            Some(Ok(_)) if new.insist => return Err(Refusal::HandleTaken),
            Some(Ok(handle)) => counted(&format!("{handle}-{uid}"), free),
            Some(Err(_)) if new.insist => {
                return Err(Refusal::InvalidHandle { why: String::new() });
            }
            Some(Err(_)) | None => counted(&format!("user-{uid}"), free),
        };
        if matches!(new.password, Some(Secret::Plain(_))) {
            return Err(Refusal::Internal { why: String::new() });
        }
        self.next_uid += 1;
        self.users.insert(
            uid,
            User {
                handle,
                name: new.handle.clone().unwrap_or_default(),
                avatar: String::new(),
                sex: String::new(),
                preferences: Vec::new(),
                identities: new.identities.clone(),
                info: String::new(),
                created: self.now,
            },
        );
        self.change_profile(uid, &new.profile);
        Ok(uid)
    }

    fn change_profile(&mut self, uid: u64, changes: &ProfileChanges) {
        let user = self.user(uid);
        if let Some(name) = &changes.name {
            user.name.clone_from(name);
        }
        if let Some(avatar) = &changes.avatar {
            user.avatar.clone_from(avatar);
        }
        if let Some(sex) = &changes.sex {
            user.sex.clone_from(sex);
        }
        if let Some(preferences) = &changes.preferences {
            user.preferences.clone_from(preferences);
        }
        if let Some(info) = &changes.info {
            user.info.clone_from(info);
        }
        self.visible = true;
    }

    fn auto_join(&mut self, uid: u64) -> Vec<AutoJoinFailure> {
        let mut skipped = Vec::new();
        for name in self.frontend.auto_join.clone() {
            let joined = match self.room_of_name(&name) {
                Some(id) => self.join(id, uid),
                None => Err(Refusal::UnknownRoom),
            };
            if let Err(why) = joined {
                skipped.push(AutoJoinFailure { room: name, why });
            }
        }
        skipped
    }

    fn sign_in(&mut self, command: &Command) -> Outcome {
        let Command::SignIn {
            user,
            credential,
            create,
            changes,
            session,
            delivery,
            token,
            address,
        } = command
        else {
            unreachable!()
        };
        if *credential != Credential::Vouched {
            return Err(Refusal::WrongPassword);
        }
        let uid = match (self.account(user), create) {
            (Err(Refusal::UnknownUser), Some(new)) => self.make_user(new)?,
            (found, _) => found?,
        };
        if *changes != ProfileChanges::default() {
            self.change_profile(uid, changes);
        }
        if *session {
            self.end_session(Some(self.newest()));
        }
        let skipped = self.auto_join(uid);
        let mut backlog = Vec::new();
        if *session {
            let live = self.sessions.values().any(|(other, delivers)| *other == uid && *delivers);
            if let Some(delivery) = delivery.filter(|_| !live) {
                backlog = self.missed(uid, delivery.backlog_max as usize);
                self.delivered.insert(uid, self.newest());
            }
            self.sessions.insert(self.connection, (uid, delivery.is_some()));
        }
        if let Some(grant) = token {
            self.store_token(uid, grant);
        }
        if let Some(grant) = address {
            self.addresses.insert((grant.address.clone(), uid), self.now + grant.ttl_ms);
        }
        let rooms = self.rooms.keys().filter(|id| *session && self.is_member(**id, uid));
        let rooms = rooms.map(|id| self.tag(*id)).collect();
        Ok(Reply::SignedIn { user: self.user_view(uid), token: None, rooms, backlog, skipped })
    }

    /// The newest messages for and by a user that no session of its was handed.
    fn missed(&self, uid: u64, limit: usize) -> Vec<Arc<Message>> {
        let cursor = self.delivered.get(&uid).copied().unwrap_or(0);
        let concerns = |message: &&Kept| match message.to {
            Place::Inbox(to) => to == uid || message.author == Who::User(uid),
            Place::Room(id) => {
                let mut members = self.rooms[&id].members.iter();
                members.any(|(member, since)| *member == uid && message.id > *since)
            }
        };
        let missed = self.messages.iter().filter(|message| message.id > cursor).filter(concerns);
        self.newest_of(missed.collect(), limit)
    }

    fn end_session(&mut self, delivered: Option<u64>) {
        let connection = self.connection;
        let own = |seat: &&Seat| seat.connection == Some(connection);
        for seat in self.seats.iter().filter(own).cloned().collect::<Vec<_>>() {
            self.leave(&seat, seat.lease.as_ref().map(|lease| lease.grace_ms));
        }
        if let Some((uid, true)) = self.sessions.remove(&connection)
            && let Some(delivered) = delivered
        {
            let cursor = self.delivered.entry(uid).or_default();
            *cursor = delivered.max(*cursor);
        }
    }

    // Tokens.

    fn uid_of_token(&self, hash: &TokenHash) -> Option<u64> {
        self.tokens.get(hash).filter(|token| token.expires > self.now).map(|token| token.uid)
    }

    fn store_token(&mut self, uid: u64, grant: &Grant) {
        let hash = grant.hash.expect("the test draws its tokens");
        let Grant { ttl_ms, sliding, .. } = *grant;
        self.tokens.insert(hash, Token { uid, expires: self.now + ttl_ms, ttl_ms, sliding });
    }

    /// A use within the first sixteenth of its time does not extend a token.
    fn slide(&mut self, hash: &TokenHash) {
        let Some(token) = self.tokens.get_mut(hash) else { return };
        let used = (self.now + token.ttl_ms).saturating_sub(token.expires);
        if token.sliding && token.expires > self.now && used > token.ttl_ms / 16 {
            token.expires = self.now + token.ttl_ms;
        }
    }

    // Rooms.

    fn room_of_name(&self, name: &str) -> Option<u32> {
        self.rooms.iter().find(|(_, room)| room.name == name).map(|(id, _)| *id)
    }

    fn any_room(&self, room: &RoomRef) -> Result<u32, Refusal> {
        let id = match room {
            RoomRef::Id(id) => self.rooms.contains_key(&id.0).then_some(id.0),
            RoomRef::Name(name) => self.room_of_name(&normalize(name)),
        };
        id.ok_or(Refusal::UnknownRoom)
    }

    fn room(&self, room: &RoomRef, caller: Option<u64>) -> Result<u32, Refusal> {
        let id = self.any_room(room)?;
        let known = !self.rooms[&id].closed || caller.is_some_and(|uid| self.is_member(id, uid));
        if known { Ok(id) } else { Err(Refusal::UnknownRoom) }
    }

    fn is_member(&self, id: u32, uid: u64) -> bool {
        self.rooms[&id].members.iter().any(|(member, _)| *member == uid)
    }

    fn population(&self, id: u32) -> u32 {
        let live = self.seats.iter().filter(|seat| seat.room == id).count();
        (self.rooms[&id].members.len() + live) as u32
    }

    fn check_capacity(&self, id: u32) -> Result<(), Refusal> {
        let full = self.population(id) >= self.rooms[&id].capacity;
        if full { Err(Refusal::RoomFull) } else { Ok(()) }
    }

    fn activate(&mut self, id: u32) {
        self.rooms.get_mut(&id).unwrap().active = true;
    }

    fn make_room(
        &mut self,
        new: &NewRoom,
        owner: Option<u64>,
        members: u32,
    ) -> Result<u32, Refusal> {
        let capacity = new.capacity.unwrap_or(self.frontend.room_capacity);
        if members > capacity {
            return Err(Refusal::RoomFull);
        }
        let id = self.next_room;
        let free = |name: &str| self.room_of_name(name).is_none();
        let name = match new.name.as_deref().map(check_room_name) {
            Some(Ok(name)) if free(&name) => name,
            Some(Ok(_)) if new.insist => return Err(Refusal::RoomNameTaken),
            Some(Ok(name)) => counted(&format!("{name}#{id}"), free),
            Some(Err(_)) if new.insist => {
                return Err(Refusal::InvalidRoomName { why: String::new() });
            }
            Some(Err(_)) | None => counted(&format!("room-{id}"), free),
        };
        self.next_room += 1;
        self.rooms.insert(
            id,
            Room {
                name,
                title: new.name.clone().unwrap_or_default(),
                section: new.section.clone(),
                description: new.description.clone(),
                owner,
                created: self.now,
                capacity,
                active: false,
                closed: new.closed,
                opened: false,
                app_code: new.app_code,
                info: new.info.clone().unwrap_or_default(),
                members: Vec::new(),
            },
        );
        self.visible = true;
        Ok(id)
    }

    fn create_room(
        &mut self,
        new: &NewRoom,
        owner: Option<&UserRef>,
        invited: Option<&[UserRef]>,
    ) -> Outcome {
        let owner = owner.map(|owner| self.account(owner)).transpose()?;
        let mut others = BTreeSet::new();
        for user in invited.unwrap_or_default() {
            others.insert(self.account(user)?);
        }
        others.retain(|uid| Some(*uid) != owner);
        if invited.is_some() && others.is_empty() {
            return Err(Refusal::TooFewMembers);
        }
        let members: Vec<u64> = owner.into_iter().chain(others).collect();
        let id = self.make_room(new, owner, members.len() as u32)?;
        if invited.is_some() {
            let everyone: BTreeSet<u64> = members.iter().copied().collect();
            let everyone = everyone.into_iter().map(|uid| self.person(&Who::User(uid)));
            let event = Event::RoomCreated {
                room: self.tag(id),
                members: everyone.collect(),
                owner: owner.map(|uid| self.person(&Who::User(uid))),
            };
            self.told.push(event);
        }
        for uid in &members {
            self.add_member(id, *uid);
        }
        if !members.is_empty() {
            self.tell_population(id);
        }
        Ok(Reply::RoomCreated { room: self.room_view(id) })
    }

    fn owned(&mut self, room: &RoomRef, by: Option<&UserRef>) -> Result<u32, Refusal> {
        let by = by.map(|by| self.account(by)).transpose()?;
        let id = self.room(room, by)?;
        match by.is_none() || by == self.rooms[&id].owner {
            true => Ok(id),
            false => Err(Refusal::NotAllowed),
        }
    }

    fn delete_room(&mut self, id: u32) {
        let taken = self.population(id);
        for (uid, _) in self.rooms[&id].members.clone() {
            self.remove_member(id, uid);
        }
        let there = |seat: &&Seat| seat.room == id;
        for seat in self.seats.iter().filter(there).cloned().collect::<Vec<_>>() {
            self.leave(&seat, None);
        }
        // Whoever was there heard of it once, at the end.
        self.told.retain(|event| !matches!(event, Event::PopulationChanged { .. }));
        if taken > 0 {
            self.tell_population(id);
        }
        self.messages.retain(|message| message.to != Place::Room(id));
        let room = self.tag(id);
        self.rooms.remove(&id);
        self.told.push(Event::RoomDeleted { room });
    }

    // Members and seats.

    fn add_member(&mut self, id: u32, uid: u64) {
        let newest = self.newest();
        let elsewhere = self.is_heard(id, &Who::User(uid), None);
        self.rooms.get_mut(&id).unwrap().members.push((uid, newest));
        let user = self.person(&Who::User(uid));
        self.told.push(Event::Entered {
            room: self.tag(id),
            avatar: user.avatar.clone(),
            user,
            durable: true,
            opened: false,
            connection: None,
            elsewhere,
        });
    }

    fn remove_member(&mut self, id: u32, uid: u64) -> bool {
        if !self.is_member(id, uid) {
            return false;
        }
        self.rooms.get_mut(&id).unwrap().members.retain(|(member, _)| *member != uid);
        let user = self.person(&Who::User(uid));
        self.told.push(Event::Left {
            room: self.tag(id),
            avatar: user.avatar.clone(),
            user,
            durable: true,
            connection: None,
            elsewhere: self.is_heard(id, &Who::User(uid), None),
        });
        true
    }

    /// Whether others have heard of somebody in a room, and have not heard of its end; this seat
    /// left out.
    fn is_heard(&self, id: u32, who: &Who, but: Option<u64>) -> bool {
        let member = match who {
            Who::User(uid) => self.is_member(id, *uid),
            Who::Guest(_) => false,
        };
        let seats = self.seats.iter();
        member
            || seats
                .filter(|seat| seat.room == id && seat.who == *who && Some(seat.number) != but)
                .any(|seat| seat.connection.is_some())
    }

    fn join(&mut self, id: u32, uid: u64) -> Result<(), Refusal> {
        if self.is_member(id, uid) {
            return Ok(());
        }
        self.check_capacity(id)?;
        self.add_member(id, uid);
        self.activate(id);
        self.tell_population(id);
        Ok(())
    }

    fn kick(&mut self, room: &RoomRef, user: &UserRef) -> Outcome {
        let who = match self.anyone(user) {
            Err(Refusal::UnknownUser) => None,
            found => Some(found?),
        };
        let uid = match who {
            Some(Who::User(uid)) => Some(uid),
            Some(Who::Guest(_)) | None => None,
        };
        let id = self.room(room, uid)?;
        let Some(who) = who else { return Ok(Reply::Done) };
        if uid.is_some() && uid == self.rooms[&id].owner {
            return Err(Refusal::OwnerStays);
        }
        let mut changed = uid.is_some_and(|uid| self.remove_member(id, uid));
        let own = |seat: &&Seat| seat.room == id && seat.who == who;
        for seat in self.seats.iter().filter(own).cloned().collect::<Vec<_>>() {
            self.leave(&seat, None);
            changed = true;
        }
        self.told.retain(|event| !matches!(event, Event::PopulationChanged { .. }));
        if changed {
            self.tell_population(id);
        }
        Ok(Reply::Done)
    }

    fn enter(
        &mut self,
        room: &RoomRef,
        user: &UserRef,
        kind: SeatKind,
        opens: bool,
        avatar: Option<&String>,
    ) -> Outcome {
        let (who, id) = self.who_at_the_door(room, user, kind == SeatKind::Connection)?;
        let connection = self.connection;
        let number = self.next_seat;
        let seat = Seat {
            number,
            room: id,
            who: who.clone(),
            avatar: avatar.cloned(),
            connection: None,
            lease: None,
        };
        if let SeatKind::Lease { ttl_ms, grace_ms } = kind {
            self.check_capacity(id)?;
            let lease = Some(Lease { ttl_ms, grace_ms, ends: self.now + ttl_ms });
            self.next_seat += 1;
            self.seats.push(Seat { lease, ..seat });
            self.activate(id);
            self.tell_population(id);
            let user = self.person(&who);
            return Ok(Reply::Entered { room: self.room_view(id), user, again: false });
        }
        if self.own_seat(id, &who).is_some() {
            let user = self.person(&who);
            return Ok(Reply::Entered { room: self.room_view(id), user, again: true });
        }
        let elsewhere = self.is_heard(id, &who, None);
        let waiting =
            |seat: &&mut Seat| seat.room == id && seat.who == who && seat.connection.is_none();
        let taken_up = match self.seats.iter_mut().find(waiting) {
            Some(seat) => {
                seat.connection = Some(connection);
                seat.avatar = avatar.cloned();
                true
            }
            None => {
                self.check_capacity(id)?;
                self.next_seat += 1;
                self.seats.push(Seat { connection: Some(connection), ..seat });
                false
            }
        };
        self.activate(id);
        let room = self.rooms.get_mut(&id).unwrap();
        let opened = opens && !room.opened;
        room.opened |= opens;
        let user = self.person(&who);
        self.told.push(Event::Entered {
            room: self.tag(id),
            avatar: avatar.unwrap_or(&user.avatar).clone(),
            user: user.clone(),
            durable: false,
            opened,
            connection: Some(ConnectionId(connection)),
            elsewhere,
        });
        if !taken_up {
            self.tell_population(id);
        }
        Ok(Reply::Entered { room: self.room_view(id), user, again: false })
    }

    /// At a claimed name the room is complained of before the proof, at a live entrance also that
    /// it is full; for all others it is the other way round.
    fn who_at_the_door(
        &mut self,
        room: &RoomRef,
        user: &UserRef,
        live: bool,
    ) -> Result<(Who, u32), Refusal> {
        match self.anyone(user) {
            Ok(who) => {
                let uid = if let Who::User(uid) = &who { Some(*uid) } else { None };
                let id = self.room(room, uid)?;
                Ok((who, id))
            }
            Err(refusal) => {
                if matches!(user, UserRef::Claim(_)) {
                    let id = self.room(room, None)?;
                    if live && refusal == Refusal::NotSignedIn {
                        self.check_capacity(id)?;
                    }
                }
                Err(refusal)
            }
        }
    }

    fn own_seat(&self, id: u32, who: &Who) -> Option<Seat> {
        let connection = Some(self.connection);
        let own =
            |seat: &&Seat| seat.connection == connection && seat.room == id && seat.who == *who;
        self.seats.iter().find(own).cloned()
    }

    /// The seat that this connection took under a name.
    fn seat_under(&self, id: u32, name: &str) -> Option<Seat> {
        let name = normalize(name);
        let as_user = self.uid_of_handle(&name).and_then(|uid| self.own_seat(id, &Who::User(uid)));
        as_user.or_else(|| self.own_seat(id, &Who::Guest(name)))
    }

    fn exit(&mut self, room: &RoomRef, user: &UserRef) -> Outcome {
        let seat = self.seat_of_caller(room, user)?;
        self.leave(&seat, seat.lease.as_ref().map(|lease| lease.ttl_ms));
        Ok(Reply::Done)
    }

    fn seat_of_caller(&mut self, room: &RoomRef, user: &UserRef) -> Result<Seat, Refusal> {
        if let UserRef::Claim(claim) = user {
            let id = self.any_room(room)?;
            let hidden = self.rooms[&id].closed;
            let missing = if hidden { Refusal::UnknownRoom } else { Refusal::NotInRoom };
            return self.seat_under(id, &claim.name).ok_or(missing);
        }
        let who = self.anyone(user)?;
        let uid = if let Who::User(uid) = &who { Some(*uid) } else { None };
        let id = self.room(room, uid)?;
        self.own_seat(id, &who).ok_or(Refusal::NotInRoom)
    }

    fn end_lease(&mut self, room: &RoomRef, user: &UserRef) -> Outcome {
        let (who, id) = self.who_at_the_door(room, user, false)?;
        let leases = self
            .seats
            .iter()
            .filter(|seat| seat.room == id && seat.who == who && seat.lease.is_some());
        let leases: Vec<Seat> = leases.cloned().collect();
        let unused = leases.iter().find(|seat| seat.connection.is_none());
        let seat = unused.or(leases.first()).ok_or(Refusal::NotInRoom)?;
        self.leave(seat, None);
        Ok(Reply::Done)
    }

    /// A seat loses its connection; then it waits for another, if it is a lease that may, or goes.
    fn leave(&mut self, seat: &Seat, wait_ms: Option<u64>) {
        if let Some(connection) = seat.connection {
            let user = self.person(&seat.who);
            self.told.push(Event::Left {
                room: self.tag(seat.room),
                avatar: seat.avatar.clone().unwrap_or_else(|| user.avatar.clone()),
                user,
                durable: false,
                connection: Some(ConnectionId(connection)),
                elsewhere: self.is_heard(seat.room, &seat.who, Some(seat.number)),
            });
        }
        match wait_ms {
            Some(wait_ms) => {
                let ends = self.now + wait_ms;
                let kept = self.seats.iter_mut().find(|kept| kept.number == seat.number).unwrap();
                kept.connection = None;
                kept.lease.as_mut().unwrap().ends = ends;
            }
            None => {
                self.seats.retain(|kept| kept.number != seat.number);
                self.tell_population(seat.room);
            }
        }
    }

    fn expire(&mut self) {
        let ended = |seat: &&Seat| {
            let lease = seat.lease.as_ref();
            seat.connection.is_none() && lease.is_some_and(|lease| lease.ends <= self.now)
        };
        let mut seats: Vec<Seat> = self.seats.iter().filter(ended).cloned().collect();
        seats.sort_by_key(|seat| (seat.lease.as_ref().unwrap().ends, seat.number));
        for seat in seats {
            self.leave(&seat, None);
        }
        let now = self.now;
        self.keys.retain(|_, key| key.ends > now);
    }

    // Messages.

    fn newest(&self) -> u64 {
        self.next_message - 1
    }

    fn post(
        &mut self,
        room: &RoomRef,
        author: &UserRef,
        text: &str,
        standing: &PostRight,
    ) -> Outcome {
        let check_text = || if text.is_empty() { Err(Refusal::EmptyText) } else { Ok(()) };
        let (who, id, avatar) = match standing {
            PostRight::Seated => {
                let seat = self.seat_of_caller(room, author)?;
                if let (UserRef::Claim(_), Who::Guest(name)) = (author, &seat.who)
                    && self.uid_of_handle(name).is_some()
                {
                    return Err(Refusal::NotSignedIn);
                }
                (seat.who, seat.room, seat.avatar)
            }
            PostRight::Member => {
                let uid = self.account(author)?;
                let id = self.room(room, Some(uid))?;
                if !self.is_member(id, uid) {
                    return Err(Refusal::NotInRoom);
                }
                (Who::User(uid), id, None)
            }
            PostRight::Joining { create } => {
                let uid = self.account(author)?;
                check_text()?;
                let id = match (self.any_room(room), room) {
                    (Err(_), RoomRef::Name(name)) if *create => {
                        let insist = true;
                        let new =
                            NewRoom { name: Some(name.clone()), insist, ..NewRoom::default() };
                        let id = self.make_room(&new, Some(uid), 1)?;
                        self.add_member(id, uid);
                        self.tell_population(id);
                        id
                    }
                    (found, _) => {
                        found?;
                        let id = self.room(room, Some(uid))?;
                        self.join(id, uid)?;
                        id
                    }
                };
                (Who::User(uid), id, None)
            }
        };
        check_text()?;
        self.activate(id);
        Ok(self.add_message(who, avatar, Place::Room(id), text))
    }

    fn post_direct(&mut self, author: &UserRef, to: &UserRef, text: &str) -> Outcome {
        let from = self.account(author)?;
        if text.is_empty() {
            return Err(Refusal::EmptyText);
        }
        let to = self.account(to)?;
        if from == to {
            return Err(Refusal::SelfAddressed);
        }
        Ok(self.add_message(Who::User(from), None, Place::Inbox(to), text))
    }

    fn add_message(&mut self, who: Who, avatar: Option<String>, to: Place, text: &str) -> Reply {
        let kept =
            Kept { id: self.next_message, at: self.now, author: who, to, text: text.to_owned() };
        self.next_message += 1;
        let mut message = Arc::unwrap_or_clone(self.message(&kept));
        if let Some(avatar) = avatar {
            Arc::make_mut(&mut message.author).avatar = avatar;
        }
        self.messages.push(kept);
        self.told.push(Event::Posted { message: message.clone() });
        Reply::Posted { message }
    }

    fn receive(&mut self, command: &Command) -> Outcome {
        let Command::Receive { user, expect, room, after, limit, first_limit, newest } = command
        else {
            unreachable!()
        };
        let uid = self.account(user)?;
        let id = room.as_ref().map(|room| self.room(room, Some(uid))).transpose()?;
        if expect.as_ref().is_some_and(|handle| normalize(handle) != self.users[&uid].handle) {
            return Err(Refusal::NotAllowed);
        }
        if let Some(id) = id {
            self.join(id, uid)?;
        }
        let place = id.map_or(Place::Inbox(uid), Place::Room);
        let all: Vec<&Kept> = self.messages.iter().filter(|kept| kept.to == place).collect();
        let (limit, first_limit) = (*limit as usize, *first_limit as usize);
        let split = all.len().saturating_sub(first_limit);
        let cursor = self.cursors.get(&(uid, id)).copied();
        let asked = after.map(|after| after.0.min(self.newest()));
        if *newest {
            let messages = all[split..].iter().map(|kept| self.message(kept)).collect();
            let last = all[split..].last().map(|kept| kept.id);
            let cursor = MessageId(last.or(asked).or(cursor).unwrap_or(0));
            return Ok(Reply::Received { messages, cursor });
        }
        let older = split.checked_sub(1).map_or(0, |last| all[last].id);
        let from = asked.or(cursor).unwrap_or(older);
        let new: Vec<&Kept> = all.into_iter().filter(|kept| kept.id > from).take(limit).collect();
        let read = new.last().map_or(from, |kept| kept.id);
        let messages = new.into_iter().map(|kept| self.message(kept)).collect();
        self.cursors.insert((uid, id), read);
        Ok(Reply::Received { messages, cursor: MessageId(read) })
    }

    /// A whole pass at once.
    fn prune(&mut self, before: Option<u64>, keep: Option<usize>) -> Reply {
        let count = self.messages.len();
        self.messages.retain(|kept| before.is_none_or(|before| kept.at >= before));
        let mut newer: BTreeMap<u32, usize> = BTreeMap::new();
        let mut is_kept = |kept: &Kept| {
            let Place::Room(room) = kept.to else { return true };
            let newer = newer.entry(room).or_default();
            *newer += 1;
            keep.is_none_or(|keep| *newer <= keep)
        };
        let mut kept: Vec<Kept> =
            self.messages.iter().rev().filter(|kept| is_kept(kept)).cloned().collect();
        kept.reverse();
        self.messages = kept;
        Reply::Pruned { messages: (count - self.messages.len()) as u32, next: None }
    }

    fn newest_of(&self, all: Vec<&Kept>, limit: usize) -> Vec<Arc<Message>> {
        let first = all.len().saturating_sub(limit);
        all[first..].iter().map(|kept| self.message(kept)).collect()
    }

    // What is shown.

    fn person(&self, who: &Who) -> Arc<Person> {
        Arc::new(match who {
            Who::Guest(name) => Person {
                handle: format!("{GUEST_PREFIX}{name}"),
                name: name.clone(),
                ..Person::default()
            },
            Who::User(uid) => {
                let user = &self.users[uid];
                let name = if user.name.is_empty() { &user.handle } else { &user.name };
                Person {
                    uid: Some(Uid(*uid)),
                    handle: user.handle.clone(),
                    name: name.clone(),
                    avatar: user.avatar.clone(),
                    identities: user.identities.clone(),
                }
            }
        })
    }

    fn user_view(&self, uid: u64) -> UserView {
        let user = &self.users[&uid];
        let signed_in = self.sessions.values().any(|(of, _)| *of == uid);
        let mut seats = self.seats.iter();
        let seated = seats.any(|seat| seat.who == Who::User(uid) && seat.connection.is_some());
        UserView {
            person: self.person(&Who::User(uid)),
            created: Timestamp(user.created),
            online: signed_in || seated,
            sex: user.sex.clone(),
            preferences: user.preferences.clone(),
            info: user.info.clone(),
        }
    }

    fn tag(&self, id: u32) -> RoomTag {
        RoomTag { id: RoomId(id), name: self.rooms[&id].name.as_str().into() }
    }

    fn room_view(&self, id: u32) -> RoomView {
        let room = &self.rooms[&id];
        RoomView {
            id: RoomId(id),
            name: room.name.clone(),
            title: room.title.clone(),
            section: room.section.clone(),
            description: room.description.clone(),
            owner: room.owner.map(|uid| self.person(&Who::User(uid))),
            created: Timestamp(room.created),
            population: self.population(id),
            capacity: room.capacity,
            active: room.active,
            closed: room.closed,
            app_code: room.app_code,
            info: room.info.clone(),
            members: Vec::new(),
            messages: Vec::new(),
        }
    }

    fn message(&self, kept: &Kept) -> Arc<Message> {
        Arc::new(Message {
            id: MessageId(kept.id),
            at: Timestamp(kept.at),
            author: self.person(&kept.author),
            to: match kept.to {
                Place::Room(id) => Recipient::Room(self.tag(id)),
                Place::Inbox(uid) => Recipient::User(self.person(&Who::User(uid))),
            },
            text: kept.text.clone(),
        })
    }

    fn tell_population(&mut self, id: u32) {
        let (room, population) = (self.tag(id), self.population(id));
        self.told.push(Event::PopulationChanged { room, population });
    }

    // What queries should find.

    pub(crate) fn uids(&self) -> Vec<u64> {
        self.users.keys().copied().collect()
    }

    pub(crate) fn account_of(&self, uid: u64) -> UserView {
        self.user_view(uid)
    }

    /// Room ids ever given.
    pub(crate) fn room_ids(&self) -> std::ops::Range<u32> {
        1..self.next_room
    }

    /// The whole room, if `caller` may know of it.
    pub(crate) fn room_for(&self, id: u32, caller: Option<u64>) -> Option<RoomView> {
        self.room(&RoomRef::Id(RoomId(id)), caller).ok()?;
        let members = self.rooms[&id].members.iter().map(|(uid, _)| self.user_view(*uid));
        let there = |kept: &&Kept| kept.to == Place::Room(id);
        let messages = self.messages.iter().filter(there).map(|kept| self.message(kept));
        let (members, messages) = (members.collect(), messages.collect());
        Some(RoomView { members, messages, ..self.room_view(id) })
    }

    /// Members, then who else has a seat, by handle.
    pub(crate) fn occupants(&self, id: u32) -> Vec<Arc<Person>> {
        let members = self.rooms[&id].members.iter().map(|(uid, _)| Who::User(*uid));
        let members: Vec<Who> = members.collect();
        let there = self.seats.iter().filter(|seat| seat.room == id);
        let others = there.filter(|seat| !members.contains(&seat.who));
        let others: BTreeMap<String, Arc<Person>> = others
            .map(|seat| self.person(&seat.who))
            .map(|person| (person.handle.clone(), person))
            .collect();
        members.iter().map(|who| self.person(who)).chain(others.into_values()).collect()
    }

    pub(crate) fn open_rooms(&self) -> Vec<u32> {
        self.rooms.iter().filter(|(_, room)| !room.closed).map(|(id, _)| *id).collect()
    }

    pub(crate) fn rooms_of_member(&self, uid: u64) -> Vec<u32> {
        self.rooms.keys().copied().filter(|id| self.is_member(*id, uid)).collect()
    }

    pub(crate) fn rooms_of_owner(&self, uid: u64) -> Vec<u32> {
        let owned = self.rooms.iter().filter(|(_, room)| room.owner == Some(uid));
        owned.map(|(id, _)| *id).collect()
    }

    pub(crate) fn changed_at(&self) -> Timestamp {
        Timestamp(self.last_change)
    }
}

/// `name`, or the first of `name-2`, `name-3`… that is free.
fn counted(name: &str, free: impl Fn(&str) -> bool) -> String {
    let mut names = (1..).map(|count| match count {
        1 => name.to_owned(),
        _ => format!("{name}-{count}"),
    });
    names.find(|name| free(name)).unwrap()
}
