//! Parses incoming frames and builds outgoing ones. Incremental: a partial frame stays in the
//! buffer.

/// Opcodes of RFC 6455, section 5.2, of unfragmented frames.
const TEXT: u8 = 0x81;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;
const PONG: u8 = 0x8A;

/// Maximum size of the head of an HTTP response.
const HEAD_BYTES_MAX: usize = 64 * 1024;

/// A frame, or an HTTP response.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Frame<'a> {
    /// A message of the dialect.
    Message(&'a [u8]),
    /// A ping, to be answered with this payload.
    Ping(&'a [u8]),
    /// No action.
    Nothing,
    Close,
}

/// The result of parsing the beginning of a buffer.
#[derive(Debug, Eq, PartialEq)]
pub(super) enum Found<'a> {
    /// A frame and its length in bytes.
    Whole(Frame<'a>, usize),
    NotYet,
    /// A protocol error.
    Nonsense(&'static str),
}

/// A WebSocket frame from a server.
pub(super) fn websocket(bytes: &[u8]) -> Found<'_> {
    let [first, second, rest @ ..] = bytes else { return Found::NotYet };
    let (head, len): (usize, u64) = match (*second, rest) {
        (len @ 0..=125, _) => (2, u64::from(len)),
        (126, [a, b, ..]) => (4, u64::from(u16::from_be_bytes([*a, *b]))),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            (10, u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h]))
        }
        (126 | 127, _) => return Found::NotYet,
        _ => return Found::Nonsense("a WebSocket frame of a server is masked"),
    };
    let Some(end) = usize::try_from(len).ok().and_then(|len| head.checked_add(len)) else {
        return Found::Nonsense("a WebSocket frame is longer than memory");
    };
    let Some(payload) = bytes.get(head..end) else { return Found::NotYet };
    let frame = match *first {
        TEXT | 0x82 => Frame::Message(payload),
        CLOSE => Frame::Close,
        PING => Frame::Ping(payload),
        PONG => Frame::Nothing,
        _ => return Found::Nonsense("a WebSocket frame is in fragments or of an unknown kind"),
    };
    Found::Whole(frame, end)
}

/// A frame of the token dialect; its message begins after the length.
pub(super) fn token(bytes: &[u8]) -> Found<'_> {
    let [a, b, c, d, ..] = bytes else { return Found::NotYet };
    let len = u32::from_be_bytes([*a, *b, *c, *d]) as usize;
    match bytes.get(4..4 + len) {
        Some(message) if len >= 6 => Found::Whole(Frame::Message(message), 4 + len),
        None if len >= 6 => Found::NotYet,
        _ => Found::Nonsense("a frame is shorter than its head"),
    }
}

/// The parts of the head of an HTTP response that matter here.
#[derive(Debug, Eq, PartialEq)]
pub(super) struct Head {
    pub(super) status: u16,
    pub(super) bytes: usize,
    pub(super) content_bytes: usize,
}

/// The head of an HTTP response with a Content-Length, or of an upgrade. None: incomplete.
pub(super) fn http_head(bytes: &[u8]) -> Result<Option<Head>, &'static str> {
    let Some(end) = memchr::memmem::find(bytes, b"\r\n\r\n") else {
        return if bytes.len() > HEAD_BYTES_MAX {
            Err("the head of an HTTP response is too long")
        } else {
            Ok(None)
        };
    };
    let head = std::str::from_utf8(&bytes[..end]).map_err(|_| "an HTTP response is no text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.strip_prefix("HTTP/1.1 "));
    let status = status.and_then(|rest| rest.get(..3)?.parse().ok());
    let status = status.ok_or("what came is no HTTP/1.1 response")?;
    let mut content_bytes = 0;
    for line in lines {
        let (name, value) = line.split_once(':').unwrap_or((line, ""));
        if name.eq_ignore_ascii_case("content-length") {
            content_bytes = value.trim().parse().map_err(|_| "a Content-Length is no number")?;
        } else if name.eq_ignore_ascii_case("transfer-encoding") {
            return Err("an HTTP response is chunked");
        }
    }
    Ok(Some(Head { status, bytes: end + 4, content_bytes }))
}

