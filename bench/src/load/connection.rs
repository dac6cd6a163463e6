//! One connection of the client: its socket, its stage, and its partial reads and writes.

use std::io;
use std::net::{IpAddr, SocketAddr};

use mio::net::TcpStream;
use socket2::{Domain, Protocol, Socket, Type};

use super::frames::{self, Found, Frame};
use super::mark;
use super::talk::{Seat, Step, Talk};
use super::wire::Wire;

/// Bytes per read; bounds how long one connection delays the others.
pub(super) const CHUNK_BYTES: usize = 64 * 1024;

pub(super) struct Connection {
    wire: Wire,
    talk: Talk,
    path: String,
    pub(super) stage: Stage,
    /// The beginning of a partial frame.
    partial: Vec<u8>,
    /// Bytes that the socket has not accepted.
    unsent: Vec<u8>,
    messages: Vec<Message>,
    next_message: usize,
    /// The unanswered HTTP request.
    asked: Option<u32>,
}

/// A frame of a message, and where its mark is.
struct Message {
    bytes: Vec<u8>,
    mark: Option<usize>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
pub(super) enum Stage {
    Connecting,
    Upgrading,
    Joining,
    In,
    Gone(String),
}

/// An event of a connection.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Heard {
    Message {
        speaker: u32,
        number: u32,
    },
    /// A message of this connection was refused; its number, if the dialect has it.
    Refused {
        number: Option<u32>,
    },
}

impl Connection {
    /// Begins to connect.
    pub(super) fn open(seat: &Seat) -> io::Result<Self> {
        let socket = TcpStream::from_std(connect(seat.address, seat.from)?.into());
        Ok(Self {
            wire: Wire::new(socket, seat.encryption.as_ref())?,
            talk: seat.talk.clone(),
            path: seat.path.clone(),
            stage: Stage::Connecting,
            partial: Vec::new(),
            unsent: Vec::new(),
            messages: Vec::new(),
            next_message: 0,
            asked: None,
        })
    }

    pub(super) fn stream(&mut self) -> &mut TcpStream {
        self.wire.socket()
    }

    /// Whether a message can be posted now: not while an HTTP request is unanswered.
    pub(super) fn may_say(&self) -> bool {
        self.stage == Stage::In && self.asked.is_none()
    }

    /// Posts the next message.
    pub(super) fn say(&mut self, speaker: u32, number: u32) {
        let at = self.next_message;
        self.next_message = (at + 1) % self.messages.len();
        let mut message = std::mem::take(&mut self.messages[at].bytes);
        if let Some(mark) = self.messages[at].mark {
            mark::write(&mut message[mark..], speaker, number);
        }
        match self.talk {
            Talk::Http(_) => self.asked = Some(number),
            Talk::Token { .. } => frames::write_sequence(&mut message, number),
            Talk::Chatroom { .. } | Talk::OurChat { .. } | Talk::Floor { .. } => (),
        }
        self.send(&message);
        self.messages[at].bytes = message;
    }

    /// The socket is writable: sends the remaining bytes, and the first message of a new connection.
    pub(super) fn writable(&mut self, text_bytes: usize) {
        if self.stage == Stage::Connecting {
            let socket = self.wire.socket();
            match (socket.take_error(), socket.peer_addr()) {
                (Ok(Some(error)), _) | (Err(error), _) => return self.fail(absent(&error)),
                // Not connected yet.
                (Ok(None), Err(_)) => return,
                (Ok(None), Ok(_)) => self.connected(text_bytes),
            }
        }
        if let Err(error) = self.wire.flush() {
            return self.fail(error);
        }
        let unsent = std::mem::take(&mut self.unsent);
        self.send(&unsent);
    }

