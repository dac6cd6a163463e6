//! One connection: the user logged in on it, the pending replies, and the messages that wait for
//! them.

use std::collections::VecDeque;

use core_model::{MessageId, Outcome, Reply, Timestamp, Uid};
use frontend_api::{Ending, Input, Outbox, Output, ReplyQueue, Session, Subscribe};

use crate::encode::{self, Wanted};
use crate::parse::{self, Line};
use crate::{Options, refusal};

/// The maximum number of pending replies and deferred messages. The host stops reading from a peer
/// with far fewer unanswered requests; this bounds the deferred messages, which it does not count.
const WAITING_MAX: usize = 256;

/// The maximum size of the deferred messages in bytes; a single one may be of any size.
const DEFERRED_BYTES_MAX: usize = 1 << 20;

pub(crate) struct OurchatSession {
    options: Options,
    /// Whether the peer uses lines over TCP, where no close code tells the reason for closing.
    lines: bool,
    logged_in: Option<Uid>,
    replies: ReplyQueue<PendingReply>,
    /// Messages that arrived during a registration or login, oldest first.
    deferred: VecDeque<Deferred>,
    deferred_bytes: usize,
}

/// What to send for an answer of the engine.
enum PendingReply {
    /// The reply to a request of this kind.
    To(RequestKind),
    /// This reply, which needs no answer but waits for its turn.
    Ready(ReadyReply),
}

enum RequestKind {
    Text,
    /// A text with a `client_id`.
    NamedText(String),
    Register,
    /// Opens the session of the account that was just registered.
    NewAccount,
    Login,
    Group,
    Account(Wanted),
}

/// A reply without its time, which is set when it is sent.
enum ReadyReply {
    Status,
    Verified,
    NotRegistered(String),
    NoGroup(String),
    Failure(String),
}

/// A message from the peer that is not parsed yet.
enum Deferred {
    Text(String),
    Binary,
}

impl Session for OurchatSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        let mut sent = Outbox::default();
        self.react(now, input, &mut sent);
        if let Some(why) = sent.malformed() {
            out.note_malformed(why);
        }
        for output in sent.drain() {
            out.push(match output {
                Output::SendText(text) => {
                    Output::SendText(encode::in_charset(self.options.charset, text))
                }
                other => other,
            });
        }
    }
}

impl OurchatSession {
    fn react(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        match input {
            // The host takes bytes for text where they are UTF-8 by chance.
            Input::Text(text) if self.lines => self.take_line(now, text.as_bytes(), out),
            Input::Binary(line) if self.lines => self.take_line(now, line, out),
            Input::Text(text) => self.take(now, Some(text), out),
            Input::Binary(_) => self.take(now, None, out),
            Input::Answer(outcome) => self.answer(now, outcome, out),
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
        Ending::Removed => "an operator has closed the connection",
    }
}

impl OurchatSession {
    pub(crate) fn new(options: Options, lines: bool) -> Self {
        Self {
            options,
            lines,
            logged_in: None,
            replies: ReplyQueue::default(),
            deferred: VecDeque::new(),
            deferred_bytes: 0,
        }
    }

    /// Handles a line in the charset of the clients.
    fn take_line(&mut self, now: Timestamp, line: &[u8], out: &mut Outbox) {
        self.take(now, self.options.charset.decode(line).as_deref(), out);
    }

    /// Handles a text message, or a binary one, which this dialect refuses.
    fn take(&mut self, now: Timestamp, text: Option<&str>, out: &mut Outbox) {
        if self.is_full(text.map_or(0, str::len)) {
            out.send_text(encode::failure(now, "too many messages wait for their replies".into()));
        } else if self.is_deciding() {
            self.defer(text);
        } else {
            self.begin(now, line(text), out);
        }
    }

    fn is_full(&self, bytes: usize) -> bool {
        let too_many = self.replies.len() + self.deferred.len() >= WAITING_MAX;
        let too_long =
            !self.deferred.is_empty() && self.deferred_bytes + bytes > DEFERRED_BYTES_MAX;
        too_many || too_long
    }

    /// Whether a login or registration is pending: later messages may depend on it. The session
    /// submits nothing meanwhile, so it is the last pending reply.
    fn is_deciding(&self) -> bool {
        matches!(
            self.replies.last(),
            Some(PendingReply::To(
                RequestKind::Login | RequestKind::NewAccount | RequestKind::Register
            ))
        )
    }

    fn defer(&mut self, text: Option<&str>) {
        self.deferred_bytes += text.map_or(0, str::len);
        self.deferred.push_back(text.map_or(Deferred::Binary, |text| Deferred::Text(text.into())));
    }

    fn begin(&mut self, now: Timestamp, line: Line, out: &mut Outbox) {
        // One of 0 follows a login in one go, which may have failed.
        if let Line::Acknowledge(message) = &line
            && (self.logged_in.is_some() || message.cid.0 == 0)
        {
            return out.acknowledge(MessageId(message.cid.0));
        }
        match self.submit(line, out) {
            Ok(RequestKind::Account(wanted)) => {
                self.replies.push_query(PendingReply::To(RequestKind::Account(wanted)));
            }
            Ok(kind) => self.replies.push_command(PendingReply::To(kind)),
            Err(ready) => {
                if let Some(PendingReply::Ready(ready)) =
                    self.replies.in_turn(PendingReply::Ready(ready), out)
                {
                    ready.send(now, out);
                }
            }
        }
    }

