//! The servers that a document names.

use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};

use super::document::Document;
use super::json::Json;

/// Where clients reach a listener.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Server {
    /// The listener's key in the manifest.
    pub listener: String,
    /// Without a slash at its end: `https://chat.example.org`, `wss://…`, `tls://chat.example.org:6697`.
    pub url: String,
}

/// What OpenAPI and AsyncAPI documents have at their top.
#[derive(Deserialize)]
struct Head<'a> {
    #[serde(default)]
    openapi: Option<String>,
    #[serde(default, borrow)]
    servers: Option<&'a RawValue>,
}

impl Document {
    /// The same document with the servers of a gateway that runs. It stays as it is if it names none.
    #[must_use]
    pub fn with_servers(&self, servers: &[Server]) -> Self {
        let mut document = self.clone();
        let Ok(Head { openapi, servers: Some(former) }) = serde_json::from_str(&self.text) else {
            return document;
        };
        let servers = match openapi {
            Some(_) => of_openapi(servers),
            None => of_asyncapi(servers, former),
        };
        let servers = Json::of(&servers).field_text("servers");
        // The raw value is a part of the text.
        let start = former.get().as_ptr() as usize - self.text.as_ptr() as usize;
        document.text.replace_range(start..start + former.get().len(), &servers);
        document
    }
}

fn of_openapi(servers: &[Server]) -> Value {
    let urls = servers.iter().filter(|server| server.url.starts_with("http"));
    let server = |server: &Server| json!({ "url": server.url, "description": SERVED });
    let servers: Vec<Value> = urls.map(server).collect();
    if servers.is_empty() {
        return json!([{ "url": "/", "description": "Where this document is." }]);
    }
    servers.into()
}

const SERVED: &str = "Where this gateway serves it.";

/// A further server of a listener has a key with its number. Descriptions stay.
fn of_asyncapi(servers: &[Server], former: &RawValue) -> Value {
    let former: Value = serde_json::from_str(former.get()).unwrap_or_default();
    let mut named = Map::new();
    for server in servers {
        let Some(about) = former[&server.listener]["description"].as_str().or(any(&former)) else {
            continue;
        };
        let Some((protocol, rest)) = server.url.split_once("://") else { continue };
        if protocol.starts_with("http") {
            continue;
        }
        let (host, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, ""),
        };
        let mut one = json!({ "host": host, "protocol": protocol, "description": about });
        if !path.is_empty() {
            one["pathname"] = path.into();
        }
        let is_taken = |key: &String| named.contains_key(key);
        let keys = (2..).map(|nth| format!("{}_{nth}", server.listener));
        let mut keys = std::iter::once(server.listener.clone()).chain(keys);
        if let Some(key) = keys.find(|key| !is_taken(key)) {
            named.insert(key, one);
        }
    }
    named.into()
}

/// The description of a listener that the document does not name, if the document names any.
fn any(former: &Value) -> Option<&'static str> {
    former.as_object().is_some_and(|servers| !servers.is_empty()).then_some(SERVED)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(text: &str) -> Document {
        Document { name: "x".into(), media_type: "application/json".into(), text: text.into() }
    }

    fn server(listener: &str, url: &str) -> Server {
        Server { listener: listener.into(), url: url.into() }
    }

    #[test]
    fn only_the_servers_of_a_document_change() {
        let openapi =
            document("{\"openapi\": \"3.1.0\",\n  \"servers\": [{\"url\": \"x\"}],  \"a\": 1.50}");
        let served = openapi.with_servers(&[
            server("listen", "https://chat.example.org/chat"),
            server("websocket_listen", "wss://chat.example.org"),
        ]);
        let json: Value = serde_json::from_str(&served.text).expect("JSON");
        assert_eq!(
            json["servers"],
            json!([{
                "url": "https://chat.example.org/chat",
                "description": "Where this gateway serves it.",
            }]),
        );
        assert!(served.text.starts_with("{\"openapi\": \"3.1.0\",\n  \"servers\": ["));
        assert!(served.text.ends_with("],  \"a\": 1.50}"), "{}", served.text);
        let nowhere = openapi.with_servers(&[]);
        assert!(nowhere.text.contains("\"url\": \"/\""), "{}", nowhere.text);
    }

    #[test]
    fn a_server_of_asyncapi_has_a_key_host_and_path() {
        let asyncapi = document(
            "{\"asyncapi\":\"3.0.0\",\"servers\":{\"listen\":{\"host\":\"h\",\"description\":\"d\"}}}",
        );
        let served = asyncapi.with_servers(&[
            server("listen", "wss://chat.example.org/ws"),
            server("listen", "ws://127.0.0.1:7777"),
            server("tcp_listen", "tcp://127.0.0.1:7778"),
        ]);
        let json: Value = serde_json::from_str(&served.text).expect("JSON");
        assert_eq!(
            json["servers"],
            json!({
                "listen": {
                    "host": "chat.example.org", "protocol": "wss", "pathname": "/ws", "description": "d",
                },
                "listen_2": { "host": "127.0.0.1:7777", "protocol": "ws", "description": "d" },
                "tcp_listen": {
                    "host": "127.0.0.1:7778", "protocol": "tcp", "description": SERVED,
                },
            })
        );
    }

    #[test]
    fn a_document_without_servers_stays() {
        for text in ["{\"$defs\": {}}", "meta:\n  id: x", "[]", ""] {
            assert_eq!(document(text).with_servers(&[server("listen", "http://h")]).text, text);
        }
    }
}
