//! The usr_room dialect: JSON over HTTP.

use std::net::SocketAddr;

use serde_json::{Value, json};

use crate::http::Http;

#[derive(Debug)]
pub struct UsrRoom {
    pub http: Http,
}

impl UsrRoom {
    #[track_caller]
    pub fn connect(address: SocketAddr) -> Self {
        Self { http: Http::connect(address) }
    }

    #[track_caller]
    pub fn call(&mut self, path: &str, body: &Value) -> Value {
        let response = self.http.post_json(path, body);
        assert_eq!(response.status, 200, "{path} {body}: {response}");
        response.json()
    }

    /// The reply of a success.
    #[track_caller]
    pub fn done(&mut self, path: &str, body: &Value) -> Value {
        let reply = self.call(path, body);
        assert_eq!(reply["response_code"], 1, "{path} {body}: {reply}");
        reply
    }

    /// Everything in a room, page by page, in flavor document.
    #[track_caller]
    pub fn history(&mut self, room_id: u64) -> Vec<Value> {
        let mut all = Vec::new();
        let mut after = 0;
        loop {
            let body = json!({"room_id": room_id, "after": after, "limit": 200});
            let page = self.done("/room/get_message", &body)["messages"].take();
            let Value::Array(page) = page else { panic!("{page} is no list") };
            let Some(last) = page.last() else { return all };
            after = last["id"].as_u64().expect("it is a number");
            all.extend(page);
        }
    }
}
