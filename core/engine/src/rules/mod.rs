//! The rules: what each command does to the state, and which events tell of it.
//!
//! Everything here is deterministic: the same commands in the same order on the same state give
//! the same state, outcomes and events, byte for byte. Every rule checks first and writes after,
//! so that a refused command has changed nothing.

mod accounts;
mod admin;
mod clock;
mod context;
#[cfg(test)]
mod cost;
mod deletion;
mod delivery;
mod expiry;
mod import;
mod keys;
mod messages;
mod names;
mod policy;
mod quotas;
mod read_markers;
mod retention;
mod roles;
mod rooms;
mod runs;
mod seat_rows;
mod seats;
mod sessions;
mod tokens;
mod webhooks;

use std::sync::Arc;

use core_model::{
    AdminCommand, Command, Event, Person, Recorded, Reply, Seq, Timestamp, Uid, bounds,
};
use redb::ReadableTable;

use self::context::{CommandContext, Made};
use self::messages::Content;
use crate::bans;
use crate::clock::engine_time;
use crate::envelope::{Answer, Envelope};
use crate::error::{Error, StoreError};
use crate::lookup::{self, Request};
use crate::tables::Tables;

pub(crate) use context::{BatchContext, Finished};
pub(crate) use delivery::{is_cursor_of_device, is_shared_cursor, owed};
pub(crate) use expiry::{
    ADDRESS, KEY, KEY_OF_ADDRESS, TOKEN, UNOWNED_ROOM, address_key, is_due as is_expiry_due,
    next as next_expiry,
};
pub(crate) use import::{CursorStream, ImportBatch, ImportState, RecordError};
pub(crate) use quotas::KEYS;
pub(crate) use runs::runs;
pub(crate) use seat_rows::of_guests;
pub(crate) use tokens::is_due;

pub use import::Taken;
pub use runs::RunView;

/// How long a repeated idempotency key returns the first outcome: a day, in ms.
const KEY_WINDOW_MS: u64 = 24 * 60 * 60 * 1000;

