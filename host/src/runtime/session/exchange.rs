//! One HTTP exchange: a session that lives for one response. No task and no mailbox.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use core_engine::Deferred;
use core_model::{Command, Credential, Outcome, Query, Refusal, Timestamp};
use frontend_api::http::{HttpError, Request, Response};
use frontend_api::{Authorize, Fetch, Input, Outbox, Output, Peer};

use crate::runtime::frontends::guarded::Panicked;
use crate::runtime::frontends::instance::FrontendHandle;
use crate::runtime::limits::RateLimiter;
use crate::runtime::limits::memory_budget::{Exhausted, Reservation};
use crate::runtime::metrics::Limit;
use crate::runtime::session::admission::{
    Sender, check_message, count_bytes, needs_passwords, settle_passwords, uncounted_bytes,
};
use crate::runtime::session::driver::SessionDriver;
use crate::runtime::session::services::Services;
use crate::runtime::session::tapped::{self, Subject};
use crate::runtime::session::{reply_size, tokens, unread};

/// An idempotency key: longer than any UUID, hash or date.
const KEY_BYTES_MAX: usize = 255;

/// Bytes of messages that a front end encodes in a millisecond or so.
const LONG_BYTES: usize = 256 * 1024;

struct Exchange {
    driver: SessionDriver,
    /// The time of the request, then of the end of the last wait.
    now: Timestamp,
    /// What the session asked for and is not done yet.
    pending: VecDeque<Pending>,
    response: Option<Response>,
    /// Whether the session has closed.
    closed: bool,
    /// The memory of the answer, if it may be long.
    unread: Option<Reservation>,
    /// Whether a command was carried out, so that its answer must not be dropped.
    is_carried_out: bool,
}

/// The answer to a request.
pub(crate) struct Answer {
    pub(crate) response: Response,
    /// The memory for a long body, until the peer has read it.
    pub(crate) unread: Option<Reservation>,
}

enum Pending {
    Command { command: Box<Command>, key: Option<String> },
    Query(Box<Query>),
    Fetch(Fetch),
    Authorize(Authorize),
}

impl Pending {
    /// Who and what it is about.
    fn subject(&self) -> Option<Subject> {
        match self {
            Self::Command { command, .. } => Some(Subject::of(command)),
            Self::Query(query) => Some(Subject::of(query)),
            Self::Fetch(_) | Self::Authorize(_) => None,
        }
    }
}

/// Has the front end answer a request. `Err`: an answer that HTTP itself has a status for.
pub(crate) async fn exchange(
    services: &Arc<Services>,
    frontend: &Arc<FrontendHandle>,
    address: IpAddr,
    peer: &Peer,
    request: &Request,
) -> Result<Answer, HttpError> {
    let driver =
        SessionDriver::open(services.clone(), frontend.clone(), peer, address).map_err(panicked)?;
    let connection = driver.connection;
    let exchange = Exchange {
        now: services.clock.now(),
        driver,
        pending: VecDeque::new(),
        response: None,
        closed: false,
        unread: None,
        is_carried_out: false,
    };
    let answered = exchange.run(request).await;
    if let Err(error) = &answered
        && services.taps.is_open()
    {
        tapped::error(services, frontend, connection, address, error);
    }
    answered
}

