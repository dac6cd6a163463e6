//! Preparation before a load: blocking requests, one after the other.

use std::io::{self, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use super::frames::{self, Found, Frame};
use super::talk::HttpCall;

/// Generous, because hashing a password is slow on a small, busy machine.
const TIMEOUT: Duration = Duration::from_secs(30);

/// Registers an account in the ourchat dialect.
pub fn register(ourchat: SocketAddr, email: &str, name: &str, password: &str) -> io::Result<()> {
    let mut stream = connect(ourchat)?;
    stream.write_all(
        b"GET / HTTP/1.1\r\nHost: bench\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
          Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    )?;
    let (status, _) = response(&mut stream)?;
    if status != 101 {
        return Err(io::Error::other(format!("the WebSocket is refused with HTTP {status}")));
    }
    let request = serde_json::json!({
        "code": 4, "email": email, "name": name, "password": password,
    });
    stream.write_all(&frames::masked_text(&request.to_string()))?;
    let reply = websocket_message(&mut stream)?;
    if reply.contains("\"state\":0") {
        Ok(())
    } else {
        Err(io::Error::other(format!("{email} is not registered: {reply}")))
    }
}

/// Makes an account a member of a room through the channel dialect.
pub fn join(channel: SocketAddr, name: &str, password: &str, room: &str) -> io::Result<()> {
    let token = sign_in(channel, name, password)?;
    let body = serde_json::json!({ "name": room }).to_string();
    let request =
        HttpCall::request("/channel/receive", &format!("token: {token}\r\n"), Some(&body));
    succeed(channel, &request, "\"code\":0").map(drop)
}

/// A token of an account in the channel dialect.
pub fn sign_in(channel: SocketAddr, name: &str, password: &str) -> io::Result<String> {
    let body = serde_json::json!({ "name": name, "password": password }).to_string();
    let reply = succeed(channel, &HttpCall::request("/login", "", Some(&body)), "\"token\":\"")?;
    let token = reply.split("\"token\":\"").nth(1).and_then(|rest| rest.split('"').next());
    token.map(str::to_owned).ok_or_else(|| io::Error::other(reply))
}

/// Sends one request on its own connection and returns the body, which must contain `expect`.
pub fn succeed(address: SocketAddr, request: &[u8], expect: &str) -> io::Result<String> {
    let mut stream = connect(address)?;
    stream.write_all(request)?;
    let (status, body) = response(&mut stream)?;
    if status == 200 && body.contains(expect) {
        Ok(body)
    } else {
        Err(io::Error::other(format!("an unexpected response, HTTP {status}: {body}")))
    }
}

fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    Ok(stream)
}

/// Reads the status and the body of the next response.
fn response(stream: &mut TcpStream) -> io::Result<(u16, String)> {
    let mut bytes = Vec::new();
    loop {
        let head = frames::http_head(&bytes).map_err(io::Error::other)?;
        if let Some(head) = head
            && let Some(body) = bytes.get(head.bytes..head.bytes + head.content_bytes)
        {
            return Ok((head.status, String::from_utf8_lossy(body).into_owned()));
        }
        more(stream, &mut bytes)?;
    }
}

fn websocket_message(stream: &mut TcpStream) -> io::Result<String> {
    let mut bytes = Vec::new();
    loop {
        match frames::websocket(&bytes) {
            Found::Whole(Frame::Message(message), _) => {
                return Ok(String::from_utf8_lossy(message).into_owned());
            }
            Found::Whole(_, len) => drop(bytes.drain(..len)),
            Found::NotYet => more(stream, &mut bytes)?,
            Found::Nonsense(why) => return Err(io::Error::other(why)),
        }
    }
}

fn more(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<()> {
    let mut chunk = [0; 4096];
    match stream.read(&mut chunk)? {
        0 => Err(io::ErrorKind::UnexpectedEof.into()),
        len => {
            bytes.extend_from_slice(&chunk[..len]);
            Ok(())
        }
    }
}
