//! The deadlines of an HTTP connection: for a head that has begun, for the time between requests,
//! and for a response that the client does not take.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep, sleep_until};

use crate::runtime::net::http::rewording::Rewording;
use crate::runtime::net::linger::Linger;
use crate::runtime::net::stream::Stream;

/// How long each part of a connection may take; zero is for ever.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Deadlines {
    /// From the first byte of a head to its end, and from the connection to its first head.
    pub(crate) head: Duration,
    /// Between a response and the first byte of the next request.
    pub(crate) idle: Duration,
    /// In which the client takes less than [`STALLED_BYTES`] of a response that waits for it.
    pub(crate) stalled: Duration,
}

/// A modem reads it in [`Deadlines::stalled`].
const STALLED_BYTES: usize = 64 * 1024;

/// What the service knows of its connection.
#[derive(Clone, Debug, Default)]
pub(crate) struct Activity(Arc<Flags>);

#[derive(Debug, Default)]
struct Flags {
    is_busy: AtomicBool,
    has_unread_body: AtomicBool,
    /// Whether the service has given a response that is not written yet, not even in part.
    has_response: AtomicBool,
    /// Where in hyper's buffer the last body ends; 0 without one.
    body_end: AtomicUsize,
}

impl Activity {
    /// Whether a request is being answered.
    pub(crate) fn set_busy(&self, busy: bool) {
        self.0.is_busy.store(busy, Ordering::Relaxed);
        self.0.has_response.store(!busy, Ordering::Relaxed);
    }

    /// Whether what is written next is no response of the service.
    fn is_without_response(&self) -> bool {
        !self.is_busy() && !self.0.has_response.load(Ordering::Relaxed)
    }

    /// The body of the request ends here in hyper's buffer, which it is a part of.
    pub(crate) fn note_body_end(&self, end: usize) {
        self.0.body_end.store(end, Ordering::Relaxed);
    }

    /// The last response leaves while the client may still send the body of its request.
    pub(crate) fn note_unread_body(&self) {
        self.0.has_unread_body.store(true, Ordering::Relaxed);
    }

    fn is_busy(&self) -> bool {
        self.0.is_busy.load(Ordering::Relaxed)
    }

    fn has_unread_body(&self) -> bool {
        self.0.has_unread_body.load(Ordering::Relaxed)
    }
}

/// What the connection waits for.
#[derive(Clone, Copy, Debug)]
enum Wait {
    FirstHead,
    NextRequest,
    RestOfHead,
}

/// A stream that fails with [`io::ErrorKind::TimedOut`] when a deadline has passed.
///
/// One timer serves all deadlines. It is moved only when it fires, not with every request, since a
/// deadline mostly moves away before it is reached.
pub(crate) struct TimedStream {
    stream: Stream,
    deadlines: Deadlines,
    activity: Activity,
    wait: Wait,
    /// Since when it waits for this; none until the stream is first found waiting, so that a request
    /// that arrives whole costs no look at the clock.
    since: Option<Instant>,
    /// The last bytes that were read.
    tail: [u8; 3],
    /// Where in hyper's buffer they end.
    read_end: usize,
    /// When a write was first refused, if the client has taken little since.
    stalled_since: Option<Instant>,
    /// What was written since then.
    stalled_written: usize,
    timer: Pin<Box<Sleep>>,
    linger: Option<Linger>,
    /// Whether the client has ended its side.
    has_ended: bool,
    on_end: Option<Box<dyn FnOnce() + Send>>,
    rewording: Option<Rewording>,
}

impl TimedStream {
    pub(crate) fn new(stream: Stream, deadlines: Deadlines, activity: Activity) -> Self {
        let now = Instant::now();
        Self {
            stream,
            deadlines,
            activity,
            wait: Wait::FirstHead,
            since: Some(now),
            tail: *b"\r\n\n",
            read_end: 0,
            stalled_since: None,
            stalled_written: 0,
            timer: Box::pin(sleep_until(now)),
            linger: None,
            has_ended: false,
            on_end: None,
            rewording: None,
        }
    }

    /// Has hyper's own answers replaced.
    pub(crate) fn reworded(self, rewording: Rewording) -> Self {
        Self { rewording: Some(rewording), ..self }
    }

