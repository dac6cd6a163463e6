//! WebSockets after the handshake. tungstenite reads frames; those that it writes (pongs) go into
//! the connection's write queue, so that no two frames interleave.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use frontend_api::{Ending, Input};
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::Instant;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::Frame;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig, WebSocketContext};
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::config::Limits;
use crate::runtime::limits::memory_budget::{Exhausted, Reservation};
use crate::runtime::net::socket::{MESSAGE_TIMEOUT, ReadOutcome, Socket};
use crate::runtime::net::stream::Stream;
use crate::runtime::session::delivery::Sent;
use crate::runtime::session::stream::{CloseReason, StreamSession};
use crate::runtime::session::write_queue::WriteQueue;
use gateway_fanout::{close_frame, ping_frame};

/// Pings that may be unanswered when the next is due.
const PINGS_UNANSWERED_MAX: u8 = 2;

/// What tungstenite buffers for each WebSocket, idle or not. Most messages are smaller; larger ones
/// take more reads.
const READ_BUFFER_BYTES: usize = 1024;

/// Of a control frame of a client (RFC 6455, section 5.2): two bytes and the mask.
const CONTROL_HEADER_BYTES: usize = 6;

/// How long after a probe the next may be sent: a busy room costs a connection no more than a ping
/// a second.
const PROBE_INTERVAL: Duration = Duration::from_secs(1);

/// A ping whose pong shows that the peer has read all messages before it.
#[derive(Default)]
struct Probe {
    /// The newest message before the ping that is not answered.
    pending: Option<Sent>,
    /// Before then no other is sent.
    not_before: Option<Instant>,
    /// When one is to be sent that had to wait.
    due: Option<Instant>,
}

pub(crate) struct WebSocket {
    stream: Stream,
    context: WebSocketContext,
    ping_interval: Duration,
    next_ping: Option<Instant>,
    pings_unanswered: u8,
    probe: Probe,
    /// Whether everything that was read has been passed on, so that only the socket can have more.
    drained: bool,
    /// Bytes that were read since the last complete message, without those of control frames.
    unfinished_bytes: usize,
    /// When the message that is unfinished was first waited for.
    begun_at: Option<Instant>,
    reservation: Reservation,
    /// The answer to the peer's close.
    close_answer: Option<Bytes>,
}

impl WebSocket {
    /// `part`: bytes after the handshake that were read from the stream already.
    pub(crate) fn new(
        stream: Stream,
        part: Vec<u8>,
        limits: &Limits,
        reservation: Reservation,
    ) -> Self {
        let message_bytes_max = Some(limits.message_bytes_max as usize);
        let config = WebSocketConfig::default()
            .read_buffer_size(READ_BUFFER_BYTES)
            .write_buffer_size(0)
            .max_message_size(message_bytes_max)
            .max_frame_size(message_bytes_max);
        let context = WebSocketContext::from_partially_read(part, Role::Server, Some(config));
        let ping_interval = limits.ping_interval;
        let next_ping = (!ping_interval.is_zero()).then(|| Instant::now() + ping_interval);
        Self {
            stream,
            context,
            ping_interval,
            next_ping,
            pings_unanswered: 0,
            probe: Probe::default(),
            drained: false,
            unfinished_bytes: 0,
            begun_at: None,
            reservation,
            close_answer: None,
        }
    }

    fn message_is_complete(&mut self) {
        self.unfinished_bytes = 0;
        self.begun_at = None;
        self.reservation.clear();
    }

    /// A control frame is no part of the message that it may stand within.
    fn control_is_complete(&mut self, payload_bytes: usize) {
        let frame_bytes = CONTROL_HEADER_BYTES + payload_bytes;
        self.unfinished_bytes = self.unfinished_bytes.saturating_sub(frame_bytes);
        if self.unfinished_bytes == 0 {
            self.message_is_complete();
        }
    }

    /// The socket has no more for now.
    fn wait_for_rest(&mut self) {
        self.drained = true;
        if self.unfinished_bytes > 0 {
            self.begun_at.get_or_insert_with(Instant::now);
        }
    }
}

