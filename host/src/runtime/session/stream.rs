//! The session of a stream connection: its requests in order, its words to the peer, its alarm.
//! No socket here.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use core_model::{Outcome, Query, Refusal, Reply, Timestamp};
use frontend_api::{Ending, Input, Outbox, Output};
use gateway_fanout::{ConnectionHandle, Framing, Mailbox, MailboxItem, SubscriptionChange, Ticket};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::runtime::frontends::guarded::Panicked;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::frontends::stream_activity::StreamActivity;
use crate::runtime::limits::memory_budget::Reservation;
use crate::runtime::limits::{READ_PAUSE, RateLimiter};
use crate::runtime::session::admission::{count_bytes, needs_passwords, uncounted_bytes};
use crate::runtime::session::delivery::Delivery;
use crate::runtime::session::driver::SessionDriver;
use crate::runtime::session::pending::{self, Fence, Finished, Pending, PendingCommand};
use crate::runtime::session::services::Services;
use crate::runtime::session::tokens;
use crate::runtime::session::write_queue::WriteQueue;
use accounting::Books;

/// Unanswered commands and queries of one connection before reading from it stops: enough that a
/// pipelining client keeps a commit busy, too few for one peer to fill the engine's queue.
pub(crate) const UNANSWERED_MAX: usize = 64;

/// Answers passed to a session before other connections of the thread have their turn, since a
/// session may ask again at every answer.
const ANSWERS_PER_TURN: usize = 64;

/// Bytes that wait to be written before a session gets no further answers and events: those wait in
/// the mailbox, where events are shared with other connections, and requests that are not begun take
/// no memory.
const WAITING_BYTES_MAX: usize = 64 * 1024;

/// A frame that a session loses, so that tests see the ledger report it.
#[cfg(test)]
pub(crate) const LOST_FRAME: &[u8] = b"lost on purpose\n";

/// Why a stream connection ends.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum CloseReason {
    /// The session asked for it.
    SessionClosed,
    /// The session panicked, or its plugin broke the contract.
    SessionFailed,
    /// The host decided it, and the session was given a last word.
    Host(Ending),
    /// The peer sends no more, and has all its answers.
    PeerFinished,
    /// The peer closed the connection in the transport's way.
    PeerClosed,
    /// The peer violated the transport's protocol; the status code of RFC 6455 for that.
    ProtocolError(u16),
    /// The connection is broken, or the peer takes too long.
    Disconnected,
}

pub(crate) struct StreamSession {
    driver: SessionDriver,
    handle: Arc<ConnectionHandle>,
    activity: Arc<StreamActivity>,
    /// Taken from the mailbox and not passed on yet.
    pub(crate) items: VecDeque<MailboxItem>,
    pub(crate) write_queue: WriteQueue,
    /// What the peer has acknowledged, once a sign-in has asked for delivery.
    delivery: Option<Box<Delivery>>,
    /// The memory of what waits in `write_queue` and is this connection's own.
    unread: Reservation,
    /// That of an answer which waits for its turn.
    unread_answer: Option<Reservation>,
    books: Books,
    /// What is not answered, oldest first.
    pending: VecDeque<Pending>,
    /// How many of `pending` are not with the engine yet, or not answered.
    unsubmitted: usize,
    /// The work for the oldest of `pending`, if that takes time.
    running: Option<Pin<Box<dyn Future<Output = Finished> + Send>>>,
    alarm: Option<Instant>,
    rates: RateLimiter,
    /// How long reading from the peer should pause, if anything was refused for load since
    /// [`take_read_pause`](Self::take_read_pause).
    read_pause: Option<Duration>,
    fence: Fence,
    /// [`CloseReason::SessionClosed`], [`CloseReason::SessionFailed`], or why it was released.
    closed: Option<CloseReason>,
    /// The answer of the engine when it has released what it held for the connection.
    released: Option<oneshot::Receiver<Outcome>>,
}

