//! A receiver of events: an HTTP server whose answers the test chooses, and which can be killed.

use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver as Queue, Sender};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};

use gateway_tests::PATIENCE;
use rustls::{ServerConfig, ServerConnection, StreamOwned};
use serde_json::Value;

/// The secret of every webhook here, and its key.
pub(crate) const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
const KEY: [u8; 24] = [
    49, 242, 144, 246, 191, 6, 41, 138, 171, 79, 8, 212, 60, 63, 8, 44, 246, 72, 163, 98, 218, 45,
    164, 176,
];

/// What the receiver does with a request.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// A status line and further lines of the head.
    Head(&'static str),
    /// A redirect to this URL.
    To(String),
    /// None, as long as the connection lasts.
    Never,
}

pub(crate) const TAKEN: Answer = Answer::Head("204 No Content");

type Choose = dyn FnMut(&Delivery) -> Answer + Send;

/// One request.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Delivery {
    pub(crate) target: String,
    /// Names in lower case.
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) body: Vec<u8>,
}

impl Delivery {
    pub(crate) fn id(&self) -> &str {
        &self.headers["webhook-id"]
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("the body is JSON")
    }

    pub(crate) fn kind(&self) -> String {
        self.json()["type"].as_str().expect("a type").to_owned()
    }

    /// The text of a message.
    pub(crate) fn text(&self) -> String {
        self.json()["data"]["text"].as_str().unwrap_or("").to_owned()
    }

    pub(crate) fn timestamp(&self) -> u64 {
        self.headers["webhook-timestamp"].parse().expect("seconds")
    }

    /// Whether one of the signatures is that of this key, as the specification has it.
    pub(crate) fn is_signed_with(&self, key: &[u8]) -> bool {
        let timestamp = &self.headers["webhook-timestamp"];
        let head = format!("{}.{timestamp}.", self.id());
        let key = ring::hmac::Key::new(ring::hmac::HMAC_SHA256, key);
        let tag = ring::hmac::sign(&key, &[head.as_bytes(), &self.body].concat());
        let expected = format!("v1,{}", data_encoding::BASE64.encode(tag.as_ref()));
        self.headers["webhook-signature"].split(' ').any(|signature| signature == expected)
    }
}

pub(crate) struct Receiver {
    pub(crate) address: SocketAddr,
    choose: Arc<Mutex<Box<Choose>>>,
    sender: Sender<Delivery>,
    deliveries: Queue<Delivery>,
    tls: Option<Arc<ServerConfig>>,
    running: Option<Running>,
}

struct Running {
    is_killed: Arc<AtomicBool>,
    streams: Arc<Mutex<Vec<TcpStream>>>,
    thread: JoinHandle<()>,
}

impl Receiver {
    /// Takes everything.
    pub(crate) fn start() -> Self {
        Self::answering(|_| TAKEN)
    }

    pub(crate) fn answering(choose: impl FnMut(&Delivery) -> Answer + Send + 'static) -> Self {
        Self::with(None, choose)
    }

    /// Takes everything, by TLS.
    pub(crate) fn encrypted(tls: Arc<ServerConfig>) -> Self {
        Self::with(Some(tls), |_| TAKEN)
    }

    fn with(
        tls: Option<Arc<ServerConfig>>,
        choose: impl FnMut(&Delivery) -> Answer + Send + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("its address");
        let (sender, deliveries) = mpsc::channel();
        let choose: Box<Choose> = Box::new(choose);
        let choose = Arc::new(Mutex::new(choose));
        let mut receiver = Self { address, choose, sender, deliveries, tls, running: None };
        receiver.run(listener);
        receiver
    }

