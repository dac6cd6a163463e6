//! Frames: requests into bytes, bytes into what came.

use std::fmt;

use crate::generated::token::{Token, Token_Content_Body as Body};
use crate::generated::types::{self, Notification, Reply, Request};
use crate::kaitai::{BytesReader, KError, KResult, KStruct, KStructUnit};
use crate::{Code, TokenError};

/// Longer than anything that the gateway sends; what claims to be longer is no frame.
const LENGTH_MAX: u32 = 16 << 20;

/// The bytes of `length` itself.
const LENGTH_BYTES: usize = 4;

/// A text or a list is longer than its count can say.
#[derive(Debug)]
pub(crate) struct TooLong;

/// Writes how long a text or a list is.
pub(crate) fn length<N: TryFrom<usize> + BigEndian>(
    length: usize,
    out: &mut Vec<u8>,
) -> Result<(), TooLong> {
    N::try_from(length).map_err(|_| TooLong)?.write(out);
    Ok(())
}

pub(crate) trait BigEndian {
    fn write(self, out: &mut Vec<u8>);
}

impl BigEndian for u16 {
    fn write(self, out: &mut Vec<u8>) {
        out.extend(self.to_be_bytes());
    }
}

impl BigEndian for u32 {
    fn write(self, out: &mut Vec<u8>) {
        out.extend(self.to_be_bytes());
    }
}

pub(crate) fn encode(request: &Request, sequence: u32) -> Result<Vec<u8>, TooLong> {
    let mut frame = vec![0; LENGTH_BYTES];
    frame.extend(request.command().to_be_bytes());
    frame.extend(sequence.to_be_bytes());
    request.write(&mut frame)?;
    let length = u32::try_from(frame.len() - LENGTH_BYTES).map_err(|_| TooLong)?;
    frame[..LENGTH_BYTES].copy_from_slice(&length.to_be_bytes());
    Ok(frame)
}

/// What a frame from the gateway says.
#[derive(Debug)]
pub(crate) enum Incoming {
    Reply {
        sequence: u32,
        outcome: Result<Reply, TokenError>,
    },
    Notification(Notification),
    /// One that this client does not know.
    Other,
}

/// Why bytes are no frame.
#[derive(Debug)]
pub(crate) enum Malformed {
    Length(u32),
    Body(KError),
}

impl fmt::Display for Malformed {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Length(length) => write!(out, "a frame of {length} bytes"),
            Self::Body(error) => write!(out, "a frame that is cut off: {error}"),
        }
    }
}

/// Puts frames together from what TCP brings.
#[derive(Default)]
pub(crate) struct Frames {
    bytes: Vec<u8>,
}

impl Frames {
    pub(crate) fn feed(&mut self, bytes: &[u8]) {
        self.bytes.extend(bytes);
    }

    /// The next frame, if all of it is there.
    pub(crate) fn next(&mut self) -> Result<Option<Incoming>, Malformed> {
        let Some(head) = self.bytes.first_chunk::<LENGTH_BYTES>() else { return Ok(None) };
        let length = u32::from_be_bytes(*head);
        if length > LENGTH_MAX {
            return Err(Malformed::Length(length));
        }
        let end = LENGTH_BYTES + length as usize;
        if self.bytes.len() < end {
            return Ok(None);
        }
        let frame = self.bytes.drain(..end).collect();
        incoming(frame).map(Some).map_err(Malformed::Body)
    }
}

fn incoming(frame: Vec<u8>) -> KResult<Incoming> {
    let parsed = KStructUnit::read_into::<_, Token>(&BytesReader::from(frame), None, None)?;
    let frames = parsed.frames();
    let content = frames[0].content();
    let body = content.body();
    let body = body.as_ref();
    if !*content.is_reply()? {
        let notification = body.and_then(types::notification);
        return Ok(notification.map_or(Incoming::Other, Incoming::Notification));
    }
    let sequence = *content.sequence();
    let result = i64::from(&*content.result());
    let refused =
        |reason| TokenError { code: Code::from(u16::try_from(result).unwrap_or(u16::MAX)), reason };
    let outcome = match body {
        Some(Body::Token_Failure(failure)) => Err(refused(failure.reason().text().clone())),
        body => body.and_then(types::reply).ok_or_else(|| refused(String::new())),
    };
    Ok(Incoming::Reply { sequence, outcome })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{HeartbeatRequest, LoginRequest, MessageNotification, PostMessageReply};

    fn hex(text: &str) -> Vec<u8> {
        let digits: String = text.split_whitespace().collect();
        let byte = |at| u8::from_str_radix(&digits[at..at + 2], 16).unwrap();
        (0..digits.len()).step_by(2).map(byte).collect()
    }

    #[test]
    fn a_login_is_as_on_the_dialects_page() {
        let login = LoginRequest {
            openid: "o1".into(),
            openid_type: "wechat".into(),
            auto_create: 1,
            info: String::new(),
        };
        assert_eq!(
            encode(&Request::Login(login), 3).unwrap(),
            hex("0000001a 0002 00000003 0002 6f31 0006 776563686174 00000001 00000000")
        );
        let heartbeat = Request::Heartbeat(HeartbeatRequest {});
        assert_eq!(encode(&heartbeat, 10).unwrap(), hex("00000006 0009 0000000a"));
    }

    #[test]
    fn cutting_the_stream_anywhere_changes_nothing() {
        let stream = hex("00000010 800a 0000000b 0000 000000000000002a
             0000001f 8001 00000002 0001 0015 746865206964656e746974792069732074616b656e
             0000002c 4003 00000000 00000001 0000000000002710 000000000000002a
             0000018bcfe56cd2 00000006 e783ade6b0b4
             00000006 4fff 00000000");
        for cut in 0..=stream.len() {
            let mut frames = Frames::default();
            let mut came = Vec::new();
            for part in [&stream[..cut], &stream[cut..]] {
                frames.feed(part);
                while let Some(one) = frames.next().unwrap() {
                    came.push(one);
                }
            }
            let [posted, refused, message, other] = &came[..] else { panic!("{came:?}") };
            let Incoming::Reply { sequence: 11, outcome: Ok(Reply::PostMessage(posted)) } = posted
            else {
                panic!("{posted:?}")
            };
            assert_eq!(*posted, PostMessageReply { message_id: 42 });
            let Incoming::Reply { sequence: 2, outcome: Err(refused) } = refused else {
                panic!("{refused:?}")
            };
            assert_eq!(refused.to_string(), "E_USER_EXIST: the identity is taken");
            let Incoming::Notification(Notification::Message(message)) = message else {
                panic!("{message:?}")
            };
            assert_eq!(
                *message,
                MessageNotification {
                    room_id: 1,
                    uid: 10000,
                    message_id: 42,
                    time: 1_700_000_001_234,
                    text: "热水".into()
                }
            );
            assert!(matches!(other, Incoming::Other), "{other:?}");
        }
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        for (bytes, why) in [
            ("ffffffff", "a frame of 4294967295 bytes"),
            ("00000002 4001", "a frame that is cut off: 4 bytes should follow, there are 0"),
            (
                "0000000a 4001 00000000 00000001",
                "a frame that is cut off: 4 bytes should follow, there are 0",
            ),
        ] {
            let mut frames = Frames::default();
            frames.feed(&hex(bytes));
            assert_eq!(frames.next().unwrap_err().to_string(), why);
        }
    }
}
