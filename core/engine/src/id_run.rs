//! A run: ascending message ids in a row of `chunks` or `tails`.

use crate::error::StoreError;

/// Ids in a row of `chunks`; a tail, which every batch rewrites, has fewer. With 128 a message in
/// one of 500 rooms costs a tenth more; with fewer than 32 the rows become too many. Rows of other
/// lengths can be read.
pub(crate) const RUN: usize = 32;

/// Encoded ids that more can be appended to: the first, then each one's distance from the one
/// before, as LEB128.
#[derive(Default)]
pub(crate) struct Run {
    pub(crate) bytes: Vec<u8>,
    pub(crate) count: usize,
    pub(crate) first: u64,
    pub(crate) last: u64,
}

impl Run {
    pub(crate) fn of(table: &'static str, bytes: &[u8]) -> Result<Self, StoreError> {
        let mut run = Self { bytes: Vec::with_capacity(bytes.len() + 16), ..Self::default() };
        run.bytes.extend_from_slice(bytes);
        each(table, bytes, |id| {
            if run.count == 0 {
                run.first = id;
            }
            (run.count, run.last) = (run.count + 1, id);
        })?;
        Ok(run)
    }

    pub(crate) fn push(&mut self, id: u64) {
        if self.count == 0 {
            self.first = id;
        }
        let mut rest = id - self.last;
        while rest >= 0x80 {
            self.bytes.push(rest as u8 | 0x80);
            rest >>= 7;
        }
        self.bytes.push(rest as u8);
        (self.count, self.last) = (self.count + 1, id);
    }
}

pub(crate) fn pack(ids: &[u64]) -> Vec<u8> {
    let mut run = Run { bytes: Vec::with_capacity(8 + 2 * ids.len()), ..Run::default() };
    ids.iter().for_each(|id| run.push(*id));
    run.bytes
}

pub(crate) fn unpack(table: &'static str, bytes: &[u8]) -> Result<Vec<u64>, StoreError> {
    let mut ids = Vec::with_capacity(2 * RUN);
    each(table, bytes, |id| ids.push(id))?;
    Ok(ids)
}

/// Calls `id` with each id of a run.
fn each(table: &'static str, bytes: &[u8], mut id: impl FnMut(u64)) -> Result<(), StoreError> {
    let mut last = 0u64;
    let mut distance = 0u64;
    let mut shift = 0u32;
    for byte in bytes {
        let bits = u64::from(byte & 0x7f);
        if shift > 63 || bits << shift >> shift != bits {
            return Err(StoreError::Corrupt { table });
        }
        distance |= bits << shift;
        shift += 7;
        if byte & 0x80 == 0 {
            last = last.checked_add(distance).ok_or(StoreError::Corrupt { table })?;
            id(last);
            (distance, shift) = (0, 0);
        }
    }
    if shift > 0 {
        return Err(StoreError::Corrupt { table });
    }
    Ok(())
}

/// The number of ids in a run.
pub(crate) fn count(bytes: &[u8]) -> usize {
    bytes.iter().filter(|byte| **byte < 0x80).count()
}

/// Decodes bytes as a run; its encoding has the same ids.
#[cfg(feature = "fuzzing")]
pub(crate) fn fuzz(data: &[u8]) {
    if let Ok(ids) = unpack("fuzzed", data) {
        assert_eq!(unpack("fuzzed", &pack(&ids)).ok(), Some(ids));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_read_back_as_they_were_written() {
        for ids in [vec![], vec![1], vec![1, 2, 300, 1 << 40, (1 << 53) - 1]] {
            assert_eq!(unpack("tails", &pack(&ids)).unwrap(), ids);
            assert_eq!(count(&pack(&ids)), ids.len());
        }
    }

    #[test]
    fn a_run_that_is_cut_or_overflows_is_damaged() {
        let nine = [0xff; 9];
        assert_eq!(unpack("tails", &[&nine[..], &[1]].concat()).unwrap(), [u64::MAX]);
        for bytes in [&[0x80][..], &[1, 0xff], &[&nine[..], &[2]].concat(), &[0xff; 11]] {
            assert!(unpack("tails", bytes).is_err(), "{bytes:?}");
        }
    }
}
