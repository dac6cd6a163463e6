//! Replies that are not read take memory of a budget, per address and in all.

use std::net::SocketAddr;

use dragoman::config::UnreadLimits;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpSocket, TcpStream};

use super::client::{Lines, Reply, http, soon};
use super::stage::Stagecraft;
use super::stream::{post, seated};

/// As many of the longest texts as a reply holds, and some more.
const POSTS: usize = 66;

const HISTORY: &str = r#"{"ask":"history","room":{"name":"tea"},"limit":100}"#;
const RECEIVE: &str = r#"{"do":"receive","user":{"handle":"ann"},"room":{"name":"tea"},"limit":1000,"first_limit":4294967295}"#;

async fn start() -> Stagecraft {
    let stage = Stagecraft::start_all(|config| {
        // The longest reply, and not a second one.
        config.server.unread = UnreadLimits { total: 32 << 20, per_address: 6 << 20 };
    })
    .await;
    let mut ann = seated(&stage, "ann").await;
    let text = "\u{1f600}".repeat(16_384);
    for _ in 0..POSTS {
        ann.send(&post(&text)).await;
        ann.lines(2).await;
    }
    stage
}

/// A client that has little room for what it does not read.
struct Client(TcpStream);

impl Client {
    async fn connect(from: &str, to: SocketAddr) -> Self {
        let socket = TcpSocket::new_v4().unwrap();
        socket.set_recv_buffer_size(4096).unwrap();
        socket.bind(format!("{from}:0").parse().unwrap()).unwrap();
        Self(soon(socket.connect(to)).await.unwrap())
    }

    /// Sends a request; returns its status, and leaves the rest of the response unread.
    async fn ask(&mut self, path: &str, body: &str) -> u16 {
        let length = body.len();
        let request =
            format!("POST {path} HTTP/1.1\r\nhost: test\r\ncontent-length: {length}\r\n\r\n{body}");
        self.0.write_all(request.as_bytes()).await.unwrap();
        let mut status = [0; 12];
        soon(self.0.read_exact(&mut status)).await.unwrap();
        std::str::from_utf8(&status[9..]).unwrap().parse().unwrap()
    }

    /// The rest of the response.
    async fn rest(&mut self) -> Reply {
        let mut text = b"HTTP/1.1 200".to_vec();
        loop {
            soon(self.0.read_buf(&mut text)).await.unwrap();
            let shown = String::from_utf8_lossy(&text);
            let Some((_, body)) = shown.split_once("\r\n\r\n") else { continue };
            let reply = Reply::parse(&shown);
            if body.len() >= reply.header("content-length").unwrap().parse().unwrap() {
                return reply;
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_address_that_does_not_read_gets_no_further_long_reply() {
    let stage = start().await;
    let to = stage.address("http");
    let mut hoarder = Client::connect("127.0.0.5", to).await;
    assert_eq!(hoarder.ask("/ask", HISTORY).await, 200);
    for (path, body) in [("/ask", HISTORY), ("/call", RECEIVE)] {
        let mut second = Client::connect("127.0.0.5", to).await;
        assert_eq!(second.ask(path, body).await, 503, "{path}");
        let refused = second.rest().await;
        assert_eq!(refused.header("retry-after"), Some("1"));
        assert!(refused.body.starts_with("stage: "), "{}", refused.body);
        // Short ones go on.
        assert_eq!(second.ask("/ask", r#"{"ask":"last_change"}"#).await, 200);
    }
    let mut other = Client::connect("127.0.0.6", to).await;
    assert_eq!(other.ask("/ask", HISTORY).await, 200);
    // What is read makes room; and the command that was refused has moved no cursor.
    let whole = hoarder.rest().await.body;
    assert!(whole.len() > 4 << 20, "{}", whole.len());
    assert_eq!(hoarder.ask("/call", RECEIVE).await, 200);
    assert_eq!(
        hoarder.rest().await.body.matches("\"text\"").count(),
        whole.matches("\"text\"").count()
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stream_of_an_address_that_does_not_read_is_refused_further_long_answers() {
    let stage = start().await;
    let mut hoarder = Client::connect("127.0.0.1", stage.address("http")).await;
    assert_eq!(hoarder.ask("/ask", HISTORY).await, 200);
    let mut line = Lines::connect(stage.address("lines")).await;
    assert_eq!(line.ask(&format!("ask {HISTORY}")).await, r#"! {"refused":"overloaded"}"#);
    let metrics = stage.gateway.admin_address().expect("it listens");
    let metrics = http(metrics, &["GET /metrics HTTP/1.1"], "").await.body;
    let refused = metrics.lines().find(|line| line.contains("limit=\"unread\"")).unwrap();
    assert!(refused.ends_with(" 1"), "{refused}");
    drop(hoarder);
}
