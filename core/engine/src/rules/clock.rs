//! Moving the store's time, and noting jumps of the clock: see `crate::clock`.

use super::context::BatchContext;
use crate::clock::{self, CLOCK_KEY, Moment, is_back, is_jump, noted};
use crate::error::StoreError;
use crate::lookup::Request;
use crate::rows::{ClockRow, pack};

impl BatchContext<'_> {
    /// Notes a jump of the clock since the command before, or since the newest change in the store.
    pub(super) fn note_jump(&mut self, request: Request) -> Result<(), StoreError> {
        let Request { now, steady, .. } = request;
        let expected = self.last.map_or(self.counters.now, |last| last.after(steady));
        if is_jump(expected, now) && noted(&self.batch)?.is_none() {
            self.note(expected, steady)?;
        }
        // A clock that went back is right again if it had jumped, and wrong if it had not.
        let is_doubted = is_back(expected, now) && noted(&self.batch)?.is_none();
        let now = if is_doubted { expected } else { now };
        self.last = Some(Moment { now, steady });
        Ok(())
    }

    /// The trusted time; forgets a jump that it has caught up with.
    pub(super) fn trusted(&mut self, request: Request) -> Result<u64, StoreError> {
        let trusted = clock::trusted(&self.batch, request)?;
        if trusted == request.now && noted(&self.batch)?.is_some() {
            self.batch.counters_mut()?.remove(CLOCK_KEY)?;
        }
        Ok(trusted)
    }

    /// Steady time begins anew with each run of the gateway.
    pub(super) fn restart_clock(&mut self, request: Request) -> Result<(), StoreError> {
        match noted(&self.batch)? {
            Some(row) => self.note(row.trusted, request.steady),
            None => Ok(()),
        }
    }

    fn note(&mut self, trusted: u64, steady: u64) -> Result<(), StoreError> {
        let row = ClockRow { trusted, steady };
        self.batch.counters_mut()?.insert(CLOCK_KEY, pack(&row).as_slice())?;
        Ok(())
    }
}
