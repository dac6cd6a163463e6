//! What is about to be written to one socket.

use std::collections::VecDeque;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes};
use core_model::MessageId;
use tokio::io::AsyncWrite;
use tokio::net::TcpStream;

use crate::runtime::bounds::FRAMES_A_WRITE;

/// Room for frames that an empty queue keeps: what single messages need, 200 bytes.
const FRAMES_KEPT: usize = 4;

/// Frames in order, each with the message that it tells of, if it is one. Many leave in one
/// write; an empty queue owns next to no memory.
#[derive(Debug, Default)]
pub(crate) struct Outgoing {
    frames: VecDeque<(Bytes, Option<MessageId>)>,
    /// The newest message that was handed to the system.
    delivered: Option<MessageId>,
}

impl Outgoing {
    /// So many frames are about to be pushed.
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

    /// A session was shown a message itself.
    pub(crate) fn note_delivered(&mut self, message: MessageId) {
        self.delivered = self.delivered.max(Some(message));
    }

    /// Writes until nothing is left or the socket takes no more.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut TcpStream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while !self.frames.is_empty() {
            let mut slices = [IoSlice::new(&[]); FRAMES_A_WRITE];
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
    fn a_message_is_delivered_when_its_last_byte_was_written() {
        let mut outgoing = Outgoing::default();
        outgoing.push_message(Bytes::from_static(b"abc"), Some(MessageId(1)));
        outgoing.push(Bytes::from_static(b"de"));
        outgoing.push_message(Bytes::from_static(b"fg"), Some(MessageId(2)));
        outgoing.advance(2);
        assert_eq!(outgoing.delivered(), None);
        outgoing.advance(4);
        assert_eq!(outgoing.delivered(), Some(MessageId(1)));
        assert_eq!(outgoing.frames.front().unwrap().0, "g");
        outgoing.advance(2);
        assert_eq!(outgoing.delivered(), Some(MessageId(2)));
        assert!(outgoing.is_empty());
    }
}
