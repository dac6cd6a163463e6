//! A WebSocket client.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::time::Instant;

use tokio_tungstenite::tungstenite;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::error::ProtocolError;
use tokio_tungstenite::tungstenite::protocol::frame::coding::CloseCode;
use tokio_tungstenite::tungstenite::{Error, Message};

use crate::{PATIENCE, connect};

#[derive(Debug)]
pub struct WebSocket {
    socket: tungstenite::WebSocket<TcpStream>,
    /// The payload of the last ping that had one.
    last_ping: Vec<u8>,
}

impl WebSocket {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self::connect_with(address, "/", &[])
    }

    #[track_caller]
    pub fn connect_with(address: SocketAddr, path: &str, headers: &[(&'static str, &str)]) -> Self {
        let connected = Self::try_connect(address, path, headers);
        connected.unwrap_or_else(|error| panic!("no WebSocket at {address}{path}: {error}"))
    }

    /// The same; `Err` when the handshake is refused, with the response.
    #[track_caller]
    pub fn try_connect(
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, String> {
        Self::try_over(connect(address), address, path, headers)
    }

    /// Over a connection that is there.
    #[track_caller]
    pub fn over(stream: TcpStream, address: SocketAddr) -> Self {
        Self::try_over(stream, address, "/", &[]).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_over(
        stream: TcpStream,
        address: SocketAddr,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> Result<Self, String> {
        let mut request = format!("ws://{address}{path}").into_client_request().expect("it is one");
        for (name, value) in headers {
            request.headers_mut().insert(*name, value.parse().expect("it is a header's value"));
        }
        match tungstenite::client(request, stream) {
            Ok((socket, _)) => Ok(Self { socket, last_ping: Vec::new() }),
            Err(error) => Err(error.to_string()),
        }
    }

    /// Sends a text message.
    #[track_caller]
    pub fn send(&mut self, text: &str) {
        self.try_send(text).unwrap_or_else(|error| panic!("cannot send {text}: {error}"));
    }

    pub fn try_send(&mut self, text: &str) -> Result<(), Error> {
        self.socket.send(Message::text(text))
    }

    #[track_caller]
    pub fn send_message(&mut self, message: Message) {
        self.socket.send(message).unwrap_or_else(|error| panic!("cannot send: {error}"));
    }

    /// The next text message.
    #[track_caller]
    pub fn receive(&mut self) -> String {
        self.try_receive().unwrap_or_else(|error| panic!("nothing more comes: {error}"))
    }

    /// The next text message; `Err` when the connection is over.
    pub fn try_receive(&mut self) -> Result<String, Error> {
        let until = Instant::now() + PATIENCE;
        loop {
            match self.socket.read()? {
                Message::Text(text) => return Ok(text.to_string()),
                // Pings keep a socket from timing out by itself.
                Message::Ping(payload) if Instant::now() < until => self.note_ping(&payload),
                Message::Ping(_) => return Err(Error::Io(ErrorKind::TimedOut.into())),
                Message::Close(_) => return Err(Error::ConnectionClosed),
                other => panic!("the gateway sends text: {other:?}"),
            }
        }
    }

    /// The next message of any kind.
    #[track_caller]
    pub fn receive_message(&mut self) -> Message {
        self.socket.read().unwrap_or_else(|error| panic!("nothing more comes: {error}"))
    }

    /// Sends a ping, and reads up to the pong: the texts before it.
    #[track_caller]
    pub fn ping(&mut self) -> Vec<String> {
        self.send_message(Message::Ping(Default::default()));
        let mut texts = Vec::new();
        loop {
            match self.receive_message() {
                Message::Text(text) => texts.push(text.to_string()),
                Message::Ping(payload) => self.note_ping(&payload),
                Message::Pong(_) => return texts,
                other => panic!("{other:?} instead of a pong"),
            }
        }
    }

    fn note_ping(&mut self, payload: &[u8]) {
        if !payload.is_empty() {
            self.last_ping = payload.to_vec();
        }
    }

    /// Reads up to the ping with this payload, unless it has come already, and until the gateway
    /// has the answer to it.
    #[track_caller]
    pub fn answer_ping(&mut self, payload: &[u8]) {
        while self.last_ping != payload {
            match self.receive_message() {
                Message::Ping(payload) => self.note_ping(&payload),
                other => panic!("{other:?} instead of a ping"),
            }
        }
        // The pong leaves before this ping.
        assert_eq!(self.ping(), [""; 0]);
    }

    /// Reads up to the close of the gateway, and to the end of the connection behind it: the
    /// texts before it, and its code.
    #[track_caller]
    pub fn receive_close(mut self) -> (Vec<String>, Option<CloseCode>) {
        let (mut texts, mut code) = (Vec::new(), None);
        loop {
            match self.socket.read() {
                Ok(Message::Text(text)) => texts.push(text.to_string()),
                Ok(Message::Close(close)) => code = close.map(|close| close.code),
                Ok(Message::Ping(_) | Message::Pong(_)) => (),
                Ok(other) => panic!("the gateway sends text: {other:?}"),
                Err(Error::ConnectionClosed | Error::AlreadyClosed) => return (texts, code),
                Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => {
                    return (texts, None);
                }
                Err(error) => panic!("{error} after {texts:?}"),
            }
        }
    }

    /// Closes the connection from this side, and waits for the answer.
    #[track_caller]
    pub fn close(mut self) {
        self.socket.close(None).unwrap_or_else(|error| panic!("cannot close: {error}"));
        loop {
            match self.socket.read() {
                Ok(_) => (),
                Err(Error::ConnectionClosed) => return,
                Err(error) => panic!("the close is not answered: {error}"),
            }
        }
    }

    /// The stream below, to do what a WebSocket client would not.
    pub fn stream(&mut self) -> &mut TcpStream {
        self.socket.get_mut()
    }
}
