//! The end of a connection that the host closes.

use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::Poll;
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout_at};
use tokio_util::sync::CancellationToken;

/// How long, and for how many bytes, a connection that the host closes is read from after its last
/// bytes: closing with unread bytes would make the peer's system discard them.
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 * 1024;

const READ_BYTES: usize = 8 * 1024;

/// Shuts down writing, and reads until the peer closes, or one of the bounds is reached, or the
/// gateway stops.
pub(crate) async fn linger(stream: &mut TcpStream, stopping: &CancellationToken) {
    let until = Instant::now() + LINGER_TIMEOUT;
    if stream.shutdown().await.is_err() {
        return;
    }
    let mut left = LINGER_BYTES_MAX;
    let read = std::future::poll_fn(|cx| {
        loop {
            let mut scratch = [0; READ_BYTES];
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && left > 0 => {
                    left = left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    // A peer that does not close in time is cut.
    tokio::select! {
        _ = timeout_at(until, read) => (),
        () = stopping.cancelled() => (),
    }
}

/// Whether the socket has bytes to read that the runtime does not know of yet.
pub(crate) fn has_arrived(stream: &TcpStream) -> bool {
    let peeked = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
    peeked.is_ok_and(|bytes| bytes > 0)
}
