//! Frames to be written to one socket.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use core_model::MessageId;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

/// Frames in one write: 64 slices are 1 KiB of stack, and more do not save time.
const FRAMES_PER_WRITE: usize = 64;

/// Capacity that an empty queue keeps: 200 bytes, enough for single messages.
const FRAMES_KEPT: usize = 4;

/// Frames in order, each with the message that it carries, if any. Many leave in one write; an empty
/// queue owns next to no memory.
#[derive(Debug, Default)]
pub(crate) struct WriteQueue {
    frames: VecDeque<(Bytes, Option<MessageId>)>,
    /// The newest message that the operating system has accepted.
    delivered: Option<MessageId>,
}

impl WriteQueue {
    /// Reserves space for frames that are about to be pushed.
    pub(crate) fn reserve(&mut self, frames: usize) {
        self.frames.reserve(frames);
    }

    pub(crate) fn push(&mut self, bytes: Bytes) {
        self.push_message(bytes, None);
    }

    pub(crate) fn push_message(&mut self, bytes: Bytes, message: Option<MessageId>) {
        if !bytes.is_empty() {
            self.frames.push_back((bytes, message));
        }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.frames.is_empty()
    }

    pub(crate) fn delivered(&self) -> Option<MessageId> {
        self.delivered
    }

    /// The session itself got a message.
    pub(crate) fn note_delivered(&mut self, message: MessageId) {
        self.delivered = self.delivered.max(Some(message));
    }

    /// Writes until the queue is empty or the socket is full.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); FRAMES_PER_WRITE];
            let mut count = 0;
            for (slice, (bytes, _)) in slices.iter_mut().zip(&self.frames) {
                *slice = IoSlice::new(bytes);
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
        }
        if self.frames.capacity() > FRAMES_KEPT {
            self.frames = VecDeque::new();
        }
        Poll::Ready(Ok(()))
    }

    fn advance(&mut self, mut written: usize) {
        while let Some((bytes, message)) = self.frames.front_mut() {
            if bytes.len() > written {
                bytes.advance(written);
                return;
            }
            written -= bytes.len();
            self.delivered = self.delivered.max(*message);
            self.frames.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_delivered_when_its_last_byte_is_written() {
        let mut queue = WriteQueue::default();
        queue.push_message(Bytes::from_static(b"abc"), Some(MessageId(1)));
        queue.push(Bytes::from_static(b"de"));
        queue.push_message(Bytes::from_static(b"fg"), Some(MessageId(2)));
        queue.advance(2);
        assert_eq!(queue.delivered(), None);
        queue.advance(4);
        assert_eq!(queue.delivered(), Some(MessageId(1)));
        assert_eq!(queue.frames.front().unwrap().0, "g");
        queue.advance(2);
        assert_eq!(queue.delivered(), Some(MessageId(2)));
        assert!(queue.is_empty());
    }
}
