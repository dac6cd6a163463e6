//! One connection: requests in, replies out in the same order.

use core_model::{
    Command, Credential, Event, Grant, MessageId, NewRoom, NewUser, Outcome, PostRight,
    ProfileChanges, Query, Recorded, Reply, RoomId, RoomRef, SeatKind, Timestamp, TokenHash,
    TokenShape, UserRef,
};
use frontend_api::{
    CatchingUp, Ending, EventFilter, Input, Outbox, ReplyQueue, Session, Subscribe,
};

use crate::Options;
use crate::encode;
use crate::fields::{Code, Verb};
use crate::info::Info;
use crate::parse::{self, Account, Frames, Header, Nonsense, Piece, Request, RoomRequest};

/// The purpose of this dialect's tokens.
const TOKEN_PURPOSE: &str = "token";

/// The maximum number of rooms in one reply.
const ROOM_LIST_MAX: u32 = 1_000;

/// The most messages that one request catches up with.
const CATCH_UP_MAX: u32 = 1_000;

/// `after` of a client that has no message and wants none of the past.
const NOW: MessageId = MessageId((1 << 53) - 1);

/// How long the session waits for the rest of a header whose length is over the limit, so that the
/// reply can name its request.
const OVERLONG_WAIT_MS: u64 = 1_000;

/// How long a frame may take from its first byte to its last.
const FRAME_TIMEOUT_MS: u64 = 60_000;

pub(crate) struct TokenSession {
    frames: Frames,
    /// When the frame that is incomplete has begun.
    begun_at: Option<Timestamp>,
    dialogue: Dialogue,
}

impl TokenSession {
    pub(crate) fn new(options: &Options) -> Self {
        let dialogue = Dialogue {
            token_ttl_ms: options.token_ttl.0,
            hears_messages: options.messages,
            catching_up: None,
            replies: ReplyQueue::default(),
        };
        Self { frames: Frames::new(options.frame_bytes_max), begun_at: None, dialogue }
    }

    fn read(&mut self, now: Timestamp, bytes: &[u8], out: &mut Outbox) {
        let mut has_ended_frame = false;
        self.frames.feed(bytes, |piece| {
            has_ended_frame = true;
            self.dialogue.take(piece, out);
        });
        if has_ended_frame || !self.frames.is_within_frame() {
            self.begun_at = None;
        }
        if self.frames.is_overlong() {
            out.wake_at(now.plus_ms(OVERLONG_WAIT_MS));
        } else if self.begun_at.is_none() && self.frames.is_within_frame() {
            self.begun_at = Some(now);
            out.wake_at(now.plus_ms(FRAME_TIMEOUT_MS));
        }
    }

    /// Ends the connection if a frame takes too long.
    fn check_deadline(&mut self, now: Timestamp, out: &mut Outbox) {
        let Some(due) = self.begun_at.map(|begun_at| begun_at.plus_ms(FRAME_TIMEOUT_MS)) else {
            return;
        };
        if now < due {
            return out.wake_at(due);
        }
        let late = self.frames.give_up_late("the frame did not arrive in time");
        if let Some(piece) = late {
            self.dialogue.take(piece, out);
        }
    }

    /// Ends the wait for the rest of an overlong frame's header. Returns whether there was one.
    fn give_up(&mut self, out: &mut Outbox) -> bool {
        let piece = self.frames.give_up();
        let waited = piece.is_some();
        if let Some(piece) = piece {
            self.dialogue.take(piece, out);
        }
        waited
    }
}

impl Session for TokenSession {
    fn handle(&mut self, now: Timestamp, input: Input<'_>, out: &mut Outbox) {
        match input {
            Input::Opened => self.dialogue.open(out),
            Input::Bytes(bytes) => self.read(now, bytes, out),
            Input::Answer(outcome) => self.dialogue.answer(outcome, out),
            // Only after a request to catch up.
            Input::Event(recorded) => self.dialogue.pass_on(recorded, out),
            Input::Woken => {
                if !self.give_up(out) {
                    self.check_deadline(now, out);
                }
            }
            Input::Ending(ending) => {
                if !self.give_up(out) {
                    last_words(ending, out);
                }
            }
            Input::Request(_) | Input::Text(_) | Input::Binary(_) | Input::Closed => (),
        }
    }
}

/// A draining connection ends after its last reply. One that is cut off gets the reason.
fn last_words(ending: Ending, out: &mut Outbox) {
    let (code, why) = match ending {
        Ending::Draining => return,
        Ending::Idle => (Code::Limit, "nothing came for too long"),
        Ending::Overlong => (Code::Frame, "the frame is too long"),
        Ending::Slow => (Code::Limit, "what was sent is not read"),
        Ending::Removed => (Code::Denied, "an operator has closed the connection"),
    };
    out.send_bytes(encode::failure(Header::default(), code, why));
}

