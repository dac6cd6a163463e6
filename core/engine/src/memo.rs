//! Rows that were decoded before. What given bytes mean never changes: a decoded row that is kept
//! with its bytes is true of every snapshot that has those bytes, and nobody need forget it when
//! something is committed. Comparing bytes costs a tenth of decoding them.
//!
//! A message is known by its id alone: its row is written once, and the id is not given again. What
//! is not in its row, how its author is called now, is for whoever finds it to look at.
//!
//! Each thread has its own, so that there is nothing to lock.

use std::cell::RefCell;
use std::sync::Arc;

use core_model::{Message, Person};

use crate::rows::{RoomRow, UserRow, unpack};
use crate::store::StoreError;

/// Rows of a kind that are kept: each has one place, which it may have to give up to another.
const PLACES: usize = 4_096;

/// Longer rows are decoded each time, so that no thread keeps more than some megabytes.
const ROW_BYTES_MAX: usize = 1_024;

/// A user's row, and as others see it.
pub(crate) struct User {
    pub(crate) row: UserRow,
    pub(crate) person: Arc<Person>,
}

/// Messages that are kept: as of rows, of those that share a place the one that was read last.
const MESSAGES: usize = 8_192;

/// Longer texts are read each time.
const TEXT_BYTES_MAX: usize = 512;

/// The messages of one store.
#[derive(Default)]
struct Messages {
    store: u64,
    places: Vec<Option<Arc<Message>>>,
}

struct Memo<T>(Vec<Option<Known<T>>>);

struct Known<T> {
    id: u64,
    bytes: Box<[u8]>,
    row: Arc<T>,
}

thread_local! {
    static ROOMS: RefCell<Memo<RoomRow>> = RefCell::default();
    static USERS: RefCell<Memo<User>> = RefCell::default();
    static SAID: RefCell<Messages> = RefCell::default();
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> Memo<T> {
    fn get(
        &mut self,
        id: u64,
        bytes: &[u8],
        decode: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Arc<T>, StoreError> {
        let place = (id % PLACES as u64) as usize;
        if let Some(Some(known)) = self.0.get(place)
            && known.id == id
            && *known.bytes == *bytes
        {
            return Ok(Arc::clone(&known.row));
        }
        let row = Arc::new(decode()?);
        if bytes.len() <= ROW_BYTES_MAX {
            self.0.resize_with(self.0.len().max(place + 1), || None);
            self.0[place] = Some(Known { id, bytes: bytes.into(), row: Arc::clone(&row) });
        }
        Ok(row)
    }
}

/// The row of a room.
pub(crate) fn room(id: u32, bytes: &[u8]) -> Result<Arc<RoomRow>, StoreError> {
    ROOMS.with_borrow_mut(|memo| memo.get(id.into(), bytes, || unpack("rooms", bytes)))
}

/// The row of a user.
pub(crate) fn user(uid: u64, bytes: &[u8]) -> Result<Arc<User>, StoreError> {
    let decode = || {
        let row: UserRow = unpack("users", bytes)?;
        let person = Arc::new(row.person(uid));
        Ok(User { row, person })
    };
    USERS.with_borrow_mut(|memo| memo.get(uid, bytes, decode))
}

/// A message that was read before, from a store of this number.
pub(crate) fn message(store: u64, id: u64) -> Option<Arc<Message>> {
    SAID.with_borrow(|said| {
        let message = said.places.get((id % MESSAGES as u64) as usize)?.as_ref()?;
        (message.id.0 == id && said.store == store).then(|| Arc::clone(message))
    })
}

/// Remembers a message that is committed.
pub(crate) fn keep_message(store: u64, message: &Arc<Message>) {
    if message.text.len() > TEXT_BYTES_MAX {
        return;
    }
    SAID.with_borrow_mut(|said| {
        if said.store != store {
            *said = Messages { store, places: Vec::new() };
        }
        let place = (message.id.0 % MESSAGES as u64) as usize;
        said.places.resize_with(said.places.len().max(place + 1), || None);
        said.places[place] = Some(Arc::clone(message));
    });
}

#[cfg(test)]
mod tests {
    use core_model::{MessageId, Recipient, Timestamp};

    use super::*;
    use crate::rows::pack;

    #[test]
    fn a_row_that_changed_is_decoded_anew_and_one_that_did_not_is_shared() {
        let named = |name: &str| pack(&RoomRow { name: name.into(), ..RoomRow::default() });
        let first = room(7, &named("tea")).unwrap();
        assert!(Arc::ptr_eq(&first, &room(7, &named("tea")).unwrap()));
        assert_eq!(room(7, &named("coffee")).unwrap().name, "coffee");
        assert_eq!(room(7, &named("tea")).unwrap().name, "tea", "another snapshot, or store");
        assert_eq!(room(8, &named("coffee")).unwrap().name, "coffee");
        assert!(room(8, b"nonsense").is_err());
        assert_eq!(room(8, &named("coffee")).unwrap().name, "coffee");
    }

    #[test]
    fn what_is_kept_is_bounded() {
        let mut memo = Memo::<()>::default();
        for id in 0..3 * PLACES as u64 {
            memo.get(id, b"row", || Ok(())).unwrap();
        }
        assert_eq!(memo.0.len(), PLACES);
        let mut memo = Memo::default();
        memo.get(1, &[0; ROW_BYTES_MAX + 1], || Ok(())).unwrap();
        assert!(memo.0.is_empty());
    }

    #[test]
    fn a_message_is_kept_for_its_store_until_another_takes_its_place() {
        let said = |id, bytes| {
            Arc::new(Message {
                id: MessageId(id),
                at: Timestamp(0),
                author: Arc::default(),
                to: Recipient::User(Arc::default()),
                text: "x".repeat(bytes),
            })
        };
        let places = MESSAGES as u64;
        let (short, other, long) = (said(7, 1), said(7 + places, 2), said(8, TEXT_BYTES_MAX + 1));
        keep_message(1, &short);
        keep_message(1, &long);
        assert!(Arc::ptr_eq(&message(1, 7).unwrap(), &short));
        assert_eq!(message(1, 8), None, "too long");
        assert_eq!(message(1, 7 + places), None, "of another id");
        assert_eq!(message(2, 7), None, "of another store");
        keep_message(1, &other);
        assert_eq!((message(1, 7), message(1, 7 + places)), (None, Some(other)));
        keep_message(2, &short);
        assert_eq!((message(2, 7), message(1, 7 + places)), (Some(short), None));
    }
}