impl Exchange {
    async fn run(mut self, request: &Request) -> Result<Answer, HttpError> {
        self.handle(Input::Opened)?;
        if self.response.is_none() {
            self.handle(Input::Request(request))?;
        }
        loop {
            if let Some(response) = self.response.take() {
                return self.finish(response);
            }
            let Some(pending) = self.pending.pop_front() else {
                self.driver.frontend.instance().note_unanswered(self.closed);
                return Err(HttpError::new(503, "the front end gave no response"));
            };
            check_key(&pending)?;
            let excess = excess(&pending);
            let SessionDriver { services, address, .. } = &self.driver;
            let outcome = match services.network_bans.check(*address, self.now) {
                Ok(()) => self.carry_out(pending).await,
                Err(refusal) => Err(refusal),
            };
            match &outcome {
                Err(Refusal::SlowDown { retry_after_ms }) => {
                    return Err(retry_later(429, excess, *retry_after_ms));
                }
                Err(Refusal::Overloaded) => {
                    return Err(retry_later(503, "the gateway is overloaded", 1_000));
                }
                _ if self.is_unread(&outcome) => return Err(self.unread_error()),
                _ => (),
            }
            let out;
            if reply_size::bytes_of(&outcome) > LONG_BYTES {
                (self, out) = self.answer_long(outcome).await?;
            } else {
                out = self.driver.answer(self.now, &outcome).map_err(panicked)?;
            }
            self.take(out);
        }
    }

    /// Has the front end encode a long answer, on a thread that yields to those which serve connections:
    /// with one network thread, all others would wait for each such answer of a burst.
    async fn answer_long(mut self, outcome: Outcome) -> Result<(Self, Outbox), HttpError> {
        let services = self.driver.services.clone();
        let answering = services.encode_long(move || {
            let out = self.driver.answer(self.now, &outcome);
            (self, out)
        });
        let (mut exchange, out) = answering.await.map_err(|why| {
            tracing::error!("a long answer was not encoded: {why}");
            panicked(Panicked)
        })?;
        exchange.now = services.clock.now();
        Ok((exchange, out.map_err(panicked)?))
    }

    fn handle(&mut self, input: Input<'_>) -> Result<(), HttpError> {
        let out = self.driver.handle(self.now, input).map_err(panicked)?;
        self.take(out);
        Ok(())
    }

    fn take(&mut self, mut out: Outbox) {
        for output in out.drain() {
            match output {
                Output::Submit { command, key, .. } => {
                    self.pending.push_back(Pending::Command { command, key });
                }
                Output::Query { query } => self.pending.push_back(Pending::Query(query)),
                Output::Fetch(fetch) => self.pending.push_back(Pending::Fetch(fetch)),
                Output::Authorize(ask) => self.pending.push_back(Pending::Authorize(ask)),
                Output::Respond(response) => {
                    self.response.get_or_insert(response);
                }
                Output::Close => self.closed = true,
                // An exchange has no stream to send on, gets no events and does not wait.
                Output::SendBytes(_)
                | Output::SendText(_)
                | Output::Mark { .. }
                | Output::Acknowledge { .. }
                | Output::SetEventFilter(_)
                | Output::WakeAt(_) => (),
                Output::Wake(connection) => {
                    self.driver.frontend.instance().wake_stream(connection);
                }
            }
        }
    }

    /// Whether there is no memory for the messages of an answer that changed nothing.
    fn is_unread(&mut self, outcome: &Outcome) -> bool {
        !self.is_carried_out && self.reserve(reply_size::bytes_of(outcome)).is_err()
    }

    fn reserve(&mut self, bytes: usize) -> Result<(), Exhausted> {
        let SessionDriver { services, address, .. } = &self.driver;
        unread::resize(&mut self.unread, services, *address, bytes)
    }

    fn unread_error(&self) -> HttpError {
        self.driver.frontend.metrics.note_refused(Limit::Unread);
        unread_error()
    }

    /// The body takes memory until the peer has read it.
    fn finish(mut self, response: Response) -> Result<Answer, HttpError> {
        let bytes = response.body.len();
        if self.reserve(bytes).is_err() {
            if !self.is_carried_out {
                return Err(self.unread_error());
            }
            let SessionDriver { services, address, .. } = &self.driver;
            self.unread.get_or_insert_with(|| services.unread_of(*address)).hold(bytes);
        }
        Ok(Answer { response, unread: self.unread.take() })
    }

