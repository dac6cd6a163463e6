//! Messages by the front end that they came through and each front end that has readers of them.

use crate::counter::Counter;

/// Front ends that are told apart, by their index among all that run: more than anyone configures.
/// Messages of further ones are in no cell.
pub const FLOW_FRONTENDS_MAX: usize = 64;

/// A matrix of counters that only grow.
#[derive(Debug)]
pub struct Flow(Box<[Counter]>);

impl Default for Flow {
    fn default() -> Self {
        Self((0..FLOW_FRONTENDS_MAX * FLOW_FRONTENDS_MAX).map(|_| Counter::default()).collect())
    }
}

impl Flow {
    /// Messages that came through the front end at the index `from` and that at least one stream
    /// connection of the front end at `to` was to get.
    pub fn count(&self, from: u16, to: u16) -> u64 {
        self.cell(from, to).map_or(0, Counter::count)
    }

    fn cell(&self, from: u16, to: u16) -> Option<&Counter> {
        let (from, to) = (usize::from(from), usize::from(to));
        let is_within = from < FLOW_FRONTENDS_MAX && to < FLOW_FRONTENDS_MAX;
        is_within.then(|| &self.0[from * FLOW_FRONTENDS_MAX + to])
    }
}

/// What the task of the hub adds to the matrix once a turn: plain numbers until then, so that a
/// message costs no more than a few of them, however many its readers are.
#[derive(Default)]
pub(crate) struct FlowTally {
    /// Of what is delivered now, the commands by the front end that they came through.
    origins: Vec<(u16, u32)>,
    /// The cells of this turn.
    cells: Vec<(u16, u16, u32)>,
}

impl FlowTally {
    /// Other commands are delivered next.
    pub(crate) fn begin(&mut self) {
        self.origins.clear();
    }

    /// A command that posts came through this front end.
    pub(crate) fn note_origin(&mut self, from: u16) {
        match self.origins.iter_mut().find(|(index, _)| *index == from) {
            Some((_, commands)) => *commands += 1,
            None => self.origins.push((from, 1)),
        }
    }

    /// The messages were encoded for the front ends that have a value here.
    pub(crate) fn note_readers<T>(&mut self, encoded: &[Option<T>]) {
        let readers = (0..).zip(encoded).filter(|(_, encoded)| encoded.is_some());
        for (to, _) in readers {
            for (from, messages) in &self.origins {
                let mut cells = self.cells.iter_mut();
                match cells.find(|(of, at, _)| of == from && *at == to) {
                    Some((.., count)) => *count += messages,
                    None => self.cells.push((*from, to, *messages)),
                }
            }
        }
    }

    pub(crate) fn flush(&mut self, flow: &Flow) {
        for (from, to, messages) in self.cells.drain(..) {
            flow.cell(from, to).into_iter().for_each(|cell| cell.add(messages.into()));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn front_ends_beyond_the_matrix_are_in_no_cell() {
        let (flow, mut tally) = (Flow::default(), FlowTally::default());
        let mut readers: Vec<Option<()>> = vec![None; 70];
        (readers[3], readers[69]) = (Some(()), Some(()));
        tally.note_origin(2);
        tally.note_origin(2);
        tally.note_origin(64);
        tally.note_readers(&readers);
        tally.begin();
        tally.note_readers(&readers);
        assert_eq!(flow.count(2, 3), 0);
        tally.flush(&flow);
        tally.flush(&flow);
        assert_eq!((flow.count(2, 3), flow.count(3, 2), flow.count(2, 69)), (2, 0, 0));
        assert_eq!(flow.0.iter().map(Counter::count).sum::<u64>(), 2);
    }
}
