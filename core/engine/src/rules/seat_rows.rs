//! The rows of seats and their indexes.

use redb::ReadableTable;

use super::context::BatchContext;
use crate::cache::writer::Seats;
use crate::error::StoreError;
use crate::lookup;
use crate::rows::{SeatRow, Who};
use crate::state::{Batch, State};
use crate::tables::Tables;

/// An address in the index as that of connected guests. No address has this bit: those of IPv6 stand
/// for networks of 64 bits, and those of IPv4 are mapped.
pub(crate) fn of_guests(address: u128) -> u128 {
    address | 1 << 63
}

impl BatchContext<'_> {
    pub(super) fn add_seat(&mut self, seat: &SeatRow) -> Result<(), StoreError> {
        let seat_id = self.counters.next_seat;
        self.counters.next_seat += 1;
        self.write_seat(seat_id, seat)?;
        self.batch
            .seats_by_person_mut()?
            .insert((seat.room, seat.who.key().as_str(), seat_id), ())?;
        self.count_seats(seat.room, 1)?;
        self.connect_seat(seat_id, seat)?;
        if seat.connection.is_none() {
            self.begin_waiting(seat_id, seat)?;
        }
        Ok(())
    }

    pub(super) fn write_seat(&mut self, seat_id: u64, seat: &SeatRow) -> Result<(), StoreError> {
        self.batch.seats_mut()?.insert(seat_id, seat.pack().as_slice())?;
        if let Some(connection) = seat.connection {
            self.cached(|cache| cache.forget_seats(connection));
        }
        Ok(())
    }

    /// Indexes a seat by the connection that uses it, if one does.
    pub(super) fn connect_seat(&mut self, seat_id: u64, seat: &SeatRow) -> Result<(), StoreError> {
        let Some(connection) = seat.connection else { return Ok(()) };
        self.batch.seats_by_connection_mut()?.insert((connection, seat_id), ())?;
        self.cached(|cache| cache.forget_seats(connection));
        if let Some(uid) = seat.who.uid() {
            self.count_presence(uid, 1)?;
        } else if let Some(address) = seat.address.map(of_guests) {
            self.batch.leases_by_address_mut()?.insert((address, seat.room, seat_id), ())?;
        }
        Ok(())
    }

    /// A guest's seat loses its connection.
    pub(super) fn disconnect_guest(
        &mut self,
        seat_id: u64,
        seat: &SeatRow,
    ) -> Result<(), StoreError> {
        if let Some(address) = seat.address.map(of_guests) {
            self.batch.leases_by_address_mut()?.remove((address, seat.room, seat_id))?;
        }
        Ok(())
    }

    /// How many guests of a peer's address are in a room over connections; counts to `max` at most.
    pub(super) fn guests_of_address(
        &self,
        address: u128,
        room: u32,
        max: usize,
    ) -> Result<usize, StoreError> {
        let address = of_guests(address);
        let seats = (address, room, 0)..=(address, room, u64::MAX);
        Ok(self.batch.leases_by_address()?.range(seats)?.take(max).count())
    }

    /// A lease waits for a connection, or for its end.
    pub(super) fn begin_waiting(&mut self, seat_id: u64, seat: &SeatRow) -> Result<(), StoreError> {
        let Some(lease) = seat.lease else { return Ok(()) };
        self.batch.seat_ends_mut()?.insert((lease.ends, seat_id), ())?;
        if let Some(address) = seat.address {
            self.batch.leases_by_address_mut()?.insert((address, seat.room, seat_id), ())?;
        }
        Ok(())
    }

    /// Ends the wait of a lease that gets a connection or is removed.
    pub(super) fn end_waiting(&mut self, seat_id: u64, seat: &SeatRow) -> Result<(), StoreError> {
        if let Some(lease) = seat.lease {
            self.batch.seat_ends_mut()?.remove((lease.ends, seat_id))?;
            if let Some(address) = seat.address {
                self.batch.leases_by_address_mut()?.remove((address, seat.room, seat_id))?;
            }
        }
        Ok(())
    }

    pub(super) fn count_seats(&mut self, room: u32, change: i32) -> Result<(), StoreError> {
        let count = self.batch.seat_counts()?.get(room)?.map_or(0, |count| count.value());
        match count.saturating_add_signed(change) {
            0 => {
                self.batch.seat_counts_mut()?.remove(room)?;
            }
            count => {
                self.batch.seat_counts_mut()?.insert(room, count)?;
            }
        }
        Ok(())
    }

    pub(super) fn seats_of_connection(&self, connection: u64) -> Result<Seats, StoreError> {
        let cached = self.batch.writer_cache().and_then(|cache| cache.borrow().seats(connection));
        if let Some(seats) = cached {
            return Ok(seats);
        }
        let range = (connection, 0)..=(connection, u64::MAX);
        let rows = self.batch.seats_by_connection()?.range(range)?;
        let seats = rows.map(|row| {
            let seat_id = row?.0.value().1;
            Ok((seat_id, seat(&self.batch, seat_id)?))
        });
        let seats = seats.collect::<Result<Seats, StoreError>>()?;
        self.cached(|cache| cache.keep_seats(connection, &seats));
        Ok(seats)
    }

    pub(super) fn seat_of_connection(
        &self,
        connection: u64,
        room: u32,
        who: &Who,
    ) -> Result<Option<(u64, SeatRow)>, StoreError> {
        let seats = self.seats_of_connection(connection)?;
        Ok(seats.iter().find(|(_, seat)| seat.room == room && seat.who == *who).cloned())
    }

    /// The seat that this connection took under a name, as the user with that handle or as a
    /// guest.
    pub(super) fn seat_claimed(
        &self,
        connection: u64,
        room: u32,
        name: &str,
    ) -> Result<Option<(u64, SeatRow)>, StoreError> {
        let name = core_model::normalize(name);
        if let Some(uid) = lookup::uid_of_handle(&self.batch, &name)?
            && let Some(found) = self.seat_of_connection(connection, room, &Who::User(uid))?
        {
            return Ok(Some(found));
        }
        self.seat_of_connection(connection, room, &Who::Guest(name))
    }

    /// Whether others see a person in a room: as a member, or by a connected seat other than
    /// `but`.
    pub(super) fn is_visible(
        &self,
        room: u32,
        who: &Who,
        but: Option<u64>,
    ) -> Result<bool, StoreError> {
        if let Some(uid) = who.uid()
            && lookup::is_member(&self.batch, room, uid)?
        {
            return Ok(true);
        }
        self.is_seated(room, who, but)
    }

    /// Whether a person has a connected seat other than `but`.
    pub(super) fn is_seated(
        &self,
        room: u32,
        who: &Who,
        but: Option<u64>,
    ) -> Result<bool, StoreError> {
        let seats = self.seats_of_person(room, who)?;
        Ok(seats.iter().any(|(id, seat)| Some(*id) != but && seat.connection.is_some()))
    }

    pub(super) fn seat_of_person(
        &self,
        room: u32,
        who: &Who,
        wanted: impl Fn(&SeatRow) -> bool,
    ) -> Result<Option<(u64, SeatRow)>, StoreError> {
        Ok(self.seats_of_person(room, who)?.into_iter().find(|(_, seat)| wanted(seat)))
    }

    pub(super) fn seats_of_person(
        &self,
        room: u32,
        who: &Who,
    ) -> Result<Vec<(u64, SeatRow)>, StoreError> {
        let key = who.key();
        seats_in(&self.batch, (room, key.as_str(), 0)..=(room, key.as_str(), u64::MAX))
    }
}

pub(super) fn seat(batch: &Batch<'_>, seat_id: u64) -> Result<SeatRow, StoreError> {
    match batch.seats()?.get(seat_id)? {
        Some(row) => SeatRow::unpack(row.value()),
        None => Err(StoreError::Corrupt { table: "seats" }),
    }
}

pub(super) fn seats_in<'k>(
    batch: &Batch<'_>,
    range: impl std::ops::RangeBounds<(u32, &'k str, u64)> + 'k,
) -> Result<Vec<(u64, SeatRow)>, StoreError> {
    let rows = batch.seats_by_person()?.range(range)?;
    rows.map(|row| {
        let seat_id = row?.0.value().2;
        Ok((seat_id, seat(batch, seat_id)?))
    })
    .collect()
}
