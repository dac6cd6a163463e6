//! The task of one stream connection: reads from the socket, takes from the mailbox, writes, and
//! closes. One small future, with nothing in it that an idle connection does not need.

use std::collections::VecDeque;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};
use std::time::Duration;

use frontend_api::{Ending, Input};
use gateway_fanout::MailboxPoll;
use tokio::time::{Instant, Sleep, sleep_until};

use crate::runtime::limits::{Permit, ReadPause};
use crate::runtime::metrics::Limit;
use crate::runtime::net::linger::linger;
use crate::runtime::net::socket::{ReadOutcome, Socket};
use crate::runtime::session::peer_log::PeerFault;
use crate::runtime::session::stream::{CloseReason, StreamSession};

/// Polls per wake-up before yielding; a flooding peer gets at most 4 messages ahead of a quiet one.
const POLLS_PER_WAKE: u32 = 4;

/// Reads from a connection that drains, so that what had arrived before is answered.
const DRAIN_READS_MAX: u32 = 1024;

/// How long a peer may be silent after it has connected, at least: a descriptor that is used for
/// nothing is one that another peer lacks.
const FIRST_INPUT_TIMEOUT: Duration = Duration::from_secs(30);

/// How long the requests of a peer that is no longer read from may take to be answered.
const FINISH_TIMEOUT: Duration = Duration::from_secs(60);

/// How long the last bytes to a peer that reads may take to leave.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(5);

/// The same for a peer that was cut off because it does not read.
const CUT_OFF_FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// How long a peer for which bytes wait may take less than [`STALLED_BYTES`] of them: what waits is
/// memory, and a mailbox that nothing is added to is never full.
const STALLED_TIMEOUT: Duration = Duration::from_secs(60);

/// A modem reads it in that time.
const STALLED_BYTES: u64 = 64 * 1024;

/// The stages of a connection.
enum Stage {
    Open,
    /// What had arrived is still read, in at most so many reads.
    Emptying {
        reason: CloseReason,
        reads_left: u32,
    },
    /// No more is read; it ends when everything is answered.
    Finishing {
        reason: CloseReason,
        until: Instant,
    },
    /// The peer has closed, and what it sent before is answered. The answer to the close waits until
    /// the engine has released what it held for the connection: a peer that sees it finds its seats given back.
    Releasing {
        reason: CloseReason,
        until: Instant,
    },
    /// The last bytes leave.
    Closing {
        reason: CloseReason,
        until: Instant,
    },
}

struct Connection<S> {
    socket: S,
    session: StreamSession,
    stage: Stage,
    /// When the idle timeout ends, if there is one.
    idle_at: Option<Instant>,
    /// Until when the peer is not read from, after a refusal.
    paused_until: Option<Instant>,
    read_pause: ReadPause,
    /// Since when the peer takes too little of what waits for it.
    stall: Option<Stall>,
}

/// A peer that has yet to show that it reads.
#[derive(Clone, Copy)]
struct Stall {
    since: Instant,
    /// Up to where the stream was written then.
    written: u64,
}

/// Runs a connection to its end. `permit` is given back when nothing is left of it, or if the peer
/// has ended its side, before it sees the end: it may connect again at once.
pub(crate) async fn run<S: Socket>(permit: Permit, socket: S, session: StreamSession) {
    let mut connection = Connection::new(socket, session);
    connection.expect_first_input();
    connection.session.feed(Input::Opened);
    let mut sleep = pin!(sleep_until(Instant::now()));
    let reason = std::future::poll_fn(|cx| connection.poll(cx, sleep.as_mut())).await;
    let Connection { socket, session, .. } = connection;
    let stopping = session.services().stopping.clone();
    // Releases what the engine holds for the connection before waiting for the peer.
    drop(session);
    let mut stream = socket.into_stream();
    let permit = (reason != CloseReason::PeerFinished).then_some(permit);
    if reason != CloseReason::Disconnected {
        linger(&mut stream, &stopping).await;
    }
    drop(permit);
    drop(stream);
}