    /// Runs `work` when the client has ended its side, before it can see the gateway's end.
    pub(crate) fn on_end(self, work: impl FnOnce() + Send + 'static) -> Self {
        Self { on_end: Some(Box::new(work)), ..self }
    }

    pub(crate) fn into_inner(self) -> Stream {
        self.stream
    }

    /// Fails once the current deadline has passed, and wakes the task then.
    fn poll_deadline(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        loop {
            let now = Instant::now();
            self.since.get_or_insert(now);
            let Some(deadline) = self.deadline(now) else { return Ok(()) };
            if now >= deadline {
                return Err(io::ErrorKind::TimedOut.into());
            }
            if self.timer.deadline() > deadline {
                self.timer.as_mut().reset(deadline);
            }
            if self.timer.as_mut().poll(cx).is_pending() {
                return Ok(());
            }
            self.timer.as_mut().reset(deadline);
        }
    }

    fn deadline(&self, now: Instant) -> Option<Instant> {
        let waiting_since = self.since.unwrap_or(now);
        let (since, limit) = match (self.stalled_since, self.wait) {
            (Some(since), _) => (since, self.deadlines.stalled),
            (None, _) if self.activity.is_busy() => return None,
            (None, Wait::FirstHead | Wait::RestOfHead) => (waiting_since, self.deadlines.head),
            (None, Wait::NextRequest) => (waiting_since, self.deadlines.idle),
        };
        (!limit.is_zero()).then(|| since + limit)
    }

    /// Notes where what was read ends.
    fn note_read(&mut self, bytes: &[u8]) {
        for byte in &bytes[bytes.len().saturating_sub(self.tail.len())..] {
            self.tail.rotate_left(1);
            self.tail[2] = *byte;
        }
        self.read_end = bytes.as_ptr_range().end.addr();
        if let Some(rewording) = &mut self.rewording {
            rewording.note_read(bytes);
        }
    }

    /// Whether nothing of a further request was read: the last bytes were those of a blank line, which
    /// ends a head and a chunked body, or of the body that the service has read.
    fn is_between_requests(&self) -> bool {
        let is_blank_line = matches!(self.tail, [b'\n', b'\r', b'\n'] | [_, b'\n', b'\n']);
        is_blank_line || self.read_end == self.activity.0.body_end.load(Ordering::Relaxed)
    }

    fn has_read(&mut self) {
        if matches!(self.wait, Wait::NextRequest) && !self.activity.is_busy() {
            self.wait = Wait::RestOfHead;
            self.since = None;
        }
    }

    fn has_written(&mut self) {
        self.activity.0.has_response.store(false, Ordering::Relaxed);
        if !self.activity.is_busy() {
            let is_between = self.is_between_requests();
            self.wait = if is_between { Wait::NextRequest } else { Wait::RestOfHead };
            self.since = None;
        }
    }

    /// Whether these bytes are an answer of hyper's own, which is replaced.
    fn is_reworded(&mut self, bytes: &[u8]) -> bool {
        bytes.starts_with(b"HTTP/1.1 4")
            && self.activity.is_without_response()
            && self.rewording.as_mut().is_some_and(|rewording| rewording.replaces(bytes))
    }

    fn poll_after_write(
        &mut self,
        cx: &mut Context<'_>,
        written: Poll<io::Result<usize>>,
    ) -> Poll<io::Result<usize>> {
        match written {
            Poll::Pending => self.poll_while_stalled(cx, Poll::Pending),
            Poll::Ready(Ok(bytes)) => {
                self.has_written();
                // A few bytes now and then are no progress.
                self.stalled_written += bytes;
                if self.stalled_written >= STALLED_BYTES {
                    self.stalled_since = None;
                }
                written
            }
            Poll::Ready(Err(_)) => written,
        }
    }

    /// Has the deadline pass while the client takes little of what waits for it. Ready: it has all.
    fn poll_while_stalled<T>(
        &mut self,
        cx: &mut Context<'_>,
        polled: Poll<io::Result<T>>,
    ) -> Poll<io::Result<T>> {
        if polled.is_pending() {
            if self.stalled_since.is_none() {
                (self.stalled_since, self.stalled_written) = (Some(Instant::now()), 0);
            }
            self.poll_deadline(cx)?;
        } else {
            self.stalled_since = None;
        }
        polled
    }
}

