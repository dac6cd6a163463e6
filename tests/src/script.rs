//! A conversation, written down as it goes, to be compared with a snapshot.

use std::fmt::Write as _;

use serde_json::Value;

use crate::channel::Channel;
use crate::chatroom::Talk;
use crate::http::{Http, form};
use crate::redact::redact;

/// What was said so far, a line each: `ann → …` by a client, `ann ← …` to it.
#[derive(Debug, Default)]
pub struct Script {
    text: String,
}

impl Script {
    pub fn heading(&mut self, heading: &str) {
        let blank = if self.text.is_empty() { "" } else { "\n" };
        self.line(&format!("{blank}# {heading}"));
    }

    /// `GET path?fields`
    #[track_caller]
    pub fn get(
        &mut self,
        who: &str,
        http: &mut Http,
        path: &str,
        fields: &[(&str, &str)],
    ) -> Value {
        let mark = if fields.is_empty() { "" } else { "?" };
        let target = format!("{path}{mark}{}", form(fields));
        self.line(&format!("{who} → GET {target}"));
        let response = http.get(&target);
        self.line(&format!("{who} ← {response}"));
        response.json()
    }

    /// `POST path` with a JSON body.
    #[track_caller]
    pub fn post(&mut self, who: &str, http: &mut Http, path: &str, body: &Value) -> Value {
        self.line(&format!("{who} → POST {path} {body}"));
        let response = http.post_json(path, body);
        self.line(&format!("{who} ← {response}"));
        response.json()
    }

    /// `POST path` with a JSON body, by someone who shows a token.
    #[track_caller]
    pub fn call(&mut self, who: &str, channel: &mut Channel, path: &str, body: &Value) -> Value {
        self.line(&format!("{who} → POST {path} {body}"));
        let response = channel.try_call(path, body, &[]);
        let response = response.unwrap_or_else(|error| panic!("{path}: {error}"));
        self.line(&format!("{who} ← {response}"));
        response.json()
    }

    #[track_caller]
    pub fn send(&mut self, who: &str, talk: &mut Talk, packet: &str) {
        self.line(&format!("{who} → {packet}"));
        talk.websocket.send(packet);
    }

    /// The next packet.
    #[track_caller]
    pub fn receive(&mut self, who: &str, talk: &mut Talk) -> Value {
        let text = talk.websocket.receive();
        self.line(&format!("{who} ← {text}"));
        serde_json::from_str(&text).expect("it is JSON")
    }

    /// All of it, without the values of these JSON keys.
    pub fn redacted(&self, keys: &[&str]) -> String {
        redact(&self.text, keys)
    }

    fn line(&mut self, line: &str) {
        writeln!(self.text, "{line}").expect("text takes everything");
    }
}
