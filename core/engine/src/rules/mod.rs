//! The rules: what each command does to the state, and who hears of it.
//!
//! Everything here is deterministic: the same commands in the same order on the same state give
//! the same state, outcomes and events, byte for byte. Every rule checks first and writes after,
//! so that a refused command has changed nothing.

mod accounts;
mod expiry;
mod messages;
mod retention;
mod rooms;
mod seats;

use std::collections::BTreeMap;
use std::sync::Arc;

use core_model::{
    Command, Event, Outcome, Person, Recorded, Refusal, Reply, RoomRef, RoomTag, Seq, Timestamp,
    UserRef,
};
use redb::ReadableTable;
use sha2::{Digest, Sha256};

use crate::envelope::{Envelope, FrontendSettings};
use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::message_index;
use crate::rows::{Counters, KeyRow, RoomRow, UserRow, Who, pack, unpack};
use crate::state::{Batch, State};
use crate::tables::Tables;

pub(crate) use accounts::is_due;
pub(crate) use expiry::next as next_expiry;

/// How long a repeated idempotency key gives the first outcome: a day, in ms.
const KEY_WINDOW_MS: u64 = 24 * 60 * 60 * 1000;

/// One batch of commands at work: the tables, and what is written once at its end.
pub(crate) struct BatchContext<'t> {
    pub(crate) batch: Batch<'t>,
    pub(crate) counters: Counters,
    /// Message ids to be appended to streams.
    appends: BTreeMap<u64, Vec<u64>>,
    /// Writes that brought streams up to date: which command makes them depends on the batch.
    settling: u64,
    /// A message row in the making; kept for its memory.
    row: Vec<u8>,
}

/// The command at hand.
struct CommandContext<'a> {
    request: Request,
    frontend: &'a FrontendSettings,
    events: Vec<Event>,
    /// Whether something changed that somebody could see.
    visible: bool,
}

impl<'t> BatchContext<'t> {
    pub(crate) fn new(batch: Batch<'t>, counters: Counters) -> Self {
        Self { batch, counters, appends: BTreeMap::new(), settling: 0, row: Vec::new() }
    }

    /// Carries out one command. An error means that the store is broken and the whole batch void.
    pub(crate) fn apply(
        &mut self,
        envelope: &Envelope,
    ) -> Result<(Outcome, Vec<Recorded>), StoreError> {
        let now = self.counters.now.max(envelope.at.0);
        let request = Request { now, connection: envelope.connection.0 };
        let mut cx = CommandContext {
            request,
            frontend: &envelope.frontend,
            events: Vec::new(),
            visible: false,
        };
        let written = self.writes();
        let outcome = match self.keyed(&mut cx, envelope) {
            Ok(reply) => Ok(reply),
            Err(Error::Refused(refusal)) => Err(refusal),
            Err(Error::Store(error)) => return Err(error),
        };
        if self.writes() > written {
            self.counters.now = now;
        }
        if cx.visible || !cx.events.is_empty() {
            self.counters.last_change = now;
        }
        let recorded = cx.events.into_iter().map(|event| {
            let seq = Seq(self.counters.next_seq);
            self.counters.next_seq += 1;
            Recorded { seq, at: Timestamp(now), cause: envelope.connection, event }
        });
        let recorded = recorded.collect();
        Ok((outcome, recorded))
    }

    /// Whether any command has changed anything.
    pub(crate) fn has_changed(&self) -> bool {
        self.writes() > 0
    }

    /// Grows with everything that a command writes.
    fn writes(&self) -> u64 {
        self.batch.writes() - self.settling
    }

