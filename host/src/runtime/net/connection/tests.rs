use std::io::{ErrorKind, Read as _, Write as _};
use std::mem::MaybeUninit;
use std::sync::Arc;
use std::task::Waker;

use tokio::net::TcpListener;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::advance;

use bytes::Bytes;
use core_model::{ConnectionId, MessageId, Query, Reply, Timestamp, UserRef};
use gateway_fanout::{ConnectionHandle, MailboxItem, Pushed, RoomClass};
use socket2::SockRef;

use super::*;
use crate::config::Limits;
use crate::runtime::limits::READ_PAUSE;
use crate::runtime::limits::memory_budget::Reservation;
use crate::runtime::net::socket::MESSAGE_TIMEOUT;
use crate::runtime::net::stream::Stream;
use crate::runtime::net::tcp::Lines;
use crate::runtime::net::websocket::WebSocket;
use crate::runtime::session::services::Services;
use crate::runtime::session::stream::tests::Scene;

/// A connection whose peer has sent three requests at once, where one is allowed if nothing else is
/// said.
struct Refused {
    connection: Connection<Lines>,
    sleep: Pin<Box<Sleep>>,
    peer: std::net::TcpStream,
    handle: Arc<ConnectionHandle>,
    services: Arc<Services>,
    hub: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl Refused {
    async fn open() -> Self {
        let limits = Limits { requests_per_s: 1, requests_burst: 1, ..Limits::default() };
        let mut refused = Self::within(limits).await;
        assert_eq!(refused.received(), "answer\nanswer\n", "the third waits");
        refused
    }

    async fn within(limits: Limits) -> Self {
        let scene = Scene::within(limits).await;
        let Scene { services, hub, handle, session, _folder } = scene;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.write_all(b"ask\nask\nask\n").unwrap();
        peer.set_nonblocking(true).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        stream.readable().await.unwrap();
        let reservation = session.services().memory_budget.reservation(None);
        let connection = Connection::new(Lines::new(stream.into(), 100, reservation), session);
        let sleep = Box::pin(sleep_until(Instant::now()));
        let mut refused = Self { connection, sleep, peer, handle, services, hub, _folder };
        assert!(refused.poll().is_pending());
        refused
    }

    fn poll(&mut self) -> Poll<CloseReason> {
        let mut cx = Context::from_waker(Waker::noop());
        self.connection.poll(&mut cx, self.sleep.as_mut())
    }

    /// What the peer has received.
    fn received(&mut self) -> String {
        let mut received = Vec::new();
        match self.peer.read_to_end(&mut received) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => (),
            ended => panic!("{ended:?}"),
        }
        String::from_utf8(received).unwrap()
    }

