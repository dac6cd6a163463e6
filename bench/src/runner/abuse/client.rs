//! A blocking client of the attacker, bound to the attacker's address.

use std::io::{self, Read as _, Write as _};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, Socket, Type};

use crate::load::{HttpCall, frames};

/// Longest wait for one connect, read or write.
const TIMEOUT: Duration = Duration::from_secs(5);

/// After this long without a byte, what was asked for has come, or does not come soon.
const QUIET: Duration = Duration::from_millis(50);

pub(super) fn connect(to: SocketAddr, from: IpAddr) -> io::Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP))?;
    socket.bind(&SocketAddr::new(from, 0).into())?;
    socket.connect_timeout(&to.into(), TIMEOUT)?;
    let stream = TcpStream::from(socket);
    stream.set_read_timeout(Some(TIMEOUT))?;
    stream.set_write_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// A WebSocket after its handshake.
pub(super) fn websocket(to: SocketAddr, from: IpAddr) -> io::Result<TcpStream> {
    let mut stream = connect(to, from)?;
    stream.write_all(
        b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    read_some(&mut stream);
    Ok(stream)
}

/// Sends a text message.
pub(super) fn say(stream: &mut TcpStream, text: &str) -> bool {
    stream.write_all(&frames::masked_text(text)).is_ok()
}

/// Sends a request and reads the beginning of the response. Whether there was one.
pub(super) fn ask(stream: &mut TcpStream, target: &str, body: Option<&str>) -> bool {
    let request = HttpCall::request(target, "", body);
    stream.write_all(&request).is_ok() && read_some(stream) > 0
}

/// Reads what is there, for at most [`TIMEOUT`].
pub(super) fn read_some(stream: &mut TcpStream) -> usize {
    let mut chunk = [0; 65_536];
    stream.read(&mut chunk).unwrap_or_default()
}

/// Reads and discards until nothing comes for a moment, or the time is over.
pub(super) fn drain(stream: &mut TcpStream, until: Instant) {
    while Instant::now() < until && read_soon(stream) > 0 {}
}

/// Reads what is there, for at most [`QUIET`].
pub(super) fn read_soon(stream: &mut TcpStream) -> usize {
    // Sockets take every timeout but zero.
    stream.set_read_timeout(Some(QUIET)).expect("a timeout");
    let read = read_some(stream);
    stream.set_read_timeout(Some(TIMEOUT)).expect("a timeout");
    read
}
