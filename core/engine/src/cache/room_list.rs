//! Pages of the list of open rooms, as they were last read. Clients ask for the list over and over,
//! and most commands are posts, which do not change it. All snapshots share one cache until the
//! writer commits a change to one of the [`SOURCES`].

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use core_model::RoomView;

use crate::error::StoreError;
use crate::tables::TableId;

/// The tables that a list of rooms is read from.
pub(crate) const SOURCES: &[TableId] = &[TableId::rooms, TableId::seat_counts, TableId::users];

/// Pages cached at once: mostly one per dialect.
const PAGES_MAX: usize = 8;

/// Longer pages are not cached.
const PAGE_ROOMS_MAX: usize = 1_024;

type Page = Vec<Arc<RoomView>>;

/// The id that the page starts after, and the limit.
type Key = (u32, u32);

#[derive(Default)]
pub(crate) struct RoomListCache(Mutex<Vec<(Key, Page)>>);

impl RoomListCache {
    /// The cached page, or the one that `read` returns.
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
    fn a_page_is_read_once_until_too_many_others_are() {
        let lists = RoomListCache::default();
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
        assert!(read((0, 2_000), PAGE_ROOMS_MAX + 1), "too long to cache");
        for after in 20..20 + PAGES_MAX as u32 {
            assert!(read((after, 10), 1));
        }
        assert_eq!(lists.pages().len(), PAGES_MAX);
        assert!(read((0, 10), 10), "evicted");
    }

    #[test]
    fn a_page_that_cannot_be_read_is_not_cached() {
        let lists = RoomListCache::default();
        let fail = || Err(StoreError::Corrupt { table: "rooms" });
        assert!(lists.page((0, 10), fail).is_err());
        assert_eq!(lists.page((0, 10), || Ok(rooms(1))).unwrap(), rooms(1));
    }
}
