//! Makes the index that searches for messages use, step by step.

use core_model::{AdminCommand, Refusal};
use redb::ReadableTable;

use crate::engine::Engine;
use crate::error::StoreError;
use crate::lookup;
use crate::signatures;
use crate::state::State;

/// Blocks of one step: reading them takes some milliseconds.
const BLOCKS_MAX: u64 = 64;

impl<T: Send + 'static> Engine<T> {
    /// The command that stores the next signatures, made from what is stored now. `None`: every
    /// block that is full has one.
    pub fn next_signatures(&self) -> Result<Option<AdminCommand>, Refusal> {
        self.read(|tables| Ok(next_signatures(tables)?))
    }
}

fn next_signatures(tables: &impl State) -> Result<Option<AdminCommand>, StoreError> {
    let from = signatures::next_block(tables)?;
    let full = signatures::block_of(lookup::counters(tables)?.next_message);
    // Ids at the front whose messages are gone, and gaps, take no work.
    let first = tables.messages()?.range(signatures::ids_of(from).start..)?.next().transpose()?;
    let first = first.map_or(full, |(id, _)| signatures::block_of(id.value()));
    let begin = first.clamp(from, full.max(from));
    let to = full.min(begin + BLOCKS_MAX);
    if to <= from {
        return Ok(None);
    }
    let mut made = Vec::new();
    for block in begin..to {
        let terms = signatures::terms_of(tables, block)?;
        if !terms.is_empty() {
            made.push((block, signatures::signature(&terms)));
        }
    }
    Ok(Some(AdminCommand::StoreSignatures { from, to, signatures: made }))
}
