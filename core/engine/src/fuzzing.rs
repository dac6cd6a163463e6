//! Hooks for the fuzz targets, which see only the public items of a crate.

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::id_run;
use crate::rows::{
    Counters, KeyRow, MessageRow, RoomRow, SeatRow, SessionRow, TokenRow, UserRow, Who, pack,
    unpack,
};

/// Decodes bytes as a row of every table. A row that decodes is read further, and encodes again.
pub fn store_rows(data: &[u8]) {
    again::<Counters>(data);
    if let Ok(seat) = SeatRow::unpack(data) {
        let bytes = seat.pack();
        let same = SeatRow::unpack(&bytes).expect("a row that was encoded decodes");
        assert_eq!(same.pack(), bytes);
    }
    again::<SessionRow>(data);
    if let Ok(token) = TokenRow::unpack(data) {
        let same = TokenRow::unpack(&token.pack()).expect("a row that was encoded decodes");
        assert_eq!(same, token);
    }
    again::<KeyRow>(data);
    if let Some(user) = again::<UserRow>(data) {
        user.person(1);
    }
    if let Some(room) = again::<RoomRow>(data) {
        room.view(1, 1);
    }
    if let Some(who) = again::<Who>(data) {
        who.key();
    }
    if let Ok(MessageRow { at, author, to, notice, text }) = MessageRow::unpack(data) {
        let mut bytes = Vec::new();
        MessageRow::pack(at, &author, to, notice, &text, &mut bytes);
        let row = MessageRow { at, author, to, notice, text };
        assert_eq!(MessageRow::unpack(&bytes).ok(), Some(row));
    }
    id_run::fuzz(data);
}

/// A row that decodes and its encoding have the same content.
fn again<T: Serialize + DeserializeOwned>(data: &[u8]) -> Option<T> {
    let row: T = unpack("fuzzed", data).ok()?;
    let bytes = pack(&row);
    let same: T = unpack("fuzzed", &bytes).expect("a row that was encoded decodes");
    assert_eq!(pack(&same), bytes);
    Some(row)
}
