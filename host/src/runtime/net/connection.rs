//! The task of one stream connection: it reads from the socket, takes from the mailbox, writes,
//! and hangs up. One future, small, with nothing in it that an idle connection does not need.

use std::collections::VecDeque;
use std::mem::MaybeUninit;
use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use frontend_api::{Ending, Input};
use socket2::SockRef;
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use crate::runtime::bounds::{
    CHUNK_BYTES, DRAINED_MAX, FINISH_TIMEOUT, FLUSH_TIMEOUT, LAST_WORDS_TIMEOUT, LINGER_TIMEOUT,
    LOOKS_AT_ONCE,
};
use crate::runtime::fanout::mailbox::{Arrival, Mail};
use crate::runtime::limits::{Hold, Permit};
use crate::runtime::metrics::Limit;
use crate::runtime::net::listener::Held;
use crate::runtime::session::driver::{Conversation, Over};

/// What a transport adds to a TCP stream.
pub(crate) trait Socket: Send {
    fn stream(&mut self) -> &mut TcpStream;

    /// Reads, and feeds the session what came.
    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        conversation: &mut Conversation,
    ) -> Poll<Received>;

    /// When the transport itself next wants to do something.
    fn deadline(&self) -> Option<Instant> {
        None
    }

    /// That moment has come. False: the peer gives no sign of life.
    fn on_deadline(&mut self, now: Instant, conversation: &mut Conversation) -> bool {
        let _ = (now, conversation);
        true
    }

    /// The transport's own last word.
    fn farewell(&self, hangup: Hangup) -> Option<Bytes> {
        let _ = hangup;
        None
    }
}

/// What came from the peer.
#[derive(Debug)]
pub(crate) enum Received {
    /// Something, and the session knows.
    Something,
    /// Something that is no sign of the peer's own will.
    Pulse,
    /// The peer will send no more, but may still read.
    End,
    /// The peer has ended the connection in the transport's way.
    Closed,
    /// A message or line over the limit.
    Overlong,
    /// What the peer sent is not the transport's protocol; the code of RFC 6455 that says so.
    Violation(u16),
    Broken,
}

/// Why the host hangs up.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Hangup {
    /// The session is over.
    Session(Over),
    Ending(Ending),
    /// The peer sends no more, and has all its answers.
    PeerEnded,
    PeerClosed,
    Violation(u16),
    /// There is nobody to talk to.
    Dead,
}

/// How far the connection is.
enum Stage {
    Open,
    /// What has come in so far is still read, at most so many pieces of it.
    Emptying {
        hangup: Hangup,
        left: u32,
    },
    /// No more is read; when everything is answered, it ends.
    Finishing {
        hangup: Hangup,
        until: Instant,
    },
    /// Last words leave.
    Closing {
        hangup: Hangup,
        until: Instant,
    },
}

struct Connection<S> {
    socket: S,
    conversation: Conversation,
    /// Taken from the mailbox, and not read yet.
    mails: VecDeque<Mail>,
    stage: Stage,
    /// When something last came from the peer, and how long its silence is borne.
    idle_at: Option<Instant>,
    /// Until when the peer is not read from, because it was refused something.
    held_until: Option<Instant>,
    hold: Hold,
}

/// Runs a connection to its end. `held` and `permit` are given back when nothing is left of it.
pub(crate) async fn run<S: Socket>(
    held: Held,
    permit: Permit,
    socket: S,
    conversation: Conversation,
) {
    let _until_the_end = (held, permit);
    let mut connection = Connection::new(socket, conversation);
    connection.heard();
    connection.conversation.feed(Input::Opened);
    let mut sleep = pin!(sleep_until(Instant::now()));
    let hangup = std::future::poll_fn(|cx| connection.poll(cx, sleep.as_mut())).await;
    let Connection { mut socket, conversation, .. } = connection;
    // What the engine holds for the connection is given back before anything is waited for.
    drop(conversation);
    if hangup != Hangup::Dead {
        linger(socket.stream()).await;
    }
}

/// Says that no more comes, and reads what the peer still sends until it hangs up too.
pub(crate) async fn linger(stream: &mut TcpStream) {
    let until = Instant::now() + LINGER_TIMEOUT;
    if stream.shutdown().await.is_err() {
        return;
    }
    let read = std::future::poll_fn(|cx| {
        loop {
            let mut scratch = [0; CHUNK_BYTES];
            let mut buffer = ReadBuf::new(&mut scratch);
            match Pin::new(&mut *stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => (),
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return Poll::Pending,
            }
        }
    });
    // Whoever does not hang up in time is hung up on.
    drop(timeout_at(until, read).await);
}

