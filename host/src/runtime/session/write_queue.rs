//! Frames to be written to one socket.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use gateway_fanout::Tally;
use tokio::io::AsyncWrite;

/// Frames in one write: 64 slices are 1 KiB of stack, and more do not save time.
const FRAMES_PER_WRITE: usize = 64;

/// Capacity that an empty queue keeps: 200 bytes, enough for single messages.
const FRAMES_KEPT: usize = 4;

/// Frames in order. Many leave in one write; an empty queue owns next to no memory.
#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    frames: VecDeque<QueuedFrame>,
    /// Bytes of the frames that wait.
    waiting: usize,
    /// Of these, the bytes of frames that no other connection has.
    own: usize,
    /// Bytes of all frames that were ever pushed.
    pushed: u64,
    /// Bytes that the stream has accepted.
    written: u64,
    /// Whether the stream may hold back some of them, as encryption does while its socket is full.
    is_unflushed: bool,
    /// The deliveries in `frames`.
    owed: Tally,
    /// The deliveries in frames that were written since they were last taken.
    written_owed: Tally,
}

#[derive(Debug)]
struct QueuedFrame {
    bytes: Bytes,
    /// Whether other connections have the same bytes.
    is_shared: bool,
    /// The deliveries that end with it.
    owed: Tally,
}

impl WriteQueue {
    /// Reserves space for frames that are about to be pushed.
    pub(crate) fn reserve(&mut self, frames: usize) {
        self.frames.reserve(frames);
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.own += bytes.len();
        self.push_frame(bytes, false);
    }

    /// A frame that was encoded once for many connections.
    pub(crate) fn push_shared(&mut self, bytes: Bytes) {
        self.push_frame(bytes, true);
    }

    fn push_frame(&mut self, bytes: Bytes, is_shared: bool) {
        if !bytes.is_empty() {
            self.pushed += bytes.len() as u64;
            self.waiting += bytes.len();
            self.frames.push_back(QueuedFrame { bytes, is_shared, owed: Tally::default() });
        }
    }

    /// Bytes that wait for the stream.
    pub(crate) fn waiting_bytes(&self) -> usize {
        self.waiting
    }

    /// Bytes that wait and take memory for this connection alone.
    pub(crate) fn own_bytes(&self) -> usize {
        self.own
    }

    /// These deliveries are written with the last frame of the queue.
    pub(crate) fn attach(&mut self, owed: Tally) {
        if owed.is_empty() {
            return;
        }
        match self.frames.back_mut() {
            Some(last) => {
                last.owed += owed;
                self.owed += owed;
            }
            None => self.written_owed += owed,
        }
    }

    /// The deliveries that the stream has not accepted.
    pub(crate) fn owed(&self) -> Tally {
        if self.frames.is_empty() { Tally::default() } else { self.owed }
    }

    /// The deliveries that the stream has accepted since the last call.
    pub(crate) fn take_written(&mut self) -> Tally {
        std::mem::take(&mut self.written_owed)
    }

    /// Drops what is not written; returns these deliveries.
    pub(crate) fn abandon(&mut self) -> Tally {
        let mut owed = Tally::default();
        self.frames.drain(..).for_each(|frame| owed += frame.owed);
        (self.waiting, self.own) = (0, 0);
        self.owed = Tally::default();
        owed
    }

