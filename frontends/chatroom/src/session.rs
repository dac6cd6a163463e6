//! One WebSocket: packets to commands, and answers to packets, in the order of the packets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use core_model::{Command, Outcome, PostRight, Reply, RoomRef, SeatKind, Timestamp, Uid, UserRef};
use frontend_api::http::Request;
use frontend_api::{EventFilter, Input, Outbox, Peer, ReplyQueue, Session, Subscribe};

use crate::parse::{self, Packet};
use crate::refusal::{self, INVALID_MESSAGE, SLOW_DOWN};
use crate::sign_in::Proof;
use crate::{Chatroom, encode};

/// The most packets without an answer. The host stops reading from a peer long before.
const PENDING_MAX: usize = 256;

/// The most names that a connection keeps as proven.
const PROVEN_MAX: usize = 16;

pub(crate) struct ChatSession {
    dialect: Arc<Chatroom>,
    proof: Proof,
    replies: ReplyQueue<PendingReply>,
    /// The users that this connection has joined as, by name, where a login by address counts for
    /// one join: after it, the connection is the proof.
    proven: BTreeMap<String, Uid>,
    /// Packets behind a join that may prove the name in them.
    deferred: VecDeque<Result<Packet, &'static str>>,
    joining: bool,
    over: bool,
}

/// What to send for an answer.
enum PendingReply {
    /// The answer to a join under this name and with this avatar.
    Join { name: String, avatar: String },
    /// The answer to a leave or a message: on success the event is the reply.
    Ack,
    /// This error, which needs no answer but waited for its turn.
    Error(&'static str),
}

impl ChatSession {
    pub(crate) fn new(dialect: Arc<Chatroom>, peer: &Peer, upgrade: &Request) -> Self {
        let proof = dialect.proof(peer, upgrade);
        Self {
            dialect,
            proof,
            replies: ReplyQueue::default(),
            proven: BTreeMap::new(),
            deferred: VecDeque::new(),
            joining: false,
            over: false,
        }
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
            Input::Text(text) => self.receive(parse::packet(text), out),
            Input::Binary(_) => self.receive(Err(INVALID_MESSAGE), out),
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
    fn receive(&mut self, packet: Result<Packet, &'static str>, out: &mut Outbox) {
        if self.replies.len() + self.deferred.len() == PENDING_MAX {
            out.send_text(encode::error(SLOW_DOWN));
            out.close();
            self.over = true;
        } else if self.joining {
            self.deferred.push_back(packet);
        } else {
            self.process(packet, out);
        }
    }

    fn process(&mut self, packet: Result<Packet, &'static str>, out: &mut Outbox) {
        match packet {
            Ok(packet) => self.submit(packet, out),
            Err(error) => {
                let now = self.replies.in_turn(PendingReply::Error(error), out);
                if now.is_some() {
                    out.send_text(encode::error(error));
                }
            }
        }
    }

    fn submit(&mut self, packet: Packet, out: &mut Outbox) {
        let seat = SeatKind::Connection;
        match packet {
            Packet::Join { room, user: name, avatar } => {
                let room = RoomRef::Name(room);
                let user = self.claim(name.clone());
                self.joining = self.proof.counts_once() && matches!(user, UserRef::Claim(_));
                let given = Some(avatar.clone()).filter(|avatar| !avatar.is_empty());
                let enter = Command::Enter { room, user, seat, opens: true, avatar: given };
                out.submit_and_subscribe(enter, Subscribe::Seat);
                self.replies.push_command(PendingReply::Join { name, avatar });
            }
            Packet::Leave { room, user } => {
                let room = RoomRef::Name(room);
                let user = self.claim(user);
                out.submit_ack_only(Command::Exit { room, user, seat, reason: String::new() });
                self.replies.push_command(PendingReply::Ack);
            }
            Packet::Msg { room, user, text } => {
                let room = RoomRef::Name(room);
                let author = self.claim(user);
                let standing = PostRight::Seated;
                out.submit_ack_only(Command::Post { room, author, text, standing, notice: false });
                self.replies.push_command(PendingReply::Ack);
            }
        }
    }

    fn claim(&self, name: String) -> UserRef {
        match self.proven.get(&name) {
            Some(uid) => UserRef::Id(*uid),
            None => self.dialect.claim(name, self.proof.clone()),
        }
    }

    fn answer(&mut self, outcome: &Outcome, out: &mut Outbox) {
        match (self.replies.pop(outcome), outcome) {
            (Some(PendingReply::Error(error)), _) => out.send_text(encode::error(error)),
            (Some(PendingReply::Join { name, avatar }), outcome) => {
                self.entered(name, &avatar, outcome, out);
            }
            (_, Err(refusal)) => out.send_text(encode::error(refusal::message(refusal))),
            // The event that follows reaches everyone in the room, this connection included.
            (_, Ok(_)) => (),
        }
    }

    fn entered(&mut self, name: String, avatar: &str, outcome: &Outcome, out: &mut Outbox) {
        self.joining = false;
        match outcome {
            Ok(Reply::Entered { room, user, again }) => {
                if *again {
                    let avatar = if avatar.is_empty() { &user.avatar } else { avatar };
                    out.send_text(encode::joined_again(&room.name, user, avatar));
                }
                self.remember(name, user.uid);
            }
            Ok(_) => (),
            Err(refusal) => out.send_text(encode::error(refusal::message(refusal))),
        }
        while let Some(packet) = self.deferred.pop_front() {
            self.process(packet, out);
            if self.joining {
                break;
            }
        }
    }

    fn remember(&mut self, name: String, uid: Option<Uid>) {
        if let Some(uid) = uid
            && self.proof.counts_once()
            && self.proven.len() < PROVEN_MAX
        {
            self.proven.insert(name, uid);
        }
    }
}
