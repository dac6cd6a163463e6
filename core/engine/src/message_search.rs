//! Search in the messages of rooms, for operators: full text, newest first.

use std::sync::Arc;

use core_model::{Message, MessageId, Refusal, RoomRef, Timestamp, UserRef, bounds};
use redb::ReadableTable;

use crate::admin::{AdminPage, request};
use crate::engine::Engine;
use crate::error::StoreError;
use crate::lookup;
use crate::message_index;
use crate::message_reader::{MessageReader, REPLY_BYTES_MAX};
use crate::rows::{Destination, MessageRow, Who};
use crate::signatures;
use crate::state::State;
use crate::terms::Wanted;

/// Messages that one page of a search reads: some ten milliseconds' work.
const MESSAGES_MAX: usize = 10_000;

/// Signatures that one page looks at, likewise: of more than a million messages.
const SIGNATURES_MAX: usize = 20_000;

/// What to search for.
#[derive(Clone, Debug, Default)]
pub struct MessageSearch {
    /// Words that a message must all have; of scripts without spaces, parts of it.
    pub text: String,
    /// Only in this room.
    pub room: Option<RoomRef>,
    /// Only by this account, or the guest of this name (`guest:zed`).
    pub author: Option<UserRef>,
}

impl<T: Send + 'static> Engine<T> {
    /// Messages of rooms with a lower id than `before`, newest first. A page ends when enough are
    /// found, or when it has looked at enough: `next` is then the `before` of the next page.
    pub fn search_messages(
        &self,
        at: Timestamp,
        search: &MessageSearch,
        before: MessageId,
        limit: usize,
    ) -> Result<AdminPage<Arc<Message>, MessageId>, Refusal> {
        bounds::check_search(&search.text)?;
        let Some(wanted) = Wanted::of(&search.text) else {
            return Ok(AdminPage { items: Vec::new(), next: None });
        };
        self.read(|tables| {
            let room =
                search.room.as_ref().map(|room| lookup::any_room(tables, room)).transpose()?;
            let author = search.author.as_ref();
            let author =
                author.map(|user| lookup::user_or_guest(tables, request(at), user)).transpose()?;
            let room = room.map(|(id, _)| id);
            let mut searching =
                Searching { wanted, room, author, found: Vec::new(), limit, read: 0 };
            let next = searching.run(tables, before.0)?;
            searching.found.reverse();
            let reader = &mut MessageReader::new(tables);
            let mut items = reader.newest_within(&searching.found, REPLY_BYTES_MAX)?;
            // Of more than a reply holds, the older ones are on the next page.
            let is_cut = items.len() < searching.found.len();
            let next = if is_cut { items.first().map(|oldest| oldest.id) } else { next };
            items.reverse();
            Ok(AdminPage { items, next })
        })
    }
}

struct Searching {
    wanted: Wanted,
    room: Option<u32>,
    author: Option<Who>,
    /// The newest first.
    found: Vec<u64>,
    limit: usize,
    /// Messages that were read.
    read: usize,
}

impl Searching {
    /// Returns where the next page begins; none if everything was looked at.
    fn run(&mut self, tables: &impl State, before: u64) -> Result<Option<MessageId>, StoreError> {
        let signed = signatures::ids_of(signatures::next_block(tables)?).start;
        if before > signed
            && let Some(next) = self.read_down(tables, signed..before)?
        {
            return Ok(Some(next));
        }
        let before = before.min(signed);
        let Some(newest) = before.checked_sub(1) else { return Ok(None) };
        let blocks = ..=signatures::block_of(newest);
        for (nth, row) in tables.signatures()?.range(blocks)?.rev().enumerate() {
            let (block, signature) = row?;
            let ids = signatures::ids_of(block.value());
            if nth >= SIGNATURES_MAX {
                return Ok(Some(MessageId(ids.end.min(before))));
            }
            if signatures::may_have(signature.value(), &self.wanted.terms)
                && let Some(next) = self.read_down(tables, ids.start..ids.end.min(before))?
            {
                return Ok(Some(next));
            }
        }
        Ok(None)
    }

    /// Reads messages, the newest first. Returns where the next page begins if this one is full.
    fn read_down(
        &mut self,
        tables: &impl State,
        ids: std::ops::Range<u64>,
    ) -> Result<Option<MessageId>, StoreError> {
        for row in tables.messages()?.range(ids)?.rev() {
            let (id, row) = row?;
            let id = id.value();
            if self.found.len() >= self.limit || self.read >= MESSAGES_MAX {
                return Ok(Some(MessageId(id + 1)));
            }
            self.read += 1;
            let row = MessageRow::unpack(row.value())?;
            if self.is_wanted(tables, id, &row)? {
                self.found.push(id);
            }
        }
        Ok(None)
    }

    fn is_wanted(
        &self,
        tables: &impl State,
        id: u64,
        row: &MessageRow,
    ) -> Result<bool, StoreError> {
        let Destination::Room(room) = row.to else { return Ok(false) };
        if self.room.is_some_and(|wanted| wanted != room)
            || self.author.as_ref().is_some_and(|wanted| *wanted != row.author)
            || !self.wanted.is_in(&row.text)
        {
            return Ok(false);
        }
        // What an owner has cleared is swept up later.
        let stream = message_index::of_room(room);
        Ok(message_index::newest(tables, stream, id + 1, 1)? == [id])
    }
}
