//! Connections over the network that may end at any moment: everything gives an error then.

use std::io::{self, BufRead, BufReader, ErrorKind, Write};
use std::net::TcpStream;

use gateway_tests::http::Http;
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::{self, Message};

use super::network::{Listener, Network};

pub(super) fn broken(why: impl ToString) -> io::Error {
    io::Error::new(ErrorKind::ConnectionAborted, why.to_string())
}

/// JSON over a WebSocket.
pub(super) struct Packets(tungstenite::WebSocket<TcpStream>);

impl Packets {
    pub(super) fn open(network: &Network, listener: Listener) -> io::Result<Self> {
        let stream = network.connect(listener)?;
        let (socket, _) = tungstenite::client("ws://127.0.0.1/", stream).map_err(broken)?;
        Ok(Self(socket))
    }

    pub(super) fn send(&mut self, packet: &Value) -> io::Result<()> {
        self.0.send(Message::text(packet.to_string())).map_err(broken)
    }

    pub(super) fn receive(&mut self) -> io::Result<Value> {
        loop {
            match self.0.read().map_err(broken)? {
                Message::Text(text) => return Ok(serde_json::from_str(&text)?),
                Message::Close(_) => return Err(broken("closed")),
                _ => (),
            }
        }
    }
}

/// Lines over TCP.
pub(super) struct Lines(BufReader<TcpStream>);

impl Lines {
    pub(super) fn open(network: &Network, listener: Listener) -> io::Result<Self> {
        Ok(Self(BufReader::new(network.connect(listener)?)))
    }

    pub(super) fn send(&mut self, line: &str) -> io::Result<()> {
        self.0.get_mut().write_all(format!("{line}\r\n").as_bytes())
    }

    pub(super) fn receive(&mut self) -> io::Result<String> {
        let mut line = String::new();
        self.0.read_line(&mut line)?;
        let line = line.strip_suffix("\r\n").ok_or_else(|| broken("it ends within a line"))?;
        Ok(line.to_owned())
    }
}

/// A request on a connection of its own; what is refused counts as failed.
pub(super) fn post(
    network: &Network,
    listener: Listener,
    path: &str,
    body: &Value,
    headers: &[(&str, &str)],
) -> io::Result<Value> {
    let stream = network.connect(listener)?;
    let address = stream.peer_addr()?;
    let all: Vec<_> =
        [("Content-Type", "application/json")].iter().chain(headers).copied().collect();
    let response =
        Http::over(stream, address).try_request("POST", path, &all, body.to_string().as_bytes())?;
    if response.status != 200 {
        return Err(broken(response));
    }
    Ok(response.json())
}

/// A number of a packet.
pub(super) fn number(value: &Value) -> io::Result<u64> {
    value.as_u64().ok_or_else(|| broken(format!("{value} is no number")))
}

/// A join of the room as a guest.
pub(super) fn join(user: &str, since: Option<u64>) -> Value {
    let mut data = json!({"user": {"user_name": user}, "room_name": super::ROOM, "msg": ""});
    if let Some(since) = since {
        data["since"] = since.into();
    }
    json!({"type": "join", "data": data})
}
