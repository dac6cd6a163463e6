//! The digest of a store that follows a log: whether it still equals the other stores of its cluster.
//!
//! Every row that a command writes or removes, and what was there before, goes into one number, which
//! is never begun anew: stores that differed once have different digests for ever. Once a second of
//! the log's time the digest at the end of an entry is a [`Checkpoint`], which a gateway adds to its
//! next entry, outside the state: so all gateways compare theirs with all others ([`claims`]). Before
//! a checkpoint some more rows are read and added (`row_scan`), so that a damaged row is noticed that
//! no command touches.
//!
//! A store of its own computes none of this.

mod claims;
mod table;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

pub(crate) use claims::{Claims, LiveRuns, Verdict};
pub(crate) use table::WrittenTable;

/// From pi; the factor is odd.
const FACTOR: u64 = 0x243f_6a88_85a3_08d3;
const SALT: u64 = 0x1319_8a2e_0370_7344;

/// A number that depends on all that went into it, in its order. It notices faults, not forgers:
/// who can write to a store could as well write to the log.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Digest(pub(crate) u64);

impl Digest {
    pub(crate) fn number(&mut self, number: u64) {
        // The rotation keeps a product of zero from forgetting what came before.
        let product = u128::from(self.0 ^ number ^ SALT) * u128::from(FACTOR);
        self.0 = (product as u64) ^ (product >> 64) as u64 ^ self.0.rotate_left(23);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.number(bytes.len() as u64);
        let (words, rest) = bytes.as_chunks::<8>();
        words.iter().for_each(|word| self.number(u64::from_le_bytes(*word)));
        if !rest.is_empty() {
            let mut last = [0; 8];
            last[..rest.len()].copy_from_slice(rest);
            self.number(u64::from_le_bytes(last));
        }
    }
}

/// The digest of a store at the end of an entry. Stores with the same entries up to there have the same.
#[derive(Clone, Copy, Debug, Deserialize, Eq, JsonSchema, PartialEq, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Checkpoint {
    /// The position of the entry.
    pub at: u64,
    /// The digest, 16 hexadecimal digits.
    #[serde(serialize_with = "write_digest", deserialize_with = "read_digest")]
    #[schemars(with = "String")]
    pub digest: u64,
}

fn write_digest<S: Serializer>(digest: &u64, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(&format!("{digest:016x}"))
}

fn read_digest<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u64, D::Error> {
    let text = String::deserialize(deserializer)?;
    let is_digest = text.len() == 16 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    let digest = is_digest.then(|| u64::from_str_radix(&text, 16).ok()).flatten();
    digest.ok_or_else(|| serde::de::Error::custom("a digest has 16 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(pieces: &[&[u8]]) -> u64 {
        let mut digest = Digest::default();
        pieces.iter().for_each(|piece| digest.bytes(piece));
        digest.0
    }

    #[test]
    fn order_length_and_every_bit_count() {
        let text = b"a row with some bytes, not a multiple of eight";
        let mut found = vec![of(&[text]), of(&[text, b""]), of(&[b"", text]), of(&[])];
        found.push(of(&[&text[..20], &text[20..]]));
        for bit in 0..text.len() * 8 {
            let mut changed = text.to_vec();
            changed[bit / 8] ^= 1 << (bit % 8);
            found.push(of(&[&changed]));
        }
        let all = found.len();
        found.sort_unstable();
        found.dedup();
        assert_eq!(found.len(), all);
        assert!(
            [b"".as_slice(), b"\0", b"\0\0"].windows(2).all(|two| of(&two[..1]) != of(&two[1..]))
        );
    }

    /// Gateways of different builds compare their digests.
    #[test]
    fn the_digest_stays_what_it_is() {
        assert_eq!(format!("{:016x}", of(&[b"dragoman", b"", b"a log"])), "99b2578c00888c1f");
    }
}
