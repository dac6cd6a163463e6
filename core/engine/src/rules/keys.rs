//! Idempotency keys.

use std::borrow::Cow;

use core_model::{Claim, Command, MessageId, Outcome, Refusal, Reply, SeatKind, UserRef, bounds};
use redb::ReadableTable;
use sha2::{Digest, Sha256};

use super::KEY_WINDOW_MS;
use super::context::{BatchContext, CommandContext};
use crate::envelope::Envelope;
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::rows::{KeyRow, Who, pack, unpack};
use crate::tables::Tables;

impl BatchContext<'_> {
    /// Carries a command out, or returns the outcome that its key already has.
    pub(super) fn keyed(
        &mut self,
        cx: &mut CommandContext<'_>,
        envelope: &Envelope,
    ) -> Result<Reply, Error> {
        bounds::check_command(&envelope.command)?;
        let Some(key) = envelope.key.as_deref().filter(|_| may_repeat(&envelope.command)) else {
            return self.carry_out(cx, &envelope.command);
        };
        bounds::check_key(key)?;
        let key = &*self.of_user(cx, &envelope.command, key)?;
        let digest = self.digest(cx, &envelope.command)?;
        let found = self.key_row(key)?;
        if let Some(row) = &found {
            if row.digest != digest {
                return Err(Refusal::KeyReused.into());
            }
            if !self.has_lapsed(cx, key, &envelope.command)? {
                let outcome: Outcome = serde_json::from_str(&row.outcome)
                    .map_err(|_| StoreError::Corrupt { table: "keys" })?;
                return match received_again(&envelope.command, &outcome) {
                    Some(receive) => self.carry_out(cx, &receive),
                    None => outcome.map_err(Error::Refused),
                };
            }
        }
        let reply = self.carry_out(cx, &envelope.command)?;
        let outcome = serde_json::to_string(&Outcome::Ok(to_keep(&reply)));
        let outcome = outcome.expect("an outcome is plain data");
        self.batch.keys_mut()?.insert(key, pack(&KeyRow { digest, outcome }).as_slice())?;
        if lease_ttl_ms(&envelope.command).is_some() {
            self.batch.leased_keys_mut()?.insert(key, cx.request.steady)?;
        }
        if found.is_none() {
            let ends = cx.request.now.saturating_add(KEY_WINDOW_MS);
            self.note_key(cx, key, ends)?;
        }
        Ok(reply)
    }

    fn key_row(&self, key: &str) -> Result<Option<KeyRow>, StoreError> {
        let row = self.batch.keys()?.get(key)?;
        row.map(|row| unpack("keys", row.value())).transpose()
    }

    pub(super) fn remove_key(&mut self, key: &str) -> Result<(), StoreError> {
        self.batch.keys_mut()?.remove(key)?;
        self.batch.leased_keys_mut()?.remove(key)?;
        Ok(())
    }

    /// Whether the seat that a command with this key took is gone, though the user did not give it
    /// back: it ended with an earlier run, or because no connection used it. The first reply would
    /// promise a seat that is not there.
    fn has_lapsed(
        &self,
        cx: &CommandContext<'_>,
        key: &str,
        command: &Command,
    ) -> Result<bool, StoreError> {
        let Some(ttl_ms) = lease_ttl_ms(command) else { return Ok(false) };
        let Some(taken) = self.batch.leased_keys()?.get(key)?.map(|taken| taken.value()) else {
            return Ok(true);
        };
        let may_have_ended = taken.saturating_add(ttl_ms) <= cx.request.steady;
        Ok(may_have_ended && !self.has_seat(cx, command)?)
    }

    /// Whether the user of an entrance has a seat in its room.
    fn has_seat(&self, cx: &CommandContext<'_>, command: &Command) -> Result<bool, StoreError> {
        let Command::Enter { room, user, .. } = command else { return Ok(false) };
        let found = lookup::any_room(&self.batch, room).and_then(|(id, _)| {
            let who = lookup::user_or_guest(&self.batch, cx.request, user)?;
            Ok(self.seat_of_person(id, &who, |_| true)?.is_some())
        });
        match found {
            Ok(has_seat) => Ok(has_seat),
            Err(Error::Refused(_)) => Ok(false),
            Err(Error::Store(fault)) => Err(fault),
        }
    }

    /// The key as one of the command's user, where the front end could only scope it to the address of
    /// the peer (`<front end>/a<address>/<key>`): as `u<uid>`, for a user that the command may make as
    /// `i<hash of its identity>`, which its first attempt and a retry have in common. Two users may
    /// use the same keys. Only the writer knows the user of a command that was sent right behind the
    /// login.
    fn of_user<'a>(
        &self,
        cx: &CommandContext<'_>,
        command: &Command,
        key: &'a str,
    ) -> Result<Cow<'a, str>, StoreError> {
        let Some((frontend, (scope, name))) = key
            .split_once('/')
            .and_then(|(frontend, rest)| Some((frontend, rest.split_once('/')?)))
        else {
            return Ok(key.into());
        };
        let Some(user) = caller(command).filter(|_| scope.starts_with('a')) else {
            return Ok(key.into());
        };
        if let Some(identity) = identity_to_make(command, user) {
            let digest = Sha256::digest(identity.as_bytes());
            let hash = digest.first_chunk().map_or(0, |bytes| u64::from_be_bytes(*bytes));
            return Ok(format!("{frontend}/i{hash:016x}/{name}").into());
        }
        match lookup::user_or_guest(&self.batch, cx.request, user) {
            Ok(Who::User(uid)) => Ok(format!("{frontend}/u{uid}/{name}").into()),
            Ok(Who::Guest(_)) | Err(Error::Refused(_)) => Ok(key.into()),
            Err(Error::Store(fault)) => Err(fault),
        }
    }

    /// The digest of a command and the user that it acts for, without how the client proved to be
    /// that user: a client that signs in again between two attempts has another token, session or
    /// address. The hash of a password counts: the host makes the same one at a retry.
    fn digest(&self, cx: &CommandContext<'_>, command: &Command) -> Result<[u8; 32], StoreError> {
        let session = lookup::session(&self.batch, cx.request.connection)?;
        let mut uid = session.map(|session| session.uid);
        let mut command = command.clone();
        if let Some(user) = caller_mut(&mut command).filter(|user| may_differ(user)) {
            match lookup::user_or_guest(&self.batch, cx.request, user) {
                Ok(Who::User(proven)) => {
                    uid = Some(proven);
                    *user = UserRef::Session;
                }
                Ok(Who::Guest(name)) => {
                    let (token, address) = (None, None);
                    let claim =
                        Claim { name, token, address, address_left_min_ms: 0, guests: true };
                    *user = UserRef::Claim(claim);
                }
                Err(Error::Refused(_)) => (),
                Err(Error::Store(fault)) => return Err(fault),
            }
        }
        let command = serde_json::to_vec(&(uid, &command)).expect("a command is plain data");
        Ok(Sha256::digest(command).into())
    }
}

