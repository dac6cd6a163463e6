//! The chatroom dialect: query strings, and JSON over WebSocket.

use std::net::{SocketAddr, TcpStream};

use serde_json::Value;
use tokio_tungstenite::tungstenite::Error;

use crate::http::{Http, form};
use crate::websocket::WebSocket;

/// The HTTP part.
#[derive(Debug)]
pub struct Chatroom {
    pub http: Http,
}

impl Chatroom {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self { http: Http::connect(address) }
    }

    /// `GET path?fields`: the reply.
    #[track_caller]
    pub fn get(&mut self, path: &str, fields: &[(&str, &str)]) -> Value {
        let response = self.http.get(&format!("{path}?{}", form(fields)));
        assert_eq!(response.status, 200, "{response}");
        response.json()
    }

    /// The same; what `res` says.
    #[track_caller]
    pub fn res(&mut self, path: &str, fields: &[(&str, &str)]) -> String {
        let reply = self.get(path, fields);
        reply["res"].as_str().unwrap_or_else(|| panic!("no res in {reply}")).to_owned()
    }

    #[track_caller]
    pub fn register(&mut self, tel: &str, name: &str, password: &str) {
        let fields = [("user_tel", tel), ("user_name", name), ("user_password", password)];
        assert_eq!(self.res("/auth/register", &fields), "register successfully");
    }

    #[track_caller]
    pub fn login(&mut self, tel: &str, password: &str) {
        let fields = [("user_tel", tel), ("user_password", password)];
        assert_eq!(self.res("/auth/login", &fields), "login successfully");
    }

    /// Logs in: the cookie that shows it, as a WebSocket's handshake needs it.
    #[track_caller]
    pub fn sign_in(&mut self, tel: &str, password: &str) -> String {
        let fields = [("user_tel", tel), ("user_password", password)];
        let response = self.http.get(&format!("/auth/login?{}", form(&fields)));
        let cookie = response.header("set-cookie").and_then(|cookie| cookie.split(';').next());
        cookie.unwrap_or_else(|| panic!("no cookie: {response}")).to_owned()
    }
}

/// The WebSocket part.
#[derive(Debug)]
pub struct Talk {
    pub websocket: WebSocket,
}

impl Talk {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self { websocket: WebSocket::connect(address) }
    }

    /// On a connection that there is already.
    #[track_caller]
    pub fn over(stream: TcpStream, address: SocketAddr) -> Self {
        Self { websocket: WebSocket::over(stream, address) }
    }

    /// Joins, and reads up to its own `join` or `create`: which of them it was.
    #[track_caller]
    pub fn join(&mut self, room: &str, user: &str) -> String {
        self.send("join", room, user, "");
        let own = |packet: &Value| {
            packet["type"] == "error"
                || (packet["type"] == "user" && packet["data"]["user"]["user_name"] == user)
        };
        let packet = self.receive_until(own);
        assert_eq!(packet["type"], "user", "{packet}");
        packet["data"]["msg"].as_str().expect("it is a string").to_owned()
    }

    /// Posts, and waits for the echo.
    #[track_caller]
    pub fn say(&mut self, room: &str, user: &str, text: &str) {
        self.send("msg", room, user, text);
        self.receive_until(|packet| {
            assert_ne!(packet["type"], "error", "{packet}");
            packet["type"] == "msg" && packet["data"]["msg"] == text
        });
    }

    #[track_caller]
    pub fn send(&mut self, kind: &str, room: &str, user: &str, msg: &str) {
        self.websocket.send(&packet(kind, room, user, msg));
    }

    pub fn try_send(&mut self, kind: &str, room: &str, user: &str, msg: &str) -> Result<(), Error> {
        self.websocket.try_send(&packet(kind, room, user, msg))
    }

    #[track_caller]
    pub fn receive(&mut self) -> Value {
        let text = self.websocket.receive();
        serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
    }

    pub fn try_receive(&mut self) -> Result<Value, Error> {
        let text = self.websocket.try_receive()?;
        Ok(serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}")))
    }

    /// The first packet from here on that is wanted.
    #[track_caller]
    pub fn receive_until(&mut self, mut wanted: impl FnMut(&Value) -> bool) -> Value {
        loop {
            let packet = self.receive();
            if wanted(&packet) {
                return packet;
            }
        }
    }
}

/// What a client sends.
pub fn packet(kind: &str, room: &str, user: &str, msg: &str) -> String {
    let [kind, room, user, msg] = [kind, room, user, msg].map(Value::from);
    let user = format!(r#"{{"user_name":{user},"user_avatar":""}}"#);
    format!(r#"{{"type":{kind},"data":{{"user":{user},"room_name":{room},"msg":{msg}}}}}"#)
}