    async fn end(self) {
        drop(self.connection);
        self.services.hub.stop();
        self.hub.await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn a_refused_peer_is_not_read_from_for_a_moment() {
    let mut refused = Refused::open().await;
    advance(READ_PAUSE.0 / 2).await;
    assert!(refused.poll().is_pending());
    assert_eq!(refused.received(), "");
    advance(READ_PAUSE.0).await;
    assert!(refused.poll().is_pending());
    assert_eq!(refused.received(), "answer\n");
    refused.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_read_from_is_written_to() {
    let mut refused = Refused::open().await;
    let bytes = Bytes::from_static(b"news\n");
    let (message, class) = (Some(MessageId(1)), RoomClass::Public);
    let (waker, pushed) = refused.handle.mailbox.push(MailboxItem::Frame {
        bytes,
        frames: 1,
        message,
        at: Timestamp(0),
        class,
    });
    assert!(waker.is_some() && pushed == Pushed::Waiting, "the task waits and must be woken");
    assert!(refused.poll().is_pending());
    assert_eq!(refused.received(), "news\n");
    refused.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_is_not_read_from_is_answered_before_draining_ends() {
    let mut refused = Refused::open().await;
    refused.handle.mailbox.end(Ending::Draining);
    let reason = loop {
        match refused.poll() {
            Poll::Ready(reason) => break reason,
            Poll::Pending => yield_now().await,
        }
    };
    assert_eq!(reason, CloseReason::Host(Ending::Draining));
    assert_eq!(refused.received(), "answer\n");
    refused.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_silent_connection_is_ended_after_the_idle_timeout() {
    let idle_timeout = Duration::from_secs(3_600);
    let mut silent = Refused::within(Limits { idle_timeout, ..Limits::default() }).await;
    advance(idle_timeout - Duration::from_secs(1)).await;
    assert!(silent.poll().is_pending());
    advance(Duration::from_secs(2)).await;
    let reason = loop {
        match silent.poll() {
            Poll::Ready(reason) => break reason,
            Poll::Pending => yield_now().await,
        }
    };
    assert_eq!(reason, CloseReason::Host(Ending::Idle));
    silent.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_closes_during_a_read_pause_is_noticed_after_it() {
    let mut refused = Refused::open().await;
    refused.peer.shutdown(std::net::Shutdown::Write).unwrap();
    assert!(refused.poll().is_pending());
    // Its request is answered first, and refused again, which pauses reading once more.
    let mut reason = Poll::Pending;
    for _ in 0..2 {
        advance(READ_PAUSE.1).await;
        // Gives the runtime a turn to notice that the peer is gone.
        yield_now().await;
        reason = refused.poll();
    }
    assert_eq!(reason, Poll::Ready(CloseReason::PeerFinished));
    refused.end().await;
}

/// A connection, and its peer.
struct Opened<S> {
    connection: Connection<S>,
    sleep: Pin<Box<Sleep>>,
    peer: std::net::TcpStream,
    handle: Arc<ConnectionHandle>,
    services: Arc<Services>,
    hub: JoinHandle<()>,
    _folder: tempfile::TempDir,
}

impl<S: Socket> Opened<S> {
    async fn open(socket: impl FnOnce(Stream, Reservation) -> S) -> Self {
        let Scene { services, hub, handle, session, _folder } =
            Scene::within(Limits::default()).await;
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        peer.set_nonblocking(true).unwrap();
        peer.set_nodelay(true).unwrap();
        peer.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let (stream, _) = listener.accept().await.unwrap();
        let reservation = session.services().memory_budget.reservation(None);
        let connection = Connection::new(socket(stream.into(), reservation), session);
        let sleep = Box::pin(sleep_until(Instant::now()));
        Self { connection, sleep, peer, handle, services, hub, _folder }
    }

    fn poll(&mut self) -> Poll<CloseReason> {
        let mut cx = Context::from_waker(Waker::noop());
        self.connection.poll(&mut cx, self.sleep.as_mut())
    }

    /// Has the peer send bytes, and the connection read all of them.
    async fn send(&mut self, bytes: &[u8]) {
        self.peer.write_all(bytes).unwrap();
        let mut arrived = vec![MaybeUninit::uninit(); bytes.len()];
        let Stream::Tcp(stream) = self.connection.socket.stream() else { panic!("it is TCP") };
        let stream = SockRef::from(&*stream);
        while !stream.peek(&mut arrived).is_ok_and(|arrived| arrived == bytes.len()) {
            std::thread::yield_now();
        }
        while self.connection.socket.stream().has_arrived() {
            yield_now().await;
            assert!(self.poll().is_pending());
        }
        // What was read is carried out in turns.
        for _ in 0..16 {
            yield_now().await;
            assert!(self.poll().is_pending());
        }
    }

    /// Asserts that the peer has received just these bytes since it was last asked.
    #[track_caller]
    fn expect(&mut self, bytes: &[u8]) {
        let mut received = vec![0; bytes.len()];
        self.peer.set_nonblocking(false).unwrap();
        self.peer.read_exact(&mut received).expect("it has been sent");
        self.peer.set_nonblocking(true).unwrap();
        let more = self.peer.read_to_end(&mut received).unwrap_err();
        assert_eq!(more.kind(), ErrorKind::WouldBlock);
        assert_eq!(received.escape_ascii().to_string(), bytes.escape_ascii().to_string());
    }

    async fn end(self) {
        drop(self.connection);
        self.services.hub.stop();
        // A test may have ended it.
        drop(self.hub.await);
    }
}

impl Opened<WebSocket> {
    async fn websocket() -> Self {
        let limits = Limits::default();
        Self::open(|stream, memory| WebSocket::new(stream, Vec::new(), &limits, memory)).await
    }
}

const PING: &[u8] = b"\x89\0";
/// Of a client: masked, with zeros.
const PONG: &[u8] = b"\x8a\x80\0\0\0\0";

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_pings_and_sends_nothing_else_stays_connected() {
    let mut opened = Opened::websocket().await;
    let interval = Limits::default().ping_interval;
    let begun = Instant::now();
    while begun.elapsed() < 10 * MESSAGE_TIMEOUT {
        advance(interval).await;
        assert_eq!(opened.poll(), Poll::Pending, "after {:?}", begun.elapsed());
        opened.expect(PING);
        opened.send(PONG).await;
    }
    opened.send(b"\x81\x84\0\0\0\0turn").await;
    opened.expect(b"answer\n");
    opened.end().await;
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_answers_no_ping_is_disconnected() {
    let mut opened = Opened::websocket().await;
    for _ in 0..2 {
        advance(Limits::default().ping_interval).await;
        assert_eq!(opened.poll(), Poll::Pending);
        opened.expect(PING);
    }
    advance(Limits::default().ping_interval).await;
    // Without last words: the peer is dead.
    assert_eq!(opened.poll(), Poll::Ready(CloseReason::Disconnected));
    opened.expect(b"");
    opened.end().await;
}

/// Control frames within a message do not prolong its time.
#[tokio::test(start_paused = true)]
async fn a_message_that_does_not_come_to_its_end_disconnects_a_peer_that_answers_pings() {
    let mut opened = Opened::websocket().await;
    let interval = Limits::default().ping_interval;
    // A fragment, "sig", and another peer's ping with it.
    opened.send(b"\x01\x83\0\0\0\0sig\x89\x82\0\0\0\0hi").await;
    opened.expect(b"\x8a\x02hi");
    let begun = Instant::now();
    while begun.elapsed() + interval < MESSAGE_TIMEOUT {
        advance(interval).await;
        assert_eq!(opened.poll(), Poll::Pending, "after {:?}", begun.elapsed());
        opened.send(PONG).await;
    }
    advance(interval).await;
    assert_eq!(opened.poll(), Poll::Ready(CloseReason::Disconnected));
    opened.end().await;
}

impl Opened<Lines> {
    /// A peer that was sent a message, whose bytes its system has, and which has not read them.
    async fn delivered() -> Self {
        let mut opened = Self::open(|stream, memory| Lines::new(stream, 10_000, memory)).await;
        opened.send(b"sign in\n").await;
        while opened.peer.peek(&mut [0]).is_err() {
            yield_now().await;
            assert!(opened.poll().is_pending());
        }
        opened.expect(b"answer\n");
        let (message, class) = (Some(MessageId(7)), RoomClass::Public);
        let bytes = Bytes::from_static(b"news\n");
        let (_, pushed) = opened.handle.mailbox.push(MailboxItem::Frame {
            bytes,
            frames: 1,
            message,
            at: Timestamp(0),
            class,
        });
        assert_eq!(pushed, Pushed::Waiting);
        assert!(opened.poll().is_pending());
        assert!(opened.has_unacknowledged());
        opened
    }

    fn has_unacknowledged(&self) -> bool {
        self.connection.session.unacknowledged().is_some()
    }
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_reads_of_one_burst_are_one_sign_of_life() {
    let mut opened = Opened::delivered().await;
    let line = [&[b'x'; 9_000][..], b"\n"].concat();
    opened.send(&line.repeat(3)).await;
    assert!(opened.has_unacknowledged(), "it was sent before the peer could read");
    opened.expect(b"news\nanswer\nanswer\nanswer\n");
    opened.send(b"turn\n").await;
    assert!(!opened.has_unacknowledged());
    opened.end().await;
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_is_sent_before_the_answer_to_the_request_before_it_is_no_sign_of_life() {
    let mut opened = Opened::delivered().await;
    // Who brings the answers.
    opened.hub.abort();
    opened.send(b"post\n").await;
    opened.send(b"turn\n").await;
    opened.expect(b"news\n");
    assert!(opened.has_unacknowledged());
    opened.end().await;
}

/// A peer that sees the answer to its close finds its seats given back.
#[tokio::test(start_paused = true)]
async fn a_close_is_answered_when_the_engine_has_released_the_connection() {
    let Scene { services, hub, session, _folder, .. } = Scene::within(Limits::default()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
    // "sign in", masked with zeros.
    peer.write_all(b"\x81\x87\0\0\0\0sign in").unwrap();
    peer.set_nonblocking(true).unwrap();
    let (stream, _) = listener.accept().await.unwrap();
    let reservation = session.services().memory_budget.reservation(None);
    let socket = WebSocket::new(stream.into(), Vec::new(), &Limits::default(), reservation);
    let mut connection = Connection::new(socket, session);
    let mut sleep = Box::pin(sleep_until(Instant::now()));
    let mut cx = Context::from_waker(Waker::noop());
    let mut received = Vec::new();
    while received.is_empty() {
        yield_now().await;
        assert!(connection.poll(&mut cx, sleep.as_mut()).is_pending());
        drop(peer.read_to_end(&mut received));
    }
    peer.write_all(b"\x88\x82\0\0\0\0\x03\xe8").unwrap();
    // Without a turn of the hub, which brings the engine's answer, there is none to the close.
    std::future::poll_fn(|cx| connection.socket.stream().poll_read_ready(cx)).await;
    received.clear();
    for _ in 0..100 {
        assert!(connection.poll(&mut cx, sleep.as_mut()).is_pending());
    }
    drop(peer.read_to_end(&mut received));
    assert_eq!(received, b"");
    let reason = loop {
        match connection.poll(&mut cx, sleep.as_mut()) {
            Poll::Ready(reason) => break reason,
            Poll::Pending => yield_now().await,
        }
    };
    assert_eq!(reason, CloseReason::PeerClosed);
    drop(peer.read_to_end(&mut received));
    assert_eq!(received, b"\x88\x02\x03\xe8");
    let user = UserRef::Identity("tel/1".into());
    let query = Query::User { user, caller: None };
    match services.engine.query(services.clock.now(), ConnectionId(0), &query).outcome {
        Ok(Reply::User { user }) => assert!(!user.online),
        other => panic!("{other:?}"),
    }
    drop(connection);
    services.hub.stop();
    hub.await.unwrap();
}

/// Three requests of a client, masked with zeros; the second and third wait for the first.
const REQUESTS: &[u8] = b"\x81\x87\0\0\0\0sign in\x81\x81\0\0\0\0x\x81\x81\0\0\0\0y";

/// Three requests come at once with the end of the stream. Asserts that all are answered before it
/// ends.
async fn assert_answered_before(end: &[u8], farewell: &[u8], expected: CloseReason) {
    let mut opened = Opened::websocket().await;
    opened.peer.write_all(&[REQUESTS, end].concat()).unwrap();
    if end.is_empty() {
        opened.peer.shutdown(std::net::Shutdown::Write).unwrap();
    }
    let reason = loop {
        match opened.poll() {
            Poll::Ready(reason) => break reason,
            Poll::Pending => yield_now().await,
        }
    };
    assert_eq!(reason, expected);
    opened.expect(&[b"answer\nanswer\nanswer\n", farewell].concat());
    opened.end().await;
}

#[tokio::test(start_paused = true)]
async fn requests_before_a_close_are_answered_before_it() {
    let close = b"\x88\x82\0\0\0\0\x03\xe8";
    assert_answered_before(close, b"\x88\x02\x03\xe8", CloseReason::PeerClosed).await;
}

#[tokio::test(start_paused = true)]
async fn requests_before_the_end_of_the_stream_are_answered() {
    assert_answered_before(b"", b"", CloseReason::PeerFinished).await;
}

#[tokio::test(start_paused = true)]
async fn requests_before_a_violation_are_answered_before_it() {
    // A frame without a mask.
    let reason = CloseReason::ProtocolError(1002);
    assert_answered_before(b"\x81\x01x", b"\x88\x02\x03\xea", reason).await;
}

impl Refused {
    /// Polls until it has ended, past the deadline of its last bytes.
    async fn reason(&mut self) -> CloseReason {
        loop {
            if let Poll::Ready(reason) = self.poll() {
                return reason;
            }
            assert!(matches!(self.connection.stage, Stage::Closing { .. }));
            advance(CUT_OFF_FLUSH_TIMEOUT).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_takes_too_little_of_what_waits_is_cut_off() {
    let mut slow = Refused::within(Limits::default()).await;
    slow.received();
    slow.connection.session.write_queue.push_shared(vec![0; 64 << 20].into());
    assert!(slow.poll().is_pending());
    advance(STALLED_TIMEOUT * 2 / 3).await;
    let before = slow.connection.session.write_queue.written();
    while slow.connection.session.write_queue.written() < before + STALLED_BYTES {
        slow.received();
        assert!(slow.poll().is_pending());
        yield_now().await;
    }
    // That was progress; a little now and then is none.
    advance(STALLED_TIMEOUT * 2 / 3).await;
    slow.peer.read_exact(&mut [0; 1024]).unwrap();
    assert!(slow.poll().is_pending());
    assert!(matches!(slow.connection.stage, Stage::Open));
    // Its system may take some more of what waits, and then no more.
    for _ in 0..10 {
        advance(STALLED_TIMEOUT).await;
        assert!(slow.poll().is_pending());
        if matches!(slow.connection.stage, Stage::Closing { .. }) {
            return slow.end().await;
        }
    }
    panic!("it is not cut off");
}

#[tokio::test(start_paused = true)]
async fn a_peer_that_leaves_more_of_its_own_unread_than_there_is_memory_for_is_cut_off() {
    let mut shared = Refused::within(Limits::default()).await;
    shared.connection.session.write_queue.push_shared(vec![0; 160 << 20].into());
    assert!(shared.poll().is_pending() && shared.services.unread_budget.used() == 0);
    assert!(matches!(shared.connection.stage, Stage::Open), "others have the same bytes");
    shared.end().await;
    let mut own = Refused::within(Limits::default()).await;
    own.connection.session.write_queue.push(vec![0; 20 << 20].into());
    assert!(own.poll().is_pending() && own.services.unread_budget.used() > 0);
    own.connection.session.write_queue.push(vec![0; 160 << 20].into());
    assert!(own.poll().is_pending());
    assert_eq!(own.reason().await, CloseReason::Disconnected);
    own.end().await;
}