impl StreamSession {
    pub(crate) fn new(driver: SessionDriver, framing: Framing) -> Self {
        let frontend = &driver.frontend;
        let mailbox = Mailbox::new(frontend.limits.mailbox_max, frontend.limits.mailbox_bytes_max);
        let (index, ledger) = (frontend.index(), frontend.metrics.ledger.clone());
        let handle = ConnectionHandle::new(driver.connection, index, framing, mailbox, ledger);
        let handle = Arc::new(handle);
        let activity = StreamActivity::new(driver.address, driver.services.clock.now());
        let activity = Arc::new(activity);
        frontend.instance().add_stream(handle.clone(), activity.clone());
        let unread = driver.services.unread_of(driver.address);
        Self {
            driver,
            handle,
            activity,
            items: VecDeque::new(),
            write_queue: WriteQueue::default(),
            delivery: None,
            unread,
            unread_answer: None,
            books: Books::default(),
            pending: VecDeque::new(),
            unsubmitted: 0,
            running: None,
            alarm: None,
            rates: RateLimiter::default(),
            read_pause: None,
            fence: Fence::default(),
            closed: None,
            released: None,
        }
    }

    pub(crate) fn services(&self) -> &Services {
        &self.driver.services
    }

    pub(crate) fn frontend(&self) -> &FrontendHandle {
        &self.driver.frontend
    }

    pub(crate) fn handle(&self) -> &ConnectionHandle {
        &self.handle
    }

    pub(crate) fn alarm(&self) -> Option<Instant> {
        self.alarm
    }

    /// Why the session has ended, if it has.
    pub(crate) fn closed(&self) -> Option<CloseReason> {
        self.closed
    }

    /// Whether the peer may be read from: not while many of its requests are unanswered.
    pub(crate) fn may_read(&self) -> bool {
        self.closed.is_none() && self.pending.len() < UNANSWERED_MAX
    }

    /// How long reading from the peer should pause, if anything was refused for load since the
    /// last call.
    pub(crate) fn take_read_pause(&mut self) -> Option<Duration> {
        self.read_pause.take()
    }

    pub(crate) fn is_answered(&self) -> bool {
        self.pending.is_empty()
    }

    /// Passes an input to the session, and carries out what it asks for.
    pub(crate) fn feed(&mut self, input: Input<'_>) {
        if self.closed.is_none() {
            let now = self.driver.services.clock.now();
            if matches!(input, Input::Bytes(_) | Input::Text(_) | Input::Binary(_)) {
                self.activity.note_received(now);
            }
            let out = self.driver.handle(now, input);
            self.carry_out(now, out);
        }
    }

    /// The alarm has gone off.
    pub(crate) fn wake(&mut self) {
        self.alarm = None;
        self.feed(Input::Woken);
    }

    pub(crate) fn take_item(&mut self, item: MailboxItem) {
        #[cfg(test)]
        if matches!(&item, MailboxItem::Frame { bytes, .. } if bytes == LOST_FRAME) {
            return;
        }
        let owed = item.owed();
        match item {
            MailboxItem::Answer { outcome, has_events } => {
                // It comes behind the events of all commands before, so what waited for those is
                // due, and must not be overtaken by the events of this command.
                self.fence.is_needed = false;
                self.pass_decided();
                self.fence.is_needed = has_events;
                self.note_answer(outcome);
            }
            MailboxItem::Fence => {
                self.fence.is_requested = false;
                self.fence.is_needed = false;
            }
            MailboxItem::Wake => self.feed(Input::Woken),
            MailboxItem::Frame { bytes, message, frames, .. } => {
                self.driver.note_passed_on(&bytes, self.handle.framing, message, frames);
                self.write_queue.push_shared(bytes);
                self.mark_owed(message, owed);
            }
            MailboxItem::Event(recorded) => self.pass_event(&recorded),
        }
    }

    /// Ends the session, and has the engine release what it holds for the connection.
    pub(crate) fn release(&mut self, reason: CloseReason) {
        self.feed(Input::Closed);
        self.closed = Some(reason);
        if self.driver.needs_disconnect() {
            self.driver.services.hub.forget(self.handle.id);
        }
        self.submit_acknowledged();
        self.released = Some(self.driver.disconnect_and_wait());
    }

    /// Waits until the engine has released it; an engine that has stopped holds nothing.
    pub(crate) fn poll_release(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(released) = &mut self.released else { return Poll::Ready(()) };
        Pin::new(released).poll(cx).map(|_| self.released = None)
    }