/// A frame from a client. The mask is 0, so that a frame can be built once and marked later; it
/// costs the server the same work as any other mask.
pub(crate) fn masked(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = vec![opcode];
    match payload.len() {
        len @ 0..=125 => frame.push(0x80 | len as u8),
        len @ 126..=0xFFFF => {
            frame.push(0x80 | 126);
            frame.extend((len as u16).to_be_bytes());
        }
        len => {
            frame.push(0x80 | 127);
            frame.extend((len as u64).to_be_bytes());
        }
    }
    frame.extend([0; 4]);
    frame.extend(payload);
    frame
}

pub(crate) fn masked_text(text: &str) -> Vec<u8> {
    masked(TEXT, text.as_bytes())
}

pub(super) fn pong(payload: &[u8]) -> Vec<u8> {
    masked(PONG, payload)
}

/// A request of the token dialect.
pub(crate) fn token_request(command: u16, body: &[u8]) -> Vec<u8> {
    let mut frame = ((6 + body.len()) as u32).to_be_bytes().to_vec();
    frame.extend(command.to_be_bytes());
    frame.extend([0; 4]);
    frame.extend(body);
    frame
}

/// Writes the sequence number of a request of the token dialect, which its reply repeats.
pub(super) fn write_sequence(request: &mut [u8], sequence: u32) {
    request[6..10].copy_from_slice(&sequence.to_be_bytes());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn served(first: u8, payload: &[u8]) -> Vec<u8> {
        let mut frame = masked(first, payload);
        let head = frame.len() - payload.len();
        frame.drain(head - 4..head);
        frame[1] &= 0x7F;
        frame
    }

    #[test]
    fn a_websocket_frame_of_any_length_is_found_and_no_part_of_one() {
        for len in [0, 1, 125, 126, 0xFFFF, 0x1_0000] {
            let payload = vec![b'x'; len];
            let bytes = served(TEXT, &payload);
            let whole = Found::Whole(Frame::Message(&payload), bytes.len());
            assert_eq!(websocket(&bytes), whole);
            let more = [bytes.as_slice(), b"\x81"].concat();
            assert_eq!(websocket(&more), whole);
            for cut in [0, 1, 2, bytes.len() - 1] {
                let cut = cut.min(bytes.len() - 1);
                assert_eq!(websocket(&bytes[..cut]), Found::NotYet, "{len} cut at {cut}");
            }
        }
    }

    #[test]
    fn control_frames_are_told_apart() {
        let ping = served(PING, b"a");
        let pong = served(PONG, b"");
        let close = served(CLOSE, b"");
        assert_eq!(websocket(&ping), Found::Whole(Frame::Ping(b"a"), 3));
        assert_eq!(websocket(&pong), Found::Whole(Frame::Nothing, 2));
        assert_eq!(websocket(&close), Found::Whole(Frame::Close, 2));
        assert!(matches!(websocket(&masked(TEXT, b"a")), Found::Nonsense(_)));
        assert!(matches!(websocket(&served(0x01, b"a")), Found::Nonsense(_)));
    }

    #[test]
    fn a_token_frame_is_its_message_without_the_length() {
        let bytes = token_request(10, b"abc");
        assert_eq!(token(&bytes), Found::Whole(Frame::Message(&bytes[4..]), bytes.len()));
        assert_eq!(token(&bytes[..bytes.len() - 1]), Found::NotYet);
        assert!(matches!(token(&[0, 0, 0, 5, 1, 2, 3, 4, 5]), Found::Nonsense(_)));
    }

    #[test]
    fn a_request_may_be_given_another_number() {
        let mut bytes = token_request(10, b"abc");
        write_sequence(&mut bytes, 0x0102_0304);
        assert_eq!(bytes, [b"\0\0\0\x09\0\x0a\x01\x02\x03\x04".as_slice(), b"abc"].concat());
    }

    #[test]
    fn the_head_of_a_response_says_how_long_it_is() {
        let bytes = b"HTTP/1.1 200 OK\r\nContent-Length: 12\r\nx: y\r\n\r\nhello";
        let head = Head { status: 200, bytes: bytes.len() - 5, content_bytes: 12 };
        assert_eq!(http_head(bytes), Ok(Some(head)));
        assert_eq!(http_head(&bytes[..20]), Ok(None));
        assert!(http_head(b"SSH-2.0\r\n\r\n").is_err());
    }
}
