//! The end of a connection that the host closes.

use std::future::poll_fn;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::time::{Sleep, sleep};
use tokio_util::sync::CancellationToken;

use crate::runtime::net::stream::Stream;

/// How long, and for how many bytes, a connection that the host closes is read from after its last
/// bytes: closing with unread bytes would make the peer's system discard them. After the bytes, the
/// time goes on without reading, so that a peer which reads while it sends still gets them.
pub(crate) const LINGER_TIMEOUT: Duration = Duration::from_secs(1);
const LINGER_BYTES_MAX: usize = 64 * 1024;

const READ_BYTES: usize = 8 * 1024;

/// Shuts down writing, and reads until the peer closes, or one of the bounds is reached, or the
/// gateway stops.
pub(crate) async fn linger(stream: &mut Stream, stopping: &CancellationToken) {
    let mut linger = Linger::new();
    tokio::select! {
        // Shutting down may wait for a peer that takes nothing, where it is more than a flag.
        shut = stream.shutdown() => if shut.is_err() { return },
        () = &mut linger.timer => return,
        () = stopping.cancelled() => return,
    }
    tokio::select! {
        () = poll_fn(|cx| linger.poll(stream, cx)) => (),
        () = stopping.cancelled() => (),
    }
}

/// The reading after the last bytes.
pub(crate) struct Linger {
    timer: Pin<Box<Sleep>>,
    bytes_left: usize,
}

impl Linger {
    pub(crate) fn new() -> Self {
        Self { timer: Box::pin(sleep(LINGER_TIMEOUT)), bytes_left: LINGER_BYTES_MAX }
    }

    /// Ready: the peer has closed, or is to be cut.
    pub(crate) fn poll(&mut self, stream: &mut Stream, cx: &mut Context<'_>) -> Poll<()> {
        while self.bytes_left > 0 {
            let mut scratch = [0; READ_BYTES];
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    self.bytes_left = self.bytes_left.saturating_sub(buffer.filled().len());
                }
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => break,
            }
        }
        self.timer.as_mut().poll(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::AsyncReadExt as _;
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::Instant;

    use super::*;

    async fn pair() -> (TcpStream, Stream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (client, listener.accept().await.unwrap().0.into())
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_does_not_close_is_cut_in_time() {
        let (mut client, mut server) = pair().await;
        let begun = Instant::now();
        linger(&mut server, &CancellationToken::new()).await;
        assert_eq!(begun.elapsed().as_secs(), LINGER_TIMEOUT.as_secs());
        assert_eq!(client.read(&mut [0; 8]).await.unwrap(), 0, "writing was shut down");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_goes_on_sending_is_read_to_a_bound_and_cut_in_time() {
        let (mut client, mut server) = pair().await;
        let begun = Instant::now();
        // It stops some time, so that the test ends whatever is read.
        let sending = tokio::spawn(async move {
            let mut sent = 0;
            while sent < 256 * LINGER_BYTES_MAX
                && let Ok(bytes) = client.write(&[0; READ_BYTES]).await
            {
                sent += bytes;
            }
            (client, sent)
        });
        let mut linger = Linger::new();
        poll_fn(|cx| linger.poll(&mut server, cx)).await;
        assert_eq!(linger.bytes_left, 0);
        assert_eq!(begun.elapsed().as_secs(), LINGER_TIMEOUT.as_secs());
        drop(server);
        assert!(sending.await.unwrap().1 >= LINGER_BYTES_MAX);
    }

    #[tokio::test(start_paused = true)]
    async fn lingering_ends_when_the_peer_closes_or_the_gateway_stops() {
        let (client, mut server) = pair().await;
        let begun = Instant::now();
        drop(client);
        linger(&mut server, &CancellationToken::new()).await;
        let (_client, mut server) = pair().await;
        let stopping = CancellationToken::new();
        stopping.cancel();
        linger(&mut server, &stopping).await;
        assert_eq!(begun.elapsed(), Duration::ZERO);
    }
}