/// Whether an idempotency key applies: to whatever a client may ask for that would have another effect
/// or another answer the second time. Not to signing in, which draws another token, nor to receiving
/// from a place that the client names, which it can do again.
fn may_repeat(command: &Command) -> bool {
    match command {
        Command::Register { .. }
        | Command::UpdateUser { .. }
        | Command::CreateRoom { .. }
        | Command::UpdateRoom { .. }
        | Command::DeleteRoom { .. }
        | Command::ClearMessages { .. }
        | Command::Join { .. }
        | Command::Kick { .. }
        | Command::SetRole { .. }
        | Command::ChangePolicy { .. }
        | Command::DeleteMessage { .. }
        | Command::Post { .. }
        | Command::PostDirect { .. } => true,
        Command::Receive { after, newest, .. } => after.is_none() && !newest,
        // A seat of a connection ends with it, and so would the effect.
        Command::Enter { seat, .. } | Command::Exit { seat, .. } => {
            matches!(seat, SeatKind::Lease { .. })
        }
        Command::SignIn { .. }
        | Command::SignOut { .. }
        | Command::LinkIdentity { .. }
        | Command::UnlinkIdentity { .. }
        | Command::SetPassword { .. }
        | Command::IssueToken { .. }
        | Command::RefreshToken { .. }
        | Command::DeclareRoom { .. }
        | Command::SetOwner { .. }
        | Command::MarkRead { .. }
        | Command::Acknowledge { .. }
        | Command::Start { .. }
        | Command::EndRun { .. }
        | Command::Tick
        | Command::Disconnect { .. }
        | Command::Expire
        | Command::Prune { .. }
        | Command::DeclareWebhooks { .. }
        | Command::AdvanceWebhook { .. }
        | Command::Admin(_) => false,
    }
}

