//! Splits bytes into frames, and parses frames into requests.

use core_model::bounds::SUBJECT_BYTES_MAX;
use core_model::{MessageId, RoomId};

use crate::fields::{self, Body, Code, Operation, Verb};
use crate::info::Info;

/// The size of a frame's `length` in bytes, which `length` does not include.
const LENGTH_BYTES: usize = 4;

/// The size of a frame before its body in bytes: length, command and sequence.
const HEADER_BYTES: usize = LENGTH_BYTES + LENGTH_LEAST as usize;

/// The minimum `length`: command and sequence.
const LENGTH_LEAST: u32 = 6;

/// The longest `client_id`, in bytes: leaves room in an idempotency key for what makes it the
/// caller's own.
const CLIENT_ID_BYTES_MAX: usize = 200;

/// The command and sequence of a frame.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Header {
    pub(crate) command: u16,
    pub(crate) sequence: u32,
}

/// A piece of the stream.
#[derive(Debug, Eq, PartialEq)]
pub(crate) enum Piece<'a> {
    Frame {
        header: Header,
        body: &'a [u8],
    },
    /// From here on frame boundaries are unknown; no piece follows.
    Broken {
        header: Header,
        why: String,
    },
}

/// Finds the frames in a stream that may be split anywhere.
#[derive(Debug)]
pub(crate) struct Frames {
    length_max: u32,
    /// An incomplete frame: at most `length_max` + 4 bytes.
    begun: Vec<u8>,
    broken: bool,
}

impl Frames {
    pub(crate) fn new(length_max: u32) -> Self {
        Self { length_max, begun: Vec::new(), broken: false }
    }

    /// Passes every complete piece to `take`.
    pub(crate) fn feed(&mut self, mut bytes: &[u8], mut take: impl FnMut(Piece<'_>)) {
        while !bytes.is_empty() && !self.broken {
            let begun = !self.begun.is_empty();
            if begun {
                self.top_up(&mut bytes);
            }
            match scan(if begun { &self.begun } else { bytes }, self.length_max) {
                Scan::Needs(_) if begun => (),
                Scan::Needs(_) => self.begun.extend(std::mem::take(&mut bytes)),
                Scan::Found(piece, count) => {
                    self.broken = matches!(piece, Piece::Broken { .. });
                    take(piece);
                    // Frees the buffer, so that an idle connection has none.
                    if begun { self.begun = Vec::new() } else { bytes = &bytes[count..] }
                }
            }
        }
    }

    /// Moves as many bytes as are known to belong to the incomplete frame.
    fn top_up(&mut self, bytes: &mut &[u8]) {
        if let Scan::Needs(count) = scan(&self.begun, self.length_max) {
            let missing = (count - self.begun.len()).min(bytes.len());
            let (head, tail) = bytes.split_at(missing);
            self.begun.extend(head);
            *bytes = tail;
        }
    }

    /// Whether the incomplete frame is too long, and will be refused once its command and sequence
    /// are known.
    pub(crate) fn is_overlong(&self) -> bool {
        length(&self.begun).is_some_and(|length| length > self.length_max)
    }

    /// Whether a frame has begun that is not complete.
    pub(crate) fn is_within_frame(&self) -> bool {
        !self.broken && !self.begun.is_empty()
    }

    /// Gives up on a frame that does not come to its end, using the part of its header that has
    /// arrived.
    pub(crate) fn give_up_late(&mut self, why: &str) -> Option<Piece<'static>> {
        if !self.is_within_frame() {
            return None;
        }
        self.broken = true;
        let begun = std::mem::take(&mut self.begun);
        Some(Piece::Broken { header: header(&begun), why: why.into() })
    }

    /// Gives up on an overlong frame, using the part of its header that has arrived.
    pub(crate) fn give_up(&mut self) -> Option<Piece<'static>> {
        if self.broken || !self.is_overlong() {
            return None;
        }
        self.broken = true;
        let begun = std::mem::take(&mut self.begun);
        Some(overlong(length(&begun)?, self.length_max, header(&begun)))
    }
}