    async fn carry_out(&mut self, pending: Pending) -> Outcome {
        let subject = self.driver.services.taps.is_open().then(|| pending.subject()).flatten();
        let outcome = self.carry_out_untapped(pending).await;
        if let Some(subject) = subject.filter(|_| outcome.is_ok()) {
            self.driver.tap_subject(self.now, &subject);
        }
        outcome
    }

    async fn carry_out_untapped(&mut self, pending: Pending) -> Outcome {
        match pending {
            Pending::Command { command, key } => self.submit(command, key).await,
            Pending::Query(query) if self.driver.services.is_heavy(&query) => {
                let (outcome, unread) = self.driver.query_blocking(query).await;
                self.unread = Some(unread);
                self.now = self.driver.services.clock.now();
                outcome
            }
            Pending::Query(query) => {
                let SessionDriver { services, frontend, address, .. } = &self.driver;
                let is_long = reply_size::messages_of(&query) > 0;
                if is_long && unread::wait_for_room(services, *address).await.is_err() {
                    frontend.metrics.note_refused(Limit::Unread);
                    return Err(Refusal::Overloaded);
                }
                self.driver.query(self.now, &query)
            }
            Pending::Authorize(ask) => self.driver.authorize(ask).await,
            Pending::Fetch(fetch) => {
                let SessionDriver { services, frontend, .. } = &self.driver;
                let outcome = services.fetcher.fetch(frontend, &fetch).await;
                self.now = services.clock.now();
                outcome
            }
        }
    }

    async fn submit(&mut self, mut command: Box<Command>, key: Option<String>) -> Outcome {
        let SessionDriver { services, frontend, address, .. } = &self.driver;
        let now_ns = services.clock.steady_ns();
        let sender = Sender { services, frontend, address: *address, now_ns };
        let check = |rates: &mut _| check_message(sender, rates, &command);
        frontend.request_rates.with(*address, now_ns, check)?;
        // Before anything is read: an address that does not read its replies takes no time either.
        let is_receive = matches!(*command, Command::Receive { .. });
        if is_receive && unread::wait_for_room(services, *address).await.is_err() {
            frontend.metrics.note_refused(Limit::Unread);
            return Err(Refusal::Overloaded);
        }
        command = match self.look_ahead(command, key.is_some(), is_receive).await {
            Ok(command) => command,
            Err(outcome) => return outcome,
        };
        let SessionDriver { services, frontend, address, .. } = &self.driver;
        if needs_passwords(&command) {
            command =
                settle_passwords(services, frontend, *address, command, key.as_deref()).await?;
        }
        let key = key.map(|key| self.driver.scoped_key(&key));
        let token = self.driver.prepare(&mut command)?;
        let SessionDriver { services, frontend, .. } = &self.driver;
        let source = self.driver.source();
        let submitted = services.submit_and_wait(frontend, source, *command, key.as_deref());
        let mut outcome = submitted.await;
        self.is_carried_out |= outcome.is_ok();
        self.hold_answer(&outcome);
        let SessionDriver { services, frontend, .. } = &self.driver;
        // An exchange has one message at most, so it knows of no avatar before.
        let bytes = uncounted_bytes(&mut RateLimiter::default(), &outcome);
        if bytes > 0 {
            let (address, now_ns) = (self.driver.address, services.clock.steady_ns());
            count_bytes(Sender { services, frontend, address, now_ns }, bytes);
        }
        tokens::fill_in(&mut outcome, token);
        outcome
    }