impl AsyncRead for TimedStream {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        if Pin::new(&mut this.stream).poll_read(cx, buffer)?.is_pending() {
            this.poll_deadline(cx)?;
            return Poll::Pending;
        }
        if buffer.filled().len() > before {
            this.note_read(&buffer.filled()[before..]);
            this.has_read();
        } else {
            this.has_ended = buffer.remaining() > 0;
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for TimedStream {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let written = if this.is_reworded(bytes)
            && let Some(rewording) = &mut this.rewording
        {
            rewording.poll_write(&mut this.stream, cx).map_ok(|()| bytes.len())
        } else {
            Pin::new(&mut this.stream).poll_write(cx, bytes)
        };
        this.poll_after_write(cx, written)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        slices: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        if let [bytes] = slices {
            return self.poll_write(cx, bytes);
        }
        let this = self.get_mut();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, slices);
        this.poll_after_write(cx, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let flushed = Pin::new(&mut this.stream).poll_flush(cx);
        this.poll_while_stalled(cx, flushed)
    }

    /// Lingers if the client has sent, or may yet send, what will not be read: closing then would
    /// make its system discard the response.
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if this.linger.is_none() {
            if this.has_ended
                && let Some(work) = this.on_end.take()
            {
                work();
            }
            let shut = Pin::new(&mut this.stream).poll_shutdown(cx);
            ready!(this.poll_while_stalled(cx, shut))?;
            if !this.activity.has_unread_body() && !this.stream.has_arrived() {
                return Poll::Ready(Ok(()));
            }
        }
        let linger = this.linger.get_or_insert_with(Linger::new);
        linger.poll(&mut this.stream, cx).map(Ok)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::{TcpListener, TcpStream};
    use tokio::time::timeout;

    use super::*;

    const DEADLINES: Deadlines = Deadlines {
        head: Duration::from_secs(10),
        idle: Duration::from_secs(75),
        stalled: Duration::from_secs(30),
    };

    async fn pair() -> (TcpStream, TimedStream, Activity) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (server, _) = listener.accept().await.unwrap();
        let activity = Activity::default();
        (client, TimedStream::new(server.into(), DEADLINES, activity.clone()), activity)
    }

