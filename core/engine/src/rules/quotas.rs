//! Quotas: how much one user, connection or address may have. Each is of the front end that the
//! command came through (see [`Quotas`](crate::Quotas)); 0 is none.

use core_model::{Refusal, bounds};
use redb::{ReadableTable, ReadableTableMetadata};

use super::context::{BatchContext, CommandContext};
use super::expiry;
use crate::error::{Error, StoreError};
use crate::lookup;
use crate::message_index;
use crate::rows::{TokenRow, Who};
use crate::tables::Tables;

/// What is counted for an address within a window of time.
#[derive(Clone, Copy)]
pub(super) enum Window {
    Accounts = 0,
    Rooms = 1,
}

/// The kind of the count of idempotency keys, which has no window.
pub(crate) const KEYS: u8 = 2;

impl Window {
    fn ms(self) -> u64 {
        match self {
            Self::Accounts => 60 * 60 * 1000,
            Self::Rooms => 24 * 60 * 60 * 1000,
        }
    }

    /// Whether a window that ends then is the current one. After a clock that was wrong, a later one
    /// may be in the store.
    fn has_begun(self, ends: u64, now: u64) -> bool {
        ends > now && ends - now <= self.ms()
    }
}

impl BatchContext<'_> {
    /// Refuses one more of this for the peer's address in the current window. Commands without an
    /// address are the gateway's own.
    pub(super) fn check_window(
        &self,
        cx: &CommandContext<'_>,
        window: Window,
        max: u32,
    ) -> Result<(), Error> {
        let Some(address) = cx.address.filter(|_| max > 0) else { return Ok(()) };
        let row = self.batch.quotas()?.get((window as u8, address))?.map(|row| row.value());
        match row {
            Some((ends, count)) if window.has_begun(ends, cx.request.now) && count >= max => {
                Err(Refusal::SlowDown { retry_after_ms: ends - cx.request.now }.into())
            }
            _ => Ok(()),
        }
    }

    /// Counts one more, where it is limited. A window begins with the first of it.
    pub(super) fn count_in_window(
        &mut self,
        cx: &CommandContext<'_>,
        window: Window,
        max: u32,
    ) -> Result<(), StoreError> {
        let Some(address) = cx.address.filter(|_| max > 0) else { return Ok(()) };
        let kind = window as u8;
        let now = cx.request.now;
        let row = self.batch.quotas()?.get((kind, address))?.map(|row| row.value());
        let (ends, count) = match row {
            Some((ends, count)) if window.has_begun(ends, now) => (ends, count),
            _ => {
                let ends = now.saturating_add(window.ms());
                expiry::note_window(&mut self.batch, ends, kind, address)?;
                (ends, 0)
            }
        };
        self.batch.quotas_mut()?.insert((kind, address), (ends, count + 1))?;
        Ok(())
    }

    /// Removes a count whose window has ended, unless a new one has begun.
    pub(super) fn end_window(
        &mut self,
        now: u64,
        kind: u8,
        address: u128,
    ) -> Result<(), StoreError> {
        let row = self.batch.quotas()?.get((kind, address))?.map(|row| row.value());
        if row.is_some_and(|(ends, _)| ends <= now) {
            self.batch.quotas_mut()?.remove((kind, address))?;
        }
        Ok(())
    }

    /// Refuses one more room of this owner.
    pub(super) fn check_owned_rooms(&self, cx: &CommandContext<'_>, uid: u64) -> Result<(), Error> {
        let max = cx.frontend.quotas.rooms_per_owner_max;
        if max == 0 {
            return Ok(());
        }
        let rooms = self.batch.owned_rooms()?.range((uid, 0)..=(uid, u32::MAX))?;
        refuse_beyond(rooms.take(max as usize).count() as u64, max, "rooms of this owner")
    }

    /// Refuses one more membership of a user.
    pub(super) fn check_memberships(&self, uid: u64, max: u32) -> Result<(), Error> {
        if max == 0 {
            return Ok(());
        }
        let count = self.batch.membership_counts()?.get(uid)?.map_or(0, |count| count.value());
        refuse_beyond(count.into(), max, "rooms that this user is a member of")
    }

    pub(super) fn count_membership(&mut self, uid: u64, change: i32) -> Result<(), StoreError> {
        let count = self.batch.membership_counts()?.get(uid)?.map_or(0, |count| count.value());
        match count.saturating_add_signed(change) {
            0 => drop(self.batch.membership_counts_mut()?.remove(uid)?),
            count => drop(self.batch.membership_counts_mut()?.insert(uid, count)?),
        }
        Ok(())
    }

    // Rooms without an owner.

    pub(super) fn check_unowned_rooms(&self, cx: &CommandContext<'_>) -> Result<(), Error> {
        let quotas = &cx.frontend.quotas;
        self.check_window(cx, Window::Rooms, quotas.rooms_per_address_per_day_max)?;
        if quotas.unowned_rooms_max == 0 {
            return Ok(());
        }
        let count = self.batch.unowned_rooms()?.len()?;
        refuse_beyond(count, quotas.unowned_rooms_max, "rooms without an owner")
    }

    pub(super) fn count_unowned_room(
        &mut self,
        cx: &CommandContext<'_>,
        id: u32,
    ) -> Result<(), StoreError> {
        let max = cx.frontend.quotas.rooms_per_address_per_day_max;
        self.count_in_window(cx, Window::Rooms, max)?;
        self.batch.unowned_rooms_mut()?.insert(id, ())?;
        expiry::note_unowned_room(&mut self.batch, cx.request.now, id)
    }

    /// Deletes a room that a client made without an owner if it has nothing in it; else looks again
    /// after as long.
    pub(super) fn end_unowned_room(
        &mut self,
        cx: &mut CommandContext<'_>,
        id: u32,
    ) -> Result<(), StoreError> {
        if self.batch.unowned_rooms()?.get(id)?.is_none() {
            return Ok(());
        }
        self.settle()?;
        let row = lookup::known_room(&self.batch, id)?;
        let stream = message_index::of_room(id);
        let is_used = lookup::population(&self.batch, id, &row)? > 0
            || !message_index::newest(&self.batch, stream, u64::MAX, 1)?.is_empty();
        if is_used {
            return expiry::note_unowned_room(&mut self.batch, cx.request.now, id);
        }
        self.end_room(cx, id, &row)
    }

    // Tokens, keys, seats.

    /// Refuses one more session of a user; one that this connection has is replaced.
    pub(super) fn check_sessions(&self, cx: &CommandContext<'_>, uid: u64) -> Result<(), Error> {
        let sessions = self.batch.sessions_by_user()?.range((uid, 0)..=(uid, u64::MAX))?;
        let max = bounds::SESSIONS_MAX;
        let mut others = 0;
        for row in sessions.take(max + 1) {
            others += usize::from(row?.0.value().1 != cx.request.connection);
        }
        refuse_beyond(others as u64, max as u32, "sessions of this user")
    }

    /// Forgets addresses of a user beyond the bound: those that expire first, but not this one.
    pub(super) fn trim_addresses(&mut self, uid: u64, newest: &str) -> Result<(), StoreError> {
        let mut addresses = Vec::new();
        for row in self.batch.addresses_by_user()?.range((uid, "")..(uid + 1, ""))? {
            let address = row?.0.value().1.to_owned();
            let until = self.batch.addresses()?.get((address.as_str(), uid))?;
            addresses.push((until.map_or(0, |until| until.value()), address));
        }
        let excess = addresses.len().saturating_sub(bounds::ADDRESSES_MAX);
        addresses.retain(|(_, address)| address != newest);
        addresses.sort_unstable();
        for (_, address) in addresses.into_iter().take(excess) {
            self.batch.addresses_mut()?.remove((address.as_str(), uid))?;
            self.batch.addresses_by_user_mut()?.remove((uid, address.as_str()))?;
        }
        Ok(())
    }

    /// Removes the tokens of a user beyond its quota: those that expire first, but not this one.
    pub(super) fn trim_tokens(
        &mut self,
        cx: &CommandContext<'_>,
        uid: u64,
        newest: &[u8; 32],
    ) -> Result<(), StoreError> {
        let max = cx.frontend.quotas.tokens_per_user_max as usize;
        if max == 0 {
            return Ok(());
        }
        let mut hashes = Vec::new();
        for row in self.batch.tokens_by_user()?.range((uid, &[0; 32])..=(uid, &[u8::MAX; 32]))? {
            hashes.push(*row?.0.value().1);
        }
        if hashes.len() <= max {
            return Ok(());
        }
        let mut tokens = Vec::new();
        for hash in hashes.iter().filter(|hash| *hash != newest) {
            let row = lookup::token(&self.batch, &core_model::TokenHash(*hash))?;
            tokens.push((row.map_or(0, |row: TokenRow| row.expires), *hash));
        }
        tokens.sort_unstable();
        for (_, hash) in tokens.into_iter().take(hashes.len() - max) {
            self.batch.tokens_mut()?.remove(&hash)?;
            self.batch.tokens_by_user_mut()?.remove((uid, &hash))?;
        }
        Ok(())
    }

    /// Notes an idempotency key of the peer's address until it expires. Beyond the quota the
    /// address's oldest key is forgotten.
    pub(super) fn note_key(
        &mut self,
        cx: &CommandContext<'_>,
        key: &str,
        ends: u64,
    ) -> Result<(), StoreError> {
        let address = cx.address.unwrap_or_default();
        self.batch.keys_by_address_mut()?.insert((address, ends, key), ())?;
        expiry::note_key(&mut self.batch, ends, address, key)?;
        let count = self.count_keys(address, 1)?;
        let max = cx.frontend.quotas.keys_per_address_max;
        if max == 0 || count <= max {
            return Ok(());
        }
        let oldest = self.batch.keys_by_address()?.range((address, 0, "")..)?.next().transpose()?;
        let oldest = oldest.map(|(key, _)| {
            let (_, ends, key) = key.value();
            (ends, key.to_owned())
        });
        let Some((ends, key)) = oldest else { return Ok(()) };
        expiry::drop_key(&mut self.batch, ends, address, &key)?;
        self.forget_key(address, ends, &key)
    }

    pub(super) fn forget_key(
        &mut self,
        address: u128,
        ends: u64,
        key: &str,
    ) -> Result<(), StoreError> {
        self.remove_key(key)?;
        self.batch.keys_by_address_mut()?.remove((address, ends, key))?;
        self.count_keys(address, -1)?;
        Ok(())
    }

    fn count_keys(&mut self, address: u128, change: i32) -> Result<u32, StoreError> {
        let count = self.batch.quotas()?.get((KEYS, address))?.map_or(0, |row| row.value().1);
        let count = count.saturating_add_signed(change);
        if count == 0 {
            self.batch.quotas_mut()?.remove((KEYS, address))?;
        } else {
            self.batch.quotas_mut()?.insert((KEYS, address), (0, count))?;
        }
        Ok(count)
    }

    /// Refuses one more lease without a connection of the peer's address in a room.
    pub(super) fn check_leases(&self, cx: &CommandContext<'_>, room: u32) -> Result<(), Error> {
        let max = cx.frontend.quotas.leases_per_address_max as usize;
        let Some(address) = cx.address.filter(|_| max > 0) else { return Ok(()) };
        let leases = (address, room, 0)..=(address, room, u64::MAX);
        let count = self.batch.leases_by_address()?.range(leases)?.take(max).count();
        if count < max { Ok(()) } else { Err(Refusal::RoomFull.into()) }
    }

    /// Refuses one more seat by this connection: too many, too many in this room under other
    /// names, too many of this person in the room, or too many guests of the address.
    pub(super) fn check_seats(
        &self,
        cx: &CommandContext<'_>,
        room: u32,
        who: &Who,
    ) -> Result<(), Error> {
        let seats = self.seats_of_connection(cx.request.connection)?;
        refuse_beyond(seats.len() as u64, SEATS_PER_CONNECTION_MAX, "seats of this connection")?;
        let names = seats.iter().filter(|(_, seat)| seat.room == room).count();
        let names_max = cx.frontend.quotas.names_per_connection_max as usize;
        let persons = self.seats_of_person(room, who)?;
        if names_max > 0 && names >= names_max || persons.len() >= SEATS_PER_PERSON_MAX {
            return Err(Refusal::RoomFull.into());
        }
        if who.uid().is_none() { self.check_guests(cx, room) } else { Ok(()) }
    }

    /// Refuses one more guest of the peer's address in a room, over whatever connection.
    fn check_guests(&self, cx: &CommandContext<'_>, room: u32) -> Result<(), Error> {
        let max = cx.frontend.quotas.guests_per_address_max as usize;
        let Some(address) = cx.address.filter(|_| max > 0) else { return Ok(()) };
        let is_full = self.guests_of_address(address, room, max)? >= max;
        if is_full { Err(Refusal::RoomFull.into()) } else { Ok(()) }
    }
}

/// Seats of one connection, in all rooms: they are given back in one command when it ends.
const SEATS_PER_CONNECTION_MAX: u32 = 128;

/// Seats of one person in one room: they are given back in one command when it is removed.
const SEATS_PER_PERSON_MAX: usize = 64;

fn refuse_beyond(count: u64, max: u32, what: &str) -> Result<(), Error> {
    if count < max.into() {
        return Ok(());
    }
    Err(Refusal::QuotaExceeded { what: what.into(), max }.into())
}
