//! A stand-in for the servers that the gateway asks: each answers as the test has it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver};
use std::thread;

use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// A request, as it came.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    pub(super) head: String,
    pub(super) body: Value,
}

/// What a stand-in does.
pub(super) enum Answer {
    Json(Value),
    /// These bytes, and then the end of the connection.
    Bytes(Vec<u8>),
    /// Nothing until the gateway hangs up.
    Silence,
    /// A body that does not end.
    Endless,
}

pub(super) struct StandIn {
    pub(super) address: SocketAddr,
    asked: Receiver<Asked>,
}

impl StandIn {
    pub(super) fn start(answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static) -> Self {
        Self::over(None, answer)
    }

    pub(super) fn over(
        tls: Option<Arc<ServerConfig>>,
        answer: impl Fn(&Asked) -> Answer + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (sender, asked) = mpsc::channel();
        let answer = Arc::new(answer);
        thread::spawn(move || {
            for stream in listener.incoming() {
                let stream = stream.expect("a peer");
                let (sender, answer, tls) = (sender.clone(), answer.clone(), tls.clone());
                let answer = move |asked: &Asked| {
                    drop(sender.send(asked.clone()));
                    answer(asked)
                };
                thread::spawn(move || match tls {
                    None => serve(stream, answer),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).expect("a configuration");
                        serve(StreamOwned::new(connection, stream), answer);
                    }
                });
            }
        });
        Self { address, asked }
    }

    /// The next request.
    #[track_caller]
    pub(super) fn next(&self) -> Asked {
        self.asked.recv().expect("the stand-in runs")
    }

    /// How many requests came that were not taken.
    pub(super) fn pending(&self) -> usize {
        self.asked.try_iter().count()
    }
}

/// An answer after which the connection closes, as its head says: another question must not come on
/// it meanwhile.
fn closing(answer: &[u8]) -> Vec<u8> {
    match answer.windows(4).position(|window| window == b"\r\n\r\n") {
        Some(end) => [&answer[..end], b"\r\nConnection: close", &answer[end..]].concat(),
        None => answer.to_vec(),
    }
}

/// Answers the requests of one connection.
fn serve(stream: impl Read + Write, answer: impl Fn(&Asked) -> Answer) {
    let mut stream = BufReader::new(stream);
    loop {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_until(b'\n', &mut head) {
                Ok(read) if read > 0 => (),
                _ => return,
            }
        }
        let head = String::from_utf8(head).expect("a head of text").to_lowercase();
        let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
        let length = length.map_or(0, |length| length.parse().expect("a number"));
        let mut body = vec![0; length];
        stream.read_exact(&mut body).expect("a whole body");
        let body = serde_json::from_slice(&body).unwrap_or_default();
        let written = match answer(&Asked { head, body }) {
            Answer::Json(value) => {
                let body = value.to_string();
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", body.len());
                stream.get_mut().write_all((head + &body).as_bytes()).is_ok()
            }
            Answer::Bytes(bytes) => {
                drop(stream.get_mut().write_all(&closing(&bytes)));
                false
            }
            Answer::Silence => return drop(stream.read_to_end(&mut Vec::new())),
            Answer::Endless => return drop(endless(stream.get_mut())),
        };
        if !written || stream.get_mut().flush().is_err() {
            return;
        }
    }
}

fn endless(stream: &mut impl Write) -> std::io::Result<()> {
    stream.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
    loop {
        stream.write_all(b"400\r\n")?;
        stream.write_all(&[b' '; 0x400])?;
        stream.write_all(b"\r\n")?;
    }
}

/// A response with this status and no more.
pub(super) fn status(line: &str) -> Answer {
    Answer::Bytes(format!("HTTP/1.1 {line}\r\nContent-Length: 0\r\n\r\n").into_bytes())
}
