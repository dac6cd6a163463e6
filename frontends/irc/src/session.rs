//! One connection: takes in lines, answers, events and alarms, and dispatches each.

use core_model::{Outcome, Timestamp};
use frontend_api::{Ending, EventFilter, Input, Outbox, Session};

use crate::commands::VERBS;
use crate::numeric::*;
use crate::parse::{self, Line, LineFault, Message};
use crate::pending::PendingReply;
use crate::pending_lines::Received;
use crate::state::{IrcSession, farewell, send};

impl Session for IrcSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        self.now = now;
        if self.over {
            return;
        }
        match input {
            Input::Opened => self.open(out),
            Input::Text(text) => {
                self.heard_at = now;
                match parse::line(text) {
                    Line::Empty => (),
                    Line::Refused(fault, label) => {
                        out.note_malformed(match fault {
                            LineFault::TooLong => "a line that is too long",
                            LineFault::Broken => "a line with a NUL or a CR in it",
                        });
                        self.take_line(Received::Refused(fault, label), out);
                    }
                    Line::Message(message) => {
                        self.take_line(Received::Message(text, message), out);
                    }
                }
            }
            Input::Binary(bytes) => {
                self.heard_at = now;
                out.note_malformed("a line that is not UTF-8");
                let text = String::from_utf8_lossy(bytes).into_owned();
                self.take_line(Received::NotUtf8(text), out);
            }
            Input::Answer(outcome) => self.answer(outcome, out),
            Input::Event(recorded) => self.event(recorded, out),
            Input::Woken => self.wake(out),
            Input::Ending(ending) => send(farewell(ending_text(ending)), out),
            Input::Closed => {
                self.over = true;
                self.leave_directory(out);
            }
            Input::Request(_) | Input::Bytes(_) => (),
        }
    }
}

impl IrcSession {
    fn open(&mut self, out: &mut Outbox) {
        out.set_event_filter(EventFilter {
            population: false,
            room_changes: true,
            ..EventFilter::default()
        });
        if self.options.sign_on_timeout.0 > 0 {
            out.wake_at(self.now.plus_ms(self.options.sign_on_timeout.0));
        }
    }

    /// Runs a line whose turn it is.
    pub(crate) fn run_line(&mut self, line: Received<'_>, out: &mut Outbox) {
        match line {
            Received::Message(_, message) => {
                self.with_label(&message, out, |session, out| session.run(&message, out));
            }
            Received::Refused(fault, label) => {
                let label = self.usable_label(label);
                self.with_label_of(label, out, |session, out| session.refuse_line(fault, out));
            }
            Received::NotUtf8(text) => {
                self.spoil_batch(out);
                self.reject_bytes(&text, out);
            }
        }
    }

    fn refuse_line(&mut self, fault: LineFault, out: &mut Outbox) {
        self.spoil_batch(out);
        let line = match fault {
            LineFault::TooLong => self.numeric(ERR_INPUTTOOLONG, &[], "The line is too long"),
            LineFault::Broken => {
                self.numeric(ERR_UNKNOWNERROR, &["*"], "A line has no NUL and no CR in it")
            }
        };
        self.say(vec![line], out);
    }

    pub(crate) fn run(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let signed_on = self.sign_on.is_none();
        let name = message.verb.as_str();
        let error = match VERBS.iter().find(|verb| verb.name == name) {
            None if signed_on => {
                out.note_malformed("an unknown command");
                self.numeric(ERR_UNKNOWNCOMMAND, &[name], "Unknown command")
            }
            Some(verb) if verb.early || signed_on => {
                if message.given() >= verb.params_min {
                    return (verb.run)(self, message, out);
                }
                self.numeric(ERR_NEEDMOREPARAMS, &[name], "Not enough parameters")
            }
            _ => self.numeric(ERR_NOTREGISTERED, &[], "You have not registered"),
        };
        self.say(vec![error], out);
    }

    /// Names the command, if the line has one.
    fn reject_bytes(&mut self, text: &str, out: &mut Outbox) {
        let reject = |session: &mut Self, verb: &str, out: &mut Outbox| {
            let why = "A line is UTF-8, and this one was not";
            let line = session.fail(verb, "INVALID_UTF8", &[], why);
            session.say(vec![line], out);
        };
        match parse::line(text) {
            Line::Message(message) => self.with_label(&message, out, |session, out| {
                let known = VERBS.iter().find(|verb| verb.name == message.verb);
                reject(session, known.map_or("*", |verb| verb.name), out);
            }),
            Line::Refused(_, label) => {
                let label = self.usable_label(label);
                self.with_label_of(label, out, |session, out| reject(session, "*", out));
            }
            Line::Empty => reject(self, "*", out),
        }
    }

    fn answer(&mut self, outcome: &Outcome, out: &mut Outbox) {
        let Some(reply) = self.pending.next_reply(outcome) else { return };
        let is_turn = matches!(reply, PendingReply::Turn);
        match reply {
            PendingReply::LabelEnd => self.end_label(out),
            reply => self.capture(out, |session, out| session.reply(reply, outcome, out)),
        }
        self.release_held(out);
        self.run_waiting(out);
        if is_turn {
            self.renew_turn(out);
        }
    }

