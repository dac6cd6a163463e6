//! How a frame of a dialect lies on each transport. A frame is encoded once, and the same bytes
//! are written to every connection it concerns.

use bytes::{BufMut, Bytes, BytesMut};
use frontend_api::Frame;

/// What is spoken below the dialect on a stream connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) enum Wire {
    Tcp,
    Lines,
    WebSocket,
}

/// Opcodes of RFC 6455, section 5.2, with the bit that says that the frame is whole.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;

impl Wire {
    pub(crate) fn encode(self, frame: Frame) -> Bytes {
        match frame {
            Frame::Bytes(bytes) => self.bytes(bytes),
            Frame::Text(text) => self.text(text),
        }
    }

    pub(crate) fn bytes(self, bytes: Vec<u8>) -> Bytes {
        match self {
            Self::Tcp | Self::Lines => bytes.into(),
            Self::WebSocket => websocket(BINARY, &bytes),
        }
    }

    pub(crate) fn text(self, text: String) -> Bytes {
        match self {
            Self::Tcp => text.into(),
            Self::Lines => (text + "\n").into(),
            Self::WebSocket => websocket(TEXT, text.as_bytes()),
        }
    }
}

/// A ping without a payload.
pub(crate) fn ping() -> Bytes {
    Bytes::from_static(&[PING, 0])
}

/// A close frame with a code of RFC 6455, section 7.4.
pub(crate) fn close(code: u16) -> Bytes {
    websocket(CLOSE, &code.to_be_bytes())
}

/// A whole frame from a server: not masked.
fn websocket(opcode: u8, payload: &[u8]) -> Bytes {
    let mut frame = BytesMut::with_capacity(payload.len() + 10);
    frame.put_u8(opcode);
    match payload.len() {
        len @ 0..=125 => frame.put_u8(len as u8),
        len @ 126..=0xFFFF => {
            frame.put_u8(126);
            frame.put_u16(len as u16);
        }
        len => {
            frame.put_u8(127);
            frame.put_u64(len as u64);
        }
    }
    frame.put_slice(payload);
    frame.freeze()
}

#[cfg(test)]
mod tests {
    use tungstenite::protocol::{Role, WebSocketContext};
    use tungstenite::{Message, protocol::frame::coding::CloseCode};

    use super::*;

    fn read(bytes: &[u8]) -> Message {
        let mut stream = std::io::Cursor::new(bytes.to_vec());
        WebSocketContext::new(Role::Client, None).read(&mut stream).expect("a whole frame")
    }

    #[test]
    fn a_websocket_frame_of_any_length_is_read_back() {
        for len in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000] {
            let text = "x".repeat(len);
            assert_eq!(read(&Wire::WebSocket.text(text.clone())), Message::text(text));
        }
        assert_eq!(read(&Wire::WebSocket.bytes(vec![0, 255])), Message::binary(vec![0, 255]));
    }

    #[test]
    fn control_frames_are_read_back() {
        assert_eq!(read(&ping()), Message::Ping(Bytes::new()));
        match read(&close(1001)) {
            Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Away),
            other => panic!("not a close frame: {other:?}"),
        }
    }

    #[test]
    fn a_line_gets_its_end_and_a_stream_gets_nothing() {
        assert_eq!(Wire::Lines.text("{}".into()), "{}\n");
        assert_eq!(Wire::Tcp.encode(Frame::Bytes(vec![1, 2])), vec![1, 2]);
    }
}
