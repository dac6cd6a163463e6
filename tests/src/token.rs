//! The token dialect: frames of bytes.

use std::collections::VecDeque;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};

use crate::connect;

pub const CREATE_ACCOUNT: u16 = 1;
pub const LOGIN: u16 = 2;
pub const CREATE_ROOM: u16 = 3;
pub const ENTER_ROOM: u16 = 4;
pub const ROOM_LIST: u16 = 5;
pub const LEAVE_ROOM: u16 = 6;
pub const LEAVE_APPLICATION: u16 = 7;
pub const APPLY_FOR_TOKEN: u16 = 8;
pub const HEARTBEAT: u16 = 9;
pub const POST_MESSAGE: u16 = 10;
pub const CATCH_UP: u16 = 11;
pub const POST_ONCE: u16 = 12;
pub const CREATE_ROOM_ONCE: u16 = 13;

pub const POPULATION_CHANGED: u16 = 0x4001;
pub const MEMBER_CHANGED: u16 = 0x4002;
pub const MESSAGE: u16 = 0x4003;

/// Added to the command of a request in its reply.
pub const REPLY: u16 = 0x8000;

/// A frame from the gateway.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// As it is on the wire.
    pub command: u16,
    pub sequence: u32,
    /// Of a reply.
    pub result: Option<u16>,
    pub body: Vec<u8>,
}

#[derive(Debug)]
pub struct Token {
    stream: TcpStream,
    sequence: u32,
    notifications: VecDeque<Frame>,
}

impl Token {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::over(connect(address))
    }

    /// On a connection that there is already.
    pub fn over(stream: TcpStream) -> Self {
        Self { stream, sequence: 0, notifications: VecDeque::new() }
    }

    /// Logs in, making the account where there is none, with the openid as name: the uid.
    #[track_caller]
    pub fn login(&mut self, openid: &str) -> u64 {
        let info = json(&format!(r#"{{"name":"{openid}"}}"#));
        let body = [string(openid), string("wechat"), 1_i32.to_be_bytes().to_vec(), info];
        self.done(LOGIN, &body.concat()).u64()
    }

    /// A token for making rooms.
    #[track_caller]
    pub fn apply(&mut self) -> u64 {
        self.done(APPLY_FOR_TOKEN, b"").u64()
    }

    #[track_caller]
    pub fn enter(&mut self, room_id: u32) {
        self.done(ENTER_ROOM, &room_id.to_be_bytes());
    }

    /// The id of the message.
    #[track_caller]
    pub fn post(&mut self, room_id: u32, text: &str) -> u64 {
        self.done(POST_MESSAGE, &post_body(room_id, text)).u64()
    }

    /// Calls, and gets the reply's body.
    #[track_caller]
    pub fn done(&mut self, command: u16, body: &[u8]) -> Fields {
        let reply = self.call(command, body);
        assert_eq!(reply.result, Some(0), "{reply:?}");
        Fields(reply.body.into())
    }

    /// Calls, and waits for the reply. Notifications before it are kept.
    #[track_caller]
    pub fn call(&mut self, command: u16, body: &[u8]) -> Frame {
        self.try_call(command, body).unwrap_or_else(|error| panic!("command {command}: {error}"))
    }

    /// The same; `Err` when the connection is over.
    pub fn try_call(&mut self, command: u16, body: &[u8]) -> io::Result<Frame> {
        let sequence = self.send(command, body)?;
        loop {
            let frame = self.try_receive()?;
            if frame.command == command + REPLY && frame.sequence == sequence {
                return Ok(frame);
            }
            assert!(frame.result.is_none(), "{frame:?} is no reply to {command} #{sequence}");
            self.notifications.push_back(frame);
        }
    }

    /// Sends a request, and does not wait: its sequence.
    pub fn send(&mut self, command: u16, body: &[u8]) -> io::Result<u32> {
        self.sequence += 1;
        self.stream.write_all(&request(command, self.sequence, body))?;
        Ok(self.sequence)
    }

    /// The oldest notification.
    #[track_caller]
    pub fn notification(&mut self) -> Frame {
        self.notifications.pop_front().unwrap_or_else(|| {
            let frame = self.try_receive().unwrap_or_else(|error| panic!("nothing: {error}"));
            assert!(frame.result.is_none(), "{frame:?} is no notification");
            frame
        })
    }

    /// The next frame from the socket.
    pub fn try_receive(&mut self) -> io::Result<Frame> {
        read(&mut self.stream)
    }

    pub fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }
}

/// The next frame of a stream.
pub fn read(stream: &mut impl Read) -> io::Result<Frame> {
    let mut length = [0; 4];
    stream.read_exact(&mut length)?;
    let length = u32::from_be_bytes(length);
    if !(6..=1 << 20).contains(&length) {
        return Err(io::Error::new(ErrorKind::InvalidData, format!("a frame of {length} bytes")));
    }
    let mut frame = vec![0; length as usize];
    stream.read_exact(&mut frame)?;
    let mut fields = Fields(frame.into());
    let command = fields.u16();
    let sequence = fields.u32();
    let result = (command & REPLY != 0).then(|| fields.u16());
    Ok(Frame { command, sequence, result, body: fields.0.into() })
}

/// The bytes of a request.
pub fn request(command: u16, sequence: u32, body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len() + 6).expect("a test's frame is small");
    let head = [&length.to_be_bytes()[..], &command.to_be_bytes(), &sequence.to_be_bytes()];
    [&head.concat(), body].concat()
}

/// The body of [`POST_MESSAGE`].
pub fn post_body(room_id: u32, text: &str) -> Vec<u8> {
    [room_id.to_be_bytes().to_vec(), json(text)].concat()
}

pub fn string(text: &str) -> Vec<u8> {
    let len = u16::try_from(text.len()).expect("a test's string is short");
    [&len.to_be_bytes()[..], text.as_bytes()].concat()
}

/// A `json_string` or `text`.
pub fn json(text: &str) -> Vec<u8> {
    let len = u32::try_from(text.len()).expect("a test's text is short");
    [&len.to_be_bytes()[..], text.as_bytes()].concat()
}

/// What is left of a body, field by field.
#[derive(Clone, Debug)]
pub struct Fields(VecDeque<u8>);

impl Fields {
    pub fn of(frame: &Frame) -> Self {
        Self(frame.body.clone().into())
    }

    #[track_caller]
    fn take(&mut self, len: usize) -> Vec<u8> {
        assert!(self.0.len() >= len, "{len} more bytes in {:?}", self.0);
        self.0.drain(..len).collect()
    }

    #[track_caller]
    pub fn u8(&mut self) -> u8 {
        self.take(1)[0]
    }

    #[track_caller]
    pub fn u16(&mut self) -> u16 {
        u16::from_be_bytes(self.take(2).try_into().expect("two"))
    }

    #[track_caller]
    pub fn u32(&mut self) -> u32 {
        u32::from_be_bytes(self.take(4).try_into().expect("four"))
    }

    #[track_caller]
    pub fn u64(&mut self) -> u64 {
        u64::from_be_bytes(self.take(8).try_into().expect("eight"))
    }

    #[track_caller]
    pub fn string(&mut self) -> String {
        let len = usize::from(self.u16());
        String::from_utf8(self.take(len)).expect("it is UTF-8")
    }

    /// A `json_string` or `text`.
    #[track_caller]
    pub fn text(&mut self) -> String {
        let len = self.u32() as usize;
        String::from_utf8(self.take(len)).expect("it is UTF-8")
    }

    #[track_caller]
    pub fn end(&self) {
        assert!(self.0.is_empty(), "there is more: {:?}", self.0);
    }
}
