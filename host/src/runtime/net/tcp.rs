//! TCP streams: of bytes, which the session splits into frames, and of lines.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use frontend_api::Input;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::net::TcpStream;

use crate::runtime::net::socket::{Received, Socket};
use crate::runtime::session::stream::{CloseReason, StreamSession};

/// Read from a TCP stream at once; also what a pipelining client may be ahead of
/// [`UNANSWERED_MAX`](crate::runtime::session::stream::UNANSWERED_MAX).
const READ_BYTES: usize = 8 * 1024;

/// A stream of bytes. Nothing is buffered between reads.
pub(crate) struct Tcp {
    stream: TcpStream,
}

impl Tcp {
    pub(crate) fn new(stream: TcpStream) -> Self {
        Self { stream }
    }
}

impl Socket for Tcp {
    fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut StreamSession,
    ) -> Poll<Received> {
        poll_chunk(&mut self.stream, cx, |bytes| session.feed(Input::Bytes(bytes)))
    }
}

/// A stream of lines that end in `\n` or `\r\n`. Blank lines are skipped, and so is a byte order
/// mark at the start of the stream.
///
/// A stream that begins with an HTTP request is refused: a web page can make a browser send one to
/// any port, and the lines of its body would be executed as commands of the dialect.
pub(crate) struct Lines {
    stream: TcpStream,
    /// Read and not passed on yet.
    unread: Vec<u8>,
    /// The length of its prefix without a line end.
    searched: usize,
    line_bytes_max: usize,
    /// Whether no line was read yet.
    at_start: bool,
    ended: bool,
}

impl Lines {
    pub(crate) fn new(stream: TcpStream, line_bytes_max: u32) -> Self {
        let line_bytes_max = line_bytes_max as usize;
        Self {
            stream,
            unread: Vec::new(),
            searched: 0,
            line_bytes_max,
            at_start: true,
            ended: false,
        }
    }

    /// The next line that is not blank, if it is complete.
    fn next_line(&mut self) -> Option<Result<Vec<u8>, Refused>> {
        loop {
            let found = self.unread[self.searched..].iter().position(|byte| *byte == b'\n');
            let Some(found) = found else {
                self.searched = self.unread.len();
                // A line end may be two bytes.
                let overlong = self.unread.len() > self.line_bytes_max + 1;
                return overlong.then_some(Err(Refused::Overlong));
            };
            let end = self.searched + found;
            let rest = self.unread.split_off(end + 1);
            let mut line = std::mem::replace(&mut self.unread, rest);
            self.searched = 0;
            line.truncate(end);
            if line.last() == Some(&b'\r') {
                line.pop();
            }
            if line.len() > self.line_bytes_max {
                return Some(Err(Refused::Overlong));
            }
            if self.at_start && line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
            if !line.iter().all(u8::is_ascii_whitespace) {
                let at_start = std::mem::replace(&mut self.at_start, false);
                let refused = at_start && is_http_request(&line);
                return Some(if refused { Err(Refused::Http) } else { Ok(line) });
            }
        }
    }

    fn poll_line(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, Received>> {
        loop {
            match self.next_line() {
                Some(Ok(line)) => return Poll::Ready(Ok(line)),
                Some(Err(Refused::Overlong)) => return Poll::Ready(Err(Received::Overlong)),
                Some(Err(Refused::Http)) => {
                    return Poll::Ready(Err(Received::Closed(CloseReason::PeerFinished)));
                }
                None if self.ended => {
                    return Poll::Ready(Err(Received::Closed(CloseReason::PeerFinished)));
                }
                None => (),
            }
            let Self { stream, unread, .. } = self;
            match ready!(poll_chunk(stream, cx, |bytes| unread.extend_from_slice(bytes))) {
                Received::Input => (),
                // The last line may lack a line end.
                Received::Closed(CloseReason::PeerFinished) => {
                    self.ended = true;
                    self.unread.push(b'\n');
                }
                other => return Poll::Ready(Err(other)),
            }
        }
    }
}

/// Why a line is not fed to the session.
enum Refused {
    Overlong,
    /// The stream begins with an HTTP request.
    Http,
}

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Whether a line is the first one of an HTTP request: it begins with a method, or ends in a version
/// of HTTP.
fn is_http_request(line: &[u8]) -> bool {
    const METHODS: [&[u8]; 9] =
        [b"CONNECT", b"DELETE", b"GET", b"HEAD", b"OPTIONS", b"PATCH", b"POST", b"PUT", b"TRACE"];
    let mut words = line.split(|byte| *byte == b' ');
    let method = words.next().unwrap_or_default();
    let last = words.next_back();
    last.is_some_and(|last| METHODS.contains(&method) || last.starts_with(b"HTTP/1."))
}

impl Socket for Lines {
    fn stream(&mut self) -> &mut TcpStream {
        &mut self.stream
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut StreamSession,
    ) -> Poll<Received> {
        let line = match ready!(self.poll_line(cx)) {
            Ok(line) => line,
            Err(received) => return Poll::Ready(received),
        };
        match std::str::from_utf8(&line) {
            Ok(text) => session.feed(Input::Text(text)),
            Err(_) => session.feed(Input::Binary(&line)),
        }
        Poll::Ready(Received::Input)
    }
}

/// Reads once, through a buffer on the stack.
fn poll_chunk(
    stream: &mut TcpStream,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]),
) -> Poll<Received> {
    let mut scratch = [std::mem::MaybeUninit::uninit(); READ_BYTES];
    let mut buffer = ReadBuf::uninit(&mut scratch);
    Poll::Ready(match ready!(Pin::new(stream).poll_read(cx, &mut buffer)) {
        Err(_) => Received::Closed(CloseReason::Disconnected),
        Ok(()) if buffer.filled().is_empty() => Received::Closed(CloseReason::PeerFinished),
        Ok(()) => {
            take(buffer.filled());
            Received::Input
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_http_request_is_known_by_its_first_line() {
        for line in ["GET / HTTP/1.1", "POST /x HTTP/1.0", "PUT x", "HEAD / ", "BREW /pot HTTP/1.1"]
        {
            assert!(is_http_request(line.as_bytes()), "{line}");
        }
        for line in
            ["NICK ann", "GETTER x", "POST", "{\"code\":12}", "PRIVMSG #a :GET / HTTP/1.1 x"]
        {
            assert!(!is_http_request(line.as_bytes()), "{line}");
        }
    }
}
