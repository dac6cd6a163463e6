//! Idempotency keys.

use core_model::{Command, GUEST_PREFIX, MessageId, Outcome, Refusal, Reply, SeatKind, UserRef};

use super::*;

#[derive(Clone, Debug)]
pub(super) struct Key {
    pub(super) session: Option<u64>,
    pub(super) command: Command,
    pub(super) reply: Reply,
    pub(super) ends: u64,
    pub(super) address: u128,
    /// When the seat of an entrance was taken in this run.
    pub(super) taken: Option<u64>,
}

impl Reference {
    pub(super) fn keyed(&mut self, key: Option<&str>, command: &Command) -> Outcome {
        if is_too_long(command) {
            return Err(Refusal::TooLong { what: String::new(), limit: String::new() });
        }
        let Some(key) = key.filter(|_| is_repeatable(command)) else {
            return self.carry_out(command);
        };
        let (session, kept) = self.without_proof(command);
        let found = self.keys.get(key).cloned();
        if let Some(used) = &found {
            if used.command != kept || used.session != session {
                return Err(Refusal::KeyReused);
            }
            if !self.has_lapsed(used, command) {
                return self.repeat(used, command);
            }
        }
        let reply = self.carry_out(command)?;
        let address = self.address.unwrap_or_default();
        let (address, ends) =
            found.map_or((address, self.now + KEY_WINDOW_MS), |used| (used.address, used.ends));
        let mut used =
            Key { session, command: kept, reply: reply.clone(), ends, address, taken: None };
        used.taken = matches!(command, Command::Enter { .. }).then_some(self.steady);
        if let Reply::Received { messages, cursor, .. } = &reply {
            let before = messages.first().map_or(cursor.0, |message| message.id.0 - 1);
            used.reply =
                Reply::Received { messages: Vec::new(), cursor: MessageId(before), gap: None };
        }
        self.keys.insert(key.into(), used);
        self.trim_keys();
        Ok(reply)
    }

    /// Answers as the first time. What was received is received again.
    fn repeat(&mut self, used: &Key, command: &Command) -> Outcome {
        let mut again = command.clone();
        let (Reply::Received { cursor, .. }, Command::Receive { after, .. }) =
            (&used.reply, &mut again)
        else {
            // As it is serialized: without what only the host's figures of events need.
            let kept = serde_json::to_string(&used.reply).unwrap();
            return Ok(serde_json::from_str(&kept).unwrap());
        };
        *after = Some(*cursor);
        self.carry_out(&again)
    }

    /// Whether the seat of an entrance is gone, with its run or for want of use.
    fn has_lapsed(&self, used: &Key, command: &Command) -> bool {
        let Command::Enter { room, user, seat: SeatKind::Lease { ttl_ms, .. }, .. } = command
        else {
            return false;
        };
        let Some(taken) = used.taken else { return true };
        // A look takes no token's turn.
        let mut look = self.clone();
        let mut has_seat = || {
            let id = look.any_room(room).ok()?;
            let who = look.user_or_guest(user).ok()?;
            look.seats.iter().any(|seat| seat.room == id && seat.who == who).then_some(())
        };
        taken + ttl_ms <= self.steady && has_seat().is_none()
    }

    /// A keyed command, and its user, whichever token or address proves the user.
    fn without_proof(&self, command: &Command) -> (Option<u64>, Command) {
        let session = self.sessions.get(&self.connection).map(|(uid, _)| *uid);
        let mut kept = command.clone();
        let caller = match &mut kept {
            Command::Post { author: caller, .. }
            | Command::PostDirect { author: caller, .. }
            | Command::Join { user: caller, .. }
            | Command::Enter { user: caller, .. }
            | Command::Exit { user: caller, .. }
            | Command::UpdateUser { user: caller, .. }
            | Command::CreateRoom { owner: Some(caller), .. }
            | Command::UpdateRoom { by: Some(caller), .. }
            | Command::DeleteRoom { by: Some(caller), .. }
            | Command::ClearMessages { by: Some(caller), .. }
            | Command::Kick { by: Some(caller), .. }
            | Command::ChangePolicy { by: Some(caller), .. }
            | Command::DeleteMessage { by: Some(caller), .. }
            | Command::Receive { user: caller, .. }
            | Command::SetRole { by: Some(caller), .. } => caller,
            Command::Register { user } => {
                user.password = None;
                return (session, kept);
            }
            _ => return (session, kept),
        };
        let proven = match caller {
            UserRef::Id(uid) => self.users.contains_key(&uid.0).then_some(Who::User(uid.0)),
            UserRef::Token(hash) => self.uid_of_token(hash).map(Who::User),
            UserRef::Claim(claim) => self.claimed(claim).ok(),
            _ => None,
        };
        match proven {
            Some(Who::User(uid)) => {
                *caller = UserRef::Session;
                (Some(uid), kept)
            }
            Some(Who::Guest(name)) => {
                *caller = UserRef::Handle(format!("{GUEST_PREFIX}{name}"));
                (session, kept)
            }
            None => (session, kept),
        }
    }
}

/// Whether a key applies to a command.
fn is_repeatable(command: &Command) -> bool {
    matches!(
        command,
        Command::Post { .. }
            | Command::PostDirect { .. }
            | Command::Register { .. }
            | Command::UpdateUser { .. }
            | Command::CreateRoom { .. }
            | Command::UpdateRoom { .. }
            | Command::DeleteRoom { .. }
            | Command::ClearMessages { .. }
            | Command::Join { .. }
            | Command::Kick { .. }
            | Command::Enter { seat: SeatKind::Lease { .. }, .. }
            | Command::Exit { seat: SeatKind::Lease { .. }, .. }
            | Command::SetRole { .. }
            | Command::ChangePolicy { .. }
            | Command::DeleteMessage { .. }
            | Command::Receive { after: None, newest: false, .. }
    )
}
