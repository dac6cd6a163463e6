//! Clients for the tests.

use std::net::SocketAddr;
use std::time::Duration;

use futures_util::{SinkExt as _, StreamExt as _};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::CloseFrame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream, connect_async};

/// How long a test waits for an expected message; only a failing test reaches it.
const PATIENCE: Duration = Duration::from_secs(20);

pub(super) async fn soon<T>(future: impl Future<Output = T>) -> T {
    timeout(PATIENCE, future).await.expect("it comes in time")
}

/// A connection that carries lines.
pub(super) struct Lines(pub(super) BufReader<TcpStream>);

impl Lines {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        Self(BufReader::new(TcpStream::connect(address).await.unwrap()))
    }

    pub(super) async fn send(&mut self, line: &str) {
        self.0.get_mut().write_all(format!("{line}\n").as_bytes()).await.unwrap();
    }

    /// The next line; `None` when the host has closed the connection.
    pub(super) async fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        // A reset also ends the connection.
        let read = soon(self.0.read_line(&mut line)).await.unwrap_or(0);
        (read > 0).then(|| line.trim_end_matches('\n').to_owned())
    }

    pub(super) async fn lines(&mut self, count: usize) -> Vec<String> {
        let mut lines = Vec::new();
        for _ in 0..count {
            lines.push(self.line().await.expect("one more line"));
        }
        lines
    }

    pub(super) async fn ask(&mut self, line: &str) -> String {
        self.send(line).await;
        self.line().await.expect("an answer")
    }
}

/// A WebSocket.
pub(super) struct Socket(pub(super) WebSocketStream<MaybeTlsStream<TcpStream>>);

impl Socket {
    pub(super) async fn connect(address: SocketAddr) -> Self {
        let (socket, _) = connect_async(format!("ws://{address}/any/path")).await.unwrap();
        Self(socket)
    }

    pub(super) async fn send(&mut self, text: &str) {
        self.0.send(Message::text(text)).await.unwrap();
    }

    /// The next message except pings and pongs; `Err` when the host has closed the connection.
    pub(super) async fn text(&mut self) -> Result<String, Option<CloseFrame>> {
        loop {
            match soon(self.0.next()).await {
                Some(Ok(Message::Text(text))) => return Ok(text.as_str().to_owned()),
                Some(Ok(Message::Close(frame))) => return Err(frame),
                Some(Ok(Message::Ping(_) | Message::Pong(_))) => (),
                Some(Ok(other)) => panic!("not expected: {other:?}"),
                Some(Err(_)) | None => return Err(None),
            }
        }
    }

    pub(super) async fn ask(&mut self, text: &str) -> String {
        self.send(text).await;
        self.text().await.expect("an answer")
    }
}

/// Sends bytes, and returns everything received until the host closes the connection.
pub(super) async fn exchange(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut text = Vec::new();
    // A reset also ends the connection.
    let _ = soon(stream.read_to_end(&mut text)).await;
    String::from_utf8_lossy(&text).into_owned()
}

/// One HTTP request on its own connection: `head` is the request line and further headers.
pub(super) async fn http(address: SocketAddr, head: &[&str], body: &str) -> Reply {
    let request = format!(
        "{}\r\nhost: test\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{body}",
        head.join("\r\n"),
        body.len()
    );
    Reply::parse(&exchange(address, request.as_bytes()).await)
}

/// A complete response.
#[derive(Debug)]
pub(super) struct Reply {
    pub(super) status: u16,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: String,
}

impl Reply {
    pub(super) fn parse(text: &str) -> Self {
        let (head, body) = text.split_once("\r\n\r\n").expect("a whole head");
        let mut lines = head.split("\r\n");
        let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
        let header = |line: &str| {
            let (name, value) = line.split_once(": ").expect("a header");
            (name.to_ascii_lowercase(), value.to_owned())
        };
        Self { status, headers: lines.map(header).collect(), body: body.into() }
    }

    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}
