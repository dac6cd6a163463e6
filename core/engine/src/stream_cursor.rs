//! Walks streams of message ids in either direction, a run at a time, and finds the ids that several
//! streams have in common: the direct messages between two users are those of one's outbox that are in
//! the other's inbox.

use redb::ReadableTable;

use crate::error::StoreError;
use crate::id_run::unpack;
use crate::message_index::{first_key, floor, tail};
use crate::tables::Tables;

/// Moves from stream to stream in one query. A run is read for every second move at most; they take
/// about a tenth of a second.
pub(crate) const MOVES_MAX: usize = 100_000;

/// The ids of one stream.
struct StreamCursor<'t, T> {
    tables: &'t T,
    stream: u64,
    /// The lowest key of a run that was not cleared.
    first_key: u64,
    /// Smaller ids are of messages that are gone.
    floor: u64,
    tail: Vec<u64>,
    /// The run that was read last.
    run: Vec<u64>,
}

impl<'t, T: Tables> StreamCursor<'t, T> {
    fn new(tables: &'t T, stream: u64) -> Result<Self, StoreError> {
        Ok(Self {
            tables,
            stream,
            first_key: first_key(tables, stream)?,
            floor: floor(tables)?,
            tail: tail(tables, stream)?,
            run: Vec::new(),
        })
    }

    /// The greatest id that is at most this one.
    fn at_most(&mut self, id: u64) -> Result<Option<u64>, StoreError> {
        if id < self.floor {
            return Ok(None);
        }
        let found = match last_at_most(&self.tail, id) {
            None => self.in_runs_at_most(id)?,
            found => found,
        };
        Ok(found.filter(|found| *found >= self.floor))
    }

    fn in_runs_at_most(&mut self, id: u64) -> Result<Option<u64>, StoreError> {
        if contains(&self.run, id) {
            return Ok(last_at_most(&self.run, id));
        }
        let mut key = id;
        while key >= self.first_key {
            let runs = (self.stream, self.first_key)..=(self.stream, key);
            let row = self.tables.chunks()?.range(runs)?.next_back().transpose()?;
            let Some((found, run)) = row else { break };
            self.run = unpack("chunks", run.value())?;
            if let Some(found) = last_at_most(&self.run, id) {
                return Ok(Some(found));
            }
            // Retention has taken the first ids of the run.
            let Some(before) = found.value().1.checked_sub(1) else { break };
            key = before;
        }
        Ok(None)
    }

    /// The least id that is at least this one.
    fn at_least(&mut self, id: u64) -> Result<Option<u64>, StoreError> {
        let id = id.max(self.floor);
        let is_in_tail = self.tail.first().is_some_and(|first| *first <= id);
        if !is_in_tail && let Some(found) = self.in_runs_at_least(id)? {
            return Ok(Some(found));
        }
        Ok(first_at_least(&self.tail, id))
    }

    fn in_runs_at_least(&mut self, id: u64) -> Result<Option<u64>, StoreError> {
        if contains(&self.run, id) {
            return Ok(first_at_least(&self.run, id));
        }
        let chunks = self.tables.chunks()?;
        // The run that begins before the id may contain it.
        let start = if id > self.first_key {
            let runs = (self.stream, self.first_key)..=(self.stream, id);
            let run = chunks.range(runs)?.next_back().transpose()?;
            run.map_or(self.first_key, |(key, _)| key.value().1)
        } else {
            self.first_key
        };
        for row in chunks.range((self.stream, start)..=(self.stream, u64::MAX))? {
            self.run = unpack("chunks", row?.1.value())?;
            if let Some(found) = first_at_least(&self.run, id) {
                return Ok(Some(found));
            }
        }
        Ok(None)
    }
}

/// Whether an id is between the first and the last of a run.
fn contains(run: &[u64], id: u64) -> bool {
    run.first().is_some_and(|first| *first <= id) && run.last().is_some_and(|last| id <= *last)
}

