//! The entries of this node that it has not seen applied yet, and which of them to send next.

use std::collections::VecDeque;

use bytes::Bytes;

/// More entries, or more bytes, do not wait.
const ENTRIES_MAX: usize = 4096;
const BYTES_MAX: usize = 64 << 20;

#[derive(Debug, Default)]
pub(crate) struct Outstanding {
    /// In the order of their numbers, which have no gap.
    entries: VecDeque<Entry>,
    bytes: usize,
    /// The index of the first that is to be sent. Those before it are sent, and acknowledged or not.
    unsent: usize,
    /// Counts the times that everything was dropped or begun anew: an acknowledgement of an earlier
    /// turn says nothing.
    turn: u64,
}

#[derive(Debug)]
struct Entry {
    e: u64,
    bytes: Bytes,
    /// Where the log has it, as its acknowledgement says.
    at: Option<u64>,
}

/// What is to be sent, and what its acknowledgement is to be told to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sending {
    pub(crate) turn: u64,
    pub(crate) e: u64,
    pub(crate) bytes: Bytes,
}

impl Outstanding {
    /// Whether there is room. Panics when the number is not the next.
    pub(crate) fn push(&mut self, e: u64, bytes: Bytes) -> bool {
        if let Some(last) = self.entries.back() {
            assert_eq!(e, last.e + 1, "entries are proposed in order");
        }
        if self.entries.len() == ENTRIES_MAX || self.bytes + bytes.len() > BYTES_MAX {
            return false;
        }
        self.bytes += bytes.len();
        self.entries.push_back(Entry { e, bytes, at: None });
        true
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(crate) fn has_unsent(&self) -> bool {
        self.unsent < self.entries.len()
    }

    pub(crate) fn turn(&self) -> u64 {
        self.turn
    }

    /// The next to send; it counts as sent from now on.
    pub(crate) fn send_next(&mut self) -> Option<Sending> {
        let entry = self.entries.get(self.unsent)?;
        self.unsent += 1;
        Some(Sending { turn: self.turn, e: entry.e, bytes: entry.bytes.clone() })
    }

    pub(crate) fn acknowledged(&mut self, sent: &Sending, at: u64) {
        if sent.turn == self.turn
            && let Some(first) = self.entries.front()
            && let Some(index) = sent.e.checked_sub(first.e)
            && let Some(entry) = self.entries.get_mut(index as usize)
        {
            entry.at = Some(at);
        }
    }

    /// All entries to `e` are applied.
    pub(crate) fn applied(&mut self, e: u64) {
        while self.entries.front().is_some_and(|first| first.e <= e) {
            let entry = self.entries.pop_front().expect("it has just been seen");
            self.bytes -= entry.bytes.len();
            self.unsent = self.unsent.saturating_sub(1);
        }
    }

    /// Begins anew at the first entry that has no acknowledgement. Returns how many are to be sent
    /// again.
    pub(crate) fn resend_unacknowledged(&mut self) -> usize {
        let from = self.entries.iter().position(|entry| entry.at.is_none());
        self.resend_from(from.unwrap_or(self.entries.len()))
    }

    /// Begins anew with all.
    pub(crate) fn resend_all(&mut self) -> usize {
        self.entries.iter_mut().for_each(|entry| entry.at = None);
        self.resend_from(0)
    }

    /// Whether the log was applied past the place of the first entry, and the entry was not: it was
    /// void there, as an earlier one was missing.
    pub(crate) fn is_void(&self, applied: u64) -> bool {
        self.entries.front().and_then(|first| first.at).is_some_and(|at| at <= applied)
    }

    /// Drops all.
    pub(crate) fn abandon(&mut self) {
        self.entries.clear();
        self.bytes = 0;
        self.resend_from(0);
    }

    fn resend_from(&mut self, index: usize) -> usize {
        let again = self.unsent.saturating_sub(index);
        self.unsent = self.unsent.min(index);
        self.turn += 1;
        again
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(numbers: std::ops::RangeInclusive<u64>) -> Outstanding {
        let mut outstanding = Outstanding::default();
        for e in numbers {
            assert!(outstanding.push(e, Bytes::from(vec![e as u8])));
        }
        outstanding
    }

    fn sent(outstanding: &mut Outstanding) -> Vec<Sending> {
        std::iter::from_fn(|| outstanding.send_next()).collect()
    }

    fn numbers(sent: &[Sending]) -> Vec<u64> {
        sent.iter().map(|sent| sent.e).collect()
    }

    #[test]
    fn an_entry_stays_until_it_is_applied() {
        let mut outstanding = of(7..=9);
        let first = sent(&mut outstanding);
        assert_eq!(numbers(&first), [7, 8, 9]);
        outstanding.acknowledged(&first[0], 100);
        assert_eq!(outstanding.len(), 3);
        outstanding.applied(8);
        assert_eq!((outstanding.len(), outstanding.bytes()), (1, 1));
        assert!(!outstanding.has_unsent());
        assert!(outstanding.push(10, Bytes::from_static(b"x")));
        assert_eq!(numbers(&sent(&mut outstanding)), [10]);
    }

    #[test]
    fn what_has_no_acknowledgement_is_sent_again_with_all_after_it() {
        let mut outstanding = of(1..=4);
        let first = sent(&mut outstanding);
        outstanding.acknowledged(&first[0], 100);
        outstanding.acknowledged(&first[2], 101);
        assert_eq!(outstanding.resend_unacknowledged(), 3);
        let second = sent(&mut outstanding);
        assert_eq!(numbers(&second), [2, 3, 4]);
        assert_eq!(second[0].bytes, first[1].bytes);
    }

    #[test]
    fn an_entry_that_was_void_where_the_log_has_it_is_sent_again() {
        let mut outstanding = of(1..=3);
        let first = sent(&mut outstanding);
        for (sent, at) in first.iter().zip([100, 101, 102]) {
            outstanding.acknowledged(sent, at);
        }
        assert!(!outstanding.is_void(99));
        assert!(outstanding.is_void(100));
        assert_eq!(outstanding.resend_all(), 3);
        assert!(!outstanding.is_void(200));
        assert_eq!(numbers(&sent(&mut outstanding)), [1, 2, 3]);
    }

    #[test]
    fn an_acknowledgement_of_an_earlier_turn_counts_for_nothing() {
        let mut outstanding = of(1..=1);
        let first = sent(&mut outstanding);
        outstanding.resend_all();
        outstanding.acknowledged(&first[0], 100);
        assert!(!outstanding.is_void(200));
        outstanding.abandon();
        assert!(outstanding.push(50, Bytes::new()));
        assert_eq!(numbers(&sent(&mut outstanding)), [50]);
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut outstanding = Outstanding::default();
        let mib = Bytes::from(vec![0; 1 << 20]);
        assert!((1..=64).all(|e| outstanding.push(e, mib.clone())));
        assert!(!outstanding.push(65, mib.clone()));
        outstanding.applied(1);
        assert!(outstanding.push(65, mib));
    }
}