impl<S: Socket> Connection<S> {
    fn new(socket: S, session: StreamSession) -> Self {
        Self {
            socket,
            session,
            stage: Stage::Open,
            idle_at: None,
            paused_until: None,
            read_pause: ReadPause::default(),
            stall: None,
        }
    }

    /// Runs until the connection has ended and its last bytes are sent; returns why.
    fn poll(&mut self, cx: &mut Context<'_>, mut sleep: Pin<&mut Sleep>) -> Poll<CloseReason> {
        for _ in 0..POLLS_PER_WAKE {
            match self.poll_once(cx, sleep.as_mut()) {
                Ok(true) => (),
                Ok(false) => return Poll::Pending,
                Err(reason) => return Poll::Ready(reason),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Polls everything once, and writes last. True: there may be more. False: whatever happens next
    /// wakes the task. `Err`: it has ended.
    fn poll_once(
        &mut self,
        cx: &mut Context<'_>,
        sleep: Pin<&mut Sleep>,
    ) -> Result<bool, CloseReason> {
        let blocked = self.write(cx)?;
        let mut more = self.poll_mailbox(cx, blocked)?;
        // A peer that does not read is not read from, and its items stay in the mailbox, where they
        // count.
        if !blocked {
            more |= self.pass_items();
        }
        // After the items, which may have begun it or made room for more.
        more |= self.session.poll_running(cx).is_ready();
        if !blocked {
            more |= self.poll_receive(cx)?;
        }
        if let Some(at_most) = self.session.take_read_pause() {
            self.paused_until = Some(self.read_pause.begin(Instant::now(), at_most));
        }
        more |= self.advance_stage() | self.poll_release(cx);
        if matches!(self.stage, Stage::Open) {
            self.socket.probe(&mut self.session);
        }
        let blocked = blocked || self.write(cx)?;
        self.note_stall(blocked);
        if !matches!(self.stage, Stage::Closing { .. }) && self.session.count_unread().is_err() {
            self.end(Ending::Slow);
            more = true;
        }
        self.session.report();
        match self.stage {
            Stage::Closing { reason, .. } if self.session.write_queue.is_empty() => Err(reason),
            // Last: everything before may have changed the deadline.
            _ => Ok(more | self.poll_timer(cx, sleep)?),
        }
    }

    /// Writes what is queued. True: the socket takes no more for now.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, CloseReason> {
        if self.session.write_queue.is_empty() {
            return Ok(false);
        }
        match self.session.write_queue.poll_write(self.socket.stream(), cx) {
            Poll::Ready(Ok(())) => Ok(false),
            Poll::Ready(Err(_)) => Err(CloseReason::Disconnected),
            Poll::Pending => Ok(true),
        }
    }

    /// Notes whether the peer keeps the gateway waiting. A few bytes now and then are no progress.
    fn note_stall(&mut self, blocked: bool) {
        if !blocked {
            self.stall = None;
            return;
        }
        let written = self.session.write_queue.written();
        let has_moved = |stall: Stall| written - stall.written >= STALLED_BYTES;
        if self.stall.is_none_or(has_moved) {
            self.stall = Some(Stall { since: Instant::now(), written });
        }
    }

    fn poll_mailbox(&mut self, cx: &mut Context<'_>, blocked: bool) -> Result<bool, CloseReason> {
        let closing = matches!(self.stage, Stage::Closing { .. });
        let unread = !self.session.items.is_empty();
        let take_items = !unread && !blocked && !closing;
        match self.session.handle().mailbox.poll(cx, take_items) {
            Poll::Ready(MailboxPoll::Items { items, more }) => {
                self.session.take_all(items);
                return Ok(more);
            }
            Poll::Ready(MailboxPoll::Ending(ending)) => {
                self.end(ending);
                return Ok(true);
            }
            Poll::Ready(MailboxPoll::Abort) => return Err(CloseReason::Disconnected),
            Poll::Pending => (),
        }
        // What arrived meanwhile stayed in the mailbox, and does not wake the task again.
        Ok(unread && !blocked)
    }

    /// Passes on answers and mailbox items in order: an answer goes before the events after it.
    fn pass_items(&mut self) -> bool {
        while !self.session.advance() {
            match self.session.items.pop_front() {
                Some(item) => self.session.take_item(item),
                None => {
                    self.session.items = VecDeque::new();
                    return false;
                }
            }
        }
        true
    }

    /// Closes when the engine has released what it held; true if it did.
    fn poll_release(&mut self, cx: &mut Context<'_>) -> bool {
        let Stage::Releasing { reason, .. } = self.stage else { return false };
        let released = self.session.poll_release(cx).is_ready();
        if released {
            self.close(reason);
        }
        released
    }

    /// Goes on to the next stage; true if it did.
    fn advance_stage(&mut self) -> bool {
        if matches!(self.stage, Stage::Releasing { .. } | Stage::Closing { .. }) {
            return false;
        }
        if let Some(reason) = self.session.closed() {
            self.close(reason);
            return true;
        }
        match self.stage {
            Stage::Finishing { reason, .. }
                if self.session.items.is_empty() && self.session.is_answered() =>
            {
                match reason {
                    CloseReason::PeerClosed => self.release(reason),
                    CloseReason::Host(ending) => {
                        self.session.feed(Input::Ending(ending));
                        self.close(reason);
                    }
                    _ => self.close(reason),
                }
                true
            }
            _ => false,
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Result<bool, CloseReason> {
        let reading = match self.stage {
            Stage::Open => self.paused_until.is_none(),
            // What had arrived is answered first, paused or not.
            Stage::Emptying { .. } => true,
            Stage::Finishing { .. } | Stage::Releasing { .. } | Stage::Closing { .. } => false,
        };
        if !reading || !self.session.may_read() {
            return Ok(false);
        }
        let received = self.socket.poll_receive(cx, &mut self.session);
        if let Stage::Emptying { reason, reads_left } = &mut self.stage {
            let reason = *reason;
            *reads_left -= 1;
            if *reads_left == 0 || (received.is_pending() && !self.socket.stream().has_arrived()) {
                self.finish(reason);
                return Ok(true);
            }
        }
        match received {
            Poll::Ready(received) => self.receive(received).map(|()| true),
            Poll::Pending => Ok(false),
        }
    }

    fn receive(&mut self, received: ReadOutcome) -> Result<(), CloseReason> {
        match received {
            ReadOutcome::Input => self.reset_idle(),
            ReadOutcome::Control => (),
            ReadOutcome::Overlong => {
                self.session.frontend().metrics.note_refused(Limit::MessageBytes);
                self.session.note_fault(PeerFault::Malformed, "a message that is too long");
                self.end(Ending::Overlong);
            }
            ReadOutcome::Closed(CloseReason::Disconnected) => {
                return Err(CloseReason::Disconnected);
            }
            ReadOutcome::Closed(reason) => {
                if let CloseReason::ProtocolError(_) = reason {
                    let why = "a violation of the protocol of WebSocket";
                    self.session.note_fault(PeerFault::Malformed, why);
                }
                // What was read before is answered.
                self.finish(reason);
            }
        }
        Ok(())
    }

    fn end(&mut self, ending: Ending) {
        match (ending, &self.stage) {
            (_, Stage::Releasing { .. } | Stage::Closing { .. }) => (),
            // The peer expects the answer to its close, not a close.
            (Ending::Draining, Stage::Finishing { reason: CloseReason::PeerClosed, .. }) => (),
            (Ending::Draining, Stage::Open) => {
                let reason = CloseReason::Host(ending);
                self.stage = Stage::Emptying { reason, reads_left: DRAIN_READS_MAX };
            }
            // What was read is answered before the last word.
            (Ending::Draining | Ending::Overlong, _) => self.finish(CloseReason::Host(ending)),
            (Ending::Idle | Ending::Slow | Ending::Removed, _) => {
                self.session.feed(Input::Ending(ending));
                self.close(CloseReason::Host(ending));
            }
        }
    }

    fn finish(&mut self, reason: CloseReason) {
        self.stage = Stage::Finishing { reason, until: Instant::now() + FINISH_TIMEOUT };
    }

    fn release(&mut self, reason: CloseReason) {
        self.session.release(reason);
        self.stage = Stage::Releasing { reason, until: Instant::now() + FINISH_TIMEOUT };
    }

    fn close(&mut self, reason: CloseReason) {
        if let Some(farewell) = self.socket.farewell(reason) {
            self.session.write_queue.push(farewell);
        }
        let timeout = match reason {
            CloseReason::Host(Ending::Slow) => CUT_OFF_FLUSH_TIMEOUT,
            _ => FLUSH_TIMEOUT,
        };
        self.stage = Stage::Closing { reason, until: Instant::now() + timeout };
    }

    /// A stream without a handshake shows by its first input that its peer speaks the dialect.
    fn expect_first_input(&mut self) {
        self.reset_idle();
        let limits = &self.session.frontend().limits;
        if !self.socket.has_handshake() && !limits.handshake_timeout.is_zero() {
            let until = Instant::now() + limits.handshake_timeout.max(FIRST_INPUT_TIMEOUT);
            self.idle_at = Some(self.idle_at.map_or(until, |idle_at| idle_at.min(until)));
        }
    }

    /// The peer sent input: its idle timeout begins anew.
    fn reset_idle(&mut self) {
        let timeout = self.session.frontend().limits.idle_timeout;
        self.idle_at = (!timeout.is_zero()).then(|| Instant::now() + timeout);
    }

    fn deadline(&self) -> Option<Instant> {
        let until = match self.stage {
            Stage::Open => {
                let stalled = self.stall.map(|stall| stall.since + STALLED_TIMEOUT);
                [self.idle_at, self.paused_until, stalled].into_iter().flatten().min()
            }
            Stage::Emptying { .. } => None,
            Stage::Finishing { until, .. } | Stage::Releasing { until, .. } => Some(until),
            Stage::Closing { until, .. } => return Some(until),
        };
        [until, self.session.alarm(), self.socket.deadline()].into_iter().flatten().min()
    }

    fn poll_timer(
        &mut self,
        cx: &mut Context<'_>,
        mut sleep: Pin<&mut Sleep>,
    ) -> Result<bool, CloseReason> {
        let Some(deadline) = self.deadline() else { return Ok(false) };
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        if sleep.poll(cx).is_pending() {
            return Ok(false);
        }
        let now = Instant::now();
        match self.stage {
            Stage::Closing { .. } => return Err(CloseReason::Disconnected),
            Stage::Finishing { until, .. } | Stage::Releasing { until, .. } if until <= now => {
                return Err(CloseReason::Disconnected);
            }
            Stage::Open
            | Stage::Emptying { .. }
            | Stage::Finishing { .. }
            | Stage::Releasing { .. } => (),
        }
        self.paused_until.take_if(|until| *until <= now);
        if self.session.alarm().is_some_and(|alarm| alarm <= now) {
            self.session.wake();
        }
        if self.socket.deadline().is_some_and(|due| due <= now)
            && !self.socket.on_deadline(now, &mut self.session)
        {
            return Err(CloseReason::Disconnected);
        }
        let is_open = matches!(self.stage, Stage::Open);
        if is_open && self.stall.is_some_and(|stall| stall.since + STALLED_TIMEOUT <= now) {
            self.session.frontend().metrics.cut_off.add(1);
            self.end(Ending::Slow);
        } else if is_open && self.idle_at.is_some_and(|due| due <= now) {
            self.end(Ending::Idle);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests;
