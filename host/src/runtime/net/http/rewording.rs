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
    /// Whether the client announces a body of more bytes than hyper counts.
    has_endless_body: bool,
}

impl Rewording {
    pub(crate) fn new(form: impl Fn(HttpError) -> Response + Send + 'static) -> Self {
        Self { form: Box::new(form), replacement: None, has_endless_body: false }
    }

    /// Looks at what the client sends: hyper's answer to a length that it cannot count is the one to a
    /// head that is too long, or wrong.
    pub(crate) fn note_read(&mut self, bytes: &[u8]) {
        let values = memchr::memmem::find_iter(bytes, b"ength:");
        self.has_endless_body |= values.map(|at| &bytes[at + 6..]).any(is_endless);
    }

    /// Whether these bytes, which hyper writes without having passed on a request, are replaced.
    pub(crate) fn replaces(&mut self, bytes: &[u8]) -> bool {
        if self.replacement.is_none() {
            let replaced = reworded(bytes, self.has_endless_body, &self.form);
            self.replacement = replaced.map(|bytes| (bytes, 0));
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

/// Whether a header's value begins with a number of bytes for which hyper has no room: the last two of
/// 64 bits, or more.
fn is_endless(value: &[u8]) -> bool {
    let value = value.trim_ascii_start();
    let digits = value.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let number = str::from_utf8(&value[..digits]).unwrap_or_default().trim_start_matches('0');
    number.len() > 20 || number.parse().is_ok_and(|bytes: u128| bytes >= u128::from(u64::MAX - 1))
}

/// The answer with a body. `None`: it is none of hyper's own.
fn reworded(bytes: &[u8], has_endless_body: bool, form: &ErrorForm) -> Option<Vec<u8>> {
    let text = str::from_utf8(bytes).ok()?.strip_suffix("\r\n\r\n")?;
    let (status, reason) = match text.strip_prefix("HTTP/1.1 ")?.get(..3)? {
        "400" | "431" if has_endless_body => (413, "the body is larger than can be counted"),
        "400" => (400, "the head of the request is not HTTP/1.1"),
        "414" => (414, "the target of the request is too long"),
        "431" => (431, "the head of the request has more than 100 headers, or more than 64 KiB"),
        _ => return None,
    };
    let (begin, end) = text.split_once("\r\ncontent-length: 0")?;
    let Response { headers, body, .. } = form(HttpError::new(status, reason));
    let mut head = begin.to_owned();
    if status == 413 {
        let (_, rest) = begin.split_once("\r\n").unwrap_or((begin, ""));
        head = ["HTTP/1.1 413 Payload Too Large", rest].join("\r\n");
    }
    for (name, value) in headers {
        head.push_str(&format!("\r\n{name}: {value}"));
    }
    head.push_str(&format!("\r\ncontent-length: {}{end}\r\n\r\n", body.len()));
    Some([head.into_bytes(), body].concat())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_length_that_cannot_be_counted_is_a_body_that_is_too_large() {
        let form = |error: HttpError| Response::text(error.status, &error.reason);
        let answered = |read: &[u8], answer: &[u8]| {
            let mut rewording = Rewording::new(form);
            rewording.note_read(read);
            assert!(rewording.replaces(answer));
            String::from_utf8(rewording.replacement.unwrap().0).unwrap()
        };
        let long =
            b"HTTP/1.1 431 Request Header Fields Too Large\r\ncontent-length: 0\r\nx: y\r\n\r\n";
        let wrong = b"HTTP/1.1 400 Bad Request\r\nconnection: close\r\ncontent-length: 0\r\n\r\n";
        for length in ["18446744073709551615", "18446744073709551616", "0018446744073709551614"] {
            let head = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
            for answer in [&long[..], wrong] {
                let answer = answered(head.as_bytes(), answer);
                assert!(answer.starts_with("HTTP/1.1 413 Payload Too Large\r\n"), "{answer}");
                assert!(answer.ends_with("larger than can be counted"), "{answer}");
            }
        }
        for length in ["18446744073709551613", "1", "x", ""] {
            let head = format!("POST / HTTP/1.1\r\nContent-Length: {length}\r\n\r\n");
            assert!(answered(head.as_bytes(), wrong).starts_with("HTTP/1.1 400"), "{length}");
        }
    }
}