    /// Waits for the work on the oldest request.
    pub(crate) fn poll_running(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let Some(running) = &mut self.running else { return Poll::Pending };
        let finished = ready!(running.as_mut().poll(cx));
        self.running = None;
        self.unsubmitted -= 1;
        let head = match finished {
            Finished::Answer(outcome, unread) => {
                self.unread_answer = unread;
                match *outcome {
                    Err(refusal) => self.refuse(refusal, READ_PAUSE.1),
                    answer => Pending::Decided(Box::new(answer)),
                }
            }
            Finished::Ready(command) => self.submit_now(*command),
        };
        if let Some(running @ Pending::Running) = self.pending.front_mut() {
            *running = head;
        }
        self.submit_unblocked();
        Poll::Ready(())
    }

    /// Passes on the answers that are due. True: there are more, after others had their turn.
    pub(crate) fn advance(&mut self) -> bool {
        for _ in 0..ANSWERS_PER_TURN {
            if self.closed.is_some() {
                return false;
            }
            if self.write_queue.waiting_bytes() > WAITING_BYTES_MAX {
                return true;
            }
            let Some(head) = self.pending.front() else {
                if self.pending.capacity() > UNANSWERED_MAX {
                    self.pending = VecDeque::new();
                }
                return false;
            };
            if matches!(head, Pending::Submitted { .. } | Pending::Running) {
                return false;
            }
            let is_answered = matches!(head, Pending::Answered(..));
            let is_decided = matches!(head, Pending::Decided(_));
            if !is_answered && self.must_wait_for_fence() {
                return false;
            }
            if is_answered || is_decided {
                self.pass_answer();
            } else {
                self.begin();
            }
        }
        true
    }

    /// Passes the oldest request's answer to the session.
    fn pass_answer(&mut self) {
        let (mut outcome, delivery) = match self.pending.pop_front() {
            Some(Pending::Answered(outcome, delivery)) => (outcome, delivery),
            Some(Pending::Decided(outcome)) => (outcome, None),
            _ => return,
        };
        let (newest, owed) = self.begin_delivery(&mut outcome, delivery);
        let now = self.driver.services.clock.now();
        let out = self.driver.answer(now, &outcome);
        self.carry_out(now, out);
        self.unread_answer = None;
        self.mark_owed(newest, owed);
    }

    /// Passes the answers of the host that are the oldest.
    fn pass_decided(&mut self) {
        while self.closed.is_none() && matches!(self.pending.front(), Some(Pending::Decided(_))) {
            self.pass_answer();
        }
    }

    /// Whether events of commands before the oldest request may still be on their way; asks the hub
    /// to mark where they end.
    fn must_wait_for_fence(&mut self) -> bool {
        let fence = &mut self.fence;
        if fence.is_needed && !fence.is_requested {
            fence.is_requested = true;
            self.driver.services.hub.fence(self.handle.clone());
        }
        fence.is_needed
    }

    /// The engine has answered the oldest command that it has.
    fn note_answer(&mut self, mut outcome: Box<Outcome>) {
        let submitted = self.pending.iter_mut().find(|pending| pending.is_submitted());
        let Some(pending) = submitted else { return };
        let uncounted_bytes = uncounted_bytes(&mut self.rates, &outcome);
        let mut request = None;
        if let Pending::Submitted { token, ack_only, delivery } = pending {
            request = delivery.take();
            if *ack_only && outcome.is_ok() {
                *outcome = Ok(Reply::Done);
            } else {
                tokens::fill_in(&mut outcome, token.take().map(String::from));
            }
        }
        *pending = Pending::Answered(outcome, request);
        if uncounted_bytes > 0 {
            count_bytes(self.sender(self.driver.services.clock.steady_ns()), uncounted_bytes);
        }
    }

    fn carry_out(&mut self, now: Timestamp, out: Result<Outbox, Panicked>) {
        let Ok(mut out) = out else {
            self.closed = Some(CloseReason::SessionFailed);
            return;
        };
        for output in out.drain() {
            if self.closed.is_none() {
                self.carry_out_one(now, output);
            }
        }
    }