    /// Writes what is written once a batch.
    pub(crate) fn finish(mut self) -> Result<Batch<'t>, StoreError> {
        self.settle()?;
        self.batch.counters_mut()?.insert(lookup::COUNTERS_KEY, pack(&self.counters).as_slice())?;
        Ok(self.batch)
    }

    /// Brings the streams up to date, for commands that read them.
    fn settle(&mut self) -> Result<(), StoreError> {
        let written = self.batch.writes();
        for (stream, ids) in std::mem::take(&mut self.appends) {
            message_index::append(&mut self.batch, stream, &ids)?;
        }
        self.settling += self.batch.writes() - written;
        Ok(())
    }

    fn keyed(&mut self, cx: &mut CommandContext<'_>, envelope: &Envelope) -> Result<Reply, Error> {
        let Some(key) = envelope.key.as_deref().filter(|_| may_repeat(&envelope.command)) else {
            return self.carry_out(cx, &envelope.command);
        };
        // Whose session it speaks of is part of a command.
        let session =
            lookup::session(&self.batch, cx.request.connection)?.map(|session| session.uid);
        let command =
            serde_json::to_vec(&(session, &envelope.command)).expect("a command is plain data");
        let digest: [u8; 32] = Sha256::digest(command).into();
        if let Some(row) = self.batch.keys()?.get(key)? {
            let row: KeyRow = unpack("keys", row.value())?;
            if row.digest != digest {
                return Err(Refusal::KeyReused.into());
            }
            let outcome: Outcome = serde_json::from_str(&row.outcome)
                .map_err(|_| StoreError::Corrupt { table: "keys" })?;
            return outcome.map_err(Error::Refused);
        }
        let reply = self.carry_out(cx, &envelope.command)?;
        let outcome =
            serde_json::to_string(&Outcome::Ok(reply.clone())).expect("an outcome is plain data");
        self.batch.keys_mut()?.insert(key, pack(&KeyRow { digest, outcome }).as_slice())?;
        let ends = cx.request.now + KEY_WINDOW_MS;
        self.batch.expiries_mut()?.insert((ends, expiry::KEY, key.as_bytes()), ())?;
        Ok(reply)
    }

    fn carry_out(
        &mut self,
        cx: &mut CommandContext<'_>,
        command: &Command,
    ) -> Result<Reply, Error> {
        match command {
            Command::Register { user } => self.register(cx, user),
            Command::SignIn { .. } => self.sign_in(cx, command),
            Command::SignOut => self.sign_out(cx),
            Command::UpdateUser { user, create, changes } => {
                self.update_user(cx, user, *create, changes)
            }
            Command::LinkIdentity { user, identity } => self.link_identity(cx, user, identity),
            Command::UnlinkIdentity { user, identity } => self.unlink_identity(cx, user, identity),
            Command::SetPassword { user, password } => self.set_password(cx, user, password),
            Command::IssueToken { user, grant } => self.issue_token(cx, user, grant),
            Command::RefreshToken { token } => self.refresh_token(cx, token),
            Command::CreateRoom { room, owner, members } => {
                self.create_room(cx, room, owner.as_ref(), members.as_deref())
            }
            Command::DeclareRoom { room } => self.declare_room(cx, room),
            Command::UpdateRoom { room, changes, by } => {
                self.update_room(cx, room, changes, by.as_ref())
            }
            Command::DeleteRoom { room, by } => self.delete_room(cx, room, by.as_ref()),
            Command::ClearMessages { room, by } => self.clear_messages(cx, room, by.as_ref()),
            Command::Join { room, user } => self.join(cx, room, user),
            Command::Kick { room, user } => self.kick(cx, room, user),
            Command::Enter { room, user, seat, opens, avatar } => {
                self.enter(cx, room, user, *seat, *opens, avatar.as_deref())
            }
            Command::Exit { room, user, seat } => self.exit(cx, room, user, *seat),
            Command::Post { room, author, text, standing } => {
                self.post(cx, room, author, text, standing)
            }
            Command::PostDirect { author, to, text } => self.post_direct(cx, author, to, text),
            Command::Receive { .. } => self.receive(cx, command),
            Command::Start => self.start(cx),
            Command::Disconnect { delivered } => self.disconnect(cx, *delivered),
            Command::Expire => self.expire(cx),
            Command::Prune { before, keep_per_room, from, limit } => {
                self.prune(*before, *keep_per_room, *from, *limit)
            }
        }
    }

    // What several rules need.

    /// The account that is meant. A sliding token that names it is extended.
    fn user(&mut self, cx: &CommandContext<'_>, user: &UserRef) -> Result<u64, Error> {
        let uid = lookup::user(&self.batch, cx.request, user)?;
        if let UserRef::Token(hash) = user {
            self.slide(cx.request.now, hash)?;
        }
        Ok(uid)
    }

    /// The account or guest that is meant, likewise.
    fn user_or_guest(&mut self, cx: &CommandContext<'_>, user: &UserRef) -> Result<Who, Error> {
        match user {
            UserRef::Token(_) => self.user(cx, user).map(Who::User),
            _ => lookup::user_or_guest(&self.batch, cx.request, user),
        }
    }

    fn person(&self, who: &Who) -> Result<Arc<Person>, StoreError> {
        lookup::person_of(&self.batch, who)
    }

    /// The room, if `by` is given only for its owner.
    fn owned_room(
        &mut self,
        cx: &CommandContext<'_>,
        room: &RoomRef,
        by: Option<&UserRef>,
    ) -> Result<(u32, Arc<RoomRow>), Error> {
        let by = by.map(|by| self.user(cx, by)).transpose()?;
        let (id, row) = lookup::room(&self.batch, room, by)?;
        if by.is_some() && by != row.owner {
            return Err(Refusal::NotAllowed.into());
        }
        Ok((id, row))
    }

    fn write_user(&mut self, uid: u64, row: &UserRow) -> Result<(), StoreError> {
        self.batch.users_mut()?.insert(uid, pack(row).as_slice())?;
        self.cached(|cache| cache.forget_person(uid));
        Ok(())
    }

    fn write_room(&mut self, id: u32, row: &RoomRow) -> Result<(), StoreError> {
        self.batch.rooms_mut()?.insert(id, pack(row).as_slice())?;
        self.cached(|cache| cache.forget_room(id));
        Ok(())
    }

    fn cached(&self, change: impl FnOnce(&mut crate::cache::writer::WriterCache)) {
        if let Some(cache) = self.batch.writer_cache() {
            change(&mut cache.borrow_mut());
        }
    }

    /// Makes a room active, for good.
    fn activate(&mut self, id: u32) -> Result<(), StoreError> {
        let row = lookup::known_room(&self.batch, id)?;
        if !row.active {
            self.write_room(id, &RoomRow { active: true, ..RoomRow::clone(&row) })?;
        }
        Ok(())
    }

    fn announce_population(&self, cx: &mut CommandContext<'_>, id: u32) -> Result<(), StoreError> {
        let row = lookup::known_room(&self.batch, id)?;
        let population = lookup::population(&self.batch, id, &row)?;
        cx.events.push(Event::PopulationChanged { room: row.tag(id), population });
        Ok(())
    }

    /// Refused where every seat is taken.
    fn check_capacity(&self, id: u32, row: &RoomRow) -> Result<(), Error> {
        if lookup::population(&self.batch, id, row)? >= row.capacity {
            return Err(Refusal::RoomFull.into());
        }
        Ok(())
    }

    /// Makes a user a durable member of a room that has a seat for it.
    fn add_member(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        uid: u64,
    ) -> Result<(), StoreError> {
        let row = lookup::known_room(&self.batch, id)?;
        let place = self.counters.next_place;
        self.counters.next_place += 1;
        let newest = self.counters.next_message - 1;
        self.batch.members_mut()?.insert((id, uid), (place, newest))?;
        self.batch.member_rooms_mut()?.insert((uid, id), ())?;
        self.write_room(id, &RoomRow { members: row.members + 1, ..RoomRow::clone(&row) })?;
        let user = lookup::person(&self.batch, uid)?;
        let (room, avatar) = (row.tag(id), user.avatar.clone());
        let (durable, opened, connection) = (true, false, None);
        let elsewhere = self.is_seated(id, &Who::User(uid), None)?;
        cx.events.push(Event::Entered {
            room,
            user,
            avatar,
            durable,
            opened,
            connection,
            elsewhere,
        });
        Ok(())
    }

    /// Ends a membership, if there is one.
    fn remove_member(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        uid: u64,
    ) -> Result<bool, StoreError> {
        if self.batch.members_mut()?.remove((id, uid))?.is_none() {
            return Ok(false);
        }
        self.batch.member_rooms_mut()?.remove((uid, id))?;
        self.cached(|cache| cache.forget_member(id, uid));
        let row = lookup::known_room(&self.batch, id)?;
        let members = row.members.saturating_sub(1);
        self.write_room(id, &RoomRow { members, ..RoomRow::clone(&row) })?;
        let user = lookup::person(&self.batch, uid)?;
        let (room, avatar) = (row.tag(id), user.avatar.clone());
        let (durable, connection) = (true, None);
        let elsewhere = self.is_seated(id, &Who::User(uid), None)?;
        cx.events.push(Event::Left { room, user, avatar, durable, connection, elsewhere });
        Ok(true)
    }

    /// Joins as a member unless the user is one. Refused: the room is full.
    fn join_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        row: &RoomRow,
        uid: u64,
    ) -> Result<(), Error> {
        if lookup::is_member(&self.batch, id, uid)? {
            return Ok(());
        }
        self.check_capacity(id, row)?;
        self.add_member(cx, id, uid)?;
        self.activate(id)?;
        self.announce_population(cx, id)?;
        Ok(())
    }
}

/// Whether repeating the command by its key makes sense: posting and making, not signing in.
fn may_repeat(command: &Command) -> bool {
    matches!(
        command,
        Command::Post { .. }
            | Command::PostDirect { .. }
            | Command::CreateRoom { .. }
            | Command::Join { .. }
    )
}

fn tags(batch: &Batch<'_>, rooms: &[u32]) -> Result<Vec<RoomTag>, StoreError> {
    rooms.iter().map(|id| Ok(lookup::known_room(batch, *id)?.tag(*id))).collect()
}
