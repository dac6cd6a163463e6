//! Rows that were decoded before. What given bytes mean never changes: a decoded row that is kept
//! with its bytes is true of every snapshot that has those bytes, and nobody need forget it when
//! something is committed. Comparing bytes costs a tenth of decoding them.
//!
//! Each thread has its own, so that there is nothing to lock.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

use core_model::Person;

use crate::rows::{RoomRow, UserRow, unpack};
use crate::store::StoreError;

/// Rows of a kind that are kept. A full memo starts over.
const ROWS_MAX: usize = 4_096;

/// Longer rows are decoded each time, so that no thread keeps more than some megabytes.
const ROW_BYTES_MAX: usize = 1_024;

/// A user's row, and as others see it.
pub(crate) struct User {
    pub(crate) row: UserRow,
    pub(crate) person: Arc<Person>,
}

struct Memo<T>(HashMap<u64, (Box<[u8]>, Arc<T>)>);

thread_local! {
    static ROOMS: RefCell<Memo<RoomRow>> = RefCell::default();
    static USERS: RefCell<Memo<User>> = RefCell::default();
}

impl<T> Default for Memo<T> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<T> Memo<T> {
    fn get(
        &mut self,
        id: u64,
        bytes: &[u8],
        decode: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Arc<T>, StoreError> {
        if let Some((known, row)) = self.0.get(&id)
            && **known == *bytes
        {
            return Ok(Arc::clone(row));
        }
        let row = Arc::new(decode()?);
        if bytes.len() <= ROW_BYTES_MAX {
            if self.0.len() >= ROWS_MAX {
                self.0.clear();
            }
            self.0.insert(id, (bytes.into(), Arc::clone(&row)));
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

#[cfg(test)]
mod tests {
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
        for id in 0..=ROWS_MAX as u64 {
            memo.get(id, b"row", || Ok(())).unwrap();
            assert!(memo.0.len() <= ROWS_MAX);
        }
        memo.0.clear();
        memo.get(1, &[0; ROW_BYTES_MAX + 1], || Ok(())).unwrap();
        assert!(memo.0.is_empty());
    }
}