    fn run(&mut self, listener: TcpListener) {
        let is_killed = Arc::new(AtomicBool::new(false));
        let streams: Arc<Mutex<Vec<TcpStream>>> = Arc::default();
        let (killed, all) = (is_killed.clone(), streams.clone());
        let (choose, sender, tls) = (self.choose.clone(), self.sender.clone(), self.tls.clone());
        let thread = thread::spawn(move || {
            for stream in listener.incoming() {
                let mut all = all.lock().expect("no test panics here");
                if killed.load(Ordering::SeqCst) {
                    return;
                }
                let stream = stream.expect("a peer");
                all.push(stream.try_clone().expect("a descriptor"));
                let (choose, sender, tls) = (choose.clone(), sender.clone(), tls.clone());
                thread::spawn(move || match tls {
                    None => serve(stream, &choose, &sender),
                    Some(tls) => {
                        let connection = ServerConnection::new(tls).expect("a configuration");
                        serve(StreamOwned::new(connection, stream), &choose, &sender)
                    }
                });
            }
        });
        self.running = Some(Running { is_killed, streams, thread });
    }

    /// Resets all connections and stops listening.
    pub(crate) fn kill(&mut self) {
        let Some(Running { is_killed, streams, thread }) = self.running.take() else { return };
        is_killed.store(true, Ordering::SeqCst);
        for stream in streams.lock().expect("no test panics here").iter() {
            // The gateway may have closed it.
            drop(stream.shutdown(Shutdown::Both));
        }
        // Wakes the thread.
        drop(TcpStream::connect(self.address));
        thread.join().expect("it ends");
    }

    /// Kills it, and listens again at the same address.
    pub(crate) fn restart(&mut self) {
        self.kill();
        let listener = TcpListener::bind(self.address).expect("the port is free again");
        self.run(listener);
    }

    /// Chooses the answers from now on.
    pub(crate) fn answer(&self, choose: impl FnMut(&Delivery) -> Answer + Send + 'static) {
        *self.choose.lock().expect("no test panics here") = Box::new(choose);
    }

    /// The next request.
    #[track_caller]
    pub(crate) fn next(&self) -> Delivery {
        self.deliveries.recv_timeout(PATIENCE).expect("a request comes")
    }

    #[track_caller]
    pub(crate) fn nexts(&self, count: usize) -> Vec<Delivery> {
        (0..count).map(|_| self.next()).collect()
    }

    /// The requests that have come so far.
    pub(crate) fn so_far(&self) -> Vec<Delivery> {
        self.deliveries.try_iter().collect()
    }
}

impl Drop for Receiver {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Whether a delivery is signed with [`SECRET`].
pub(crate) fn is_signed(delivery: &Delivery) -> bool {
    delivery.is_signed_with(&KEY)
}

/// Answers the requests of one connection. None: it ended.
fn serve(
    stream: impl Read + Write,
    choose: &Mutex<Box<Choose>>,
    sender: &Sender<Delivery>,
) -> Option<()> {
    let mut reader = BufReader::new(stream);
    loop {
        let delivery = read(&mut reader)?;
        let answer = (choose.lock().ok()?)(&delivery);
        // Before the answer: what the gateway knows to be taken, the test has.
        sender.send(delivery).ok()?;
        let head = match answer {
            Answer::Head(head) => head.to_owned(),
            Answer::To(url) => format!("307 Temporary Redirect\r\nLocation: {url}"),
            Answer::Never => {
                let mut rest = Vec::new();
                return reader.read_to_end(&mut rest).ok().map(|_| ());
            }
        };
        let length = if head.starts_with("204") { "" } else { "Content-Length: 0\r\n" };
        reader.get_mut().write_all(format!("HTTP/1.1 {head}\r\n{length}\r\n").as_bytes()).ok()?;
    }
}

fn read(reader: &mut impl BufRead) -> Option<Delivery> {
    let mut lines = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).ok().filter(|read| *read > 0)?;
        match line.trim_end() {
            "" => break,
            line => lines.push(line.to_owned()),
        }
    }
    let target = lines.first()?.split(' ').nth(1)?.to_owned();
    let header = |line: &String| {
        let (name, value) = line.split_once(": ")?;
        Some((name.to_lowercase(), value.to_owned()))
    };
    let headers: BTreeMap<String, String> = lines.iter().skip(1).filter_map(header).collect();
    let mut body = vec![0; headers.get("content-length")?.parse().ok()?];
    reader.read_exact(&mut body).ok()?;
    Some(Delivery { target, headers, body })
}
