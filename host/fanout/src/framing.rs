//! How a dialect's frame is laid out on each transport. A frame is encoded once per transport, and
//! the same bytes are written to every connection it concerns.

use bytes::{BufMut, Bytes, BytesMut};
use frontend_api::Frame;

/// The transport below the dialect on a stream connection.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub enum Framing {
    Tcp,
    Lines,
    WebSocket,
}

/// Opcodes of RFC 6455, section 5.2, with the FIN bit set.
const TEXT: u8 = 0x81;
const BINARY: u8 = 0x82;
const CLOSE: u8 = 0x88;
const PING: u8 = 0x89;

impl Framing {
    pub fn encode(self, frame: Frame) -> Bytes {
        match frame {
            Frame::Bytes(bytes) => self.bytes(bytes),
            Frame::Text(text) => self.text(text),
        }
    }

    pub fn bytes(self, bytes: Vec<u8>) -> Bytes {
        match self {
            Self::Tcp | Self::Lines => bytes.into(),
            Self::WebSocket => websocket(BINARY, &bytes),
        }
    }

    pub fn text(self, text: String) -> Bytes {
        match self {
            Self::Tcp => text.into(),
            Self::Lines => (text + "\n").into(),
            Self::WebSocket => websocket(TEXT, text.as_bytes()),
        }
    }
}

/// A ping with a payload of at most 125 bytes.
pub fn ping_frame(payload: &[u8]) -> Bytes {
    websocket(PING, payload)
}

/// A close frame with a code of RFC 6455, section 7.4.
pub fn close_frame(code: u16) -> Bytes {
    websocket(CLOSE, &code.to_be_bytes())
}

/// An unfragmented frame from a server, hence not masked.
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
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketContext};
    use tokio_tungstenite::tungstenite::{Message, protocol::frame::coding::CloseCode};

    use super::*;

    fn read(bytes: &[u8]) -> Message {
        let mut stream = std::io::Cursor::new(bytes.to_vec());
        WebSocketContext::new(Role::Client, None).read(&mut stream).expect("a complete frame")
    }

    #[test]
    fn a_websocket_frame_of_any_length_is_read_back() {
        for len in [0, 1, 125, 126, 127, 0xFFFF, 0x1_0000] {
            let text = "x".repeat(len);
            assert_eq!(read(&Framing::WebSocket.text(text.clone())), Message::text(text));
        }
        assert_eq!(read(&Framing::WebSocket.bytes(vec![0, 255])), Message::binary(vec![0, 255]));
    }

    #[test]
    fn control_frames_are_read_back() {
        assert_eq!(read(&ping_frame(&[])), Message::Ping(Bytes::new()));
        assert_eq!(read(&ping_frame(&[7])), Message::Ping(Bytes::from_static(&[7])));
        match read(&close_frame(1001)) {
            Message::Close(Some(frame)) => assert_eq!(frame.code, CloseCode::Away),
            other => panic!("not a close frame: {other:?}"),
        }
    }

    #[test]
    fn a_line_is_terminated_and_a_byte_stream_is_left_alone() {
        assert_eq!(Framing::Lines.text("{}".into()), "{}\n");
        assert_eq!(Framing::Tcp.encode(Frame::Bytes(vec![1, 2])), vec![1, 2]);
    }
}