    /// Submits a request to the engine. `Err` is the reply to one that needs no answer.
    fn submit(&self, line: Line, out: &mut Outbox) -> Result<RequestKind, ReadyReply> {
        match line {
            Line::Nonsense(why) => {
                out.note_malformed("a message that cannot be read");
                Err(ReadyReply::Failure(why))
            }
            Line::Status => Err(ReadyReply::Status),
            Line::Verify => Err(ReadyReply::Verified),
            Line::Acknowledge(_) => Err(ReadyReply::Failure("not logged in".into())),
            Line::Register(message) => {
                let refused = |why: &str| ReadyReply::NotRegistered(why.into());
                out.submit(parse::register(message).map_err(refused)?);
                Ok(RequestKind::Register)
            }
            Line::Login(message) => {
                let command = parse::login(message, self.options).map_err(ReadyReply::Failure)?;
                out.submit_and_subscribe(command, Subscribe::User);
                Ok(RequestKind::Login)
            }
            Line::Text(message) => {
                let client_id = message.client_id.clone();
                let post = parse::post(message, self.logged_in()?);
                let post = post.map_err(|why| ReadyReply::Failure(why.into()))?;
                let Some(client_id) = client_id else {
                    out.submit_ack_only(post);
                    return Ok(RequestKind::Text);
                };
                out.submit_once(post, client_id.clone());
                Ok(RequestKind::NamedText(client_id))
            }
            Line::Group(message) => {
                self.logged_in()?;
                let refused = |why: &str| ReadyReply::NoGroup(why.into());
                let client_id = message.client_id.clone();
                let create = parse::group(message, self.options).map_err(refused)?;
                match client_id {
                    Some(client_id) => out.submit_once(create, client_id),
                    None => out.submit(create),
                }
                Ok(RequestKind::Group)
            }
            Line::Account(message) => {
                self.logged_in()?;
                out.query(parse::account(&message));
                Ok(RequestKind::Account(Wanted::of(&message.request_values)))
            }
        }
    }

    fn logged_in(&self) -> Result<Uid, ReadyReply> {
        self.logged_in.ok_or_else(|| ReadyReply::Failure("not logged in".into()))
    }

    fn answer(&mut self, now: Timestamp, outcome: &Outcome, out: &mut Outbox) {
        match self.replies.pop(outcome) {
            Some(PendingReply::To(kind)) => self.reply(now, &kind, outcome, out),
            Some(PendingReply::Ready(ready)) => ready.send(now, out),
            None => return,
        }
        while !self.is_deciding()
            && let Some(deferred) = self.deferred.pop_front()
        {
            self.release(now, deferred, out);
        }
    }

    fn reply(&mut self, now: Timestamp, kind: &RequestKind, outcome: &Outcome, out: &mut Outbox) {
        let style = self.options.ocid;
        match kind {
            // On success the event is the reply.
            RequestKind::Text => {
                if let Err(refused) = outcome {
                    out.send_text(encode::failure(now, refusal::details(refused)));
                }
            }
            RequestKind::NamedText(client_id) => {
                out.send_text(encode::kept(now, client_id, outcome));
            }
            RequestKind::Register => {
                out.send_text(encode::registered(now, style, outcome));
                self.sign_in_registered(outcome, out);
            }
            // The registration is answered already; this only opens the session.
            RequestKind::NewAccount => self.log_in(now, outcome, out),
            RequestKind::Login => {
                out.send_text(encode::logged_in(now, style, outcome));
                self.log_in(now, outcome, out);
            }
            RequestKind::Group => out.send_text(encode::group_created(now, outcome)),
            RequestKind::Account(wanted) => {
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
            self.replies.push_command(PendingReply::To(RequestKind::NewAccount));
        }
    }

    /// A failed login keeps the previous one.
    fn log_in(&mut self, now: Timestamp, outcome: &Outcome, out: &mut Outbox) {
        if let Ok(Reply::SignedIn { user, backlog, gap, .. }) = outcome {
            self.logged_in = user.person.uid;
            if let Some(gap) = gap {
                out.send_text(encode::gap(now, *gap));
            }
            for message in backlog {
                out.send_text(encode::text(self.options.ocid, message));
                out.mark(message.id);
            }
            // One after the last message is acknowledged by itself, else each login would tell it.
            let last_missing = gap.map(|gap| MessageId(gap.before.0.saturating_sub(1)));
            let last = backlog.last().map(|message| message.id);
            if let Some(missing) = last_missing.filter(|missing| Some(*missing) > last) {
                out.mark(missing);
            }
        }
    }

    fn release(&mut self, now: Timestamp, deferred: Deferred, out: &mut Outbox) {
        match deferred {
            Deferred::Text(text) => {
                self.deferred_bytes -= text.len();
                self.begin(now, line(Some(&text)), out);
            }
            Deferred::Binary => self.begin(now, line(None), out),
        }
    }
}

fn line(text: Option<&str>) -> Line {
    let binary = || Line::Nonsense("a message is text, not bytes".into());
    text.map_or_else(binary, parse::line)
}

impl ReadyReply {
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
