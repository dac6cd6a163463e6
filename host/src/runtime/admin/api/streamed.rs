//! Responses that are sent piece by piece.

use std::io;
use std::pin::Pin;
use std::task::{self, Poll};
use std::time::Duration;

use axum::body::Body;
use axum::response::Response;
use hyper::body::{Bytes, Frame};
use hyper::header::{self, HeaderValue};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::time::timeout;

/// How long a client may leave a piece unread. A backup holds pages of the store that were replaced
/// meanwhile, and a stream has one of few places, so neither waits for ever.
const STALL_TIMEOUT: Duration = Duration::from_secs(60);

/// Pieces between what makes them and the client.
const PIECES_MAX: usize = 2;

type Piece = io::Result<Frame<Bytes>>;

/// The body of a response.
pub(super) struct Pieces(Receiver<Piece>);

impl hyper::body::Body for Pieces {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut task::Context<'_>) -> Poll<Option<Piece>> {
        self.0.poll_recv(cx)
    }
}

/// Where the pieces come from. Dropped, it ends the response.
pub(super) struct PieceSender(Sender<Piece>);

pub(super) fn pieces() -> (PieceSender, Pieces) {
    let (sender, receiver) = mpsc::channel(PIECES_MAX);
    (PieceSender(sender), Pieces(receiver))
}

impl PieceSender {
    /// Waits until there is space for a piece. An error: the client is gone, or does not read.
    pub(super) async fn send(&self, piece: impl Into<Bytes>) -> io::Result<()> {
        self.put(Ok(Frame::data(piece.into()))).await
    }

    /// Ends the response in the middle, so that the client notices.
    pub(super) async fn cut(&self, why: String) {
        drop(self.put(Err(io::Error::other(why))).await);
    }

    /// Waits until the client is gone.
    pub(super) async fn closed(&self) {
        self.0.closed().await;
    }

    async fn put(&self, piece: Piece) -> io::Result<()> {
        match timeout(STALL_TIMEOUT, self.0.send(piece)).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(io::Error::other("the client has closed the connection")),
            Err(_) => Err(io::Error::other("the client does not read")),
        }
    }
}

pub(super) fn streamed(pieces: Pieces, media_type: &'static str) -> Response {
    let mut response = Response::new(Body::new(pieces));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(media_type));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}