impl Socket for WebSocket {
    fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    fn into_stream(self) -> Stream {
        self.stream
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut StreamSession,
    ) -> Poll<ReadOutcome> {
        if self.drained {
            ready!(self.stream.poll_read_ready(cx));
            self.drained = false;
        }
        let write_queue = &mut session.write_queue;
        let mut pipe = Pipe {
            stream: &mut self.stream,
            cx,
            write_queue,
            unfinished_bytes: &mut self.unfinished_bytes,
            reservation: &mut self.reservation,
        };
        let read = self.context.read(&mut pipe);
        if read.is_ok() {
            self.pings_unanswered = 0;
        }
        Poll::Ready(match read {
            Ok(Message::Text(text)) => {
                self.message_is_complete();
                session.feed(Input::Text(&text));
                ReadOutcome::Input
            }
            Ok(Message::Binary(bytes)) => {
                self.message_is_complete();
                session.feed(Input::Binary(&bytes));
                ReadOutcome::Input
            }
            Ok(Message::Ping(payload)) => {
                self.control_is_complete(payload.len());
                ReadOutcome::Input
            }
            Ok(Message::Pong(payload)) => {
                self.control_is_complete(payload.len());
                self.probe.note_pong(&payload, session);
                ReadOutcome::Control
            }
            Ok(Message::Frame(_)) => ReadOutcome::Control,
            // tungstenite would answer at the next read, which is too early.
            Ok(Message::Close(close)) => {
                self.message_is_complete();
                self.close_answer = encoded(Frame::close(close));
                ReadOutcome::Closed(CloseReason::PeerClosed)
            }
            Err(Error::Io(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                self.wait_for_rest();
                return Poll::Pending;
            }
            Err(error) => failed_read(&error),
        })
    }

    fn has_handshake(&self) -> bool {
        true
    }

    fn deadline(&self) -> Option<Instant> {
        let message_due = self.begun_at.map(|begun_at| begun_at + MESSAGE_TIMEOUT);
        [self.next_ping, message_due, self.probe.due].into_iter().flatten().min()
    }

    fn on_deadline(&mut self, now: Instant, session: &mut StreamSession) -> bool {
        if self.begun_at.is_some_and(|begun_at| begun_at + MESSAGE_TIMEOUT <= now) {
            return false;
        }
        // The connection probes after every wake-up, while it is open.
        self.probe.due.take_if(|due| *due <= now);
        if self.next_ping.is_none_or(|next_ping| now < next_ping) {
            return true;
        }
        if self.pings_unanswered >= PINGS_UNANSWERED_MAX {
            return false;
        }
        self.pings_unanswered += 1;
        self.next_ping = Some(now + self.ping_interval);
        session.write_queue.push(ping_frame(&[]));
        true
    }

    fn probe(&mut self, session: &mut StreamSession) {
        let Some(sent) = session.unacknowledged().filter(|_| self.probe.pending.is_none()) else {
            self.probe.due = None;
            return;
        };
        let now = Instant::now();
        if let Some(not_before) = self.probe.not_before.filter(|not_before| now < *not_before) {
            self.probe.due = Some(not_before);
            return;
        }
        let not_before = Some(now + PROBE_INTERVAL);
        self.probe = Probe { pending: Some(sent), not_before, due: None };
        session.write_queue.push(ping_frame(&sent.message.0.to_be_bytes()));
    }

    fn farewell(&self, reason: CloseReason) -> Option<Bytes> {
        let code = match reason {
            CloseReason::SessionClosed => CloseCode::Normal.into(),
            CloseReason::SessionFailed => CloseCode::Error.into(),
            CloseReason::Host(Ending::Draining | Ending::Idle) => CloseCode::Away.into(),
            CloseReason::Host(Ending::Overlong) => CloseCode::Size.into(),
            CloseReason::Host(Ending::Slow | Ending::Removed) => CloseCode::Policy.into(),
            CloseReason::ProtocolError(code) => code,
            CloseReason::PeerClosed => return self.close_answer.clone(),
            CloseReason::PeerFinished | CloseReason::Disconnected => return None,
        };
        Some(close_frame(code))
    }
}

impl Probe {
    /// A pong has the payload of its ping (RFC 6455, section 5.5.3).
    fn note_pong(&mut self, payload: &[u8], session: &mut StreamSession) {
        let is_answer = |sent: &mut Sent| *payload == sent.message.0.to_be_bytes();
        if let Some(sent) = self.pending.take_if(is_answer) {
            session.note_delivery(|delivery| delivery.note_answer(sent));
        }
    }
}

/// The connection as tungstenite sees it: reads from the socket, writes to the queue.
struct Pipe<'a, 'b> {
    stream: &'a mut Stream,
    cx: &'a mut Context<'b>,
    write_queue: &'a mut WriteQueue,
    unfinished_bytes: &'a mut usize,
    reservation: &'a mut Reservation,
}

impl io::Read for Pipe<'_, '_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        let mut buffer = ReadBuf::new(bytes);
        match Pin::new(&mut *self.stream).poll_read(self.cx, &mut buffer) {
            Poll::Ready(result) => {
                result?;
                *self.unfinished_bytes += buffer.filled().len();
                // At each read: a peer can have more in flight than there is memory for.
                match self.reservation.grow_to(*self.unfinished_bytes) {
                    Ok(()) => Ok(buffer.filled().len()),
                    Err(Exhausted) => Err(io::ErrorKind::OutOfMemory.into()),
                }
            }
            Poll::Pending => Err(io::ErrorKind::WouldBlock.into()),
        }
    }
}