    fn carry_out_one(&mut self, now: Timestamp, output: Output) {
        match output {
            Output::Submit { command, subscribe, key, ack_only } => {
                let change = pending::change(&command, subscribe);
                self.submit(PendingCommand { command, change, key, ack_only });
            }
            Output::Query { query } => self.wait(Pending::Query(query)),
            Output::Fetch(fetch) => self.wait(Pending::Fetch(Box::new(fetch))),
            Output::Authorize(ask) => self.wait(Pending::Authorize(Box::new(ask))),
            // A stream session has no request to respond to.
            Output::Respond(_) => (),
            Output::SendBytes(bytes) => self.write_queue.push(self.handle.framing.bytes(bytes)),
            Output::SendText(text) => self.write_queue.push(self.handle.framing.text(text)),
            Output::Mark { message } => self.mark(Some(message)),
            Output::Acknowledge { message } => {
                self.note_delivery(|delivery| delivery.acknowledge_in_words(message));
            }
            Output::SetEventFilter(filter) => self.handle.set_event_filter(filter),
            Output::WakeAt(at) => {
                let wait = Duration::from_millis(at.0.saturating_sub(now.0));
                self.alarm = Instant::now().checked_add(wait);
            }
            Output::Wake(connection) => self.driver.frontend.instance().wake_stream(connection),
            Output::Close if self.driver.has_failed() => {
                self.closed = Some(CloseReason::SessionFailed);
            }
            Output::Close => self.closed = Some(CloseReason::SessionClosed),
        }
    }

    fn submit(&mut self, command: PendingCommand) {
        let pending = match self.admit(&command.command) {
            Err((refusal, pause_max)) => self.refuse(refusal, pause_max),
            Ok(()) if self.unsubmitted > 0 || needs_passwords(&command.command) => {
                self.unsubmitted += 1;
                Pending::Command(Box::new(command))
            }
            Ok(()) => self.submit_now(command),
        };
        self.pending.push_back(pending);
    }

    /// Keeps a query or fetch until its turn.
    fn wait(&mut self, request: Pending) {
        // A session that only waits for its turn asks the engine for nothing.
        let is_turn =
            matches!(&request, Pending::Query(query) if matches!(**query, Query::LastChange));
        let now_ns = self.driver.services.clock.steady_ns();
        let admitted = if is_turn { Ok(()) } else { self.admit_request(now_ns) };
        let pending = match admitted {
            Err(refusal) => self.refuse(refusal, READ_PAUSE.1),
            Ok(()) => {
                self.unsubmitted += 1;
                request
            }
        };
        self.pending.push_back(pending);
    }

    fn submit_now(&mut self, command: PendingCommand) -> Pending {
        let ack_only = command.ack_only;
        let delivery = pending::delivery_request(&command.command);
        match self.try_submit(command) {
            Ok(token) => {
                let token = token.map(String::into_boxed_str);
                Pending::Submitted { token, ack_only, delivery }
            }
            Err(refusal) => self.refuse(refusal, READ_PAUSE.1),
        }
    }

    fn try_submit(&mut self, command: PendingCommand) -> Result<Option<String>, Refusal> {
        let PendingCommand { mut command, change, key, .. } = command;
        let key = key.map(|key| self.driver.scoped_key(&key));
        let token = self.driver.prepare(&mut command)?;
        self.activity.note_proofs(&command);
        if matches!(change, SubscriptionChange::Seat | SubscriptionChange::User) {
            self.driver.set_needs_disconnect();
        }
        let ticket = Ticket::connection(self.handle.clone(), change);
        let SessionDriver { services, frontend, .. } = &self.driver;
        services.submit(frontend, self.driver.source(), *command, key.as_deref(), ticket)?;
        Ok(token)
    }
}

/// However a connection ends, all that belongs to it ends here.
impl Drop for StreamSession {
    fn drop(&mut self) {
        self.feed(Input::Closed);
        self.close_books();
        self.driver.frontend.instance().remove_stream(self.handle.id);
        if self.driver.needs_disconnect() {
            self.driver.services.hub.forget(self.handle.id);
        }
        self.submit_acknowledged();
        self.driver.disconnect();
    }
}

mod accounting;
mod admitting;
mod beginning;
mod delivering;
#[cfg(test)]
pub(crate) mod tests;
