//! TLS on an accepted connection, before anything of the dialect.

use std::io;
use std::sync::Arc;

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio_rustls::LazyConfigAcceptor;

use crate::runtime::limits::low_priority::LowPriorityThreads;
use crate::runtime::net::challenges::Challenges;
use crate::runtime::net::hello;
use crate::runtime::net::remote::Remote;
use crate::runtime::net::stream::{BoundedStream, Stream};
use crate::tls;

/// What a client may send until the handshake is complete: a ClientHello has some 2 KiB at most, a
/// chain of client certificates seldom 8.
const HANDSHAKE_BYTES_MAX: usize = 16 * 1024;

/// Handshakes that look at what has arrived before other tasks of the threads have their turn: ten
/// thousand that come at once must not delay the others.
const LOOKS_PER_TURN: usize = 4;

/// Where handshakes work.
#[derive(Debug)]
pub(crate) struct HandshakeWork {
    looks: Semaphore,
    /// For the keys, which take up to a millisecond each.
    keys: LowPriorityThreads,
}

impl HandshakeWork {
    pub(crate) fn new(threads: usize) -> Self {
        let keys = LowPriorityThreads::new("handshakes", threads.max(1));
        Self { looks: Semaphore::new(LOOKS_PER_TURN), keys }
    }
}

/// Shakes hands with a client; fills in what it shows of itself. `None`: the handshake was a CA's,
/// which looks for an answer to its challenge, and has it.
pub(crate) async fn shake_hands(
    stream: Stream,
    server: Arc<ServerConfig>,
    (work, challenges): (&HandshakeWork, &Challenges),
    remote: &mut Remote,
) -> io::Result<Option<Stream>> {
    hello::arrival(&stream, HANDSHAKE_BYTES_MAX, &work.looks).await?;
    let stream = BoundedStream::new(stream, HANDSHAKE_BYTES_MAX);
    let hello = LazyConfigAcceptor::new(Acceptor::default(), stream).await?;
    let answer = challenges.answer(&hello.client_hello());
    let is_challenge = answer.is_some();
    let accept = work.keys.run(move || hello.into_stream(answer.unwrap_or(server))).await;
    let mut stream = accept.map_err(io::Error::other)?.await?;
    if is_challenge {
        stream.shutdown().await?;
        return Ok(None);
    }
    stream.get_mut().0.lift();
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(|chain| tls::subject(chain.first()?));
    remote.secure = true;
    if let Some(subject) = certificate {
        remote.certificate = Some(subject.into());
    }
    Ok(Some(Stream::Tls(Box::new(stream))))
}
