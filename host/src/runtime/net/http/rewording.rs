//! Words for what hyper refuses by itself: a head that is no HTTP, or too long. Its answers have no
//! body, and clients then cannot tell what was wrong.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use frontend_api::http::{HttpError, Response};
use tokio::io::AsyncWrite;

use crate::runtime::net::stream::Stream;

/// Puts an error into the form of the front end.
type ErrorForm = Box<dyn Fn(HttpError) -> Response + Send>;

/// Replaces hyper's answers on one connection.
pub(crate) struct Rewording {
    form: ErrorForm,
    /// What leaves in place of hyper's answer, and how much of it has left.
    replacement: Option<(Vec<u8>, usize)>,
}

impl Rewording {
    pub(crate) fn new(form: impl Fn(HttpError) -> Response + Send + 'static) -> Self {
        Self { form: Box::new(form), replacement: None }
    }

    /// Whether these bytes, which hyper writes without having passed on a request, are replaced.
    pub(crate) fn replaces(&mut self, bytes: &[u8]) -> bool {
        if self.replacement.is_none() {
            self.replacement = reworded(bytes, &self.form).map(|bytes| (bytes, 0));
        }
        self.replacement.is_some()
    }

    /// Writes the replacement. Hyper comes back with the same bytes until all of it has left.
    pub(crate) fn poll_write(
        &mut self,
        stream: &mut Stream,
        cx: &mut Context<'_>,
    ) -> Poll<io::Result<()>> {
        while let Some((bytes, written)) = &mut self.replacement {
            match ready!(Pin::new(&mut *stream).poll_write(cx, &bytes[*written..]))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                more => *written += more,
            }
            if *written == bytes.len() {
                self.replacement = None;
            }
        }
        Poll::Ready(Ok(()))
    }
}

/// The answer with a body. `None`: it is none of hyper's own.
fn reworded(bytes: &[u8], form: &ErrorForm) -> Option<Vec<u8>> {
    let text = str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let (status, reason) = match text.strip_prefix("HTTP/1.1 ")?.get(..3)? {
        "400" => (400, "the head of the request is not HTTP/1.1"),
        "414" => (414, "the target of the request is too long"),
        "431" => (431, "the head of the request has more than 100 headers, or more than 64 KiB"),
        _ => return None,
    };
    let (begin, end) = text.split_once("\r\ncontent-length: 0")?;
    let Response { headers, body, .. } = form(HttpError::new(status, reason));
    let mut head = begin.to_owned();
    for (name, value) in headers {
        head.push_str(&format!("\r\n{name}: {value}"));
    }
    head.push_str(&format!("\r\ncontent-length: {}{end}\r\n\r\n", body.len()));
    Some([head.into_bytes(), body].concat())
}
