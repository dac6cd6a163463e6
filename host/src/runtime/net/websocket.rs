//! WebSockets after the handshake. tungstenite reads the frames; what it has to say itself
//! (pongs, and the answer to a close) goes into the same queue as everything else, so that no two
//! frames can ever be mixed up.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use frontend_api::{Ending, Input};
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::Instant;
use tungstenite::protocol::frame::coding::CloseCode;
use tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tungstenite::{Error, Message};

use crate::config::Limits;
use crate::runtime::bounds::{PINGS_UNANSWERED_MAX, WEBSOCKET_BUFFER_BYTES};
use crate::runtime::fanout::framing;
use crate::runtime::net::connection::{Hangup, Received, Socket};
use crate::runtime::session::driver::{Conversation, Over};
use crate::runtime::session::write_queue::Outgoing;

pub(crate) struct WebSocket {
    stream: TcpStream,
    context: WebSocketContext,
    ping_interval: Duration,
    next_ping: Option<Instant>,
    pings_unanswered: u8,
    /// Whether everything that was read has been handed on, so that only the socket can have more.
    empty: bool,
}

impl WebSocket {
    /// `part` was read from the stream already, behind the handshake.
    pub(crate) fn new(stream: TcpStream, part: Vec<u8>, limits: &Limits) -> Self {
        let message_bytes_max = Some(limits.message_bytes_max as usize);
        let config = WebSocketConfig::default()
            .read_buffer_size(WEBSOCKET_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(message_bytes_max)
            .max_frame_size(message_bytes_max);
        let context = WebSocketContext::from_partially_read(part, Role::Server, Some(config));
        let ping_interval = limits.ping_interval;
        let next_ping = (!ping_interval.is_zero()).then(|| Instant::now() + ping_interval);
        Self { stream, context, ping_interval, next_ping, pings_unanswered: 0, empty: false }
    }
}

impl Socket for WebSocket {
    fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &mut Conversation,
    ) -> Poll<Received> {
        if self.empty {
            // An error shows when it is read.
            drop(ready!(self.stream.poll_read_ready(cx)));
            self.empty = false;
        }
        let outgoing = &mut conversation.outgoing;
        let read = self.context.read(&mut Pipe { stream: &mut self.stream, cx, outgoing });
        if read.is_ok() {
            self.pings_unanswered = 0;
        }
        Poll::Ready(match read {
            Ok(Message::Text(text)) => {
                conversation.feed(Input::Text(&text));
                Received::Something
            }
            Ok(Message::Binary(bytes)) => {
                conversation.feed(Input::Binary(&bytes));
                Received::Something
            }
            Ok(Message::Ping(_)) => Received::Something,
            Ok(Message::Pong(_) | Message::Close(_) | Message::Frame(_)) => Received::Pulse,
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.empty = true;
                return Poll::Pending;
            }
            Err(Error::Io(_)) => Received::Broken,
            Err(Error::Capacity(_)) => Received::Overlong,
            Err(Error::Utf8(_)) => Received::Violation(CloseCode::Invalid.into()),
            // Both after the answer to the peer's close was queued.
            Err(Error::ConnectionClosed | Error::AlreadyClosed) => Received::Closed,
            Err(Error::Protocol(
                tungstenite::error::ProtocolError::ResetWithoutClosingHandshake,
            )) => Received::Broken,
            Err(_) => Received::Violation(CloseCode::Protocol.into()),
        })
    }

    fn deadline(&self) -> Option<Instant> {
        self.next_ping
    }

    fn on_deadline(&mut self, now: Instant, conversation: &mut Conversation) -> bool {
        if self.pings_unanswered >= PINGS_UNANSWERED_MAX {
            return false;
        }
        self.pings_unanswered += 1;
        self.next_ping = Some(now + self.ping_interval);
        conversation.outgoing.push(framing::ping());
        true
    }

    fn farewell(&self, hangup: Hangup) -> Option<Bytes> {
        let code = match hangup {
            Hangup::Session(Over::Closed) => CloseCode::Normal.into(),
            Hangup::Session(Over::Failed) => CloseCode::Error.into(),
            Hangup::Ending(Ending::Draining | Ending::Idle) => CloseCode::Away.into(),
            Hangup::Ending(Ending::Overlong) => CloseCode::Size.into(),
            Hangup::Ending(Ending::Slow) => CloseCode::Policy.into(),
            Hangup::Violation(code) => code,
            Hangup::PeerEnded | Hangup::PeerClosed | Hangup::Dead => return None,
        };
        Some(framing::close(code))
    }
}

/// How tungstenite sees the connection: it reads from the socket, and writes to the queue.
struct Pipe<'a, 'b> {
    stream: &'a mut TcpStream,
    cx: &'a mut Context<'b>,
    outgoing: &'a mut Outgoing,
}

impl io::Read for Pipe<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(bytes);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buffer) {
            Poll::Ready(result) => result.map(|()| buffer.filled().len()),
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl io::Write for Pipe<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.outgoing.push(Bytes::copy_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
