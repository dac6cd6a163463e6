//! Streams: of bytes, which the session splits into frames, and of lines.

use std::ops::Range;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use frontend_api::Input;
use tokio::io::{AsyncRead as _, ReadBuf};
use tokio::time::Instant;

use crate::runtime::limits::memory_budget::{Exhausted, Reservation};
use crate::runtime::net::socket::{MESSAGE_TIMEOUT, ReadOutcome, Socket};
use crate::runtime::net::stream::Stream;
use crate::runtime::session::stream::{CloseReason, StreamSession};

/// Read from a TCP stream at once; also what a pipelining client may be ahead of
/// [`UNANSWERED_MAX`](crate::runtime::session::stream::UNANSWERED_MAX).
const READ_BYTES: usize = 8 * 1024;

/// A stream of bytes. Nothing is buffered between reads.
pub(crate) struct Tcp {
    stream: Stream,
    /// Whether nothing was left to read since the last sign of life.
    drained: bool,
}

impl Tcp {
    pub(crate) fn new(stream: Stream) -> Self {
        Self { stream, drained: true }
    }
}

impl Socket for Tcp {
    fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    fn into_stream(self) -> Stream {
        self.stream
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut StreamSession,
    ) -> Poll<ReadOutcome> {
        let is_fresh = self.drained && session.is_answered();
        let received = poll_chunk(&mut self.stream, cx, |bytes| session.feed(Input::Bytes(bytes)));
        self.drained = received.is_pending();
        received.map(|received| note_life(self, session, received, is_fresh))
    }

    fn acknowledged(&self, written: u64) -> u64 {
        self.stream.acknowledged(written)
    }
}

/// A stream of lines that end in `\n` or `\r\n`. Blank lines are skipped, and so is a byte order
/// mark at the start of the stream.
///
/// A stream that begins with an HTTP request, or with a binary protocol such as TLS, is refused: a web page can make a browser
/// send one to any port, and the lines of the body, or those within a session ticket that the page's
/// server has chosen, would be executed as commands of the dialect.
pub(crate) struct Lines {
    stream: Stream,
    /// Read, from `begin` on not passed on yet.
    unread: Vec<u8>,
    begin: usize,
    /// Up to here there is no line end after `begin`.
    searched: usize,
    line_bytes_max: usize,
    /// Whether no line was read yet.
    at_start: bool,
    ended: bool,
    /// Whether nothing was left to read since the last sign of life.
    drained: bool,
    /// When the line that is unfinished was first waited for.
    begun_at: Option<Instant>,
    reservation: Reservation,
}

/// Blank lines that are skipped before other connections have their turn.
const BLANK_LINES_PER_POLL: usize = 256;

/// What a look for the next line found, as positions in the buffer.
enum Found {
    Line(Range<usize>),
    /// Blank lines only, and more bytes after them.
    Blank,
    Overlong,
    /// The stream begins with an HTTP request, or with a binary protocol.
    Foreign,
    /// No complete line.
    Nothing,
}

impl Lines {
    pub(crate) fn new(stream: Stream, line_bytes_max: u32, reservation: Reservation) -> Self {
        Self {
            stream,
            unread: Vec::new(),
            begin: 0,
            searched: 0,
            line_bytes_max: line_bytes_max as usize,
            at_start: true,
            ended: false,
            drained: true,
            begun_at: None,
            reservation,
        }
    }

    /// Looks for the next line that is not blank, and goes past it.
    fn find_line(&mut self) -> Found {
        for _ in 0..BLANK_LINES_PER_POLL {
            let Some(found) = memchr::memchr(b'\n', &self.unread[self.searched..]) else {
                return self.no_line_end();
            };
            let end = self.searched + found;
            self.begun_at = None;
            let mut begin = self.begin;
            self.begin = end + 1;
            self.searched = self.begin;
            if self.at_start && self.unread[begin..end].starts_with(BYTE_ORDER_MARK) {
                begin += BYTE_ORDER_MARK.len();
            }
            let text = &self.unread[begin..end];
            let text = text.strip_suffix(b"\r").unwrap_or(text);
            if text.len() > self.line_bytes_max {
                return Found::Overlong;
            }
            if !text.trim_ascii().is_empty() {
                let is_first = std::mem::replace(&mut self.at_start, false);
                let is_refused = is_first && (is_http_request(text) || is_binary(text));
                return if is_refused {
                    Found::Foreign
                } else {
                    Found::Line(begin..begin + text.len())
                };
            }
        }
        Found::Blank
    }

    fn no_line_end(&mut self) -> Found {
        self.unread.drain(..self.begin);
        self.begin = 0;
        self.searched = self.unread.len();
        if self.unread.is_empty() {
            // Few lines are long enough to be worth keeping the memory for.
            self.unread = Vec::new();
            self.begun_at = None;
            self.reservation.clear();
        }
        if self.at_start && is_binary(&self.unread) {
            return Found::Foreign;
        }
        // A line end may be two bytes.
        let is_overlong = self.unread.len() > self.line_bytes_max + 1;
        if is_overlong { Found::Overlong } else { Found::Nothing }
    }