enum Scan<'a> {
    /// Needs at least this many bytes.
    Needs(usize),
    /// The first piece and its size in bytes.
    Found(Piece<'a>, usize),
}

fn scan(bytes: &[u8], length_max: u32) -> Scan<'_> {
    let Some(length) = length(bytes) else {
        return Scan::Needs(LENGTH_BYTES);
    };
    if length < LENGTH_LEAST {
        let why = format!("length is {length}, command and sequence take {LENGTH_LEAST}");
        return Scan::Found(Piece::Broken { header: Header::default(), why }, LENGTH_BYTES);
    }
    if bytes.len() < HEADER_BYTES {
        return Scan::Needs(HEADER_BYTES);
    }
    let header = header(bytes);
    if length > length_max {
        return Scan::Found(overlong(length, length_max, header), HEADER_BYTES);
    }
    let end = LENGTH_BYTES + length as usize;
    match bytes.get(HEADER_BYTES..end) {
        Some(body) => Scan::Found(Piece::Frame { header, body }, end),
        None => Scan::Needs(end),
    }
}

fn overlong(length: u32, length_max: u32, header: Header) -> Piece<'static> {
    Piece::Broken { header, why: format!("length is {length}, at most {length_max} is read") }
}

fn length(bytes: &[u8]) -> Option<u32> {
    bytes.first_chunk().map(|length| u32::from_be_bytes(*length))
}

/// Command and sequence; 0 where they have not arrived.
fn header(bytes: &[u8]) -> Header {
    let command = bytes.get(LENGTH_BYTES..).and_then(<[u8]>::first_chunk);
    let sequence = bytes.get(LENGTH_BYTES + 2..).and_then(<[u8]>::first_chunk);
    Header {
        command: command.map_or(0, |bytes| u16::from_be_bytes(*bytes)),
        sequence: sequence.map_or(0, |bytes| u32::from_be_bytes(*bytes)),
    }
}

/// A parsed request.
#[derive(Debug, PartialEq)]
pub(crate) enum Request {
    CreateAccount(Account),
    Login { account: Account, auto_create: bool },
    CreateRoom { room: RoomRequest, client_id: Option<String> },
    EnterRoom(RoomId),
    RoomList { after: RoomId },
    LeaveRoom(RoomId),
    LeaveApplication,
    ApplyForToken,
    Heartbeat,
    PostMessage { room: RoomId, text: String },
    CatchUp { room: RoomId, after: MessageId, limit: u16 },
    PostOnce { room: RoomId, client_id: String, text: String },
}

/// A room to create.
#[derive(Debug, PartialEq)]
pub(crate) struct RoomRequest {
    pub(crate) app_code: u16,
    pub(crate) token: u64,
    pub(crate) info: Option<Info>,
}

/// The identity that a client claims.
#[derive(Debug, PartialEq)]
pub(crate) struct Account {
    /// `openid:<openid_type>/<openid>`
    pub(crate) identity: String,
    pub(crate) info: Option<Info>,
}

/// A request that is answered without the engine, and its result.
#[derive(Debug, Eq, PartialEq)]
pub(crate) struct Nonsense {
    pub(crate) code: Code,
    pub(crate) why: String,
}

/// Reads a frame.
pub(crate) fn request(command: u16, body: &[u8]) -> Result<(Verb, Request), Nonsense> {
    let operation = Operation::of(command).ok_or_else(|| Nonsense {
        code: Code::Command,
        why: format!("there is no command {command}"),
    })?;
    let body =
        fields::read(operation.request, body).map_err(|why| Nonsense { code: Code::Frame, why })?;
    let room = || RoomId(body.number("room_id"));
    let request = match operation.verb {
        Verb::CreateAccount => Request::CreateAccount(account(&body)?),
        Verb::Login => {
            let auto_create = body.number::<i32>("auto_create") != 0;
            Request::Login { account: account(&body)?, auto_create }
        }
        Verb::CreateRoom => Request::CreateRoom { room: room_request(&body), client_id: None },
        Verb::CreateRoomOnce => {
            Request::CreateRoom { room: room_request(&body), client_id: Some(client_id(&body)?) }
        }
        Verb::EnterRoom => Request::EnterRoom(room()),
        Verb::RoomList => Request::RoomList { after: room() },
        Verb::LeaveRoom => Request::LeaveRoom(room()),
        Verb::LeaveApplication => Request::LeaveApplication,
        Verb::ApplyForToken => Request::ApplyForToken,
        Verb::Heartbeat => Request::Heartbeat,
        Verb::PostMessage => {
            Request::PostMessage { room: room(), text: body.text("text").to_owned() }
        }
        Verb::CatchUp => Request::CatchUp {
            room: room(),
            after: MessageId(body.number("after")),
            limit: body.number("limit"),
        },
        Verb::PostOnce => Request::PostOnce {
            room: room(),
            client_id: client_id(&body)?,
            text: body.text("text").to_owned(),
        },
    };
    Ok((operation.verb, request))
}

