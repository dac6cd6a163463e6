//! Users, sessions and tokens.

use std::collections::BTreeSet;
use std::sync::Arc;

use core_model::{
    AutoJoinFailure, Claim, Command, Credential, Delivery, GUEST_PREFIX, Gap, Grant, Message,
    MessageId, NewUser, Outcome, ProfileChanges, Refusal, Reply, Secret, TokenHash, UserRef,
    check_handle, normalize,
};

use super::quotas::ACCOUNTS;
use super::{Destination, Reference, Seat, Session, StoredMessage, Token, User, Who};

impl Reference {
    pub(super) fn user(&mut self, uid: u64) -> &mut User {
        self.users.get_mut(&uid).unwrap()
    }

    pub(super) fn uid_of_handle(&self, handle: &str) -> Option<u64> {
        self.users.iter().find(|(_, user)| user.handle == handle).map(|(uid, _)| *uid)
    }

    pub(super) fn user_or_guest(&mut self, user: &UserRef) -> Result<Who, Refusal> {
        let uid = match user {
            UserRef::Id(uid) => self.users.contains_key(&uid.0).then_some(uid.0),
            UserRef::Handle(handle) => match handle.strip_prefix(GUEST_PREFIX) {
                Some(name) => return Ok(Who::Guest(normalize(name))),
                None => self.uid_of_handle(&normalize(handle)),
            },
            UserRef::Identity(identity) | UserRef::IdentityOrNew(identity) => {
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

    pub(super) fn claimed(&self, claim: &Claim) -> Result<Who, Refusal> {
        let name =
            check_handle(&claim.name).map_err(|_| Refusal::InvalidHandle { why: String::new() })?;
        match self.uid_of_handle(&name) {
            None if claim.guests => Ok(Who::Guest(name)),
            None => Err(Refusal::NotSignedIn),
            Some(uid) => {
                let token = claim.token.as_ref().and_then(|hash| self.uid_of_token(hash));
                let address = claim.address.clone();
                let until = address.and_then(|address| self.addresses.get(&(address, uid)));
                let needed = self.now + claim.address_left_min_ms;
                let proven = token == Some(uid) || until.is_some_and(|until| *until > needed);
                if proven { Ok(Who::User(uid)) } else { Err(Refusal::NotSignedIn) }
            }
        }
    }

    pub(super) fn account(&mut self, user: &UserRef) -> Result<u64, Refusal> {
        match (self.user_or_guest(user)?, user) {
            (Who::User(uid), _) => Ok(uid),
            (Who::Guest(_), UserRef::Claim(_)) => Err(Refusal::NotSignedIn),
            (Who::Guest(_), _) => Err(Refusal::UnknownUser),
        }
    }

    pub(super) fn check_identity(&self, identity: &str) -> Result<(), Refusal> {
        if core_model::bounds::check_identity(identity).is_err() {
            return Err(Refusal::InvalidIdentity { why: String::new() });
        }
        let mut users = self.users.values();
        if users.any(|user| user.identities.iter().any(|taken| taken == identity)) {
            Err(Refusal::IdentityTaken)
        } else {
            Ok(())
        }
    }

    pub(super) fn make_user(&mut self, new: &NewUser) -> Result<u64, Refusal> {
        let accounts_max = self.frontend.quotas.accounts_per_address_per_hour_max;
        self.check_window(ACCOUNTS, accounts_max)?;
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
        if matches!(new.password, Some(Secret::Plain(_) | Secret::Sha256(_))) {
            return Err(Refusal::Internal { why: String::new() });
        }
        self.count_in_window(ACCOUNTS, accounts_max);
        self.next_uid += 1;
        self.users.insert(
            uid,
            User {
                handle,
                // One that looks like a handle is not taken.
                name: first(
                    256,
                    new.handle.as_deref().filter(|it| !it.starts_with('@')).unwrap_or_default(),
                ),
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

    pub(super) fn change_profile(&mut self, uid: u64, changes: &ProfileChanges) {
        let user = self.user(uid);
        if let Some(name) = &changes.name {
            user.name = first(256, name);
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

    pub(super) fn auto_join(&mut self, uid: u64) -> Vec<AutoJoinFailure> {
        let mut skipped = Vec::new();
        for name in self.frontend.auto_join.clone() {
            let joined = match self.room_of_name(&name) {
                Some(id) if self.rooms[&id].closed => self.check_public(id),
                Some(id) => self.join(id, uid),
                None => Err(Refusal::UnknownRoom),
            };
            if let Err(why) = joined {
                skipped.push(AutoJoinFailure { room: name, why });
            }
        }
        skipped
    }

    pub(super) fn sign_in(&mut self, command: &Command) -> Outcome {
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
        let former = if *session { self.end_session() } else { None };
        let skipped = self.auto_join(uid);
        let mut backlog = Vec::new();
        let mut cursor = None;
        let mut gap = None;
        if *session {
            let device = delivery.as_ref().map(|delivery| delivery.device.clone());
            if let Some(delivery) = delivery {
                let Delivery { backlog_max, device, .. } = delivery;
                cursor = Some(MessageId(self.cursor_of(uid, delivery)));
                if former != Some((uid, Some(device.clone()))) && *backlog_max > 0 {
                    (backlog, gap) = self.missed(uid, delivery);
                }
            }
            self.sessions.insert(self.connection, (uid, device));
        }
        if let Some(grant) = token {
            self.store_token(uid, grant);
        }
        if let Some(grant) = address {
            self.addresses.insert((grant.address.clone(), uid), self.now + grant.ttl_ms);
        }
        let rooms = self.rooms.keys().filter(|id| *session && self.is_member(**id, uid));
        let rooms = rooms.map(|id| self.tag(*id)).collect();
        Ok(Reply::SignedIn {
            user: self.user_view(uid),
            token: None,
            rooms,
            backlog,
            cursor,
            gap,
            skipped,
        })
    }

    /// Up to which id a device of a user has missed nothing in rooms.
    fn cursor_of(&mut self, uid: u64, delivery: &Delivery) -> u64 {
        match self.delivered.get(&(uid, delivery.device.clone())) {
            None if delivery.direct_only => self.begin_reading(uid, &delivery.device),
            acknowledged => acknowledged.copied().unwrap_or(0),
        }
    }

    /// Gives a device of a user its cursor, before the first direct message; returns up to which id
    /// it has missed nothing in rooms.
    fn begin_reading(&mut self, uid: u64, device: &str) -> u64 {
        let key = (uid, device.to_owned());
        let begins = self.sent.get(&key).copied().unwrap_or(self.newest());
        let is_own = |message: &&StoredMessage| match message.to {
            Destination::Inbox(to) => to == uid || message.author == Who::User(uid),
            Destination::Room(_) => false,
        };
        let first = self.messages.iter().find(is_own).map_or(begins, |first| first.id - 1);
        let is_removed = !self.removed_for(uid, 0, true).is_empty();
        self.delivered.insert(key, if is_removed { 0 } else { first.min(begins) });
        begins
    }

    /// The messages to and from a user that a device of its has not acknowledged: what a session
    /// was sent, and the newest of the others; and what is missing of these.
    pub(super) fn missed(&self, uid: u64, delivery: &Delivery) -> (Vec<Arc<Message>>, Option<Gap>) {
        let Delivery { backlog_max, device, direct_only } = delivery;
        let limit = *backlog_max as usize;
        let key = (uid, device.to_owned());
        let cursor = self.delivered.get(&key).copied().unwrap_or(0);
        let is_live = self.sessions.values().any(|session| *session == (uid, Some(device.clone())));
        let sent = if is_live { self.newest() } else { self.sent.get(&key).copied().unwrap_or(0) };
        let concerns = |message: &&StoredMessage| match message.to {
            Destination::Inbox(to) => to == uid || message.author == Who::User(uid),
            Destination::Room(_) if *direct_only => false,
            Destination::Room(id) => {
                let mut members = self.rooms[&id].members.iter();
                members.any(|(member, since)| *member == uid && message.id > *since)
            }
        };
        let missed = self.messages.iter().filter(|message| message.id > cursor).filter(concerns);
        let (lost, missed): (Vec<_>, Vec<_>) = missed.partition(|message| message.id <= sent);
        let mut messages = self.newest_of(lost, usize::MAX);
        let left_out = missed.len().saturating_sub(limit);
        let missed_ids: Vec<u64> = missed.iter().map(|message| message.id).collect();
        let delivered = self.newest_of(missed, limit);
        let gone = self.removed_for(uid, cursor, *direct_only);
        let left = missed_ids[..left_out].iter().copied();
        let missing: BTreeSet<u64> = gone.iter().copied().chain(left).collect();
        messages.extend(delivered);
        let from = if gone.is_empty() { cursor.max(sent) } else { cursor };
        let (Some(first), Some(last)) = (missing.first(), missing.last()) else {
            return (messages, None);
        };
        let ids = || messages.iter().map(|message| message.id.0);
        let gap = Gap {
            after: MessageId(ids().filter(|id| id < first).max().unwrap_or(0).max(from)),
            before: MessageId(ids().find(|id| id > last).unwrap_or(last + 1)),
            count: Some(missing.len() as u64),
        };
        let is_told = !device.is_empty();
        (messages, is_told.then_some(gap))
    }

    /// The messages after `from` that were removed and the user could have had.
    fn removed_for(&self, uid: u64, from: u64, direct_only: bool) -> BTreeSet<u64> {
        let since = |place: &(Option<u32>, u64)| match place {
            (Some(_), _) if direct_only => None,
            (Some(room), _) => {
                let room = self.rooms.get(room)?;
                room.members.iter().find(|(member, _)| *member == uid).map(|(_, since)| *since)
            }
            (None, of) => (*of == uid).then_some(0),
        };
        let places = self.removed.keys().filter_map(|place| Some((place, since(place)?)));
        places.flat_map(|(place, since)| self.removed_after(*place, from.max(since))).collect()
    }

    pub(super) fn end_session(&mut self) -> Option<Session> {
        let connection = self.connection;
        let own = |seat: &&Seat| seat.connection == Some(connection);
        for seat in self.seats.iter().filter(own).cloned().collect::<Vec<_>>() {
            self.leave(&seat, seat.lease.as_ref().map(|lease| lease.grace_ms));
        }
        let session = self.sessions.remove(&connection);
        session.iter().for_each(|session| self.note_sent(session));
        session
    }

    /// A session was sent everything, and it may not have arrived.
    pub(super) fn note_sent(&mut self, (uid, device): &Session) {
        let Some(device) = device else { return };
        let key = (*uid, device.clone());
        if self.delivered.get(&key).copied().unwrap_or(0) < self.newest() {
            self.sent.insert(key, self.newest());
        }
    }

    pub(super) fn acknowledge(&mut self, (uid, device): &Session, message: u64) {
        let Some(device) = device else { return };
        if message > self.newest() {
            return;
        }
        let cursor = self.delivered.entry((*uid, device.clone())).or_default();
        *cursor = message.max(*cursor);
    }

    pub(super) fn update_user(
        &mut self,
        user: &UserRef,
        create: bool,
        changes: &ProfileChanges,
    ) -> Outcome {
        let uid = match (self.account(user), user) {
            (Err(Refusal::UnknownUser), UserRef::Identity(identity)) if create => {
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

    pub(super) fn link_identity(&mut self, user: &UserRef, identity: &String) -> Outcome {
        let uid = self.account(user)?;
        if !self.users[&uid].identities.contains(identity) {
            self.check_identity(identity)?;
            if self.users[&uid].identities.len() >= 16 {
                let what = String::new();
                return Err(Refusal::QuotaExceeded { what, max: 16 });
            }
            self.user(uid).identities.push(identity.clone());
            self.visible = true;
        }
        Ok(Reply::User { user: self.user_view(uid) })
    }

    pub(super) fn unlink_identity(&mut self, user: &UserRef, identity: &String) -> Outcome {
        let uid = self.account(user)?;
        if !self.users[&uid].identities.contains(identity) {
            return Err(Refusal::InvalidIdentity { why: String::new() });
        }
        self.user(uid).identities.retain(|linked| linked != identity);
        self.visible = true;
        Ok(Reply::User { user: self.user_view(uid) })
    }

    pub(super) fn set_password(&mut self, user: &UserRef, password: &Secret) -> Outcome {
        let uid = self.account(user)?;
        if matches!(password, Secret::Plain(_) | Secret::Sha256(_)) {
            return Err(Refusal::Internal { why: String::new() });
        }
        self.tokens.retain(|_, token| token.uid != uid);
        self.addresses.retain(|(_, of), _| *of != uid);
        Ok(Reply::User { user: self.user_view(uid) })
    }

    pub(super) fn uid_of_token(&self, hash: &TokenHash) -> Option<u64> {
        self.tokens.get(hash).filter(|token| token.expires > self.now).map(|token| token.uid)
    }

    pub(super) fn store_token(&mut self, uid: u64, grant: &Grant) {
        let hash = grant.hash.expect("the test draws its tokens");
        let Grant { ttl_ms, sliding, .. } = *grant;
        self.tokens.insert(hash, Token { uid, expires: self.now + ttl_ms, ttl_ms, sliding });
        self.trim_tokens(uid, &hash);
    }

    /// A use within the first sixteenth of its time does not extend a token.
    pub(super) fn slide(&mut self, hash: &TokenHash) {
        let Some(token) = self.tokens.get_mut(hash) else { return };
        let used = (self.now + token.ttl_ms).saturating_sub(token.expires);
        if token.sliding && token.expires > self.now && used > token.ttl_ms / 16 {
            token.expires = self.now + token.ttl_ms;
        }
    }
}

/// The first so many characters.
pub(super) fn first(count: usize, text: &str) -> String {
    text.chars().take(count).collect()
}

/// `name`, or the first of `name-2`, `name-3`… that is free.
pub(super) fn counted(name: &str, free: impl Fn(&str) -> bool) -> String {
    let mut names = (1..).map(|count| match count {
        1 => name.to_owned(),
        _ => format!("{name}-{count}"),
    });
    names.find(|name| free(name)).unwrap()
}