fn last_at_most(ids: &[u64], id: u64) -> Option<u64> {
    ids[..ids.partition_point(|other| *other <= id)].last().copied()
}

fn first_at_least(ids: &[u64], id: u64) -> Option<u64> {
    ids.get(ids.partition_point(|other| *other < id)).copied()
}

/// Ids in any of several sets; a set has the ids that all of its streams have.
pub(crate) struct Ids<'t, T> {
    sets: Vec<Vec<StreamCursor<'t, T>>>,
    moves_left: usize,
}

#[derive(Clone, Copy)]
enum Direction {
    Up,
    Down,
}

impl<'t, T: Tables> Ids<'t, T> {
    pub(crate) fn new(tables: &'t T, sets: &[&[u64]]) -> Result<Self, StoreError> {
        let cursors = |streams: &&[u64]| {
            streams.iter().map(|stream| StreamCursor::new(tables, *stream)).collect()
        };
        let sets = sets.iter().map(cursors).collect::<Result<_, _>>()?;
        Ok(Self { sets, moves_left: MOVES_MAX })
    }

    /// The newest ids above `after` and below `before`, at most `limit`, ascending.
    pub(crate) fn newest_between(
        &mut self,
        after: u64,
        before: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let mut found = Vec::new();
        self.walk(Direction::Down, before, |id| {
            let is_wanted = id > after && found.len() < limit;
            found.extend(is_wanted.then_some(id));
            is_wanted
        })?;
        found.reverse();
        Ok(found)
    }

    /// The oldest ids above `after` and below `before`, at most `limit`, ascending.
    pub(crate) fn oldest_between(
        &mut self,
        after: u64,
        before: u64,
        limit: usize,
    ) -> Result<Vec<u64>, StoreError> {
        let mut found = Vec::new();
        self.walk(Direction::Up, after, |id| {
            let is_wanted = id < before && found.len() < limit;
            found.extend(is_wanted.then_some(id));
            is_wanted
        })?;
        Ok(found)
    }

    /// Calls `visit` with the ids before or after `from`, from there on, until it returns false.
    fn walk(
        &mut self,
        direction: Direction,
        from: u64,
        mut visit: impl FnMut(u64) -> bool,
    ) -> Result<(), StoreError> {
        let mut heads = Vec::with_capacity(self.sets.len());
        for set in 0..self.sets.len() {
            heads.push(self.next(set, direction, from)?);
        }
        loop {
            let known = heads.iter().flatten().copied();
            let next = match direction {
                Direction::Up => known.min(),
                Direction::Down => known.max(),
            };
            let Some(id) = next.filter(|id| visit(*id)) else { return Ok(()) };
            for (set, head) in heads.iter_mut().enumerate() {
                if *head == Some(id) {
                    *head = self.next(set, direction, id)?;
                }
            }
        }
    }

    /// The next id of a set after or before `from`.
    fn next(
        &mut self,
        set: usize,
        direction: Direction,
        from: u64,
    ) -> Result<Option<u64>, StoreError> {
        let start = match direction {
            Direction::Up => from.checked_add(1),
            Direction::Down => from.checked_sub(1),
        };
        let Some(mut candidate) = start else { return Ok(None) };
        let mut agreed = 0;
        let count = self.sets[set].len();
        for at in (0..count).cycle() {
            let Some(left) = self.moves_left.checked_sub(1) else { return Ok(None) };
            self.moves_left = left;
            let stream = &mut self.sets[set][at];
            let found = match direction {
                Direction::Up => stream.at_least(candidate)?,
                Direction::Down => stream.at_most(candidate)?,
            };
            let Some(found) = found else { return Ok(None) };
            agreed = if found == candidate { agreed + 1 } else { 1 };
            candidate = found;
            if agreed >= count {
                return Ok(Some(candidate));
            }
        }
        Ok(None)
    }
}
