//! One connection: who is logged in, which replies are owed, and what waits for them.

use std::collections::VecDeque;

use core_model::{Outcome, Reply, Timestamp, Uid};
use frontend_api::{Ending, Input, Outbox, Session, Subscribe};

use crate::encode::{self, Wanted};
use crate::parse::{self, Line};
use crate::{Options, refusal};

/// How many replies may be owed, and messages held, at once. The host stops reading before so
/// many questions are with the engine; this bounds what it does not count.
const WAITING_MAX: usize = 256;

/// How many bytes of messages may be held; one is held whatever its size.
const HELD_BYTES_MAX: usize = 1 << 20;

pub(crate) struct OurchatSession {
    options: Options,
    /// Whether the peer speaks lines, which have no close code to say why they end.
    lines: bool,
    logged_in: Option<Uid>,
    /// Replies owed, oldest first.
    owed: VecDeque<Owed>,
    /// What came while an account or a login was being decided, oldest first.
    held: VecDeque<Held>,
    held_bytes: usize,
}

/// A reply that the engine must answer first, and those that have to wait for it.
struct Owed {
    asked: Asked,
    then: Vec<Known>,
}

/// What the engine was asked for.
enum Asked {
    Text,
    Register,
    /// The session of the account that was just registered.
    NewAccount,
    Login,
    Group,
    Account(Wanted),
}

/// A reply without its time, which is that of sending.
enum Known {
    Status,
    Verified,
    NotRegistered(String),
    NoGroup(String),
    Failure(String),
}

/// A message from the peer that is not looked at yet.
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

    /// Takes in a text, or a binary message, which has nothing in it for this dialect.
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

    /// Whether it is still open who is logged in, or whether an account exists: what comes next
    /// may rest on it. Nothing is asked for meanwhile, so it is the last that is owed.
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

    /// Asks the engine, or says what needs no asking.
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

    /// Pays the oldest reply owed, then whatever waited for it.
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
            // Registering was answered; this only opens the session.
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

    /// Registering signs this connection in as the new account.
    fn sign_in_registered(&mut self, outcome: &Outcome, out: &mut Outbox) {
        if let Ok(Reply::Registered { user, .. }) = outcome
            && let Some(uid) = user.person.uid
        {
            out.submit_and_subscribe(parse::sign_in(uid, self.options), Subscribe::User);
            self.owed.push_back(Owed { asked: Asked::NewAccount, then: Vec::new() });
        }
    }

    /// A login that failed leaves the former one as it was.
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