/// Whether something waits to be read that the runtime has not been told of yet.
fn has_arrived(stream: &TcpStream) -> bool {
    let peeked = SockRef::from(stream).peek(&mut [MaybeUninit::uninit()]);
    peeked.is_ok_and(|bytes| bytes > 0)
}

impl<S: Socket> Connection<S> {
    fn new(socket: S, conversation: Conversation) -> Self {
        let (mails, stage, hold) = (VecDeque::new(), Stage::Open, Hold::default());
        Self { socket, conversation, mails, stage, idle_at: None, held_until: None, hold }
    }

    /// Goes on until the connection is over: then why, and whatever was to be sent is sent.
    fn poll(&mut self, cx: &mut Context<'_>, mut sleep: Pin<&mut Sleep>) -> Poll<Hangup> {
        // Looks, not a loop without end: other connections of this thread want their turn.
        for _ in 0..LOOKS_AT_ONCE {
            match self.look(cx, sleep.as_mut()) {
                Ok(true) => (),
                Ok(false) => return Poll::Pending,
                Err(hangup) => return Poll::Ready(hangup),
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// One look at everything that may have happened; what is to be sent is sent in the end. True:
    /// there may be more. False: everything that can happen wakes the task. `Err`: it is over.
    fn look(&mut self, cx: &mut Context<'_>, sleep: Pin<&mut Sleep>) -> Result<bool, Hangup> {
        let blocked = self.write(cx)?;
        let mut more = self.poll_mailbox(cx, blocked)?;
        // While the peer does not take what it is sent, it is not listened to, and its mail stays
        // where it is counted.
        if !blocked {
            more |= self.read_mail();
        }
        // After the mail, which may have begun it or made room for more.
        more |= self.conversation.poll_running(cx).is_ready();
        if !blocked {
            more |= self.poll_receive(cx)?;
        }
        if let Some(at_most) = self.conversation.take_refused() {
            self.held_until = Some(self.hold.begin(Instant::now(), at_most));
        }
        more |= self.move_on();
        if !blocked {
            self.write(cx)?;
        }
        match self.stage {
            Stage::Closing { hangup, .. } if self.conversation.outgoing.is_empty() => Err(hangup),
            // Last: everything before may have changed when it rings.
            _ => Ok(more | self.poll_timer(cx, sleep)?),
        }
    }

    /// Sends what is to be sent. True: the socket takes no more for now.
    fn write(&mut self, cx: &mut Context<'_>) -> Result<bool, Hangup> {
        if self.conversation.outgoing.is_empty() {
            return Ok(false);
        }
        match self.conversation.outgoing.poll_write(self.socket.stream(), cx) {
            Poll::Ready(Ok(())) => Ok(false),
            Poll::Ready(Err(_)) => Err(Hangup::Dead),
            Poll::Pending => Ok(true),
        }
    }

    fn poll_mailbox(&mut self, cx: &mut Context<'_>, blocked: bool) -> Result<bool, Hangup> {
        let closing = matches!(self.stage, Stage::Closing { .. });
        let unread = !self.mails.is_empty();
        let take_mail = !unread && !blocked && !closing;
        match self.conversation.link().mailbox.poll(cx, take_mail) {
            Poll::Ready(Arrival::Mail { mails, more }) => {
                self.conversation.expect(&mails);
                self.mails = mails;
                return Ok(more);
            }
            Poll::Ready(Arrival::Ending(ending)) => {
                self.end(ending);
                return Ok(true);
            }
            Poll::Ready(Arrival::Over) => return Err(Hangup::Dead),
            Poll::Pending => (),
        }
        // What came meanwhile has been left, and wakes nobody any more.
        Ok(unread && !blocked)
    }

    /// Answers what is answered, and takes the mail in turn with it: an answer is said before the
    /// events that came after it.
    fn read_mail(&mut self) -> bool {
        while !self.conversation.advance() {
            match self.mails.pop_front() {
                Some(mail) => self.conversation.take_mail(mail),
                None => {
                    self.mails = VecDeque::new();
                    return false;
                }
            }
        }
        true
    }

    /// Goes from stage to stage; true if it did.
    fn move_on(&mut self) -> bool {
        if matches!(self.stage, Stage::Closing { .. }) {
            return false;
        }
        if let Some(over) = self.conversation.over() {
            self.close(Hangup::Session(over));
            return true;
        }
        match self.stage {
            Stage::Finishing { hangup, .. }
                if self.mails.is_empty() && self.conversation.is_answered() =>
            {
                if let Hangup::Ending(ending) = hangup {
                    self.conversation.feed(Input::Ending(ending));
                }
                self.close(hangup);
                true
            }
            _ => false,
        }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Result<bool, Hangup> {
        let reading = match self.stage {
            Stage::Open => self.held_until.is_none(),
            // What arrived before is answered before the last words, held or not.
            Stage::Emptying { .. } => true,
            Stage::Finishing { .. } | Stage::Closing { .. } => false,
        };
        if !reading || !self.conversation.may_read() {
            return Ok(false);
        }
        let received = self.socket.poll_receive(cx, &mut self.conversation);
        if let Stage::Emptying { hangup, left } = &mut self.stage {
            let hangup = *hangup;
            *left -= 1;
            if *left == 0 || (received.is_pending() && !has_arrived(self.socket.stream())) {
                self.finish(hangup);
                return Ok(true);
            }
        }
        match received {
            Poll::Ready(received) => self.receive(received).map(|()| true),
            Poll::Pending => Ok(false),
        }
    }

    fn receive(&mut self, received: Received) -> Result<(), Hangup> {
        match received {
            Received::Something => self.heard(),
            Received::Pulse => (),
            Received::End => self.finish(Hangup::PeerEnded),
            Received::Closed => self.close(Hangup::PeerClosed),
            Received::Overlong => {
                self.conversation.served().counters.refused(Limit::MessageBytes);
                self.end(Ending::Overlong);
            }
            Received::Violation(code) => self.close(Hangup::Violation(code)),
            Received::Broken => return Err(Hangup::Dead),
        }
        Ok(())
    }

    fn end(&mut self, ending: Ending) {
        match (ending, &self.stage) {
            (_, Stage::Closing { .. }) => (),
            (Ending::Draining, Stage::Open) => {
                let hangup = Hangup::Ending(ending);
                self.stage = Stage::Emptying { hangup, left: DRAINED_MAX };
            }
            // What was read before is answered before the last words.
            (Ending::Draining | Ending::Overlong, _) => self.finish(Hangup::Ending(ending)),
            (Ending::Idle | Ending::Slow, _) => {
                self.conversation.feed(Input::Ending(ending));
                self.close(Hangup::Ending(ending));
            }
        }
    }

    fn finish(&mut self, hangup: Hangup) {
        self.stage = Stage::Finishing { hangup, until: Instant::now() + FINISH_TIMEOUT };
    }

    fn close(&mut self, hangup: Hangup) {
        if let Some(farewell) = self.socket.farewell(hangup) {
            self.conversation.outgoing.push(farewell);
        }
        let patience = match hangup {
            Hangup::Ending(Ending::Slow) => LAST_WORDS_TIMEOUT,
            _ => FLUSH_TIMEOUT,
        };
        self.stage = Stage::Closing { hangup, until: Instant::now() + patience };
    }

    /// Something came from the peer.
    fn heard(&mut self) {
        let patience = self.conversation.served().limits.idle_timeout;
        self.idle_at = (!patience.is_zero()).then(|| Instant::now() + patience);
    }

    fn deadline(&self) -> Option<Instant> {
        let until = match self.stage {
            Stage::Open => [self.idle_at, self.held_until].into_iter().flatten().min(),
            Stage::Emptying { .. } => None,
            Stage::Finishing { until, .. } => Some(until),
            Stage::Closing { until, .. } => return Some(until),
        };
        [until, self.conversation.alarm(), self.socket.deadline()].into_iter().flatten().min()
    }

    fn poll_timer(
        &mut self,
        cx: &mut Context<'_>,
        mut sleep: Pin<&mut Sleep>,
    ) -> Result<bool, Hangup> {
        let Some(deadline) = self.deadline() else { return Ok(false) };
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        if sleep.poll(cx).is_pending() {
            return Ok(false);
        }
        let now = Instant::now();
        match self.stage {
            Stage::Closing { .. } => return Err(Hangup::Dead),
            Stage::Finishing { until, .. } if until <= now => return Err(Hangup::Dead),
            Stage::Open | Stage::Emptying { .. } | Stage::Finishing { .. } => (),
        }
        self.held_until.take_if(|until| *until <= now);
        if self.conversation.alarm().is_some_and(|alarm| alarm <= now) {
            self.conversation.wake();
        }
        if self.socket.deadline().is_some_and(|due| due <= now)
            && !self.socket.on_deadline(now, &mut self.conversation)
        {
            return Err(Hangup::Dead);
        }
        if matches!(self.stage, Stage::Open) && self.idle_at.is_some_and(|due| due <= now) {
            self.end(Ending::Idle);
        }
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use std::io::{ErrorKind, Read as _, Write as _};
    use std::sync::Arc;
    use std::task::Waker;

    use tokio::net::TcpListener;
    use tokio::task::{JoinHandle, yield_now};
    use tokio::time::advance;

    use super::*;
    use crate::config::Limits;
    use crate::runtime::bounds::HOLD;
    use crate::runtime::fanout::handle::Link;
    use crate::runtime::net::tcp::Lines;
    use crate::runtime::session::driver::tests::Scene;
    use crate::runtime::session::services::Shared;

    /// A connection whose peer has asked three times at once, where one is what it may.
    struct Refused {
        connection: Connection<Lines>,
        sleep: Pin<Box<Sleep>>,
        peer: std::net::TcpStream,
        link: Arc<Link>,
        shared: Arc<Shared>,
        hub: JoinHandle<()>,
        _folder: tempfile::TempDir,
    }

    impl Refused {
        async fn open() -> Self {
            let limits = Limits { requests_per_s: 1, requests_burst: 1, ..Limits::default() };
            let scene = Scene::within(limits).await;
            let Scene { shared, hub, link, conversation, _folder } = scene;
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let mut peer = std::net::TcpStream::connect(listener.local_addr().unwrap()).unwrap();
            peer.write_all(b"ask\nask\nask\n").unwrap();
            peer.set_nonblocking(true).unwrap();
            let (stream, _) = listener.accept().await.unwrap();
            stream.readable().await.unwrap();
            let connection = Connection::new(Lines::new(stream, 100), conversation);
            let sleep = Box::pin(sleep_until(Instant::now()));
            let mut refused = Self { connection, sleep, peer, link, shared, hub, _folder };
            assert!(refused.poll().is_pending());
            assert_eq!(refused.heard(), "answer\nanswer\n", "the third waits");
            refused
        }

        fn poll(&mut self) -> Poll<Hangup> {
            let mut cx = Context::from_waker(Waker::noop());
            self.connection.poll(&mut cx, self.sleep.as_mut())
        }

        /// What has come to the peer.
        fn heard(&mut self) -> String {
            let mut heard = Vec::new();
            match self.peer.read_to_end(&mut heard) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                ended => panic!("{ended:?}"),
            }
            String::from_utf8(heard).unwrap()
        }

        async fn end(self) {
            drop(self.connection);
            self.shared.hub.stop();
            self.hub.await.unwrap();
        }
    }

    #[tokio::test(start_paused = true)]
    async fn who_was_refused_is_not_read_from_for_a_moment() {
        let mut refused = Refused::open().await;
        advance(HOLD.0 / 2).await;
        assert!(refused.poll().is_pending());
        assert_eq!(refused.heard(), "");
        advance(HOLD.0).await;
        assert!(refused.poll().is_pending());
        assert_eq!(refused.heard(), "answer\n");
        refused.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_read_from_is_written_to_all_the_same() {
        let mut refused = Refused::open().await;
        let bytes = Bytes::from_static(b"news\n");
        let (waker, pushed) =
            refused.link.mailbox.push(Mail::Frame { bytes, frames: 1, message: None });
        assert!(waker.is_some() && pushed.is_ok(), "it sleeps, and is to be woken");
        assert!(refused.poll().is_pending());
        assert_eq!(refused.heard(), "news\n");
        refused.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_is_not_read_from_when_the_gateway_drains_is_answered_first() {
        let mut refused = Refused::open().await;
        refused.link.mailbox.end(Ending::Draining);
        let hangup = loop {
            match refused.poll() {
                Poll::Ready(hangup) => break hangup,
                Poll::Pending => yield_now().await,
            }
        };
        assert_eq!(hangup, Hangup::Ending(Ending::Draining));
        assert_eq!(refused.heard(), "answer\n");
        refused.end().await;
    }

    #[tokio::test(start_paused = true)]
    async fn who_hangs_up_while_it_is_not_read_from_is_noticed_after_the_moment() {
        let mut refused = Refused::open().await;
        refused.peer.shutdown(std::net::Shutdown::Write).unwrap();
        assert!(refused.poll().is_pending());
        // What it asked is answered first, and refused again, which holds it once more.
        let mut hangup = Poll::Pending;
        for _ in 0..2 {
            advance(HOLD.1).await;
            // Gives the runtime a turn to see that the peer is gone.
            yield_now().await;
            hangup = refused.poll();
        }
        assert_eq!(hangup, Poll::Ready(Hangup::PeerEnded));
        refused.end().await;
    }
}