    /// Reads more. `Err`: there is no more, or no memory for it.
    fn poll_more(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut StreamSession,
    ) -> Poll<Result<(), ReadOutcome>> {
        let is_fresh = self.drained && session.is_answered();
        let Self { stream, unread, .. } = self;
        let read = poll_chunk(stream, cx, |bytes| unread.extend_from_slice(bytes));
        self.drained = read.is_pending();
        let read = read.map(|received| note_life(self, session, received, is_fresh));
        if read.is_pending() && !self.unread.is_empty() {
            self.begun_at.get_or_insert_with(Instant::now);
        }
        Poll::Ready(match ready!(read) {
            ReadOutcome::Input => match self.reservation.grow_to(self.unread.len()) {
                Ok(()) => Ok(()),
                Err(Exhausted) => Err(ReadOutcome::Overlong),
            },
            // The last line may lack a line end.
            ReadOutcome::Closed(CloseReason::PeerFinished) if !self.ended => {
                self.ended = true;
                self.unread.push(b'\n');
                Ok(())
            }
            other => Err(other),
        })
    }
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
    let is_version =
        |word: &[u8]| word.get(..5).is_some_and(|begin| begin.eq_ignore_ascii_case(b"HTTP/"));
    last.is_some_and(|last| METHODS.contains(&method) || is_version(last))
}

/// Whether a stream that begins like this is no text: with a control character, as every record of TLS
/// does (its type, 20 to 24; RFC 8446, section 5.1), or with a byte that begins no character of UTF-8,
/// as the length of an SSLv2 hello (128 and more; RFC 5246, appendix E.2).
fn is_binary(bytes: &[u8]) -> bool {
    let is_binary = |byte: &u8| match byte {
        b'\t' | b'\r' | b'\n' => false,
        byte => byte.is_ascii_control() || matches!(byte, 0x80..=0xBF),
    };
    bytes.first().is_some_and(is_binary)
}

impl Socket for Lines {
    fn stream(&mut self) -> &mut Stream {
        &mut self.stream
    }

    fn into_stream(self) -> Stream {
        self.stream
    }

    fn poll_receive(
        &mut self,
        cx: &mut Context<'_>,
        session: &mut StreamSession,
    ) -> Poll<ReadOutcome> {
        loop {
            match self.find_line() {
                Found::Line(line) => {
                    self.begun_at = None;
                    let line = &self.unread[line];
                    match str::from_utf8(line) {
                        Ok(text) => session.feed(Input::Text(text)),
                        Err(_) => session.feed(Input::Binary(line)),
                    }
                    return Poll::Ready(ReadOutcome::Input);
                }
                Found::Blank => return Poll::Ready(ReadOutcome::Control),
                Found::Overlong => return Poll::Ready(ReadOutcome::Overlong),
                Found::Foreign => {
                    return Poll::Ready(ReadOutcome::Closed(CloseReason::PeerFinished));
                }
                Found::Nothing if self.ended => {
                    return Poll::Ready(ReadOutcome::Closed(CloseReason::PeerFinished));
                }
                Found::Nothing => (),
            }
            if let Err(received) = ready!(self.poll_more(cx, session)) {
                return Poll::Ready(received);
            }
        }
    }

    fn acknowledged(&self, written: u64) -> u64 {
        self.stream.acknowledged(written)
    }

    fn deadline(&self) -> Option<Instant> {
        self.begun_at.map(|begun_at| begun_at + MESSAGE_TIMEOUT)
    }

    /// The line did not come to its end in time.
    fn on_deadline(&mut self, _: Instant, _: &mut StreamSession) -> bool {
        false
    }
}

/// Notes what the peer shows by what was read. Each read counts once, however many requests were in
/// it. It is a new sign of life only if it `is_fresh`: with nothing left to read before it, and all
/// requests before it answered. Else it may be the rest of a burst, which the peer sent before it
/// could read what came in between.
fn note_life(
    socket: &impl Socket,
    session: &mut StreamSession,
    received: ReadOutcome,
    is_fresh: bool,
) -> ReadOutcome {
    if session.counts_bytes() {
        let written = session.write_queue.written();
        match received {
            ReadOutcome::Input if is_fresh => {
                let acknowledged = socket.acknowledged(written);
                session.note_delivery(|delivery| delivery.note_life(acknowledged));
            }
            ReadOutcome::Closed(CloseReason::PeerFinished) => {
                let acknowledged = socket.acknowledged(written);
                session.note_delivery(|delivery| delivery.note_orderly_end(acknowledged));
            }
            ReadOutcome::Input
            | ReadOutcome::Closed(_)
            | ReadOutcome::Control
            | ReadOutcome::Overlong => (),
        }
    }
    received
}

