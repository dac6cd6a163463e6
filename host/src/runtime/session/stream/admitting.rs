//! Which commands and queries of a stream session the limits admit.

use std::time::Duration;

use core_model::{Command, Outcome, Refusal};

use super::StreamSession;
use crate::runtime::limits::READ_PAUSE;
use crate::runtime::limits::memory_budget::Exhausted;
use crate::runtime::metrics::Limit;
use crate::runtime::session::admission::{Sender, check_message};
use crate::runtime::session::driver::SessionDriver;
use crate::runtime::session::peer_log::PeerFault;
use crate::runtime::session::pending::Pending;
use crate::runtime::session::reply_size;
use crate::runtime::session::unread;

/// The longest pause in reading after a refusal because much waits: by then it is done, and the
/// refused peers are needed again to keep the writer busy.
const READ_PAUSE_BEHIND: Duration = Duration::from_millis(5);

/// How long a peer is asked to wait when much waits: until some batches have been committed.
const BEHIND_RETRY_MS: u64 = 100;

impl StreamSession {
    /// Checks a command against the limits. Refused: why, and the longest pause in reading.
    pub(super) fn admit(&mut self, command: &Command) -> Result<(), (Refusal, Duration)> {
        let now_ns = self.driver.services.clock.steady_ns();
        let checked = self.admit_request(now_ns).and_then(|()| {
            let SessionDriver { services, frontend, address, .. } = &self.driver;
            let sender = Sender { services, frontend, address: *address, now_ns };
            check_message(sender, &mut self.rates, command)
        });
        checked.map_err(|refusal| (refusal, READ_PAUSE.1))?;
        self.admit_behind(command).map_err(|refusal| (refusal, READ_PAUSE_BEHIND))
    }

    /// The peer did something wrong.
    pub(crate) fn note_fault(&self, fault: PeerFault, why: &str) {
        self.driver.note_fault(fault, why);
    }

    pub(super) fn sender(&self, now_ns: u64) -> Sender<'_> {
        let SessionDriver { services, frontend, address, .. } = &self.driver;
        Sender { services, frontend, address: *address, now_ns }
    }

    pub(super) fn admit_request(&mut self, now_ns: u64) -> Result<(), Refusal> {
        let SessionDriver { services, frontend, address, .. } = &self.driver;
        services.network_bans.check(*address, services.clock.now())?;
        self.rates.request(now_ns, &frontend.limits).map_err(|retry_after_ms| {
            frontend.metrics.note_refused(Limit::Requests);
            Refusal::SlowDown { retry_after_ms }
        })
    }

    /// While the engine is behind, refuses a post of a peer with others unanswered: a flooding peer
    /// must not delay one that posts now and then.
    fn admit_behind(&self, command: &Command) -> Result<(), Refusal> {
        let is_post = matches!(command, Command::Post { .. } | Command::PostDirect { .. });
        let has_others = || self.pending.iter().any(Pending::is_submitted);
        if is_post && has_others() && self.driver.services.is_behind() {
            self.driver.frontend.metrics.note_refused(Limit::Overloaded);
            return Err(Refusal::SlowDown { retry_after_ms: BEHIND_RETRY_MS });
        }
        Ok(())
    }

    /// The answer to a query, if there is memory for its messages.
    pub(super) fn decided(&mut self, outcome: Outcome) -> Pending {
        let SessionDriver { services, address, .. } = &self.driver;
        let bytes = reply_size::bytes_of(&outcome);
        if unread::resize(&mut self.unread_answer, services, *address, bytes).is_err() {
            return self.refuse_unread();
        }
        Pending::Decided(Box::new(outcome))
    }

    pub(super) fn refuse_unread(&mut self) -> Pending {
        self.driver.frontend.metrics.note_refused(Limit::Unread);
        self.refuse(Refusal::Overloaded, READ_PAUSE.1)
    }

    /// Counts what the peer has not read and no other connection has. `Err`: there is no memory for
    /// it, so that the peer must be cut off.
    pub(crate) fn count_unread(&mut self) -> Result<(), Exhausted> {
        self.unread.resize(self.write_queue.own_bytes()).inspect_err(|Exhausted| {
            let metrics = &self.driver.frontend.metrics;
            metrics.note_refused(Limit::Unread);
            metrics.cut_off.add(1);
        })
    }

    /// Answers with a refusal. One for load pauses reading from the peer, for no longer than
    /// `pause_max` or than the peer is asked to wait.
    pub(super) fn refuse(&mut self, refusal: Refusal, pause_max: Duration) -> Pending {
        match &refusal {
            Refusal::SlowDown { .. } => self.note_fault(PeerFault::Limited, "too much at once"),
            Refusal::TextTooLong { .. } => self.note_fault(PeerFault::Limited, "a long text"),
            _ => (),
        }
        let pause = match refusal {
            Refusal::SlowDown { retry_after_ms } => Some(Duration::from_millis(retry_after_ms)),
            Refusal::Overloaded => Some(pause_max),
            _ => None,
        };
        self.read_pause = self.read_pause.max(pause.map(|pause| pause.min(pause_max)));
        Pending::Decided(Box::new(Err(refusal)))
    }
}
