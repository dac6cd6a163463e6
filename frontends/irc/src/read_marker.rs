//! MARKREAD of IRCv3 draft/read-marker: up to when the user has read a channel or a conversation.
//!
//! The engine keeps the markers of accounts. What it does not know, the session remembers for as long
//! as it lasts: the markers of guests, and those of conversations with guests.

use core_model::{
    Command, ConversationRef, Outcome, Query, Refusal, Reply, RoomRef, Timestamp, UserRef,
};
use frontend_api::Outbox;

use crate::caps::Caps;
use crate::encode;
use crate::names;
use crate::parse::Message;
use crate::peer_event::PeerAction;
use crate::pending::{Marking, PendingReply};
use crate::refusal::{self, RequestKind};
use crate::selectors;
use crate::state::{IrcSession, send};

/// The most markers that a session remembers.
const REMEMBERED_MAX: usize = 1_000;

impl IrcSession {
    pub(crate) fn mark_read(&mut self, message: &Message<'_>, out: &mut Outbox) {
        let wrong = |code, about: &str, why| (code, about.to_owned(), why);
        let target = message.param(0);
        let time = message.optional(1).filter(|_| message.given() > 1);
        let at = time.map(selectors::timestamp);
        let error = if target.is_empty() {
            wrong("NEED_MORE_PARAMS", "", "Missing parameters")
        } else if message.given() > 2 {
            wrong("INVALID_PARAMS", message.param(2), "Too many parameters")
        } else if at == Some(None) {
            wrong("INVALID_PARAMS", time.unwrap_or_default(), "A time is timestamp=<time>")
        } else if let Some((conversation, target)) = self.marked(target) {
            return self.submit_marking(conversation, Marking { target, at: at.flatten() }, out);
        } else {
            wrong("INVALID_PARAMS", target, "That is neither a channel nor a nick")
        };
        let (code, about, why) = error;
        let line = self.fail("MARKREAD", code, &[&about], why);
        self.say(vec![line], out);
    }

    /// The conversation of a target, whether or not it exists, and its name.
    fn marked(&self, target: &str) -> Option<(ConversationRef, String)> {
        if let Some(room) = names::room(target) {
            let room = self.joined_name(room);
            let name = names::channel(&room);
            return Some((ConversationRef::Room(RoomRef::Name(room)), name));
        }
        let handle = self.account_handle(target)?;
        let name = names::nick_of(&handle);
        Some((ConversationRef::User(UserRef::Handle(handle)), name))
    }

    fn submit_marking(
        &mut self,
        conversation: ConversationRef,
        marking: Marking,
        out: &mut Outbox,
    ) {
        if self.me.uid.is_none() {
            let line = self.remember_marker(&marking);
            return self.say(vec![line], out);
        }
        let user = UserRef::Session;
        match marking.at {
            Some(at) => {
                out.submit(Command::MarkRead { user, conversation, at });
                self.expect(PendingReply::Marking(marking));
            }
            None => {
                let query = Query::ReadMarker { user, conversation };
                self.query(query, PendingReply::Marking(marking), out);
            }
        }
    }

    pub(crate) fn marking_answered(
        &mut self,
        marking: &Marking,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        let target = &marking.target;
        match outcome {
            Ok(Reply::ReadMarker { at }) => {
                send(self.marker_line(target, *at), out);
                // An earlier time than the stored one has changed nothing.
                if marking.at.is_some() && marking.at == *at {
                    self.tell_marker(target, *at, out);
                }
            }
            Err(Refusal::UnknownRoom | Refusal::UnknownUser) => {
                send(self.remember_marker(marking), out);
            }
            _ => {
                let unexpected = Refusal::Internal { why: String::new() };
                let refusal = outcome.as_ref().err().unwrap_or(&unexpected);
                let why = refusal::text(RequestKind::Channel, refusal);
                send(self.fail("MARKREAD", "INTERNAL_ERROR", &[target], &why), out);
            }
        }
    }

    /// Tells the other connections of the account.
    fn tell_marker(&self, target: &str, at: Option<Timestamp>, out: &mut Outbox) {
        let Some(entry) = &self.entry else { return };
        let event = self.my_event(PeerAction::Read { target: target.to_owned(), at });
        let wakes = entry.tell_own(&event);
        self.wake_all(wakes, out);
    }

    /// Sets or gets a marker of this session only. Returns the reply.
    fn remember_marker(&mut self, marking: &Marking) -> String {
        let key = names::fold(&marking.target);
        let known = self.markers.get(&key).copied();
        let at = marking.at.map(|at| at.min(self.now)).filter(|at| Some(*at) > known);
        if let Some(at) = at {
            if known.is_none() && self.markers.len() >= REMEMBERED_MAX {
                self.markers.pop_first();
            }
            self.markers.insert(key, at);
        }
        self.marker_line(&marking.target, at.or(known))
    }

    /// `*` stands for no marker.
    pub(crate) fn marker_line(&self, target: &str, at: Option<Timestamp>) -> String {
        let time = at.and_then(encode::time).map(|time| format!("timestamp={time}"));
        let time = time.unwrap_or_else(|| "*".into());
        format!(":{} MARKREAD {target} {time}", self.options.server_name)
    }

    // On joining.

    /// Queries the marker of a room that the client joins, for clients that want to know it. The
    /// reply precedes the end of NAMES: IRCv3 read-marker, "Command flows".
    pub(crate) fn query_joined_marker(&mut self, room: &str, out: &mut Outbox) {
        if !self.has(Caps::READ_MARKER) {
            return;
        }
        let reply = PendingReply::JoinedMarker(room.to_owned());
        if self.me.uid.is_none() {
            return self.wait_turn(reply, out);
        }
        let conversation = ConversationRef::Room(RoomRef::Name(room.to_owned()));
        let query = Query::ReadMarker { user: UserRef::Session, conversation };
        self.query(query, reply, out);
    }

    pub(crate) fn send_joined_marker(&mut self, room: &str, outcome: &Outcome, out: &mut Outbox) {
        if !self.joined {
            return;
        }
        let target = names::channel(room);
        let line = match outcome {
            Ok(Reply::ReadMarker { at }) => self.marker_line(&target, *at),
            _ => self.remember_marker(&Marking { target, at: None }),
        };
        send(line, out);
    }
}
