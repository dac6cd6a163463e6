//! One HTTP exchange: a session that lives for one response.

use std::collections::VecDeque;
use std::net::IpAddr;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::Duration;

use core_model::{Command, ConnectionId, Outcome, Query, Refusal, Timestamp};
use frontend_api::http::{HttpError, Request, Response};
use frontend_api::{Input, Outbox, Output, Peer, Session};

use crate::runtime::fanout::fanout::Ticket;
use crate::runtime::frontends::instance::Served;
use crate::runtime::session::admission::{check_message, needs_passwords, settle_passwords, ties};
use crate::runtime::session::services::Shared;
use crate::runtime::session::tokens;

struct Exchange<'a> {
    shared: &'a Arc<Shared>,
    served: &'a Arc<Served>,
    address: IpAddr,
    id: ConnectionId,
    /// The time: of the request, then of what was last waited for.
    now: Timestamp,
    session: Box<dyn Session>,
    /// Whether the engine may hold something for this exchange.
    tied: bool,
    /// Whether the session has closed.
    hung_up: bool,
}

/// What of a session's outputs concerns an exchange.
enum Wish {
    Call { command: Box<Command>, key: Option<String> },
    Ask(Box<Query>),
}

/// Has the front end answer a request. Refused: what HTTP itself has a status for.
pub(crate) async fn exchange(
    shared: &Arc<Shared>,
    served: &Arc<Served>,
    address: IpAddr,
    peer: &Peer,
    request: &Request,
) -> Result<Response, HttpError> {
    let open = AssertUnwindSafe(|| served.frontend.open(peer));
    let session = catch_unwind(open).map_err(|_| panicked(served))?;
    let (id, now) = (shared.next_connection(), shared.clock.now());
    let (tied, hung_up) = (false, false);
    let exchange = Exchange { shared, served, address, id, now, session, tied, hung_up };
    exchange.run(request).await
}

impl Exchange<'_> {
    async fn run(mut self, request: &Request) -> Result<Response, HttpError> {
        let mut wishes = VecDeque::new();
        let mut response = self.feed(Input::Opened, &mut wishes)?;
        if response.is_none() {
            response = self.feed(Input::Request(request), &mut wishes)?;
        }
        loop {
            if let Some(response) = response {
                return Ok(response);
            }
            let Some(wish) = wishes.pop_front() else {
                self.served.left_unanswered(self.hung_up);
                return Err(HttpError::new(503, "the gateway has no answer"));
            };
            let outcome = self.grant(wish).await;
            match &outcome {
                Err(Refusal::SlowDown { retry_after_ms }) => {
                    return Err(retry_later(429, "too many messages", *retry_after_ms));
                }
                Err(Refusal::Overloaded) => {
                    return Err(retry_later(503, "the gateway is overloaded", 1_000));
                }
                _ => (),
            }
            self.shared.skipped.note(self.served, &outcome);
            response = self.feed(Input::Answer(&outcome), &mut wishes)?;
        }
    }

    fn feed(
        &mut self,
        input: Input<'_>,
        wishes: &mut VecDeque<Wish>,
    ) -> Result<Option<Response>, HttpError> {
        let mut out = Outbox::default();
        let handle = AssertUnwindSafe(|| self.session.handle(self.now, input, &mut out));
        catch_unwind(handle).map_err(|_| panicked(self.served))?;
        let mut response = None;
        for output in out.drain() {
            match output {
                Output::Submit { command, key, .. } => {
                    wishes.push_back(Wish::Call { command, key });
                }
                Output::Query { query } => wishes.push_back(Wish::Ask(query)),
                Output::Respond(given) => response = response.or(Some(given)),
                Output::Close => self.hung_up = true,
                // There is no stream to send on, nothing to hear of, and no time to wait.
                Output::SendBytes(_)
                | Output::SendText(_)
                | Output::SetEventFilter(_)
                | Output::WakeAt(_) => (),
            }
        }
        Ok(response)
    }

    async fn grant(&mut self, wish: Wish) -> Outcome {
        match wish {
            Wish::Call { command, key } => self.call(command, key).await,
            Wish::Ask(query) if self.shared.is_heavy(&query) => {
                let apart = self.shared.clone().ask_apart(self.served.clone(), self.id, query);
                let outcome = apart.await;
                self.now = self.shared.clock.now();
                outcome
            }
            Wish::Ask(query) => self.shared.ask(self.served, self.now, self.id, &query),
        }
    }

    async fn call(&mut self, mut command: Box<Command>, key: Option<String>) -> Outcome {
        let (served, now_ns) = (self.served, self.shared.clock.steady_ns());
        served
            .paces
            .of(self.address, now_ns, |pace| check_message(served, pace, now_ns, &command))?;
        if let Some(outcome) = self.shared.try_read_only(served, self.now, self.id, &command) {
            return outcome;
        }
        if needs_passwords(&command) {
            command = settle_passwords(self.shared, command).await?;
        }
        let token = tokens::draw(&mut command)?;
        self.tied |= ties(&command);
        let mut outcome = self.shared.call(served, self.id, *command, key.as_deref()).await;
        self.now = self.shared.clock.now();
        tokens::fill_in(&mut outcome, token);
        outcome
    }
}

/// What a front end tied to an exchange, as if it were a connection, ends with it.
impl Drop for Exchange<'_> {
    fn drop(&mut self) {
        if self.tied {
            let command = Command::Disconnect { delivered: None };
            self.shared.submit_always(self.served, self.id, command, Ticket::Nobody);
        }
    }
}

fn panicked(served: &Served) -> HttpError {
    served.panicked("in an exchange");
    HttpError::new(503, "the gateway could not answer this request")
}

pub(crate) fn retry_later(status: u16, reason: &str, retry_after_ms: u64) -> HttpError {
    let secs = Duration::from_millis(retry_after_ms).as_secs_f64().ceil().max(1.0);
    HttpError::new(status, reason).with_header("retry-after", format!("{secs}"))
}