/// Reads once, through a buffer on the stack.
fn poll_chunk(
    stream: &mut Stream,
    cx: &mut Context<'_>,
    take: impl FnOnce(&[u8]),
) -> Poll<ReadOutcome> {
    let mut scratch = [std::mem::MaybeUninit::uninit(); READ_BYTES];
    let mut buffer = ReadBuf::uninit(&mut scratch);
    Poll::Ready(match ready!(Pin::new(stream).poll_read(cx, &mut buffer)) {
        Err(_) => ReadOutcome::Closed(CloseReason::Disconnected),
        Ok(()) if buffer.filled().is_empty() => ReadOutcome::Closed(CloseReason::PeerFinished),
        Ok(()) => {
            take(buffer.filled());
            ReadOutcome::Input
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::runtime::limits::memory_budget::MemoryBudget;

    #[test]
    fn an_http_request_is_known_by_its_first_line() {
        for line in [
            "GET / HTTP/1.1",
            "POST /x HTTP/1.0",
            "PUT x",
            "HEAD / ",
            "brew /pot http/1.1",
            "PRI * HTTP/2.0",
        ] {
            assert!(is_http_request(line.as_bytes()), "{line}");
        }
        for line in [
            "NICK ann",
            "GETTER x",
            "POST",
            "get well soon",
            "{\"code\":12}",
            "PRIVMSG #a :GET / HTTP/1.1 x",
        ] {
            assert!(!is_http_request(line.as_bytes()), "{line}");
        }
    }

    #[test]
    fn a_binary_protocol_is_known_by_its_first_byte() {
        let hello = b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03";
        let alert = b"\x15\x03\x03\x00\x02\x02\x28";
        let hello_of_version_2 = b"\x80\x2e\x01\x03\x01\x00\x15";
        for bytes in [&hello[..], alert, hello_of_version_2, b"\x17", b"\x00\x00", b"\x7f"] {
            assert!(is_binary(bytes), "{bytes:?}");
        }
        for text in ["NICK ann", "\tNICK ann", "{", "\u{feff}NICK ann", "\u{4f60}", "", "\r\n"] {
            assert!(!is_binary(text.as_bytes()), "{text:?}");
        }
    }

    /// Whether it ends a line or not, and at the begin of the stream only.
    #[tokio::test]
    async fn a_stream_that_begins_in_binary_is_refused() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let budget = std::sync::Arc::new(MemoryBudget::of_input());
        let hello = b"\x16\x03\x01\x02\x00\x01";
        for (bytes, is_refused) in [
            (hello.to_vec(), true),
            ([&hello[..], b"\nNICK ann\r\n"].concat(), true),
            ([b"\r\n", &hello[..], b"\n"].concat(), true),
            (b"GET / HTTP/1.1\r\n".to_vec(), true),
            (b"NICK".to_vec(), false),
            (b"NICK ann\r\n".to_vec(), false),
        ] {
            let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap());
            let stream = stream.await.unwrap();
            let mut lines = Lines::new(stream.into(), 1024, budget.reservation(None));
            lines.unread.clone_from(&bytes);
            assert_eq!(matches!(lines.find_line(), Found::Foreign), is_refused, "{bytes:?}");
            if !is_refused && bytes.ends_with(b"\n") {
                lines.unread.extend_from_slice(&[&hello[..], b"\n"].concat());
                assert!(matches!(lines.find_line(), Found::Line(_)), "later it is the dialect's");
            }
        }
    }

    /// The work for blank lines is in proportion to their bytes: nothing that is left is moved or
    /// searched again, and others have their turn in between.
    #[tokio::test]
    async fn blank_lines_are_passed_over_once() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let stream = tokio::net::TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let budget = std::sync::Arc::new(MemoryBudget::of_input());
        let mut lines = Lines::new(stream.into(), 1024, budget.reservation(None));
        lines.unread = [b"\n".repeat(READ_BYTES), b"NICK ann\r\n".to_vec()].concat();
        let (place, all) = (lines.unread.as_ptr(), lines.unread.len());
        for turn in 1..=READ_BYTES / BLANK_LINES_PER_POLL {
            assert!(matches!(lines.find_line(), Found::Blank), "turn {turn}");
            let passed = turn * BLANK_LINES_PER_POLL;
            assert_eq!((lines.begin, lines.searched), (passed, passed));
            assert_eq!((lines.unread.as_ptr(), lines.unread.len()), (place, all));
        }
        let Found::Line(line) = lines.find_line() else { panic!("no line") };
        assert_eq!(&lines.unread[line], b"NICK ann");
        assert!(matches!(lines.find_line(), Found::Nothing));
        assert!(lines.unread.is_empty(), "what was read is moved once, at its end");
    }
}