    /// Answers a command that would change nothing (`Err`), or takes memory for the messages that the
    /// answer may have and gives the command back, to be submitted.
    async fn look_ahead(
        &mut self,
        command: Box<Command>,
        has_key: bool,
        is_receive: bool,
    ) -> Result<Box<Command>, Outcome> {
        let SessionDriver { services, frontend, connection, address, .. } = &self.driver;
        // A repetition finds nothing new, and its messages are those of the first attempt.
        let found = match has_key {
            false => match services.try_read_only(frontend, self.now, *connection, &command) {
                Ok(outcome) => return Err(outcome),
                Err(deferred) => deferred,
            },
            true if is_receive => Deferred::MustSubmit { messages: usize::MAX },
            true => Deferred::COMMAND,
        };
        // Before the command moves a cursor past messages that the peer would not get.
        let (Deferred::MustSubmit { messages } | Deferred::Long { messages }) = found;
        let bytes = reply_size::expected_bytes(messages);
        let reserved = unread::resize_within(&mut self.unread, services, *address, bytes).await;
        if reserved.is_err() {
            frontend.metrics.note_refused(Limit::Unread);
            return Err(Err(Refusal::Overloaded));
        }
        if let Deferred::Long { .. } = found {
            let reading = services.read_only_blocking(frontend.clone(), *connection, command);
            match reading.await.map_err(Err)? {
                (_, Ok(outcome)) => {
                    self.hold_answer(&outcome);
                    return Err(outcome);
                }
                // Something has changed meanwhile.
                (same, Err(_)) => return Ok(same),
            }
        }
        Ok(command)
    }

    /// After a wait: what was reserved for an answer becomes what it takes.
    fn hold_answer(&mut self, outcome: &Outcome) {
        self.now = self.driver.services.clock.now();
        if let Some(unread) = &mut self.unread {
            unread.hold(reply_size::bytes_of(outcome));
        }
    }
}

/// What a session tied to an exchange, as if it were a connection, ends with it.
impl Drop for Exchange {
    fn drop(&mut self) {
        self.driver.disconnect();
    }
}

/// Refuses an idempotency key that is too long to store with every command.
fn check_key(pending: &Pending) -> Result<(), HttpError> {
    match pending {
        Pending::Command { key: Some(key), .. } if key.len() > KEY_BYTES_MAX => {
            let reason = format!("the Idempotency-Key is longer than {KEY_BYTES_MAX} bytes");
            Err(HttpError::new(400, reason))
        }
        Pending::Command { .. } | Pending::Query(_) | Pending::Fetch(_) | Pending::Authorize(_) => {
            Ok(())
        }
    }
}

/// What there is too much of when a request must slow down.
fn excess(pending: &Pending) -> &'static str {
    let Pending::Command { command, .. } = pending else { return "too many requests" };
    match &**command {
        Command::Post { .. } | Command::PostDirect { .. } | Command::Enter { .. } => {
            "too many messages"
        }
        Command::SignIn { credential: Credential::Password(_), .. } => "too many failed sign-ins",
        Command::CreateRoom { owner: None, .. } => "too many new rooms",
        // Each may make an account.
        Command::SignIn { .. }
        | Command::Register { .. }
        | Command::UpdateUser { .. }
        | Command::CreateRoom { .. }
        | Command::Join { .. } => "too many new accounts",
        _ => "too many requests",
    }
}

fn panicked(_: Panicked) -> HttpError {
    HttpError::new(503, "the gateway could not answer this request")
}

/// The peer's address has too many replies that it has not read.
pub(crate) fn unread_error() -> HttpError {
    retry_later(503, "too many long replies wait to be read", 1_000)
}

/// An error with a `Retry-After` header, in whole seconds.
pub(crate) fn retry_later(status: u16, reason: &str, retry_after_ms: u64) -> HttpError {
    let secs = Duration::from_millis(retry_after_ms).as_secs_f64().ceil().max(1.0);
    HttpError::new(status, reason).with_header("retry-after", format!("{secs}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_idempotency_key_has_a_length() {
        let checked = |len: usize| {
            let key = Some("k".repeat(len));
            check_key(&Pending::Command { command: Box::new(Command::Expire), key })
        };
        assert!(checked(KEY_BYTES_MAX).is_ok());
        assert_eq!(checked(KEY_BYTES_MAX + 1).unwrap_err().status, 400);
    }
}
