//! The channel dialect: JSON over HTTP.

use std::io;
use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::{Http, Response};

#[derive(Debug)]
pub struct Channel {
    pub http: Http,
    /// Shown with every request, once there is one.
    pub token: Option<String>,
}

impl Channel {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self { http: Http::connect(address), token: None }
    }

    /// The same user on another connection, perhaps after a restart.
    #[track_caller]
    pub fn reconnect(&self, address: SocketAddr) -> Self {
        Self { http: Http::connect(address), token: self.token.clone() }
    }

    #[track_caller]
    pub fn register(&mut self, name: &str, password: &str) {
        let body = json!({"name": name, "password": password, "password_repete": password});
        self.done("/register", &body);
    }

    /// Shows the token from now on.
    #[track_caller]
    pub fn login(&mut self, name: &str, password: &str) {
        let data = self.done("/login", &json!({"name": name, "password": password}));
        self.token = Some(data["token"].as_str().expect("it is a string").to_owned());
    }

    /// Registers and logs in.
    #[track_caller]
    pub fn enroll(address: SocketAddr, name: &str) -> Self {
        let mut channel = Self::connect(address);
        channel.register(name, "tea for two");
        channel.login(name, "tea for two");
        channel
    }

    #[track_caller]
    pub fn send(&mut self, channel: &str, message: &str) {
        self.done("/channel/send", &json!({"name": channel, "message": message}));
    }

    /// The next messages of a channel after an id, and the cursor after them.
    #[track_caller]
    pub fn receive_after(&mut self, channel: &str, after: u64) -> (Vec<Value>, u64) {
        let data = self.done("/channel/receive", &json!({"name": channel, "after": after}));
        let messages = data["messages"].as_array().expect("it is a list").clone();
        (messages, data["cursor"].as_u64().expect("it is a number"))
    }

    /// Everything in a channel, page by page: sender and text.
    #[track_caller]
    pub fn history(&mut self, channel: &str) -> Vec<(String, String)> {
        let text = |value: &Value| value.as_str().expect("it is a string").to_owned();
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let (messages, cursor) = self.receive_after(channel, after);
            if messages.is_empty() {
                return all;
            }
            assert!(cursor > after, "the cursor stays at {after}");
            all.extend(messages.iter().map(|one| (text(&one["name"]), text(&one["msg"]))));
            after = cursor;
        }
    }

    /// The `data` of a success.
    #[track_caller]
    pub fn done(&mut self, path: &str, body: &Value) -> Value {
        let mut reply = self.call(path, body);
        assert_eq!(reply["code"], 0, "{path} {body}: {reply}");
        reply["data"].take()
    }

    #[track_caller]
    pub fn call(&mut self, path: &str, body: &Value) -> Value {
        let response = self.try_call(path, body, &[]);
        let response = response.unwrap_or_else(|error| panic!("{path} {body}: {error}"));
        assert_eq!(response.status, 200, "{path} {body}: {response}");
        response.json()
    }

    /// `Err` when the connection is over.
    pub fn try_call(
        &mut self,
        path: &str,
        body: &Value,
        headers: &[(&str, &str)],
    ) -> io::Result<Response> {
        let bearer = self.token.as_ref().map(|token| format!("Bearer {token}"));
        let mut all = vec![("Content-Type", "application/json")];
        all.extend(bearer.as_ref().map(|bearer| ("Authorization", bearer.as_str())));
        all.extend(headers);
        self.http.try_request("POST", path, &all, body.to_string().as_bytes())
    }
}