    fn reply(&mut self, reply: PendingReply, outcome: &Outcome, out: &mut Outbox) {
        use PendingReply::*;

        match reply {
            Turn | LabelEnd => (),
            Say(lines) => lines.into_iter().for_each(|line| send(line, out)),
            End(why) => self.end_now(&why, out),
            Ignore => (),
            Proof => self.authenticated(outcome, out),
            SignOn => self.signed_on(outcome, out),
            Switch => self.switched(outcome, out),
            Nick { name, seen } => self.nick_looked_up(name, seen, outcome, out),
            Join(room) => self.entered(&room, outcome, out),
            Part { room, reason } => self.parted(&room, &reason, outcome, out),
            JoinedNames(room) => self.send_joined_names(&room, outcome, out),
            Names { room, ends } => self.send_listed_names(&room, ends.as_deref(), outcome, out),
            Topic(room) => self.send_topic(&room, outcome, out),
            TopicChange(room) => self.topic_changed(&room, outcome, out),
            Kick(target) => self.kick_found(target, outcome, out),
            Kicked(room) => self.kicked(&room, outcome, out),
            Invite(target) => self.send_invite(&target, outcome, out),
            ModeChange(change) => self.change_modes(&change, outcome, out),
            PolicyChanged { room, secret } => self.policy_changed(&room, secret, outcome, out),
            Masks { room, list } => self.send_masks(&room, list, outcome, out),
            Invited(target) => self.invited(&target, outcome, out),
            RoleChanged(target) => self.role_changed(&target, outcome, out),
            Mode(room) => self.send_modes(&room, outcome, out),
            List(filter) => self.send_list(&filter, outcome, out),
            ListOne(filter) => self.send_list_entry(filter.as_ref(), outcome, out),
            WhoRoom { room, mask, format } => {
                self.send_who_room(&room, &mask, &format, outcome, out);
            }
            FindIn { room, nick } => self.find_in(&room, &nick, outcome),
            Operator { token, request } => self.authorized(token, request, outcome, out),
            Whisper(whisper) => self.whispered(whisper, outcome, out),
            TagMessage(message) => self.send_tag_message(&message, outcome, out),
            Away(away) => self.went_away(away, outcome, out),
            SetName(name) => self.name_set(name, outcome, out),
            Ison(nick) => self.ison_found(nick, outcome),
            IsonEnd(known) => self.send_ison(known, out),
            Who { mask, format } => self.send_who(&mask, &format, outcome, out),
            Whois(nick) => self.send_whois(&nick, outcome, out),
            Post(post) => self.posted(&post, outcome, out),
            Redacted { target, given } => self.redacted((&target, &given), outcome, out),
            Marking(marking) => self.marking_answered(&marking, outcome, out),
            JoinedMarker(room) => self.send_joined_marker(&room, outcome, out),
            Missed => self.take_missed(outcome),
            Playback(room) => self.send_playback(&room, outcome, out),
            HistoryGap => self.take_history_gap(outcome),
            History(target) => self.send_history(&target, outcome, out),
            HistoryTargets => self.send_history_targets(outcome, out),
        }
    }

    /// The alarm has gone off, or another session has left an event.
    fn wake(&mut self, out: &mut Outbox) {
        if self.sign_on.is_some() {
            return self.end_now("it took too long to sign on", out);
        }
        self.take_peer_events(out);
        let keepalive = self.options.keepalive.0;
        let silent = self.now.0.saturating_sub(self.heard_at.0);
        if keepalive > 0 && silent >= keepalive.saturating_mul(2) {
            return self.end_now("ping timeout", out);
        }
        // Events of other sessions wake it as well.
        let is_pinged = self.pinged_at > self.heard_at;
        if keepalive > 0 && silent >= keepalive && !is_pinged {
            self.pinged_at = self.now;
            send(format!("PING {}", self.options.server_name), out);
        }
        self.ask_if_due(out);
        self.set_alarm(out);
    }

    /// Sets the alarm for what is next: the keepalive, or a PING that asks for messages.
    pub(crate) fn set_alarm(&self, out: &mut Outbox) {
        let keepalive = self.options.keepalive.0;
        let silent = self.now.0.saturating_sub(self.heard_at.0);
        let periods = if silent >= keepalive { 2 } else { 1 };
        let keepalive_at = self.heard_at.plus_ms(keepalive.saturating_mul(periods));
        let keepalive_at = Some(keepalive_at).filter(|_| keepalive > 0);
        if let Some(at) = keepalive_at.into_iter().chain(self.ask_due()).min() {
            out.wake_at(at);
        }
    }

    /// Starts the alarm that watches for a silent client.
    pub(crate) fn start_keepalive(&self, out: &mut Outbox) {
        if self.options.keepalive.0 > 0 {
            out.wake_at(self.now.plus_ms(self.options.keepalive.0));
        }
    }
}

fn ending_text(ending: Ending) -> &'static str {
    match ending {
        Ending::Draining => "the gateway is shutting down",
        Ending::Idle => "nothing was heard for too long",
        Ending::Overlong => "the line is too long",
        Ending::Slow => "what was sent is not being read",
        Ending::Removed => "an operator has closed the connection",
    }
}
