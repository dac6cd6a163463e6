//! Quotas.

use core_model::{Refusal, RoomId, TokenHash};

use super::{Destination, Reference, Seat, Who};

const HOUR_MS: u64 = 60 * 60 * 1000;
const DAY_MS: u64 = 24 * HOUR_MS;
const WEEK_MS: u64 = 7 * DAY_MS;

/// What is counted for an address, and for how long from the first.
pub(super) const ACCOUNTS: (u8, u64) = (0, HOUR_MS);
pub(super) const ROOMS: (u8, u64) = (1, DAY_MS);

impl Reference {
    pub(super) fn check_window(
        &self,
        (kind, lasts_ms): (u8, u64),
        max: u32,
    ) -> Result<(), Refusal> {
        let Some(address) = self.address.filter(|_| max > 0) else { return Ok(()) };
        match self.windows.get(&(kind, address)) {
            Some((ends, count))
                if *ends > self.now && *ends <= self.now + lasts_ms && *count >= max =>
            {
                Err(Refusal::SlowDown { retry_after_ms: ends - self.now })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn count_in_window(&mut self, (kind, lasts_ms): (u8, u64), max: u32) {
        let Some(address) = self.address.filter(|_| max > 0) else { return };
        let now = self.now;
        let window = self.windows.entry((kind, address)).or_insert((0, 0));
        if window.0 <= now || window.0 > now + lasts_ms {
            *window = (now + lasts_ms, 0);
        }
        window.1 += 1;
    }

    pub(super) fn check_rooms_of(&self, owner: u64) -> Result<(), Refusal> {
        let max = self.frontend.quotas.rooms_per_owner_max;
        let owned = self.rooms.values().filter(|room| room.owner == Some(owner));
        below(owned.count(), max, "rooms of this owner")
    }

    pub(super) fn check_memberships(&self, uid: u64, max: u32) -> Result<(), Refusal> {
        let of = self.rooms.keys().filter(|id| self.is_member(**id, uid));
        below(of.count(), max, "rooms that this user is a member of")
    }

    pub(super) fn check_unowned_rooms(&self) -> Result<(), Refusal> {
        let quotas = &self.frontend.quotas;
        self.check_window(ROOMS, quotas.rooms_per_address_per_day_max)?;
        below(self.unowned.len(), quotas.unowned_rooms_max, "rooms without an owner")
    }

    pub(super) fn count_unowned_room(&mut self, id: u32) {
        self.count_in_window(ROOMS, self.frontend.quotas.rooms_per_address_per_day_max);
        self.unowned.insert(id, self.now + WEEK_MS);
    }

    pub(super) fn end_unowned_rooms(&mut self) {
        let now = self.now;
        let mut due: Vec<(u64, u32)> =
            self.unowned.iter().filter(|(_, at)| **at <= now).map(|(id, at)| (*at, *id)).collect();
        due.sort_unstable();
        for (_, id) in due {
            let written = self.messages.iter().any(|message| message.to == Destination::Room(id));
            if self.population(id) > 0 || written {
                self.unowned.insert(id, now + WEEK_MS);
            } else {
                let mut events = std::mem::take(&mut self.events);
                self.delete_room(id);
                events.append(&mut self.events);
                self.events = events;
            }
        }
    }

    pub(super) fn check_public(&self, id: u32) -> Result<(), Refusal> {
        let room = &self.rooms[&id];
        let owner = match room.owner {
            Some(owner) => format!("belongs to {}", self.users[&owner].handle),
            None => "has no owner".to_owned(),
        };
        let why = if room.closed { format!("{owner} and is closed") } else { owner };
        if room.owner.is_some() || room.closed {
            Err(Refusal::RoomNotPublic { room: RoomId(id), why })
        } else {
            Ok(())
        }
    }

    pub(super) fn trim_tokens(&mut self, uid: u64, newest: &TokenHash) {
        let max = self.frontend.quotas.tokens_per_user_max as usize;
        let of_user = self.tokens.iter().filter(|(_, token)| token.uid == uid);
        let mut of_user: Vec<(u64, TokenHash)> =
            of_user.map(|(hash, token)| (token.expires, *hash)).collect();
        let over = of_user.len().saturating_sub(max);
        if max == 0 {
            return;
        }
        of_user.retain(|(_, hash)| hash != newest);
        of_user.sort_unstable_by_key(|(expires, hash)| (*expires, hash.0));
        for (_, hash) in of_user.into_iter().take(over) {
            self.tokens.remove(&hash);
        }
    }

    /// Forgets the oldest keys of the address beyond its quota.
    pub(super) fn trim_keys(&mut self) {
        let max = self.frontend.quotas.keys_per_address_max as usize;
        let address = self.address.unwrap_or_default();
        let of_address = self.keys.iter().filter(|(_, key)| key.address == address);
        let mut of_address: Vec<(u64, String)> =
            of_address.map(|(name, key)| (key.ends, name.clone())).collect();
        of_address.sort_unstable();
        if max > 0 && of_address.len() > max {
            self.keys.remove(&of_address[0].1);
        }
    }

    pub(super) fn check_leases(&self, id: u32) -> Result<(), Refusal> {
        let Some(address) = self.address else { return Ok(()) };
        let waiting = |seat: &&Seat| {
            seat.room == id && seat.connection.is_none() && seat.address == Some(address)
        };
        let count = self.seats.iter().filter(waiting).count();
        let max = self.frontend.quotas.leases_per_address_max as usize;
        if max > 0 && count >= max { Err(Refusal::RoomFull) } else { Ok(()) }
    }

    pub(super) fn check_guests(&self, id: u32, who: &Who) -> Result<(), Refusal> {
        let (Some(address), Who::Guest(_)) = (self.address, who) else { return Ok(()) };
        let is_guest = |seat: &&Seat| {
            let is_of_address = seat.address == Some(address) && seat.connection.is_some();
            seat.room == id && matches!(seat.who, Who::Guest(_)) && is_of_address
        };
        let count = self.seats.iter().filter(is_guest).count();
        let max = self.frontend.quotas.guests_per_address_max as usize;
        if max > 0 && count >= max { Err(Refusal::RoomFull) } else { Ok(()) }
    }

    pub(super) fn check_names(&self, id: u32) -> Result<(), Refusal> {
        let connection = Some(self.connection);
        let own = |seat: &&Seat| seat.room == id && seat.connection == connection;
        let names: Vec<&Who> = self.seats.iter().filter(own).map(|seat| &seat.who).collect();
        let max = self.frontend.quotas.names_per_connection_max as usize;
        if max > 0 && names.len() >= max { Err(Refusal::RoomFull) } else { Ok(()) }
    }
}

fn below(count: usize, max: u32, what: &str) -> Result<(), Refusal> {
    if max == 0 || count < max as usize {
        return Ok(());
    }
    Err(Refusal::QuotaExceeded { what: what.into(), max })
}
