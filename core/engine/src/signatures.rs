//! Signatures of blocks of messages: which terms their texts may have.
//!
//! A block is 64 message ids. Its signature is a Bloom filter of the terms of the messages to rooms.
//! Signatures are made after the messages, from a snapshot, so that posting costs nothing: see
//! `indexing`. What has none yet is searched message by message. A signature may say
//! too much, of messages that were deleted since, and never too little.

use redb::ReadableTable;

use crate::error::StoreError;
use crate::rows::{Destination, MessageRow, pack, unpack};
use crate::tables::Tables;
use crate::terms;

/// Messages of a block.
const BLOCK: u64 = 64;

/// Bits of a signature for each term: with four of them set, one in fifty blocks is read in vain.
const BITS_PER_TERM: usize = 8;
const BITS_SET: u64 = 4;

/// The least and the most bytes of a signature. Beyond the most it says less.
const BYTES_LEAST: usize = 32;
const BYTES_MAX: usize = 4096;

/// The row of `counters` with the first block that has no signature yet.
pub(crate) const NEXT_KEY: u8 = 4;

/// The block of a message.
pub(crate) fn block_of(message: u64) -> u64 {
    message / BLOCK
}

/// The ids of a block.
pub(crate) fn ids_of(block: u64) -> std::ops::Range<u64> {
    block * BLOCK..(block + 1) * BLOCK
}

/// The first block that may have no signature.
pub(crate) fn next_block(tables: &impl Tables) -> Result<u64, StoreError> {
    match tables.counters()?.get(NEXT_KEY)? {
        Some(row) => unpack("counters", row.value()),
        None => Ok(0),
    }
}

pub(crate) fn pack_next(block: u64) -> Vec<u8> {
    pack(&block)
}

/// The signature of these terms: a power of two of bytes.
pub(crate) fn signature(terms: &[u64]) -> Vec<u8> {
    let bytes = (terms.len() * BITS_PER_TERM / 8).next_power_of_two();
    let mut bits = vec![0; bytes.clamp(BYTES_LEAST, BYTES_MAX)];
    for term in terms {
        for place in places(*term, bits.len()) {
            bits[place / 8] |= 1 << (place % 8);
        }
    }
    bits
}

/// Whether a block with this signature may have all terms.
pub(crate) fn may_have(signature: &[u8], terms: &[u64]) -> bool {
    let is_set = |place: usize| signature[place / 8] & (1 << (place % 8)) != 0;
    is_sound(signature) && terms.iter().all(|term| places(*term, signature.len()).all(is_set))
}

/// Whether these bytes can be a signature.
pub(crate) fn is_sound(signature: &[u8]) -> bool {
    signature.len().is_power_of_two() && (BYTES_LEAST..=BYTES_MAX).contains(&signature.len())
}

fn places(term: u64, bytes: usize) -> impl Iterator<Item = usize> {
    let (first, step) = (term & u64::from(u32::MAX), term >> 32 | 1);
    (0..BITS_SET).map(move |nth| (first + nth * step) as usize % (bytes * 8))
}

/// The terms of the messages to rooms of a block, each once.
pub(crate) fn terms_of(tables: &impl Tables, block: u64) -> Result<Vec<u64>, StoreError> {
    let mut found = Vec::new();
    for row in tables.messages()?.range(ids_of(block))? {
        let row = MessageRow::unpack(row?.1.value())?;
        if matches!(row.to, Destination::Room(_)) {
            terms::each_term(&row.text, |term| found.push(term));
        }
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_has_its_terms_and_seldom_others() {
        let terms: Vec<u64> = (0..500u64).map(hash).collect();
        let made = signature(&terms);
        assert_eq!(made.len(), 512);
        let has = |term: u64| may_have(&made, &[term]);
        assert!(terms.iter().all(|term| has(*term)));
        let others = (1_000..11_000u64).filter(|n| has(hash(*n))).count();
        assert!(others < 600, "{others} of 10000 that are not there");
        assert!(!may_have(&[0; 33], &terms) && !may_have(&[], &terms));
        assert_eq!(signature(&[]).len(), BYTES_LEAST);
    }

    fn hash(number: u64) -> u64 {
        let mut hash = 0;
        terms::each_term(&format!("word{number}"), |term| hash = term);
        hash
    }
}
