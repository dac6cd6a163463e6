//! The ourchat dialect: JSON objects with a code, over WebSocket or as lines over TCP.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};

use serde_json::{Value, json};

use crate::connect;
use crate::websocket::WebSocket;

#[derive(Debug)]
pub struct Ourchat {
    transport: Transport,
    /// Of the newest message.
    last_cid: u64,
}

#[derive(Debug)]
enum Transport {
    WebSocket(Box<WebSocket>),
    Lines(BufReader<TcpStream>),
}

impl Ourchat {
    #[track_caller]
    pub fn websocket(address: SocketAddr) -> Self {
        let websocket = WebSocket::connect(address);
        Self { transport: Transport::WebSocket(Box::new(websocket)), last_cid: 0 }
    }

    /// At `tcp_listen`.
    #[track_caller]
    pub fn lines(address: SocketAddr) -> Self {
        let lines = BufReader::new(connect(address));
        Self { transport: Transport::Lines(lines), last_cid: 0 }
    }

    /// Registers `<name>@example.org` with its name as nickname, and logs in: the ocid.
    #[track_caller]
    pub fn enroll(&mut self, name: &str) -> u64 {
        let email = format!("{name}@example.org");
        let reply = self.call(&json!({"code": 4, "email": email, "password": "pw", "name": name}));
        assert_eq!(reply["state"], 0, "{reply}");
        self.login(&email, "pw");
        reply["ocid"].as_u64().expect("it is a number")
    }

    #[track_caller]
    pub fn login(&mut self, email: &str, password: &str) {
        let request = json!({"code": 6, "login_type": 0, "account": email, "password": password});
        let reply = self.call(&request);
        assert_eq!((&reply["code"], &reply["state"]), (&json!(7), &json!(0)), "{reply}");
    }

    /// Sends, and gives the next thing that comes.
    #[track_caller]
    pub fn call(&mut self, request: &Value) -> Value {
        self.send(request);
        self.receive()
    }

    #[track_caller]
    pub fn send(&mut self, request: &Value) {
        self.send_text(&request.to_string());
    }

    #[track_caller]
    pub fn send_text(&mut self, text: &str) {
        match &mut self.transport {
            Transport::WebSocket(websocket) => websocket.send(text),
            Transport::Lines(lines) => {
                let line = format!("{text}\n");
                lines.get_mut().write_all(line.as_bytes()).expect("the gateway takes it");
            }
        }
    }

    /// Has the gateway see that every message so far was read. A WebSocket answers the ping that
    /// has the id of the last; over TCP the gateway believes what arrived before the last request
    /// but one.
    #[track_caller]
    pub fn show_life(&mut self) {
        if let Transport::WebSocket(websocket) = &mut self.transport {
            return websocket.answer_ping(&self.last_cid.to_be_bytes());
        }
        for _ in 0..2 {
            assert_eq!(self.call(&json!({"code": 12}))["code"], 12);
        }
    }

    /// The stream below, to do what a client would not.
    pub fn stream(&mut self) -> &mut TcpStream {
        match &mut self.transport {
            Transport::WebSocket(websocket) => websocket.stream(),
            Transport::Lines(lines) => lines.get_mut(),
        }
    }

    #[track_caller]
    pub fn receive(&mut self) -> Value {
        let text = match &mut self.transport {
            Transport::WebSocket(websocket) => websocket.receive(),
            Transport::Lines(lines) => {
                let mut line = String::new();
                lines.read_line(&mut line).unwrap_or_else(|error| panic!("{error} after {line:?}"));
                line
            }
        };
        let message: Value =
            serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text:?}"));
        self.last_cid = message["cid"].as_u64().unwrap_or(self.last_cid);
        message
    }
}
