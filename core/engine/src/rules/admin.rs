//! Commands of operators.

use core_model::{
    ADMIN_TOKENS_MAX, ANNOUNCED_ROOMS_MAX, AdminCommand, AdminToken, BANS_MAX, BanTarget, Banned,
    Expired, MUTES_MAX, Message, Recipient, Refusal, Reply, RoomChanges, RoomId, RoomRef, SHED_MAX,
    Timestamp, TokenHash, UserRef,
};
use redb::{ReadableTable, ReadableTableMetadata as _};

use super::context::{BatchContext, CommandContext};
use super::messages::{Content, check_text};
use super::names::first_free;
use crate::bans;
use crate::chosen_name;
use crate::error::{Error, StoreError};
use crate::lookalike;
use crate::lookup;
use crate::message_index;
use crate::rows::{AdminTokenRow, BanRow, Destination, RoomRow, UserRow, Who, pack, unpack};
use crate::signatures;
use crate::tables::Tables;

/// Signatures of messages that are gone, of those that one command removes.
const GONE_SIGNATURES_MAX: usize = 256;

/// Ended mutes that one command forgets.
const ENDED_MUTES_MAX: usize = 500;

impl BatchContext<'_> {
    pub(super) fn admin(
        &mut self,
        cx: &mut CommandContext<'_>,
        command: &AdminCommand,
    ) -> Result<Reply, Error> {
        if cx.request.connection != 0 {
            return Err(Refusal::NotAllowed.into());
        }
        match command {
            AdminCommand::AddToken(token) => self.add_admin_token(cx, token),
            AdminCommand::RemoveToken { hash } => self.remove_admin_token(hash),
            AdminCommand::Ban { target, reason, until } => {
                let target = self.banned(cx, target)?;
                self.ban(cx, &target, reason, *until)
            }
            AdminCommand::LiftBan { target } => {
                let target = self.banned(cx, target)?;
                self.lift_ban(&target)
            }
            AdminCommand::RevokeSignIns { user } => self.revoke_sign_ins(cx, user, None),
            AdminCommand::RevokeSignIn { user, sign_in } => {
                self.revoke_sign_ins(cx, user, Some(sign_in))
            }
            AdminCommand::RenewPassword { user, former, renewed } => {
                self.renew_password(user.0, former, renewed)
            }
            AdminCommand::DeleteUser { user, anonymize } => self.delete_user(cx, user, *anonymize),
            AdminCommand::ChangeRoom { room, title, section, description } => {
                let (name, section) = (title.clone(), section.clone());
                let changes = RoomChanges { name, section, description: description.clone() };
                let (id, row) = lookup::any_room(&self.batch, room)?;
                self.change_room(cx, id, &row, &changes, None)
            }
            AdminCommand::ChangePolicy { room, changes } => self.set_policy(cx, room, changes),
            AdminCommand::DeleteRoom { room } => {
                let (id, row) = lookup::any_room(&self.batch, room)?;
                self.end_room(cx, id, &row)?;
                Ok(Reply::Done)
            }
            AdminCommand::Kick { room, user, .. } => self.kick_from_any(cx, room, user),
            AdminCommand::Mute { room, user, until } => self.mute(cx, room, user, *until),
            AdminCommand::Unmute { room, user } => self.unmute(cx, room, user),
            AdminCommand::DeleteMessages { messages } => self.delete_messages(cx, messages),
            AdminCommand::StoreSignatures { from, to, signatures } => {
                self.store_signatures(*from, *to, signatures)
            }
            AdminCommand::Announce { room, name, text } => {
                let (id, row) = lookup::any_room(&self.batch, room)?;
                let who = self.announcer(name, text)?;
                let message = self.announce(cx, id, &row, &who, text)?;
                Ok(Reply::Posted { message })
            }
            AdminCommand::AnnounceToNext { after, name, text } => {
                self.announce_to_next(cx, *after, name, text)
            }
            AdminCommand::Shed { user } => self.shed(cx, user.0),
        }
    }

    fn add_admin_token(
        &mut self,
        cx: &CommandContext<'_>,
        token: &AdminToken,
    ) -> Result<Reply, Error> {
        let now = cx.request.now;
        self.batch.admin_tokens_mut()?.retain(|_, row| {
            unpack::<AdminTokenRow>("admin_tokens", row).is_ok_and(|row| row.expires > now)
        })?;
        if self.batch.admin_tokens()?.len()? >= ADMIN_TOKENS_MAX as u64 {
            let what = "tokens of the admin API".into();
            return Err(Refusal::QuotaExceeded { what, max: ADMIN_TOKENS_MAX as u32 }.into());
        }
        let row = AdminTokenRow {
            label: token.label.clone(),
            role: token.role,
            created: now,
            expires: bans::ends(token.expires),
        };
        self.batch.admin_tokens_mut()?.insert(&token.hash.0, pack(&row).as_slice())?;
        Ok(Reply::Done)
    }

    fn remove_admin_token(&mut self, hash: &TokenHash) -> Result<Reply, Error> {
        match self.batch.admin_tokens_mut()?.remove(&hash.0)? {
            Some(_) => Ok(Reply::Done),
            None => Err(Refusal::TokenInvalid.into()),
        }
    }

    fn banned(&mut self, cx: &CommandContext<'_>, target: &BanTarget) -> Result<Banned, Error> {
        Ok(match target {
            BanTarget::User(user) => Banned::User(core_model::Uid(self.user(cx, user)?)),
            BanTarget::Identity(identity) => Banned::Identity(identity.clone()),
            BanTarget::Network(network) => Banned::Network(*network),
        })
    }

    fn ban(
        &mut self,
        cx: &CommandContext<'_>,
        target: &Banned,
        reason: &str,
        until: Option<Timestamp>,
    ) -> Result<Reply, Error> {
        self.check_not_deleted(target)?;
        if self.batch.bans()?.len()? >= BANS_MAX as u64 {
            let now = cx.request.now;
            self.batch
                .bans_mut()?
                .retain(|_, row| unpack::<BanRow>("bans", row).is_ok_and(|row| row.until > now))?;
        }
        if self.batch.bans()?.len()? >= BANS_MAX as u64 {
            return Err(Refusal::QuotaExceeded { what: "bans".into(), max: BANS_MAX as u32 }.into());
        }
        let row = BanRow {
            reason: reason.to_owned(),
            created: cx.request.now,
            until: bans::ends(until),
            deleted: false,
        };
        self.write_ban(target, &row)?;
        Ok(Reply::Done)
    }

    pub(super) fn write_ban(&mut self, target: &Banned, row: &BanRow) -> Result<(), StoreError> {
        self.batch.bans_mut()?.insert(bans::key(target).as_slice(), pack(row).as_slice())?;
        self.cached(|cache| cache.forget_restrictions());
        Ok(())
    }

    fn lift_ban(&mut self, target: &Banned) -> Result<Reply, Error> {
        self.check_not_deleted(target)?;
        self.batch.bans_mut()?.remove(bans::key(target).as_slice())?;
        self.cached(|cache| cache.forget_restrictions());
        Ok(Reply::Done)
    }

    /// Refuses to change the ban of a deleted user.
    fn check_not_deleted(&self, target: &Banned) -> Result<(), Error> {
        let row = self.batch.bans()?.get(bans::key(target).as_slice())?;
        let row: Option<BanRow> = row.map(|row| unpack("bans", row.value())).transpose()?;
        if row.is_some_and(|row| row.deleted) {
            return Err(Refusal::UnknownUser.into());
        }
        Ok(())
    }

    fn renew_password(&mut self, uid: u64, former: &str, renewed: &str) -> Result<Reply, Error> {
        let row = self.batch.users()?.get(uid)?.map(|row| unpack::<UserRow>("users", row.value()));
        let Some(row) = row.transpose()? else { return Err(Refusal::UnknownUser.into()) };
        if row.password == former {
            self.write_user(uid, &UserRow { password: renewed.to_owned(), ..row })?;
        }
        Ok(Reply::Done)
    }

    fn delete_user(
        &mut self,
        cx: &mut CommandContext<'_>,
        user: &UserRef,
        anonymize: bool,
    ) -> Result<Reply, Error> {
        let uid = self.user(cx, user)?;
        let target = Banned::User(core_model::Uid(uid));
        self.check_not_deleted(&target)?;
        self.revoke(uid)?;
        // What the host has not had given up in steps.
        self.give_up_rooms(cx, uid, usize::MAX)?;
        self.leave_rooms(cx, uid, usize::MAX)?;
        let row = lookup::known_user(&self.batch, uid)?;
        for identity in &row.identities {
            self.batch.identities_mut()?.remove(identity.as_str())?;
        }
        let kept = UserRow {
            handle: row.handle.clone(),
            name: row.name.clone(),
            created: row.created,
            ..UserRow::default()
        };
        let kept = if anonymize { self.anonymous(uid, kept)? } else { kept };
        self.write_user(uid, &kept)?;
        self.remove_mutes_of_user(uid, usize::MAX)?;
        let (created, until) = (cx.request.now, u64::MAX);
        let ban =
            BanRow { reason: "the account was deleted".into(), created, until, deleted: true };
        self.write_ban(&target, &ban)?;
        cx.visible = true;
        Ok(Reply::User { user: lookup::user_view(&self.batch, uid)? })
    }

    /// The row under a handle that says nothing of the user.
    fn anonymous(&mut self, uid: u64, row: UserRow) -> Result<UserRow, Error> {
        let free = |handle: &str| -> Result<bool, StoreError> {
            Ok(lookup::uid_of_handle(&self.batch, handle)?.is_none())
        };
        let handle = first_free(&format!("deleted-{uid}"), free)?.ok_or(Refusal::HandleTaken)?;
        self.batch.handles_mut()?.remove(row.handle.as_str())?;
        for key in lookalike::keys(&row.handle) {
            self.batch.lookalikes_mut()?.remove((key.as_str(), uid))?;
        }
        self.batch.handles_mut()?.insert(handle.as_str(), uid)?;
        for key in lookalike::keys(&handle) {
            self.batch.lookalikes_mut()?.insert((key.as_str(), uid), ())?;
        }
        Ok(UserRow { handle, name: String::new(), ..row })
    }

    /// Gives up some of the rooms, memberships and mutes of a user that is to be deleted.
    fn shed(&mut self, cx: &mut CommandContext<'_>, uid: u64) -> Result<Reply, Error> {
        let mut left = SHED_MAX;
        left -= self.give_up_rooms(cx, uid, left)?;
        left -= self.leave_rooms(cx, uid, left)?;
        left -= self.remove_mutes_of_user(uid, left)?;
        let shed = (SHED_MAX - left) as u32;
        cx.visible |= shed > 0;
        Ok(Reply::Pruned { messages: shed, expired: Expired::default(), next: None })
    }

    /// Gives rooms of a user to none; closed ones, which need an owner, to their oldest other
    /// member, or deletes them. Returns how many, at most `max`.
    fn give_up_rooms(
        &mut self,
        cx: &mut CommandContext<'_>,
        uid: u64,
        max: usize,
    ) -> Result<usize, Error> {
        let rooms = self.batch.owned_rooms()?.range((uid, 0)..=(uid, u32::MAX))?.take(max);
        let rooms: Vec<u32> =
            rooms.map(|row| Ok(row?.0.value().1)).collect::<Result<_, StoreError>>()?;
        for id in &rooms {
            let id = *id;
            let row = lookup::known_room(&self.batch, id)?;
            let heir = lookup::members(&self.batch, id)?.into_iter().find(|member| *member != uid);
            let owner = if row.closed { heir } else { None };
            if row.closed && owner.is_none() {
                self.end_room(cx, id, &row)?;
                continue;
            }
            self.batch.owned_rooms_mut()?.remove((uid, id))?;
            if let Some(owner) = owner {
                self.batch.owned_rooms_mut()?.insert((owner, id), ())?;
            }
            self.write_room(id, &RoomRow { owner, ..RoomRow::clone(&row) })?;
        }
        Ok(rooms.len())
    }

    /// Ends memberships of a user. Returns how many, at most `max`.
    fn leave_rooms(
        &mut self,
        cx: &mut CommandContext<'_>,
        uid: u64,
        max: usize,
    ) -> Result<usize, StoreError> {
        let mut rooms = lookup::rooms_of_member(&self.batch, uid)?;
        rooms.truncate(max);
        for room in &rooms {
            if self.remove_member(cx, *room, uid)? {
                self.announce_population(cx, *room)?;
            }
        }
        Ok(rooms.len())
    }

    fn mute(
        &mut self,
        cx: &CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
        until: Option<Timestamp>,
    ) -> Result<Reply, Error> {
        let (room, _) = lookup::any_room(&self.batch, room)?;
        let uid = self.user(cx, user)?;
        if self.batch.mutes()?.get((room, uid))?.is_none() {
            self.make_room_for_mute(cx.request.now, MUTES_MAX as u64)?;
        }
        self.write_mute(room, uid, until)?;
        Ok(Reply::Done)
    }

    pub(super) fn write_mute(
        &mut self,
        room: u32,
        uid: u64,
        until: Option<Timestamp>,
    ) -> Result<(), StoreError> {
        self.batch.mutes_mut()?.insert((room, uid), bans::ends(until))?;
        self.batch.mutes_by_user_mut()?.insert((uid, room), ())?;
        self.cached(|cache| cache.forget_restrictions());
        Ok(())
    }

    /// Forgets mutes that have ended, if there are `max`. Refuses if none has.
    fn make_room_for_mute(&mut self, now: u64, max: u64) -> Result<(), Error> {
        if self.batch.mutes()?.len()? < max {
            return Ok(());
        }
        let mut ended = Vec::new();
        for row in self.batch.mutes()?.iter()? {
            let (key, ends) = row?;
            if ends.value() <= now {
                ended.push(key.value());
            }
            if ended.len() == ENDED_MUTES_MAX {
                break;
            }
        }
        if ended.is_empty() {
            let max = max as u32;
            return Err(Refusal::QuotaExceeded { what: "muted users".into(), max }.into());
        }
        ended.into_iter().try_for_each(|(room, uid)| self.remove_mute(room, uid))?;
        Ok(())
    }

    fn unmute(
        &mut self,
        cx: &CommandContext<'_>,
        room: &RoomRef,
        user: &UserRef,
    ) -> Result<Reply, Error> {
        let (room, _) = lookup::any_room(&self.batch, room)?;
        let uid = self.user(cx, user)?;
        self.remove_mute(room, uid)?;
        Ok(Reply::Done)
    }

    fn remove_mute(&mut self, room: u32, uid: u64) -> Result<(), StoreError> {
        self.batch.mutes_mut()?.remove((room, uid))?;
        self.batch.mutes_by_user_mut()?.remove((uid, room))?;
        self.cached(|cache| cache.forget_restrictions());
        Ok(())
    }

    /// Returns how many, at most `max`.
    fn remove_mutes_of_user(&mut self, uid: u64, max: usize) -> Result<usize, StoreError> {
        let rows = self.batch.mutes_by_user()?.range((uid, 0)..=(uid, u32::MAX))?.take(max);
        let rooms: Vec<u32> =
            rows.map(|row| Ok(row?.0.value().1)).collect::<Result<_, StoreError>>()?;
        rooms.iter().try_for_each(|room| self.remove_mute(*room, uid))?;
        Ok(rooms.len())
    }

    /// Forgets the mutes of a room that ends.
    pub(super) fn remove_mutes_of_room(&mut self, room: u32) -> Result<(), StoreError> {
        if !bans::restrictions(&self.batch)?.mutes {
            return Ok(());
        }
        let rows = self.batch.mutes()?.range((room, 0)..=(room, u64::MAX))?;
        let uids: Vec<u64> =
            rows.map(|row| Ok(row?.0.value().1)).collect::<Result<_, StoreError>>()?;
        uids.into_iter().try_for_each(|uid| self.remove_mute(room, uid))
    }

    /// Also forgets those of messages that are gone from the front.
    fn store_signatures(
        &mut self,
        from: u64,
        to: u64,
        signatures: &[(u64, Vec<u8>)],
    ) -> Result<Reply, Error> {
        let full = signatures::block_of(self.counters.next_message);
        if from != signatures::next_block(&self.batch)? || to > full {
            return Ok(Reply::Done);
        }
        for (block, signature) in signatures {
            if (from..to).contains(block) && signatures::is_sound(signature) {
                self.batch.signatures_mut()?.insert(block, signature.as_slice())?;
            }
        }
        let next = signatures::pack_next(to);
        self.batch.counters_mut()?.insert(signatures::NEXT_KEY, next.as_slice())?;
        let oldest = self
            .batch
            .messages()?
            .first()?
            .map_or(full, |(id, _)| signatures::block_of(id.value()));
        let mut gone = Vec::new();
        for row in self.batch.signatures()?.range(..oldest)?.take(GONE_SIGNATURES_MAX) {
            gone.push(row?.0.value());
        }
        for block in gone {
            self.batch.signatures_mut()?.remove(block)?;
        }
        Ok(Reply::Done)
    }

    /// The author of a notice.
    fn announcer(&self, name: &str, text: &str) -> Result<Who, Error> {
        check_text(text)?;
        let name = chosen_name::check_handle(name)
            .map_err(|fault| Refusal::InvalidHandle { why: fault.to_string() })?;
        if lookup::uid_of_handle(&self.batch, &name)?.is_some()
            || lookup::resembles_other_handle(&self.batch, &name)?
        {
            return Err(Refusal::HandleTaken.into());
        }
        Ok(Who::Guest(name))
    }

    fn announce(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
        row: &RoomRow,
        who: &Who,
        text: &str,
    ) -> Result<Message, StoreError> {
        let person = self.person(who)?;
        let to = Recipient::Room(row.tag(id));
        let streams = [Some(message_index::of_room(id)), None];
        let content = Content { text, notice: true };
        self.add_message(cx, who, person, Destination::Room(id), to, streams, content)
    }

    fn announce_to_next(
        &mut self,
        cx: &mut CommandContext<'_>,
        after: RoomId,
        name: &str,
        text: &str,
    ) -> Result<Reply, Error> {
        let who = self.announcer(name, text)?;
        let mut rooms = Vec::new();
        if let Some(first) = after.0.checked_add(1) {
            for row in self.batch.rooms()?.range(first..)?.take(ANNOUNCED_ROOMS_MAX) {
                rooms.push(row?.0.value());
            }
        }
        for id in &rooms {
            let row = lookup::known_room(&self.batch, *id)?;
            self.announce(cx, *id, &row, &who, text)?;
        }
        let is_full = rooms.len() == ANNOUNCED_ROOMS_MAX;
        let next = rooms.last().filter(|_| is_full).map(|id| RoomId(*id));
        Ok(Reply::Pruned { messages: rooms.len() as u32, expired: Expired::default(), next })
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use redb::{Database, backends::InMemoryBackend};

    use super::*;
    use crate::migrate::prepare;
    use crate::state::Batch;

    #[test]
    fn mutes_that_have_ended_make_room_for_others() {
        let database = Database::builder().create_with_backend(InMemoryBackend::new()).unwrap();
        prepare(&database).unwrap();
        let transaction = database.begin_write().unwrap();
        let batch = Batch::new(&transaction, RefCell::default());
        let counters = lookup::counters(&batch).unwrap();
        let mut context = BatchContext::new(batch, counters, None);
        for (uid, ends) in [(1, 100), (2, 200), (3, u64::MAX)] {
            context.batch.mutes_mut().unwrap().insert((7, uid), ends).unwrap();
            context.batch.mutes_by_user_mut().unwrap().insert((uid, 7), ()).unwrap();
        }
        assert!(context.make_room_for_mute(300, 4).is_ok());
        assert_eq!(context.batch.mutes().unwrap().len().unwrap(), 3, "there is room");
        assert!(context.make_room_for_mute(150, 3).is_ok());
        assert!(context.batch.mutes().unwrap().get((7, 1)).unwrap().is_none());
        assert_eq!(context.batch.mutes_by_user().unwrap().len().unwrap(), 2);
        let refused = context.make_room_for_mute(150, 2);
        assert!(matches!(refused, Err(Error::Refused(Refusal::QuotaExceeded { .. }))));
    }
}
