//! One WebSocket: packets to commands, answers to packets, in the order in which they came.

use std::collections::VecDeque;
use std::sync::Arc;

use core_model::{
    Command, Outcome, PostRight, Query, Reply, RoomRef, SeatKind, Timestamp, UserRef,
};
use frontend_api::http::Request;
use frontend_api::{EventFilter, Input, Outbox, Peer, Session, Subscribe};

use crate::parse::{self, Packet};
use crate::refusal::{self, INVALID_MESSAGE, SLOW_DOWN};
use crate::{Chatroom, Proof, encode};

/// How many answers may be owed at once. The host stops reading from a peer long before so many
/// are, so that nobody gets here whom it holds back.
const OWED_MAX: usize = 256;

pub(crate) struct ChatSession {
    dialect: Arc<Chatroom>,
    proof: Proof,
    /// What the engine was asked and has not answered, oldest first.
    owed: VecDeque<Owed>,
    over: bool,
}

enum Owed {
    /// The answer to a join with this avatar.
    Entrance { avatar: String },
    /// The answer to a leave or a message: if all is well, the event says so.
    Receipt,
    /// The answer to a question that was asked only so that this error, which needs no engine,
    /// comes after all that earlier packets led to.
    Complaint(&'static str),
}

impl ChatSession {
    pub(crate) fn new(dialect: Arc<Chatroom>, peer: &Peer, upgrade: &Request) -> Self {
        let proof = dialect.proof(peer, upgrade);
        Self { dialect, proof, owed: VecDeque::new(), over: false }
    }
}

impl Session for ChatSession {
    fn handle(&mut self, _now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        if self.over {
            return;
        }
        match input {
            Input::Opened => {
                out.set_event_filter(EventFilter { population: false, ..EventFilter::default() })
            }
            Input::Text(text) => self.take(parse::packet(text), out),
            Input::Binary(_) => self.take(Err(INVALID_MESSAGE), out),
            Input::Answer(outcome) => self.answer(outcome, out),
            Input::Closed => self.over = true,
            Input::Request(_)
            | Input::Bytes(_)
            | Input::Event(_)
            | Input::Woken
            | Input::Ending(_) => (),
        }
    }
}

impl ChatSession {
    fn take(&mut self, packet: Result<Packet, &'static str>, out: &mut Outbox) {
        if self.owed.len() == OWED_MAX {
            out.send_text(encode::error(SLOW_DOWN));
            out.close();
            self.over = true;
            return;
        }
        match packet {
            Ok(packet) => self.call(packet, out),
            Err(complaint) if self.owed.is_empty() => out.send_text(encode::error(complaint)),
            Err(complaint) => {
                out.query(Query::LastChange);
                self.owed.push_back(Owed::Complaint(complaint));
            }
        }
    }

    fn call(&mut self, packet: Packet, out: &mut Outbox) {
        let seat = SeatKind::Connection;
        match packet {
            Packet::Join { room, user, avatar } => {
                let (room, user) = (RoomRef::Name(room), self.claim(user));
                let given = Some(avatar.clone()).filter(|avatar| !avatar.is_empty());
                let enter = Command::Enter { room, user, seat, opens: true, avatar: given };
                out.submit_and_subscribe(enter, Subscribe::Seat);
                self.owed.push_back(Owed::Entrance { avatar });
            }
            Packet::Leave { room, user } => {
                let (room, user) = (RoomRef::Name(room), self.claim(user));
                out.submit_ack_only(Command::Exit { room, user, seat, reason: String::new() });
                self.owed.push_back(Owed::Receipt);
            }
            Packet::Msg { room, user, text } => {
                let (room, author) = (RoomRef::Name(room), self.claim(user));
                let standing = PostRight::Seated;
                out.submit_ack_only(Command::Post { room, author, text, standing, notice: false });
                self.owed.push_back(Owed::Receipt);
            }
        }
    }

    fn claim(&self, user: String) -> UserRef {
        self.dialect.claim(user, self.proof.clone())
    }

    fn answer(&mut self, outcome: &Outcome, out: &mut Outbox) {
        match (self.owed.pop_front(), outcome) {
            (Some(Owed::Complaint(complaint)), _) => out.send_text(encode::error(complaint)),
            (_, Err(refusal)) => out.send_text(encode::error(refusal::message(refusal))),
            (Some(Owed::Entrance { avatar }), Ok(Reply::Entered { room, user, again: true })) => {
                let avatar = if avatar.is_empty() { &user.avatar } else { &avatar };
                out.send_text(encode::joined_again(&room.name, user, avatar));
            }
            // The event that follows tells everyone in the room, this connection included.
            (_, Ok(_)) => (),
        }
    }
}
