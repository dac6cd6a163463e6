//! The stream numbers in `cursors`, and what they are called in an export.

use core_model::{CursorOf, RoomId, Uid};

use super::super::delivery::{DEVICE, SHARED};
use crate::message_index;
use crate::read_markers::{self, Marked};

/// The lowest bit of the streams of acknowledgements; see `rules/delivery`.
const CURSOR: u64 = 1;

/// What a row of `cursors` is of.
pub(crate) enum CursorStream {
    Cursor(CursorOf),
    ReadRoom(RoomId),
    ReadUser(Uid),
}

impl CursorStream {
    /// What a stream number of a user is of; none for a number that no row has.
    pub(crate) fn of(uid: u64, stream: u64) -> Option<Self> {
        if let Ok(room) = u32::try_from(stream) {
            return Some(Self::Cursor(CursorOf::Room(RoomId(room))));
        }
        if stream == message_index::of_inbox(uid) {
            return Some(Self::Cursor(CursorOf::Direct));
        }
        match read_markers::marked(stream) {
            Some(Marked::Room(room)) => return Some(Self::ReadRoom(RoomId(room))),
            Some(Marked::User(with)) => return Some(Self::ReadUser(Uid(with))),
            None => (),
        }
        if stream & DEVICE != DEVICE {
            return None;
        }
        let device = format!("{:016x}", stream & !DEVICE & !CURSOR);
        Some(Self::Cursor(match (stream | CURSOR == SHARED, stream & CURSOR != 0) {
            (true, true) => CursorOf::Sessions,
            (true, false) => CursorOf::SessionsSent,
            (false, true) => CursorOf::Device(device),
            (false, false) => CursorOf::DeviceSent(device),
        }))
    }
}

/// The stream number of a cursor of a user; none where a device is no number that
/// [`CursorStream::of`] gives.
pub(super) fn stream_of(uid: u64, of: &CursorOf) -> Option<u64> {
    let device = |text: &str| {
        let number = u64::from_str_radix(text, 16).ok()?;
        let is_device = text.len() == 16
            && number & (DEVICE | CURSOR) == 0
            && number | DEVICE | CURSOR != SHARED;
        is_device.then_some(number | DEVICE)
    };
    match of {
        CursorOf::Room(room) => Some(message_index::of_room(room.0)),
        CursorOf::Direct => Some(message_index::of_inbox(uid)),
        CursorOf::Sessions => Some(SHARED),
        CursorOf::SessionsSent => Some(SHARED & !CURSOR),
        CursorOf::Device(text) => Some(device(text)? | CURSOR),
        CursorOf::DeviceSent(text) => device(text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_device_that_is_no_number_of_one_is_refused() {
        let of = |text: &str| stream_of(10_000, &CursorOf::Device(text.into()));
        assert_eq!(of("0000000000000010"), Some(DEVICE | 0x11));
        for text in ["", "10", "0000000000000011", "3ffffffffffffffe", "8000000000000000", "茶"] {
            assert_eq!(of(text), None, "{text:?}");
        }
    }
}