    /// How long the next read waits before the deadline ends it.
    async fn waits(stream: &mut TimedStream) -> Duration {
        let begun = Instant::now();
        let error = stream.read(&mut [0; 64]).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
        Duration::from_secs(begun.elapsed().as_secs())
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_that_sends_nothing_has_the_time_of_a_head() {
        let (_client, mut stream, _) = pair().await;
        assert_eq!(waits(&mut stream).await, DEADLINES.head);
    }

    #[tokio::test(start_paused = true)]
    async fn between_requests_a_connection_has_the_idle_time_and_a_head_its_own() {
        let (mut client, mut stream, activity) = pair().await;
        client.write_all(b"GET / HTTP/1.1\r\n\r\n").await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 18);
        activity.set_busy(true);
        let waiting = timeout(Duration::from_secs(3600), stream.read(&mut [0; 64])).await;
        assert!(waiting.is_err(), "a request that is being answered has no deadline here");
        activity.set_busy(false);
        stream.write_all(b"HTTP/1.1 200 OK").await.unwrap();
        assert_eq!(waits(&mut stream).await, DEADLINES.idle);

        let (mut client, mut stream, _) = pair().await;
        stream.write_all(b"HTTP/1.1 200 OK").await.unwrap();
        client.write_all(b"G").await.unwrap();
        assert_eq!(stream.read(&mut [0; 64]).await.unwrap(), 1);
        assert_eq!(waits(&mut stream).await, DEADLINES.head);
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_comes_by_the_byte_has_one_deadline() {
        let (mut client, mut stream, _) = pair().await;
        let begun = Instant::now();
        let reading = tokio::spawn(async move { while stream.read(&mut [0; 64]).await.is_ok() {} });
        while !reading.is_finished() && begun.elapsed() < 10 * DEADLINES.head {
            drop(client.write_all(b"a").await);
            drop(timeout(DEADLINES.head / 4, std::future::pending::<()>()).await);
        }
        assert!(begun.elapsed() <= 2 * DEADLINES.head, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_not_read_ends_the_connection() {
        let (_client, mut stream, activity) = pair().await;
        activity.set_busy(true);
        let long = vec![0; 64 << 20];
        let written = timeout(10 * DEADLINES.stalled, stream.write_all(&long)).await;
        let error = written.expect("the connection ends first").unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::TimedOut);
    }

    #[tokio::test(start_paused = true)]
    async fn a_response_that_is_read_by_the_byte_ends_the_connection() {
        let (mut client, mut stream, activity) = pair().await;
        activity.set_busy(true);
        let begun = Instant::now();
        let written = tokio::spawn(async move { stream.write_all(&vec![0; 64 << 20]).await });
        // Now and then the client's system takes some more of what waits.
        let mut read = vec![0; 1 << 20];
        while !written.is_finished() {
            drop(timeout(DEADLINES.stalled / 3, std::future::pending::<()>()).await);
            drop(client.read(&mut read[..STALLED_BYTES / 8]).await);
        }
        assert_eq!(written.await.unwrap().unwrap_err().kind(), io::ErrorKind::TimedOut);
        assert!(begun.elapsed() < 10 * DEADLINES.stalled, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_begins_with_the_end_of_the_last_request_has_its_own_time() {
        for (read, body, is_begun) in [
            (&b"GET / HTTP/1.1\r\n\r\n"[..], 0, false),
            (b"GET / HTTP/1.1\n\n", 0, false),
            (b"GET / HTTP/1.1\r\n\r\nG", 0, true),
            (b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\nhost: a\r\n", 0, true),
            (b"PUT / HTTP/1.1\r\ncontent-length: 4\r\n\r\nbody", 4, false),
            (b"PUT / HTTP/1.1\r\ncontent-length: 4\r\n\r\nbodyGET", 7, true),
            (b"PUT / HTTP/1.1\r\ntransfer-encoding: chunked\r\n\r\n1\r\nx\r\n0\r\n\r\n", 8, false),
        ] {
            let (mut client, mut stream, activity) = pair().await;
            client.write_all(read).await.unwrap();
            let mut buffer = [0; 256];
            assert_eq!(stream.read(&mut buffer).await.unwrap(), read.len());
            activity.set_busy(true);
            let body_end = if body == 0 { 0 } else { read.len() - body + body.min(4) };
            if body_end > 0 {
                activity.note_body_end(buffer[..body_end].as_ptr_range().end.addr());
            }
            activity.set_busy(false);
            stream.write_all(b"HTTP/1.1 200 OK").await.unwrap();
            let expected = if is_begun { DEADLINES.head } else { DEADLINES.idle };
            let read = String::from_utf8_lossy(read);
            assert_eq!(waits(&mut stream).await, expected, "{read}");
        }
    }

    #[tokio::test]
    async fn the_end_of_a_client_is_noted_before_it_sees_the_gateways() {
        let (mut client, stream, _) = pair().await;
        client.shutdown().await.unwrap();
        let client = client.into_std().unwrap();
        let (sender, noted) = std::sync::mpsc::channel();
        let seen = move || client.peek(&mut [0]).map_err(|error| error.kind());
        let mut stream = stream.on_end(move || sender.send(seen()).unwrap());
        assert_eq!(stream.read(&mut [0; 8]).await.unwrap(), 0);
        assert!(noted.try_recv().is_err(), "a response may still follow");
        stream.shutdown().await.unwrap();
        assert_eq!(noted.try_recv(), Ok(Err(io::ErrorKind::WouldBlock)));
    }

    #[tokio::test]
    async fn a_client_that_has_not_ended_its_side_stays_counted() {
        let (_client, stream, _) = pair().await;
        let (sender, noted) = std::sync::mpsc::channel();
        let mut stream = stream.on_end(move || sender.send(()).unwrap());
        stream.shutdown().await.unwrap();
        assert!(noted.try_recv().is_err());
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_with_an_unread_body_lingers() {
        let (_client, mut stream, activity) = pair().await;
        let begun = Instant::now();
        stream.shutdown().await.unwrap();
        assert_eq!(begun.elapsed(), Duration::ZERO);
        let (_client, mut other, _) = pair().await;
        activity.note_unread_body();
        other.activity = activity;
        other.shutdown().await.unwrap();
        assert_eq!(begun.elapsed().as_secs(), 1);
    }
}