/// The requests, and their pending replies.
struct Dialogue {
    token_ttl_ms: u64,
    /// Whether this connection receives messages.
    hears_messages: bool,
    /// From the first request to catch up on. The session encodes every event itself then, so that
    /// none comes before the missed messages, or again after them.
    catching_up: Option<Box<CatchingUp<Vec<u8>>>>,
    replies: ReplyQueue<PendingReply>,
}

/// What to send for an answer.
enum PendingReply {
    /// The answer, as a reply.
    Reply { verb: Verb, sequence: u32, room_id: u32 },
    /// This frame, whatever the answer: it only waits for its turn. The session closes the
    /// connection after the last one.
    Frame { frame: Vec<u8>, last: bool },
    /// Nothing: what earlier requests led to has come, and the query for missed messages is next.
    CatchUp { room: RoomId },
}

impl Dialogue {
    fn open(&self, out: &mut Outbox) {
        if !self.hears_messages {
            out.set_event_filter(EventFilter { messages: false, ..EventFilter::default() });
        }
    }

    fn take(&mut self, piece: Piece<'_>, out: &mut Outbox) {
        match piece {
            Piece::Frame { header, body } => match parse::request(header.command, body) {
                Ok((verb, request)) => self.ask(verb, header.sequence, request, out),
                Err(Nonsense { code, why }) => {
                    out.note_malformed("a request that cannot be read");
                    self.send_in_turn(encode::failure(header, code, &why), false, out);
                }
            },
            Piece::Broken { header, why } => {
                out.note_malformed("a broken frame");
                self.send_in_turn(encode::failure(header, Code::Frame, &why), true, out);
            }
        }
    }

    fn ask(&mut self, verb: Verb, sequence: u32, request: Request, out: &mut Outbox) {
        let mut room_id = 0;
        match request {
            Request::CreateAccount(account) => {
                out.submit(Command::Register { user: new_user(&account) });
            }
            Request::Login { account, auto_create } => out.submit(sign_in(account, auto_create)),
            Request::CreateRoom { room, client_id } => {
                let create = create_room(room);
                match client_id {
                    Some(client_id) => out.submit_once(create, client_id),
                    None => out.submit(create),
                }
            }
            Request::EnterRoom(room) => out.submit_and_subscribe(enter(room), Subscribe::Seat),
            Request::RoomList { after } => {
                out.query(Query::RoomIds { after, limit: ROOM_LIST_MAX });
            }
            Request::LeaveRoom(room) => {
                room_id = room.0;
                out.submit(leave(room));
            }
            Request::LeaveApplication => out.submit(Command::SignOut { reason: String::new() }),
            Request::ApplyForToken => out.submit(self.issue_token()),
            Request::Heartbeat => {
                return self.send_in_turn(encode::success(verb, sequence, &[]), false, out);
            }
            Request::PostMessage { room, text } => {
                let post = self.post(room, text, out);
                out.submit(post);
            }
            Request::PostOnce { room, client_id, text } => {
                let post = self.post(room, text, out);
                out.submit_once(post, client_id);
            }
            Request::CatchUp { room, after, limit } => {
                room_id = room.0;
                let turn = self.replies.in_turn(PendingReply::CatchUp { room }, out);
                if turn.is_some() {
                    self.begin_to_catch_up(room, out);
                }
                out.query(catch_up(room, after, limit));
            }
        }
        let reply = PendingReply::Reply { verb, sequence, room_id };
        if matches!(verb, Verb::RoomList | Verb::CatchUp) {
            self.replies.push_query(reply);
        } else {
            self.replies.push_command(reply);
        }
    }

    /// Sends a frame that needs no answer, in its turn.
    fn send_in_turn(&mut self, frame: Vec<u8>, last: bool, out: &mut Outbox) {
        if let Some(PendingReply::Frame { frame, last }) =
            self.replies.in_turn(PendingReply::Frame { frame, last }, out)
        {
            send(frame, last, out);
        }
    }

    fn answer(&mut self, outcome: &Outcome, out: &mut Outbox) {
        match self.replies.pop(outcome) {
            Some(PendingReply::Reply { verb, sequence, room_id }) => {
                send(encode::reply(verb, sequence, room_id, outcome), false, out);
                self.note_reply(verb, RoomId(room_id), outcome, out);
            }
            Some(PendingReply::Frame { frame, last }) => send(frame, last, out),
            Some(PendingReply::CatchUp { room }) => self.begin_to_catch_up(room, out),
            None => (),
        }
    }

    /// What a reply means for rooms that the client catches up with.
    fn note_reply(&mut self, verb: Verb, room: RoomId, outcome: &Outcome, out: &mut Outbox) {
        let Some(catching_up) = &mut self.catching_up else { return };
        match (verb, outcome) {
            (Verb::CatchUp, outcome) => {
                let held = match outcome {
                    Ok(Reply::Missed { messages, more, cursor, .. }) => {
                        let frames = messages.iter().filter_map(|message| encode::posted(message));
                        frames.for_each(|frame| send(frame, false, out));
                        catching_up.end(room, *cursor, *more)
                    }
                    _ => catching_up.refuse(room),
                };
                held.into_iter().for_each(|(_, frame)| send(frame, false, out));
            }
            (Verb::LeaveRoom, Ok(_)) => catching_up.forget(room),
            (Verb::Login | Verb::LeaveApplication, Ok(_)) => catching_up.forget_all(),
            _ => (),
        }
    }

