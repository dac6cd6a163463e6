//! TLS on an accepted connection, before anything of the dialect.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use rustls::ServerConfig;
use rustls::server::Acceptor;
use tokio::io::AsyncWriteExt as _;
use tokio::sync::Semaphore;
use tokio_rustls::server::StartHandshake;
use tokio_rustls::{Accept, LazyConfigAcceptor};

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

/// Handshakes under way whose keys are computed where their connections are served, in up to a
/// millisecond each. With more, a thread of low priority does it: going there and back costs a third
/// of a handshake (`gateway-bench tls`), and keeps the p99 of others' posts under 20 ms beside ten
/// thousand half handshakes, where it was up to 46 (`gateway-bench abuse:half`).
const FEW_HANDSHAKES: usize = 32;

/// Where handshakes work.
#[derive(Debug)]
pub(crate) struct HandshakeWork {
    looks: Semaphore,
    under_way: AtomicUsize,
    /// For the keys, where many are under way.
    keys: LowPriorityThreads,
}

/// One of the handshakes that are under way.
struct UnderWay<'a>(&'a AtomicUsize);

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl HandshakeWork {
    pub(crate) fn new(threads: usize) -> Self {
        let keys = LowPriorityThreads::new("handshakes", threads.max(1));
        Self { looks: Semaphore::new(LOOKS_PER_TURN), under_way: AtomicUsize::new(0), keys }
    }

    fn begin(&self) -> UnderWay<'_> {
        self.under_way.fetch_add(1, Ordering::Relaxed);
        UnderWay(&self.under_way)
    }

    /// Reads a ClientHello and makes the answer to it.
    async fn accept(
        &self,
        hello: StartHandshake<BoundedStream>,
        config: Arc<ServerConfig>,
    ) -> io::Result<Accept<BoundedStream>> {
        if self.under_way.load(Ordering::Relaxed) <= FEW_HANDSHAKES {
            return Ok(hello.into_stream(config));
        }
        let accept = self.keys.run(move || hello.into_stream(config)).await;
        accept.map_err(io::Error::other)
    }
}

/// Why there is no encrypted stream.
#[derive(Debug)]
pub(crate) enum NoHandshake {
    /// The client has closed before it sent anything: it looks whether the gateway is there.
    Nothing,
    /// A CA has the answer to its challenge.
    Challenge,
    Failed(io::Error),
}

impl From<io::Error> for NoHandshake {
    fn from(error: io::Error) -> Self {
        Self::Failed(error)
    }
}

/// Shakes hands with a client; fills in what it shows of itself.
pub(crate) async fn shake_hands(
    stream: Stream,
    server: Arc<ServerConfig>,
    (work, challenges): (&HandshakeWork, &Challenges),
    remote: &mut Remote,
) -> Result<Stream, NoHandshake> {
    let _under_way = work.begin();
    let arrived = hello::arrival(&stream, HANDSHAKE_BYTES_MAX, &work.looks).await;
    // A reset takes what had arrived with it.
    arrived.map_err(|_| NoHandshake::Nothing)?;
    let hello = read_hello(BoundedStream::new(stream, HANDSHAKE_BYTES_MAX)).await?;
    let answer = challenges.answer(&hello.client_hello());
    let is_challenge = answer.is_some();
    let mut stream = work.accept(hello, answer.unwrap_or(server)).await?.await?;
    if is_challenge {
        stream.shutdown().await?;
        return Err(NoHandshake::Challenge);
    }
    stream.get_mut().0.lift();
    let chain = stream.get_ref().1.peer_certificates();
    let certificate = chain.and_then(|chain| tls::subject(chain.first()?));
    remote.secure = true;
    if let Some(subject) = certificate {
        remote.certificate = Some(subject.into());
    }
    Ok(Stream::Tls(Box::new(stream)))
}

async fn read_hello(stream: BoundedStream) -> Result<StartHandshake<BoundedStream>, NoHandshake> {
    let mut acceptor = LazyConfigAcceptor::new(Acceptor::default(), stream);
    match (&mut acceptor).await {
        Ok(hello) => Ok(hello),
        Err(error) => {
            let is_untouched = acceptor.take_io().is_some_and(|stream| stream.is_untouched());
            Err(if is_untouched { NoHandshake::Nothing } else { NoHandshake::Failed(error) })
        }
    }
}
