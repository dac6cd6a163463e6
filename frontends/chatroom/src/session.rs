//! One WebSocket: packets to commands, and answers to packets, in the order of the packets.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use core_model::{
    Command, Event, MessageId, Outcome, PostRight, Query, Refusal, Reply, RoomId, RoomRef,
    SeatKind, Timestamp, Uid, UserRef,
};
use frontend_api::http::Request;
use frontend_api::{CatchingUp, EventFilter, Input, Outbox, Peer, ReplyQueue, Session, Subscribe};

use crate::parse::{self, Packet, Since};
use crate::refusal::{self, INVALID_MESSAGE, SLOW_DOWN};
use crate::sign_in::Proof;
use crate::{Chatroom, encode};

/// The most packets without an answer. The host stops reading from a peer long before.
const PENDING_MAX: usize = 256;

/// The most messages that a join with `since` brings; those before them are a gap.
const MISSED_MAX: u32 = 1_000;

/// The events of this dialect.
const FILTER: EventFilter = EventFilter {
    messages: true,
    presence: true,
    population: false,
    room_changes: false,
    per_session: false,
};

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
    catching_up: CatchingUp<String>,
    over: bool,
}

/// What to send for an answer.
enum PendingReply {
    /// The answer to a join under this name and with this avatar, by a client that asked for what
    /// comes after what it has.
    Join { name: String, avatar: String, since: Option<Since> },
    /// The messages that the client missed of this room.
    Missed { room: RoomId, room_name: String },
    /// The answer to a message with this `client_id`.
    Posted { room_name: String, client_id: String },
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
            catching_up: CatchingUp::default(),
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
            Input::Opened => out.set_event_filter(FILTER),
            Input::Text(text) => self.receive(parse::packet(text), out),
            Input::Binary(_) => self.receive(Err(INVALID_MESSAGE), out),
            Input::Answer(outcome) => self.answer(outcome, out),
            Input::Closed => self.over = true,
            // Only after a join with `since`.
            Input::Event(recorded) => self.pass_on(&recorded.event, out),
            Input::Request(_) | Input::Bytes(_) | Input::Woken | Input::Ending(_) => (),
        }
    }
}

impl ChatSession {
    fn receive(&mut self, packet: Result<Packet, &'static str>, out: &mut Outbox) {
        if let Err(why) = &packet {
            out.note_malformed(why);
        }
        if self.replies.len() + self.deferred.len() == PENDING_MAX {
            self.give_up(out);
        } else if self.joining {
            self.deferred.push_back(packet);
        } else {
            self.process(packet, out);
        }
    }

    /// Sends an event, or keeps it until what the client has missed was sent.
    fn pass_on(&mut self, event: &Event, out: &mut Outbox) {
        let Some(text) = encode::numbered(event) else { return };
        let text = match event {
            Event::Posted { message } => self.catching_up.hold(message, text),
            _ => Some(text),
        };
        if let Some(text) = text {
            out.send_text(text);
        } else if self.catching_up.is_full() {
            self.give_up(out);
        }
    }

