//! What a transport adds to a stream.

use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use tokio::time::Instant;

use crate::runtime::net::stream::Stream;
use crate::runtime::session::stream::{CloseReason, StreamSession};

/// How long a line or WebSocket message that has begun may take to be complete.
pub(crate) const MESSAGE_TIMEOUT: Duration = Duration::from_secs(60);

pub(crate) trait Socket: Send {
    fn stream(&mut self) -> &mut Stream;

    /// The stream alone: what was read and not passed on is dropped, with the memory for it.
    fn into_stream(self) -> Stream;

    /// Up to which byte of what was written the peer's system has acknowledged, as far as the
    /// transport knows; `written` bytes of the stream were given to it. A transport with bytes of
    /// its own between them, as of TLS, does not know: 0. What a peer then has is shown by probes
    /// and the dialect only.
    fn acknowledged(&self, written: u64) -> u64 {
        let _ = written;
        0
    }

    /// Reads, and passes what came to the session.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut StreamSession,
    ) -> Poll<ReadOutcome>;

    /// When the transport itself next has something to do.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// The deadline has come. False: the peer gives no sign of life.
    fn on_deadline(&mut self, now: Instant, session: &mut StreamSession) -> bool {
        let _ = (now, session);
        true
    }

    /// Asks the peer to show what it has, where it was sent messages that it has not acknowledged
    /// and the transport can ask.
    fn probe(&mut self, session: &mut StreamSession) {
        let _ = session;
    }

    /// Whether the peer has shown in a handshake that it speaks the transport's protocol.
    fn has_handshake(&self) -> bool {
        false
    }

    /// The transport's own last bytes.
    fn farewell(&self, reason: CloseReason) -> Option<Bytes> {
        let _ = reason;
        None
    }
}

/// What a read found.
#[derive(Debug)]
pub(crate) enum ReadOutcome {
    /// Input, which the session has got.
    Input,
    /// A reaction of the peer's transport, which does not end its idle time.
    Control,
    /// A message or line over the limit, or one that there is no memory for now.
    Overlong,
    /// The peer has ended the connection, or its half, or violated the protocol.
    Closed(CloseReason),
}
