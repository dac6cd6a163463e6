//! Messages read before, one cache per thread, so that there is nothing to lock.
//!
//! A message is cached by its id alone: its row is written once, and no id is used twice. The names
//! of its author and recipient are not in that row; the reader checks that they are current.

use std::cell::RefCell;
use std::sync::Arc;

use core_model::Message;

/// Slots: each id has one, which another id may take over.
const SLOTS: usize = 8_192;

/// Longer texts are not cached.
const TEXT_BYTES_MAX: usize = 512;

/// The messages of one store.
#[derive(Default)]
struct MessageCache {
    store: u64,
    slots: Vec<Option<Arc<Message>>>,
}

thread_local! {
    static MESSAGES: RefCell<MessageCache> = RefCell::default();
}

/// A message of the store with this number, if it was read before.
pub(crate) fn get(store: u64, id: u64) -> Option<Arc<Message>> {
    MESSAGES.with_borrow(|cache| {
        let message = cache.slots.get((id % SLOTS as u64) as usize)?.as_ref()?;
        (message.id.0 == id && cache.store == store).then(|| Arc::clone(message))
    })
}

/// Caches a message that is committed.
pub(crate) fn keep(store: u64, message: &Arc<Message>) {
    if message.text.len() > TEXT_BYTES_MAX {
        return;
    }
    MESSAGES.with_borrow_mut(|cache| {
        if cache.store != store {
            *cache = MessageCache { store, slots: Vec::new() };
        }
        let slot = (message.id.0 % SLOTS as u64) as usize;
        cache.slots.resize_with(cache.slots.len().max(slot + 1), || None);
        cache.slots[slot] = Some(Arc::clone(message));
    });
}

#[cfg(test)]
mod tests {
    use core_model::{MessageId, Recipient, Timestamp};

    use super::*;

    #[test]
    fn a_message_is_cached_for_its_store_until_another_takes_its_slot() {
        let said = |id, bytes| {
            Arc::new(Message {
                id: MessageId(id),
                at: Timestamp(0),
                author: Arc::default(),
                to: Recipient::User(Arc::default()),
                text: "x".repeat(bytes),
                notice: false,
            })
        };
        let slots = SLOTS as u64;
        let short = said(7, 1);
        let other = said(7 + slots, 2);
        let long = said(8, TEXT_BYTES_MAX + 1);
        keep(1, &short);
        keep(1, &long);
        assert!(Arc::ptr_eq(&get(1, 7).unwrap(), &short));
        assert_eq!(get(1, 8), None, "too long");
        assert_eq!(get(1, 7 + slots), None, "another id");
        assert_eq!(get(2, 7), None, "another store");
        keep(1, &other);
        assert_eq!((get(1, 7), get(1, 7 + slots)), (None, Some(other)));
        keep(2, &short);
        assert_eq!((get(2, 7), get(1, 7 + slots)), (Some(short), None));
    }
}