    fn give_up(&mut self, out: &mut Outbox) {
        out.send_text(encode::error(SLOW_DOWN));
        out.close();
        self.over = true;
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
            Packet::Join { room, user: name, avatar, since } => {
                if since.is_some() {
                    out.set_event_filter(EventFilter { per_session: true, ..FILTER });
                }
                let room = RoomRef::Name(room);
                let user = self.claim(name.clone());
                self.joining = self.proof.counts_once() && matches!(user, UserRef::Claim(_));
                let given = Some(avatar.clone()).filter(|avatar| !avatar.is_empty());
                let enter =
                    Command::Enter { room, user, seat, opens: true, avatar: given, create: false };
                out.submit_and_subscribe(enter, Subscribe::Seat);
                self.replies.push_command(PendingReply::Join { name, avatar, since });
            }
            Packet::Leave { room, user } => {
                let room = RoomRef::Name(room);
                let user = self.claim(user);
                out.submit_ack_only(Command::Exit { room, user, seat, reason: String::new() });
                self.replies.push_command(PendingReply::Ack);
            }
            Packet::Msg { room: room_name, user, text, client_id } => {
                let room = RoomRef::Name(room_name.clone());
                let author = self.claim(user);
                let standing = PostRight::Seated;
                let post = Command::Post { room, author, text, standing, notice: false };
                if let Some(client_id) = client_id {
                    out.submit_once(post, client_id.clone());
                    self.replies.push_command(PendingReply::Posted { room_name, client_id });
                } else {
                    out.submit_ack_only(post);
                    self.replies.push_command(PendingReply::Ack);
                }
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
            (Some(PendingReply::Join { name, avatar, since }), outcome) => {
                self.entered(name, &avatar, since, outcome, out);
            }
            (Some(PendingReply::Missed { room, room_name }), outcome) => {
                self.catch_up(room, &room_name, outcome, out);
            }
            (
                Some(PendingReply::Posted { room_name, client_id }),
                Ok(Reply::Posted { message }),
            ) => {
                out.send_text(encode::kept(&room_name, &client_id, message.id));
            }
            (_, Err(refusal)) => out.send_text(encode::error(refusal::message(refusal))),
            // The event that follows reaches everyone in the room, this connection included.
            (_, Ok(_)) => (),
        }
    }

    fn entered(
        &mut self,
        name: String,
        avatar: &str,
        since: Option<Since>,
        outcome: &Outcome,
        out: &mut Outbox,
    ) {
        self.joining = false;
        match outcome {
            Ok(Reply::Entered { room, user, again, cursor }) => {
                if *again {
                    let avatar = if avatar.is_empty() { &user.avatar } else { avatar };
                    out.send_text(encode::joined_again(&room.name, user, avatar));
                }
                match since {
                    Some(Since::Message(after)) => {
                        self.catching_up.begin(room.id);
                        let room_name = room.name.clone();
                        out.query(missed(room.id, user.uid, after));
                        self.replies.push_query(PendingReply::Missed { room: room.id, room_name });
                    }
                    Some(Since::Now) => out.send_text(encode::caught_up(&room.name, *cursor)),
                    None => (),
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

    /// Sends what the client missed, and then what was posted meanwhile.
    fn catch_up(&mut self, room: RoomId, room_name: &str, outcome: &Outcome, out: &mut Outbox) {
        let mut current = None;
        match outcome {
            Ok(Reply::Missed { messages, gap, cursor, .. }) => {
                if let Some(gap) = gap {
                    out.send_text(encode::gap(room_name, *gap));
                }
                let texts = messages.iter().filter_map(|it| encode::said(it, true));
                texts.for_each(|text| out.send_text(text));
                current = Some(*cursor);
            }
            Ok(_) => (),
            Err(refusal) => {
                out.send_text(encode::error(refusal::message(refusal)));
                // The ids of later messages would take the client past those that it missed: it is to
                // come again.
                if *refusal == Refusal::Overloaded {
                    out.close();
                    self.over = true;
                    return;
                }
            }
        }
        // The reply has the newest, so there are no more to ask for.
        let held = match current {
            Some(newest) => self.catching_up.end(room, newest, false),
            None => self.catching_up.refuse(room),
        };
        for (id, text) in held {
            out.send_text(text);
            current = current.map(|current| current.max(id));
        }
        if let Some(current) = current {
            out.send_text(encode::caught_up(room_name, current));
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

/// The newest messages after one. Every user in the room may read it, guests too.
fn missed(room: RoomId, user: Option<Uid>, after: MessageId) -> Query {
    let (room, caller) = (RoomRef::Id(room), user.map(UserRef::Id));
    Query::Missed { room, caller, after: Some(after), limit: MISSED_MAX, newest: true }
}
