//! The list of open rooms, as it was last read: clients ask for it again and again, and most
//! commands are posts, which change nothing of it. All snapshots share it until the writer commits
//! something that it shows.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core_model::RoomView;

use crate::store::{StoreError, TableId};

/// What a list of rooms is made of: another row in any of these, and it may be another list.
pub(crate) const SHOWN: &[TableId] = &[TableId::rooms, TableId::seat_counts, TableId::users];

/// Pages that are kept at once: that of each dialect, mostly.
const PAGES_MAX: usize = 8;

/// Longer pages are read each time.
const PAGE_ROOMS_MAX: usize = 1_024;

type Page = Vec<Arc<RoomView>>;

/// The rooms after this one, at most so many.
type Key = (u32, u32);

/// Pages that were read before.
#[derive(Default)]
pub(crate) struct Lists(Mutex<Vec<(Key, Page)>>);

impl Lists {
    /// The page that was read before, or what `read` finds.
    pub(crate) fn page(
        &self,
        key: Key,
        read: impl FnOnce() -> Result<Page, StoreError>,
    ) -> Result<Page, StoreError> {
        if let Some((_, page)) = self.pages().iter().find(|(known, _)| *known == key) {
            return Ok(page.clone());
        }
        let page = read()?;
        if page.len() <= PAGE_ROOMS_MAX {
            let mut pages = self.pages();
            pages.retain(|(known, _)| *known != key);
            pages.truncate(PAGES_MAX - 1);
            pages.insert(0, (key, page.clone()));
        }
        Ok(page)
    }

    fn pages(&self) -> MutexGuard<'_, Vec<(Key, Page)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rooms(count: usize) -> Page {
        vec![Arc::default(); count]
    }

    #[test]
    fn a_page_is_read_once_until_there_are_too_many() {
        let lists = Lists::default();
        let read = |key, count| {
            let mut read = false;
            let page = lists.page(key, || {
                read = true;
                Ok(rooms(count))
            });
            assert_eq!(page.unwrap(), rooms(count));
            read
        };
        assert!(read((0, 10), 10));
        assert!(!read((0, 10), 10));
        assert!(read((10, 10), 3), "another page");
        assert!(read((0, 2_000), PAGE_ROOMS_MAX + 1));
        assert!(read((0, 2_000), PAGE_ROOMS_MAX + 1), "too long to keep");
        for after in 20..20 + PAGES_MAX as u32 {
            assert!(read((after, 10), 1));
        }
        assert_eq!(lists.pages().len(), PAGES_MAX);
        assert!(read((0, 10), 10), "it had to go");
    }

    #[test]
    fn what_cannot_be_read_is_not_kept() {
        let lists = Lists::default();
        let fail = || Err(StoreError::Corrupt { table: "rooms" });
        assert!(lists.page((0, 10), fail).is_err());
        assert_eq!(lists.page((0, 10), || Ok(rooms(1))).unwrap(), rooms(1));
    }
}