/// The reply to keep with a key: of received messages, only after which one they come. They are in
/// the store.
fn to_keep(reply: &Reply) -> Reply {
    match reply {
        Reply::Received { messages, cursor, .. } => {
            let before = messages.first().map_or(cursor.0, |message| message.id.0 - 1);
            Reply::Received { messages: Vec::new(), cursor: MessageId(before), gap: None }
        }
        other => other.clone(),
    }
}

/// The command that receives again what the first attempt of this one did, by the outcome that was
/// kept. Later messages may follow.
fn received_again(command: &Command, kept: &Outcome) -> Option<Command> {
    let Ok(Reply::Received { cursor, .. }) = kept else { return None };
    let mut again = command.clone();
    let Command::Receive { after, .. } = &mut again else { return None };
    *after = Some(*cursor);
    Some(again)
}

/// How long a seat that a command takes lasts without a connection.
fn lease_ttl_ms(command: &Command) -> Option<u64> {
    match command {
        Command::Enter { seat: SeatKind::Lease { ttl_ms, .. }, .. } => Some(*ttl_ms),
        _ => None,
    }
}

/// The user that a command which may repeat acts for.
fn caller(command: &Command) -> Option<&UserRef> {
    match command {
        Command::Post { author, .. } | Command::PostDirect { author, .. } => Some(author),
        Command::Join { user, .. }
        | Command::Enter { user, .. }
        | Command::Exit { user, .. }
        | Command::Receive { user, .. }
        | Command::UpdateUser { user, .. } => Some(user),
        Command::CreateRoom { owner: by, .. }
        | Command::UpdateRoom { by, .. }
        | Command::DeleteRoom { by, .. }
        | Command::ClearMessages { by, .. }
        | Command::Kick { by, .. }
        | Command::ChangePolicy { by, .. }
        | Command::DeleteMessage { by, .. }
        | Command::SetRole { by, .. } => by.as_ref(),
        _ => None,
    }
}

fn caller_mut(command: &mut Command) -> Option<&mut UserRef> {
    match command {
        Command::Post { author, .. } | Command::PostDirect { author, .. } => Some(author),
        Command::Join { user, .. }
        | Command::Enter { user, .. }
        | Command::Exit { user, .. }
        | Command::Receive { user, .. }
        | Command::UpdateUser { user, .. } => Some(user),
        Command::CreateRoom { owner: by, .. }
        | Command::UpdateRoom { by, .. }
        | Command::DeleteRoom { by, .. }
        | Command::ClearMessages { by, .. }
        | Command::Kick { by, .. }
        | Command::ChangePolicy { by, .. }
        | Command::DeleteMessage { by, .. }
        | Command::SetRole { by, .. } => by.as_mut(),
        _ => None,
    }
}

/// The identity of a user that a command makes if there is none.
fn identity_to_make<'a>(command: &Command, user: &'a UserRef) -> Option<&'a str> {
    match (command, user) {
        (_, UserRef::IdentityOrNew(identity))
        | (Command::UpdateUser { create: true, .. }, UserRef::Identity(identity)) => Some(identity),
        _ => None,
    }
}

/// Whether one user may be named by this reference once and by another at a retry.
fn may_differ(user: &UserRef) -> bool {
    matches!(user, UserRef::Id(_) | UserRef::Token(_) | UserRef::Claim(_))
}
