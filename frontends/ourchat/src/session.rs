//! One connection: the user logged in on it, the pending replies, and the messages that wait for
//! them.

use std::collections::VecDeque;

use core_model::{Outcome, Reply, Timestamp, Uid};
use frontend_api::{Ending, Input, Outbox, Session, Subscribe};

use crate::encode::{self, Wanted};
use crate::parse::{self, Line};
use crate::{Options, refusal};

/// The maximum number of pending replies, and of deferred messages. The host stops reading before
/// the engine has so many queries; this bounds what the host does not count.
const WAITING_MAX: usize = 256;

/// The maximum size of the deferred messages in bytes; a single one may be of any size.
const HELD_BYTES_MAX: usize = 1 << 20;

pub(crate) struct OurchatSession {
    options: Options,
    /// Whether the peer uses lines over TCP, where no close code tells the reason for closing.
    lines: bool,
    logged_in: Option<Uid>,
    /// Pending replies, oldest first.
    owed: VecDeque<Owed>,
    /// Messages that arrived during a registration or login, oldest first.
    held: VecDeque<Held>,
    held_bytes: usize,
}

/// A reply that needs an answer of the engine, and the replies that wait behind it.
struct Owed {
    asked: Asked,
    then: Vec<Known>,
}

/// The purpose of a query or command.
enum Asked {
    Text,
    Register,
    /// Opens the session of the account that was just registered.
    NewAccount,
    Login,
    Group,
    Account(Wanted),
}

/// A reply without its time, which is set when it is sent.
enum Known {
    Status,
    Verified,
    NotRegistered(String),
    NoGroup(String),
    Failure(String),
}

/// A message from the peer that is not parsed yet.
enum Held {
    Text(String),
    Binary,
}

impl Session for OurchatSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Text(text) => self.hear(now, Some(text), out),
            Input::Binary(_) => self.hear(now, None, out),
            Input::Answer(outcome) => self.settle(now, outcome, out),
            Input::Ending(ending) if self.lines => {
                out.send_text(encode::failure(now, last_words(ending).into()));
            }
            Input::Opened
            | Input::Request(_)
            | Input::Bytes(_)
            | Input::Event(_)
            | Input::Woken
            | Input::Ending(_)
            | Input::Closed => (),
        }
    }
}

fn last_words(ending: Ending) -> &'static str {
    match ending {
        Ending::Draining => "the gateway is shutting down",
        Ending::Idle => "nothing was heard for too long",
        Ending::Overlong => "the line is too long",
        Ending::Slow => "what was sent is not being read",
    }
}

impl OurchatSession {
    pub(crate) fn new(options: Options, lines: bool) -> Self {
        let (owed, held) = (VecDeque::new(), VecDeque::new());
        Self { options, lines, logged_in: None, owed, held, held_bytes: 0 }
    }

    /// Handles a text message, or a binary one, which this dialect refuses.
    fn hear(&mut self, now: Timestamp, text: Option<&str>, out: &mut Outbox) {
        if self.is_full(text.map_or(0, str::len)) {
            out.send_text(encode::failure(now, "too many messages wait for their replies".into()));
        } else if self.is_deciding() {
            self.hold(text);
        } else {
            self.begin(now, line(text), out);
        }
    }

    fn is_full(&self, bytes: usize) -> bool {
        let owed: usize = self.owed.iter().map(|owed| 1 + owed.then.len()).sum();
        let too_many = owed + self.held.len() >= WAITING_MAX;
        let too_long = !self.held.is_empty() && self.held_bytes + bytes > HELD_BYTES_MAX;
        too_many || too_long
    }

    /// Whether a login or registration is pending: later messages may depend on it. The session
    /// asks the engine for nothing meanwhile, so it is the last pending reply.
    fn is_deciding(&self) -> bool {
        let last = self.owed.back();
        last.is_some_and(|owed| {
            matches!(owed.asked, Asked::Login | Asked::NewAccount | Asked::Register)
        })
    }

    fn hold(&mut self, text: Option<&str>) {
        self.held_bytes += text.map_or(0, str::len);
        self.held.push_back(text.map_or(Held::Binary, |text| Held::Text(text.into())));
    }

    fn begin(&mut self, now: Timestamp, line: Line, out: &mut Outbox) {
        match (self.ask(line, out), self.owed.back_mut()) {
            (Ok(asked), _) => self.owed.push_back(Owed { asked, then: Vec::new() }),
            (Err(known), Some(last)) => last.then.push(known),
            (Err(known), None) => known.send(now, out),
        }
    }

