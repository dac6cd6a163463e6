//! The task of one stream connection: it reads from the socket, takes from the mailbox, writes,
//! and hangs up. One future, small, with nothing in it that an idle connection does not need.

use std::pin::{Pin, pin};
use std::task::{Context, Poll};

use bytes::Bytes;
use frontend_api::{Ending, Input};
use tokio::io::{AsyncRead, AsyncWriteExt as _, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep, sleep_until, timeout_at};

use super::bounds::{
    CHUNK_BYTES, DRAINED_MAX, FINISH_TIMEOUT, FLUSH_TIMEOUT, LAST_WORDS_TIMEOUT, LINGER_TIMEOUT,
    ROUNDS_AT_ONCE,
};
use super::conversation::{Conversation, Over};
use super::door::Held;
use super::limits::Permit;
use super::mailbox::Arrival;
use super::metrics::Limit;

/// What a transport adds to a TCP stream.
pub(super) trait Socket: Send {
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
pub(super) enum Received {
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
pub(super) enum Hangup {
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
    stage: Stage,
    /// When something last came from the peer, and how long its silence is borne.
    idle_at: Option<Instant>,
}

/// Runs a connection to its end. `held` and `permit` are given back when nothing is left of it.
pub(super) async fn run<S: Socket>(
    held: Held,
    permit: Permit,
    socket: S,
    conversation: Conversation,
) {
    let _until_the_end = (held, permit);
    let mut connection = Connection { socket, conversation, stage: Stage::Open, idle_at: None };
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
async fn linger(stream: &mut TcpStream) {
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

impl<S: Socket> Connection<S> {
    /// Goes on until the connection is over: then why, and whatever was to be sent is sent.
    fn poll(&mut self, cx: &mut Context<'_>, mut sleep: Pin<&mut Sleep>) -> Poll<Hangup> {
        // Rounds, not a loop without end: other connections of this thread want their turn.
        for _ in 0..ROUNDS_AT_ONCE {
            if let Some(hangup) = self.over() {
                return Poll::Ready(hangup);
            }
            match self.poll_round(cx, sleep.as_mut()) {
                Poll::Ready(Ok(())) => (),
                Poll::Ready(Err(hangup)) => return Poll::Ready(hangup),
                Poll::Pending => return Poll::Pending,
            }
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    }

    /// Moves from stage to stage; says so when there is nothing left to do.
    fn over(&mut self) -> Option<Hangup> {
        let more = self.conversation.advance();
        let closing = matches!(self.stage, Stage::Closing { .. });
        if let Some(over) = self.conversation.over()
            && !closing
        {
            self.close(Hangup::Session(over));
        }
        if let Stage::Finishing { hangup, .. } = self.stage
            && !more
            && self.conversation.is_answered()
        {
            if let Hangup::Ending(ending) = hangup {
                self.conversation.feed(Input::Ending(ending));
            }
            self.close(hangup);
        }
        match self.stage {
            Stage::Closing { hangup, .. } if self.conversation.outgoing.is_empty() => Some(hangup),
            _ => None,
        }
    }

    /// One look at everything that may have happened. `Ready(Ok)`: something had.
    fn poll_round(
        &mut self,
        cx: &mut Context<'_>,
        sleep: Pin<&mut Sleep>,
    ) -> Poll<Result<(), Hangup>> {
        let mut progress = false;
        let blocked = !self.conversation.outgoing.is_empty()
            && match self.conversation.outgoing.poll_write(self.socket.stream(), cx) {
                Poll::Ready(Ok(())) => {
                    progress = true;
                    false
                }
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Hangup::Dead)),
                Poll::Pending => true,
            };
        let closing = matches!(self.stage, Stage::Closing { .. });
        // While the peer does not take what it is sent, its mail stays where it is counted.
        match self.conversation.link().mailbox.poll(cx, !blocked && !closing) {
            Poll::Ready(Arrival::Mail(mails)) => {
                mails.into_iter().for_each(|mail| self.conversation.take_mail(mail));
                progress = true;
            }
            Poll::Ready(Arrival::Ending(ending)) => {
                self.end(ending);
                progress = true;
            }
            Poll::Ready(Arrival::Over) => return Poll::Ready(Err(Hangup::Dead)),
            Poll::Pending => (),
        }
        progress |= self.conversation.poll_running(cx).is_ready();
        progress |= self.poll_timer(cx, sleep)?;
        if !blocked {
            progress |= self.poll_receive(cx)?;
            // The transport itself may have had something to say.
            progress |= !self.conversation.outgoing.is_empty();
        }
        if progress { Poll::Ready(Ok(())) } else { Poll::Pending }
    }

    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Result<bool, Hangup> {
        let reading = matches!(self.stage, Stage::Open | Stage::Emptying { .. });
        if !reading || !self.conversation.may_read() {
            return Ok(false);
        }
        let received = self.socket.poll_receive(cx, &mut self.conversation);
        if let Stage::Emptying { hangup, left } = &mut self.stage {
            *left -= 1;
            if *left == 0 || received.is_pending() {
                let hangup = *hangup;
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
            Stage::Open => self.idle_at,
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