    /// Whether everything has left: to the operating system, and no further.
    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty() && !self.is_unflushed
    }

    /// Where the last frame ends in the stream: bytes since the connection began.
    pub(crate) fn pushed(&self) -> u64 {
        self.pushed
    }

    /// Up to where the stream is written.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    /// Writes until the queue is empty or the stream is full.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut (impl AsyncWrite + Unpin),
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let mut count = 0;
            for (slice, frame) in slices.iter_mut().zip(&self.frames) {
                *slice = IoSlice::new(&frame.bytes);
                count += 1;
            }
            let written = match count {
                1 => Pin::new(&mut *stream).poll_write(cx, &slices[0]),
                _ => Pin::new(&mut *stream).poll_write_vectored(cx, &slices[..count]),
            };
            match ready!(written)? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                written => self.advance(written),
            }
            self.is_unflushed = true;
        }
        if self.is_unflushed {
            ready!(Pin::new(stream).poll_flush(cx))?;
            self.is_unflushed = false;
        }
        if self.frames.capacity() > FRAMES_KEPT {
            self.frames = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        self.written += written as u64;
        self.waiting -= written;
        while let Some(QueuedFrame { bytes, is_shared, owed }) = self.frames.front_mut() {
            let of_frame = written.min(bytes.len());
            self.own -= if *is_shared { 0 } else { of_frame };
            if bytes.len() > written {
                bytes.advance(written);
                return;
            }
            written -= bytes.len();
            self.written_owed += *owed;
            self.owed -= *owed;
            self.frames.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use gateway_fanout::RoomClass;

    use super::*;

    /// A stream that keeps what it was given until it is flushed, as encryption may.
    #[derive(Default)]
    struct Holding {
        held: Vec<u8>,
        left: Vec<u8>,
        is_full: bool,
    }

    impl AsyncWrite for Holding {
        fn poll_write(
            self: Pin<&mut Self>,
            _: &mut Context<'_>,
            bytes: &[u8],
        ) -> Poll<io::Result<usize>> {
            self.get_mut().held.extend_from_slice(bytes);
            Poll::Ready(Ok(bytes.len()))
        }

        fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            let this = self.get_mut();
            if this.is_full {
                return Poll::Pending;
            }
            this.left.append(&mut this.held);
            Poll::Ready(Ok(()))
        }

        fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
            Poll::Ready(Ok(()))
        }
    }

    #[test]
    fn what_the_stream_holds_back_is_not_yet_written() {
        let mut cx = Context::from_waker(std::task::Waker::noop());
        let mut stream = Holding { is_full: true, ..Holding::default() };
        let mut queue = WriteQueue::default();
        queue.push(Bytes::from_static(b"abc"));
        assert!(queue.poll_write(&mut stream, &mut cx).is_pending());
        assert!(!queue.is_empty(), "the connection must not close yet");
        stream.is_full = false;
        assert!(queue.poll_write(&mut stream, &mut cx).is_ready());
        assert!(queue.is_empty());
        assert_eq!(stream.left, b"abc");
    }

    #[test]
    fn frames_have_places_in_the_stream_and_are_written_in_part() {
        let mut queue = WriteQueue::default();
        queue.push(Bytes::from_static(b"abc"));
        assert_eq!(queue.pushed(), 3);
        queue.push(Bytes::new());
        queue.push(Bytes::from_static(b"defg"));
        assert_eq!((queue.pushed(), queue.written()), (7, 0));
        queue.advance(5);
        assert_eq!((queue.pushed(), queue.written()), (7, 5));
        assert_eq!(queue.frames.front().unwrap().bytes, "fg");
        queue.advance(2);
        assert_eq!(queue.written(), 7);
        assert!(queue.is_empty());
    }

    #[test]
    fn a_delivery_is_written_with_the_last_byte_of_its_frame() {
        let two = Tally::new(RoomClass::Public, 2);
        let one = Tally::new(RoomClass::Direct, 1);
        let mut queue = WriteQueue::default();
        queue.push(Bytes::from_static(b"abc"));
        queue.attach(two);
        queue.push(Bytes::from_static(b"defg"));
        queue.attach(one);
        queue.advance(2);
        assert!(queue.take_written().is_empty());
        queue.advance(3);
        assert_eq!((queue.take_written(), queue.owed()), (two, one));
        assert!(queue.take_written().is_empty(), "it was taken");
        assert_eq!(queue.abandon(), one);
        assert!(queue.owed().is_empty() && queue.is_empty());
        queue.attach(one);
        assert_eq!(queue.take_written(), one, "nothing is left to wait for");
    }
}
