//! Decoded rows of rooms and users, one cache per thread, so that there is nothing to lock.
//!
//! A decoded row is kept with its bytes and used again for the same bytes. Bytes always decode to
//! the same row, so an entry stays valid in every snapshot and a commit invalidates nothing.
//! Comparing bytes costs a tenth of decoding them.

use std::cell::RefCell;
use std::sync::Arc;

use core_model::Person;

use crate::error::StoreError;
use crate::rows::{RoomRow, UserRow, unpack};

/// Slots per kind of row. Each id has one slot, which another id may take over.
const SLOTS: usize = 4_096;

/// Longer rows are not cached: a thread's cache stays within a few megabytes.
const ROW_BYTES_MAX: usize = 1_024;

/// A user's row, and the view that others have of the user.
pub(crate) struct User {
    pub(crate) row: UserRow,
    pub(crate) person: Arc<Person>,
}

struct RowCache<T>(Vec<Option<Entry<T>>>);

struct Entry<T> {
    id: u64,
    bytes: Box<[u8]>,
    row: Arc<T>,
}

thread_local! {
    static ROOMS: RefCell<RowCache<RoomRow>> = RefCell::default();
    static USERS: RefCell<RowCache<User>> = RefCell::default();
}

impl<T> Default for RowCache<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T> RowCache<T> {
    fn get(
        &mut self,
        id: u64,
        bytes: &[u8],
        decode: impl FnOnce() -> Result<T, StoreError>,
    ) -> Result<Arc<T>, StoreError> {
        let slot = (id % SLOTS as u64) as usize;
        if let Some(Some(entry)) = self.0.get(slot)
            && entry.id == id
            && *entry.bytes == *bytes
        {
            return Ok(Arc::clone(&entry.row));
        }
        let row = Arc::new(decode()?);
        if bytes.len() <= ROW_BYTES_MAX {
            self.0.resize_with(self.0.len().max(slot + 1), || None);
            self.0[slot] = Some(Entry { id, bytes: bytes.into(), row: Arc::clone(&row) });
        }
        Ok(row)
    }
}

/// The row of a room.
pub(crate) fn room(id: u32, bytes: &[u8]) -> Result<Arc<RoomRow>, StoreError> {
    ROOMS.with_borrow_mut(|cache| cache.get(id.into(), bytes, || RoomRow::unpack(bytes)))
}

/// The row of a user.
pub(crate) fn user(uid: u64, bytes: &[u8]) -> Result<Arc<User>, StoreError> {
    let decode = || {
        let row: UserRow = unpack("users", bytes)?;
        let person = Arc::new(row.person(uid));
        Ok(User { row, person })
    };
    USERS.with_borrow_mut(|cache| cache.get(uid, bytes, decode))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rows::pack;

    #[test]
    fn a_changed_row_is_decoded_again_and_an_unchanged_one_is_shared() {
        let named = |name: &str| pack(&RoomRow { name: name.into(), ..RoomRow::default() });
        let first = room(7, &named("tea")).unwrap();
        assert!(Arc::ptr_eq(&first, &room(7, &named("tea")).unwrap()));
        assert_eq!(room(7, &named("coffee")).unwrap().name, "coffee");
        assert_eq!(room(7, &named("tea")).unwrap().name, "tea", "another snapshot or store");
        assert_eq!(room(8, &named("coffee")).unwrap().name, "coffee");
        assert!(room(8, b"nonsense").is_err());
        assert_eq!(room(8, &named("coffee")).unwrap().name, "coffee");
    }

    #[test]
    fn the_cache_is_bounded() {
        let mut cache = RowCache::<()>::default();
        for id in 0..3 * SLOTS as u64 {
            cache.get(id, b"row", || Ok(())).unwrap();
        }
        assert_eq!(cache.0.len(), SLOTS);
        let mut cache = RowCache::default();
        cache.get(1, &[0; ROW_BYTES_MAX + 1], || Ok(())).unwrap();
        assert!(cache.0.is_empty());
    }
}