fn room_request(body: &Body<'_>) -> RoomRequest {
    RoomRequest {
        app_code: body.number("app_code"),
        token: body.number("token"),
        info: Info::of(body.text("info")),
    }
}

fn client_id(body: &Body<'_>) -> Result<String, Nonsense> {
    let client_id = body.text("client_id");
    let why = match client_id.len() {
        0 => "client_id is empty".to_owned(),
        1..=CLIENT_ID_BYTES_MAX => return Ok(client_id.to_owned()),
        more => format!("client_id has {more} bytes, over {CLIENT_ID_BYTES_MAX}"),
    };
    Err(Nonsense { code: Code::Argument, why })
}

/// A type must not contain a slash, because a slash ends the type in an identity.
fn account(body: &Body<'_>) -> Result<Account, Nonsense> {
    let unacceptable = |why: String| Err(Nonsense { code: Code::Argument, why });
    for name in ["openid", "openid_type"] {
        match body.text(name).len() {
            0 => return unacceptable(format!("{name} is empty")),
            1..=SUBJECT_BYTES_MAX => (),
            more => {
                let why = format!("{name} has {more} bytes, over {SUBJECT_BYTES_MAX}");
                return unacceptable(why);
            }
        }
    }
    let openid = body.text("openid");
    let openid_type = body.text("openid_type");
    if openid_type.contains('/') {
        return unacceptable("openid_type has a slash".into());
    }
    let identity = format!("openid:{openid_type}/{openid}");
    Ok(Account { identity, info: Info::of(body.text("info")) })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(frames: &mut Frames, bytes: &[u8]) -> Vec<(Header, Vec<u8>)> {
        let mut found = Vec::new();
        frames.feed(bytes, |piece| match piece {
            Piece::Frame { header, body } => found.push((header, body.to_vec())),
            Piece::Broken { why, .. } => panic!("{why}"),
        });
        found
    }

    fn frame(sequence: u8, body_bytes: u32) -> Vec<u8> {
        let mut bytes = (LENGTH_LEAST + body_bytes).to_be_bytes().to_vec();
        bytes.extend([0, 4, 0, 0, 0, sequence]);
        bytes.resize(HEADER_BYTES + body_bytes as usize, sequence);
        bytes
    }

    #[test]
    fn an_unfinished_frame_is_all_that_is_kept() {
        let mut frames = Frames::new(1_024);
        let largest = frame(1, 1_024 - LENGTH_LEAST);
        let stream = [frame(7, 3), largest.clone(), largest].concat();
        for bytes in stream.chunks(100) {
            whole(&mut frames, bytes);
            assert!(frames.begun.len() <= 1_024 + LENGTH_BYTES, "{}", frames.begun.len());
        }
        assert_eq!(frames.begun.capacity(), 0, "nothing is kept between frames");
    }

    #[test]
    fn nothing_is_kept_of_what_follows_a_broken_frame() {
        let mut frames = Frames::new(1_024);
        let mut pieces = 0;
        for _ in 0..100 {
            frames.feed(&[0xFF; 1_000], |_| pieces += 1);
            assert!(frames.begun.is_empty());
        }
        assert_eq!(pieces, 1);
    }
}
