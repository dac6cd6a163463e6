//! Seats, sessions and presence.

use std::collections::BTreeMap;

use redb::ReadableTable;

use super::Report;
use super::rooms::is_known;
use crate::error::StoreError;
use crate::rows::{SeatRow, SessionRow, unpack};
use crate::rules::of_guests;
use crate::tables::Tables;

pub(super) fn check_seats(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let mut counts: BTreeMap<u32, u32> = BTreeMap::new();
    let mut seats = 0;
    let mut connected = 0;
    let mut waiting = 0;
    let mut of_addresses = 0;
    for row in tables.seats()?.iter()? {
        let (id, row) = row?;
        let id = id.value();
        seats += 1;
        let Ok(seat) = SeatRow::unpack(row.value()) else {
            report.fault(format!("seat {id} cannot be read"));
            continue;
        };
        *counts.entry(seat.room).or_default() += 1;
        let is_known = is_known(tables, seat.room)?;
        report.expect(is_known, || format!("seat {id} is in the unknown room {}", seat.room));
        let by_person = (seat.room, &*seat.who.key(), id);
        let is_listed = tables.seats_by_person()?.get(by_person)?.is_some();
        report.expect(is_listed, || format!("seat {id} is not listed by its person"));
        if let Some(connection) = seat.connection {
            connected += 1;
            let is_listed = tables.seats_by_connection()?.get((connection, id))?.is_some();
            report.expect(is_listed, || format!("seat {id} is not listed by its connection"));
            if let (None, Some(address)) = (seat.who.uid(), seat.address) {
                of_addresses += 1;
                let by_address = (of_guests(address), seat.room, id);
                let is_listed = tables.leases_by_address()?.get(by_address)?.is_some();
                report.expect(is_listed, || format!("seat {id} is not listed as its address's"));
            }
        } else if let Some(lease) = seat.lease {
            waiting += 1;
            let is_listed = tables.seat_ends()?.get((lease.ends, id))?.is_some();
            report.expect(is_listed, || format!("seat {id} never ends"));
            if let Some(address) = seat.address {
                of_addresses += 1;
                let by_address = (address, seat.room, id);
                let is_listed = tables.leases_by_address()?.get(by_address)?.is_some();
                report.expect(is_listed, || format!("seat {id} is not listed by its address"));
            }
        } else {
            report.fault(format!("seat {id} has neither a connection nor a lease"));
        }
    }
    report.expect_len("seats_by_person", tables.seats_by_person()?, seats)?;
    report.expect_len("seats_by_connection", tables.seats_by_connection()?, connected)?;
    report.expect_len("seat_ends", tables.seat_ends()?, waiting)?;
    report.expect_len("leases_by_address", tables.leases_by_address()?, of_addresses)?;
    for (room, expected) in &counts {
        let found = tables.seat_counts()?.get(*room)?.map_or(0, |count| count.value());
        report.expect(found == *expected, || {
            format!("room {room} has {expected} live seats and counts {found}")
        });
    }
    report.expect_len("seat_counts", tables.seat_counts()?, counts.len() as u64)
}

pub(super) fn check_presence(tables: &impl Tables, report: &mut Report) -> Result<(), StoreError> {
    let mut online: BTreeMap<u64, u32> = BTreeMap::new();
    let mut sessions = 0;
    for row in tables.sessions()?.iter()? {
        let (connection, row) = row?;
        let connection = connection.value();
        sessions += 1;
        let Ok(session) = unpack::<SessionRow>("sessions", row.value()) else {
            report.fault(format!("the session of connection {connection} cannot be read"));
            continue;
        };
        *online.entry(session.uid).or_default() += 1;
        let is_listed = tables.sessions_by_user()?.get((session.uid, connection))?.is_some();
        report.expect(is_listed, || format!("session {connection} is not listed by its user"));
    }
    report.expect_len("sessions_by_user", tables.sessions_by_user()?, sessions)?;
    for row in tables.seats()?.iter()? {
        let Ok(seat) = SeatRow::unpack(row?.1.value()) else { continue };
        if let (Some(uid), Some(_)) = (seat.who.uid(), seat.connection) {
            *online.entry(uid).or_default() += 1;
        }
    }
    for (uid, expected) in &online {
        let found = tables.presence()?.get(*uid)?.map_or(0, |count| count.value());
        report.expect(found == *expected, || {
            format!("user {uid} has {expected} sessions and seats and counts {found}")
        });
    }
    report.expect_len("presence", tables.presence()?, online.len() as u64)
}
