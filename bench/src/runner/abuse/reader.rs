//! A member of the attacked room that reads no more than 1 MB/s.

use std::io::{ErrorKind, Read as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use super::client::{say, websocket};

const CHUNK_BYTES: usize = 20_000;
const CHUNK_PERIOD: Duration = Duration::from_millis(20);

/// Small, so that what is not read waits in the gateway, not in the kernel.
const RECEIVE_BUFFER_BYTES: usize = 65_536;

pub(super) struct Reader(TcpStream);

/// What became of a reader.
pub(super) struct Reading {
    pub(super) bytes: u64,
    pub(super) is_cut_off: bool,
}

fn join(name: &str) -> String {
    let data = serde_json::json!({
        "room_name": "bench-0", "user": { "user_name": name, "user_avatar": "" }, "msg": "",
    });
    serde_json::json!({ "type": "join", "data": data }).to_string()
}

impl Reader {
    pub(super) fn join(to: SocketAddr, from: IpAddr) -> std::io::Result<Self> {
        let mut stream = websocket(to, from)?;
        socket2::SockRef::from(&stream).set_recv_buffer_size(RECEIVE_BUFFER_BYTES)?;
        say(&mut stream, &join("reader"));
        Ok(Self(stream))
    }

    /// Reads for a time. Nothing to read is no end.
    pub(super) fn read(mut self, until: Instant) -> Reading {
        let (mut bytes, mut chunk) = (0, [0; CHUNK_BYTES]);
        self.0.set_nonblocking(true).expect("a socket can be set so");
        while Instant::now() < until {
            match self.0.read(&mut chunk) {
                Ok(0) => return Reading { bytes, is_cut_off: true },
                Ok(read) => bytes += read as u64,
                Err(error) if error.kind() == ErrorKind::WouldBlock => (),
                Err(_) => return Reading { bytes, is_cut_off: true },
            }
            thread::sleep(CHUNK_PERIOD);
        }
        Reading { bytes, is_cut_off: false }
    }
}

/// Whether a guest can join the attacked room.
pub(super) fn gets_a_seat(to: SocketAddr, from: IpAddr) -> bool {
    let Ok(mut stream) = websocket(to, from) else { return false };
    say(&mut stream, &join("newcomer"));
    let mut answer = [0; 4096];
    let read = stream.read(&mut answer).unwrap_or_default();
    let answer = String::from_utf8_lossy(&answer[..read]);
    answer.contains("newcomer") && !answer.contains("\"type\":\"error\"")
}