    fn begin_to_catch_up(&mut self, room: RoomId, out: &mut Outbox) {
        if self.catching_up.is_none() {
            self.hears_messages = true;
            out.set_event_filter(EventFilter { per_session: true, ..EventFilter::default() });
        }
        self.catching_up.get_or_insert_default().begin(room);
    }

    /// Sends an event, or keeps it until what the client has missed was sent.
    fn pass_on(&mut self, recorded: &Recorded, out: &mut Outbox) {
        let Some(frame) = encode::notification(recorded) else { return };
        let Some(catching_up) = &mut self.catching_up else { return send(frame, false, out) };
        let frame = match &recorded.event {
            Event::Posted { message } => catching_up.hold(message, frame),
            _ => Some(frame),
        };
        if let Some(frame) = frame {
            send(frame, false, out);
        } else if catching_up.is_full() {
            let why = "too much was posted while the missed messages were looked up";
            send(encode::failure(Header::default(), Code::Limit, why), true, out);
        }
    }

    fn issue_token(&self) -> Command {
        let grant = Grant {
            purpose: TOKEN_PURPOSE.into(),
            shape: TokenShape::Number,
            ttl_ms: self.token_ttl_ms,
            sliding: false,
            hash: None,
        };
        Command::IssueToken { user: UserRef::Session, grant }
    }

    /// A client that posts knows the notification, so the session sends it from then on.
    fn hear_messages(&mut self, out: &mut Outbox) {
        if !std::mem::replace(&mut self.hears_messages, true) {
            out.set_event_filter(EventFilter::default());
        }
    }

    fn post(&mut self, room: RoomId, text: String, out: &mut Outbox) -> Command {
        self.hear_messages(out);
        Command::Post {
            room: RoomRef::Id(room),
            author: UserRef::Session,
            text,
            standing: PostRight::Seated,
            notice: false,
        }
    }
}

/// The messages after one, the oldest first: the client asks again until it has all. None after
/// [`NOW`].
fn catch_up(room: RoomId, after: MessageId, limit: u16) -> Query {
    let limit = match u32::from(limit) {
        0 => CATCH_UP_MAX,
        limit => limit.min(CATCH_UP_MAX),
    };
    let (room, caller) = (RoomRef::Id(room), Some(UserRef::Session));
    let after = Some(after).filter(|after| *after != NOW);
    Query::Missed { room, caller, after, limit, newest: false }
}

fn send(frame: Vec<u8>, last: bool, out: &mut Outbox) {
    out.send_bytes(frame);
    if last {
        out.close();
    }
}

/// A login updates the user's profile.
fn sign_in(account: Account, auto_create: bool) -> Command {
    Command::SignIn {
        user: UserRef::Identity(account.identity.clone()),
        credential: Credential::Vouched,
        create: auto_create.then(|| new_user(&account)),
        changes: profile(&account),
        session: true,
        delivery: None,
        token: None,
        address: None,
    }
}

fn new_user(account: &Account) -> NewUser {
    let profile = profile(account);
    NewUser {
        handle: profile.name.clone(),
        insist: false,
        identities: vec![account.identity.clone()],
        password: None,
        profile,
    }
}

fn profile(account: &Account) -> ProfileChanges {
    let name = account.info.as_ref().and_then(|info| info.name.clone());
    let info = account.info.as_ref().map(|info| info.text.clone());
    ProfileChanges { name, info, ..ProfileChanges::default() }
}

fn create_room(RoomRequest { app_code, token, info }: RoomRequest) -> Command {
    let owner = TokenHash::of(TOKEN_PURPOSE, &token.to_string());
    let owner = Some(UserRef::Token(owner));
    Command::CreateRoom { room: new_room(app_code, info), owner, members: None }
}

fn new_room(app_code: u16, info: Option<Info>) -> NewRoom {
    let given = info.is_some();
    let info = info.unwrap_or_default();
    NewRoom {
        name: info.name,
        section: info.section.unwrap_or_default(),
        description: info.description.unwrap_or_default(),
        app_code: Some(app_code),
        info: given.then_some(info.text),
        // In the document, entering a room is a separate step.
        owner_absent: true,
        ..NewRoom::default()
    }
}

fn enter(room: RoomId) -> Command {
    Command::Enter {
        room: RoomRef::Id(room),
        user: UserRef::Session,
        seat: SeatKind::Connection,
        opens: false,
        avatar: None,
        create: false,
    }
}

fn leave(room: RoomId) -> Command {
    Command::Exit {
        room: RoomRef::Id(room),
        user: UserRef::Session,
        seat: SeatKind::Connection,
        reason: String::new(),
    }
}
