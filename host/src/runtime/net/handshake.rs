//! TLS on an accepted connection, before anything of the dialect.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;
use tokio_rustls::server::TlsStream;

use crate::runtime::net::remote::Remote;
use crate::runtime::net::stream::Stream;
use crate::tls;

/// What a client may send until the handshake is complete: a ClientHello has some 2 KiB at most, a
/// chain of client certificates seldom 8.
const HANDSHAKE_BYTES_MAX: usize = 16 * 1024;

/// Handshakes whose keys are computed before other tasks of the threads have their turn: each takes
/// up to a millisecond, and ten thousand that come at once must not delay the others.
const HANDSHAKES_PER_TURN: usize = 4;

/// The turns in which handshakes compute.
#[derive(Debug)]
pub(crate) struct HandshakeTurns(Semaphore);

impl Default for HandshakeTurns {
    fn default() -> Self {
        Self(Semaphore::new(HANDSHAKES_PER_TURN))
    }
}

/// Shakes hands with a client; fills in what it shows of itself.
pub(crate) async fn shake_hands(
    stream: Stream,
    server: Arc<ServerConfig>,
    turns: &HandshakeTurns,
    remote: &mut Remote,
) -> io::Result<Stream> {
    let stream = BoundedStream { stream, bytes_left: Some(HANDSHAKE_BYTES_MAX) };
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let accept = {
        let _turn = turns.0.acquire().await.expect("it is never closed");
        let accept = hello.into_stream(server);
        tokio::task::yield_now().await;
        accept
    };
    let mut stream = accept.await?;
    stream.get_mut().0.bytes_left = None;
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(|chain| tls::subject(chain.first()?));
    remote.secure = true;
    if let Some(subject) = certificate {
        remote.certificate = Some(subject.into());
    }
    Ok(Stream::Tls(Box::new(stream)))
}

/// TLS over a socket.
pub(crate) type Encrypted = TlsStream<BoundedStream>;

/// A stream of which a client can have only so much read.
#[derive(Debug)]
pub(crate) struct BoundedStream {
    pub(crate) stream: Stream,
    /// `None`: any number.
    bytes_left: Option<usize>,
}

impl AsyncRead for BoundedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        let polled = Pin::new(&mut this.stream).poll_read(cx, buffer);
        if let Some(left) = &mut this.bytes_left {
            match left.checked_sub(buffer.filled().len() - before) {
                Some(rest) => *left = rest,
                None => {
                    let why = format!("the handshake has more than {HANDSHAKE_BYTES_MAX} bytes");
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, why)));
                }
            }
        }
        polled
    }
}

impl AsyncWrite for BoundedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.get_mut().stream).poll_write_vectored(cx, slices)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