    /// Reads all available bytes, and reports what arrived.
    pub(super) fn readable(
        &mut self,
        chunk: &mut [u8],
        text_bytes: usize,
        speaker: u32,
        mut hear: impl FnMut(Heard),
    ) {
        while !matches!(self.stage, Stage::Gone(_)) {
            match self.wire.read(chunk) {
                Ok(0) => self.fail("the server has hung up"),
                Ok(len) => {
                    self.take(&chunk[..len], text_bytes, speaker, &mut hear);
                    if len < chunk.len() && self.wire.reads_to_the_end() {
                        return;
                    }
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return,
                Err(error) => self.fail(error),
            }
        }
    }

    fn take(
        &mut self,
        chunk: &[u8],
        text_bytes: usize,
        speaker: u32,
        hear: &mut impl FnMut(Heard),
    ) {
        if self.partial.is_empty() {
            let used = self.take_frames(chunk, text_bytes, speaker, hear);
            self.partial.extend_from_slice(&chunk[used..]);
        } else {
            let mut bytes = std::mem::take(&mut self.partial);
            bytes.extend_from_slice(chunk);
            let used = self.take_frames(&bytes, text_bytes, speaker, hear);
            bytes.drain(..used);
            self.partial = bytes;
        }
        if self.partial.is_empty() && self.partial.capacity() > 0 {
            self.partial = Vec::new();
        }
    }

    /// Handles all complete frames, and returns their length in bytes.
    fn take_frames(
        &mut self,
        bytes: &[u8],
        text_bytes: usize,
        speaker: u32,
        hear: &mut impl FnMut(Heard),
    ) -> usize {
        let mut used = 0;
        while !matches!(self.stage, Stage::Gone(_)) {
            let rest = &bytes[used..];
            let taken = match (&self.stage, &self.talk) {
                (Stage::Upgrading, _) => self.take_upgrade(rest, text_bytes),
                (_, Talk::Http(_)) => self.take_response(rest, speaker, hear),
                (_, Talk::Token { .. }) => self.take_frame(frames::token(rest), text_bytes, hear),
                _ => self.take_frame(frames::websocket(rest), text_bytes, hear),
            };
            match taken {
                Some(taken) => used += taken,
                None => break,
            }
        }
        used
    }

    fn take_upgrade(&mut self, bytes: &[u8], text_bytes: usize) -> Option<usize> {
        match frames::http_head(bytes) {
            Ok(None) => None,
            Ok(Some(head)) if head.status == 101 => {
                let begin = self.talk.begin(text_bytes);
                self.go(begin);
                Some(head.bytes)
            }
            Ok(Some(head)) => {
                let hint = match head.status {
                    503 => "; connections_max and connections_per_address_max are limits",
                    _ => "",
                };
                self.fail(format!("the WebSocket is refused with HTTP {}{hint}", head.status));
                None
            }
            Err(why) => {
                self.fail(why);
                None
            }
        }
    }

    fn take_response(
        &mut self,
        bytes: &[u8],
        speaker: u32,
        hear: &mut impl FnMut(Heard),
    ) -> Option<usize> {
        let head = match frames::http_head(bytes) {
            Ok(head) => head?,
            Err(why) => {
                self.fail(why);
                return None;
            }
        };
        let end = head.bytes + head.content_bytes;
        let body = bytes.get(head.bytes..end)?;
        let Talk::Http(call) = &self.talk else { return None };
        let good =
            head.status == 200 && memchr::memmem::find(body, call.expect.as_bytes()).is_some();
        if good {
            if let Some(number) = self.asked.take() {
                hear(Heard::Message { speaker, number });
            }
        } else if head.status == 429 || head.status == 503 {
            hear(Heard::Refused { number: self.asked.take() });
        } else {
            let body = String::from_utf8_lossy(body);
            self.fail(format!("an unexpected response, HTTP {}: {body}", head.status));
        }
        Some(end)
    }

    fn take_frame(
        &mut self,
        found: Found<'_>,
        text_bytes: usize,
        hear: &mut impl FnMut(Heard),
    ) -> Option<usize> {
        match found {
            Found::NotYet => None,
            Found::Nonsense(why) => {
                self.fail(why);
                None
            }
            Found::Whole(frame, len) => {
                match frame {
                    Frame::Message(message) => self.take_message(message, text_bytes, hear),
                    Frame::Ping(payload) => self.send(&frames::pong(payload)),
                    Frame::Nothing => (),
                    Frame::Close => self.fail("the server has closed the WebSocket"),
                }
                Some(len)
            }
        }
    }

    fn take_message(&mut self, message: &[u8], text_bytes: usize, hear: &mut impl FnMut(Heard)) {
        if let Some((speaker, number)) = mark::find(message) {
            hear(Heard::Message { speaker, number });
        } else if self.stage != Stage::In {
            let step = self.talk.step(message, text_bytes);
            self.go(step);
        } else if self.talk.complaint(message).is_some() {
            hear(Heard::Refused { number: self.talk.refused(message) });
        }
    }

    fn connected(&mut self, text_bytes: usize) {
        if !self.talk.is_websocket() {
            let begin = self.talk.begin(text_bytes);
            self.stage = Stage::Joining;
            return self.go(begin);
        }
        let path = &self.path;
        self.stage = Stage::Upgrading;
        let upgrade = format!(
            "GET {path} HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\n\
             Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
             Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
        );
        self.send(upgrade.as_bytes());
    }

    fn go(&mut self, step: Step) {
        match step {
            Step::Wait => (),
            Step::Say(bytes) => {
                self.stage = Stage::Joining;
                self.send(&bytes);
            }
            Step::In(messages) => {
                let message = |bytes: Vec<u8>| Message { mark: mark::position(&bytes), bytes };
                self.messages = messages.into_iter().map(message).collect();
                self.stage = Stage::In;
            }
            Step::Failed(why) => self.fail(why),
        }
    }

    fn send(&mut self, mut bytes: &[u8]) {
        while self.unsent.is_empty() && !bytes.is_empty() {
            match self.wire.write(bytes) {
                Ok(len) => bytes = &bytes[len..],
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                Err(error) => return self.fail(error),
            }
        }
        self.unsent.extend_from_slice(bytes);
    }

    fn fail(&mut self, why: impl ToString) {
        self.stage = Stage::Gone(why.to_string());
    }
}

/// A socket with a connection attempt in progress.
fn connect(to: SocketAddr, from: Option<IpAddr>) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    if let Some(from) = from {
        socket.bind(&SocketAddr::new(from, 0).into())?;
    }
    match socket.connect(&to.into()) {
        Ok(()) => Ok(socket),
        Err(error) if in_progress(&error) => Ok(socket),
        Err(error) => Err(io::Error::new(error.kind(), absent(&error))),
    }
}

fn absent(error: &io::Error) -> String {
    format!("cannot connect: {error}; is the gateway running, and listening there?")
}

fn in_progress(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::WouldBlock
        || error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error())
}