    /// Asks the engine, or replies where no answer of the engine is needed.
    fn ask(&self, line: Line, out: &mut Outbox) -> Result<Asked, Known> {
        match line {
            Line::Nonsense(why) => Err(Known::Failure(why)),
            Line::Status => Err(Known::Status),
            Line::Verify => Err(Known::Verified),
            Line::Register(message) => {
                let refused = |why: &str| Known::NotRegistered(why.into());
                out.submit(parse::register(message).map_err(refused)?);
                Ok(Asked::Register)
            }
            Line::Login(message) => {
                let command = parse::login(message, self.options).map_err(Known::Failure)?;
                out.submit_and_subscribe(command, Subscribe::User);
                Ok(Asked::Login)
            }
            Line::Text(message) => {
                let refused = |why: &str| Known::Failure(why.into());
                out.submit_ack_only(parse::post(message, self.logged_in()?).map_err(refused)?);
                Ok(Asked::Text)
            }
            Line::Group(message) => {
                self.logged_in()?;
                let refused = |why: &str| Known::NoGroup(why.into());
                out.submit(parse::group(message, self.options).map_err(refused)?);
                Ok(Asked::Group)
            }
            Line::Account(message) => {
                self.logged_in()?;
                out.query(parse::account(&message));
                Ok(Asked::Account(Wanted::of(&message.request_values)))
            }
        }
    }

    fn logged_in(&self) -> Result<Uid, Known> {
        self.logged_in.ok_or_else(|| Known::Failure("not logged in".into()))
    }

    /// Sends the oldest pending reply, then the replies that waited for it.
    fn settle(&mut self, now: Timestamp, outcome: &Outcome, out: &mut Outbox) {
        let Some(Owed { asked, then }) = self.owed.pop_front() else { return };
        self.answer(now, &asked, outcome, out);
        for known in then {
            known.send(now, out);
        }
        while !self.is_deciding()
            && let Some(held) = self.held.pop_front()
        {
            self.release(now, held, out);
        }
    }

    fn answer(&mut self, now: Timestamp, asked: &Asked, outcome: &Outcome, out: &mut Outbox) {
        let style = self.options.ocid;
        match asked {
            // On success the event is the reply.
            Asked::Text => {
                if let Err(refused) = outcome {
                    out.send_text(encode::failure(now, refusal::details(refused)));
                }
            }
            Asked::Register => {
                out.send_text(encode::registered(now, style, outcome));
                self.sign_in_registered(outcome, out);
            }
            // The registration is answered already; this only opens the session.
            Asked::NewAccount => self.log_in(outcome, out),
            Asked::Login => {
                out.send_text(encode::logged_in(now, style, outcome));
                self.log_in(outcome, out);
            }
            Asked::Group => out.send_text(encode::group_created(now, outcome)),
            Asked::Account(wanted) => {
                out.send_text(encode::account(now, style, *wanted, outcome));
            }
        }
    }

    /// A registration signs this connection in as the new account.
    fn sign_in_registered(&mut self, outcome: &Outcome, out: &mut Outbox) {
        if let Ok(Reply::Registered { user, .. }) = outcome
            && let Some(uid) = user.person.uid
        {
            out.submit_and_subscribe(parse::sign_in(uid, self.options), Subscribe::User);
            self.owed.push_back(Owed { asked: Asked::NewAccount, then: Vec::new() });
        }
    }

    /// A failed login keeps the previous one.
    fn log_in(&mut self, outcome: &Outcome, out: &mut Outbox) {
        if let Ok(Reply::SignedIn { user, backlog, .. }) = outcome {
            self.logged_in = user.person.uid;
            for message in backlog {
                out.send_text(encode::text(self.options.ocid, message));
            }
        }
    }

    fn release(&mut self, now: Timestamp, held: Held, out: &mut Outbox) {
        match held {
            Held::Text(text) => {
                self.held_bytes -= text.len();
                self.begin(now, line(Some(&text)), out);
            }
            Held::Binary => self.begin(now, line(None), out),
        }
    }
}

fn line(text: Option<&str>) -> Line {
    let binary = || Line::Nonsense("a message is text, not bytes".into());
    text.map_or_else(binary, parse::line)
}

impl Known {
    fn send(self, now: Timestamp, out: &mut Outbox) {
        out.send_text(match self {
            Self::Status => encode::status(now),
            Self::Verified => encode::verified(now),
            Self::NotRegistered(why) => encode::not_registered(now, 1, why),
            Self::NoGroup(why) => encode::no_group(now, why),
            Self::Failure(why) => encode::failure(now, why),
        });
    }
}