impl BatchContext<'_> {
    /// Carries out one command. After an error the store has failed and the whole batch is void.
    pub(crate) fn apply(&mut self, envelope: &Envelope) -> Result<Answer, StoreError> {
        let now = engine_time(self.counters.now, envelope.at.0);
        let request =
            Request { now, steady: envelope.steady_ms, connection: envelope.connection.0 };
        let mut cx = CommandContext {
            request,
            frontend: &envelope.frontend,
            address: envelope.address,
            events: Vec::new(),
            made: Vec::new(),
            visible: false,
        };
        let written = self.writes();
        self.note_jump(request)?;
        let outcome = match self.keyed(&mut cx, envelope) {
            Ok(reply) => {
                self.explain_leaving(&mut cx, &envelope.command)?;
                Ok(reply)
            }
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
        let events: Vec<Recorded> = recorded.collect();
        let mut accounts = Vec::new();
        if outcome.is_ok() {
            self.log_events(request, &events, &cx.made)?;
            accounts = self.accounts_of(&cx.made)?;
        }
        Ok(Answer { outcome, events, accounts })
    }

    fn accounts_of(&self, made: &[(usize, Made)]) -> Result<Vec<Arc<Person>>, StoreError> {
        let accounts = made.iter().filter_map(|(_, made)| match made {
            Made::User(uid) => Some(lookup::person(&self.batch, *uid)),
            Made::Room(_) => None,
        });
        accounts.collect()
    }

    /// Adds to the events `Left` how and why the user left.
    fn explain_leaving(
        &self,
        cx: &mut CommandContext<'_>,
        command: &Command,
    ) -> Result<(), StoreError> {
        let (words, remover) = match command {
            Command::Exit { reason, .. } | Command::SignOut { reason } => (reason.as_str(), None),
            Command::Kick { reason, by, .. } => (reason.as_str(), by.as_ref()),
            Command::Disconnect { .. }
            | Command::Start { .. }
            | Command::EndRun { .. }
            | Command::Tick => ("", None),
            Command::Admin(command) => match command.as_ref() {
                AdminCommand::Kick { reason, .. } => (reason.as_str(), None),
                _ => return Ok(()),
            },
            _ => return Ok(()),
        };
        let remover =
            remover.and_then(|by| lookup::user_or_guest(&self.batch, cx.request, by).ok());
        let remover = remover.map(|by| self.person(&by)).transpose()?;
        let ends = matches!(
            command,
            Command::SignOut { .. }
                | Command::Disconnect { .. }
                | Command::Start { .. }
                | Command::EndRun { .. }
                | Command::Tick
        );
        for event in &mut cx.events {
            if let Event::Left { user, quit, reason, by, .. } = event {
                *quit = ends && self.is_gone(user)?;
                bounds::cut(words, bounds::REASON_CHARS_MAX).clone_into(reason);
                by.clone_from(&remover);
            }
        }
        Ok(())
    }

    /// Whether a user has no connection and no membership. The engine does not know in which other
    /// rooms a guest is, so a guest counts as gone when a connection of it ends.
    fn is_gone(&self, user: &Person) -> Result<bool, StoreError> {
        let Some(Uid(uid)) = user.uid else { return Ok(true) };
        Ok(self.batch.presence()?.get(uid)?.is_none()
            && self.batch.member_rooms()?.range((uid, 0)..=(uid, u32::MAX))?.next().is_none())
    }

    fn carry_out(
        &mut self,
        cx: &mut CommandContext<'_>,
        command: &Command,
    ) -> Result<Reply, Error> {
        bans::check_command(&self.batch, cx.request, command)?;
        match command {
            Command::Register { user } => self.register(cx, user),
            Command::SignIn { .. } => self.sign_in(cx, command),
            Command::SignOut { .. } => self.sign_out(cx),
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
            Command::SetOwner { room, owner } => self.set_owner(cx, room, owner.as_ref()),
            Command::DeleteRoom { room, by } => self.delete_room(cx, room, by.as_ref()),
            Command::ClearMessages { room, by } => self.clear_messages(cx, room, by.as_ref()),
            Command::Join { room, user } => self.join(cx, room, user),
            Command::Kick { room, user, by, .. } => self.kick(cx, room, user, by.as_ref()),
            Command::Enter { .. } => self.enter(cx, command),
            Command::SetRole { room, user, role, held, by } => {
                self.set_role(cx, room, user, (*role, *held), by.as_ref())
            }
            Command::Exit { room, user, seat, .. } => self.exit(cx, room, user, *seat),
            Command::Post { room, author, text, standing, notice } => {
                self.post(cx, room, author, Content { text, notice: *notice }, standing)
            }
            Command::PostDirect { author, to, text, notice, allow_self } => {
                let content = Content { text, notice: *notice };
                self.post_direct(cx, author, to, content, *allow_self)
            }
            Command::Receive { .. } => self.receive(cx, command),
            Command::MarkRead { user, conversation, at } => {
                self.mark_read(cx, user, conversation, *at)
            }
            Command::Acknowledge { user, message, device } => {
                self.acknowledge(cx, *user, *message, device.as_deref())
            }
            Command::Disconnect { delivered } => self.disconnect(cx, *delivered),
            Command::Expire => self.expire(cx),
            Command::Prune { before, keep_per_room, from, limit } => {
                self.prune(cx, *before, *keep_per_room, *from, *limit)
            }
            _ => self.moderate_or_operate(cx, command),
        }
    }

    /// Commands of moderators, of the host's own work and of its operator.
    fn moderate_or_operate(
        &mut self,
        cx: &mut CommandContext<'_>,
        command: &Command,
    ) -> Result<Reply, Error> {
        match command {
            Command::Start { node, boot, speaks } => self.start(cx, node, *boot, *speaks),
            Command::EndRun { run } => self.end_run(cx, *run),
            Command::Tick => self.tick(cx),
            Command::DeleteMessage { .. } => self.delete_message(cx, command),
            Command::ChangePolicy { room, change, by } => {
                self.change_policy(cx, room, change, by.as_ref())
            }
            Command::DeclareWebhooks { webhooks } => self.declare_webhooks(webhooks),
            Command::AdvanceWebhook { webhook, progress } => {
                self.advance_webhook(cx, webhook, progress)
            }
            Command::Admin(command) => self.admin(cx, command),
            _ => unreachable!("`carry_out` has the others"),
        }
    }
}