impl io::Write for Pipe<'_, '_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.write_queue.push(Bytes::copy_from_slice(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A frame as bytes. `None`: it cannot be encoded, which a vector never causes.
fn encoded(frame: Frame) -> Option<Bytes> {
    let mut bytes = Vec::new();
    frame.format(&mut bytes).ok()?;
    Some(bytes.into())
}

/// What ends the connection when a read fails.
fn failed_read(error: &Error) -> ReadOutcome {
    match error {
        Error::Io(error) if error.kind() == io::ErrorKind::OutOfMemory => ReadOutcome::Overlong,
        Error::Capacity(_) => ReadOutcome::Overlong,
        Error::Io(_) => ReadOutcome::Closed(CloseReason::Disconnected),
        // The peer has ended its side of the stream, and may still read.
        Error::Protocol(ProtocolError::ResetWithoutClosingHandshake) => {
            ReadOutcome::Closed(CloseReason::PeerFinished)
        }
        Error::ConnectionClosed | Error::AlreadyClosed => {
            ReadOutcome::Closed(CloseReason::PeerClosed)
        }
        Error::Utf8(_) => protocol_error(CloseCode::Invalid),
        _ => protocol_error(CloseCode::Protocol),
    }
}

fn protocol_error(code: CloseCode) -> ReadOutcome {
    ReadOutcome::Closed(CloseReason::ProtocolError(code.into()))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;
    use std::net::{IpAddr, Ipv4Addr};
    use std::sync::Arc;
    use std::task::Waker;

    use tokio::io::AsyncWriteExt as _;
    use tokio::net::{TcpListener, TcpStream};

    use super::*;
    use crate::runtime::limits::memory_budget::{FREE_BYTES, MemoryBudget};

    #[tokio::test]
    async fn no_more_of_a_message_is_read_than_there_is_memory_for() {
        let address = Some(IpAddr::V4(Ipv4Addr::LOCALHOST));
        let budget = Arc::new(MemoryBudget::of_input());
        let mut others = Vec::new();
        loop {
            let mut other = budget.reservation(address);
            let Ok(()) = other.grow_to(1 << 20) else { break };
            others.push(other);
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut stream: Stream = listener.accept().await.unwrap().0.into();
        peer.write_all(&[0; 2 * FREE_BYTES]).await.unwrap();
        std::future::poll_fn(|cx| stream.poll_read_ready(cx)).await;
        let mut pipe = Pipe {
            stream: &mut stream,
            cx: &mut Context::from_waker(Waker::noop()),
            write_queue: &mut WriteQueue::default(),
            unfinished_bytes: &mut 0,
            reservation: &mut budget.reservation(address),
        };
        assert_eq!(pipe.read(&mut [0; FREE_BYTES]).unwrap(), FREE_BYTES);
        let refused = pipe.read(&mut [0; FREE_BYTES]).unwrap_err();
        assert_eq!(refused.kind(), io::ErrorKind::OutOfMemory);
        others.pop();
        *pipe.unfinished_bytes = 0;
        peer.write_all(&[0; FREE_BYTES]).await.unwrap();
        std::future::poll_fn(|cx| pipe.stream.poll_read_ready(cx)).await;
        assert_eq!(pipe.read(&mut [0; FREE_BYTES]).unwrap(), FREE_BYTES);
    }
}
