//! Idempotency keys.

use std::borrow::Cow;

use core_model::{Claim, Command, Outcome, Refusal, Reply, SeatKind, UserRef, bounds};
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
        let ends = cx.request.now.saturating_add(KEY_WINDOW_MS);
        self.note_key(cx, key, ends)?;
        Ok(reply)
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
/// or another answer the second time. Not to signing in, which draws another token, nor to receiving,
/// which has cursors.
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
        | Command::Post { .. }
        | Command::PostDirect { .. } => true,
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
        | Command::Receive { .. }
        | Command::MarkRead { .. }
        | Command::Acknowledge { .. }
        | Command::Start
        | Command::Disconnect { .. }
        | Command::Expire
        | Command::Prune { .. }
        | Command::DeclareWebhooks { .. }
        | Command::AdvanceWebhook { .. }
        | Command::Admin(_) => false,
    }
}

/// The user that a command which may repeat acts for.
fn caller(command: &Command) -> Option<&UserRef> {
    match command {
        Command::Post { author, .. } | Command::PostDirect { author, .. } => Some(author),
        Command::Join { user, .. }
        | Command::Enter { user, .. }
        | Command::Exit { user, .. }
        | Command::UpdateUser { user, .. } => Some(user),
        Command::CreateRoom { owner: by, .. }
        | Command::UpdateRoom { by, .. }
        | Command::DeleteRoom { by, .. }
        | Command::ClearMessages { by, .. }
        | Command::Kick { by, .. }
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
        | Command::UpdateUser { user, .. } => Some(user),
        Command::CreateRoom { owner: by, .. }
        | Command::UpdateRoom { by, .. }
        | Command::DeleteRoom { by, .. }
        | Command::ClearMessages { by, .. }
        | Command::Kick { by, .. }
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
